#include "common/base.h"

#include "apiserver/kinds/kinds.h"
#include "apiserver/route.h"

static const char *method_word(struct slice method)
{
    static const struct {
        const char *method, *word;
    } words[] = {{"GET", "get"},     {"HEAD", "get"},      {"POST", "post"},      {"PUT", "put"},
                 {"PATCH", "patch"}, {"DELETE", "delete"}, {"OPTIONS", "options"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_is(method, words[i].method))
            return words[i].word;
    }
    return "unknown";
}

static bool query_is_true(struct slice query, const char *name)
{
    struct buf scratch = {0};
    struct slice value;
    bool found = http_query_get(query, name, &scratch, &value) &&
                 (slice_is(value, "true") || slice_is(value, "1") || value.size == 0);
    buf_release(&scratch);
    return found;
}

static const char *resource_verb(const struct http_request *request, const struct route *r)
{
    const char *word = method_word(request->method);
    bool collection = r->name.size == 0;
    if (strcmp(word, "get") == 0)
        return !collection ? "get" : query_is_true(request->query, "watch") ? "watch" : "list";
    if (strcmp(word, "post") == 0)
        return "create";
    if (strcmp(word, "put") == 0)
        return "update";
    if (strcmp(word, "delete") == 0 && collection)
        return "deletecollection";
    return word;
}

static void resource_parts(struct slice rest, struct route *r)
{
    struct slice first = slice_cut(&rest, '/');
    /* The deprecated watch prefix: /api/v1/watch/pods. */
    bool old_watch = slice_is(first, "watch") && rest.size > 0;
    if (old_watch)
        first = slice_cut(&rest, '/');
    if (slice_is(first, "namespaces") && rest.size > 0) {
        struct slice look = rest;
        struct slice namespace = slice_cut(&look, '/');
        struct slice peek = look;
        struct slice next = slice_cut(&peek, '/');
        bool of_namespace =
            look.size == 0 || ((slice_is(next, "status") || slice_is(next, "finalize")) && peek.size == 0);
        if (!of_namespace) {
            r->namespace = namespace;
            rest = look;
            first = slice_cut(&rest, '/');
        }
    }
    r->resource = first;
    r->name = slice_cut(&rest, '/');
    r->subresource = rest;
    if (slice_is(r->resource, "namespaces") && r->name.size > 0)
        r->namespace = r->name;
    if (old_watch)
        r->verb = "watch";
}

/* Behind a proxy stands a path of somebody else's. */
static void subresource_of(struct route *r)
{
    struct slice rest = r->subresource, first = slice_cut(&rest, '/');
    const struct subresource *sub = kinds_subresource(r->kind, first);
    bool proxy = sub != NULL && sub->connects == CONNECTS_PROXY;
    r->sub = proxy ? sub : kinds_subresource(r->kind, r->subresource);
    if (proxy) {
        r->behind = slice_from(r->subresource, first.size);
        r->subresource = first;
    }
}

void route_parse(const struct http_request *request, struct route *ret)
{
    struct slice rest = request->path;
    struct route r = {.verb = NULL};
    (void)slice_cut(&rest, '/'); /* the path begins with '/' */
    struct slice root = slice_cut(&rest, '/');
    bool core = slice_is(root, "api"), grouped = slice_is(root, "apis");
    if (grouped)
        r.group = slice_cut(&rest, '/');
    if (core || grouped) {
        r.version = slice_cut(&rest, '/');
        if (rest.size > 0) {
            r.is_resource = true;
            resource_parts(rest, &r);
            r.kind = kinds_find(r.group, r.version, r.resource);
            if (r.kind != NULL && r.subresource.size > 0)
                subresource_of(&r);
        }
    }
    if (r.verb == NULL)
        r.verb = r.is_resource ? resource_verb(request, &r) : method_word(request->method);
    *ret = r;
}

struct media {
    struct slice type, as, group, version;
};

static struct media next_media(struct slice *rest)
{
    struct slice one = slice_cut(rest, ',');
    struct media m = {.type = slice_trim(slice_cut(&one, ';'))};
    while (one.data != NULL) {
        struct slice value = slice_trim(slice_cut(&one, ';'));
        struct slice name = slice_cut(&value, '=');
        if (slice_is(name, "as"))
            m.as = value;
        else if (slice_is(name, "g"))
            m.group = value;
        else if (slice_is(name, "v"))
            m.version = value;
    }
    return m;
}

static bool is_json(struct slice type)
{
    return slice_is(type, "application/json") || slice_is(type, "*/*") || slice_is(type, "application/*");
}

int accept_parse(struct slice header, struct slice include, struct accepted *ret, struct failure *f)
{
    struct slice rest = slice_trim(header);
    *ret = (struct accepted){.format = EVENT_JSON};
    if (rest.size == 0)
        return 0;
    while (rest.data != NULL) {
        struct media m = next_media(&rest);
        if (!is_json(m.type))
            continue;
        if (m.as.size == 0)
            return 0;
        if (slice_is(m.as, "Table") && slice_is(m.group, "meta.k8s.io")) {
            ret->table = true;
            ret->format = slice_is(include, "Object") ? EVENT_TABLE_OBJECT
                          : slice_is(include, "None") ? EVENT_TABLE_NONE
                                                      : EVENT_TABLE;
            return 0;
        }
        if ((slice_is(m.as, "PartialObjectMetadata") || slice_is(m.as, "PartialObjectMetadataList")) &&
            slice_is(m.group, "meta.k8s.io")) {
            ret->format = EVENT_PARTIAL;
            return 0;
        }
    }
    return failure_set(f, ERR_NOT_ACCEPTABLE,
                       "only the following media types are accepted: application/json, "
                       "application/json;as=Table;v=v1;g=meta.k8s.io, "
                       "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
}

bool accept_names(struct slice header, const char *type)
{
    struct slice rest = header;
    while (rest.data != NULL) {
        if (slice_is(next_media(&rest).type, type))
            return true;
    }
    return false;
}

bool accept_aggregated(struct slice header, const char **ret_version)
{
    struct slice rest = header;
    while (rest.data != NULL) {
        struct media m = next_media(&rest);
        if (!is_json(m.type))
            continue;
        if (!slice_is(m.as, "APIGroupDiscoveryList") || !slice_is(m.group, "apidiscovery.k8s.io"))
            return false; /* what stands first wins */
        if (slice_is(m.version, "v2") || slice_is(m.version, "v2beta1")) {
            *ret_version = slice_is(m.version, "v2") ? "v2" : "v2beta1";
            return true;
        }
    }
    return false;
}
