#include "common/base.h"

#include "common/kube/object.h"
#include "common/map.h"
#include "common/mem.h"

static char *controller_uid(const struct json *metadata)
{
    struct json_iterator i = json_iterate(json_get(metadata, "ownerReferences"));
    while (json_next(&i))
        if (json_bool_at(i.value, "controller", false))
            return mem_slice_dup(json_string_at(i.value, "uid"));
    return NULL;
}

static uint64_t labels_hash(const struct json *metadata)
{
    struct buf text = {0};
    const struct json *labels = json_get(metadata, "labels");
    if (labels == NULL)
        return 0;
    json_print(labels, &text);
    uint64_t hash = hash_bytes(buf_slice(&text));
    buf_release(&text);
    return hash;
}

static void set_key(struct object *o, struct slice namespace, struct slice name)
{
    size_t prefix = namespace.size == 0 ? 0 : namespace.size + 1;
    o->key = mem_alloc(prefix + name.size + 1);
    if (prefix > 0) {
        memcpy(o->key, namespace.data, namespace.size);
        o->key[namespace.size] = '/';
    }
    memcpy(o->key + prefix, name.data, name.size);
    o->key[prefix + name.size] = '\0';
    o->namespace = slice_of(o->key, namespace.size);
    o->name = slice_of(o->key + prefix, name.size);
}

static struct object *from_tree(const struct json *tree, struct slice text)
{
    const struct json *metadata = json_get(tree, "metadata");
    struct object *o = NEW(struct object);
    o->references = 1;
    o->json = bytes_new(text);
    set_key(o, json_string_at(metadata, "namespace"), json_string_at(metadata, "name"));
    o->uid = mem_slice_dup(json_string_at(metadata, "uid"));
    o->resource_version = mem_slice_dup(json_string_at(metadata, "resourceVersion"));
    o->controller_uid = controller_uid(metadata);
    o->labels_hash = labels_hash(metadata);
    o->has_owners = json_size(json_get(metadata, "ownerReferences")) > 0;
    o->deleting = json_string_at(metadata, "deletionTimestamp").size > 0;
    return o;
}

int object_new(struct slice json, struct object **ret, struct err *reterr)
{
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL;
    int rv = json_parse(d, json, &tree, reterr);
    if (rv == 0 && json_string_at(tree, "metadata.name").size == 0)
        rv = err_set(reterr, ERR_BAD_REQUEST, "an object without metadata.name");
    if (rv == 0)
        *ret = from_tree(tree, json);
    json_doc_free(d);
    return rv;
}

struct object *object_ref(struct object *o)
{
    ASSERT(o->references > 0);
    o->references++;
    return o;
}

void object_unref(struct object *o)
{
    if (o == NULL || --o->references > 0)
        return;
    bytes_unref(o->json);
    mem_free(o->key);
    mem_free(o->uid);
    mem_free(o->resource_version);
    mem_free(o->controller_uid);
    mem_free(o);
}

struct json *object_tree(const struct object *o, struct json_doc *d)
{
    struct json *tree = NULL;
    int rv = json_parse(d, bytes_slice(o->json), &tree, NULL);
    ASSERT(rv == 0); /* object_new has parsed the same bytes */
    return tree;
}
