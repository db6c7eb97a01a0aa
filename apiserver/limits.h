/* Every bound of the apiserver, and the table of those that clients can meet: where one bites, limit_hit() counts it in
 * apiserver_limit_hits_total{limit="…"}; a refused request names its own by failure_limit(). */
#ifndef APISERVER_LIMITS_H
#define APISERVER_LIMITS_H

#define BODY_BYTES_MAX (3 * 1024 * 1024)
#define OBJECT_BYTES_MAX (1536 * 1024)    /* stored */
#define REQUESTS_MAX 65536                /* open at once, watches included */
#define RESPONSE_CHUNK_BYTES (256 * 1024) /* longer answers are streams of such pieces */
#define GZIP_BYTES_MIN (128 * 1024)       /* smaller answers are not worth compressing */
#define STREAM_WINDOW_BYTES (1024 * 1024) /* written to a client and not yet taken: then the stream waits */
#define RING_EVENTS_MAX 16384             /* recent events of one resource; a watcher behind them is cut */
#define RING_BYTES_MAX (20 * 1024 * 1024) /* of states that no object is in any more */
#define RING_BYTES_KEPT (8 * 1024 * 1024) /* beyond that only events of the last RING_FRESH_MS are kept */
#define RING_FRESH_MS 75000               /* a watcher that reconnects within it is never told to list again */
#define CACHE_PAGE_OBJECTS 100000         /* of the initial list; they come, and are taken in, in much smaller parts */
#define CACHE_LOAD_MS 60000               /* for such a page */
#define CACHE_RETRY_MS 500
#define FRESH_WAIT_MS 10000  /* a consistent read waits so long for its cache */
#define FUTURE_WAIT_MS 3000  /* a resourceVersion from the future is waited for so long */
#define PROGRESS_AGAIN_MS 20 /* between two questions how far the watch has come */
#define STORE_TIMEOUT_MS 10000
#define STORE_PROGRESS_MS 10000
#define BOOKMARK_MS 60000
#define REPAIR_MS 180000 /* between two comparisons of claims with their objects */
#define WATCH_TIMEOUT_MIN_MS (30 * 60 * 1000)
#define WATCH_TIMEOUT_SPREAD_MS (30 * 60 * 1000)
#define ACCOUNT_WAIT_MS 1500 /* a new pod waits so long for the account `default` of a new namespace */
#define ACCOUNT_TRY_MS 150
#define UPDATE_ATTEMPTS_MAX 8 /* optimistic writes: then 409 */
#define PATCH_ATTEMPTS_MAX 5  /* a patch that says no version */
#define GENERATE_ATTEMPTS_MAX 8
#define DELETE_COLLECTION_MAX 100000
#define PATCH_OPERATIONS_MAX 10000
#define SELECTOR_BYTES_MAX (8 * 1024) /* decoded; half of what a head may have, so that who meets it is told */
#define WARNINGS_MAX 32
#define WARNINGS_BYTES_MAX 4096 /* of all together; when they are more, each is cut */
#define WARNING_CUT_BYTES 256
#define WATCH_SOCKET_MESSAGE_MAX (64 * 1024) /* from a client, which has nothing to say there */
#define CONTINUE_TOKEN_BYTES_MAX 4096        /* far above the longest key, twice */
#define PROXY_HEADERS_MAX 160                /* of a request that is passed on, with those we add */
#define PROXY_TARGET_BYTES_MAX (32 * 1024)
#define HTML_TAG_BYTES_MAX (64 * 1024) /* a page with a longer tag is passed on as it is from there */

/* X(limit, name in /metrics). What it answers stands behind it. */
#define API_LIMITS(X)                                                                                                  \
    X(LIMIT_BODY_BYTES, "body_bytes")               /* BODY_BYTES_MAX: 413 */                                          \
    X(LIMIT_HEADER_BYTES, "header_bytes")           /* HTTP_SERVER_HEAD_BYTES_MAX: 431, 414 for the request line */    \
    X(LIMIT_HEADERS, "headers")                     /* HTTP_SERVER_HEADERS_MAX: 431 */                                 \
    X(LIMIT_CONNECTIONS, "connections")             /* connections_max: they wait */                                   \
    X(LIMIT_TUNNELS, "tunnels")                     /* tunnels_max: 429 */                                             \
    X(LIMIT_SLOW_HEAD, "slow_head")                 /* HTTP_SERVER_HEAD_S: cut */                                      \
    X(LIMIT_SLOW_BODY, "slow_body")                 /* HTTP_SERVER_BODY_S: cut */                                      \
    X(LIMIT_SLOW_READER, "slow_reader")             /* HTTP_SERVER_STALL_S: cut */                                     \
    X(LIMIT_REQUESTS, "requests")                   /* REQUESTS_MAX: 429 */                                            \
    X(LIMIT_OBJECT_BYTES, "object_bytes")           /* OBJECT_BYTES_MAX: 413 */                                        \
    X(LIMIT_PATCH, "patch")                         /* PATCH_OPERATIONS_MAX, what they carry: 413 */                   \
    X(LIMIT_SELECTOR_BYTES, "selector_bytes")       /* SELECTOR_BYTES_MAX: 400 */                                      \
    X(LIMIT_DELETE_COLLECTION, "delete_collection") /* DELETE_COLLECTION_MAX: 413 */                                   \
    X(LIMIT_WATCH_RING, "watch_ring")               /* RING_*: 410 Expired in the watch, which ends */                 \
    X(LIMIT_UPDATE_ATTEMPTS, "update_attempts")     /* UPDATE_ATTEMPTS_MAX, PATCH_ATTEMPTS_MAX: 409 */                 \
    X(LIMIT_GENERATE_ATTEMPTS, "generate_attempts") /* GENERATE_ATTEMPTS_MAX: 409 */                                   \
    X(LIMIT_FRESH_WAIT, "fresh_wait")               /* FUTURE_WAIT_MS: 504; FRESH_WAIT_MS: 503 */                      \
    X(LIMIT_WARNINGS, "warnings")                   /* WARNINGS_*: further ones are left out */                        \
    X(LIMIT_LOG_READER, "log_reader")               /* eight STREAM_WINDOW_BYTES: the log is cut */

enum limit {
    LIMIT_NONE,
#define X(limit, name) limit,
    API_LIMITS(X)
#undef X
        LIMIT_COUNT
};

struct metrics;
struct metric;
struct limit_metrics {
    struct metric *hits[LIMIT_COUNT];
};

void limits_register(struct limit_metrics *l, struct metrics *m); /* all of them, at zero */
void limit_hit(const struct limit_metrics *l, enum limit which);  /* LIMIT_NONE: nothing */

#endif
