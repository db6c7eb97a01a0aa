/* The reference that the store is compared with: every version of every key in plain arrays, every rule of etcd v3's interface
 * written down a second time in the simplest way. Shares only the request and answer structs (raftstore/kv.h) with the store. */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include "common/base.h"
#include "common/mem.h"
#include "raftstore/kv.h"
#include "raftstore/store_errors.h"

#define MODEL_KEYS 37
#define MODEL_VALUES 64
#define MODEL_LEASES 6 /* ids 1 to 6 */
#define MODEL_TEXT_MAX 12

/* The words that requests are made of; keys in byte order. */
struct words {
    char key_bytes[MODEL_KEYS][MODEL_TEXT_MAX], value_bytes[MODEL_VALUES][MODEL_TEXT_MAX];
    struct slice keys[MODEL_KEYS], values[MODEL_VALUES];
};
void words_init(struct words *w);

struct model_version {
    struct kv kv;       /* kv.version 0: a deletion */
};

struct model_key {
    struct model_version *versions; /* oldest first */
    size_t count, capacity;
};

struct model_event {
    int key;
    size_t version;     /* in keys[key].versions */
};

struct model_lease {
    bool there;
    uint64_t ttl_ms, expires_ms;
};

struct model {
    const struct words *words;
    struct model_key keys[MODEL_KEYS];
    struct model_event *events; /* of all revisions, in order */
    size_t event_count, event_capacity;
    int64_t revision, compact;
    uint64_t now_ms;
    struct model_lease leases[MODEL_LEASES + 1]; /* by id */
};

void model_init(struct model *m, const struct words *words);
void model_release(struct model *m);

bool model_holds(const struct kv_span *span, struct slice key);
/* STORE_ERRORS: done; else the cause of the refusal. Answers are allocated from `arena`. `at_old`: as a held reading does. */
enum store_error model_range(const struct model *m, const struct kv_range *r, struct arena *arena, struct kv_range_result *ret);
enum store_error model_txn(struct model *m, const struct kv_txn *t, struct arena *arena, struct kv_txn_result *ret);
enum store_error model_compact(struct model *m, int64_t revision);
enum store_error model_grant(struct model *m, int64_t id, int64_t ttl_s);
enum store_error model_revoke(struct model *m, int64_t id);
void model_expire(struct model *m, int64_t id); /* if its time is over */
bool model_renew(struct model *m, int64_t id);  /* false: it is not there */
struct kv_event model_event(const struct model *m, size_t i);

#endif
