/* Bodies of requests: JSON, YAML or protobuf to a tree, and the complaints about those that are none. */
#include "common/base.h"

#include "apiserver/proto.h"
#include "apiserver/request.h"
#include "common/yaml.h"

struct slice request_content_type(const struct api_request *r)
{
    struct slice rest = http_header_get(r->x->request.headers, r->x->request.header_count, "Content-Type");
    struct slice type = slice_cut(&rest, ';');
    while (type.size > 0 && type.data[type.size - 1] == ' ')
        type.size--;
    return type;
}

static int check_type_meta(struct api_request *r, const struct kind *k, const struct json *tree)
{
    char version[128];
    struct slice kind = json_string_at(tree, "kind"), api = json_string_at(tree, "apiVersion");
    kinds_api_version(k, version);
    bool same_version = api.size == 0 || slice_is(api, version), same_kind = kind.size == 0 || slice_is(kind, k->name);
    if (same_version && same_kind)
        return 0;
    if (kind.size == 0)
        kind = slice_str(k->name);
    if (api.size == 0)
        api = slice_str(version);
    struct slice rest = api, group = slice_cut(&rest, '/'), short_version = rest.data == NULL ? api : rest;
    const struct kind *other = kinds_find_name(rest.data == NULL ? SLICE("") : group, short_version, kind);
    if (other != NULL && same_kind) /* another version of the same kind could be converted, but does not belong here */
        return failure_set(&r->failure, ERR_BAD_REQUEST,
                           "the API version in the data (%.*s) does not match the expected API version (%s)",
                           SLICE_ARGS(api), version);
    struct slice package = slice_str(*k->group == '\0' ? "core" : k->group);
    package.size = slice_find(package, '.');
    return other != NULL
               ? failure_set(&r->failure, ERR_BAD_REQUEST,
                             "%.*s in version \"%.*s\" cannot be handled as a %s: converting (%.*s.%.*s) to (%.*s.%s): "
                             "unknown conversion",
                             SLICE_ARGS(kind), SLICE_ARGS(short_version), k->name, SLICE_ARGS(short_version),
                             SLICE_ARGS(kind), SLICE_ARGS(package), k->name)
               : failure_set(&r->failure, ERR_BAD_REQUEST,
                             "%.*s in version \"%.*s\" cannot be handled as a %s: no kind \"%.*s\" is registered for "
                             "version \"%.*s\" in scheme \"keelson\"",
                             SLICE_ARGS(kind), SLICE_ARGS(short_version), k->name, SLICE_ARGS(kind), SLICE_ARGS(api));
}

#define SUMMARY_BYTES_MAX 30

/* The beginning of a body as people are shown it: text of what begins like an object, else hexadecimal. */
static void body_summary(struct slice body, struct buf *out)
{
    size_t n = MIN(body.size, (size_t)SUMMARY_BYTES_MAX);
    if (body.size == 0)
        buf_append_str(out, "<empty>");
    else if (body.data[0] == '{')
        buf_append(out, body.data, n);
    for (size_t i = 0; body.size > 0 && body.data[0] != '{' && i < n; i++)
        buf_printf(out, "%02x", (unsigned)(unsigned char)body.data[i]);
    if (n < body.size)
        buf_append_str(out, " ...");
}

static int fail_unrecognized(struct api_request *r, const char *name, const char *before, const char *why)
{
    struct buf summary = {0};
    body_summary(r->x->request.body, &summary);
    int code = failure_set(&r->failure, ERR_BAD_REQUEST,
                           "the object provided is unrecognized (must be of type %s): %s%s (%s)", name, before, why,
                           summary.data);
    buf_release(&summary);
    return code;
}

static int parse_protobuf(struct api_request *r, const struct type *t, struct json **ret)
{
    struct proto_envelope e;
    struct err why;
    if (proto_open(r->x->request.body, &e, &why) != 0 || proto_decode(r->doc, t, e.raw, ret, &why) != 0)
        return fail_unrecognized(r, t->name, "", why.message);
    if (e.kind.size > 0)
        json_set_string(r->doc, *ret, "kind", e.kind);
    if (e.api_version.size > 0)
        json_set_string(r->doc, *ret, "apiVersion", e.api_version);
    return 0;
}

static int parse_yaml(struct api_request *r, const struct type *t, struct json **ret)
{
    struct buf text = {0};
    struct err why;
    int code = yaml_to_json(r->x->request.body, &text, &why);
    if (code == 0)
        code = json_parse(r->doc, buf_slice(&text), ret, &why);
    buf_release(&text);
    return code == 0 ? 0 : fail_unrecognized(r, t->name, "", why.message);
}

int request_body_tree(struct api_request *r, const struct type *t, struct json **ret)
{
    struct err why;
    const struct http_request *q = &r->x->request;
    struct slice type = request_content_type(r);
    if (slice_is(type, "application/vnd.kubernetes.protobuf"))
        return parse_protobuf(r, t, ret);
    if (slice_is(type, "application/yaml"))
        return parse_yaml(r, t, ret);
    if (type.size > 0 && !slice_is(type, "application/json"))
        return failure_set(
            &r->failure, ERR_MEDIA_TYPE,
            "the body of the request was in an unknown format - accepted media types include: application/json, "
            "application/yaml, application/vnd.kubernetes.protobuf");
    if (q->body.size == 0)
        return fail_unrecognized(r, t->name, "couldn't get version/kind; json parse error: ", "unexpected end of JSON input");
    if (json_parse(r->doc, q->body, ret, &why) != 0)
        return fail_unrecognized(r, t->name, "couldn't get version/kind; json parse error: ", why.message);
    return 0;
}

int request_parse_body(struct api_request *r, const struct kind *k, struct json **ret)
{
    int code = request_body_tree(r, k->type, ret);
    return code == 0 ? check_type_meta(r, k, *ret) : code;
}
