/* Rules of Services: what is filled in and what is refused. Which addresses and node ports they hold:
 * hooks_service_ranges.c. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#include <arpa/inet.h>

#define SERVICE_PORTS_MAX 100
#define AFFINITY_SECONDS 10800
#define AFFINITY_SECONDS_MAX 86400
#define FAMILIES_MAX 2

bool service_spec_is_type(const struct json *spec, const char *type)
{
    return slice_is(json_string_at(spec, "type"), type);
}

bool service_spec_is_headless(const struct json *spec) { return slice_is(json_string_at(spec, "clusterIP"), "None"); }

size_t ip_parse(struct slice text, unsigned char ret[IP_BYTES_MAX])
{
    char copy[INET6_ADDRSTRLEN];
    if (text.size >= sizeof copy)
        return 0;
    memcpy(copy, text.data == NULL ? "" : text.data, text.size);
    copy[text.size] = '\0';
    return inet_pton(AF_INET, copy, ret) == 1 ? 4 : inet_pton(AF_INET6, copy, ret) == 1 ? 16 : 0;
}

void check_ip(struct check *c, const struct json *v)
{
    unsigned char address[IP_BYTES_MAX];
    if (ip_parse(json_string(v), address) == 0)
        check_fail(c, CHECK_INVALID, v, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

void check_endpoint_ip(struct check *c, const struct json *v)
{
    static const struct {
        const char *prefix, *text;
    } ranges[] = {{"127.", "loopback range (127.0.0.0/8, ::1/128)"},
                  {"169.254.", "link-local range (169.254.0.0/16, fe80::/10)"},
                  {"224.0.0.", "link-local multicast range (224.0.0.0/24, ff02::/10)"}};
    size_t before = c->count;
    check_ip(c, v);
    if (c->count > before)
        return;
    if (slice_is(json_string(v), "0.0.0.0") || slice_is(json_string(v), "::"))
        check_fail(c, CHECK_INVALID, v, "may not be unspecified (0.0.0.0 or ::)");
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (slice_has_prefix(json_string(v), slice_str(ranges[i].prefix)) ||
            (i == 0 && slice_is(json_string(v), "::1")))
            check_fail(c, CHECK_INVALID, v, "may not be in the %s", ranges[i].text);
}

void check_affinity_timeout(struct check *c, const struct json *v)
{
    int64_t seconds = json_int_or(v, 0);
    if (seconds <= 0 || seconds > AFFINITY_SECONDS_MAX)
        check_fail(c, CHECK_INVALID, v, "must be greater than 0 and less than or equal to %d", AFFINITY_SECONDS_MAX);
}

static void set_missing(struct json_doc *d, struct json *v, const char *key, const char *value)
{
    if (json_string_at(v, key).size == 0)
        json_set_str(d, v, key, value);
}

void service_spec_set_list(struct json_doc *d, struct json *v, const char *key, struct slice value)
{
    struct json *list = json_new_array(d);
    json_append(list, json_new_string(d, value));
    json_set(d, v, key, list);
}

/* clusterIP and the first of clusterIPs are one thing under two names. */
static void agree_on_address(struct json_doc *d, struct json *v)
{
    struct slice one = json_string_at(v, "clusterIP"), first = json_string(json_element(json_get(v, "clusterIPs"), 0));
    if (one.size > 0 && first.size == 0)
        service_spec_set_list(d, v, "clusterIPs", one);
    else if (one.size == 0 && first.size > 0)
        json_set_string(d, v, "clusterIP", first);
}

static void fill_ports(struct json_doc *d, struct json *v)
{
    struct json_iterator i = json_iterate(json_get(v, "ports"));
    while (json_next(&i)) {
        const struct json *target = json_get(i.value, "targetPort"), *port = json_get(i.value, "port");
        bool unset = target == NULL || (json_type(target) == JSON_STRING && json_string(target).size == 0) ||
                     (json_type(target) == JSON_NUMBER && json_int_or(target, 0) == 0);
        if (unset && port != NULL)
            json_set(d, i.value, "targetPort", json_copy(d, port));
    }
}

void fill_service_spec(struct json_doc *d, struct json *v)
{
    bool outside = service_spec_is_type(v, "NodePort") || service_spec_is_type(v, "LoadBalancer") ||
                   json_size(json_get(v, "externalIPs")) > 0;
    fill_ports(d, v);
    agree_on_address(d, v);
    if (service_spec_is_type(v, "ExternalName"))
        return;
    set_missing(d, v, "internalTrafficPolicy", "Cluster");
    if (outside)
        set_missing(d, v, "externalTrafficPolicy", "Cluster");
    if (service_spec_is_type(v, "LoadBalancer") && json_get(v, "allocateLoadBalancerNodePorts") == NULL)
        json_set_bool(d, v, "allocateLoadBalancerNodePorts", true);
    if (!slice_is(json_string_at(v, "sessionAffinity"), "ClientIP"))
        (void)json_remove(v, "sessionAffinityConfig"); /* absent is as good */
    else if (json_at(v, "sessionAffinityConfig.clientIP.timeoutSeconds") == NULL)
        json_set_int(d, json_ensure_object(d, v, "sessionAffinityConfig.clientIP"), "timeoutSeconds", AFFINITY_SECONDS);
}

static void check_node_port(struct check *c, const struct json *spec, const struct json *port)
{
    if (json_int_at(port, "nodePort", 0) != 0 &&
        (service_spec_is_type(spec, "ClusterIP") || service_spec_is_type(spec, "ExternalName")))
        check_fail_at(c, "nodePort", CHECK_FORBIDDEN, NULL, "may not be used when `type` is '%.*s'",
                      SLICE_ARGS(json_string_at(spec, "type")));
}

static void check_target(struct check *c, const struct json *target)
{
    size_t mark = check_enter(c, "targetPort");
    struct err why;
    if (json_type(target) == JSON_NUMBER)
        check_port(c, target);
    else if (json_type(target) == JSON_STRING && name_check_port(json_string(target), &why) != 0)
        check_fail(c, CHECK_INVALID, target, "%s", why.message);
    check_leave(c, mark);
}

/* A port against those before it. */
static void check_port_twins(struct check *c, const struct json *ports, const struct json *port, size_t index)
{
    for (size_t k = 0; k < index; k++) {
        const struct json *other = json_element(ports, k), *name = json_get(port, "name");
        bool same_protocol = slice_equal(json_string_at(port, "protocol"), json_string_at(other, "protocol"));
        int64_t node = json_int_at(port, "nodePort", 0);
        if (json_string(name).size > 0 && slice_equal(json_string(name), json_string_at(other, "name")))
            check_fail_at(c, "name", CHECK_DUPLICATE, name, "%s", "");
        if (same_protocol && json_int_at(port, "port", 0) == json_int_at(other, "port", 0))
            check_fail(c, CHECK_DUPLICATE, port, "%s", "");
        if (same_protocol && node != 0 && node == json_int_at(other, "nodePort", 0))
            check_fail_at(c, "nodePort", CHECK_DUPLICATE, json_get(port, "nodePort"), "%s", "");
    }
}

static void check_ports(struct check *c, const struct json *spec)
{
    const struct json *ports = json_get(spec, "ports");
    size_t n = json_size(ports), mark = check_enter(c, "ports");
    if (n == 0 && !service_spec_is_headless(spec) && !service_spec_is_type(spec, "ExternalName"))
        check_fail(c, CHECK_REQUIRED, NULL, "%s", "");
    if (n > SERVICE_PORTS_MAX)
        check_fail(c, CHECK_TOO_MANY, NULL, "must have at most %d items", SERVICE_PORTS_MAX);
    for (size_t i = 0; i < n && n <= SERVICE_PORTS_MAX; i++) {
        const struct json *port = json_element(ports, i);
        size_t item = check_enter_index(c, i);
        if (n > 1 && json_string_at(port, "name").size == 0)
            check_fail_at(c, "name", CHECK_REQUIRED, NULL, "%s", "");
        check_target(c, json_get(port, "targetPort"));
        check_node_port(c, spec, port);
        check_port_twins(c, ports, port, i);
        check_leave(c, item);
    }
    check_leave(c, mark);
}

static bool has_no_selector(const struct json *spec) { return json_size(json_get(spec, "selector")) == 0; }

static void check_addresses(struct check *c, const struct json *spec)
{
    const struct json *one = json_get(spec, "clusterIP"), *list = json_get(spec, "clusterIPs");
    const struct json *families = json_get(spec, "ipFamilies");
    unsigned char address[IP_BYTES_MAX];
    if (json_size(list) > 0 && !slice_equal(json_string(one), json_string(json_element(list, 0))))
        check_fail_at(c, "clusterIPs[0]", CHECK_INVALID, list, "first value must match `clusterIP`");
    if (json_size(list) > FAMILIES_MAX)
        check_fail_at(c, "clusterIPs", CHECK_INVALID, list, "may only hold up to %d values", FAMILIES_MAX);
    for (size_t i = 0; i < json_size(list) && i < FAMILIES_MAX; i++) {
        struct slice text = json_string(json_element(list, i)), family = json_string(json_element(families, i));
        size_t mark = check_enter(c, "clusterIPs"), size = ip_parse(text, address);
        (void)check_enter_index(c, i); /* left with `mark` */
        if (slice_is(text, "None") && i == 0 && !service_spec_is_type(spec, "ClusterIP"))
            check_fail(c, CHECK_INVALID, json_element(list, i), "may not be set to 'None' for %.*s services",
                       SLICE_ARGS(json_string_at(spec, "type")));
        else if (size == 0 && !(slice_is(text, "None") && i == 0))
            check_fail(c, CHECK_INVALID, json_element(list, i),
                       "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        else if (size > 0 && family.size > 0 && (size == 4) != slice_is(family, "IPv4"))
            check_fail(c, CHECK_INVALID, json_element(list, i),
                       "expected an %.*s value as indicated by `ipFamilies[%zu]`", SLICE_ARGS(family), i);
        else if (size == 16 && family.size == 0)
            check_fail(c, CHECK_INVALID, list, "IPv6 is not configured on this cluster");
        check_leave(c, mark);
    }
}

static void check_families(struct check *c, const struct json *spec)
{
    static const char *const known[] = {"IPv4", "IPv6", NULL};
    const struct json *list = json_get(spec, "ipFamilies"), *policy = json_get(spec, "ipFamilyPolicy");
    bool any = service_spec_is_headless(spec) && has_no_selector(spec); /* nobody needs an address of ours then */
    size_t mark = check_enter(c, "ipFamilies");
    if (json_size(list) > FAMILIES_MAX)
        check_fail(c, CHECK_INVALID, list, "may only hold up to %d values", FAMILIES_MAX);
    for (size_t i = 0; i < json_size(list) && i < FAMILIES_MAX; i++) {
        const struct json *family = json_element(list, i);
        size_t item = check_enter_index(c, i);
        bool ipv6 = slice_is(json_string(family), "IPv6");
        if (!ipv6 && !slice_is(json_string(family), "IPv4"))
            check_fail_one_of(c, family, known);
        else if (i > 0 && json_equal(family, json_element(list, 0)))
            check_fail(c, CHECK_DUPLICATE, family, "%s", "");
        else if (ipv6 && !any)
            check_fail(c, CHECK_INVALID, family, "not configured on this cluster");
        check_leave(c, item);
    }
    check_leave(c, mark);
    bool single = slice_is(json_string(policy), "SingleStack");
    if (slice_is(json_string(policy), "RequireDualStack") && !any)
        check_fail_at(c, "ipFamilyPolicy", CHECK_INVALID, policy,
                      "this cluster is not configured for dual-stack services");
    if (single && json_size(json_get(spec, "clusterIPs")) == FAMILIES_MAX)
        check_fail_at(c, "ipFamilyPolicy", CHECK_INVALID, policy,
                      "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
    if (single && json_size(list) == FAMILIES_MAX)
        check_fail_at(c, "ipFamilyPolicy", CHECK_INVALID, policy,
                      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
}

/* A name for something outside has nothing inside. */
static void check_external_name(struct check *c, const struct json *spec)
{
    static const char *const none[] = {"clusterIPs", "ipFamilies"};
    const struct json *name = json_get(spec, "externalName");
    struct err why;
    if (json_string(name).size == 0)
        check_fail_at(c, "externalName", CHECK_REQUIRED, NULL, "%s", "");
    else if (name_check_subdomain(json_string(name), &why) != 0)
        check_fail_at(c, "externalName", CHECK_INVALID, name, "%s", why.message);
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        size_t mark = check_enter(c, none[i]);
        (void)check_enter_index(c, 0); /* left with `mark` */
        if (json_size(json_get(spec, none[i])) > 0)
            check_fail(c, CHECK_FORBIDDEN, NULL, "may not be set when `type` is 'ExternalName'");
        check_leave(c, mark);
    }
    if (json_string_at(spec, "ipFamilyPolicy").size > 0)
        check_fail_at(c, "ipFamilyPolicy", CHECK_FORBIDDEN, NULL, "may not be set when `type` is 'ExternalName'");
}

/* What only services that are reached from outside have. */
static void check_outside(struct check *c, const struct json *spec)
{
    static const char *const balanced[] = {"allocateLoadBalancerNodePorts", "loadBalancerClass"};
    const struct json *policy = json_get(spec, "externalTrafficPolicy"),
                      *health = json_get(spec, "healthCheckNodePort");
    bool balancer = service_spec_is_type(spec, "LoadBalancer");
    bool outside = balancer || service_spec_is_type(spec, "NodePort") ||
                   (service_spec_is_type(spec, "ClusterIP") && json_size(json_get(spec, "externalIPs")) > 0);
    if (!outside && json_string(policy).size > 0)
        check_fail_at(c, "externalTrafficPolicy", CHECK_INVALID, policy,
                      "may only be set for externally-accessible services");
    if (json_int_or(health, 0) != 0 && !(balancer && slice_is(json_string(policy), "Local")))
        check_fail_at(c, "healthCheckNodePort", CHECK_INVALID, health,
                      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    for (size_t i = 0; i < ARRAY_LEN(balanced); i++)
        if (!balancer && json_get(spec, balanced[i]) != NULL)
            check_fail_at(c, balanced[i], CHECK_FORBIDDEN, NULL, "may only be used when `type` is 'LoadBalancer'");
}

void check_service_spec(struct check *c, const struct json *v)
{
    check_ports(c, v);
    if (service_spec_is_type(v, "ExternalName")) {
        check_external_name(c, v);
    } else {
        check_addresses(c, v);
        check_families(c, v);
    }
    check_outside(c, v);
    struct json_iterator i = json_iterate(json_get(v, "externalIPs"));
    while (json_next(&i)) {
        size_t mark = check_enter(c, "externalIPs");
        (void)check_enter_index(c, i.position - 1); /* left with `mark` */
        check_ip(c, i.value);
        check_leave(c, mark);
    }
}

void check_service_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *spec = json_get(object, "spec"), *was = json_get(old, "spec");
    struct slice address = json_string_at(was, "clusterIP");
    const struct json *family = json_element(json_get(was, "ipFamilies"), 0);
    const struct json *health = json_get(spec, "healthCheckNodePort");
    if (service_spec_is_type(spec, "ExternalName") || service_spec_is_type(was, "ExternalName"))
        return;
    if (address.size > 0 && !slice_equal(json_string_at(spec, "clusterIP"), address))
        check_fail_at(c, "spec.clusterIPs[0]", CHECK_INVALID, json_get(spec, "clusterIPs"), "may not change once set");
    if (family != NULL && !json_equal(json_element(json_get(spec, "ipFamilies"), 0), family))
        check_fail_at(c, "spec.ipFamilies[0]", CHECK_INVALID, json_element(json_get(spec, "ipFamilies"), 0),
                      "may not change once set");
    if (service_needs_health_port(spec) && service_needs_health_port(was) &&
        json_int_at(was, "healthCheckNodePort", 0) != json_int_or(health, 0))
        check_fail_at(c, "spec.healthCheckNodePort", CHECK_INVALID, health, "field is immutable");
    if (service_spec_is_type(spec, "LoadBalancer") && service_spec_is_type(was, "LoadBalancer") &&
        !json_equal(json_get(spec, "loadBalancerClass"), json_get(was, "loadBalancerClass")))
        check_fail_at(c, "spec.loadBalancerClass", CHECK_INVALID, json_get(spec, "loadBalancerClass"),
                      "may not change once set");
}
