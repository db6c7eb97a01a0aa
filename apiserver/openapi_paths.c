/* Paths with their operations. What clients look for: the parameters `fieldValidation` and `dryRun` and the media types
 * of a patch, by x-kubernetes-group-version-kind; generators of clients read the rest. */
#include "common/base.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/openapi_parts.h"

#include <ctype.h>
#include <stdio.h>

enum reads { LISTS = 1, CREATES = 2, UPDATES = 4, PATCHES = 8, DELETES = 16 };

static const struct parameter {
    const char *name, *type, *doc;
    unsigned of; /* of enum reads */
} parameters[] = {
    {"allowWatchBookmarks", "boolean", "Send bookmarks: events that tell only how far the watch has come.", LISTS},
    {"continue", "string", "Token of the page before: go on behind it.", LISTS},
    {"dryRun", "string", "All: do everything but store the result.", CREATES | UPDATES | PATCHES | DELETES},
    {"fieldManager", "string", "Who owns the fields that this request sets.", CREATES | UPDATES | PATCHES},
    {"fieldSelector", "string", "Only objects whose fields have these values.", LISTS},
    {"fieldValidation", "string", "What to do about unknown and duplicate fields: Ignore, Warn or Strict.",
     CREATES | UPDATES | PATCHES},
    {"force", "boolean", "Of an apply: take conflicting fields over from their owners.", PATCHES},
    {"gracePeriodSeconds", "integer", "Seconds the object has to end; 0: at once.", DELETES},
    {"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean", "Delete even what cannot be read.", DELETES},
    {"labelSelector", "string", "Only objects with these labels.", LISTS},
    {"limit", "integer", "At most so many objects, and a token for the rest.", LISTS},
    {"orphanDependents", "boolean", "Deprecated, see propagationPolicy: leave dependents alone.", DELETES},
    {"propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground.", DELETES},
    {"resourceVersion", "string", "How new the answer has to be.", LISTS},
    {"resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan.", LISTS},
    {"sendInitialEvents", "boolean", "Of a watch: begin with what is there, and tell when that was all.", LISTS},
    {"timeoutSeconds", "integer", "How long a list or a watch may take.", LISTS},
    {"watch", "boolean", "Send changes as they happen instead of a list.", LISTS},
};

struct operation {
    const char *verb, *method, *action; /* our verb, HTTP's method, and what the action is called in the document */
    const char *word;                   /* first word of its id */
    unsigned reads;
    bool has_body, on_collection;
};
static const struct operation operations[] = {
    {"list", "get", "list", "list", LISTS, false, true},
    {"create", "post", "post", "create", CREATES, true, true},
    {"deletecollection", "delete", "deletecollection", "deleteCollection", LISTS | DELETES, true, true},
    {"get", "get", "get", "read", 0, false, false},
    {"update", "put", "put", "replace", UPDATES, true, false},
    {"patch", "patch", "patch", "patch", PATCHES, true, false},
    {"delete", "delete", "delete", "delete", DELETES, true, false},
    {"head", "head", "connect", "connect", 0, false, false},       /* of proxies only */
    {"options", "options", "connect", "connect", 0, false, false}, /* likewise */
};

struct place {
    const struct kind *kind;
    const struct subresource *sub; /* NULL: the object or the collection */
    bool namespaced, named;        /* in this path */
    bool behind;                   /* a proxy's, with the path behind it */
    const struct published *body;
};

static struct json *parameter(struct openapi *o, const char *in, const char *name, const char *type, const char *doc)
{
    struct json *p = json_new_object(o->d), *schema = o->v3 ? json_new_object(o->d) : p;
    json_set_str(o->d, p, "name", name);
    json_set_str(o->d, p, "in", in);
    json_set_str(o->d, p, "description", doc);
    if (strcmp(in, "path") == 0)
        json_set_bool(o->d, p, "required", true);
    json_set_str(o->d, schema, "type", type);
    json_set_bool(o->d, schema, "uniqueItems", true);
    if (o->v3)
        json_set(o->d, p, "schema", schema);
    return p;
}

static void set_strings(struct openapi *o, struct json *object, const char *key, const char *const *values)
{
    struct json *list = json_new_array(o->d);
    for (; *values != NULL; values++)
        json_append(list, json_new_str(o->d, *values));
    json_set(o->d, object, key, list);
}

static const char *const bodies[] = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
                                     NULL};
static const char *const patches[] = {"application/json-patch+json", "application/merge-patch+json",
                                      "application/strategic-merge-patch+json", "application/apply-patch+yaml", NULL};

/* v3: {media type: {schema}} */
static struct json *content(struct openapi *o, const char *const *types, const struct published *body)
{
    struct json *content = json_new_object(o->d);
    for (; *types != NULL; types++) {
        struct json *media = json_new_object(o->d);
        json_set(o->d, media, "schema", body == NULL ? json_new_object(o->d) : openapi_reference(o, body));
        json_set(o->d, content, *types, media);
    }
    return content;
}

static void set_body(struct openapi *o, const struct operation *op, const struct place *p, struct json *operation,
                     struct json *list)
{
    bool patch = strcmp(op->verb, "patch") == 0, deletes = op->reads & DELETES;
    const struct published *body = patch ? NULL : deletes ? published_find(o->types, &type_delete_options) : p->body;
    const char *const *types = patch ? patches : bodies;
    if (!op->has_body || (p->sub != NULL && p->sub->connects != CONNECTS_NOT))
        return;
    if (o->v3) {
        struct json *request = json_new_object(o->d);
        json_set(o->d, request, "content", content(o, types, body));
        json_set_bool(o->d, request, "required", !deletes);
        json_set(o->d, operation, "requestBody", request);
        return;
    }
    struct json *parameter = json_new_object(o->d), *any = json_new_object(o->d);
    json_set_str(o->d, parameter, "name", "body");
    json_set_str(o->d, parameter, "in", "body");
    json_set_bool(o->d, parameter, "required", !deletes);
    json_set_str(o->d, any, "type", "object");
    json_set(o->d, parameter, "schema", body == NULL ? any : openapi_reference(o, body));
    json_append(list, parameter);
    set_strings(o, operation, "consumes", types);
}

static void set_responses(struct openapi *o, const struct operation *op, const struct place *p, struct json *operation)
{
    static const char *const json_only[] = {"application/json", NULL};
    struct json *responses = json_new_object(o->d), *ok = json_new_object(o->d), *refused = json_new_object(o->d);
    json_set_str(o->d, ok, "description", "OK");
    json_set_str(o->d, refused, "description", "Unauthorized");
    if (p->body != NULL && !op->on_collection && o->v3)
        json_set(o->d, ok, "content", content(o, json_only, p->body));
    else if (p->body != NULL && !op->on_collection)
        json_set(o->d, ok, "schema", openapi_reference(o, p->body));
    json_set(o->d, responses, "200", ok);
    if (op->reads & (CREATES | UPDATES | PATCHES))
        json_set(o->d, responses, "201", json_copy(o->d, ok));
    json_set(o->d, responses, "401", refused);
    json_set(o->d, operation, "responses", responses);
    if (!o->v3)
        set_strings(o, operation, "produces", json_only);
}

/* "apps" → "Apps", "rbac.authorization.k8s.io" → "RbacAuthorization", "v1" → "V1" */
static void camel(struct buf *out, struct slice words)
{
    if (words.size > strlen(".k8s.io") && slice_is(slice_from(words, words.size - strlen(".k8s.io")), ".k8s.io"))
        words.size -= strlen(".k8s.io");
    bool first = true;
    for (size_t i = 0; i < words.size; i++) {
        if (isalnum((unsigned char)words.data[i]))
            buf_append_char(out, first ? (char)toupper((unsigned char)words.data[i]) : words.data[i]);
        first = !isalnum((unsigned char)words.data[i]);
    }
}

/* "replaceAppsV1NamespacedDeploymentScale", "listAppsV1DeploymentForAllNamespaces": unique in the document. */
static void set_id(struct openapi *o, const struct operation *op, const struct place *p, struct json *operation)
{
    struct buf id = {0};
    const struct kind *k = p->kind;
    bool named = p->sub != NULL && p->sub->connects;
    buf_append_str(&id, named ? "connect" : op->word);
    if (named)
        camel(&id, slice_str(op->method));
    camel(&id, slice_str(*k->group == '\0' ? "core" : k->group));
    camel(&id, slice_str(k->version));
    if (strcmp(op->verb, "deletecollection") == 0)
        buf_append_str(&id, "Collection");
    buf_append_str(&id, p->namespaced ? "Namespaced" : "");
    buf_append_str(&id, k->name);
    if (p->sub != NULL)
        camel(&id, slice_str(p->sub->name));
    if (p->behind)
        buf_append_str(&id, "WithPath");
    if (k->namespaced && !p->namespaced)
        buf_append_str(&id, "ForAllNamespaces");
    json_set_string(o->d, operation, "operationId", buf_slice(&id));
    buf_release(&id);
}

static struct json *operation_new(struct openapi *o, const struct operation *op, const struct place *p)
{
    struct json *operation = json_new_object(o->d), *list = json_new_array(o->d), *tags = json_new_array(o->d);
    const struct kind *k = p->kind;
    struct buf tag = {0};
    buf_printf(&tag, "%s_%s", *k->group == '\0' ? "core" : k->group, k->version);
    json_append(tags, json_new_string(o->d, buf_slice(&tag)));
    buf_release(&tag);
    json_set(o->d, operation, "tags", tags);
    set_id(o, op, p, operation);
    set_body(o, op, p, operation, list);
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        const struct parameter *q = &parameters[i];
        if (q->of & op->reads)
            json_append(list, parameter(o, "query", q->name, q->type, q->doc));
    }
    json_set(o->d, operation, "parameters", list);
    set_responses(o, op, p, operation);
    json_set_str(o->d, operation, "x-kubernetes-action", p->sub != NULL && p->sub->connects ? "connect" : op->action);
    json_set(o->d, operation, "x-kubernetes-group-version-kind",
             p->sub != NULL && *p->sub->kind != '\0' ? openapi_gvk(o, p->sub->group, p->sub->version, p->sub->kind)
                                                     : openapi_gvk(o, k->group, k->version, k->name));
    return operation;
}

static void path_text(const struct place *p, struct buf *out)
{
    const struct kind *k = p->kind;
    buf_printf(out, "%s%s/%s%s/%s", *k->group == '\0' ? "/api" : "/apis/", k->group, k->version,
               p->namespaced ? "/namespaces/{namespace}" : "", k->plural);
    if (p->named)
        buf_append_str(out, "/{name}");
    if (p->sub != NULL)
        buf_printf(out, "/%s%s", p->sub->name, p->behind ? "/{path}" : "");
}

static void add_path(struct openapi *o, const struct place *p, struct json *paths)
{
    struct json *item = json_new_object(o->d), *list = json_new_array(o->d);
    const char *verbs = p->sub != NULL ? p->sub->verbs : p->kind->verbs;
    struct buf path = {0};
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        const struct operation *op = &operations[i];
        bool here = p->sub != NULL || op->on_collection == !p->named;
        bool over_all =
            p->kind->namespaced && !p->namespaced && strcmp(op->verb, "list") != 0 && !p->kind->never_stored;
        bool proxied = p->sub != NULL && p->sub->connects == CONNECTS_PROXY && strcmp(op->action, "connect") == 0;
        if (here && !over_all && (proxied || kinds_has_verb(verbs, op->verb)))
            json_set(o->d, item, op->method, operation_new(o, op, p));
    }
    if (json_size(item) == 0)
        return;
    if (p->named)
        json_append(list, parameter(o, "path", "name", "string", "Name of the object."));
    if (p->behind)
        json_append(list, parameter(o, "path", "path", "string", "Path at the other end."));
    if (p->namespaced)
        json_append(list, parameter(o, "path", "namespace", "string", "Namespace of the object."));
    if (json_size(list) > 0)
        json_set(o->d, item, "parameters", list);
    path_text(p, &path);
    json_set_slice(o->d, paths, buf_slice(&path), item);
    buf_release(&path);
}

static const struct published *sub_body(const struct openapi *o, const struct subresource *s)
{
    const struct kind *k = kinds_find_name(slice_str(s->group), slice_str(s->version), slice_str(s->kind));
    return k == NULL || s->connects ? NULL : published_find(o->types, k->type);
}

static void add_sub(struct openapi *o, const struct kind *k, const struct subresource *s, struct json *paths)
{
    struct place p = {.kind = k, .sub = s, .namespaced = k->namespaced, .named = true, .body = sub_body(o, s)};
    add_path(o, &p, paths);
    p.behind = true;
    if (s->connects == CONNECTS_PROXY)
        add_path(o, &p, paths);
}

void openapi_paths(struct openapi *o, const struct kind *k, struct json *paths)
{
    const struct published *own = published_find(o->types, k->type);
    if (*k->plural == '\0')
        return;
    if (k->namespaced)
        add_path(o, &(struct place){.kind = k, .body = own}, paths);
    add_path(o, &(struct place){.kind = k, .namespaced = k->namespaced, .body = own}, paths);
    add_path(o, &(struct place){.kind = k, .namespaced = k->namespaced, .named = true, .body = own}, paths);
    for (const struct subresource *s = k->subresources; s != NULL && s->name != NULL; s++)
        add_sub(o, k, s, paths);
}
