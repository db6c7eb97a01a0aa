/* Leases, judged by the client's clock (time of the history). Operations:
 *   :grant [lease ttl-ms]   :attach [lease key]   :keepalive [lease nil] → [lease there?]   :revoke [lease]   :read [key nil] → [key there?]
 *
 * A lease lives at least its ttl from the moment its last acknowledged renewal was sent; nothing but a revocation may end it before:
 *   early-expiry   its key is read as gone, or a renewal is told so, within that time
 * and at most its ttl and `late_ms` from the moment when the last renewal ended, times in which the store answered nobody left out
 * (cluster time stands without a leader):
 *   late-expiry    its key is still read then. A renewal with an unknown outcome may happen at any time: such a lease is not judged late. */
#include "common/base.h"

#include "jepsen/check.h"

#include "common/map.h"

#define NS_PER_MS 1000000
#define SILENCE_NS (500 * (int64_t)NS_PER_MS) /* between two answers: from there on the store counts as not there */

struct lease {
    int64_t id, ttl_ns, key;
    const struct attempt *grant, *attach;
    int64_t last_ok_sent_ns;  /* the last acknowledged grant or renewal */
    int64_t last_end_ns;
    bool unsure;              /* a renewal's outcome is unknown */
    int64_t revoked_ns;       /* when a revocation was first tried; INT64_MAX: never */
};

struct leases {
    struct report *report;
    const struct check_options *options;
    const struct attempt *attempts;
    size_t count, reads, gone;
    struct map by_id, by_key;
    struct arena arena;
    int64_t *answers; /* times of answers, in their order */
    size_t answer_count;
};

static bool attempt_valid(const struct attempt *a)
{
    struct edn v = a->invoke->value, answer = attempt_ok(a) ? a->done->value : v;
    if (v.kind != EDN_VECTOR || v.count == 0 || v.items[0].kind != EDN_INT)
        return false;
    if (attempt_is(a, "grant") || attempt_is(a, "attach"))
        return v.count == 2 && v.items[1].kind == EDN_INT;
    if (attempt_is(a, "keepalive") || attempt_is(a, "read"))
        return !attempt_ok(a) || (answer.kind == EDN_VECTOR && answer.count == 2 && answer.items[1].kind == EDN_BOOL);
    return attempt_is(a, "revoke");
}

static struct lease *find(const struct map *m, int64_t name) { return map_get(m, slice_of(&name, sizeof name)); }

static void note_grant(struct leases *s, const struct attempt *a)
{
    struct edn v = a->invoke->value;
    struct lease *l = arena_alloc(&s->arena, sizeof *l);
    *l = (struct lease){.id = v.items[0].number, .ttl_ns = v.items[1].number * NS_PER_MS, .grant = a, .revoked_ns = INT64_MAX,
                        .last_ok_sent_ns = attempt_ok(a) ? a->invoke->time_ns : INT64_MIN,
                        .last_end_ns = attempt_ok(a) ? a->done->time_ns : 0, .unsure = attempt_outcome(a) == OPERATION_INFO};
    if (map_put(&s->by_id, slice_of(&l->id, sizeof l->id), l) != NULL)
        report_unknown(s->report, "lease %lld is granted twice", (long long)l->id);
}

static void note_attach(struct leases *s, const struct attempt *a)
{
    struct lease *l = find(&s->by_id, a->invoke->value.items[0].number);
    if (l == NULL)
        return;
    l->attach = a;
    l->key = a->invoke->value.items[1].number;
    if (map_put(&s->by_key, slice_of(&l->key, sizeof l->key), l) != NULL)
        report_unknown(s->report, "key %lld is attached twice", (long long)l->key);
}

static bool says_there(const struct attempt *a) { return a->done->value.items[1].number != 0; }

static void note_renewal(struct lease *l, const struct attempt *a)
{
    if (attempt_outcome(a) == OPERATION_INFO)
        l->unsure = true;
    if (!attempt_ok(a) || !says_there(a))
        return;
    l->last_ok_sent_ns = MAX(l->last_ok_sent_ns, a->invoke->time_ns);
    l->last_end_ns = MAX(l->last_end_ns, a->done->time_ns);
}

/* How long between the two times the store answered nobody. */
static int64_t silent_ns(const struct leases *s, int64_t from, int64_t to)
{
    int64_t silent = 0, before = from;
    size_t low = 0, high = s->answer_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->answers[middle] < from)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i <= s->answer_count && before < to; i++) {
        int64_t next = i == s->answer_count ? to : MIN(s->answers[i], to);
        if (next - before > SILENCE_NS)
            silent += next - before;
        before = next;
    }
    return silent;
}

static void anomaly(struct leases *s, const char *name, const struct lease *l, const struct attempt *a, const char *what, int64_t by_ns)
{
    bool print = report_wants(s->report, name);
    report_anomaly(s->report, name, "lease %lld of %lld ms, key %lld: %s by %lld ms", (long long)l->id, (long long)(l->ttl_ns / NS_PER_MS),
                   (long long)l->key, what, (long long)(by_ns / NS_PER_MS));
    if (print)
        report_operation(s->report, "", a->done);
}

static void seen_gone(struct leases *s, const struct lease *l, const struct attempt *a)
{
    s->gone++;
    if (l->last_ok_sent_ns != INT64_MIN && a->done->time_ns < l->revoked_ns && a->done->time_ns < l->last_ok_sent_ns + l->ttl_ns)
        anomaly(s, "early-expiry", l, a, "gone too early", l->last_ok_sent_ns + l->ttl_ns - a->done->time_ns);
}

static void seen_there(struct leases *s, const struct lease *l, const struct attempt *a)
{
    int64_t due = l->last_end_ns + l->ttl_ns, late = (int64_t)s->options->late_ms * NS_PER_MS;
    if (l->unsure || l->last_ok_sent_ns == INT64_MIN || a->invoke->time_ns <= due + late)
        return;
    late += silent_ns(s, l->last_end_ns, a->invoke->time_ns);
    if (a->invoke->time_ns > due + late)
        anomaly(s, "late-expiry", l, a, "still there, too late", a->invoke->time_ns - due - late);
}

static void look_at(struct leases *s, const struct attempt *a)
{
    int64_t name = a->invoke->value.items[0].number;
    if (!attempt_ok(a))
        return;
    if (attempt_is(a, "keepalive")) {
        const struct lease *l = find(&s->by_id, name);
        if (l != NULL && !says_there(a))
            seen_gone(s, l, a);
        return;
    }
    if (!attempt_is(a, "read"))
        return;
    const struct lease *l = find(&s->by_key, name);
    s->reads++;
    if (l == NULL)
        return;
    if (says_there(a))
        seen_there(s, l, a);
    else if (l->attach != NULL && attempt_ok(l->attach) && l->attach->done->index < a->invoke->index)
        seen_gone(s, l, a);
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct leases s = {.report = r, .options = o, .attempts = attempts, .count = count};
    for (size_t i = 0; i < count; i++)
        if (!attempt_valid(&attempts[i])) {
            report_unknown(r, "operation %lld is no operation on leases", (long long)attempts[i].invoke->index);
            return;
        }
    s.answers = mem_alloc((count + 1) * sizeof s.answers[0]);
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        struct lease *l = attempt_is(a, "grant") || attempt_is(a, "read") ? NULL : find(&s.by_id, a->invoke->value.items[0].number);
        if (attempt_is(a, "grant"))
            note_grant(&s, a);
        else if (attempt_is(a, "attach"))
            note_attach(&s, a);
        else if (l != NULL && attempt_is(a, "keepalive"))
            note_renewal(l, a);
        else if (l != NULL && attempt_is(a, "revoke"))
            l->revoked_ns = MIN(l->revoked_ns, a->invoke->time_ns);
        if (attempt_ok(a))
            s.answers[s.answer_count++] = a->done->time_ns;
    }
    for (size_t i = 1; i < s.answer_count; i++) /* nearly in order already */
        for (size_t j = i; j > 0 && s.answers[j - 1] > s.answers[j]; j--) {
            int64_t swap = s.answers[j];
            s.answers[j] = s.answers[j - 1];
            s.answers[j - 1] = swap;
        }
    for (size_t i = 0; i < count; i++)
        look_at(&s, &attempts[i]);
    report_note(r, "%zu leases, %zu reads of their keys, %zu times seen gone", s.by_id.size, s.reads, s.gone);
    map_release(&s.by_id);
    map_release(&s.by_key);
    arena_clear(&s.arena);
    mem_free(s.answers);
}

const struct check checker_lease = {"lease", "no lease ends early, none much too late", run};
