/* Why the store refuses a request: each cause with our status, the code of gRPC's table that etcd answers with, and etcd's own
 * text. A message begins with that text, because clients of etcd tell errors apart by it; ": " and what is particular may
 * follow. Refusals about members are made by member.h, in the words of the table here. Facts: etcd's api/v3rpc/rpctypes. */
#ifndef RAFTSTORE_STORE_ERRORS_H
#define RAFTSTORE_STORE_ERRORS_H

#include "common/base.h"
#include "common/err.h"

/* No text is the beginning of another one that could be followed by ": " (asserted in tests). */
/*      cause                     status               gRPC  text */
#define STORE_ERROR_TABLE(X)                                                                                           \
    X(STORE_EMPTY_KEY,            ERR_INVALID,           3, "etcdserver: key is not provided")                         \
    X(STORE_KEY_NOT_FOUND,        ERR_NOT_FOUND,         3, "etcdserver: key not found")                               \
    X(STORE_VALUE_PROVIDED,       ERR_INVALID,           3, "etcdserver: value is provided")                           \
    X(STORE_LEASE_PROVIDED,       ERR_INVALID,           3, "etcdserver: lease is provided")                           \
    X(STORE_TTL_ZERO,             ERR_INVALID,           3, "etcdserver: ttl is 0")                                    \
    X(STORE_TOO_MANY_OPS,         ERR_INVALID,           3, "etcdserver: too many operations in txn request")          \
    X(STORE_DUPLICATE_KEY,        ERR_INVALID,           3, "etcdserver: duplicate key given in txn request")          \
    X(STORE_SORT_INVALID,         ERR_INVALID,           3, "etcdserver: invalid sort option")                         \
    X(STORE_COMPACTED,            ERR_COMPACTED,        11, "etcdserver: mvcc: required revision has been compacted")  \
    X(STORE_FUTURE_REVISION,      ERR_FUTURE_REVISION,  11, "etcdserver: mvcc: required revision is a future revision")\
    X(STORE_NO_SPACE,             ERR_NO_SPACE,          8, "etcdserver: mvcc: database space exceeded")               \
    X(STORE_LEASE_NOT_FOUND,      ERR_NOT_FOUND,         5, "etcdserver: requested lease not found")                   \
    X(STORE_LEASE_EXISTS,         ERR_EXISTS,            9, "etcdserver: lease already exists")                        \
    X(STORE_LEASE_TTL_TOO_LARGE,  ERR_INVALID,          11, "etcdserver: too large lease TTL")                         \
    X(STORE_WATCH_CANCELED,       ERR_CANCELED,          1, "etcdserver: watch canceled")                              \
    X(STORE_CLUSTER_MISMATCH,     ERR_IDENTITY,          9, "etcdserver: cluster ID mismatch")                         \
    X(STORE_REQUEST_TOO_LARGE,    ERR_TOO_LARGE,         3, "etcdserver: request is too large")                        \
    X(STORE_TOO_MANY_REQUESTS,    ERR_BUSY,              8, "etcdserver: too many requests")                           \
    X(STORE_PERMISSION_DENIED,    ERR_PERMISSION,        7, "etcdserver: permission denied")                           \
    X(STORE_NO_LEADER,            ERR_UNAVAILABLE,      14, "etcdserver: no leader")                                   \
    X(STORE_TIMED_OUT,            ERR_UNAVAILABLE,      14, "etcdserver: request timed out")                           \
    X(STORE_NOT_CAPABLE,          ERR_UNAVAILABLE,      14, "etcdserver: not capable")                                 \
    X(STORE_MEMBER_NOT_FOUND,     ERR_NOT_FOUND,         5, "etcdserver: member not found")                            \
    X(STORE_MEMBER_ID_EXISTS,     ERR_EXISTS,            9, "etcdserver: member ID already exist")                     \
    X(STORE_MEMBER_URL_EXISTS,    ERR_EXISTS,            9, "etcdserver: Peer URLs already exists")                    \
    X(STORE_MEMBER_BAD_URL,       ERR_INVALID,           3, "etcdserver: given member URLs are invalid")               \
    X(STORE_MEMBER_NOT_LEARNER,   ERR_INVALID,           9, "etcdserver: can only promote a learner member")           \
    X(STORE_MEMBER_NOT_READY,     ERR_CONFLICT,          9, "etcdserver: can only promote a learner member which is in sync with leader") \
    X(STORE_TOO_MANY_LEARNERS,    ERR_CONFLICT,          9, "etcdserver: too many learner members in cluster")         \
    X(STORE_UNHEALTHY,            ERR_CONFLICT,         14, "etcdserver: unhealthy cluster")                           \
    X(STORE_BAD_TRANSFEREE,       ERR_INVALID,           9, "etcdserver: bad leader transferee")                       \
    X(STORE_STATE_CORRUPT,        ERR_CORRUPT,          15, "etcdserver: corrupt cluster")

enum store_error {
#define X(cause, status, grpc, text) cause,
    STORE_ERROR_TABLE(X)
#undef X
    STORE_ERRORS
};

struct store_error_row {
    int status;    /* ERR_* */
    int grpc_code; /* as gRPC numbers them */
    const char *text;
};

const struct store_error_row *store_error_row(enum store_error cause);

/* Sets the cause's status and "<text>: <detail>"; an empty format leaves the detail out. Returns the status; `reterr` may be
 * NULL. */
int store_err(struct err *reterr, enum store_error cause, const char *format, ...) PRINTF_ARGS(3, 4);

/* The row whose text `message` is or begins with, before a ": "; NULL: the error is none of etcd's. */
const struct store_error_row *store_error_find(struct slice message);

#endif
