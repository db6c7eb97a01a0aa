/* What a write asks for: its verb, the options of its query or body, the object or the patch. Nothing is looked up yet.
 */
#include "common/base.h"

#include "apiserver/admission.h"
#include "apiserver/managed.h"
#include "apiserver/continue_token.h"
#include "apiserver/write_parts.h"
#include "common/yaml.h"

static const struct kind *body_kind(const struct api_request *r)
{
    const struct subresource *s = r->route.sub;
    if (s == NULL)
        return r->route.kind;
    return kinds_find_name(slice_str(s->group), slice_str(s->version), slice_str(s->kind));
}

static int parse_object(struct api_request *r)
{
    const struct kind *k = body_kind(r);
    struct json *tree = NULL;
    ASSERT(k != NULL); /* tables name only kinds there are */
    int code = request_parse_body(r, k, &tree);
    r->write->body = tree;
    return code;
}

/* The configuration that is applied: YAML, and so JSON, of exactly the kind that the endpoint takes. */
static int parse_apply(struct api_request *r)
{
    const struct kind *k = body_kind(r);
    struct buf text = {0};
    struct err why;
    struct json *tree = NULL;
    char version[128];
    if (!request_query(r, "fieldManager", &text) || text.size == 0) {
        check_fail_at(&r->failure.check, "fieldManager", CHECK_REQUIRED, NULL, "is required for apply patch");
        buf_release(&text);
        return failure_options(&r->failure, "PatchOptions");
    }
    r->write->force =
        request_query(r, "force", &text) && (slice_is(buf_slice(&text), "true") || slice_is(buf_slice(&text), "1"));
    buf_reset(&text);
    int code = yaml_to_json(r->x->request.body, &text, &why);
    if (code == 0)
        code = json_parse(r->doc, buf_slice(&text), &tree, &why);
    buf_reset(&text);
    if (code != 0)
        code = failure_set(&r->failure, ERR_BAD_REQUEST, "error decoding YAML: %s", why.message);
    else if (json_type(tree) != JSON_OBJECT)
        code = failure_set(
            &r->failure, ERR_BAD_REQUEST,
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: the configuration is no object");
    else if (json_at(tree, "metadata.managedFields") != NULL)
        code = failure_set(&r->failure, ERR_BAD_REQUEST, "metadata.managedFields must be nil");
    else if (!slice_is(json_string_at(tree, "apiVersion"), kinds_api_version(k, version)) ||
             !slice_is(json_string_at(tree, "kind"), k->name))
        code = failure_set(&r->failure, ERR_BAD_REQUEST, "invalid object type: %s%.*s, Kind=%.*s",
                           memchr(version, '/', strlen(version)) == NULL ? "/" : "",
                           SLICE_ARGS(json_string_at(tree, "apiVersion")), SLICE_ARGS(json_string_at(tree, "kind")));
    else if (r->write->strict && json_duplicate(tree, &text))
        code = failure_set(&r->failure, ERR_BAD_REQUEST,
                           "error strict decoding YAML: error converting YAML to JSON: key \"%s\" already set in map",
                           text.data);
    buf_release(&text);
    r->write->body = tree;
    return code;
}

static int parse_patch(struct api_request *r)
{
    static const struct {
        const char *type;
        enum patch_type patch;
    } types[] = {{"application/merge-patch+json", PATCH_TYPE_MERGE},
                 {"application/strategic-merge-patch+json", PATCH_TYPE_STRATEGIC},
                 {"application/json-patch+json", PATCH_TYPE_JSON}};
    struct err why;
    struct json *tree = NULL;
    const struct http_request *q = &r->x->request;
    struct slice type = request_content_type(r);
    if (slice_is(type, "application/apply-patch+yaml")) {
        r->write->patch = PATCH_TYPE_APPLY;
        return parse_apply(r);
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!slice_is(type, types[i].type))
            continue;
        r->write->patch = types[i].patch;
        if (json_parse(r->doc, q->body, &tree, &why) != 0)
            return failure_set(&r->failure, ERR_BAD_REQUEST, "error decoding patch: %s", why.message);
        r->write->body = tree;
        return 0;
    }
    return failure_set(
        &r->failure, ERR_MEDIA_TYPE,
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
        "application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml");
}

/* Query parameters and DeleteOptions are checked before anything else is looked at; all errors are told at once. */
static void check_dry_run(struct api_request *r, const struct json *list)
{
    struct check *c = &r->failure.check;
    struct json_iterator i = json_iterate(list);
    bool good = true;
    while (json_next(&i))
        good &= slice_is(json_string(i.value), "All");
    if (!good)
        check_fail_at(c, "dryRun", CHECK_NOT_SUPPORTED, list, "supported values: \"All\"");
    r->write->dry_run = json_size(list) > 0;
}

static void check_propagation(struct api_request *r, const struct json *options)
{
    static const char *const allowed[] = {"Foreground", "Background", "Orphan", "nil", NULL};
    struct delete_options *o = &r->write->options;
    struct check *c = &r->failure.check;
    const struct json *policy = json_get(options, "propagationPolicy"), *orphan = json_get(options, "orphanDependents");
    struct slice word = json_string(policy);
    if (policy != NULL && orphan != NULL)
        check_fail_at(c, "propagationPolicy", CHECK_INVALID, policy,
                      "orphanDependents and deletionPropagation cannot be both set");
    if (slice_is(word, "Background"))
        o->propagation = PROPAGATE_BACKGROUND;
    else if (slice_is(word, "Foreground"))
        o->propagation = PROPAGATE_FOREGROUND;
    else if (slice_is(word, "Orphan") || (policy == NULL && json_bool(orphan, false)))
        o->propagation = PROPAGATE_ORPHAN;
    else if (policy != NULL) {
        size_t mark = check_enter(c, "propagationPolicy");
        check_fail_one_of(c, policy, allowed);
        check_leave(c, mark);
    }
}

static int delete_options_rest(struct api_request *r, const struct json *options)
{
    struct write *w = r->write;
    if (json_get(options, "gracePeriodSeconds") != NULL) /* a negative one is the shortest there is */
        w->options.grace_seconds = MAX(json_int_at(options, "gracePeriodSeconds", 0), (int64_t)-1);
    if (json_get(options, "gracePeriodSeconds") != NULL && w->options.grace_seconds < 0)
        w->options.grace_seconds = 1;
    w->options.cascades = json_type(json_get(options, "orphanDependents")) == JSON_BOOL &&
                          !json_bool_at(options, "orphanDependents", true);
    w->options.uid = json_string_at(options, "preconditions.uid");
    w->options.resource_version = json_string_at(options, "preconditions.resourceVersion");
    check_propagation(r, options);
    check_dry_run(r, json_get(options, "dryRun"));
    return r->failure.check.count == 0 ? 0 : failure_options(&r->failure, "DeleteOptions");
}

/* DeleteOptions stand in the body, or in the query where there is none. */
static int parse_delete(struct api_request *r)
{
    struct write *w = r->write;
    struct json *tree = NULL, *options = NULL;
    struct buf text = {0};
    struct err why;
    int code = 0;
    w->options.grace_seconds = -1;
    if (r->x->request.body.size > 0) {
        code = request_body_tree(r, &type_delete_options, &tree);
        if (code == 0 && schema_decode(r->doc, &type_delete_options, tree, NULL,
                                       &options, &why) != 0)
            code = failure_from(&r->failure, &why);
    } else {
        options = json_new_object(r->doc);
        if (request_query(r, "propagationPolicy", &text))
            json_set_string(r->doc, options, "propagationPolicy", buf_slice(&text));
        if (request_query(r, "orphanDependents", &text))
            json_set_bool(r->doc, options, "orphanDependents",
                          strcmp(text.data, "false") != 0 && strcmp(text.data, "0") != 0);
        if (request_query(r, "dryRun", &text)) {
            json_set(r->doc, options, "dryRun", json_new_array(r->doc));
            json_append(json_get(options, "dryRun"), json_new_string(r->doc, buf_slice(&text)));
        }
        code = request_query_int(r, "gracePeriodSeconds", -1, &w->options.grace_seconds);
        if (request_query(r, "gracePeriodSeconds", &text) && text.size > 0)
            json_set_int(r->doc, options, "gracePeriodSeconds", w->options.grace_seconds);
        buf_release(&text);
    }
    if (code != 0)
        return code;
    return delete_options_rest(r, options);
}

/* POST pods/NAME/eviction: a deletion with the options inside. */
static int parse_eviction(struct api_request *r)
{
    struct write *w = r->write;
    struct json *eviction = NULL;
    struct err why;
    int code = parse_object(r);
    w->kind = WRITE_DELETE;
    w->evicting = true;
    w->options.grace_seconds = -1;
    if (code == 0 &&
        schema_decode(r->doc, kind_eviction.type, w->body, NULL, &eviction, &why) != 0)
        code = decode_failure(&r->failure, &kind_eviction, &why);
    struct slice name = json_string_at(eviction, "metadata.name");
    if (code == 0 && name.size > 0 && !slice_equal(name, r->route.name))
        code =
            failure_set(&r->failure, ERR_BAD_REQUEST, "name in URL does not match name in Eviction object: %.*s, %.*s",
                        SLICE_ARGS(r->route.name), SLICE_ARGS(name));
    bool query = w->dry_run;
    if (code == 0)
        code = delete_options_rest(r, json_get(eviction, "deleteOptions"));
    w->dry_run = w->dry_run || query; /* either may ask for it */
    return code;
}

static void check_field_manager(struct api_request *r, bool force)
{
    struct buf text = {0};
    struct check *c = &r->failure.check;
    if (force)
        check_fail_at(c, "force", CHECK_FORBIDDEN, NULL, "may not be specified for non-apply patch");
    if (request_query(r, "fieldManager", &text) && text.size > MANAGER_NAME_MAX)
        check_fail_at(c, "fieldManager", CHECK_TOO_LONG, NULL, "may not be more than %d bytes", MANAGER_NAME_MAX);
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] >= ' ' && text.data[i] != 127)
            continue;
        check_fail_at(c, "fieldManager", CHECK_INVALID, json_new_string(r->doc, buf_slice(&text)),
                      "invalid character U+%04X (at position %zu)", (unsigned)(unsigned char)text.data[i], i);
    }
    buf_release(&text);
}

/* The options of a POST, PUT or PATCH, which all stand in the query. */
static int parse_query(struct api_request *r)
{
    static const char *const levels[] = {"", "Ignore", "Strict", "Warn", NULL};
    const char *options = strcmp(r->route.verb, "create") == 0   ? "CreateOptions"
                          : strcmp(r->route.verb, "update") == 0 ? "UpdateOptions"
                                                                 : "PatchOptions";
    struct buf text = {0};
    struct check *c = &r->failure.check;
    struct slice type = request_content_type(r);
    check_field_manager(r, strcmp(options, "PatchOptions") == 0 && !slice_is(type, "application/apply-patch+yaml") &&
                               request_query(r, "force", &text));
    if (request_query(r, "dryRun", &text) && text.size > 0) {
        struct json *list = json_new_array(r->doc);
        json_append(list, json_new_string(r->doc, buf_slice(&text)));
        check_dry_run(r, list);
    }
    r->warn = true;
    if (request_query(r, "fieldValidation", &text) && text.size > 0) {
        r->write->strict = strcmp(text.data, "Strict") == 0;
        r->warn = strcmp(text.data, "Warn") == 0;
        size_t mark = check_enter(c, "fieldValidation");
        if (!r->write->strict && !r->warn && strcmp(text.data, "Ignore") != 0)
            check_fail_one_of(c, json_new_string(r->doc, buf_slice(&text)), levels);
        check_leave(c, mark);
    }
    buf_release(&text);
    return c->count == 0 ? 0 : failure_options(&r->failure, options);
}

static void find_manager(struct api_request *r)
{
    struct slice agent = http_header_get(r->x->request.headers, r->x->request.header_count, "User-Agent");
    if (!request_query(r, "fieldManager", &r->write->manager) || r->write->manager.size == 0)
        managed_name_of_agent(agent, &r->write->manager);
}

/* Which objects a deletecollection is about: the query is that of a list. */
static int parse_collection(struct api_request *r)
{
    struct write *w = r->write;
    struct buf token = {0};
    int64_t revision;
    int code = request_selection(r, &w->selection);
    if (code == 0)
        code = request_query_int(r, "limit", 0, &w->limit);
    w->limit = MAX(w->limit, (int64_t)0); /* a negative limit is none */
    if (code == 0 && request_query(r, "continue", &token) && token.size > 0)
        code = continue_token_parse(buf_slice(&token), &revision, &w->start, &r->failure);
    buf_release(&token);
    return code;
}

int write_parse(struct api_request *r)
{
    struct write *w = r->write;
    const char *sub = r->route.sub == NULL ? "" : r->route.sub->name;
    bool scale = strcmp(sub, "scale") == 0;
    bool deletes = strncmp(r->route.verb, "delete", 6) == 0;
    int code = deletes ? 0 : parse_query(r);
    if (code != 0)
        return code;
    find_manager(r);
    if (strcmp(r->route.verb, "create") == 0) {
        if (strcmp(sub, "eviction") == 0)
            return parse_eviction(r);
        w->kind = strcmp(sub, "binding") == 0 ? WRITE_BIND : WRITE_CREATE;
        return parse_object(r);
    }
    if (strcmp(r->route.verb, "update") == 0) {
        w->kind = scale ? WRITE_SCALE : WRITE_UPDATE;
        return parse_object(r);
    }
    if (strcmp(r->route.verb, "patch") == 0) {
        w->kind = scale ? WRITE_SCALE_PATCH : WRITE_PATCH;
        return parse_patch(r);
    }
    w->kind = WRITE_DELETE;
    w->collection = strcmp(r->route.verb, "deletecollection") == 0;
    code = parse_delete(r);
    return code == 0 && w->collection ? parse_collection(r) : code;
}
