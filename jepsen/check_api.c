/* Objects with a resourceVersion, through any apiserver. Operations:
 *   :create [name value nil nil] and :update [name value from nil] → [name value from version]: replaced when it was at `from`
 *   :get [name nil nil] → [name value version], both nil when it is not there
 *   :watch [from nil] → [from [[name value version] …]]: what was told after `from`, up to the last version in it
 *
 *   lost-update    two updates that were acknowledged replaced the same version, or one stands between another's two versions
 *   stale-read     a get that began after a version had been told of gives an older one (so also read-your-writes)
 *   wrong-value    one version with two contents
 *   garbage, aborted   a value that nobody wrote; of a write that was refused
 *   watch-order    the versions of a watch do not rise, or begin at or before `from`
 *   watch-gap      an acknowledged write within what a watch was told is missing there */
#include "common/base.h"

#include "jepsen/check.h"

#include "common/map.h"

#include <stdlib.h>

struct version {
    int64_t number, name, value, from; /* from -1: not known who wrote it */
    const struct operation *told;      /* first */
};

struct objects {
    struct report *report;
    struct map versions; /* number → struct version */
    struct map values;   /* value → attempt */
    struct version **order;
    size_t order_count, watched;
    struct arena arena;
};

static bool numbers(struct edn v, size_t count)
{
    for (uint32_t i = 0; v.kind == EDN_VECTOR && i < v.count; i++)
        if (v.items[i].kind != EDN_INT && v.items[i].kind != EDN_NIL)
            return false;
    return v.kind == EDN_VECTOR && v.count == count;
}

static bool is_write(const struct attempt *a) { return attempt_is(a, "create") || attempt_is(a, "update"); }

static bool attempt_valid(const struct attempt *a)
{
    struct edn v = a->invoke->value, answer = attempt_ok(a) ? a->done->value : v;
    if (attempt_is(a, "get"))
        return numbers(v, 3) && numbers(answer, 3);
    if (is_write(a))
        return numbers(v, 4) && numbers(answer, 4);
    if (!attempt_is(a, "watch") || v.kind != EDN_VECTOR || v.count != 2 || v.items[0].kind != EDN_INT)
        return false;
    if (!attempt_ok(a))
        return true;
    for (uint32_t i = 0; answer.kind == EDN_VECTOR && answer.count == 2 && i < answer.items[1].count; i++)
        if (answer.items[1].kind != EDN_VECTOR || !numbers(answer.items[1].items[i], 3))
            return false;
    return answer.kind == EDN_VECTOR && answer.count == 2 && answer.items[1].kind == EDN_VECTOR;
}

static void anomaly(struct objects *s, const char *name, const char *what, const struct operation *o, const struct operation *other)
{
    bool print = report_wants(s->report, name);
    report_anomaly(s->report, name, "%s", what);
    if (print && other != NULL && other != o)
        report_operation(s->report, "", other);
    if (print)
        report_operation(s->report, "", o);
}

/* A version that `told` speaks of. */
static struct version *note(struct objects *s, struct edn name, struct edn value, struct edn number, const struct operation *told)
{
    struct version *v = map_get(&s->versions, slice_of(&number.number, sizeof(int64_t)));
    if (v == NULL) {
        v = arena_alloc(&s->arena, sizeof *v);
        *v = (struct version){.number = number.number, .name = name.number, .value = value.number, .from = -1, .told = told};
        map_put(&s->versions, slice_of(&v->number, sizeof v->number), v);
        const struct attempt *write = map_get(&s->values, slice_of(&v->value, sizeof v->value));
        if (write == NULL)
            anomaly(s, "garbage", "a value that nobody wrote", told, NULL);
        else if (attempt_outcome(write) == OPERATION_FAIL)
            anomaly(s, "aborted", "a value of a write that was refused", told, write->done);
    } else if (v->name != name.number || v->value != value.number) {
        anomaly(s, "wrong-value", "one version, two contents", told, v->told);
    }
    if (told->index < v->told->index)
        v->told = told;
    return v;
}

static void note_write(struct objects *s, const struct attempt *a)
{
    struct edn r = a->done->value;
    struct version *v = note(s, r.items[0], r.items[1], r.items[3], a->done);
    if (v->name == r.items[0].number && v->value == r.items[1].number)
        v->from = r.items[2].number;
}

static void look_at_watch(struct objects *s, const struct attempt *a)
{
    struct edn log = a->done->value.items[1];
    int64_t last = a->done->value.items[0].number;
    for (uint32_t i = 0; i < log.count; i++) {
        struct edn line = log.items[i];
        s->watched++;
        if (line.items[2].number <= last)
            anomaly(s, "watch-order", "a version that is not after the one before it", a->done, NULL);
        last = MAX(last, line.items[2].number);
        note(s, line.items[0], line.items[1], line.items[2], a->done);
    }
}

/* Versions that somebody wrote or saw, between the watch's beginning and the last one that it was told. */
static void look_for_gaps(struct objects *s, const struct attempt *a)
{
    struct edn log = a->done->value.items[1];
    uint32_t at = 0;
    if (log.count == 0)
        return;
    for (size_t i = 0; i < s->order_count && s->order[i]->number <= log.items[log.count - 1].items[2].number; i++) {
        if (s->order[i]->number <= a->done->value.items[0].number)
            continue;
        while (at < log.count && log.items[at].items[2].number < s->order[i]->number)
            at++;
        if (at == log.count || log.items[at].items[2].number != s->order[i]->number) {
            anomaly(s, "watch-gap", "a version within what it was told is missing", a->done, s->order[i]->told);
            return;
        }
    }
}

static int by_name_and_number(const void *a, const void *b)
{
    const struct version *x = *(struct version *const *)a, *y = *(struct version *const *)b;
    if (x->name != y->name)
        return x->name > y->name ? 1 : -1;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
    const struct version *x = *(struct version *const *)a, *y = *(struct version *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Every version that is known of an object must be the one before the next. */
static void check_updates(struct objects *s)
{
    qsort(s->order, s->order_count, sizeof s->order[0], by_name_and_number);
    for (size_t i = 1; i < s->order_count; i++) {
        const struct version *before = s->order[i - 1], *v = s->order[i];
        if (v->name == before->name && v->from >= 0 && v->from < before->number)
            anomaly(s, "lost-update", "it replaced a version that was no longer the newest", v->told, before->told);
    }
}

static int by_name_then_begin(const void *a, const void *b)
{
    const struct attempt *x = *(const struct attempt *const *)a, *y = *(const struct attempt *const *)b;
    int64_t n = x->invoke->value.items[0].number, m = y->invoke->value.items[0].number;
    if (n != m)
        return n > m ? 1 : -1;
    return (x->invoke->index > y->invoke->index) - (x->invoke->index < y->invoke->index);
}

static int by_name_then_told(const void *a, const void *b)
{
    const struct version *x = *(struct version *const *)a, *y = *(struct version *const *)b;
    if (x->name != y->name)
        return x->name > y->name ? 1 : -1;
    return (x->told->index > y->told->index) - (x->told->index < y->told->index);
}

/* Gets in the order they began in; a second finger goes over versions in the order in which they were first told of. */
static void check_gets(struct objects *s, const struct attempt **gets, size_t count)
{
    const struct version *newest = NULL;
    qsort(gets, count, sizeof gets[0], by_name_then_begin);
    qsort(s->order, s->order_count, sizeof s->order[0], by_name_then_told);
    for (size_t i = 0, at = 0; i < count; i++) {
        int64_t name = gets[i]->invoke->value.items[0].number;
        if (newest != NULL && newest->name != name)
            newest = NULL;
        for (; at < s->order_count && (s->order[at]->name < name ||
                                       (s->order[at]->name == name && s->order[at]->told->index < gets[i]->invoke->index)); at++)
            if (s->order[at]->name == name && (newest == NULL || s->order[at]->number > newest->number))
                newest = s->order[at];
        if (newest != NULL && gets[i]->done->value.items[2].number < newest->number)
            anomaly(s, "stale-read", "an older version than one that had been told of before it began", gets[i]->done, newest->told);
    }
}

static void judge(struct objects *s, const struct attempt *attempts, size_t count)
{
    const struct attempt **gets = mem_alloc((count + 1) * sizeof(struct attempt *));
    struct map_entry *e;
    size_t get_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        if (!attempt_ok(a))
            continue;
        if (is_write(a))
            note_write(s, a);
        else if (attempt_is(a, "watch"))
            look_at_watch(s, a);
        else
            gets[get_count++] = a;
        if (attempt_is(a, "get") && a->done->value.items[2].kind == EDN_INT)
            note(s, a->done->value.items[0], a->done->value.items[1], a->done->value.items[2], a->done);
    }
    s->order = mem_alloc((s->versions.size + 1) * sizeof(struct version *));
    for (size_t i = 0; (e = map_next(&s->versions, &i)) != NULL;)
        s->order[s->order_count++] = e->value;
    qsort(s->order, s->order_count, sizeof s->order[0], by_number);
    for (size_t i = 0; i < count; i++)
        if (attempt_is(&attempts[i], "watch") && attempt_ok(&attempts[i]))
            look_for_gaps(s, &attempts[i]);
    check_updates(s);
    check_gets(s, gets, get_count);
    report_note(s->report, "%zu versions, %zu gets, %zu events", s->order_count, get_count, s->watched);
    mem_free(gets);
    mem_free(s->order);
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct objects s = {.report = r};
    bool good = true;
    (void)o;
    for (size_t i = 0; i < count && good; i++) {
        const struct attempt *a = &attempts[i];
        good = attempt_valid(a);
        if (!good)
            report_unknown(r, "operation %lld is no operation on objects", (long long)a->invoke->index);
        else if (is_write(a) && map_put(&s.values, slice_of(&a->invoke->value.items[1].number, sizeof(int64_t)), (void *)(uintptr_t)a) != NULL)
            report_unknown(r, "value %lld is written twice", (long long)a->invoke->value.items[1].number);
    }
    if (good)
        judge(&s, attempts, count);
    map_release(&s.versions);
    map_release(&s.values);
    arena_clear(&s.arena);
}

const struct check checker_api = {"api", "no lost update, no stale read, watches in the order of resourceVersion", run};
