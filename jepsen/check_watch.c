/* Watches beside writes. Operations:
 *   :write  [[:put key value] [:delete key] …], one transaction; values are used once. Answer {:revision r :ops [[:put k v] [:delete k n]]},
 *           n: how many the delete removed
 *   :watch  {:from r} (0: from now on); answer, at its end, {:from r :to r :log [[revision [event …]] …]}: everything up to `to` was
 *           delivered; `from` is the first revision it had to deliver. Events: [:put key value version previous-value previous-revision]
 *           and [:delete key previous-value previous-revision], the previous ones nil and 0 where there was nothing.
 *   :compact revision: what happens in between; says nothing
 *
 * What any watcher saw at a revision is the truth for all:
 *   different-events   another one saw something else there, or only a part (a revision is atomic)
 *   out-of-order, duplicate, early   in one watch: a revision below the one before, the same again, one before its beginning
 *   gap                a revision that others saw, or that was acknowledged, within what was delivered is missing
 *   wrong-events       the events are not what was acknowledged at the revision
 *   garbage, aborted, twice   a value nobody wrote; of a write that failed; one value at two revisions
 *   wrong-prev         the previous value, revision or version is not what the events before say
 *   revision-order     a write that began after another had ended has no later revision */
#include "common/base.h"

#include "jepsen/check.h"

#include "common/map.h"

#include <stdlib.h>

struct event {
    bool is_delete, has_prev;
    int64_t key, value, version, prev_value, prev_revision;
};

struct revision {
    int64_t number;
    struct edn events;           /* as first seen; nil: only acknowledged */
    const struct attempt *seen_by, *written_by;
};

struct watching {
    const struct attempt *attempt;
    int64_t from, to;
    struct edn log;
};

struct span {
    int64_t from, to;
};

struct watches {
    struct report *report;
    struct map revisions;  /* number → struct revision */
    struct map values;     /* value → attempt of its write */
    struct map placed;     /* value → struct revision that it stands in */
    struct revision **order;
    struct watching *watching;
    struct span *spans;
    size_t watching_count, order_count, span_count, events;
    struct arena arena;
};

static bool event_read(struct edn e, struct event *ret)
{
    *ret = (struct event){.is_delete = e.kind == EDN_VECTOR && e.count == 4};
    if (e.kind != EDN_VECTOR || (e.count != 4 && e.count != 6) || !edn_is_keyword(e.items[0], ret->is_delete ? "delete" : "put"))
        return false;
    for (uint32_t i = 1; i < e.count; i++)
        if (e.items[i].kind != EDN_INT && !(e.items[i].kind == EDN_NIL && i == e.count - 2))
            return false;
    ret->key = e.items[1].number;
    ret->has_prev = e.items[e.count - 2].kind == EDN_INT;
    ret->prev_value = e.items[e.count - 2].number;
    ret->prev_revision = e.items[e.count - 1].number;
    if (!ret->is_delete) {
        ret->value = e.items[2].number;
        ret->version = e.items[3].number;
    }
    return true;
}

static bool step_valid(struct edn s, bool answered)
{
    if (s.kind != EDN_VECTOR || s.count < 2 || s.items[1].kind != EDN_INT)
        return false;
    if (edn_is_keyword(s.items[0], "put"))
        return s.count == 3 && s.items[2].kind == EDN_INT;
    return edn_is_keyword(s.items[0], "delete") && s.count == (answered ? 3 : 2) && s.items[s.count - 1].kind == EDN_INT;
}

static bool steps_valid(struct edn steps, bool answered)
{
    for (uint32_t i = 0; steps.kind == EDN_VECTOR && i < steps.count; i++)
        if (!step_valid(steps.items[i], answered))
            return false;
    return steps.kind == EDN_VECTOR;
}

static bool log_valid(struct edn log)
{
    struct event event;
    for (uint32_t i = 0; log.kind == EDN_VECTOR && i < log.count; i++) {
        struct edn line = log.items[i];
        if (line.kind != EDN_VECTOR || line.count != 2 || line.items[0].kind != EDN_INT || line.items[1].kind != EDN_VECTOR)
            return false;
        for (uint32_t e = 0; e < line.items[1].count; e++)
            if (!event_read(line.items[1].items[e], &event))
                return false;
    }
    return log.kind == EDN_VECTOR;
}

static bool attempt_valid(const struct attempt *a)
{
    struct edn v = a->invoke->value, answer = attempt_ok(a) ? a->done->value : v;
    if (attempt_is(a, "write"))
        return steps_valid(v, false) &&
               (!attempt_ok(a) || (edn_get(answer, "revision").kind == EDN_INT && steps_valid(edn_get(answer, "ops"), true)));
    if (attempt_is(a, "compact"))
        return true;
    return attempt_is(a, "watch") && edn_get(v, "from").kind == EDN_INT &&
           (!attempt_ok(a) || (edn_get(answer, "from").kind == EDN_INT && edn_get(answer, "to").kind == EDN_INT && log_valid(edn_get(answer, "log"))));
}

static void anomaly(struct watches *w, const char *name, const struct attempt *a, int64_t revision, const char *what)
{
    report_anomaly(w->report, name, "revision %lld, process %lld, operation %lld: %s", (long long)revision, (long long)a->invoke->process,
                   (long long)a->invoke->index, what);
}

static void show(struct watches *w, const char *name, const char *role, struct edn events)
{
    if (report_count(w->report, name) > REPORT_EXAMPLES_MAX)
        return;
    buf_printf(&w->report->text, "    %s ", role);
    edn_print(&w->report->text, events);
    buf_append_char(&w->report->text, '\n');
}

static struct revision *revision_of(struct watches *w, int64_t number)
{
    struct revision *r = map_get(&w->revisions, slice_of(&number, sizeof number));
    if (r == NULL) {
        r = arena_alloc(&w->arena, sizeof *r);
        r->number = number;
        map_put(&w->revisions, slice_of(&number, sizeof number), r);
    }
    return r;
}

/* --- what was written --- */

static bool changes(struct edn steps)
{
    for (uint32_t i = 0; i < steps.count; i++)
        if (edn_is_keyword(steps.items[i].items[0], "put") || steps.items[i].items[2].number > 0)
            return true;
    return false;
}

static void note_write(struct watches *w, const struct attempt *a)
{
    for (uint32_t i = 0; i < a->invoke->value.count; i++) {
        struct edn step = a->invoke->value.items[i];
        if (edn_is_keyword(step.items[0], "put") && map_put(&w->values, slice_of(&step.items[2].number, sizeof(int64_t)), (void *)(uintptr_t)a) != NULL)
            report_unknown(w->report, "value %lld is written twice", (long long)step.items[2].number);
    }
    if (!attempt_ok(a) || !changes(edn_get(a->done->value, "ops")))
        return;
    struct revision *r = revision_of(w, edn_get(a->done->value, "revision").number);
    if (r->written_by != NULL) {
        anomaly(w, "wrong-events", a, r->number, "two writes were acknowledged with this revision");
        return;
    }
    r->written_by = a;
}

static int by_revision(const void *a, const void *b)
{
    int64_t x = (*(struct revision *const *)a)->number, y = (*(struct revision *const *)b)->number;
    return (x > y) - (x < y);
}

/* In the order of revisions no write may have ended before one with a lower revision began. */
static void check_revision_order(struct watches *w)
{
    int64_t earliest_end = INT64_MAX;
    for (size_t i = w->order_count; i-- > 0;) {
        const struct attempt *a = w->order[i]->written_by;
        if (a == NULL)
            continue;
        if (earliest_end < a->invoke->index)
            anomaly(w, "revision-order", a, w->order[i]->number, "a write that had ended before it began has a later revision");
        earliest_end = MIN(earliest_end, a->done->index);
    }
}

/* --- what was seen --- */

static void look_at_line(struct watches *w, const struct watching *s, struct edn line, int64_t *last)
{
    int64_t number = line.items[0].number;
    struct revision *r = revision_of(w, number);
    w->events += line.items[1].count;
    if (number < *last)
        anomaly(w, "out-of-order", s->attempt, number, "after a later one");
    else if (number == *last)
        anomaly(w, "duplicate", s->attempt, number, "delivered again");
    if (number < s->from)
        anomaly(w, "early", s->attempt, number, "before the beginning of the watch");
    *last = MAX(*last, number);
    if (r->seen_by == NULL) {
        r->seen_by = s->attempt;
        r->events = line.items[1];
    } else if (!edn_equal(r->events, line.items[1])) {
        anomaly(w, "different-events", s->attempt, number, "not what another watch saw");
        show(w, "different-events", "this one:", line.items[1]);
        show(w, "different-events", "another: ", r->events);
    }
}

static void look_for_gaps(struct watches *w, const struct watching *s)
{
    size_t at = 0, low = 0, high = w->order_count;
    while (low < high) { /* the first revision not below `from` */
        size_t middle = low + (high - low) / 2;
        if (w->order[middle]->number < s->from)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < w->order_count && w->order[i]->number <= s->to; i++) {
        while (at < s->log.count && s->log.items[at].items[0].number < w->order[i]->number)
            at++;
        if (at == s->log.count || s->log.items[at].items[0].number != w->order[i]->number)
            anomaly(w, "gap", s->attempt, w->order[i]->number, "within what was delivered, and missing");
    }
}

static void check_values(struct watches *w, struct revision *r)
{
    for (uint32_t i = 0; i < r->events.count; i++) {
        struct event e;
        if (!event_read(r->events.items[i], &e) || e.is_delete)
            continue;
        const struct attempt *write = map_get(&w->values, slice_of(&e.value, sizeof e.value));
        if (write == NULL)
            anomaly(w, "garbage", r->seen_by, r->number, "a value that nobody wrote");
        else if (attempt_outcome(write) == OPERATION_FAIL)
            anomaly(w, "aborted", write, r->number, "a value of a write that failed");
        if (map_put(&w->placed, slice_of(&e.value, sizeof e.value), r) != NULL)
            anomaly(w, "twice", r->seen_by, r->number, "a value that stands in an earlier revision too");
    }
}

static bool step_matches(struct edn step, const struct event *e)
{
    bool is_delete = edn_is_keyword(step.items[0], "delete");
    return is_delete == e->is_delete && step.items[1].number == e->key && (is_delete || step.items[2].number == e->value);
}

/* The events of an acknowledged write in the order of its steps, deletes that removed nothing left out. */
static void check_written(struct watches *w, struct revision *r)
{
    struct edn steps = edn_get(r->written_by->done->value, "ops");
    uint32_t at = 0;
    bool good = true;
    for (uint32_t i = 0; i < steps.count; i++) {
        struct event e;
        if (edn_is_keyword(steps.items[i].items[0], "delete") && steps.items[i].items[2].number == 0)
            continue;
        good = good && at < r->events.count && event_read(r->events.items[at], &e) && step_matches(steps.items[i], &e);
        at++;
    }
    if (!good || at != r->events.count) {
        anomaly(w, "wrong-events", r->written_by, r->number, "the events are not what was written");
        show(w, "wrong-events", "written:", steps);
        show(w, "wrong-events", "events: ", r->events);
    }
}

struct last_seen {
    int64_t revision, value, version;
    bool gone;
};

static int by_from(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* What was delivered to anybody, as spans with something missing between them. */
static void merge_spans(struct watches *w)
{
    w->spans = mem_alloc((w->watching_count + 1) * sizeof w->spans[0]);
    size_t n = 0;
    for (size_t i = 0; i < w->watching_count; i++)
        w->spans[i] = (struct span){w->watching[i].from, w->watching[i].to};
    qsort(w->spans, w->watching_count, sizeof w->spans[0], by_from);
    for (size_t i = 0; i < w->watching_count; i++) {
        if (n > 0 && w->spans[i].from <= w->spans[n - 1].to + 1)
            w->spans[n - 1].to = MAX(w->spans[n - 1].to, w->spans[i].to);
        else
            w->spans[n++] = w->spans[i];
    }
    w->span_count = n;
}

static bool covered(const struct watches *w, int64_t from, int64_t to)
{
    for (size_t i = 0; i < w->span_count; i++)
        if (w->spans[i].from <= from && to <= w->spans[i].to)
            return true;
    return false;
}

/* NULL: the event fits to what was seen of its key before. */
static const char *prev_wrong(const struct watches *w, const struct event *e, const struct last_seen *l, int64_t number)
{
    if (l != NULL && e->has_prev && e->prev_revision < l->revision)
        return "an older previous revision than one that was seen";
    if (l != NULL && e->has_prev && e->prev_revision == l->revision) {
        if (l->gone)
            return "a previous value where it had been deleted";
        if (e->prev_value != l->value)
            return "not the value that was seen at the previous revision";
        return e->is_delete || e->version == l->version + 1 ? NULL : "not the version after the one seen before";
    }
    if (e->has_prev)
        return covered(w, e->prev_revision, e->prev_revision) ? "a previous revision that no watch saw, and that one should have" : NULL;
    /* It may have been deleted while nobody looked. */
    return l == NULL || l->gone || !covered(w, l->revision, number) ? NULL : "no previous value, and one had been seen";
}

static void check_prev(struct watches *w, struct map *keys, struct revision *r)
{
    for (uint32_t i = 0; i < r->events.count; i++) {
        struct event e;
        if (!event_read(r->events.items[i], &e))
            continue;
        struct slice key = slice_of(&e.key, sizeof e.key);
        struct last_seen *l = map_get(keys, key);
        const char *wrong = prev_wrong(w, &e, l, r->number);
        if (wrong != NULL) {
            anomaly(w, "wrong-prev", r->seen_by, r->number, wrong);
            show(w, "wrong-prev", "event:", r->events.items[i]);
        }
        if (l == NULL) {
            l = arena_alloc(&w->arena, sizeof *l);
            map_put(keys, key, l);
        }
        *l = (struct last_seen){r->number, e.value, e.version, e.is_delete};
    }
}

static void judge(struct watches *w)
{
    struct map keys = {0};
    struct map_entry *e;
    size_t unwatched = 0;
    for (size_t i = 0; i < w->watching_count; i++) {
        int64_t last = INT64_MIN;
        for (uint32_t n = 0; n < w->watching[i].log.count; n++)
            look_at_line(w, &w->watching[i], w->watching[i].log.items[n], &last);
    }
    w->order = mem_alloc((w->revisions.size + 1) * sizeof(struct revision *));
    for (size_t i = 0; (e = map_next(&w->revisions, &i)) != NULL;)
        w->order[w->order_count++] = e->value;
    qsort(w->order, w->order_count, sizeof w->order[0], by_revision);
    check_revision_order(w);
    merge_spans(w);
    for (size_t i = 0; i < w->watching_count; i++)
        look_for_gaps(w, &w->watching[i]);
    for (size_t i = 0; i < w->order_count; i++) {
        struct revision *r = w->order[i];
        unwatched += r->seen_by == NULL;
        if (r->seen_by == NULL)
            continue;
        check_values(w, r);
        check_prev(w, &keys, r);
        if (r->written_by != NULL)
            check_written(w, r);
    }
    report_note(w->report, "%zu watches, %zu revisions, %zu events delivered; %zu revisions that no watch covered", w->watching_count,
                w->order_count, w->events, unwatched);
    if (w->events == 0)
        report_unknown(w->report, "no watch was given an event");
    mem_free(w->order);
    mem_free(w->spans);
    map_release(&keys);
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct watches w = {.report = r, .watching = mem_zalloc((count + 1) * sizeof(struct watching))};
    bool good = true;
    (void)o;
    for (size_t i = 0; i < count && good; i++) {
        const struct attempt *a = &attempts[i];
        good = attempt_valid(a);
        if (!good)
            report_unknown(r, "operation %lld is no write or watch", (long long)a->invoke->index);
        else if (attempt_is(a, "write"))
            note_write(&w, a);
        else if (attempt_is(a, "watch") && attempt_ok(a))
            w.watching[w.watching_count++] = (struct watching){a, edn_get(a->done->value, "from").number, edn_get(a->done->value, "to").number,
                                                               edn_get(a->done->value, "log")};
    }
    if (good)
        judge(&w);
    map_release(&w.revisions);
    map_release(&w.values);
    map_release(&w.placed);
    arena_clear(&w.arena);
    mem_free(w.watching);
}

const struct check checker_watch = {"watch", "every watcher sees the same order: no gap, no duplicate, whole revisions, right previous values", run};
