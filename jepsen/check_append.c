/* Strict serializability of transactions that append to lists and read them, by cycles of dependencies (Elle's list-append):
 * :txn with [[:append k v] [:r k nil] …], answered with what was read. Every value is appended to a key once.
 *
 * A list tells the order of its writes: values in the longest list that was read of a key stand in their order, and what was
 * acknowledged and is not in it comes after it, because lists only grow. From that: WW between neighbours, WR from the last value
 * that was read, RW from a reader to what follows; RT from each acknowledged transaction to those that began later, through one
 * helper node for each end of one.
 * What needs no cycle: internal (a transaction does not see its own appends), G1a (a value of a failed one was read), G1b (what was
 * between two appends of one), garbage (a value nobody wrote), duplicate-elements, incompatible-order (two reads, neither a
 * beginning of the other). A cycle through real time only by RW ("G-single-realtime") is a lost or stale append. */
#include "common/base.h"

#include "jepsen/check.h"
#include "jepsen/cycles.h"

#include "common/map.h"

#include <stdlib.h>

#define DEPENDENCIES_MAX (1u << 28)

struct txn {
    const struct attempt *attempt;
    struct edn steps; /* as answered; as asked for where that is unknown */
    enum operation_type outcome;
};

struct writer {
    uint32_t txn;
    bool last;       /* of its transaction to this key */
    bool seen;       /* in the longest list */
    int64_t key, value;
    const struct writer *unread; /* of the same key: another one that was acknowledged and never read */
};

struct list_key {
    int64_t key;
    struct edn longest;
    uint32_t reader;             /* the transaction that read it */
    const struct writer *unread; /* acknowledged and never read: they stand behind the longest list */
};

struct appends {
    struct report *report;
    struct txn *txns;
    size_t count;
    struct map writers; /* {key, value} → struct writer */
    struct map keys;    /* key → struct list_key */
    struct arena arena;
    struct graph graph;
};

/* --- reading --- */

static bool is_append(struct edn step) { return edn_is_keyword(step.items[0], "append"); }

static bool step_valid(struct edn step, bool answered)
{
    if (step.kind != EDN_VECTOR || step.count != 3 || step.items[1].kind != EDN_INT)
        return false;
    if (is_append(step))
        return step.items[2].kind == EDN_INT;
    if (!edn_is_keyword(step.items[0], "r"))
        return false;
    if (step.items[2].kind == EDN_NIL || !answered)
        return true;
    for (uint32_t i = 0; step.items[2].kind == EDN_VECTOR && i < step.items[2].count; i++)
        if (step.items[2].items[i].kind != EDN_INT)
            return false;
    return step.items[2].kind == EDN_VECTOR;
}

static bool txn_read(struct txn *t)
{
    t->outcome = attempt_outcome(t->attempt);
    t->steps = t->outcome == OPERATION_OK ? t->attempt->done->value : t->attempt->invoke->value;
    if (!attempt_is(t->attempt, "txn") || t->steps.kind != EDN_VECTOR)
        return false;
    for (uint32_t i = 0; i < t->steps.count; i++)
        if (!step_valid(t->steps.items[i], t->outcome == OPERATION_OK))
            return false;
    return true;
}

static struct writer *writer_of(struct appends *a, int64_t key, int64_t value)
{
    const int64_t name[] = {key, value};
    return map_get(&a->writers, slice_of(name, sizeof name));
}

static struct list_key *key_of(struct appends *a, int64_t key)
{
    struct list_key *k = map_get(&a->keys, slice_of(&key, sizeof key));
    if (k == NULL) {
        k = arena_alloc(&a->arena, sizeof *k);
        k->key = key;
        map_put(&a->keys, slice_of(&key, sizeof key), k);
    }
    return k;
}

static bool appended_later(const struct txn *t, uint32_t from)
{
    for (uint32_t i = from + 1; i < t->steps.count; i++)
        if (is_append(t->steps.items[i]) && t->steps.items[i].items[1].number == t->steps.items[from].items[1].number)
            return true;
    return false;
}

static bool note_writers(struct appends *a, uint32_t number)
{
    const struct txn *t = &a->txns[number];
    for (uint32_t i = 0; i < t->steps.count; i++) {
        struct edn step = t->steps.items[i];
        if (!is_append(step))
            continue;
        const int64_t name[] = {step.items[1].number, step.items[2].number};
        struct writer *w = arena_alloc(&a->arena, sizeof *w);
        *w = (struct writer){.txn = number, .last = !appended_later(t, i), .key = name[0], .value = name[1]};
        if (map_put(&a->writers, slice_of(name, sizeof name), w) != NULL) {
            report_unknown(a->report, "%lld is appended to key %lld twice: the order cannot be told", (long long)name[1], (long long)name[0]);
            return false;
        }
        key_of(a, name[0]);
    }
    return true;
}

/* --- what needs no cycle --- */

static void anomaly(struct appends *a, const char *name, uint32_t txn, const char *what, int64_t key, int64_t value)
{
    bool print = report_wants(a->report, name);
    report_anomaly(a->report, name, "key %lld, value %lld: %s", (long long)key, (long long)value, what);
    if (print)
        report_operation(a->report, "", a->txns[txn].attempt->done);
}

static bool is_prefix(struct edn shorter, struct edn longer)
{
    for (uint32_t i = 0; i < shorter.count; i++)
        if (shorter.items[i].number != longer.items[i].number)
            return false;
    return true;
}

/* The list that a read must give by what its own transaction has read and appended before; false: it had not touched the key.
 * The end of `list` must be the appends since the last read, and what is before them that read's list. */
static bool internal_agrees(const struct txn *t, uint32_t at, struct edn list, bool *ret_touched)
{
    int64_t key = t->steps.items[at].items[1].number;
    size_t end = list.count;
    *ret_touched = false;
    for (uint32_t i = at; i-- > 0;) {
        struct edn step = t->steps.items[i];
        if (step.items[1].number != key)
            continue;
        *ret_touched = true;
        if (!is_append(step))
            return step.items[2].count == end && is_prefix(step.items[2], list);
        if (end == 0 || list.items[--end].number != step.items[2].number)
            return false;
    }
    return true;
}

static void look_at_read(struct appends *a, uint32_t number, uint32_t at)
{
    const struct txn *t = &a->txns[number];
    struct edn list = t->steps.items[at].items[2];
    int64_t key = t->steps.items[at].items[1].number, last = list.count == 0 ? 0 : list.items[list.count - 1].number;
    struct list_key *k = key_of(a, key);
    bool touched;
    if (!internal_agrees(t, at, list, &touched))
        anomaly(a, "internal", number, "it does not see what it read or appended before", key, last);
    if (!is_prefix(list.count <= k->longest.count ? list : k->longest, list.count <= k->longest.count ? k->longest : list)) {
        anomaly(a, "incompatible-order", number, "neither of two reads is the beginning of the other; the other one is", key, last);
        if (report_count(a->report, "incompatible-order") <= REPORT_EXAMPLES_MAX)
            report_operation(a->report, "", a->txns[k->reader].attempt->done);
    }
    if (list.count > k->longest.count) {
        k->longest = list;
        k->reader = number;
    }
    const struct writer *w = list.count == 0 || touched ? NULL : writer_of(a, key, last);
    if (w != NULL && !w->last && w->txn != number)
        anomaly(a, "G1b", number, "it sees what was between two appends of one transaction", key, last);
}

static void look_at_order(struct appends *a, struct list_key *k)
{
    for (uint32_t i = 0; i < k->longest.count; i++) {
        int64_t value = k->longest.items[i].number;
        struct writer *w = writer_of(a, k->key, value);
        if (w == NULL)
            anomaly(a, "garbage", k->reader, "nobody appended it", k->key, value);
        else if (w->seen)
            anomaly(a, "duplicate-elements", k->reader, "it is there twice", k->key, value);
        else if (a->txns[w->txn].outcome == OPERATION_FAIL)
            anomaly(a, "G1a", k->reader, "the transaction that appended it failed", k->key, value);
        if (w != NULL)
            w->seen = true;
    }
}

/* --- dependencies --- */

static void depend(struct appends *a, uint32_t from, uint32_t to, enum edge_kind kind, int64_t key, int64_t value)
{
    graph_edge(&a->graph, (struct edge){.from = from, .to = to, .kind = kind, .key = key, .value = value});
}

static void order_writes(struct appends *a, struct list_key *k)
{
    const struct writer *before = NULL;
    for (uint32_t i = 0; i < k->longest.count; i++) {
        const struct writer *w = writer_of(a, k->key, k->longest.items[i].number);
        if (w == NULL)
            continue;
        if (before != NULL)
            depend(a, before->txn, w->txn, EDGE_WW, k->key, w->value);
        before = w;
    }
    for (const struct writer *w = k->unread; w != NULL && before != NULL; w = w->unread)
        depend(a, before->txn, w->txn, EDGE_WW, k->key, w->value);
}

static void note_unread(struct appends *a)
{
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&a->writers, &i)) != NULL;) {
        struct writer *w = e->value;
        struct list_key *k = key_of(a, w->key);
        if (w->seen || a->txns[w->txn].outcome != OPERATION_OK)
            continue;
        w->unread = k->unread;
        k->unread = w;
    }
}

static void order_reads(struct appends *a, uint32_t number)
{
    const struct txn *t = &a->txns[number];
    for (uint32_t i = 0; i < t->steps.count; i++) {
        struct edn step = t->steps.items[i], list = step.items[2];
        int64_t key = step.items[1].number;
        bool touched;
        if (is_append(step) || (internal_agrees(t, i, list, &touched), touched))
            continue;
        const struct list_key *k = key_of(a, key);
        const struct writer *w = list.count == 0 ? NULL : writer_of(a, key, list.items[list.count - 1].number);
        if (w != NULL)
            depend(a, w->txn, number, EDGE_WR, key, w->value);
        if (list.count < k->longest.count) {
            w = writer_of(a, key, k->longest.items[list.count].number);
            if (w != NULL)
                depend(a, number, w->txn, EDGE_RW, key, w->value);
            continue;
        }
        for (w = k->unread; w != NULL && a->graph.edge_count < DEPENDENCIES_MAX; w = w->unread)
            depend(a, number, w->txn, EDGE_RW, key, w->value);
    }
}

static int by_index(const void *x, const void *y)
{
    int64_t a = (*(const struct operation *const *)x)->index, b = (*(const struct operation *const *)y)->index;
    return (a > b) - (a < b);
}

struct moment {
    const struct operation *operation; /* first: sorted by it */
    uint32_t txn;
};

static void order_time(struct appends *a)
{
    struct moment *moments = mem_alloc((2 * a->count + 1) * sizeof moments[0]);
    size_t n = 0;
    uint32_t last = 0;
    bool any = false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->txns[i].outcome == OPERATION_FAIL)
            continue;
        moments[n++] = (struct moment){a->txns[i].attempt->invoke, i};
        if (a->txns[i].outcome == OPERATION_OK)
            moments[n++] = (struct moment){a->txns[i].attempt->done, i};
    }
    qsort(moments, n, sizeof moments[0], by_index);
    for (size_t i = 0; i < n; i++) {
        const struct moment *m = &moments[i];
        if (m->operation->type == OPERATION_INVOKE) {
            if (any)
                depend(a, last, m->txn, EDGE_RT, 0, 0);
            continue;
        }
        uint32_t end = graph_node(&a->graph);
        if (any)
            depend(a, last, end, EDGE_RT, 0, 0);
        depend(a, m->txn, end, EDGE_RT, 0, 0);
        last = end;
        any = true;
    }
    mem_free(moments);
}

/* --- printing a cycle --- */

static const struct operation *told(const struct txn *t) { return t->outcome == OPERATION_OK ? t->attempt->done : t->attempt->invoke; }

static void print_edge(struct buf *out, const struct edge *e, uint32_t from, uint32_t to)
{
    switch (e->kind) {
    case EDGE_WW:
        buf_printf(out, "    T%u -ww-> T%u: to key %lld, %lld was appended later\n", from, to, (long long)e->key, (long long)e->value);
        break;
    case EDGE_WR: buf_printf(out, "    T%u -wr-> T%u: of key %lld, %lld was read\n", from, to, (long long)e->key, (long long)e->value); break;
    case EDGE_RW:
        buf_printf(out, "    T%u -rw-> T%u: of key %lld, the append of %lld was not seen\n", from, to, (long long)e->key, (long long)e->value);
        break;
    case EDGE_RT: buf_printf(out, "    T%u -rt-> T%u: ended before it began\n", from, to); break;
    }
}

static void found_cycle(void *arg, const char *name, const struct edge *edges, size_t count)
{
    struct appends *a = arg;
    bool print = report_wants(a->report, name);
    size_t txns = 0, start = 0;
    for (size_t i = 0; i < count; i++)
        txns += edges[i].from < a->count;
    report_anomaly(a->report, name, "a cycle of %zu transactions", txns);
    if (!print)
        return;
    while (start < count && edges[start].from >= a->count) /* helper nodes are inside an edge, never its beginning */
        start++;
    for (size_t i = 0; i < count && start < count; i++) {
        const struct edge *first = &edges[(start + i) % count], *last = first;
        char role[24];
        struct buf name_of = {0};
        if (first->from >= a->count)
            continue;
        for (size_t n = start + i + 1; last->to >= a->count; n++)
            last = &edges[n % count];
        buf_printf(&name_of, "T%u:", first->from);
        size_t size = MIN(name_of.size, sizeof role - 1);
        memcpy(role, name_of.data, size);
        role[size] = '\0';
        buf_release(&name_of);
        report_operation(a->report, role, told(&a->txns[first->from]));
        print_edge(&a->report->text, first, first->from, last->to);
    }
}

static void judge(struct appends *a, const struct check_options *o)
{
    struct map_entry *e;
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t s = 0; a->txns[i].outcome == OPERATION_OK && s < a->txns[i].steps.count; s++)
            if (!is_append(a->txns[i].steps.items[s]))
                look_at_read(a, i, s);
    for (size_t i = 0; (e = map_next(&a->keys, &i)) != NULL;)
        look_at_order(a, e->value);
    a->graph.node_count = (uint32_t)a->count;
    note_unread(a);
    for (size_t i = 0; (e = map_next(&a->keys, &i)) != NULL;)
        order_writes(a, e->value);
    for (uint32_t i = 0; i < a->count; i++)
        if (a->txns[i].outcome == OPERATION_OK)
            order_reads(a, i);
    order_time(a);
    report_note(a->report, "%zu transactions, %zu keys, %zu appends, %zu dependencies", a->count, a->keys.size, a->writers.size,
                a->graph.edge_count);
    if (a->graph.edge_count >= DEPENDENCIES_MAX)
        report_unknown(a->report, "more than %u dependencies", DEPENDENCIES_MAX);
    else if (!graph_cycles(&a->graph, o->steps_max, found_cycle, a))
        report_unknown(a->report, "the search for cycles was given up: more than %llu steps", (unsigned long long)o->steps_max);
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct appends a = {.report = r, .count = count};
    bool good = true;
    a.txns = mem_zalloc((count + 1) * sizeof a.txns[0]);
    for (size_t i = 0; i < count && good; i++) {
        a.txns[i].attempt = &attempts[i];
        good = txn_read(&a.txns[i]);
        if (!good)
            report_unknown(r, "operation %lld is no transaction of appends and reads", (long long)attempts[i].invoke->index);
        else
            good = note_writers(&a, (uint32_t)i);
    }
    if (good)
        judge(&a, o);
    graph_release(&a.graph);
    map_release(&a.writers);
    map_release(&a.keys);
    arena_clear(&a.arena);
    mem_free(a.txns);
}

const struct check checker_append = {"append", "strict serializability of list appends and reads, by cycles of dependencies", run};
