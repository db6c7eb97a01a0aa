/* Reviews: questions about users and access. A body comes, its status is filled in, nothing is stored. */
#include "common/base.h"

#include "apiserver/request.h"

/* Kinds that only ask about the caller need no more than a name. */
static struct slice text_at(const struct json *o, const char *path)
{
    struct slice s = json_string_at(o, path);
    return s.data == NULL ? SLICE("") : s;
}

static void user_json(struct json_doc *d, const struct user *u, struct json *out)
{
    struct json *groups = json_new_array(d);
    json_set_string(d, out, "username", u->name);
    if (u->uid.size > 0)
        json_set_string(d, out, "uid", u->uid);
    for (size_t i = 0; i < u->group_count; i++)
        json_append(groups, json_new_string(d, u->groups[i]));
    json_set(d, out, "groups", groups);
    if (u->extra != NULL)
        json_set(d, out, "extra", json_copy(d, u->extra));
}

/* Both questions are checked before either is answered; only the first error ends the review of a self review. */
static void spec_attributes(struct api_request *r, const struct json *o, struct attributes *ret)
{
    const struct json *resource = json_at(o, "spec.resourceAttributes"),
                      *path = json_at(o, "spec.nonResourceAttributes");
    if ((resource == NULL) == (path == NULL)) {
        check_fail_at(&r->failure.check, "spec.resourceAttributes", CHECK_INVALID, NULL,
                      "exactly one of nonResourceAttributes or resourceAttributes must be specified");
    }
    *ret = (struct attributes){.is_resource = resource != NULL};
    if (resource == NULL) {
        ret->verb = text_at(path, "verb");
        ret->path = text_at(path, "path");
        return;
    }
    ret->verb = text_at(resource, "verb");
    ret->group = text_at(resource, "group");
    ret->resource = text_at(resource, "resource");
    ret->subresource = text_at(resource, "subresource");
    ret->namespace = text_at(resource, "namespace");
    ret->name = text_at(resource, "name");
}

static void spec_user(struct api_request *r, const struct json *o, struct user *ret)
{
    *ret = (struct user){
        .name = text_at(o, "spec.user"), .uid = text_at(o, "spec.uid"), .extra = json_at(o, "spec.extra")};
    struct json_iterator i = json_iterate(json_at(o, "spec.groups"));
    while (json_next(&i))
        user_add_group(ret, json_string(i.value));
    if (ret->name.size == 0 && ret->group_count == 0)
        check_fail_shown(&r->failure.check, "spec.user", CHECK_INVALID, "\"\"",
                         "at least one of user or group must be specified");
}

static int access_review(struct api_request *r, struct json *o)
{
    struct attributes a;
    struct user named, *u = &r->user;
    struct buf reason = {0};
    spec_attributes(r, o, &a);
    if (r->route.kind != &kind_selfsubjectaccessreview) {
        u = &named;
        spec_user(r, o, &named);
    }
    if (r->route.kind == &kind_localsubjectaccessreview && !slice_equal(a.namespace, r->route.namespace))
        check_fail_at(&r->failure.check, "spec.resourceAttributes.namespace", CHECK_INVALID,
                      json_at(o, "spec.resourceAttributes.namespace"), "must match metadata.namespace");
    if (r->failure.check.count > 0)
        return failure_invalid(&r->failure, r->route.kind, json_string_at(o, "metadata.name"));
    bool allowed = authz_system(u, &a) || rbac_allows(r->api->rbac, u, &a, &reason);
    struct json *status = json_new_object(r->doc);
    json_set_bool(r->doc, status, "allowed", allowed);
    if (reason.size > 0)
        json_set_string(r->doc, status, "reason", buf_slice(&reason));
    json_set(r->doc, o, "status", status);
    buf_release(&reason);
    return 0;
}

struct rules_lists {
    struct json_doc *doc;
    struct json *resources, *paths;
};

static void add_rule(void *arg, const struct json *rule)
{
    struct rules_lists *l = arg;
    json_append(json_size(json_get(rule, "nonResourceURLs")) > 0 ? l->paths : l->resources, json_copy(l->doc, rule));
}

static int rules_review(struct api_request *r, struct json *o)
{
    struct rules_lists l = {r->doc, json_new_array(r->doc), json_new_array(r->doc)};
    struct json *status = json_new_object(r->doc);
    rbac_rules(r->api->rbac, &r->user, text_at(o, "spec.namespace"), add_rule, &l);
    json_set(r->doc, status, "resourceRules", l.resources);
    json_set(r->doc, status, "nonResourceRules", l.paths);
    json_set_bool(r->doc, status, "incomplete", false);
    json_set(r->doc, o, "status", status);
    return 0;
}

static int self_review(struct api_request *r, struct json *o)
{
    user_json(r->doc, &r->user, json_ensure_object(r->doc, o, "status.userInfo"));
    return 0;
}

static int token_review(struct api_request *r, struct json *o)
{
    struct user u;
    if (json_string_at(o, "spec.token").size == 0)
        return failure_set(&r->failure, ERR_BAD_REQUEST, "token is required for TokenReview in authentication");
    struct err why;
    struct json *status = json_new_object(r->doc);
    int code = authn_token(r, json_string_at(o, "spec.token"), json_at(o, "spec.audiences"), &u, &why);
    if (code != 0) {
        json_set_str(r->doc, status, "error", why.message);
        json_set(r->doc, o, "status", status);
        return 0;
    }
    json_set_bool(r->doc, status, "authenticated", true);
    user_json(r->doc, &u, json_ensure_object(r->doc, status, "user"));
    if (json_size(json_at(o, "spec.audiences")) > 0)
        json_set(r->doc, status, "audiences", json_copy(r->doc, json_at(o, "spec.audiences")));
    json_set(r->doc, o, "status", status); /* last: what is set is taken as it is then */
    return 0;
}

static int review(struct api_request *r, struct json *o)
{
    const struct kind *k = r->route.kind;
    if (k == &kind_selfsubjectrulesreview)
        return rules_review(r, o);
    if (k == &kind_selfsubjectreview)
        return self_review(r, o);
    if (k == &kind_tokenreview)
        return token_review(r, o);
    return access_review(r, o);
}

void review_begin(struct api_request *r)
{
    const struct kind *k = r->route.kind;
    struct json *body = NULL, *o = NULL, *answer = NULL;
    struct err why;
    struct buf out = {0};
    char version[128];
    int code = request_parse_body(r, k, &body);
    if (code == 0 && schema_decode(r->doc, k->type, body, NULL, &o, &why) != 0)
        code = decode_failure(&r->failure, k, &why);
    if (code == 0)
        code = review(r, o);
    if (code != 0) {
        request_fail(r);
        return;
    }
    json_set_str(r->doc, o, "kind", k->name);
    json_set_str(r->doc, o, "apiVersion", kinds_api_version(k, version));
    if (schema_decode(r->doc, k->type, o, NULL, &answer, &why) != 0) {
        (void)decode_failure(&r->failure, k, &why); /* answered on the next line */
        request_fail(r);
        return;
    }
    json_print(answer, &out);
    buf_append_char(&out, '\n');
    request_answer(r, 201, "application/json", buf_slice(&out));
    buf_release(&out);
}
