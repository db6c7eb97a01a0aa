/* One request inside the core: what it asks, where it stands, and the helpers that answer it. Private to apiserver/. */
#ifndef APISERVER_REQUEST_H
#define APISERVER_REQUEST_H

#include "apiserver/apiserver.h"
#include "apiserver/authn.h"
#include "apiserver/authz.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/limits.h"
#include "apiserver/rbac.h"
#include "apiserver/route.h"
#include "apiserver/schema.h"
#include "apiserver/status.h"
#include "apiserver/subresource.h"
#include "apiserver/verbs.h"
#include "apiserver/watch_cache.h"
#include "common/metrics.h"
#include "raftstore/client.h"

struct api_metrics {
    struct metric *requests, *seconds, *watches, *watch_events, *watch_cuts, *store_seconds, *conflicts;
    struct limit_metrics limits;
};

struct apiserver {
    struct env *env;
    struct store_client *store;
    struct tls *kubelet_tls, *store_tls;
    struct tls *any_tls; /* to whom a proxy is asked for by https: nobody's certificate is known there */
    const char *advertise, *issuer;
    const struct jwt_key *token_key; /* NULL: no tokens */
    unsigned bookmark_ms, repair_ms;
    size_t requests_max, delete_collection_max;
    struct watch_cache *caches[KINDS_MAX]; /* by kinds_index; NULL: never stored */
    struct mem_pool blocks; /* of requests' documents */
    struct list requests, ops;
    size_t request_count;
    struct metrics *metrics;
    struct bytes *event_heads[EVENT_TYPES], *event_end; /* around an object in a watch: watch_frames_make */
    struct api_metrics count;
    struct bootstrap *bootstrap;     /* NULL once what every cluster has exists */
    struct flow_status *flow_status; /* NULL: not yet bootstrapped */
    struct masters *masters;         /* NULL: no address to advertise */
    struct repair *repair;           /* of claims; NULL until what every cluster has exists */
    struct rbac *rbac;
    struct openapi_cache *openapi;
    bool bootstrapped;
    struct timer probe; /* asks the store whether it answers */
    uint64_t store_seen_ms;
    struct probe *probe_call; /* under way, or NULL */
    unsigned probes;
    bool closing;
    size_t caches_open, ops_open;
    struct deferred finish;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* A call of the store on behalf of a request, which may be gone when it returns. */
struct api_request;
struct store_op {
    struct store_call call;
    struct apiserver *api;
    struct api_request *request;
    void (*done)(struct api_request *r, struct store_call *call, int status, const struct err *why);
    struct list link;
    struct deferred over; /* the library owns the call's arena until done has returned */
    uint64_t began_ms;
};

struct write;
struct list_stream;
struct watch_stream;
struct log_stream;
struct connection;
struct proxying;
struct components;

struct api_request {
    struct apiserver *api;
    struct http_exchange *x; /* NULL: answered, or the client left */
    struct list link;
    struct route route;
    struct user user;
    struct accepted accept;
    struct failure failure;
    struct json_doc *doc;
    struct strict strict;
    struct {
        char etag[24];        /* with its quotes; empty: none */
        const char *control;  /* NULL: not to be kept */
        const char *location; /* of a redirect; borrowed until answered */
    } cache;
    bool streaming;    /* begin was called */
    struct gzip *gzip; /* of a streamed answer that the client takes compressed; NULL: as it is */
    bool warn;         /* unknown fields become Warning headers */
    size_t ops;        /* store calls in flight */
    struct cache_wait wait;
    void (*after_wait)(struct api_request *r, int status);
    struct deferred over;
    uint64_t began_ms;
    struct write *write;
    struct list_stream *list;
    struct watch_stream *watch;
    struct log_stream *log;
    struct connection *connection;
    struct proxying *proxy;
    struct components *components;
};

struct watch_cache *request_cache(const struct api_request *r); /* in the version asked for */
struct watch_cache *
stored_cache(const struct api_request *r); /* in the version that is stored: what writes decide on */

/* Answers. Each ends the request's part in the exchange. */
void request_answer(struct api_request *r, int status, const char *content_type, struct slice body);
void request_answer_bytes(struct api_request *r, int status, struct bytes *json);
/* 200 with an entity tag made of `hash`, or 304 when the client has that one. */
void request_answer_tagged(struct api_request *r, const char *content_type, struct slice body, uint64_t hash);
void request_fail(struct api_request *r); /* from r->failure */
int request_fail_with(struct api_request *r, int code, const char *format, ...) PRINTF_ARGS(3, 4);
void request_fail_store(struct api_request *r, int status, const struct err *why);
/* A cache that did not become as new as it had to be: the store does not answer. */
void request_fail_wait(struct api_request *r, int status);
void request_fail_too_new(struct api_request *r, int64_t wanted, int64_t have);
/* Stored bytes without resourceVersion, in the version of `k` and the format asked for. */
void request_answer_object(struct api_request *r, int status, const struct kind *k, struct slice stored,
                           int64_t revision);
void request_begin_stream(struct api_request *r, const char *content_type);
/* Another server's answer begins: its status and headers as they are given. Ended with request_end_stream. */
void request_begin_relay(struct api_request *r, int status, const struct http_header *headers, size_t n);
/* As above, for a long answer: compressed when the client takes it so. It is then written with request_write. */
void request_begin_long(struct api_request *r, const char *content_type);
void request_write(struct api_request *r, struct slice piece, bool last);
void request_end_stream(struct api_request *r, bool clean);
/* As http_upgrade: with 0 the request is over, and the connection is the tunnel's. */
int request_upgrade(struct api_request *r, const struct http_header *headers, size_t n, struct http_tunnel *t);

/* The same, but the request goes on, over `next`, whose ops are set: its stream has begun. */
int request_upgrade_to(struct api_request *r, const struct http_header *headers, size_t n, struct http_tunnel *t,
                       struct http_exchange *next);

/* Value of a query parameter, copied into `out` (terminated); false when absent. */
bool request_query(const struct api_request *r, const char *name, struct buf *out);
/* A decimal parameter: absent gives `fallback`; ERR_BAD_REQUEST is set in the failure. */
int request_query_int(struct api_request *r, const char *name, int64_t fallback, int64_t *ret);

/* resourceVersion: absent gives 0; a read and a watch refuse what is no number in different words. */
int request_query_revision(struct api_request *r, bool watch, int64_t *ret);

struct store_op *request_op(struct api_request *r,
                            void (*done)(struct api_request *, struct store_call *, int, const struct err *));
void request_wait(struct api_request *r, struct watch_cache *c, int64_t revision, uint64_t timeout_ms,
                  void (*after)(struct api_request *, int));
void request_wait_fresh(struct api_request *r, struct watch_cache *c, void (*after)(struct api_request *, int));

/* namespace/name of the route as the cache and, with its prefix, the store know it. */
void request_key(const struct api_request *r, struct slice name, struct buf *out);
void store_key(const struct kind *k, struct slice namespace, struct slice name, struct buf *out);

/* The verbs: read.c, watch.c, write*.c, log.c, discovery.c. */
void read_get(struct api_request *r);
void read_list(struct api_request *r);
int list_options_invalid(struct api_request *r, const char *field,
                         const char *detail); /* 422 of ListOptions: Forbidden */
void watch_begin(struct api_request *r);
void watch_frames_make(struct apiserver *a);
void watch_frames_free(struct apiserver *a);
void write_begin(struct api_request *r);
void log_begin(struct api_request *r);
void components_begin(struct api_request *r); /* components.c: how the parts of the control plane are */
void connect_begin(struct api_request *r);    /* connect.c: exec, attach, portforward */
void proxy_begin(struct api_request *r);      /* proxy.c */
void review_begin(struct api_request *r);     /* bodies that are answered and never stored */
bool discovery_answer(struct api_request *r); /* false: not its path */
/* openapi_serve.c: documents made once, the first time they are asked for or a moment after the start. */
struct openapi_cache *openapi_cache_new(struct env *env);
void openapi_cache_free(struct openapi_cache *c);
bool openapi_answer(struct api_request *r, struct slice path); /* false: no such document */
void list_free(struct list_stream *l);
void watch_free(struct watch_stream *w);
void write_free(struct write *w);
void log_free(struct log_stream *l);
void connection_free(struct connection *c);
void proxy_free(struct proxying *p);
void components_leave(struct components *c); /* the request goes; what is under way ends by itself */

struct slice request_content_type(const struct api_request *r); /* without parameters; empty when there is none */
/* body.c: the body by its content type, as a tree in r->doc; the failure is set. The first only reads it, `t` for
 * protobuf and the complaint; the second also wants it to be of that kind. */
int request_body_tree(struct api_request *r, const struct type *t, struct json **ret);
int request_parse_body(struct api_request *r, const struct kind *k, struct json **ret);

/* A request of the apiserver to itself, as system:apiserver. One at a time per struct; `done` runs exactly once unless
 * the apiserver closes first. Embedded; self_release at the end. */
struct self_call {
    struct http_exchange exchange;
    struct apiserver *api;
    struct net_peer peer;
    struct http_header headers[2];
    struct buf path, body;
    const char *query, *content_type; /* NULL: none, and JSON */
    bool open;
    void (*done)(struct self_call *c, int http_status, struct slice body);
};
void self_init(struct self_call *c, struct apiserver *a, void (*done)(struct self_call *, int, struct slice));
void self_send(struct self_call *c, const char *method); /* path and body are set */
void self_release(struct self_call *c);

/* bootstrap.c: namespaces, roles and bindings that every cluster has, and the Service `kubernetes`. */
void bootstrap_start(struct apiserver *a);
void bootstrap_stop(struct apiserver *a);
void bootstrap_free(struct bootstrap *b);
/* masters.c: which apiservers are alive, and the endpoints of the Service `kubernetes`. */
void masters_start(struct apiserver *a);
/* flow_status.c: the condition Dangling of flow schemas, from when what every cluster has is there. */
void flow_status_start(struct apiserver *a);
void flow_status_stop(struct apiserver *a);
void flow_status_free(struct flow_status *s);
/* escalation.c: 0, or ERR_FORBIDDEN when a role or binding would grant what the user does not hold. */
int escalation_check(struct api_request *r, const struct json *object, const struct json *old);
/* claims.c: compares claims with their objects, from when the caches are whole. */
void claims_start(struct apiserver *a);
void claims_stop(struct apiserver *a);
void claims_free(struct repair *p);
void masters_stop(struct apiserver *a);
void masters_free(struct masters *m);

/* Query of lists and watches: namespace, selectors. Released by the caller. */
int request_selection(struct api_request *r, struct selection *ret);
void selection_release(struct selection *s);

/* format.c: an object's bytes (with resourceVersion) in a format; one row of a Table. */
void format_object(const struct kind *k, enum event_format format, struct slice json, int64_t wall_ms, bool columns,
                   struct buf *out);
void format_row(const struct kind *k, enum event_format format, struct slice json, int64_t wall_ms, struct buf *out);
void format_partial(struct slice json, const struct json *tree, struct buf *out);

#endif
