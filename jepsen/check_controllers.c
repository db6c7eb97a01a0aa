/* A Deployment that is scaled while its pods are deleted. Operations:
 *   :scale n        :delete nil → "name of a pod"        :pods nil → [pods-that-are-not-going  those-without-an-owner]
 *   :converge nil → [wanted there], looked at for a minute after everything was healed
 *
 *   surge           more pods than may be: than the largest number that was asked for since it was last seen settled, and `surge`
 *   orphan          a pod without an owner that is there
 *   not-converged   not what is wanted, a minute after everything was healed
 * Settled: a look that saw exactly the number acknowledged last, with no other number asked for since then. After a scale whose
 * outcome is unknown nothing counts as settled any more. Without a look at the end: unknown. */
#include "common/base.h"

#include "jepsen/check.h"

struct scale_state {
    int64_t most;               /* what may be in force at most */
    const struct attempt *last; /* the newest one that did not fail */
    bool unsure;                /* one with an unknown outcome: it may come into force at any time */
};

static bool is_pair(struct edn v) { return v.kind == EDN_VECTOR && v.count == 2 && v.items[0].kind == EDN_INT && v.items[1].kind == EDN_INT; }

static bool attempt_valid(const struct attempt *a)
{
    if (attempt_is(a, "scale"))
        return a->invoke->value.kind == EDN_INT;
    if (attempt_is(a, "pods") || attempt_is(a, "converge"))
        return !attempt_ok(a) || is_pair(a->done->value);
    return attempt_is(a, "delete");
}

static void anomaly(struct report *r, const char *name, const struct attempt *a, const char *what, int64_t number)
{
    bool print = report_wants(r, name);
    report_anomaly(r, name, "%s %lld", what, (long long)number);
    if (print)
        report_operation(r, "", a->done);
}

/* The largest number that may be in force during a look: every scale that had begun before it ended, from the last settled one on. */
static int64_t most_during(const struct attempt *attempts, size_t count, const struct scale_state *s, const struct attempt *look)
{
    int64_t most = s->most;
    for (const struct attempt *a = look + 1; a < attempts + count && a->invoke->index < look->done->index; a++)
        if (attempt_is(a, "scale"))
            most = MAX(most, a->invoke->value.number);
    return most;
}

static void note_scale(struct scale_state *s, const struct attempt *a)
{
    s->last = a;
    s->unsure |= attempt_outcome(a) == OPERATION_INFO;
    s->most = MAX(s->most, a->invoke->value.number);
}

static void look_at(const struct attempt *attempts, size_t count, struct scale_state *s, const struct attempt *a, int64_t surge, struct report *r)
{
    int64_t pods = a->done->value.items[0].number, most = most_during(attempts, count, s, a);
    if (a->done->value.items[1].number > 0)
        anomaly(r, "orphan", a, "pods without an owner:", a->done->value.items[1].number);
    if (pods > most + surge)
        anomaly(r, "surge", a, "more pods than", most + surge);
    bool alone = !s->unsure && most == s->most && s->last != NULL && attempt_ok(s->last) && s->last->done->index < a->invoke->index;
    if (alone && pods == s->last->invoke->value.number)
        s->most = pods;
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct scale_state s = {0};
    size_t looks = 0, scales = 0, deletes = 0, ends = 0;
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        if (!attempt_valid(a)) {
            report_unknown(r, "operation %lld is none of this workload", (long long)a->invoke->index);
            return;
        }
        if (attempt_is(a, "scale") && attempt_outcome(a) != OPERATION_FAIL)
            note_scale(&s, a);
        scales += attempt_is(a, "scale") && attempt_ok(a);
        deletes += attempt_is(a, "delete") && attempt_ok(a);
        if (!attempt_ok(a))
            continue;
        if (attempt_is(a, "pods")) {
            looks++;
            look_at(attempts, count, &s, a, o->surge, r);
        } else if (attempt_is(a, "converge")) {
            ends++;
            if (a->done->value.items[0].number != a->done->value.items[1].number)
                anomaly(r, "not-converged", a, "a minute later it is not", a->done->value.items[0].number);
        }
    }
    report_note(r, "%zu times scaled, %zu pods deleted, %zu looks", scales, deletes, looks);
    if (ends == 0)
        report_unknown(r, "nobody looked at the end whether it had converged");
}

const struct check checker_controllers = {"controllers", "a Deployment converges, without too many pods and without orphans", run};
