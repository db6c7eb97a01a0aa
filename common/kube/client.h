/* REST verbs against the apiserver tier, over the HTTP seam. Endpoints rotate on a connect error or 503; a read or a
 * delete is tried again, a write only where the answer proves that it was not carried out. */
#ifndef COMMON_KUBE_CLIENT_H
#define COMMON_KUBE_CLIENT_H

#include "common/base.h"
#include "common/env.h"
#include "common/err.h"
#include "common/json.h"

struct kube_client;
struct tls;

#define KUBE_ENDPOINTS_MAX 9

struct kube_client_options {
    const char *const *endpoints; /* "https://10.0.0.1:6443" */
    size_t endpoint_count;
    struct tls *tls;              /* a reference is taken */
    const char *user_agent;       /* "keelson-scheduler" */
};

struct kube_client *kube_client_new(struct env *env, const struct kube_client_options *o);
void kube_client_close(struct kube_client *c, void (*closed)(void *arg), void *arg); /* open calls end with ERR_CANCELED */
struct env *kube_client_env(struct kube_client *c);

enum kube_patch { KUBE_PATCH_MERGE, KUBE_PATCH_STRATEGIC, KUBE_PATCH_JSON };

struct kube_call {
    /* status: 0 for 2xx, else the ERR_* of the answer's Status reason, with its message in `why`; ERR_CONNECT, ERR_TIMEOUT.
     * `body` is the answer's JSON text, borrowed for the call. */
    void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why);
    void *data;
    void *impl;
};

/* `path` is the whole path with query ("/api/v1/namespaces/default/pods/web-0"); path and body are copied. */
void kube_get(struct kube_client *c, struct kube_call *call, const char *path);
void kube_create(struct kube_client *c, struct kube_call *call, const char *path, struct slice body);
void kube_update(struct kube_client *c, struct kube_call *call, const char *path, struct slice body);
void kube_patch(struct kube_client *c, struct kube_call *call, const char *path, enum kube_patch type, struct slice body);
void kube_delete(struct kube_client *c, struct kube_call *call, const char *path, struct slice options);
void kube_cancel(struct kube_client *c, struct kube_call *call); /* done follows with ERR_CANCELED */

/* A watch stream: lines of JSON events. Ends with `closed`; the caller decides what to do then (see informer.h). */
struct kube_stream {
    void (*on_event)(struct kube_stream *s, struct slice type, const struct json *object, struct slice object_text);
    void (*closed)(struct kube_stream *s, int status, const struct err *why);
    void *data;
    void *impl;
};
void kube_watch(struct kube_client *c, struct kube_stream *s, const char *path);
void kube_watch_stop(struct kube_client *c, struct kube_stream *s);

#endif
