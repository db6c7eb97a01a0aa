/* Images of the node. Two OCI layouts are looked into: the preloaded one (read only) and the node's own, which skopeo
 * pulls into. Layers are unpacked once, by digest, with overlayfs marks for what they delete; a rename publishes them.
 * One request is served at a time, in order, as the kubelet does by default. */
#ifndef NODEAGENT_IMAGE_H
#define NODEAGENT_IMAGE_H

#include "common/base.h"
#include "common/env.h"
#include "common/err.h"
#include "common/json.h"
#include "common/list.h"
#include "nodeagent/pod_spec.h"

#define IMAGE_LAYERS_MAX 128
#define IMAGE_PULL_TIMEOUT_MS (15 * 60 * 1000)
#define IMAGE_UNPACK_TIMEOUT_MS (10 * 60 * 1000)

struct image_store;

struct image_store_options {
    const char *root;      /* the node's own folder: <root>/images, <root>/layers */
    const char *preloaded; /* an OCI layout, or NULL */
    bool insecure_registry; /* pull over plain HTTP or with any certificate */
};

/* ERR_NOT_FOUND or ERR_CORRUPT about the preloaded layout; the message names it. */
int image_store_new(struct env *env, const struct image_store_options *o, struct image_store **ret, struct err *reterr);
void image_store_free(struct image_store *s); /* no request may be open */
const char *image_store_layers(const struct image_store *s); /* folder with one folder per layer */

struct image_request {
    const char *image;      /* as the container names it; borrowed until done */
    enum pod_pull pull;
    /* status: 0; ERR_INVALID (InvalidImageName), ERR_NOT_FOUND (ErrImageNeverPull), anything else: ErrImagePull. */
    void (*done)(struct image_request *r, int status, const struct err *why);
    void *data;

    bool pulled;            /* from a registry, as against: was there already */
    char id[80];            /* "sha256:…" of the configuration */
    struct buf layers;      /* folder names, topmost first, separated by ':'; released by the caller */
    struct json_doc *doc;   /* owns config; freed by the caller */
    const struct json *config;

    struct list link;       /* of the store, like all that follows */
    void *impl;
    struct deferred deferred;
    struct err err;
    int status;
};
void image_ensure(struct image_store *s, struct image_request *r);

/* Names and sizes of what is there, for the Node's status: an array of {names, sizeBytes} in `d`, at most `max`. */
struct json *image_store_list(struct image_store *s, struct json_doc *d, size_t max);

#endif
