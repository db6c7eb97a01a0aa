/* Rights that are granted and revoked (workload rbac). Operations; `as` is a user (0: the administrator), `via` an apiserver:
 *   :make [right who]                                      it is there, and not granted yet
 *   :grant [right who], :revoke [right who]                one after the other; one with an unknown outcome is the last
 *   :write [right as via value], :read [right as via nil] → [right as via [value …]], :escalate [right as via nil]
 *   :look [right as via nil] → [right as via [value …]]    by the administrator
 *   :ask [right as via nil] → [right as via granted?]      at the end, three seconds after everything was healed
 * A refusal for want of rights is a :fail whose :error begins with "denied".
 *
 * An apiserver knows of grants and revocations with a delay that nothing bounds while it is cut off, but in their order: what it
 * answers must fit one way through the right's phases (revoked, granted, revoked, …) that does not go back and is not ahead of
 * what somebody has asked for. The earliest such way is looked for, which finds one when there is any.
 *
 *   executed, leaked   a write, a read passed that was never granted; or not again after that apiserver had refused it
 *   refused-again      refused by an apiserver that had let it pass before, and nobody has revoked since
 *   denied-executed    a value of a write that was refused is seen, by anybody, at whatever time
 *   garbage            a value that nobody wrote
 *   granted-late, revoked-late   at the end, an apiserver does not go by what was acknowledged last
 * Unknown: nobody asked at the end; a refused write, and nobody has looked at that object since. */
#include "common/base.h"

#include "jepsen/check.h"

#include "common/map.h"

#include <stdlib.h>

#define VIA_MAX 16
#define RIGHTS_MAX 65536

struct right {
    const struct attempt **changes; /* grant, revoke, grant, …: none that failed */
    size_t change_count;
    size_t floor[VIA_MAX]; /* the phase that each apiserver has come to at least; 0: not granted, 1: after the first change … */
    int64_t last_look;     /* index at which the newest answered look or read began; -1 */
};

struct event {
    int64_t index;
    const struct attempt *attempt;
    size_t number;
    bool end;
};

struct rbac {
    struct report *report;
    struct right *rights;
    struct map values; /* → attempt */
    size_t right_count, changes, passed, denied, asked;
};

static bool small(struct edn v, int64_t bound) { return v.kind == EDN_INT && v.number >= 0 && v.number < bound; }

static bool is_change(const struct attempt *a) { return attempt_is(a, "grant") || attempt_is(a, "revoke"); }
static bool tells_values(const struct attempt *a) { return attempt_is(a, "read") || attempt_is(a, "look"); }

static bool attempt_valid(const struct attempt *a)
{
    struct edn v = a->invoke->value, r = attempt_ok(a) ? a->done->value : v;
    if (v.kind != EDN_VECTOR || v.count < 2 || !small(v.items[0], RIGHTS_MAX) || !small(v.items[1], INT64_MAX))
        return false;
    if (is_change(a) || attempt_is(a, "make"))
        return v.count == 2;
    if (v.count != 4 || !small(v.items[2], VIA_MAX) || r.kind != EDN_VECTOR || r.count != 4)
        return false;
    if (attempt_is(a, "write"))
        return small(v.items[3], INT64_MAX);
    if (attempt_is(a, "ask"))
        return !attempt_ok(a) || r.items[3].kind == EDN_BOOL;
    for (uint32_t i = 0; tells_values(a) && attempt_ok(a) && r.items[3].kind == EDN_VECTOR && i < r.items[3].count; i++)
        if (r.items[3].items[i].kind != EDN_INT)
            return false;
    return attempt_is(a, "escalate") || (tells_values(a) && (!attempt_ok(a) || r.items[3].kind == EDN_VECTOR));
}

static struct right *right_at(struct rbac *s, const struct attempt *a) { return &s->rights[a->invoke->value.items[0].number]; }

static void anomaly(struct rbac *s, const char *name, const struct attempt *a, const struct attempt *other, const char *what)
{
    bool print = report_wants(s->report, name);
    report_anomaly(s->report, name, "%s", what);
    if (print && other != NULL)
        report_operation(s->report, "", other->done != NULL ? other->done : other->invoke);
    if (print)
        report_operation(s->report, "", a->done);
}

/* --- what each apiserver knows --- */

/* Whom the right is for. */
static bool is_owner(const struct right *r, const struct attempt *a)
{
    return r->change_count > 0 && r->changes[0]->invoke->value.items[1].number == a->invoke->value.items[1].number;
}

static void passed_or_not(struct rbac *s, const struct attempt *a, size_t floor, bool passed)
{
    struct right *r = right_at(s, a);
    size_t *now = &r->floor[a->invoke->value.items[2].number];
    const char *wrongly = attempt_is(a, "write") || attempt_is(a, "escalate") ? "executed" : "leaked";
    bool owner = is_owner(r, a) && !attempt_is(a, "escalate");
    if (!owner) {
        if (passed)
            anomaly(s, wrongly, a, NULL, "nobody has ever granted it");
        return;
    }
    size_t phase = floor + (floor % 2 == (size_t)passed ? 0 : 1);
    const struct attempt *change = phase == 0 || phase > r->change_count ? NULL : r->changes[phase - 1];
    if (phase == 0 || (change != NULL && change->invoke->index < a->done->index))
        *now = MAX(*now, phase);
    else if (passed)
        anomaly(s, wrongly, a, floor == 0 ? NULL : r->changes[floor - 1], "this apiserver knew that it is not granted, and nobody has granted it since");
    else
        anomaly(s, "refused-again", a, floor == 0 ? NULL : r->changes[floor - 1], "this apiserver knew that it is granted, and nobody has revoked it since");
}

static void judge_end(struct rbac *s, const struct attempt *a, bool passed)
{
    struct right *r = right_at(s, a);
    const struct attempt *last = r->change_count == 0 ? NULL : r->changes[r->change_count - 1];
    bool wanted = is_owner(r, a) && r->change_count % 2 == 1;
    s->asked++;
    if (last != NULL && (!attempt_ok(last) || last->done->index > a->invoke->index))
        return; /* nobody knows */
    if (passed && !wanted)
        anomaly(s, "revoked-late", a, last, "long after the last change it passes");
    else if (!passed && wanted)
        anomaly(s, "granted-late", a, last, "long after the last change it is refused");
}

/* --- values --- */

static void look_at(struct rbac *s, const struct attempt *a)
{
    struct edn seen = a->done->value.items[3];
    struct right *r = right_at(s, a);
    r->last_look = MAX(r->last_look, a->invoke->index);
    for (uint32_t i = 0; i < seen.count; i++) {
        const struct attempt *write = map_get(&s->values, slice_of(&seen.items[i].number, sizeof(int64_t)));
        if (write == NULL || write->invoke->index > a->done->index || right_at(s, write) != r)
            anomaly(s, "garbage", a, NULL, "a value that nobody had written there");
        else if (attempt_denied(write))
            anomaly(s, "denied-executed", a, write, "a value of a write that was refused is there");
    }
}

/* --- all of it --- */

static void judge_ended(struct rbac *s, const struct attempt *a, size_t floor)
{
    bool by_user = attempt_is(a, "write") || attempt_is(a, "read") || attempt_is(a, "escalate"), ask = attempt_is(a, "ask") && attempt_ok(a);
    if (attempt_ok(a) && tells_values(a))
        look_at(s, a);
    if ((by_user && (attempt_ok(a) || attempt_denied(a))) || ask) {
        bool passed = ask ? a->done->value.items[3].number != 0 : attempt_ok(a);
        s->passed += passed;
        s->denied += !passed;
        if (ask)
            judge_end(s, a, passed);
        else
            passed_or_not(s, a, floor, passed);
    }
}

static int by_index(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static void judge(struct rbac *s, const struct attempt *attempts, size_t count)
{
    struct event *events = mem_alloc((2 * count + 1) * sizeof events[0]);
    size_t *floors = mem_zalloc((count + 1) * sizeof floors[0]), n = 0, unseen = 0;
    for (size_t i = 0; i < count; i++) {
        if (attempts[i].done == NULL || is_change(&attempts[i]) || attempt_is(&attempts[i], "make"))
            continue;
        events[n++] = (struct event){attempts[i].invoke->index, &attempts[i], i, false};
        events[n++] = (struct event){attempts[i].done->index, &attempts[i], i, true};
    }
    qsort(events, n, sizeof events[0], by_index);
    for (size_t i = 0; i < n; i++) {
        const struct attempt *a = events[i].attempt;
        if (events[i].end)
            judge_ended(s, a, floors[events[i].number]);
        else
            floors[events[i].number] = right_at(s, a)->floor[a->invoke->value.items[2].number];
    }
    for (size_t i = 0; i < count; i++)
        unseen += attempt_is(&attempts[i], "write") && attempt_denied(&attempts[i]) && right_at(s, &attempts[i])->last_look < attempts[i].done->index;
    if (unseen > 0)
        report_unknown(s->report, "%zu refused writes whose objects nobody has looked at afterwards", unseen);
    if (s->asked == 0)
        report_unknown(s->report, "nobody asked at the end who may do what");
    report_note(s->report, "%zu rights, granted or revoked %zu times; %zu requests passed, %zu refused; %zu questions at the end", s->right_count,
                s->changes, s->passed, s->denied, s->asked);
    mem_free(events);
    mem_free(floors);
}

/* False: the changes of a right do not come one after the other. */
static bool note_change(struct rbac *s, const struct attempt *a)
{
    struct right *r = right_at(s, a);
    const struct attempt *before = r->change_count == 0 ? NULL : r->changes[r->change_count - 1];
    bool grant = attempt_is(a, "grant");
    if (attempt_outcome(a) == OPERATION_FAIL)
        return true;
    if (grant != (r->change_count % 2 == 0) ||
        (before != NULL && (!attempt_ok(before) || before->done->index > a->invoke->index || !edn_equal(before->invoke->value, a->invoke->value))))
        return false;
    r->changes = mem_realloc(r->changes, (r->change_count + 1) * sizeof(struct attempt *));
    r->changes[r->change_count++] = a;
    s->changes++;
    return true;
}

static bool note(struct rbac *s, const struct attempt *a)
{
    const struct edn *v = a->invoke->value.items;
    if (is_change(a) && !note_change(s, a)) {
        report_unknown(s->report, "operation %lld: changes of a right must come in turns, none after an unknown outcome", (long long)a->invoke->index);
        return false;
    }
    if (attempt_is(a, "write") && map_put(&s->values, slice_of(&v[3].number, sizeof(int64_t)), (void *)(uintptr_t)a) != NULL) {
        report_unknown(s->report, "value %lld is written twice", (long long)v[3].number);
        return false;
    }
    return true;
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct rbac s = {.report = r};
    bool good = true;
    (void)o;
    for (size_t i = 0; i < count && good; i++) {
        good = attempt_valid(&attempts[i]);
        if (!good)
            report_unknown(r, "operation %lld is none of this workload", (long long)attempts[i].invoke->index);
        else
            s.right_count = MAX(s.right_count, (size_t)attempts[i].invoke->value.items[0].number + 1);
    }
    s.rights = mem_zalloc((s.right_count + 1) * sizeof s.rights[0]);
    for (size_t i = 0; i < s.right_count; i++)
        s.rights[i].last_look = -1;
    for (size_t i = 0; i < count && good; i++)
        good = note(&s, &attempts[i]);
    if (good)
        judge(&s, attempts, count);
    for (size_t i = 0; i < s.right_count; i++)
        mem_free(s.rights[i].changes);
    mem_free(s.rights);
    map_release(&s.values);
}

const struct check checker_rbac = {"rbac", "each apiserver goes by grants and revocations in their order; what it refuses is never done", run};
