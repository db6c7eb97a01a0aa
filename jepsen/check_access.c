/* Static rights (workload access). Values are used once. Operations:
 *   :roles [who area read? write?]              what somebody may do there, told before anything else
 *   :write [who [[area page value] …] how]      all or nothing; :prev and :guarded read what they write too
 *   :delete [who area page value]
 *   :read [who area page nil] → [who area page [value …]], :watch the same: values that were put there
 *   :peek [who area], :compact [who]            reading one area (or all) at all; what nobody here may do
 * A refusal for want of rights is a :fail whose :error begins with "denied".
 *
 *   executed    what the roles refuse was acknowledged, or its value is seen, by anybody, at whatever time; also what they allow, when
 *               the answer was a refusal
 *   leaked      a read or watch that the roles refuse was answered
 *   refused     what they allow was refused for want of rights
 *   vanished    a value is not read any more though nobody who may has asked for its deletion: lost, or deleted without a right
 *   stale, garbage, aborted   a deleted value, one nobody wrote, one of a write that failed for another reason
 * Unknown: a write that was refused, and nobody has read its page since. */
#include "common/base.h"

#include "jepsen/check.h"

#include "common/map.h"

#include <stdlib.h>

#define WHO_MAX 16
#define AREAS_MAX 16

struct value {
    const struct attempt *write;
    int64_t number, area, page;
    int64_t known, may_go, gone; /* index from which it is known to be there; may be deleted; is known to be deleted; INT64_MAX */
    uint64_t seen_in;            /* number of the read that saw it last */
    struct value *next;          /* of its page */
};

struct page {
    int64_t key[2]; /* area, page */
    struct value *values;
    int64_t last_read; /* index at which the newest answered read of it began; -1 */
};

struct access {
    struct report *report;
    bool read[WHO_MAX][AREAS_MAX], write[WHO_MAX][AREAS_MAX];
    struct map values, pages;
    struct arena arena;
    size_t denied, allowed, reads;
    uint64_t read_number;
};

static bool ints(struct edn v, size_t from, size_t to)
{
    if (v.kind != EDN_VECTOR || v.count < to)
        return false;
    for (size_t i = from; i < to; i++)
        if (v.items[i].kind != EDN_INT || v.items[i].number < 0)
            return false;
    return true;
}

static bool place_valid(const struct edn v) { return v.items[0].number < WHO_MAX && (v.count < 2 || v.items[1].kind != EDN_INT || v.items[1].number < AREAS_MAX); }

static bool seen_valid(struct edn v)
{
    return ints(v, 0, 3) && v.count == 4 && v.items[3].kind == EDN_VECTOR && ints(v.items[3], 0, v.items[3].count);
}

static bool attempt_valid(const struct attempt *a)
{
    struct edn v = a->invoke->value;
    if (!ints(v, 0, 1) || !place_valid(v))
        return false;
    if (attempt_is(a, "roles"))
        return ints(v, 0, 2) && v.count == 4 && v.items[2].kind == EDN_BOOL && v.items[3].kind == EDN_BOOL;
    if (attempt_is(a, "read") || attempt_is(a, "watch"))
        return ints(v, 0, 3) && (!attempt_ok(a) || seen_valid(a->done->value));
    if (attempt_is(a, "delete"))
        return ints(v, 0, 4);
    if (!attempt_is(a, "write"))
        return (attempt_is(a, "peek") && ints(v, 0, 2)) || attempt_is(a, "compact");
    for (uint32_t i = 0; v.count == 3 && v.items[1].kind == EDN_VECTOR && i < v.items[1].count; i++)
        if (!ints(v.items[1].items[i], 0, 3) || v.items[1].items[i].items[0].number >= AREAS_MAX)
            return false;
    return v.count == 3 && v.items[1].kind == EDN_VECTOR && v.items[2].kind == EDN_KEYWORD;
}

static void anomaly(struct access *s, const char *name, const struct attempt *a, const struct attempt *other, const char *what)
{
    bool print = report_wants(s->report, name);
    report_anomaly(s->report, name, "%s", what);
    if (print && other != NULL)
        report_operation(s->report, "", other->done != NULL ? other->done : other->invoke);
    if (print)
        report_operation(s->report, "", a->done);
}

/* What the table says of an operation. */
static bool allows(const struct access *s, const struct attempt *a)
{
    struct edn v = a->invoke->value;
    const int64_t who = v.items[0].number;
    if (attempt_is(a, "compact"))
        return false;
    if (attempt_is(a, "delete"))
        return s->write[who][v.items[1].number];
    if (!attempt_is(a, "write"))
        return s->read[who][v.items[1].number];
    bool reads = !edn_is_keyword(v.items[2], "put"), allowed = true;
    for (uint32_t i = 0; i < v.items[1].count; i++) {
        int64_t area = v.items[1].items[i].items[0].number;
        allowed = allowed && s->write[who][area] && (!reads || s->read[who][area]);
    }
    return allowed;
}

/* --- values --- */

static struct page *page_at(struct access *s, int64_t area, int64_t page)
{
    const int64_t key[2] = {area, page};
    struct page *p = map_get(&s->pages, slice_of(key, sizeof key));
    if (p == NULL) {
        p = arena_alloc(&s->arena, sizeof *p);
        *p = (struct page){.key = {area, page}, .last_read = -1};
        map_put(&s->pages, slice_of(p->key, sizeof p->key), p);
    }
    return p;
}

static struct value *value_at(struct access *s, int64_t number) { return map_get(&s->values, slice_of(&number, sizeof number)); }

/* False: written twice. */
static bool note_values(struct access *s, const struct attempt *a)
{
    struct edn entries = a->invoke->value.items[1];
    for (uint32_t i = 0; i < entries.count; i++) {
        const struct edn *e = entries.items[i].items;
        struct page *p = page_at(s, e[0].number, e[1].number);
        struct value *v = arena_alloc(&s->arena, sizeof *v);
        *v = (struct value){.write = a, .number = e[2].number, .area = e[0].number, .page = e[1].number, .next = p->values,
                            .known = attempt_ok(a) ? a->done->index : INT64_MAX, .may_go = INT64_MAX, .gone = INT64_MAX};
        p->values = v;
        if (map_put(&s->values, slice_of(&v->number, sizeof v->number), v) != NULL)
            return false;
    }
    return true;
}

static void note_delete(struct access *s, const struct attempt *a)
{
    const struct edn *at = a->invoke->value.items;
    struct value *v = value_at(s, at[3].number);
    if (v == NULL || v->area != at[1].number || v->page != at[2].number || !allows(s, a) || attempt_outcome(a) == OPERATION_FAIL)
        return;
    v->may_go = MIN(v->may_go, a->invoke->index);
    if (attempt_ok(a) && attempt_end(&(struct attempt){v->write->invoke, v->write->done}) < a->invoke->index)
        v->gone = MIN(v->gone, a->done->index);
}

static void note_seen(struct access *s, const struct attempt *a, int64_t number)
{
    struct value *v = value_at(s, number);
    const struct edn *at = a->done->value.items;
    if (v == NULL || v->area != at[1].number || v->page != at[2].number || v->write->invoke->index > a->done->index) {
        anomaly(s, "garbage", a, NULL, "a value that nobody had written there");
        return;
    }
    if (attempt_denied(v->write) || !allows(s, v->write))
        anomaly(s, "executed", a, v->write, "a value of a write that was refused, or that the roles refuse, is there");
    else if (attempt_outcome(v->write) == OPERATION_FAIL)
        anomaly(s, "aborted", a, v->write, "a value of a write that failed");
    else if (attempt_is(a, "read") && v->gone < a->invoke->index)
        anomaly(s, "stale", a, v->write, "a value that had been deleted");
    v->seen_in = s->read_number;
    v->known = MIN(v->known, a->done->index);
}

static void look_at(struct access *s, const struct attempt *a)
{
    const struct edn *at = a->done->value.items;
    struct page *p = page_at(s, at[1].number, at[2].number);
    s->read_number++;
    for (uint32_t i = 0; i < at[3].count; i++)
        note_seen(s, a, at[3].items[i].number);
    if (!attempt_is(a, "read"))
        return;
    s->reads++;
    p->last_read = MAX(p->last_read, a->invoke->index);
    for (struct value *v = p->values; v != NULL; v = v->next)
        if (allows(s, v->write) && v->known < a->invoke->index && v->seen_in != s->read_number && v->may_go > a->done->index)
            anomaly(s, "vanished", a, v->write, "a value is not there though nobody who may has deleted it");
}

/* --- all of it --- */

static void judge_answer(struct access *s, const struct attempt *a)
{
    bool allowed = allows(s, a), reads = attempt_is(a, "read") || attempt_is(a, "watch") || attempt_is(a, "peek");
    s->denied += attempt_denied(a);
    s->allowed += attempt_ok(a);
    if (attempt_ok(a) && !allowed)
        anomaly(s, reads ? "leaked" : "executed", a, NULL, "the roles refuse it, and it was done");
    if (attempt_denied(a) && allowed)
        anomaly(s, "refused", a, NULL, "the roles allow it, and it was refused for want of rights");
}

static int by_end(const void *a, const void *b)
{
    const struct attempt *x = *(const struct attempt *const *)a, *y = *(const struct attempt *const *)b;
    return (x->done->index > y->done->index) - (x->done->index < y->done->index);
}

static void judge(struct access *s, const struct attempt *attempts, size_t count)
{
    const struct attempt **ended = mem_alloc((count + 1) * sizeof(struct attempt *));
    size_t n = 0, unseen = 0;
    for (size_t i = 0; i < count; i++) {
        if (attempt_is(&attempts[i], "delete"))
            note_delete(s, &attempts[i]);
        if (attempts[i].done != NULL && !attempt_is(&attempts[i], "roles"))
            ended[n++] = &attempts[i];
    }
    qsort(ended, n, sizeof ended[0], by_end);
    for (size_t i = 0; i < n; i++) {
        judge_answer(s, ended[i]);
        if (attempt_ok(ended[i]) && (attempt_is(ended[i], "read") || attempt_is(ended[i], "watch")))
            look_at(s, ended[i]);
    }
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; attempt_denied(ended[i]) && attempt_is(ended[i], "write") && k < ended[i]->invoke->value.items[1].count; k++) {
            const struct edn *e = ended[i]->invoke->value.items[1].items[k].items;
            unseen += page_at(s, e[0].number, e[1].number)->last_read < ended[i]->done->index;
        }
    if (unseen > 0)
        report_unknown(s->report, "%zu refused writes whose pages nobody has read afterwards", unseen);
    report_note(s->report, "%zu allowed, %zu refused for want of rights, %zu reads of pages", s->allowed, s->denied, s->reads);
    mem_free(ended);
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct access s = {.report = r};
    bool good = true;
    (void)o;
    for (size_t i = 0; i < count && good; i++) {
        const struct attempt *a = &attempts[i];
        const struct edn *v = a->invoke->value.items;
        good = attempt_valid(a);
        if (!good) {
            report_unknown(r, "operation %lld is none of this workload", (long long)a->invoke->index);
        } else if (attempt_is(a, "roles")) {
            s.read[v[0].number][v[1].number] = v[2].number != 0;
            s.write[v[0].number][v[1].number] = v[3].number != 0;
        } else if (attempt_is(a, "write") && !note_values(&s, a)) {
            good = false;
            report_unknown(r, "a value of operation %lld is written twice", (long long)a->invoke->index);
        }
    }
    if (good)
        judge(&s, attempts, count);
    map_release(&s.values);
    map_release(&s.pages);
    arena_clear(&s.arena);
}

const struct check checker_access = {"access", "nothing that the roles refuse is done, ever; all that they allow is", run};
