/* One run of what a probe or a lifecycle hook asks for: a command in the container, an HTTP request, a TCP connection, a
 * pause. Requests leave from the node's network namespace. */
#ifndef NODEAGENT_HANDLER_H
#define NODEAGENT_HANDLER_H

#include "common/base.h"
#include "common/env.h"
#include "nodeagent/pod_spec.h"
#include "nodeagent/runtime.h"

#define HANDLER_MESSAGE_MAX 1024
#define HANDLER_HEADERS_MAX 32

struct handler_options {
    struct env *env;
    struct runtime *runtime;
    const struct pod *pod; /* needed during handler_start only, like `what` */
    size_t index;
    unsigned attempt;
    const char *address;   /* of the pod */
    const struct pod_handler *what;
    unsigned timeout_ms;
};

struct handler {
    /* Exactly once, never inside start or cancel. `message` says why it failed. */
    void (*done)(struct handler *h, bool ok, const char *message);
    void *data; /* of the caller */

    bool open;  /* this and all that follows is of this file */
    bool ok, canceled;
    struct env *env;
    struct runtime *runtime;
    enum pod_handler_kind kind;
    struct arena arena;
    struct runtime_call exec;
    struct http_call http;
    struct http_header headers[HANDLER_HEADERS_MAX];
    struct net_conn conn;
    struct timer timer;
    struct deferred deferred;
    char message[HANDLER_MESSAGE_MAX];
};

void handler_start(struct handler *h, const struct handler_options *o); /* `done` and `data` are set; it is not open */
void handler_cancel(struct handler *h);                                 /* `done` follows, not ok; harmless when not open */

#endif
