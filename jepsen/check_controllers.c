/* A Deployment that is scaled and rolled out by one process while its pods are deleted. Operations:
 *   :scale n        :rollout round, which rises           :delete nil → "pod"        :ready nil → "pod", in a node's place
 *   :pods nil → [there orphans agreed]     pods that are not going; those without an owner that is there; how many all ReplicaSets
 *                                          together want and say they have, nil when they do not say the same
 *   :converge nil → [wanted round there updated old-sets strange-sets settled?], looked at for a minute after everything was healed:
 *                   what the Deployment says, its pods, those of its template, ReplicaSets of older templates, those that it does not own
 *
 *   surge           more pods than may be: than the largest number that was asked for since it was last seen settled, and `surge`
 *   orphan          a pod, or at the end a ReplicaSet, without an owner that is there
 *   not-converged   a minute after everything was healed: not the number that is wanted, or not all of the newest template
 *   lost-change     the Deployment does not want what was acknowledged last
 *   history         more old ReplicaSets than revisionHistoryLimit after everything came to rest
 * Settled: a look that saw exactly the number acknowledged last, also in what the ReplicaSets want and have, with no other number asked
 * for since then. After a scale whose outcome is unknown nothing counts as settled any more. Without a look at the end: unknown.
 * Not judged: how many are available during a rollout. What the controllers may take away they decide by what they have seen, and the
 * deleters take pods away at the same time: no number of available pods would prove a mistake. */
#include "common/base.h"

#include "jepsen/check.h"

struct scale_state {
    int64_t most;               /* what may be in force at most */
    const struct attempt *last; /* the newest one that did not fail */
    bool unsure;                /* one with an unknown outcome: it may come into force at any time */
};

#define HISTORY 2 /* revisionHistoryLimit of the Deployment */

/* The fields of :converge. */
enum { END_WANTED, END_ROUND, END_THERE, END_UPDATED, END_OLD_SETS, END_STRANGE_SETS, END_SETTLED, END_FIELDS };

static bool is_ints(struct edn v, uint32_t ints, uint32_t count)
{
    for (uint32_t i = 0; v.kind == EDN_VECTOR && v.count == count && i < ints; i++)
        if (v.items[i].kind != EDN_INT)
            return false;
    return v.kind == EDN_VECTOR && v.count == count;
}

static bool attempt_valid(const struct attempt *a)
{
    if (attempt_is(a, "scale") || attempt_is(a, "rollout"))
        return a->invoke->value.kind == EDN_INT;
    if (attempt_is(a, "pods"))
        return !attempt_ok(a) || is_ints(a->done->value, 2, 3);
    if (attempt_is(a, "converge"))
        return !attempt_ok(a) || (is_ints(a->done->value, END_SETTLED, END_FIELDS) && a->done->value.items[END_SETTLED].kind == EDN_BOOL);
    return attempt_is(a, "delete") || attempt_is(a, "ready");
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
    struct edn agreed = a->done->value.items[2];
    if (alone && pods == s->last->invoke->value.number && agreed.kind == EDN_INT && agreed.number == pods)
        s->most = pods;
}

/* Is it what the last acknowledged change asked for, or one after it whose outcome nobody knows? (A change with an unknown outcome
 * may come into force after others that were acknowledged.) */
static bool may_want(const struct attempt *attempts, size_t count, const char *f, int64_t is)
{
    bool may = false, any = false;
    for (size_t i = 0; i < count; i++) {
        if (!attempt_is(&attempts[i], f) || attempt_outcome(&attempts[i]) == OPERATION_FAIL)
            continue;
        bool same = attempts[i].invoke->value.number == is, known = attempt_ok(&attempts[i]);
        may = known ? same || (may && any) : may || same;
        any = any || (!known && same);
    }
    return may;
}

static void look_at_end(const struct attempt *attempts, size_t count, const struct attempt *a, struct report *r)
{
    const struct edn *end = a->done->value.items;
    int64_t wanted = end[END_WANTED].number;
    bool rolled_out = false;
    for (size_t i = 0; i < count; i++)
        rolled_out = rolled_out || (attempt_is(&attempts[i], "rollout") && attempt_outcome(&attempts[i]) != OPERATION_FAIL);
    if (!may_want(attempts, count, "scale", wanted) || (rolled_out && !may_want(attempts, count, "rollout", end[END_ROUND].number)))
        anomaly(r, "lost-change", a, "not what was acknowledged last: replicas", wanted);
    if (end[END_THERE].number != wanted || end[END_UPDATED].number != wanted || end[END_SETTLED].number == 0)
        anomaly(r, "not-converged", a, "a minute later it is not", wanted);
    if (end[END_STRANGE_SETS].number > 0)
        anomaly(r, "orphan", a, "ReplicaSets that it does not own:", end[END_STRANGE_SETS].number);
    if (end[END_OLD_SETS].number > HISTORY)
        anomaly(r, "history", a, "more old ReplicaSets than", HISTORY);
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct scale_state s = {0};
    size_t looks = 0, scales = 0, rollouts = 0, deletes = 0, ends = 0;
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        if (!attempt_valid(a)) {
            report_unknown(r, "operation %lld is none of this workload", (long long)a->invoke->index);
            return;
        }
        if (attempt_is(a, "scale") && attempt_outcome(a) != OPERATION_FAIL)
            note_scale(&s, a);
        scales += attempt_is(a, "scale") && attempt_ok(a);
        rollouts += attempt_is(a, "rollout") && attempt_ok(a);
        deletes += attempt_is(a, "delete") && attempt_ok(a);
        if (!attempt_ok(a))
            continue;
        if (attempt_is(a, "pods")) {
            looks++;
            look_at(attempts, count, &s, a, o->surge, r);
        } else if (attempt_is(a, "converge")) {
            ends++;
            look_at_end(attempts, count, a, r);
        }
    }
    report_note(r, "%zu times scaled, %zu rolled out, %zu pods deleted, %zu looks", scales, rollouts, deletes, looks);
    if (ends == 0)
        report_unknown(r, "nobody looked at the end whether it had converged");
}

const struct check checker_controllers = {"controllers", "a Deployment converges to its newest template, without too many pods and without orphans", run};
