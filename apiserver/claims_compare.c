#include "common/base.h"

#include "apiserver/claims.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>

void claim_owner(struct slice object, struct buf *out)
{
    buf_append_str(out, "{\"owner\":");
    json_print_string(object, out);
    buf_append_char(out, '}');
}

/* A key of the store, or one that an object should have. */
struct holding {
    size_t owner; /* of the objects; SIZE_MAX: of none that is there */
    int64_t revision;
    bool used; /* its owner claims it */
};

struct comparison {
    const struct claimer *objects;
    struct claim *claims; /* of all objects, one object's after the other's */
    size_t *first;        /* of an object's claims; one more than there are objects */
    struct map holdings;  /* key → struct holding */
    struct holding *all;
    size_t all_count;
    struct claim_finding *found;
    size_t found_count, max;
};

static struct holding *holding_add(struct comparison *c, struct slice key, size_t owner, int64_t revision)
{
    struct holding *h = &c->all[c->all_count++];
    *h = (struct holding){.owner = owner, .revision = revision};
    (void)map_put(&c->holdings, key, h); /* keys are distinct */
    return h;
}

static void find(struct comparison *c, struct claim_finding finding)
{
    if (c->found_count < c->max)
        c->found[c->found_count++] = finding;
}

static void read_keys(struct comparison *c, const struct claim_key *keys, size_t n, size_t object_count)
{
    struct map owners = {.entries = NULL};
    for (size_t i = 0; i < object_count; i++) {
        struct buf value = {0};
        claim_owner(c->objects[i].key, &value);
        (void)map_put(&owners, buf_slice(&value), (void *)(uintptr_t)(i + 1)); /* names are distinct */
        buf_release(&value);
    }
    for (size_t i = 0; i < n; i++) {
        uintptr_t owner = (uintptr_t)map_get(&owners, keys[i].value);
        (void)holding_add(c, keys[i].key, owner == 0 ? SIZE_MAX : owner - 1, keys[i].revision); /* in the map */
    }
    map_release(&owners);
}

/* Keys that their owners claim. */
static void mark_used(struct comparison *c, size_t object_count)
{
    for (size_t i = 0; i < object_count; i++) {
        for (size_t n = c->first[i]; n < c->first[i + 1]; n++) {
            struct holding *h = map_get(&c->holdings, slice_str(c->claims[n].key));
            if (h != NULL && h->owner == i && c->claims[n].state == CLAIM_GOOD)
                h->used = true;
        }
    }
}

static void judge_claim(struct comparison *c, size_t object, const struct claim *claim)
{
    struct claim_finding finding = {.claim = *claim, .object = object, .fault = CLAIM_UNHELD};
    struct holding *h = map_get(&c->holdings, slice_str(claim->key));
    if (claim->state != CLAIM_GOOD) {
        finding.fault = CLAIM_UNUSABLE;
    } else if (h != NULL && h->used && h->owner == object) {
        return;
    } else if (h != NULL && h->used) {
        finding.fault = CLAIM_TWICE;
    } else {
        if (h == NULL)
            h = holding_add(c, slice_str(claim->key), object, 0);
        finding.key_revision = h->revision;
        h->owner = object;
        h->used = true;
    }
    find(c, finding);
}

static void judge_keys(struct comparison *c, const struct claim_key *keys, size_t n, struct map *leaks)
{
    struct map now = {.entries = NULL};
    for (size_t i = 0; i < n; i++) {
        const struct holding *h = map_get(&c->holdings, keys[i].key);
        struct buf name = {0};
        if (h->used)
            continue;
        buf_printf(&name, "%.*s@%" PRId64, SLICE_ARGS(keys[i].key), keys[i].revision);
        uintptr_t rounds = (uintptr_t)map_get(leaks, buf_slice(&name)) + 1;
        (void)map_put(&now, buf_slice(&name), (void *)rounds); /* keys are distinct */
        buf_release(&name);
        struct claim_finding finding = {
            .fault = CLAIM_LEAKED, .key_revision = h->revision, .object = h->owner, .rounds = rounds};
        (void)snprintf(finding.claim.key, sizeof finding.claim.key, "%.*s",
                       SLICE_ARGS(keys[i].key)); /* checked below */
        if (keys[i].key.size < sizeof finding.claim.key)
            find(c, finding);
    }
    map_release(leaks);
    *leaks = now;
}

static void collect_claims(struct comparison *c, const struct kind *k, size_t object_count)
{
    size_t count = 0, capacity = 0;
    struct claims *some = NEW(struct claims);
    c->first = mem_zalloc((object_count + 1) * sizeof *c->first);
    for (size_t i = 0; i < object_count; i++) {
        some->count = 0;
        k->claim(c->objects[i].tree, some);
        if (count + some->count > capacity) {
            capacity = 2 * (count + some->count);
            c->claims = mem_realloc(c->claims, capacity * sizeof *c->claims);
        }
        if (some->count > 0)
            memcpy(c->claims + count, some->list, some->count * sizeof *c->claims);
        count += some->count;
        c->first[i + 1] = count;
    }
    mem_free(some);
}

size_t claims_compare(const struct kind *k, const struct claimer *objects, size_t object_count,
                      const struct claim_key *keys, size_t key_count, struct map *leaks, struct claim_finding *ret,
                      size_t max)
{
    struct comparison c = {.objects = objects, .found = ret, .max = max};
    collect_claims(&c, k, object_count);
    c.all = mem_alloc((key_count + c.first[object_count] + 1) * sizeof *c.all);
    read_keys(&c, keys, key_count, object_count);
    mark_used(&c, object_count);
    for (size_t i = 0; i < object_count; i++) {
        for (size_t n = c.first[i]; n < c.first[i + 1]; n++)
            judge_claim(&c, i, &c.claims[n]);
    }
    judge_keys(&c, keys, key_count, leaks);
    map_release(&c.holdings);
    mem_free(c.all);
    mem_free(c.claims);
    mem_free(c.first);
    return c.found_count;
}
