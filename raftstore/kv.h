/* Requests and answers of the key-value API, as values: etcd v3's semantics, DESIGN section 3. Shared by the state
 * machine, the wire encoding and the client library. Slices are borrowed. */
#ifndef RAFTSTORE_KV_H
#define RAFTSTORE_KV_H

#include "common/base.h"

#define KV_REQUEST_BYTES_MAX (2u * 1024 * 1024)
#define KV_TXN_OPS_MAX 128        /* of one list, with the longest lists of what is nested in it */
#define KV_TXN_OPS_TOTAL_MAX 1024 /* operations and compares of a transaction, everything nested included */

struct kv {
    struct slice key, value;
    int64_t create_revision, mod_revision, version, lease; /* version counts from 1; lease 0: none */
};

/* Keys [key, end): end empty: the one key; end "\0" (one zero byte): from key on; key and end "\0": everything. */
struct kv_span {
    struct slice key, end;
};

enum kv_sort_target { KV_SORT_KEY, KV_SORT_VERSION, KV_SORT_CREATE, KV_SORT_MOD, KV_SORT_VALUE };
enum kv_sort_order { KV_ORDER_NONE, KV_ORDER_ASCEND, KV_ORDER_DESCEND };

struct kv_range {
    struct kv_span span;
    int64_t limit;      /* 0: none */
    int64_t revision;   /* 0: newest */
    enum kv_sort_order order;
    enum kv_sort_target sort;
    bool keys_only, count_only;
    bool serializable;  /* from this member as it is, perhaps stale */
    int64_t min_mod_revision, max_mod_revision, min_create_revision, max_create_revision; /* 0: no bound */
};

struct kv_put {
    struct slice key, value;
    int64_t lease;
    bool prev_kv, ignore_value, ignore_lease;
};

struct kv_delete {
    struct kv_span span;
    bool prev_kv;
};

enum kv_compare_target { KV_COMPARE_VERSION, KV_COMPARE_CREATE, KV_COMPARE_MOD, KV_COMPARE_VALUE, KV_COMPARE_LEASE };
enum kv_compare_result { KV_EQUAL, KV_GREATER, KV_LESS, KV_NOT_EQUAL };

/* All keys of the span must satisfy it; a missing single key has version, revisions and lease 0 and fails on value. */
struct kv_compare {
    struct kv_span span;
    enum kv_compare_target target;
    enum kv_compare_result result;
    int64_t number;
    struct slice value;
};

struct kv_op;
struct kv_txn {
    const struct kv_compare *compares;
    const struct kv_op *success, *failure;
    size_t compare_count, success_count, failure_count;
};

enum kv_op_kind { KV_OP_RANGE, KV_OP_PUT, KV_OP_DELETE, KV_OP_TXN };
struct kv_op {
    enum kv_op_kind kind;
    union {
        struct kv_range range;
        struct kv_put put;
        struct kv_delete delete;
        struct kv_txn txn;
    };
};

struct kv_range_result {
    struct kv *kvs;
    size_t kv_count;
    int64_t count; /* in the span, not limited */
    bool more;
};

struct kv_op_result;
struct kv_txn_result {
    bool succeeded;
    struct kv_op_result *results;
    size_t result_count;
};

struct kv_op_result {
    enum kv_op_kind kind;
    union {
        struct kv_range_result range;
        struct {
            bool has_prev;
            struct kv prev;
        } put;
        struct {
            int64_t deleted;
            struct kv *prevs;
            size_t prev_count;
        } delete;
        struct kv_txn_result txn;
    };
};

struct kv_event {
    bool is_delete;  /* then kv.key and kv.mod_revision only */
    bool has_prev;
    struct kv kv, prev;
};

/* With every answer. */
struct kv_header {
    uint8_t cluster_id[16];
    uint64_t member_id;
    int64_t revision; /* of the state the answer was made from */
    uint64_t term;
};

#endif
