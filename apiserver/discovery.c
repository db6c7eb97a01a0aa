/* What every client asks before it can ask anything: groups, resources, version, health, metrics (openapi_serve.c: schemas).
 * All of it is read off the table of kinds. */
#include "common/base.h"

#include "apiserver/request.h"
#include "apiserver/version.h"
#include "common/jwt.h"
#include "common/map.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>


static void string_list(const char *name, const char *const *list, struct buf *out)
{
    if (list == NULL)
        return;
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; list[i] != NULL; i++)
        buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", list[i]);
    buf_append_char(out, ']');
}

static void verbs_list(const char *verbs, struct buf *out)
{
    struct slice rest = slice_str(verbs);
    const char *comma = "";
    buf_append_str(out, "\"verbs\":[");
    while (rest.size > 0) {
        struct slice verb = slice_cut(&rest, ',');
        buf_printf(out, "%s\"%.*s\"", comma, SLICE_ARGS(verb));
        comma = ",";
    }
    buf_append_char(out, ']');
}

static bool is_served(const struct kind *k) { return *k->plural != '\0'; }

static void legacy_resource(const struct kind *k, struct buf *out)
{
    const char *namespaced = k->namespaced ? "true" : "false";
    buf_printf(out, "{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\",", k->plural,
               k->singular, namespaced, k->name);
    verbs_list(k->verbs, out);
    string_list("shortNames", k->short_names, out);
    string_list("categories", k->categories, out);
    buf_append_char(out, '}');
    for (const struct subresource *s = k->subresources; s != NULL && s->name != NULL; s++) {
        buf_printf(out, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,", k->plural, s->name,
                   namespaced);
        if (strcmp(s->group, k->group) != 0 || strcmp(s->version, k->version) != 0)
            buf_printf(out, "\"group\":\"%s\",\"version\":\"%s\",", s->group, s->version);
        buf_printf(out, "\"kind\":\"%s\",", s->kind);
        verbs_list(s->verbs, out);
        buf_append_char(out, '}');
    }
}

static bool resource_list(struct slice group, struct slice version, struct buf *out)
{
    bool any = false;
    buf_printf(out,
               "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"%.*s%s%.*s\",\"resources\":[",
               SLICE_ARGS(group), group.size > 0 ? "/" : "", SLICE_ARGS(version));
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (!is_served(*k) || !slice_is(group, (*k)->group) || !slice_is(version, (*k)->version))
            continue;
        if (any)
            buf_append_char(out, ',');
        legacy_resource(*k, out);
        any = true;
    }
    buf_append_str(out, "]}\n");
    return any;
}

/* The first kind of each group stands for it. */
static bool is_first_of_group(const struct kind *const *k)
{
    for (const struct kind *const *i = kinds_all(); i != k; i++) {
        if (is_served(*i) && strcmp((*i)->group, (*k)->group) == 0)
            return false;
    }
    return is_served(*k);
}

/* The first kind of each version of a group; versions are preferred in the order of the table. */
static bool is_first_of_version(const struct kind *const *k)
{
    for (const struct kind *const *i = kinds_all(); i != k; i++) {
        if (is_served(*i) && strcmp((*i)->group, (*k)->group) == 0 && strcmp((*i)->version, (*k)->version) == 0)
            return false;
    }
    return is_served(*k);
}

static void group_version(const struct kind *k, struct buf *out)
{
    buf_printf(out, "{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", k->group, k->version, k->version);
}

static void group_object(const struct kind *first, bool alone, struct buf *out)
{
    const char *comma = "";
    buf_printf(out, "{%s\"name\":\"%s\",\"versions\":[", alone ? "\"kind\":\"APIGroup\",\"apiVersion\":\"v1\"," : "",
               first->group);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (strcmp((*k)->group, first->group) != 0 || !is_first_of_version(k))
            continue;
        buf_append_str(out, comma);
        group_version(*k, out);
        comma = ",";
    }
    buf_append_str(out, "],\"preferredVersion\":");
    group_version(first, out);
    buf_append_char(out, '}');
}

static void group_list(struct buf *out)
{
    const char *comma = "";
    buf_append_str(out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (*(*k)->group == '\0' || !is_first_of_group(k))
            continue;
        buf_append_str(out, comma);
        group_object(*k, false, out);
        comma = ",";
    }
    buf_append_str(out, "]}\n");
}

static void response_kind(const char *group, const char *version, const char *kind, struct buf *out)
{
    buf_printf(out, "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}", group, version, kind);
}

static void aggregated_resource(const struct kind *k, struct buf *out)
{
    buf_printf(out, "{\"resource\":\"%s\",", k->plural);
    response_kind(k->group, k->version, k->name, out);
    buf_printf(out, ",\"scope\":\"%s\",\"singularResource\":\"%s\",", k->namespaced ? "Namespaced" : "Cluster",
               k->singular);
    verbs_list(k->verbs, out);
    string_list("shortNames", k->short_names, out);
    string_list("categories", k->categories, out);
    if (k->subresources != NULL) {
        buf_append_str(out, ",\"subresources\":[");
        for (const struct subresource *s = k->subresources; s->name != NULL; s++) {
            buf_printf(out, "%s{\"subresource\":\"%s\",", s == k->subresources ? "" : ",", s->name);
            response_kind(s->group, s->version, s->kind, out);
            buf_append_char(out, ',');
            verbs_list(s->verbs, out);
            buf_append_char(out, '}');
        }
        buf_append_char(out, ']');
    }
    buf_append_char(out, '}');
}

static void aggregated_version(const struct kind *first, struct buf *out)
{
    const char *comma = "";
    buf_printf(out, "{\"version\":\"%s\",\"freshness\":\"Current\",\"resources\":[", first->version);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (!is_served(*k) || strcmp((*k)->group, first->group) != 0 || strcmp((*k)->version, first->version) != 0)
            continue;
        buf_append_str(out, comma);
        aggregated_resource(*k, out);
        comma = ",";
    }
    buf_append_str(out, "]}");
}

static void aggregated_group(const struct kind *first, struct buf *out)
{
    const char *comma = "";
    if (*first->group == '\0')
        buf_append_str(out, "{\"metadata\":{},");
    else
        buf_printf(out, "{\"metadata\":{\"name\":\"%s\"},", first->group);
    buf_append_str(out, "\"versions\":[");
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (strcmp((*k)->group, first->group) != 0 || !is_first_of_version(k))
            continue;
        buf_append_str(out, comma);
        aggregated_version(*k, out);
        comma = ",";
    }
    buf_append_str(out, "]}");
}

static void aggregated(bool core, const char *version, struct buf *out)
{
    const char *comma = "";
    buf_printf(
        out,
        "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/%s\",\"metadata\":{},\"items\":[",
        version);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (!is_first_of_group(k) || (*(*k)->group == '\0') != core)
            continue;
        buf_append_str(out, comma);
        aggregated_group(*k, out);
        comma = ",";
    }
    buf_append_str(out, "]}\n");
}

static void core_versions(const struct api_request *r, struct buf *out)
{
    buf_append_str(out, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":[");
    if (r->api->advertise != NULL) {
        buf_append_str(out, "{\"clientCIDR\":\"0.0.0.0/0\",\"serverAddress\":");
        json_print_string(slice_str(r->api->advertise), out);
        buf_append_char(out, '}');
    }
    buf_append_str(out, "]}\n");
}

static void answer_root(struct api_request *r, bool core)
{
    const struct http_request *q = &r->x->request;
    const char *version;
    struct buf out = {0};
    if (accept_aggregated(http_header_get(q->headers, q->header_count, "Accept"), &version)) {
        char type[96] = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        if (strcmp(version, "v2beta1") == 0)
            memcpy(type, "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
                   sizeof "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList");
        aggregated(core, version, &out);
        request_answer_tagged(r, type, buf_slice(&out), hash_bytes(buf_slice(&out)));
    } else {
        if (core)
            core_versions(r, &out);
        else
            group_list(&out);
        request_answer(r, 200, "application/json", buf_slice(&out));
    }
    buf_release(&out);
}

static bool answer_group(struct api_request *r, struct slice group)
{
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        if (!is_served(*k) || group.size == 0 || !slice_is(group, (*k)->group))
            continue;
        struct buf out = {0};
        group_object(*k, true, &out);
        request_answer(r, 200, "application/json", buf_slice(&out));
        buf_release(&out);
        return true;
    }
    return false;
}

static bool answer_resources(struct api_request *r, struct slice group, struct slice version)
{
    struct buf out = {0};
    bool any = resource_list(group, version, &out);
    if (any)
        request_answer(r, 200, "application/json", buf_slice(&out));
    buf_release(&out);
    return any;
}

static void answer_version(struct api_request *r)
{
    request_answer(r, 200, "application/json",
                   SLICE("{\"major\":\"" SERVER_MAJOR "\",\"minor\":\"" SERVER_MINOR
                         "\",\"gitVersion\":\"" SERVER_VERSION
                         "\",\"gitCommit\":\"\",\"gitTreeState\":\"clean\",\"buildDate\":\"1970-01-01T00:00:00Z\","
                         "\"goVersion\":\"none\",\"compiler\":\"gcc\",\"platform\":\"linux/amd64\"}\n"));
}

/* One line per check; the whole is what a load balancer asks for. */
static void answer_health(struct api_request *r, struct slice path)
{
    struct buf out = {0}, scratch = {0};
    bool ready = slice_has_prefix(path, SLICE("/readyz")), good = !ready || apiserver_ready(r->api);
    bool verbose = request_query(r, "verbose", &scratch);
    if (good && !verbose) {
        buf_append_str(&out, "ok");
    } else {
        buf_append_str(&out, "[+]ping ok\n");
        for (const struct kind *const *k = kinds_all(); ready && *k != NULL; k++) {
            const struct watch_cache *c = r->api->caches[kinds_index(*k)];
            if (c != NULL && (*k)->stored_as == NULL && (verbose || !watch_cache_synced(c)))
                buf_printf(&out, "[%s]cache-%s %s\n", watch_cache_synced(c) ? "+" : "-", (*k)->plural,
                           watch_cache_synced(c) ? "ok" : "not synced");
        }
        if (ready)
            buf_printf(&out, "[%s]bootstrap\n", r->api->bootstrapped ? "+" : "-");
        buf_printf(&out, "%.*s check %s\n", SLICE_ARGS(slice_from(path, 1)), good ? "passed" : "failed");
    }
    request_answer(r, good ? 200 : 500, "text/plain; charset=utf-8", buf_slice(&out));
    buf_release(&out);
    buf_release(&scratch);
}

static void answer_metrics(struct api_request *r)
{
    struct buf out = {0};
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        struct watch_cache *c = r->api->caches[kinds_index(*k)];
        char name[160];
        if (c == NULL)
            continue;
        (void)snprintf(name, sizeof name, "apiserver_cache_objects{resource=\"%s\"}",
                       (*k)->plural); /* plurals are short */
        metric_set(metrics_gauge(r->api->metrics, name, "Objects held in the watch cache."),
                   (int64_t)watch_cache_count(c));
    }
    metric_set(
        metrics_gauge(r->api->metrics, "apiserver_requests_open", "Requests not yet answered, watches included."),
        (int64_t)r->api->request_count);
    metrics_print(r->api->metrics, &out);
    request_answer(r, 200, "text/plain; version=0.0.4", buf_slice(&out));
    buf_release(&out);
}

/* Where others find the key that proves tokens of service accounts (OpenID Connect Discovery 1.0, section 4.2). */
static void answer_issuer(struct api_request *r)
{
    struct slice issuer = slice_str(r->api->issuer);
    struct json_doc *d = r->doc;
    struct json *o = json_new_object(d), *list;
    struct buf out = {0}, keys = {0};
    buf_printf(&keys, "%.*s/openid/v1/jwks", (int)(issuer.size - slice_has_suffix(issuer, SLICE("/"))), issuer.data);
    json_set_string(d, o, "issuer", issuer);
    json_set_string(d, o, "jwks_uri", buf_slice(&keys));
    json_set(d, o, "response_types_supported", list = json_new_array(d));
    json_append(list, json_new_str(d, "id_token"));
    json_set(d, o, "subject_types_supported", list = json_new_array(d));
    json_append(list, json_new_str(d, "public"));
    json_set(d, o, "id_token_signing_alg_values_supported", list = json_new_array(d));
    json_append(list, json_new_str(d, jwt_key_algorithm(r->api->token_key)));
    json_print(o, &out);
    r->cache.control = "public, max-age=3600";
    request_answer(r, 200, "application/json", buf_slice(&out));
    buf_release(&keys);
    buf_release(&out);
}

static void answer_keys(struct api_request *r)
{
    struct buf out = {0};
    struct err why;
    buf_append_str(&out, "{\"keys\":[");
    int code = jwt_key_public(r->api->token_key, &out, &why);
    buf_append_str(&out, "]}");
    r->cache.control = "public, max-age=3600";
    if (code != 0)
        request_fail_with(r, code, "%s", why.message);
    else
        request_answer(r, 200, "application/jwk-set+json", buf_slice(&out));
    buf_release(&out);
}

static void list_paths(struct api_request *r)
{
    request_answer(r, 200, "application/json",
                   SLICE("{\"paths\":[\"/.well-known/openid-configuration\",\"/api\",\"/api/v1\",\"/apis\",\"/healthz\",\"/livez\",\"/metrics\","
                         "\"/openapi/v2\",\"/openapi/v3\",\"/openid/v1/jwks\","
                         "\"/readyz\",\"/version\"]}\n"));
}

static bool is_health(struct slice path)
{
    return slice_is(path, "/healthz") || slice_is(path, "/livez") || slice_is(path, "/readyz") ||
           slice_has_prefix(path, SLICE("/readyz/")) || slice_has_prefix(path, SLICE("/livez/")) ||
           slice_has_prefix(path, SLICE("/healthz/"));
}

static bool answer_groups(struct api_request *r, struct slice path)
{
    struct slice rest = path;
    (void)slice_cut(&rest, '/'); /* the leading one */
    struct slice root = slice_cut(&rest, '/');
    if (slice_is(root, "api")) {
        struct slice version = rest;
        if (version.size > 0)
            return answer_resources(r, SLICE(""), version);
        answer_root(r, true);
        return true;
    }
    if (!slice_is(root, "apis"))
        return false;
    if (rest.size == 0) {
        answer_root(r, false);
        return true;
    }
    struct slice group = slice_cut(&rest, '/');
    return rest.size == 0 ? answer_group(r, group) : answer_resources(r, group, rest);
}

bool discovery_answer(struct api_request *r)
{
    struct slice path = r->x->request.path;
    if (strcmp(r->route.verb, "get") != 0)
        return false;
    if (path.size > 1 && path.data[path.size - 1] == '/')
        path.size--;
    if (is_health(path))
        answer_health(r, path);
    else if (slice_is(path, "/version"))
        answer_version(r);
    else if (slice_is(path, "/metrics"))
        answer_metrics(r);
    else if (slice_is(path, "/"))
        list_paths(r);
    else if (r->api->token_key != NULL && slice_is(path, "/.well-known/openid-configuration"))
        answer_issuer(r);
    else if (r->api->token_key != NULL && slice_is(path, "/openid/v1/jwks"))
        answer_keys(r);
    else if (slice_has_prefix(path, SLICE("/openapi/")))
        return openapi_answer(r, path);
    else
        return answer_groups(r, path);
    return true;
}
