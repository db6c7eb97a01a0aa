/* See image.h. A request goes:  find ─(absent)─▶ pull ─▶ find ─▶ unpack each missing layer ─▶ done. */
#include "common/base.h"
#include "nodeagent/image.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "nodeagent/host.h"
#include "nodeagent/image_ref.h"

#define INDEX_BYTES_MAX (4 * 1024 * 1024)

struct image_store {
    struct env *env;
    char *own, *preloaded, *layers;
    bool insecure_registry;
    struct list queue; /* the first one is being served */
    struct proc_run run;
    const char *argv[16];
    char *scratch[4]; /* texts argv points to */
    struct image_ref ref;
    bool tried;
    const char *layout;         /* where the image was found */
    char layer[IMAGE_LAYERS_MAX][72]; /* hex digests, bottom first */
    size_t layer_count, layer_next;
};

static struct image_request *current(struct image_store *s)
{
    return LIST_FIRST(&s->queue, struct image_request, link);
}

static void serve(struct image_store *s);

static void on_finish(struct deferred *d)
{
    struct image_request *r = container_of(d, struct image_request, deferred);
    struct image_store *s = r->impl;
    list_remove(&r->link);
    r->done(r, r->status, r->status == 0 ? NULL : &r->err);
    if (!list_empty(&s->queue))
        serve(s);
}

static void finish(struct image_store *s, int status)
{
    struct image_request *r = current(s);
    r->status = status;
    loop_defer(&s->env->loop, &r->deferred);
}

static void scratch_clear(struct image_store *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->scratch); i++) {
        mem_free(s->scratch[i]);
        s->scratch[i] = NULL;
    }
    buf_release(&s->run.output);
    buf_release(&s->run.errors);
}

/* --- find --- */

static bool is_hex_digest(struct slice digest)
{
    if (!slice_has_prefix(digest, SLICE("sha256:")) || digest.size != 71)
        return false;
    for (size_t i = 7; i < digest.size; i++)
        if (memchr("0123456789abcdef", digest.data[i], 16) == NULL)
            return false;
    return true;
}

static int blob_read(const char *layout, struct slice digest, struct json_doc *d, struct json **ret, struct err *reterr)
{
    if (!is_hex_digest(digest))
        return err_set(reterr, ERR_CORRUPT, "image layout %s names a digest that is none: %.*s", layout, SLICE_ARGS(digest));
    char *path = mem_printf("%s/blobs/sha256/%.*s", layout, (int)digest.size - 7, digest.data + 7);
    struct buf text = {0};
    int rv = host_read_file(path, 0, INDEX_BYTES_MAX, &text, reterr);
    if (rv == 0 && (rv = json_parse(d, buf_slice(&text), ret, reterr)) < 0)
        rv = err_wrap(reterr, ERR_CORRUPT, "%s", path);
    buf_release(&text);
    mem_free(path);
    return rv;
}

static int index_read(const char *layout, struct json_doc *d, struct json **ret, struct err *reterr)
{
    char *path = mem_printf("%s/index.json", layout);
    struct buf text = {0};
    int rv = host_read_file(path, 0, INDEX_BYTES_MAX, &text, reterr);
    if (rv == 0 && (rv = json_parse(d, buf_slice(&text), ret, reterr)) < 0)
        rv = err_wrap(reterr, ERR_CORRUPT, "%s", path);
    buf_release(&text);
    mem_free(path);
    return rv;
}

static struct slice ref_name_of(const struct json *manifest)
{
    return json_string(json_get(json_get(manifest, "annotations"), "org.opencontainers.image.ref.name"));
}

static struct slice find_in(const char *layout, const struct image_ref *ref, struct json_doc *d)
{
    struct json *index;
    if (layout == NULL || index_read(layout, d, &index, NULL) < 0)
        return (struct slice){0}; /* no own layout before the first pull */
    struct json_iterator at = json_iterate(json_get(index, "manifests"));
    while (json_next(&at)) {
        struct slice name = ref_name_of(at.value);
        if (slice_is(name, ref->name) || slice_is(name, ref->short_name))
            return json_string(json_get(at.value, "digest"));
    }
    return (struct slice){0};
}

static int manifest_take(struct image_store *s, const struct json *manifest, struct err *reterr)
{
    s->layer_count = s->layer_next = 0;
    struct json_iterator at = json_iterate(json_get(manifest, "layers"));
    while (json_next(&at)) {
        struct slice digest = json_string(json_get(at.value, "digest"));
        if (!is_hex_digest(digest) || s->layer_count == IMAGE_LAYERS_MAX)
            return err_set(reterr, ERR_CORRUPT, "image %s: at most %d layers with sha256 digests can be used", s->ref.name,
                           IMAGE_LAYERS_MAX);
        (void)snprintf(s->layer[s->layer_count++], sizeof s->layer[0], "%.*s", (int)digest.size - 7, digest.data + 7);
    }
    if (s->layer_count == 0)
        return err_set(reterr, ERR_CORRUPT, "image %s has no layers", s->ref.name);
    return 0;
}

/* 0 and the request filled in, ERR_NOT_FOUND, or what is wrong with the image. */
static int find(struct image_store *s, struct image_request *r)
{
    const char *layouts[] = {s->own, s->preloaded};
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        struct json_doc *d = json_doc_new();
        struct slice digest = find_in(layouts[i], &s->ref, d);
        if (digest.size == 0) {
            json_doc_free(d);
            continue;
        }
        struct json *manifest, *config;
        s->layout = layouts[i];
        int rv = blob_read(s->layout, digest, d, &manifest, &r->err);
        if (rv == 0)
            rv = manifest_take(s, manifest, &r->err);
        struct slice id = rv == 0 ? json_string_at(manifest, "config.digest") : (struct slice){0};
        if (rv == 0)
            rv = blob_read(s->layout, id, d, &config, &r->err);
        if (rv < 0) {
            json_doc_free(d);
            return rv == ERR_NOT_FOUND ? ERR_CORRUPT : rv;
        }
        r->doc = d;
        r->config = config;
        (void)snprintf(r->id, sizeof r->id, "%.*s", SLICE_ARGS(id));
        return 0;
    }
    return ERR_NOT_FOUND;
}

/* --- unpack --- */

static void unpack_next(struct image_store *s);

static void on_unpacked(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct image_store *s = run->data;
    struct image_request *r = current(s);
    const char *layer = s->layer[s->layer_next], *folder = s->scratch[0];
    char *final = mem_printf("%s/%s", s->layers, layer);
    int rv = status;
    if (status < 0)
        r->err = run->err;
    else if (exit->code != 0 || exit->signal != 0)
        rv = err_set(&r->err, ERR_CORRUPT, "unpack layer %.12s of %s: %.*s", layer, s->ref.name,
                     (int)MIN(run->errors.size, (size_t)200), run->errors.data == NULL ? "" : run->errors.data);
    if (rv == 0)
        rv = host_layer_marks(folder, &r->err);
    if (rv == 0)
        rv = host_rename(folder, final, &r->err);
    mem_free(final);
    scratch_clear(s);
    if (rv < 0) {
        finish(s, rv);
        return;
    }
    s->layer_next++;
    unpack_next(s);
}

static void unpack_start(struct image_store *s, const char *layer)
{
    struct image_request *r = current(s);
    s->scratch[0] = mem_printf("%s/%s.new", s->layers, layer);
    s->scratch[1] = mem_printf("%s/blobs/sha256/%s", s->layout, layer);
    int rv = host_remove_tree(s->scratch[0], &r->err);
    if (rv == 0)
        rv = host_mkdirs(s->scratch[0], 0755, &r->err);
    if (rv < 0) {
        scratch_clear(s);
        finish(s, rv);
        return;
    }
    const char *argv[] = {"tar", "-C", s->scratch[0], "-xpf", s->scratch[1], "--numeric-owner", "--xattrs",
                          "--xattrs-include=*", NULL};
    memcpy(s->argv, argv, sizeof argv);
    s->run = (struct proc_run){.argv = s->argv, .stdout_fd = -1, .stderr_fd = -1, .timeout_ms = IMAGE_UNPACK_TIMEOUT_MS,
                               .done = on_unpacked, .data = s};
    proc_run(&s->env->proc, &s->run);
}

static void unpack_next(struct image_store *s)
{
    for (; s->layer_next < s->layer_count; s->layer_next++) {
        struct host_stat st;
        char *path = mem_printf("%s/%s", s->layers, s->layer[s->layer_next]);
        bool there = host_stat(path, &st) == 0;
        mem_free(path);
        if (!there) {
            unpack_start(s, s->layer[s->layer_next]);
            return;
        }
    }
    struct image_request *r = current(s);
    for (size_t i = s->layer_count; i > 0; i--)
        buf_printf(&r->layers, "%s%s", i == s->layer_count ? "" : ":", s->layer[i - 1]);
    finish(s, 0);
}

/* --- pull --- */

/* skopeo says what is wrong in its last line, after msg=. */
static struct slice last_words(const struct buf *errors)
{
    struct slice text = buf_slice(errors);
    while (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    const char *line = text.size == 0 ? NULL : memrchr(text.data, '\n', text.size);
    if (line != NULL)
        text = slice_from(text, (size_t)(line + 1 - text.data));
    const char *words = text.size == 0 ? NULL : memmem(text.data, text.size, "msg=", 4);
    return words == NULL ? text : slice_from(text, (size_t)(words + 4 - text.data));
}

static void on_pulled(struct proc_run *run, int status, const struct proc_exit *exit)
{
    struct image_store *s = run->data;
    struct image_request *r = current(s);
    struct slice words = last_words(&run->errors);
    int rv = status;
    if (status < 0)
        r->err = run->err;
    else if (exit->signal != 0)
        rv = err_set(&r->err, ERR_TIMEOUT, "failed to pull image \"%s\": no end within %d minutes", s->ref.name,
                     IMAGE_PULL_TIMEOUT_MS / 60000);
    else if (exit->code != 0)
        rv = err_set(&r->err, ERR_UNAVAILABLE, "failed to pull image \"%s\": %.*s", s->ref.name,
                     (int)MIN(words.size, (size_t)350), words.data == NULL ? "" : words.data);
    scratch_clear(s);
    if (rv < 0) {
        finish(s, rv);
        return;
    }
    r->pulled = true;
    serve(s);
}

static void pull(struct image_store *s)
{
    s->tried = true;
    s->scratch[0] = mem_printf("docker://%s", s->ref.name);
    s->scratch[1] = mem_printf("oci:%s:%s", s->own, s->ref.name);
    size_t n = 0;
    s->argv[n++] = "skopeo";
    s->argv[n++] = "--insecure-policy";
    s->argv[n++] = "copy";
    s->argv[n++] = "--quiet";
    if (s->insecure_registry)
        s->argv[n++] = "--src-tls-verify=false";
    s->argv[n++] = s->scratch[0];
    s->argv[n++] = s->scratch[1];
    s->argv[n] = NULL;
    s->run = (struct proc_run){.argv = s->argv, .stdout_fd = -1, .stderr_fd = -1, .timeout_ms = IMAGE_PULL_TIMEOUT_MS,
                               .done = on_pulled, .data = s};
    proc_run(&s->env->proc, &s->run);
}

/* --- requests --- */

static void serve(struct image_store *s)
{
    struct image_request *r = current(s);
    int rv = r->pulled ? 0 : image_ref_parse(r->image, &s->ref, &r->err);
    if (rv < 0) {
        finish(s, rv);
        return;
    }
    if (!r->pulled)
        s->tried = false;
    rv = r->pull == POD_PULL_ALWAYS && !s->tried ? ERR_NOT_FOUND : find(s, r);
    if (rv == 0)
        unpack_next(s);
    else if (rv != ERR_NOT_FOUND)
        finish(s, rv);
    else if (r->pull == POD_PULL_NEVER)
        finish(s, err_set(&r->err, ERR_NOT_FOUND, "Container image \"%s\" is not present with pull policy of Never", r->image));
    else if (s->tried)
        finish(s, err_set(&r->err, ERR_CORRUPT, "image %s is not in the store after its pull", s->ref.name));
    else
        pull(s);
}

void image_ensure(struct image_store *s, struct image_request *r)
{
    bool idle = list_empty(&s->queue);
    r->impl = s;
    r->pulled = false;
    r->layers = (struct buf){0};
    r->doc = NULL;
    r->config = NULL;
    deferred_init(&r->deferred, on_finish);
    list_push_back(&s->queue, &r->link);
    if (idle)
        serve(s);
}

const char *image_store_layers(const struct image_store *s) { return s->layers; }

static uint64_t size_of(const char *layout, struct slice digest, struct json_doc *d)
{
    struct json *manifest;
    uint64_t size = 0;
    if (blob_read(layout, digest, d, &manifest, NULL) < 0)
        return 0;
    struct json_iterator at = json_iterate(json_get(manifest, "layers"));
    while (json_next(&at))
        size += (uint64_t)MAX(json_int_at(at.value, "size", 0), 0);
    return size;
}

struct json *image_store_list(struct image_store *s, struct json_doc *d, size_t max)
{
    const char *layouts[] = {s->own, s->preloaded};
    struct json *images = json_new_array(d), *index;
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        if (layouts[i] == NULL || index_read(layouts[i], d, &index, NULL) < 0)
            continue; /* as in find_in */
        struct json_iterator at = json_iterate(json_get(index, "manifests"));
        while (json_next(&at) && json_size(images) < max) {
            struct json *image = json_new_object(d), *names = json_new_array(d);
            json_append(names, json_new_string(d, ref_name_of(at.value)));
            json_set(d, image, "names", names);
            json_set_int(d, image, "sizeBytes", (int64_t)size_of(layouts[i], json_string(json_get(at.value, "digest")), d));
            json_append(images, image);
        }
    }
    return images;
}

int image_store_new(struct env *env, const struct image_store_options *o, struct image_store **ret, struct err *reterr)
{
    struct image_store *s = NEW(struct image_store);
    s->env = env;
    s->own = mem_printf("%s/images", o->root);
    s->layers = mem_printf("%s/layers", o->root);
    s->preloaded = mem_strdup(o->preloaded);
    s->insecure_registry = o->insecure_registry;
    list_init(&s->queue);
    int rv = host_mkdirs(s->layers, 0700, reterr);
    if (rv == 0 && s->preloaded != NULL) {
        struct json_doc *d = json_doc_new();
        struct json *index;
        if ((rv = index_read(s->preloaded, d, &index, reterr)) < 0)
            (void)err_wrap(reterr, rv, "--images %s is no OCI layout (run tools/images.sh)", s->preloaded);
        json_doc_free(d);
    }
    if (rv < 0) {
        image_store_free(s);
        return rv;
    }
    *ret = s;
    return 0;
}

void image_store_free(struct image_store *s)
{
    if (s == NULL)
        return;
    ASSERT(list_empty(&s->queue));
    mem_free(s->own);
    mem_free(s->layers);
    mem_free(s->preloaded);
    mem_free(s);
}
