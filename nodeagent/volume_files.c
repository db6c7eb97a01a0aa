#include "common/base.h"
#include "nodeagent/volume_files.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/map.h"
#include "nodeagent/host.h"

/* --- which there are --- */

static bool is_below(const char *path)
{
    struct slice rest = slice_str(path);
    if (rest.size == 0 || rest.size > 4000 || path[0] == '/' || slice_has_prefix(rest, SLICE("..")))
        return false;
    while (rest.size > 0) {
        struct slice part = slice_cut(&rest, '/');
        if (part.size == 0 || part.size > 255 || slice_is(part, ".") || slice_is(part, ".."))
            return false;
    }
    return true;
}

/* A later one of the same path takes the place of the earlier. */
static int put(struct volume_files *v, const char *path, struct slice content, unsigned mode, struct err *reterr)
{
    if (!is_below(path))
        return err_set(reterr, ERR_INVALID, "file path %s must be relative and without '..'", path);
    size_t at = 0;
    while (at < v->count && strcmp(v->files[at].path, path) != 0)
        at++;
    if (at == VOLUME_FILES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "more than %d files", VOLUME_FILES_MAX);
    v->files[at] = (struct volume_file){path, content, mode};
    v->count = MAX(v->count, at + 1);
    return 0;
}

static unsigned mode_of(const struct json *item, const struct pod_volume *volume)
{
    return (unsigned)(json_int_at(item, "mode", volume->default_mode) & 0777);
}

static int put_every_key(struct volume_files *v, const struct pod_volume *volume, const struct pod_ref *r, struct err *reterr)
{
    static const char *const maps[] = {"data", "binaryData"};
    int rv = 0;
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        struct json_iterator at = json_iterate(json_get(r->tree, maps[i]));
        while (rv == 0 && json_next(&at)) {
            struct slice content;
            if (!pod_data_value(r, at.key, &v->arena, &content))
                return err_set(reterr, ERR_INVALID, "key %.*s of %s is not base64", SLICE_ARGS(at.key), r->name);
            rv = put(v, arena_strdup(&v->arena, at.key), content, volume->default_mode, reterr);
        }
    }
    return rv;
}

static int put_object(struct volume_files *v, const struct pod_volume *volume, const struct pod_source *s,
                      const struct pod_data *data, struct err *reterr)
{
    enum pod_ref_kind kind = s->kind == POD_SOURCE_SECRET ? POD_REF_SECRET : POD_REF_CONFIG_MAP;
    int rv = pod_data_check(data, kind, s->object, reterr);
    if (rv == ERR_NOT_FOUND && s->optional)
        return 0;
    if (rv < 0)
        return rv;
    const struct pod_ref *r = pod_data_find(data, kind, s->object);
    if (s->items == NULL)
        return put_every_key(v, volume, r, reterr);
    struct json_iterator at = json_iterate(s->items);
    while (rv == 0 && json_next(&at)) {
        struct slice key = json_string(json_get(at.value, "key")), content;
        if (pod_data_value(r, key, &v->arena, &content))
            rv = put(v, arena_strdup(&v->arena, json_string(json_get(at.value, "path"))), content, mode_of(at.value, volume), reterr);
        else if (!s->optional)
            rv = err_set(reterr, ERR_INVALID, "references non-existent %s key: %.*s",
                         kind == POD_REF_SECRET ? "secret" : "config", SLICE_ARGS(key));
    }
    return rv;
}

static int put_downward(struct volume_files *v, const struct pod *p, const struct pod_volume *volume, const struct pod_source *s,
                        const struct environment_facts *facts, struct err *reterr)
{
    int rv = 0;
    struct json_iterator at = json_iterate(s->items);
    while (rv == 0 && json_next(&at)) {
        const struct json *resource = json_get(at.value, "resourceFieldRef"), *divisor = json_get(resource, "divisor");
        const char *text = NULL;
        if (resource != NULL) {
            struct slice by = json_type(divisor) == JSON_NUMBER ? json_number_text(divisor) : json_string(divisor);
            struct pod_resource_field f = {json_string(json_get(resource, "containerName")).data,
                                           arena_strdup(&v->arena, json_string(json_get(resource, "resource"))),
                                           by.size == 0 ? SLICE("1") : by};
            int64_t number;
            rv = downward_resource(p, NULL, facts, &f, &number, reterr);
            if (rv == 0)
                text = arena_printf(&v->arena, "%lld", (long long)number);
        } else {
            const char *field = arena_strdup(&v->arena, json_string_at(at.value, "fieldRef.fieldPath"));
            text = downward_field(p, facts, field, &v->arena);
            if (text == NULL)
                rv = err_set(reterr, ERR_INVALID, "field %s cannot be read", field);
        }
        if (rv == 0)
            rv = put(v, arena_strdup(&v->arena, json_string(json_get(at.value, "path"))),
                     arena_slice(&v->arena, slice_str(text)), mode_of(at.value, volume), reterr);
    }
    return rv;
}

static int put_token(struct volume_files *v, const struct pod_volume *volume, const struct pod_source *s,
                     const struct pod_data *data, struct err *reterr)
{
    const char *audience = s->audience == NULL ? "" : s->audience;
    int rv = pod_data_check(data, POD_REF_TOKEN, audience, reterr);
    if (rv < 0)
        return err_wrap(reterr, rv, "failed to fetch token");
    struct slice token = json_string_at(pod_data_find(data, POD_REF_TOKEN, audience)->tree, "status.token");
    if (token.size == 0)
        return err_set(reterr, ERR_INVALID, "failed to fetch token: the answer holds none");
    return put(v, s->path, arena_slice(&v->arena, token), volume->default_mode, reterr);
}

int volume_files_build(struct volume_files *v, const struct pod *p, const struct pod_volume *volume, const struct pod_data *data,
                       const struct environment_facts *facts, struct err *reterr)
{
    int rv = 0;
    v->files = arena_alloc(&v->arena, VOLUME_FILES_MAX * sizeof *v->files);
    for (size_t i = 0; i < volume->source_count && rv == 0; i++) {
        const struct pod_source *s = &volume->sources[i];
        if (s->kind == POD_SOURCE_DOWNWARD)
            rv = put_downward(v, p, volume, s, facts, reterr);
        else if (s->kind == POD_SOURCE_TOKEN)
            rv = put_token(v, volume, s, data, reterr);
        else
            rv = put_object(v, volume, s, data, reterr);
    }
    return rv;
}

void volume_files_release(struct volume_files *v) { arena_clear(&v->arena); }

/* --- how they come into place --- */

static uint64_t digest_of(const struct volume_files *v)
{
    struct buf all = {0};
    for (size_t i = 0; i < v->count; i++) {
        buf_printf(&all, "%zu %s %o %zu ", strlen(v->files[i].path), v->files[i].path, v->files[i].mode, v->files[i].content.size);
        buf_append_slice(&all, v->files[i].content);
    }
    uint64_t digest = hash_bytes(buf_slice(&all));
    buf_release(&all);
    return digest;
}

static int write_below(const struct volume_files *v, const char *folder, struct err *reterr)
{
    int rv = host_mkdirs(folder, 0755, reterr);
    for (size_t i = 0; i < v->count && rv == 0; i++) {
        char *path = mem_printf("%s/%s", folder, v->files[i].path), *slash = strrchr(path, '/');
        *slash = '\0';
        rv = host_mkdirs(path, 0755, reterr);
        *slash = '/';
        if (rv == 0)
            rv = host_write_file(path, v->files[i].content, v->files[i].mode, reterr);
        mem_free(path);
    }
    return rv;
}

struct sweep {
    const struct volume_files *v;
    const char *folder, *current;
    int status;
    struct err *reterr;
};

static bool is_head(const struct volume_files *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++) {
        struct slice rest = slice_str(v->files[i].path);
        if (slice_is(slice_cut(&rest, '/'), name))
            return true;
    }
    return false;
}

static void sweep_one(void *arg, const char *name)
{
    struct sweep *s = arg;
    bool keep = strcmp(name, "..data") == 0 || strcmp(name, s->current) == 0 || is_head(s->v, name);
    char *path = mem_printf("%s/%s", s->folder, name);
    if (!keep && s->status == 0)
        s->status = host_remove_tree(path, s->reterr);
    mem_free(path);
}

/* What users see: NAME → ..data/NAME for the first part of every path; made before what is no longer there goes. */
static int link_heads(const struct volume_files *v, const char *folder, struct err *reterr)
{
    int rv = 0;
    for (size_t i = 0; i < v->count && rv == 0; i++) {
        struct slice rest = slice_str(v->files[i].path), head = slice_cut(&rest, '/');
        char *to = mem_printf("..data/%.*s", SLICE_ARGS(head)), *path = mem_printf("%s/%.*s", folder, SLICE_ARGS(head));
        rv = host_symlink(to, path, reterr);
        mem_free(to);
        mem_free(path);
    }
    return rv;
}

int volume_files_write(const struct volume_files *v, const char *folder, const char *stamp, struct err *reterr)
{
    char suffix[32];
    struct buf now = {0};
    (void)snprintf(suffix, sizeof suffix, ".%016llx", (unsigned long long)digest_of(v));
    char *data = mem_printf("%s/..data", folder), *name = mem_printf("..%s%s", stamp, suffix);
    char *fresh = mem_printf("%s/%s", folder, name);
    int rv = host_mkdirs(folder, 0755, reterr);
    bool same = rv == 0 && host_read_link(data, &now) == 0 && slice_has_suffix(buf_slice(&now), slice_str(suffix));
    if (rv == 0 && !same) {
        rv = write_below(v, fresh, reterr);
        if (rv == 0)
            rv = host_symlink(name, data, reterr);
        if (rv == 0)
            rv = link_heads(v, folder, reterr);
        struct sweep sweep = {.v = v, .folder = folder, .current = name, .reterr = reterr};
        if (rv == 0)
            rv = host_list(folder, sweep_one, &sweep, reterr);
        if (rv == 0)
            rv = sweep.status;
    }
    buf_release(&now);
    mem_free(data);
    mem_free(name);
    mem_free(fresh);
    return rv;
}
