#include "common/base.h"

#include "apiserver/authn.h"
#include "apiserver/request.h"
#include "common/clock.h"
#include "common/jwt.h"

#include <strings.h>

#define TOKEN_SECONDS_MIN 600
#define TOKEN_SECONDS_MAX 4294967296
#define TOKEN_SKEW_SECONDS 60 /* clocks of masters may differ so much */
#define ACCOUNT_PREFIX "system:serviceaccount:"

static bool list_has_text(const struct json *list, struct slice value)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (slice_equal(json_string(i.value), value))
            return true;
    }
    return json_type(list) == JSON_STRING && slice_equal(json_string(list), value);
}

static bool audience_fits(const struct api_request *r, const struct json *own, const struct json *wanted)
{
    if (json_size(wanted) == 0)
        return list_has_text(own, slice_str(r->api->issuer));
    struct json_iterator i = json_iterate(wanted);
    while (json_next(&i)) {
        if (list_has_text(own, json_string(i.value)))
            return true;
    }
    return false;
}

/* The object `kind` called `name` exists with this uid and is not gone. */
static bool lives(const struct api_request *r, const struct kind *k, struct slice namespace, const struct json *about)
{
    struct buf key = {0};
    struct json *tree = NULL;
    struct slice uid = json_string_at(about, "uid");
    if (k->namespaced)
        buf_printf(&key, "%.*s/", SLICE_ARGS(namespace));
    buf_append_slice(&key, json_string_at(about, "name"));
    struct cached *o = watch_cache_get(r->api->caches[kinds_index(k)], buf_slice(&key));
    bool found = o != NULL && json_parse(r->doc, bytes_slice(o->json), &tree, NULL) == 0 && uid.size > 0 &&
                 slice_equal(json_string_at(tree, "metadata.uid"), uid);
    buf_release(&key);
    return found;
}

static int check_bound(const struct api_request *r, const struct json *own, struct err *reterr)
{
    static const struct {
        const char *name;
        const struct kind *kind;
    } bound[] = {
        {"serviceaccount", &kind_serviceaccount}, {"pod", &kind_pod}, {"secret", &kind_secret}, {"node", &kind_node}};
    struct slice namespace = json_string_at(own, "namespace");
    for (size_t i = 0; i < ARRAY_LEN(bound); i++) {
        const struct json *about = json_get(own, bound[i].name);
        if ((about != NULL || i == 0) && !lives(r, bound[i].kind, namespace, about))
            return err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: its %s does not exist any more",
                           bound[i].name);
    }
    return 0;
}

static int check_claims(const struct api_request *r, const struct json *claims, const struct json *audiences,
                        struct err *reterr)
{
    int64_t now = clock_wall_ms(&r->api->env->clock) / 1000;
    if (!slice_is(json_string_at(claims, "iss"), r->api->issuer))
        return err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: another issuer's");
    if (json_int_at(claims, "exp", 0) + TOKEN_SKEW_SECONDS <= now)
        return err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: it has expired");
    if (json_int_at(claims, "nbf", 0) > now + TOKEN_SKEW_SECONDS)
        return err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: it is not valid yet");
    if (!audience_fits(r, json_get(claims, "aud"), audiences))
        return err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: it is for another audience");
    return check_bound(r, json_get(claims, "kubernetes.io"), reterr);
}

static struct json *one_text(struct json_doc *d, struct slice text)
{
    struct json *list = json_new_array(d);
    json_append(list, json_new_string(d, text));
    return list;
}

/* Extra information about the user, as Kubernetes names it. */
static struct json *extra_of(struct api_request *r, const struct json *claims, const struct json *own)
{
    struct json *extra = json_new_object(r->doc);
    static const struct {
        const char *path, *name;
    } copied[] = {{"node.name", "authentication.kubernetes.io/node-name"},
                  {"node.uid", "authentication.kubernetes.io/node-uid"},
                  {"pod.name", "authentication.kubernetes.io/pod-name"},
                  {"pod.uid", "authentication.kubernetes.io/pod-uid"}};
    struct buf id = {0};
    buf_printf(&id, "JTI=%.*s", SLICE_ARGS(json_string_at(claims, "jti")));
    json_set(r->doc, extra, "authentication.kubernetes.io/credential-id", one_text(r->doc, buf_slice(&id)));
    buf_release(&id);
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        struct slice text = json_string_at(own, copied[i].path);
        if (text.size > 0)
            json_set(r->doc, extra, copied[i].name, one_text(r->doc, text));
    }
    return extra;
}

static void user_of(struct api_request *r, const struct json *claims, struct user *ret)
{
    const struct json *own = json_get(claims, "kubernetes.io");
    struct slice namespace = json_string_at(own, "namespace"), name = json_string_at(own, "serviceaccount.name");
    struct buf text = {0};
    buf_printf(&text, ACCOUNT_PREFIX "%.*s:%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name));
    *ret = (struct user){.name = json_string(json_new_string(r->doc, buf_slice(&text))),
                         .uid = json_string_at(own, "serviceaccount.uid"),
                         .extra = extra_of(r, claims, own)};
    buf_reset(&text);
    buf_printf(&text, "system:serviceaccounts:%.*s", SLICE_ARGS(namespace));
    user_add_group(ret, SLICE("system:serviceaccounts"));
    user_add_group(ret, json_string(json_new_string(r->doc, buf_slice(&text))));
    user_add_group(ret, SLICE("system:authenticated"));
    buf_release(&text);
}

int authn_token(struct api_request *r, struct slice token, const struct json *audiences, struct user *ret,
                struct err *reterr)
{
    struct buf text = {0};
    struct json *claims = NULL;
    int code = r->api->token_key == NULL
                   ? err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: this apiserver knows no tokens")
                   : jwt_verify(r->api->token_key, token, &text, reterr);
    if (code == 0 && json_parse(r->doc, buf_slice(&text), &claims, reterr) != 0)
        code = err_set(reterr, ERR_UNAUTHORIZED, "invalid bearer token: its claims are damaged");
    if (code == 0)
        code = check_claims(r, claims, audiences, reterr);
    if (code == 0)
        user_of(r, claims, ret);
    buf_release(&text);
    return code;
}

static int may_impersonate(struct api_request *r, const char *group, const char *resource, struct slice name)
{
    struct attributes a = {.is_resource = true,
                           .verb = SLICE("impersonate"),
                           .group = slice_str(group),
                           .resource = slice_str(resource),
                           .name = name};
    struct slice rest = name;
    if (slice_has_prefix(name, SLICE(ACCOUNT_PREFIX))) {
        rest = slice_from(rest, strlen(ACCOUNT_PREFIX));
        a.resource = SLICE("serviceaccounts");
        a.namespace = slice_cut(&rest, ':');
        a.name = rest;
    }
    if (authz_system(&r->user, &a) || rbac_allows(r->api->rbac, &r->user, &a, NULL))
        return 0;
    return failure_set(&r->failure, ERR_FORBIDDEN,
                       "%.*s \"%.*s\" is forbidden: User \"%.*s\" cannot impersonate resource \"%.*s\" in API group "
                       "\"%s\" %s%.*s%s",
                       SLICE_ARGS(a.resource), SLICE_ARGS(a.name), SLICE_ARGS(r->user.name), SLICE_ARGS(a.resource),
                       group, a.namespace.size > 0 ? "in the namespace \"" : "at the cluster scope",
                       SLICE_ARGS(a.namespace), a.namespace.size > 0 ? "\"" : "");
}

/* Groups that come with a user who names none itself. */
static void impersonated_groups(struct api_request *r, struct user *u)
{
    struct slice rest = u->name;
    if (u->group_count == 0 && slice_has_prefix(rest, SLICE(ACCOUNT_PREFIX))) {
        struct buf text = {0};
        rest = slice_from(rest, strlen(ACCOUNT_PREFIX));
        struct slice namespace = slice_cut(&rest, ':');
        buf_printf(&text, "system:serviceaccounts:%.*s", SLICE_ARGS(namespace));
        user_add_group(u, SLICE("system:serviceaccounts"));
        user_add_group(u, json_string(json_new_string(r->doc, buf_slice(&text))));
        buf_release(&text);
    }
    bool anonymous = slice_is(u->name, "system:anonymous");
    if (anonymous && u->group_count == 0)
        user_add_group(u, SLICE("system:unauthenticated"));
    else if (!anonymous && !user_in_group(u, SLICE("system:authenticated")))
        user_add_group(u, SLICE("system:authenticated"));
}

/* Impersonate-User and Impersonate-Group: the caller acts as someone else, if it may. */
static int impersonate(struct api_request *r)
{
    const struct http_request *q = &r->x->request;
    struct user as = {.name = http_header_get(q->headers, q->header_count, "Impersonate-User")};
    int code = as.name.size == 0 ? 0 : may_impersonate(r, "", "users", as.name);
    for (size_t i = 0; code == 0 && i < q->header_count; i++) {
        struct slice name = q->headers[i].name;
        bool extra = name.size > 18 && strncasecmp(name.data, "Impersonate-Extra-", 18) == 0;
        bool uid = name.size == 15 && strncasecmp(name.data, "Impersonate-Uid", 15) == 0;
        bool group = name.size == 17 && strncasecmp(name.data, "Impersonate-Group", 17) == 0;
        if ((group || uid || extra) && as.name.size == 0)
            return failure_set(&r->failure, ERR_BAD_REQUEST,
                               "requested impersonation of groups, uids or extras without impersonating a user");
        if (uid || extra)
            return failure_set(&r->failure, ERR_BAD_REQUEST, "impersonation of uids and extras is not supported");
        if (group && (code = may_impersonate(r, "", "groups", q->headers[i].value)) == 0)
            user_add_group(&as, q->headers[i].value);
    }
    if (code == 0 && as.name.size > 0) {
        impersonated_groups(r, &as);
        r->user = as;
    }
    return code;
}

int authn_request(struct api_request *r)
{
    const struct http_request *q = &r->x->request;
    struct slice header = http_header_get(q->headers, q->header_count, "Authorization");
    struct err why;
    user_from_peer(q->peer, &r->user);
    bool named = q->peer != NULL && q->peer->common_name[0] != '\0';
    struct slice scheme = slice_cut(&header, ' ');
    if (named || !(slice_is(scheme, "Bearer") || slice_is(scheme, "bearer")))
        return impersonate(r);
    return authn_token(r, header, NULL, &r->user, &why) == 0
               ? impersonate(r)
               : failure_set(&r->failure, ERR_UNAUTHORIZED, "Unauthorized");
}

static int token_invalid(struct api_request *r, const char *field, const struct json *bad, const char *text)
{
    check_fail_at(&r->failure.check, field, CHECK_INVALID, bad, "%s", text);
    return failure_invalid(&r->failure, &kind_tokenrequest, (struct slice){NULL, 0});
}

static const struct json *cached_tree(struct api_request *r, const struct kind *k, struct slice name)
{
    struct buf key = {0};
    struct json *tree = NULL;
    if (k->namespaced)
        buf_printf(&key, "%.*s/", SLICE_ARGS(r->route.namespace));
    buf_append_slice(&key, name);
    struct cached *o = watch_cache_get(r->api->caches[kinds_index(k)], buf_slice(&key));
    if (o != NULL && json_parse(r->doc, bytes_slice(o->json), &tree, NULL) != 0)
        tree = NULL;
    buf_release(&key);
    return tree;
}

static void add_about(struct json_doc *d, struct json *own, const char *field, const struct json *object)
{
    struct json *about = json_ensure_object(d, own, field);
    json_set_string(d, about, "name", json_string_at(object, "metadata.name"));
    json_set_string(d, about, "uid", json_string_at(object, "metadata.uid"));
}

/* The object a token is bound to: it must be there, and a pod must run as the account. */
static int bind_token(struct api_request *r, const struct json *ref, struct json *own)
{
    struct slice kind = json_string_at(ref, "kind"), name = json_string_at(ref, "name"),
                 uid = json_string_at(ref, "uid");
    const struct kind *k = slice_is(kind, "Pod")      ? &kind_pod
                           : slice_is(kind, "Secret") ? &kind_secret
                           : slice_is(kind, "Node")   ? &kind_node
                                                      : NULL;
    struct slice version = json_string_at(ref, "apiVersion");
    bool core = slice_find(version, '/') == version.size; /* no group before the version */
    if (k == NULL)
        return failure_set(&r->failure, ERR_BAD_REQUEST, "cannot bind token to object of type %s%.*s, Kind=%.*s",
                           core ? "/" : "", SLICE_ARGS(version), SLICE_ARGS(kind));
    const struct json *object = cached_tree(r, k, name);
    if (object == NULL)
        return failure_not_found(&r->failure, k, name);
    if (uid.size > 0 && !slice_equal(uid, json_string_at(object, "metadata.uid")))
        return failure_conflict_with(&r->failure, k, name,
                                     ": the UID in the bound object reference (%.*s) does not match the UID in record. "
                                     "The object might have been deleted and then recreated",
                                     SLICE_ARGS(uid));
    struct slice account = json_string_at(object, "spec.serviceAccountName"),
                 node = json_string_at(object, "spec.nodeName");
    if (account.size == 0) /* as nodes read a pod that names none */
        account = SLICE("default");
    if (k == &kind_pod && !slice_equal(account, r->route.name))
        return token_invalid(r, "spec.boundObjectRef", json_get(ref, "name"),
                             "the pod runs as another service account");
    add_about(r->doc, own, k == &kind_pod ? "pod" : k == &kind_secret ? "secret" : "node", object);
    const struct json *host = k == &kind_pod && node.size > 0 ? cached_tree(r, &kind_node, node) : NULL;
    if (host != NULL)
        add_about(r->doc, own, "node", host);
    return 0;
}

static int claims_make(struct api_request *r, const struct json *o, const struct json *account, struct json *claims)
{
    struct json_doc *d = r->doc;
    struct json *audiences = json_at(o, "spec.audiences");
    int64_t now = clock_wall_ms(&r->api->env->clock) / 1000, seconds = json_int_at(o, "spec.expirationSeconds", 3600);
    char id[UUID_TEXT_SIZE];
    struct buf subject = {0};
    if (seconds < TOKEN_SECONDS_MIN)
        return token_invalid(r, "spec.expirationSeconds", json_at(o, "spec.expirationSeconds"),
                             "may not specify a duration less than 10 minutes");
    if (seconds > TOKEN_SECONDS_MAX)
        return token_invalid(r, "spec.expirationSeconds", json_at(o, "spec.expirationSeconds"),
                             "may not specify a duration larger than 2^32 seconds");
    random_uuid(&r->api->env->random, id);
    json_set(d, claims, "aud",
             json_size(audiences) > 0 ? json_copy(d, audiences) : one_text(d, slice_str(r->api->issuer)));
    json_set_int(d, claims, "exp", now + seconds);
    json_set_int(d, claims, "iat", now);
    json_set_str(d, claims, "iss", r->api->issuer);
    json_set_str(d, claims, "jti", id);
    struct json *own = json_new_object(d);
    json_set_string(d, own, "namespace", r->route.namespace);
    int code = 0;
    const struct json *ref = json_at(o, "spec.boundObjectRef");
    if (ref != NULL)
        code = bind_token(r, ref, own);
    add_about(d, own, "serviceaccount", account);
    json_set(d, claims, "kubernetes.io", own);
    json_set_int(d, claims, "nbf", now);
    buf_printf(&subject, ACCOUNT_PREFIX "%.*s:%.*s", SLICE_ARGS(r->route.namespace), SLICE_ARGS(r->route.name));
    json_set_string(d, claims, "sub", buf_slice(&subject));
    buf_release(&subject);
    return code;
}

static int token_issue(struct api_request *r, const struct json *account, struct json *o)
{
    struct json *claims = json_new_object(r->doc);
    struct buf text = {0}, token = {0};
    struct err why;
    char until[TIME_TEXT_MAX];
    int code = claims_make(r, o, account, claims);
    json_print(claims, &text);
    if (code == 0 && jwt_sign(r->api->token_key, buf_slice(&text), &token, &why) != 0)
        code = failure_from(&r->failure, &why);
    if (code == 0) {
        struct json *status = json_ensure_object(r->doc, o, "status");
        time_format(json_int_at(claims, "exp", 0) * 1000000, 0, until);
        json_set_string(r->doc, status, "token", buf_slice(&token));
        json_set_str(r->doc, status, "expirationTimestamp", until);
        json_set(r->doc, json_ensure_object(r->doc, o, "spec"), "audiences",
                 json_copy(r->doc, json_get(claims, "aud")));
        struct json *meta = json_ensure_object(r->doc, o, "metadata");
        json_set_string(r->doc, meta, "name", r->route.name);
        json_set_string(r->doc, meta, "namespace", r->route.namespace);
        time_format(json_int_at(claims, "iat", 0) * 1000000, 0, until);
        json_set_str(r->doc, meta, "creationTimestamp", until);
    }
    buf_release(&text);
    buf_release(&token);
    return code;
}

void token_begin(struct api_request *r)
{
    struct json *body = NULL, *o = NULL;
    struct err why;
    struct buf out = {0};
    const struct kind *k = &kind_tokenrequest;
    const struct json *account = cached_tree(r, &kind_serviceaccount, r->route.name);
    int code = r->api->token_key == NULL
                   ? failure_set(&r->failure, ERR_UNAVAILABLE,
                                 "this apiserver issues no tokens: it has no --service-account-key-file")
                   : request_parse_body(r, k, &body);
    if (code == 0 && account == NULL)
        code = failure_not_found(&r->failure, &kind_serviceaccount, r->route.name);
    if (code == 0 && schema_decode(r->doc, k->type, body, NULL, &o, &why) != 0)
        code = decode_failure(&r->failure, k, &why);
    if (code == 0) {
        schema_default(r->doc, k->type, o);
        json_set_str(r->doc, o, "kind", k->name);
        json_set_str(r->doc, o, "apiVersion", "authentication.k8s.io/v1");
        code = token_issue(r, account, o);
    }
    if (code == 0 && schema_decode(r->doc, k->type, o, NULL, &o, &why) != 0)
        code = decode_failure(&r->failure, k, &why);
    if (code != 0) {
        request_fail(r);
        return;
    }
    json_print(o, &out);
    buf_append_char(&out, '\n');
    request_answer(r, 201, "application/json", buf_slice(&out));
    buf_release(&out);
}
