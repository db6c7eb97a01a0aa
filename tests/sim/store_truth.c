/* The history of the store as its first appliers made it, and answers and events against it. A model of its own: versions,
 * creation and previous values are counted here from keys and values alone. */
#include "common/base.h"

#include "tests/sim/store_sim.h"

#include "common/mem.h"

#include <stdio.h>

#define ROUNDING_US (2 * MS) /* clocks are read in milliseconds, at two places */

void truth_init(struct store_truth *t) { *t = (struct store_truth){.newest = 1, .certain = 1}; }

void truth_release(struct store_truth *t)
{
    struct map_entry *e;
    for (size_t i = 0; (e = map_next(&t->keys, &i)) != NULL;) {
        struct truth_key *k = e->value;
        mem_free(k->versions);
        mem_free(k);
    }
    for (size_t i = 0; (e = map_next(&t->leases, &i)) != NULL;)
        mem_free(e->value);
    for (int64_t r = 2; r <= t->newest; r++)
        mem_free(t->revisions[r].events);
    mem_free(t->revisions);
    map_release(&t->keys);
    map_release(&t->values);
    map_release(&t->leases);
}

struct truth_key *truth_key(struct store_truth *t, struct slice key) { return map_get(&t->keys, key); }

struct truth_lease *truth_lease(struct store_truth *t, int64_t id)
{
    struct truth_lease *l = map_get(&t->leases, slice_of(&id, sizeof id));
    if (l == NULL) {
        l = NEW(struct truth_lease);
        map_put(&t->leases, slice_of(&id, sizeof id), l);
    }
    return l;
}

const struct truth_version *truth_at(const struct truth_key *k, int64_t revision)
{
    size_t i = k == NULL ? 0 : k->count;
    while (i > 0 && k->versions[i - 1].mod > revision)
        i--;
    return i == 0 || k->versions[i - 1].version == 0 ? NULL : &k->versions[i - 1];
}

bool check_span_holds(const struct kv_span *span, struct slice key)
{
    if (span->end.size == 0)
        return slice_equal(span->key, key);
    return slice_compare(span->key, key) <= 0 && slice_compare(key, span->end) < 0;
}

static void text_set(char text[STORE_TEXT_MAX], struct slice from)
{
    ASSERT(from.size < STORE_TEXT_MAX);
    if (from.size > 0)
        memcpy(text, from.data, from.size);
    text[from.size] = '\0';
}

/* --- leases --- */

/* A lease that nobody revoked ends its ttl after the last time it was renewed, at the earliest. */
static void check_early(struct sim *s, int64_t id, const struct truth_lease *l)
{
    if (l->gone_us != 0 && !l->revoked && l->renewed_us != 0 && l->gone_us + ROUNDING_US < l->renewed_us + l->ttl_us)
        sim_violation(s, "lease %lld of %llu ms ended %llu ms after it was renewed", (long long)id,
                      (unsigned long long)(l->ttl_us / MS), (unsigned long long)((l->gone_us - MIN(l->gone_us, l->renewed_us)) / MS));
}

void truth_lease_renewed(struct sim *s, int64_t id, uint64_t asked_us)
{
    struct truth_lease *l = truth_lease(store_sim_truth(s), id);
    l->renewed_us = MAX(l->renewed_us, asked_us);
    check_early(s, id, l);
}

static void lease_key_gone(struct sim *s, int64_t id)
{
    struct truth_lease *l = truth_lease(store_sim_truth(s), id);
    if (l->gone_us != 0)
        return;
    l->gone_us = s->now_us;
    check_early(s, id, l);
}

/* --- what is applied --- */

static struct truth_version *version_add(struct store_truth *t, const struct kv_event *e, int64_t revision, struct truth_key **ret)
{
    struct truth_key *k = truth_key(t, e->kv.key);
    if (k == NULL) {
        k = NEW(struct truth_key);
        text_set(k->key, e->kv.key);
        map_put(&t->keys, e->kv.key, k);
    }
    const struct truth_version *before = truth_at(k, revision);
    struct truth_version v = {.mod = revision, .create = revision, .version = e->is_delete ? 0 : 1, .lease = e->kv.lease};
    if (before != NULL && !e->is_delete) {
        v.create = before->create;
        v.version = before->version + 1;
    }
    if (!e->is_delete)
        text_set(v.value, e->kv.value);
    if (k->count == k->capacity) {
        k->capacity = MAX((size_t)8, k->capacity * 2);
        k->versions = mem_realloc(k->versions, k->capacity * sizeof k->versions[0]);
    }
    k->versions[k->count++] = v;
    *ret = k;
    return &k->versions[k->count - 1];
}

static bool same_kv(const struct truth_key *k, const struct truth_version *v, const struct kv *kv)
{
    return slice_is(kv->key, k->key) && slice_is(kv->value, v->value) && kv->mod_revision == v->mod && kv->lease == v->lease &&
           kv->create_revision == v->create && kv->version == v->version;
}

/* `prev` must be what stood there before; `required`: it may not be missing. */
static bool same_event(const struct truth_event *e, const struct kv_event *event, bool required)
{
    const struct truth_version *v = &e->key->versions[e->at], *before = truth_at(e->key, v->mod - 1);
    if (event->has_prev && (before == NULL || !same_kv(e->key, before, &event->prev)))
        return false;
    if (!event->has_prev && before != NULL && required)
        return false;
    if (event->is_delete)
        return v->version == 0 && slice_is(event->kv.key, e->key->key) && event->kv.mod_revision == v->mod;
    return v->version != 0 && same_kv(e->key, v, &event->kv);
}

/* A value is written by one operation, once: in a second revision it has been executed twice. */
static void note_value(struct sim *s, struct slice value, int64_t revision)
{
    struct store_truth *t = store_sim_truth(s);
    int64_t known = (int64_t)(intptr_t)map_get(&t->values, value);
    if (known == 0)
        map_put(&t->values, value, (void *)(intptr_t)revision);
    else if (known != revision)
        sim_violation(s, "executed twice: %.*s is written in revision %lld and again in %lld", SLICE_ARGS(value), (long long)known,
                      (long long)revision);
}

static void first_time(struct sim *s, int64_t revision, const struct kv_event *events, size_t count)
{
    struct store_truth *t = store_sim_truth(s);
    if ((size_t)revision >= t->capacity) {
        t->capacity = MAX((size_t)256, t->capacity * 2);
        t->revisions = mem_realloc(t->revisions, t->capacity * sizeof t->revisions[0]);
    }
    struct truth_event *made = mem_zalloc(count * sizeof made[0]);
    for (size_t i = 0; i < count; i++) {
        const struct kv_event *e = &events[i];
        const struct truth_version *before = truth_at(truth_key(t, e->kv.key), revision - 1);
        int64_t lease = before == NULL ? 0 : before->lease;
        version_add(t, e, revision, &made[i].key);
        made[i].at = made[i].key->count - 1;
        if (!same_event(&made[i], e, true))
            sim_violation(s, "revision %lld: the event of %.*s does not follow from what was there", (long long)revision,
                          SLICE_ARGS(e->kv.key));
        if (!e->is_delete)
            note_value(s, e->kv.value, revision);
        else if (lease != 0)
            lease_key_gone(s, lease);
    }
    t->revisions[revision] = (struct truth_revision){made, count};
    t->newest = revision;
}

void truth_applied(struct sim_node *n, int64_t revision, const struct kv_event *events, size_t count)
{
    struct sim *s = n->sim;
    struct store_truth *t = store_sim_truth(s);
    if (t == NULL || s->violation[0] != '\0')
        return;
    if (revision == t->newest + 1) {
        first_time(s, revision, events, count);
        return;
    }
    if (revision > t->newest) {
        sim_violation(s, "member %zu makes revision %lld, the newest was %lld", n->index, (long long)revision, (long long)t->newest);
        return;
    }
    const struct truth_revision *r = &t->revisions[revision];
    bool same = r->count == count;
    for (size_t i = 0; i < count && same; i++)
        same = same_event(&r->events[i], &events[i], false);
    if (!same)
        sim_violation(s, "member %zu makes other events of revision %lld than the first did", n->index, (long long)revision);
}

void truth_compacted(struct sim_node *n, int64_t compact, int64_t revision)
{
    struct sim *s = n->sim;
    struct store_truth *t = store_sim_truth(s);
    if (t == NULL || compact <= t->compacted)
        return;
    if (s->keep_revisions == 0 || compact > revision - s->keep_revisions + 1)
        sim_violation(s, "member %zu compacts to %lld at revision %lld: nobody has asked for it", n->index, (long long)compact,
                      (long long)revision);
    t->compacted = compact;
}

/* --- what clients are told --- */

void check_range(struct sim *s, const struct kv_span *span, int64_t revision, const struct kv_range_result *r)
{
    struct store_truth *t = store_sim_truth(s);
    struct map_entry *e;
    size_t expected = 0;
    if (revision > t->newest) {
        sim_violation(s, "an answer of revision %lld, which nobody has made", (long long)revision);
        return;
    }
    for (size_t i = 0; (e = map_next(&t->keys, &i)) != NULL;)
        expected += check_span_holds(span, map_key(e)) && truth_at(e->value, revision) != NULL;
    if (r->kv_count != expected || r->count != (int64_t)expected)
        sim_violation(s, "a range at revision %lld gives %zu keys (count %lld), there were %zu", (long long)revision, r->kv_count,
                      (long long)r->count, expected);
    for (size_t i = 0; i < r->kv_count; i++) {
        const struct truth_key *k = truth_key(t, r->kvs[i].key);
        const struct truth_version *v = truth_at(k, revision);
        if (v == NULL || !same_kv(k, v, &r->kvs[i]))
            sim_violation(s, "a range at revision %lld gives %.*s = %.*s of revision %lld, it was %s of %lld", (long long)revision,
                          SLICE_ARGS(r->kvs[i].key), SLICE_ARGS(r->kvs[i].value), (long long)r->kvs[i].mod_revision,
                          v == NULL ? "nothing" : v->value, v == NULL ? 0 : (long long)v->mod);
    }
}

void check_watch(struct sim *s, const struct kv_span *span, int64_t from, int64_t revision, const struct kv_event *events, size_t n)
{
    struct store_truth *t = store_sim_truth(s);
    size_t at = 0;
    if (revision > t->newest) {
        sim_violation(s, "a watch is told of revision %lld, which nobody has made", (long long)revision);
        return;
    }
    if (n > 0 && revision <= from)
        sim_violation(s, "a watch is given revision %lld again or out of order, it stood at %lld", (long long)revision, (long long)from);
    for (int64_t r = MAX(from + 1, 2); r <= revision; r++) {
        for (size_t i = 0; i < t->revisions[r].count; i++) {
            const struct truth_event *e = &t->revisions[r].events[i];
            if (!check_span_holds(span, slice_str(e->key->key)))
                continue;
            if (r < revision || n == 0) {
                sim_violation(s, "a watch was not given revision %lld (%s) before it was told of %lld", (long long)r, e->key->key,
                              (long long)revision);
                return;
            }
            if (at >= n || !same_event(e, &events[at++], r > t->compacted)) {
                sim_violation(s, "a watch is given other events of revision %lld (%s)", (long long)r, e->key->key);
                return;
            }
        }
    }
    if (at != n)
        sim_violation(s, "a watch is given %zu events of revision %lld, it has %zu", n, (long long)revision, at);
}
