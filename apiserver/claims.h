/* Claims (kind.h) as keys of the store, and what is to be mended where keys and objects differ: after a restore, or a
 * hand in the store. The comparison is pure; claims.c carries out what it finds. */
#ifndef APISERVER_CLAIMS_H
#define APISERVER_CLAIMS_H

#include "apiserver/kind.h"
#include "common/buf.h"
#include "common/map.h"

#define CLAIM_KEYS "/registry/ranges/"
#define CLAIM_KEYS_END "/registry/ranges0"
/* A key whose owner does not claim it goes when so many comparisons in a row found it so, as in Kubernetes. */
#define CLAIM_LEAK_ROUNDS 3

/* The value of a claim's key: whose it is, by the object's key in its cache ("default/web"). Appended to `out`. */
void claim_owner(struct slice object, struct buf *out);

struct claimer {
    struct slice key;
    int64_t revision;
    const struct json *tree;
};
struct claim_key {
    struct slice key; /* below CLAIM_KEYS */
    struct slice value;
    int64_t revision;
};

enum claim_fault {
    CLAIM_UNHELD,   /* the object claims it and the key is not there, or is of somebody who does not claim it */
    CLAIM_TWICE,    /* the key is another object's that claims it too */
    CLAIM_UNUSABLE, /* the object says what cannot be claimed: claim.state tells */
    CLAIM_LEAKED,   /* the key's owner does not claim it, or is not there */
};
struct claim_finding {
    enum claim_fault fault;
    struct claim claim;   /* of CLAIM_LEAKED: only its key */
    int64_t key_revision; /* 0: there is no such key */
    size_t object;        /* who claims it, or (CLAIM_LEAKED) whose key it is; SIZE_MAX: nobody's */
    size_t rounds;        /* CLAIM_LEAKED: comparisons in a row that found it, this one included */
};

/* At most `max` findings, in the order of objects, leaked ones last. `leaks` is what the former comparison left (all
 * zero before the first) and becomes what this one leaves. `objects` are of kind `k`. */
size_t claims_compare(const struct kind *k, const struct claimer *objects, size_t object_count,
                      const struct claim_key *keys, size_t key_count, struct map *leaks, struct claim_finding *ret,
                      size_t max);

#endif
