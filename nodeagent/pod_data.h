/* What a pod takes from the API beside itself: ConfigMaps, Secrets, tokens of its ServiceAccount, the services of its
 * namespace. Fetched whole before containers start; read by environment.c and volume_files.c. */
#ifndef NODEAGENT_POD_DATA_H
#define NODEAGENT_POD_DATA_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"
#include "nodeagent/pod_spec.h"

#define POD_REFS_MAX 256
#define POD_FETCH_MAX_MS 10000 /* then what was known before is used */

enum pod_ref_kind { POD_REF_CONFIG_MAP, POD_REF_SECRET, POD_REF_TOKEN, POD_REF_SERVICES, POD_REF_MASTER };

struct pod_ref {
    enum pod_ref_kind kind;
    const char *name;     /* of a ConfigMap or Secret; the audience of a token, "" for the API's own */
    int64_t expiration_s; /* of a token */
    int status;           /* of the fetch */
    struct err why;
    struct json_doc *doc;
    struct json *tree;    /* NULL when it could not be had */
    uint64_t renew_at_ms; /* of a token: monotonic */
};

struct pod_data {
    struct pod_ref *refs;
    size_t count;
    struct arena arena;
};

/* What `p` refers to, each once; nothing fetched yet. ERR_TOO_LARGE beyond POD_REFS_MAX. */
int pod_data_new(const struct pod *p, struct pod_data **ret, struct err *reterr);
void pod_data_free(struct pod_data *d); /* NULL is fine */
struct pod_ref *pod_data_find(const struct pod_data *d, enum pod_ref_kind kind, const char *name);

/* The bytes under a key of a fetched ConfigMap (also binaryData) or Secret, in `arena`; false when there are none. */
bool pod_data_value(const struct pod_ref *r, struct slice key, struct arena *arena, struct slice *ret);
/* Why a reference cannot be used, as people know it from the kubelet. 0 when it can. */
int pod_data_check(const struct pod_data *d, enum pod_ref_kind kind, const char *name, struct err *reterr);

/* One fetch of everything, one request after the other. */
struct pod_fetch {
    void (*done)(struct pod_fetch *f); /* once, never inside start; `result` is complete, refs say how each went */
    void *data;                        /* of the caller */
    struct pod_data *result;           /* the caller's from `done` on */

    struct env *env; /* this and what follows is of pod_data.c */
    struct kube_client *client;
    const struct pod *pod;
    struct pod_data *before;
    struct kube_call call;
    struct timer timer;
    struct deferred deferred;
    size_t next;
    bool calling, late;
};

/* `d` becomes the result; `before` (NULL: none) gives tokens that are still fresh, and what cannot be reached now; it and
 * `p` stay until done. */
void pod_fetch_start(struct pod_fetch *f, struct env *env, struct kube_client *client, const struct pod *p, struct pod_data *d,
                     struct pod_data *before);
void pod_fetch_cancel(struct pod_fetch *f); /* done follows soon */

#endif
