#include "common/base.h"

#include "raftstore/http_keys.h"

#include "common/base64.h"
#include "common/json.h"
#include "common/mem.h"

#include <stdio.h>

#define DEPTH_MAX 64 /* deeper directories are shown without what they hold */

int http_keys_error(struct buf *out, int status, int error_code, const char *message, struct slice cause, int64_t index)
{
    buf_reset(out);
    buf_printf(out, "{\"errorCode\":%d,\"message\":\"%s\",\"cause\":", error_code, message);
    json_print_string(json_utf8(cause) ? cause : SLICE(""), out);
    buf_printf(out, ",\"index\":%lld}\n", (long long)index);
    return status;
}

/* --- the tree --- */

struct view {
    const struct kv *kvs; /* in key order */
    struct buf *out;
    bool recursive;
    bool slash;           /* keys begin with one; else it is put before them */
};

static void put_key(const struct view *v, struct slice key)
{
    struct buf text = {0};
    if (!v->slash)
        buf_append_char(&text, '/');
    buf_append_slice(&text, key);
    buf_append_str(v->out, "{\"key\":");
    if (json_utf8(buf_slice(&text))) {
        json_print_string(buf_slice(&text), v->out);
    } else {
        struct buf coded = {0};
        base64_append(&coded, buf_slice(&text));
        json_print_string(buf_slice(&coded), v->out);
        buf_append_str(v->out, ",\"keyEncoding\":\"base64\"");
        buf_release(&coded);
    }
    buf_release(&text);
}

static void put_indices(const struct view *v, int64_t modified, int64_t created)
{
    buf_printf(v->out, ",\"modifiedIndex\":%lld,\"createdIndex\":%lld}", (long long)modified, (long long)created);
}

static void put_leaf(const struct view *v, const struct kv *kv)
{
    put_key(v, kv->key);
    buf_append_str(v->out, ",\"value\":");
    if (json_utf8(kv->value)) {
        json_print_string(kv->value, v->out);
    } else {
        struct buf coded = {0};
        base64_append(&coded, kv->value);
        json_print_string(buf_slice(&coded), v->out);
        buf_append_str(v->out, ",\"encoding\":\"base64\"");
        buf_release(&coded);
    }
    put_indices(v, kv->mod_revision, kv->create_revision);
}

static void put_dir(const struct view *v, size_t from, size_t to, size_t prefix, unsigned depth, bool open);

/* What stands in a directory: leaves, and one node for each run of keys that go on with '/'. `prefix`: of the keys, '/' included. */
static void put_nodes(const struct view *v, size_t from, size_t to, size_t prefix, unsigned depth)
{
    bool any = false;
    buf_append_str(v->out, ",\"nodes\":[");
    for (size_t i = from, end; i < to; i = end) {
        struct slice key = v->kvs[i].key, rest = slice_from(key, prefix);
        size_t name = slice_find(rest, '/');
        end = i + 1;
        if (rest.size == 0)
            continue; /* "a/" itself, within "a/" */
        if (v->out->size > HTTP_KEYS_BYTES_MAX)
            break; /* is refused */
        if (any)
            buf_append_char(v->out, ',');
        any = true;
        if (name == rest.size) {
            put_leaf(v, &v->kvs[i]);
            continue;
        }
        struct slice below = {key.data, prefix + name + 1};
        while (end < to && slice_has_prefix(v->kvs[end].key, below))
            end++;
        put_dir(v, i, end, below.size, depth + 1, v->recursive);
    }
    buf_append_char(v->out, ']');
}

static void put_dir(const struct view *v, size_t from, size_t to, size_t prefix, unsigned depth, bool open)
{
    int64_t modified = 0, created = INT64_MAX;
    for (size_t i = from; i < to; i++) {
        modified = MAX(modified, v->kvs[i].mod_revision);
        created = MIN(created, v->kvs[i].create_revision);
    }
    put_key(v, (struct slice){v->kvs[from].key.data, prefix == 0 ? 0 : prefix - 1});
    buf_append_str(v->out, ",\"dir\":true");
    if (open && depth < DEPTH_MAX)
        put_nodes(v, from, to, prefix, depth);
    put_indices(v, modified, created);
}

/* --- reading --- */

static int read_span(struct mvcc *m, struct kv_span span, struct arena *arena, struct kv_range_result *ret)
{
    struct kv_range range = {.span = span, .limit = HTTP_KEYS_MAX};
    return mvcc_range(m, &range, arena, ret, NULL);
}

/* Prints the node at `base` (no '/' at its end; empty: the root) into `out`: 0, ERR_NOT_FOUND, ERR_TOO_LARGE. */
static int put_base(struct mvcc *m, struct slice base, bool slash, bool recursive, struct arena *arena, struct buf *out)
{
    struct kv_range_result r;
    struct buf from = {0}, end = {0};
    struct view v = {.out = out, .recursive = recursive, .slash = slash};
    int status = ERR_NOT_FOUND;
    if (base.size > 0 && read_span(m, (struct kv_span){.key = base}, arena, &r) == 0 && r.kv_count == 1) {
        put_leaf(&v, r.kvs);
        return 0;
    }
    bool root = base.size == 0 && !slash; /* everything, whatever it begins with */
    buf_append_slice(&from, base);
    buf_append_slice(&end, base);
    buf_append_char(&from, root ? '\0' : '/');
    buf_append_char(&end, root ? '\0' : '/' + 1);
    if (read_span(m, (struct kv_span){buf_slice(&from), buf_slice(&end)}, arena, &r) == 0 && r.kv_count > 0) {
        v.kvs = r.kvs;
        if (!r.more)
            put_dir(&v, 0, r.kv_count, root ? 0 : from.size, 0, true);
        status = r.more || out->size > HTTP_KEYS_BYTES_MAX ? ERR_TOO_LARGE : 0;
    }
    buf_release(&from);
    buf_release(&end);
    return status;
}

int http_keys_render(struct mvcc *m, struct slice path, bool recursive, struct buf *out)
{
    static const char head[] = "{\"action\":\"get\",\"node\":";
    struct arena arena = {0};
    while (path.size > 0 && path.data[path.size - 1] == '/')
        path.size--;
    buf_append_str(out, head);
    int status = put_base(m, path, true, recursive, &arena, out);
    if (status == ERR_NOT_FOUND)
        status = put_base(m, path.size > 0 ? slice_from(path, 1) : path, false, recursive, &arena, out);
    arena_clear(&arena);
    if (status == 0) {
        buf_append_str(out, "}\n");
        return 200;
    }
    struct slice cause = path.size == 0 ? SLICE("/") : path;
    if (status == ERR_TOO_LARGE)
        return http_keys_error(out, 413, 400, "Too much below this path: ask for a longer one", cause, mvcc_revision(m));
    if (path.size == 0) { /* an empty store has a root all the same */
        buf_reset(out);
        buf_printf(out, "%s{\"key\":\"/\",\"dir\":true,\"nodes\":[],\"modifiedIndex\":0,\"createdIndex\":0}}\n", head);
        return 200;
    }
    return http_keys_error(out, 404, 100, "Key not found", cause, mvcc_revision(m));
}

/* --- requests --- */

struct keys_request {
    struct read_index round;
    const struct http_keys_options *options;
    struct http_exchange *x; /* NULL: its client has left */
    bool recursive;
};

bool http_keys_path(struct slice path)
{
    struct slice own = SLICE(HTTP_KEYS_PATH);
    return slice_has_prefix(path, own) && (path.size == own.size || path.data[own.size] == '/');
}

static void respond(const struct http_keys_options *o, struct http_exchange *x, int status, const struct buf *body)
{
    char index[24];
    int n = snprintf(index, sizeof index, "%lld", (long long)mvcc_revision(o->store(o->arg)));
    const struct http_header headers[] = {{SLICE("Content-Type"), SLICE("application/json")},
                                          {SLICE("X-Etcd-Index"), slice_of(index, (size_t)n)},
                                          {SLICE("Allow"), SLICE("GET")}};
    http_respond(x, status, headers, status == 405 ? 3 : 2, buf_slice(body), NULL);
}

static void answer(const struct http_keys_options *o, struct http_exchange *x, bool recursive)
{
    struct buf out = {0};
    int status = http_keys_render(o->store(o->arg), slice_from(x->request.path, sizeof HTTP_KEYS_PATH - 1), recursive, &out);
    respond(o, x, status, &out);
    buf_release(&out);
}

static void refuse(const struct http_keys_options *o, struct http_exchange *x, int status, int error_code, const char *message,
                   const char *cause)
{
    struct buf out = {0};
    (void)http_keys_error(&out, status, error_code, message, slice_str(cause), mvcc_revision(o->store(o->arg))); /* is `status` */
    respond(o, x, status, &out);
    buf_release(&out);
}

static void gone(struct http_exchange *x) { ((struct keys_request *)x->data)->x = NULL; }

static void round_done(struct read_index *round, int status)
{
    struct keys_request *k = container_of(round, struct keys_request, round);
    if (k->x != NULL && status == 0)
        answer(k->options, k->x, k->recursive);
    else if (k->x != NULL)
        refuse(k->options, k->x, 503, 301, "During Leader Election", "no leader answered; serializable=true reads this member as it is");
    mem_free(k);
}

/* "true", "false" or nothing; anything else is an error. */
static bool read_flag(struct slice query, const char *name, bool *ret)
{
    struct buf scratch = {0};
    struct slice value;
    bool there = http_query_get(query, name, &scratch, &value);
    bool yes = there && slice_is(value, "true"), good = !there || yes || slice_is(value, "false");
    buf_release(&scratch);
    *ret = yes;
    return good;
}

void http_keys(const struct http_keys_options *o, struct http_exchange *x)
{
    bool recursive, serializable, wait;
    if (!slice_is(x->request.method, "GET")) {
        refuse(o, x, 405, 107, "This view is read-only", "GET is all it takes");
        return;
    }
    if (!read_flag(x->request.query, "recursive", &recursive) || !read_flag(x->request.query, "serializable", &serializable) ||
        !read_flag(x->request.query, "wait", &wait) || wait) {
        refuse(o, x, 400, 209, "Invalid field", "recursive and serializable are true or false; there is no wait");
        return;
    }
    if (serializable) {
        answer(o, x, recursive);
        return;
    }
    struct keys_request *k = NEW(struct keys_request);
    *k = (struct keys_request){.round = {.done = round_done}, .options = o, .x = x, .recursive = recursive};
    list_init(&k->round.link);
    x->data = k;
    x->gone = gone;
    o->read_index(o->arg, &k->round);
}
