/* Locks and elections. A holder is known by its token, the revision in which its key was made, larger than all before it.
 *   lock:      :acquire [lock nil] → [lock token ttl-ms]   :renew [lock token] → :ok: still there   :release [lock token]
 *              :write [lock token value]: to what the lock guards, which refuses (:fail) tokens older than one it has seen
 *   election:  :campaign, :renew, :resign alike; :proclaim [election token value]; :observe [election nil] → [election token value]
 *              (token nil: nobody leads)
 *
 *   two-holders    a holder may count on it from the answer until it lets go, at most its ttl after the last acknowledged renewal was
 *                  sent; two such times of one lock overlap
 *   token-order    somebody got it after another one had, with a smaller token or the same
 *   fencing        a write was accepted after one with a larger token had been
 *   forged         a write was accepted with a token that nobody had been given
 *   leader-order   an observer saw a leader after a later one had been seen */
#include "common/base.h"

#include "jepsen/check.h"

#include "common/map.h"

#include <stdlib.h>

#define NS_PER_MS 1000000

struct hold {
    const struct attempt *acquire;
    int64_t lock, token, ttl_ns, renewed_ns, let_go_ns;
};

struct words {
    const char *acquire, *release, *write, *observe; /* observe: NULL: none */
};

struct locks {
    struct report *report;
    const struct attempt *attempts;
    size_t count, hold_count, writes, refused, observed;
    const struct words *words;
    struct hold *holds;
    struct map by_token; /* {lock, token} → struct hold */
    struct map unsure;   /* locks that somebody may have got without being told */
};

static bool attempt_valid(const struct attempt *a, const struct words *w)
{
    struct edn v = a->invoke->value, answer = attempt_ok(a) ? a->done->value : v;
    if (v.kind != EDN_VECTOR || v.count < 2 || v.items[0].kind != EDN_INT || answer.kind != EDN_VECTOR)
        return false;
    if (attempt_is(a, w->acquire))
        return !attempt_ok(a) || (answer.count == 3 && answer.items[1].kind == EDN_INT && answer.items[2].kind == EDN_INT);
    if (w->observe != NULL && attempt_is(a, w->observe))
        return !attempt_ok(a) || (answer.count >= 2 && (answer.items[1].kind == EDN_INT || answer.items[1].kind == EDN_NIL));
    return v.items[1].kind == EDN_INT && (attempt_is(a, "renew") || attempt_is(a, w->release) || attempt_is(a, w->write));
}

static struct hold *hold_of(const struct locks *s, int64_t lock, int64_t token)
{
    const int64_t name[] = {lock, token};
    return map_get(&s->by_token, slice_of(name, sizeof name));
}

static void note_acquire(struct locks *s, const struct attempt *a)
{
    int64_t lock = a->invoke->value.items[0].number;
    if (attempt_outcome(a) == OPERATION_INFO)
        map_put(&s->unsure, slice_of(&lock, sizeof lock), s);
    if (!attempt_ok(a))
        return;
    struct hold *h = &s->holds[s->hold_count++];
    *h = (struct hold){.acquire = a, .lock = lock, .token = a->done->value.items[1].number,
                       .ttl_ns = a->done->value.items[2].number * NS_PER_MS, .renewed_ns = a->invoke->time_ns, .let_go_ns = INT64_MAX};
    const int64_t name[] = {h->lock, h->token};
    struct hold *other = map_put(&s->by_token, slice_of(name, sizeof name), h);
    if (other != NULL) {
        report_anomaly(s->report, "token-order", "lock %lld: token %lld was given twice", (long long)lock, (long long)h->token);
        report_operation(s->report, "", other->acquire->done);
        report_operation(s->report, "", a->done);
    }
}

static void note_others(struct locks *s, const struct attempt *a)
{
    struct hold *h = hold_of(s, a->invoke->value.items[0].number, a->invoke->value.items[1].number);
    if (h == NULL)
        return;
    if (attempt_is(a, "renew") && attempt_ok(a))
        h->renewed_ns = MAX(h->renewed_ns, a->invoke->time_ns);
    else if (attempt_is(a, s->words->release))
        h->let_go_ns = MIN(h->let_go_ns, a->invoke->time_ns);
}

static void two(struct locks *s, const char *name, const struct operation *first, const struct operation *second, const char *what)
{
    bool print = report_wants(s->report, name);
    report_anomaly(s->report, name, "%s", what);
    if (print) {
        report_operation(s->report, "", first);
        report_operation(s->report, "", second);
    }
}

static int by_lock_and_begin(const void *a, const void *b)
{
    const struct hold *x = a, *y = b;
    if (x->lock != y->lock)
        return x->lock > y->lock ? 1 : -1;
    return (x->acquire->done->index > y->acquire->done->index) - (x->acquire->done->index < y->acquire->done->index);
}

static int64_t sure_until(const struct hold *h) { return MIN(h->let_go_ns, h->renewed_ns + h->ttl_ns); }

/* Holds of one lock in the order in which they were told. */
static void check_holds(struct locks *s)
{
    const struct hold *longest = NULL;
    for (size_t i = 0; i < s->hold_count; i++) {
        const struct hold *h = &s->holds[i];
        if (longest != NULL && longest->lock != h->lock)
            longest = NULL;
        if (longest != NULL && h->acquire->done->time_ns < sure_until(longest) && h->acquire->done->time_ns < sure_until(h))
            two(s, "two-holders", longest->acquire->done, h->acquire->done, "both count on it at once");
        for (size_t j = i; j > 0 && s->holds[j - 1].lock == h->lock; j--)
            if (s->holds[j - 1].acquire->done->index < h->acquire->invoke->index) {
                if (s->holds[j - 1].token >= h->token)
                    two(s, "token-order", s->holds[j - 1].acquire->done, h->acquire->done, "a later holder has no larger token");
                break;
            }
        if (longest == NULL || sure_until(h) > sure_until(longest))
            longest = h;
    }
}

struct use {
    const struct attempt *attempt;
    int64_t lock, token;
};

static int by_lock_and_invoke(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    if (x->lock != y->lock)
        return x->lock > y->lock ? 1 : -1;
    return (x->attempt->invoke->index > y->attempt->invoke->index) - (x->attempt->invoke->index < y->attempt->invoke->index);
}

static int by_lock_and_done(const void *a, const void *b)
{
    const struct use *x = *(const struct use *const *)a, *y = *(const struct use *const *)b;
    if (x->lock != y->lock)
        return x->lock > y->lock ? 1 : -1;
    return (x->attempt->done->index > y->attempt->done->index) - (x->attempt->done->index < y->attempt->done->index);
}

/* Whatever ended before one begins has no larger token: a sweep over beginnings, with a second finger on ends. */
static void check_order(struct locks *s, struct use *uses, size_t count, const char *name, const char *what)
{
    struct use **ends = mem_alloc((count + 1) * sizeof(struct use *));
    const struct use *highest = NULL;
    qsort(uses, count, sizeof uses[0], by_lock_and_invoke);
    for (size_t i = 0; i < count; i++)
        ends[i] = &uses[i];
    qsort(ends, count, sizeof ends[0], by_lock_and_done);
    for (size_t i = 0, end = 0; i < count; i++) {
        if (i > 0 && uses[i - 1].lock != uses[i].lock) {
            highest = NULL;
            end = i; /* both are sorted by lock first */
        }
        for (; end < count && ends[end]->lock == uses[i].lock && ends[end]->attempt->done->index < uses[i].attempt->invoke->index; end++)
            if (highest == NULL || ends[end]->token > highest->token)
                highest = ends[end];
        if (highest != NULL && highest->token > uses[i].token)
            two(s, name, highest->attempt->done, uses[i].attempt->done, what);
    }
    mem_free(ends);
}

static void check_uses(struct locks *s, const char *f, const char *name, const char *what, size_t *ret_count)
{
    struct use *uses = mem_alloc((s->count + 1) * sizeof uses[0]);
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct attempt *a = &s->attempts[i];
        if (attempt_is(a, f) && attempt_ok(a) && a->done->value.items[1].kind == EDN_INT)
            uses[n++] = (struct use){a, a->invoke->value.items[0].number, a->done->value.items[1].number};
    }
    check_order(s, uses, n, name, what);
    *ret_count = n;
    mem_free(uses);
}

static void check_forged(struct locks *s, const struct attempt *a)
{
    struct edn v = a->invoke->value;
    if (!attempt_is(a, s->words->write))
        return;
    s->refused += attempt_outcome(a) == OPERATION_FAIL;
    if (attempt_ok(a) && hold_of(s, v.items[0].number, v.items[1].number) == NULL &&
        map_get(&s->unsure, slice_of(&v.items[0].number, sizeof(int64_t))) == NULL)
        two(s, "forged", a->invoke, a->done, "accepted with a token that nobody was given");
}

static void run(const struct attempt *attempts, size_t count, const struct words *words, struct report *r)
{
    struct locks s = {.report = r, .attempts = attempts, .count = count, .words = words};
    for (size_t i = 0; i < count; i++)
        if (!attempt_valid(&attempts[i], words)) {
            report_unknown(r, "operation %lld is none of this workload", (long long)attempts[i].invoke->index);
            return;
        }
    s.holds = mem_alloc((count + 1) * sizeof s.holds[0]);
    for (size_t i = 0; i < count; i++)
        if (attempt_is(&attempts[i], words->acquire))
            note_acquire(&s, &attempts[i]);
    for (size_t i = 0; i < count; i++)
        if (!attempt_is(&attempts[i], words->acquire))
            note_others(&s, &attempts[i]);
    for (size_t i = 0; i < count; i++)
        check_forged(&s, &attempts[i]);
    qsort(s.holds, s.hold_count, sizeof s.holds[0], by_lock_and_begin); /* by_token is of no use any more */
    check_holds(&s);
    check_uses(&s, words->write, "fencing", "accepted after one with a larger token", &s.writes);
    if (words->observe != NULL)
        check_uses(&s, words->observe, "leader-order", "a leader seen after a later one", &s.observed);
    report_note(r, "%zu times held, %zu guarded writes, %zu refused, %zu times observed", s.hold_count, s.writes, s.refused, s.observed);
    if (s.hold_count == 0)
        report_unknown(r, "nobody ever held anything");
    map_release(&s.by_token);
    map_release(&s.unsure);
    mem_free(s.holds);
}

static void run_lock(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    static const struct words words = {"acquire", "release", "write", NULL};
    (void)o;
    run(attempts, count, &words, r);
}

static void run_election(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    static const struct words words = {"campaign", "resign", "proclaim", "observe"};
    (void)o;
    run(attempts, count, &words, r);
}

const struct check checker_lock = {"lock", "mutual exclusion of locks, fenced by tokens", run_lock};
const struct check checker_election = {"election", "one leader at a time, fenced by tokens, observed in order", run_election};
