/* Linearizability of registers with read, write and compare-and-set: values [key value], [key [old new]]; a register begins as nil.
 *
 * Registers are independent (Herlihy and Wing's locality), so each is searched alone. The search is Wing and Gong's with Lowe's
 * memory of (state, linearized set), done in his just-in-time order: breadth first over the history, an operation is given its
 * place only when another one's return asks for it ("Testing for linearizability", 2017). A configuration is the register's
 * value, which of the operations under way have taken place, and which of those with an unknown outcome have.
 *
 * Unknown outcomes stay under way for good, which is what makes histories with faults expensive. Having used fewer of them is
 * never worse, so of configurations that differ only there, those that used more are left out; that keeps as many as there are
 * values instead of one for each subset. Of those that do the same the one that began first is used first. Unknown reads say nothing and are left out altogether.
 *
 * When nothing is left at a return, that operation is what cannot be explained; it is printed with what was under way and what
 * the register could have been. More steps than the budget: unknown. */
#include "common/base.h"

#include "jepsen/check.h"

#include <stdlib.h>

#define OPEN_MAX 64            /* operations under way at once on one register */
#define LOST_WORDS 8           /* unknown outcomes on one register, in words of 64 */
#define LOST_MAX (LOST_WORDS * 64)
#define CONFIGURATIONS_MAX (1u << 20)
#define NONE INT64_MIN         /* nil */

enum register_kind { REGISTER_READ, REGISTER_WRITE, REGISTER_CAS };

struct register_op {
    const struct attempt *attempt;
    enum register_kind kind;
    int64_t value, expected; /* read: value seen; write: value; cas: expected → value */
    int64_t end;             /* index of its return; INT64_MAX: never */
    int slot;                /* bit among those under way, or among the lost ones */
    int twin;                /* of a lost one: the one before it that does the same, -1: none */
};

struct configuration {
    int64_t state;
    uint64_t done;             /* of those under way */
    uint64_t lost[LOST_WORDS]; /* of those with an unknown outcome, that took place */
};

/* Configurations, by (state, done); those of one bucket are an antichain by `lost`. */
struct configurations {
    struct configuration *items;
    uint32_t *next;   /* in the same bucket, + 1 */
    uint32_t *buckets;
    size_t count, capacity, bucket_count;
};

struct search {
    struct report *report;
    uint64_t steps, steps_max;
    struct configurations now, later;
    struct register_op *open[OPEN_MAX], *lost[LOST_MAX];
    uint64_t open_mask;
    size_t lost_count, lost_words;
    struct edn key;
    bool over;
};

/* --- sets of configurations --- */

static uint64_t bucket_hash(const struct configuration *c)
{
    uint64_t h = ((uint64_t)c->state ^ (c->done * 0x9e3779b97f4a7c15u)) * 0xbf58476d1ce4e5b9u;
    return h ^ h >> 29;
}

static void set_clear(struct configurations *s)
{
    s->count = 0;
    if (s->bucket_count != 0)
        memset(s->buckets, 0, s->bucket_count * sizeof s->buckets[0]);
}

static void set_release(struct configurations *s)
{
    mem_free(s->items);
    mem_free(s->next);
    mem_free(s->buckets);
}

static void set_link(struct configurations *s, size_t i)
{
    uint32_t *head = &s->buckets[bucket_hash(&s->items[i]) & (s->bucket_count - 1)];
    s->next[i] = *head;
    *head = (uint32_t)i + 1;
}

static void set_grow(struct configurations *s)
{
    s->capacity = MAX((size_t)64, s->capacity * 2);
    s->items = mem_realloc(s->items, s->capacity * sizeof s->items[0]);
    s->next = mem_realloc(s->next, s->capacity * sizeof s->next[0]);
    mem_free(s->buckets);
    s->bucket_count = s->capacity * 2;
    s->buckets = mem_zalloc(s->bucket_count * sizeof s->buckets[0]);
    for (size_t i = 0; i < s->count; i++)
        set_link(s, i);
}

static bool subset(const uint64_t *a, const uint64_t *b, size_t words)
{
    for (size_t i = 0; i < words; i++)
        if ((a[i] & ~b[i]) != 0)
            return false;
    return true;
}

/* Adds `c` unless one that has used no more is there. A configuration that uses more is kept where it stands: it is
 * found again by nobody, and costs only its steps. */
static bool set_add(struct configurations *s, const struct configuration *c, size_t words)
{
    if (s->bucket_count != 0)
        for (uint32_t at = s->buckets[bucket_hash(c) & (s->bucket_count - 1)]; at != 0; at = s->next[at - 1]) {
            const struct configuration *o = &s->items[at - 1];
            if (o->state == c->state && o->done == c->done && subset(o->lost, c->lost, words))
                return false;
        }
    if (s->count == s->capacity)
        set_grow(s);
    s->items[s->count] = *c;
    set_link(s, s->count++);
    return true;
}

/* --- the search --- */

static bool apply(const struct register_op *o, int64_t *state)
{
    switch (o->kind) {
    case REGISTER_READ: return *state == o->value;
    case REGISTER_WRITE: *state = o->value; return true;
    case REGISTER_CAS:
        if (*state != o->expected)
            return false;
        *state = o->value;
        return true;
    }
    return false;
}

static bool step(struct search *s)
{
    if (++s->steps > s->steps_max || s->later.count + s->now.count > CONFIGURATIONS_MAX)
        s->over = true;
    return !s->over;
}

static bool used(const struct configuration *c, int lost) { return (c->lost[lost / 64] >> lost % 64 & 1) != 0; }

/* All that can follow `c` by one operation that takes place now, into `later`. */
static void expand(struct search *s, const struct configuration *c)
{
    for (uint64_t left = s->open_mask & ~c->done; left != 0; left &= left - 1) {
        struct configuration next = *c;
        int slot = __builtin_ctzll(left);
        if (step(s) && apply(s->open[slot], &next.state)) {
            next.done |= 1ull << slot;
            set_add(&s->later, &next, s->lost_words);
        }
    }
    for (size_t i = 0; i < s->lost_count; i++) {
        struct configuration next = *c;
        int twin = s->lost[i]->twin;
        if (used(c, (int)i) || (twin >= 0 && !used(c, twin)))
            continue;
        if (step(s) && apply(s->lost[i], &next.state) && next.state != c->state) {
            next.lost[i / 64] |= 1ull << i % 64;
            set_add(&s->later, &next, s->lost_words);
        }
    }
}

/* The return of `o`: what is left are the configurations in which it has taken place. `later` grows while it is gone through:
 * first those that stand as they are, then what comes of the others. */
static void returned(struct search *s, struct register_op *o)
{
    const uint64_t bit = 1ull << o->slot;
    set_clear(&s->later);
    for (size_t i = 0; i < s->now.count; i++)
        set_add(&s->later, &s->now.items[i], s->lost_words);
    for (size_t i = 0; i < s->later.count && !s->over; i++) {
        struct configuration c = s->later.items[i]; /* the array may move */
        if ((c.done & bit) == 0)
            expand(s, &c);
    }
    struct configurations swap = s->now;
    s->now = s->later;
    s->later = swap;
    set_clear(&s->later);
    for (size_t i = 0; i < s->now.count; i++) {
        struct configuration c = s->now.items[i];
        if ((c.done & bit) != 0) {
            c.done &= ~bit;
            set_add(&s->later, &c, s->lost_words);
        }
    }
}

static void describe(struct search *s, const struct register_op *o)
{
    struct buf *out = &s->report->text;
    report_operation(s->report, "cannot be explained:", o->attempt->invoke);
    report_operation(s->report, "              answer:", o->attempt->done);
    buf_append_str(out, "    the register could be");
    for (size_t i = 0, printed = 0; i < s->now.count && printed < 8; i++) {
        if ((s->now.items[i].done & 1ull << o->slot) != 0)
            continue;
        if (s->now.items[i].state == NONE)
            buf_append_str(out, " nil");
        else
            buf_printf(out, " %lld", (long long)s->now.items[i].state);
        printed++;
    }
    buf_append_char(out, '\n');
    for (uint64_t left = s->open_mask & ~(1ull << o->slot); left != 0; left &= left - 1)
        report_operation(s->report, "under way:", s->open[__builtin_ctzll(left)]->attempt->invoke);
    for (size_t i = s->lost_count > 8 ? s->lost_count - 8 : 0; i < s->lost_count; i++)
        report_operation(s->report, "outcome unknown:", s->lost[i]->attempt->invoke);
}

static void print_before(struct search *s, struct register_op *ops, size_t count, const struct register_op *o)
{
    size_t from = (size_t)(o - ops);
    from = from > 12 ? from - 12 : 0;
    for (size_t i = from; i < count && i < from + 24; i++)
        if (ops[i].end < o->end && &ops[i] != o)
            report_operation(s->report, "before:", ops[i].attempt->done);
}

static void free_returned(struct search *s, const struct register_op *o)
{
    struct configurations swap = s->now;
    s->now = s->later;
    s->later = swap;
    s->open_mask &= ~(1ull << o->slot);
}

/* It begins: a place among those under way, or among the lost. */
static bool begun(struct search *s, struct register_op *o)
{
    if (o->end == INT64_MAX) {
        if (s->lost_count == LOST_MAX)
            return false;
        o->slot = (int)s->lost_count;
        o->twin = -1;
        for (int i = o->slot; i-- > 0 && o->twin < 0;)
            if (s->lost[i]->kind == o->kind && s->lost[i]->value == o->value && s->lost[i]->expected == o->expected)
                o->twin = i;
        s->lost[s->lost_count++] = o;
        s->lost_words = s->lost_count / 64 + 1 > LOST_WORDS ? LOST_WORDS : s->lost_count / 64 + 1;
        return true;
    }
    if (~s->open_mask == 0)
        return false;
    o->slot = __builtin_ctzll(~s->open_mask);
    s->open[o->slot] = o;
    s->open_mask |= 1ull << o->slot;
    return true;
}

static int by_end(const void *a, const void *b)
{
    const struct register_op *x = *(struct register_op *const *)a, *y = *(struct register_op *const *)b;
    return (x->end > y->end) - (x->end < y->end);
}

/* `ops`: of one register, in the order they began in. */
static void check_key(struct search *s, struct register_op *ops, size_t count)
{
    struct register_op **ends = mem_alloc((count + 1) * sizeof(struct register_op *));
    size_t begin = 0;
    for (size_t i = 0; i < count; i++)
        ends[i] = &ops[i];
    qsort(ends, count, sizeof ends[0], by_end);
    set_clear(&s->now);
    set_add(&s->now, &(struct configuration){.state = NONE}, LOST_WORDS);
    for (size_t i = 0; i < count && ends[i]->end != INT64_MAX; i++) {
        struct register_op *o = ends[i];
        for (; begin < count && ops[begin].attempt->invoke->index < o->end; begin++)
            if (!begun(s, &ops[begin])) {
                report_unknown(s->report, "more than %d operations under way, or %d of unknown outcome, on one register", OPEN_MAX, LOST_MAX);
                goto out;
            }
        returned(s, o);
        if (s->over) {
            report_unknown(s->report, "the search of one register was given up after %llu steps, at operation %lld",
                           (unsigned long long)s->steps, (long long)o->attempt->done->index);
            goto out;
        }
        if (s->later.count == 0) {
            bool print = report_wants(s->report, "nonlinearizable");
            report_anomaly(s->report, "nonlinearizable", "register %lld has no order that explains operation %lld",
                           (long long)s->key.number, (long long)o->attempt->done->index);
            if (print) {
                describe(s, o);
                print_before(s, ops, count, o);
            }
            goto out;
        }
        free_returned(s, o);
    }
out:
    mem_free(ends);
}

/* --- reading the history --- */

static bool scalar(struct edn e, int64_t *ret)
{
    *ret = e.kind == EDN_INT ? e.number : NONE;
    return e.kind == EDN_INT || e.kind == EDN_NIL;
}

static bool read_op(const struct attempt *a, struct edn *ret_key, struct register_op *ret)
{
    struct edn v = a->invoke->value, answer = attempt_ok(a) ? a->done->value : v;
    *ret = (struct register_op){.attempt = a, .end = attempt_end(a)};
    if (v.kind != EDN_VECTOR || v.count != 2 || v.items[0].kind != EDN_INT || answer.kind != EDN_VECTOR || answer.count != 2)
        return false;
    *ret_key = v.items[0];
    if (attempt_is(a, "read")) {
        ret->kind = REGISTER_READ;
        return scalar(answer.items[1], &ret->value);
    }
    struct edn what = v.items[1];
    ret->kind = attempt_is(a, "cas") ? REGISTER_CAS : REGISTER_WRITE;
    if (ret->kind == REGISTER_CAS)
        return what.kind == EDN_VECTOR && what.count == 2 && scalar(what.items[0], &ret->expected) && scalar(what.items[1], &ret->value);
    return attempt_is(a, "write") && scalar(what, &ret->value);
}

struct keyed_op {
    int64_t key;
    size_t order;
    struct register_op op;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed_op *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->order > y->order) - (x->order < y->order);
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct keyed_op *all = mem_alloc((count + 1) * sizeof all[0]);
    struct register_op *ops = mem_alloc((count + 1) * sizeof ops[0]);
    uint64_t steps = 0;
    size_t n = 0, keys = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        struct edn key;
        if (!read_op(&attempts[i], &key, &all[n].op)) {
            report_unknown(r, "operation %lld is no operation on a register", (long long)attempts[i].invoke->index);
            goto out;
        }
        if (attempt_outcome(&attempts[i]) == OPERATION_FAIL || (all[n].op.kind == REGISTER_READ && all[n].op.end == INT64_MAX))
            continue;
        all[n].key = key.number;
        all[n].order = n;
        n++;
    }
    qsort(all, n, sizeof all[0], by_key);
    for (size_t i = 0, end; i < n; i = end) {
        struct search s = {.report = r, .steps_max = o->steps_max, .key = edn_int(all[i].key), .lost_words = 1};
        for (end = i; end < n && all[end].key == all[i].key; end++)
            ops[end - i] = all[end].op;
        check_key(&s, ops, end - i);
        set_release(&s.now);
        set_release(&s.later);
        steps += s.steps;
        keys++;
        most = MAX(most, s.lost_count);
    }
    report_note(r, "%zu registers, %zu operations searched in %llu steps; at most %zu unknown outcomes on one register", keys, n,
                (unsigned long long)steps, most);
out:
    mem_free(ops);
    mem_free(all);
}

const struct check checker_register = {"register", "linearizable reads, writes and compare-and-sets, each register alone", run};
