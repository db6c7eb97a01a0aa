/* Rules of Services: what is filled in, what is refused, and which addresses and node ports a Service holds. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#include <arpa/inet.h>
#include <stdio.h>

#define SERVICE_PORTS_MAX 100
#define AFFINITY_SECONDS 10800
#define AFFINITY_SECONDS_MAX 86400
/* 10.96.0.0/16. Its first address belongs to the Service `kubernetes`; up to SERVICE_IP_ASKED addresses are left to
 * those who ask for one (10.96.0.10 for DNS). */
#define SERVICE_NETWORK "10.96.0.0/16"
#define SERVICE_IP_BASE 0x0a600000u
#define SERVICE_IP_COUNT 65536u
#define SERVICE_IP_ASKED 257u
#define NODE_PORT_MIN 30000
#define NODE_PORT_MAX 32767
#define NODE_PORT_ASKED 86 /* likewise, so many ports at the range's start */

static bool is_type(const struct json *spec, const char *type) { return slice_is(json_string_at(spec, "type"), type); }

static bool wants_node_ports(const struct json *spec)
{
    return is_type(spec, "NodePort") ||
           (is_type(spec, "LoadBalancer") && json_bool_at(spec, "allocateLoadBalancerNodePorts", true));
}

static bool is_headless(const struct json *spec) { return slice_is(json_string_at(spec, "clusterIP"), "None"); }

static bool parse_address(struct slice text, uint32_t *ret)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr address;
    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, &address) != 1)
        return false;
    *ret = ntohl(address.s_addr);
    return true;
}

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
        if (slice_has_prefix(json_string(v), slice_str(ranges[i].prefix)) || (i == 0 && slice_is(json_string(v), "::1")))
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

static void set_list(struct json_doc *d, struct json *v, const char *key, struct slice value)
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
        set_list(d, v, "clusterIPs", one);
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
    bool outside = is_type(v, "NodePort") || is_type(v, "LoadBalancer") || json_size(json_get(v, "externalIPs")) > 0;
    fill_ports(d, v);
    if (is_type(v, "ExternalName"))
        return;
    agree_on_address(d, v);
    set_missing(d, v, "internalTrafficPolicy", "Cluster");
    set_missing(d, v, "ipFamilyPolicy", "SingleStack");
    if (json_size(json_get(v, "ipFamilies")) == 0)
        set_list(d, v, "ipFamilies", SLICE("IPv4"));
    if (outside)
        set_missing(d, v, "externalTrafficPolicy", "Cluster");
    if (is_type(v, "LoadBalancer") && json_get(v, "allocateLoadBalancerNodePorts") == NULL)
        json_set_bool(d, v, "allocateLoadBalancerNodePorts", true);
    if (!slice_is(json_string_at(v, "sessionAffinity"), "ClientIP"))
        (void)json_remove(v, "sessionAffinityConfig"); /* absent is as good */
    else if (json_at(v, "sessionAffinityConfig.clientIP.timeoutSeconds") == NULL)
        json_set_int(d, json_ensure_object(d, v, "sessionAffinityConfig.clientIP"), "timeoutSeconds", AFFINITY_SECONDS);
}

static void check_node_port(struct check *c, const struct json *spec, const struct json *port)
{
    const struct json *value = json_get(port, "nodePort");
    int64_t number = json_int_or(value, 0);
    if (number == 0)
        return;
    if (is_type(spec, "ClusterIP") || is_type(spec, "ExternalName"))
        check_fail_at(c, "nodePort", CHECK_FORBIDDEN, NULL, "may not be used when `type` is '%.*s'",
                      SLICE_ARGS(json_string_at(spec, "type")));
    else if (number < NODE_PORT_MIN || number > NODE_PORT_MAX)
        check_fail_at(c, "nodePort", CHECK_INVALID, value,
                      "provided port is not in the valid range. The range of valid ports is %d-%d", NODE_PORT_MIN,
                      NODE_PORT_MAX);
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
    if (n == 0 && !is_headless(spec) && !is_type(spec, "ExternalName"))
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

static void check_address(struct check *c, const struct json *spec)
{
    const struct json *one = json_get(spec, "clusterIP"), *list = json_get(spec, "clusterIPs");
    struct slice text = json_string(one);
    uint32_t address = 0;
    if (text.size == 0)
        return;
    if (!slice_equal(text, json_string(json_element(list, 0))))
        check_fail_at(c, "clusterIPs[0]", CHECK_INVALID, list, "first value must match `clusterIP`");
    if (is_type(spec, "ExternalName"))
        check_fail_at(c, "clusterIPs[0]", CHECK_FORBIDDEN, NULL, "may not be set when `type` is 'ExternalName'");
    else if (is_headless(spec) && !is_type(spec, "ClusterIP"))
        check_fail_at(c, "clusterIPs[0]", CHECK_INVALID, one, "may not be set to 'None' for %.*s services",
                      SLICE_ARGS(json_string_at(spec, "type")));
    else if (!is_headless(spec) && !parse_address(text, &address))
        check_fail_at(c, "clusterIPs[0]", CHECK_INVALID, one,
                      "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    else if (!is_headless(spec) && (address <= SERVICE_IP_BASE || address >= SERVICE_IP_BASE + SERVICE_IP_COUNT - 1))
        check_fail_at(c, "clusterIPs", CHECK_INVALID, list,
                      "failed to allocate IP %.*s: the provided IP (%.*s) is not in the valid range. The range of "
                      "valid IPs is " SERVICE_NETWORK,
                      SLICE_ARGS(text), SLICE_ARGS(text));
    if (json_size(list) > 1)
        check_fail_at(c, "clusterIPs", CHECK_INVALID, list, "may only hold one value on a single-stack cluster");
}

void check_service_spec(struct check *c, const struct json *v)
{
    const struct json *name = json_get(v, "externalName"), *families = json_get(v, "ipFamilies");
    struct err why;
    check_ports(c, v);
    check_address(c, v);
    if (is_type(v, "ExternalName") && json_string(name).size == 0)
        check_fail_at(c, "externalName", CHECK_REQUIRED, NULL, "%s", "");
    else if (is_type(v, "ExternalName") && name_check_subdomain(json_string(name), &why) != 0)
        check_fail_at(c, "externalName", CHECK_INVALID, name, "%s", why.message);
    if (json_size(families) > 0 && !slice_is(json_string(json_element(families, 0)), "IPv4"))
        check_fail_at(c, "ipFamilies[0]", CHECK_INVALID, json_element(families, 0), "not configured on this cluster");
    if (slice_is(json_string_at(v, "ipFamilyPolicy"), "RequireDualStack"))
        check_fail_at(c, "ipFamilyPolicy", CHECK_INVALID, json_get(v, "ipFamilyPolicy"),
                      "this cluster is not configured for dual-stack services");
    bool outside = is_type(v, "NodePort") || is_type(v, "LoadBalancer") || json_size(json_get(v, "externalIPs")) > 0;
    if (!outside && json_string_at(v, "externalTrafficPolicy").size > 0)
        check_fail_at(c, "externalTrafficPolicy", CHECK_INVALID, json_get(v, "externalTrafficPolicy"),
                      "may only be set for externally-accessible services");
    struct json_iterator i = json_iterate(json_get(v, "externalIPs"));
    while (json_next(&i)) {
        size_t mark = check_enter(c, "externalIPs");
        (void)check_enter_index(c, i.position - 1); /* left with `mark` */
        check_ip(c, i.value);
        check_leave(c, mark);
    }
}

static const struct json *same_port(const struct json *ports, const struct json *port)
{
    struct json_iterator i = json_iterate(ports);
    while (json_next(&i)) {
        if (json_int_at(i.value, "port", 0) == json_int_at(port, "port", 0) &&
            slice_equal(json_string_at(i.value, "protocol"), json_string_at(port, "protocol")))
            return i.value;
    }
    return NULL;
}

/* Node ports stay with the port they were given to; those that only the former type needed go. */
static void keep_node_ports(struct json_doc *d, struct json *spec, const struct json *was)
{
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (json_next(&i)) {
        const struct json *before = same_port(json_get(was, "ports"), i.value);
        int64_t old = json_int_at(before, "nodePort", 0), now = json_int_at(i.value, "nodePort", 0);
        if (wants_node_ports(spec) && now == 0 && old != 0)
            json_set_int(d, i.value, "nodePort", old);
        else if (!wants_node_ports(spec) && wants_node_ports(was) && now == old)
            (void)json_remove(i.value, "nodePort"); /* absent is as good */
    }
}

void prepare_service_update(struct json_doc *d, struct json *o, const struct json *old)
{
    struct json *spec = json_ensure_object(d, o, "spec");
    const struct json *was = json_get(old, "spec");
    struct slice address = json_string_at(was, "clusterIP"), now = json_string_at(spec, "clusterIP");
    if (is_type(spec, "ExternalName") && !is_type(was, "ExternalName")) {
        static const char *const gone[] = {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy",
                                           "internalTrafficPolicy"};
        for (size_t i = 0; i < ARRAY_LEN(gone) && (now.size == 0 || slice_equal(now, address)); i++)
            (void)json_remove(spec, gone[i]); /* absent is as good */
    } else if (!is_type(spec, "ExternalName") && now.size == 0 && address.size > 0) {
        json_set_string(d, spec, "clusterIP", address);
        set_list(d, spec, "clusterIPs", address);
    } else if (now.size > 0 && !slice_equal(now, address) &&
               json_equal(json_get(spec, "clusterIPs"), json_get(was, "clusterIPs"))) {
        set_list(d, spec, "clusterIPs", now); /* who changes only one of the two names means both */
    }
    bool outside = is_type(spec, "NodePort") || is_type(spec, "LoadBalancer");
    if (!outside && json_size(json_get(spec, "externalIPs")) == 0 &&
        json_string_at(was, "externalTrafficPolicy").size > 0)
        (void)json_remove(spec, "externalTrafficPolicy"); /* went with the type that had it */
    if (!is_type(spec, "LoadBalancer") && is_type(was, "LoadBalancer"))
        (void)json_remove(spec, "allocateLoadBalancerNodePorts");
    keep_node_ports(d, spec, was);
}

void check_service_update(struct check *c, const struct json *object, const struct json *old)
{
    struct slice now = json_string_at(object, "spec.clusterIP"), was = json_string_at(old, "spec.clusterIP");
    bool named = is_type(json_get(object, "spec"), "ExternalName") || is_type(json_get(old, "spec"), "ExternalName");
    if (!named && was.size > 0 && !slice_equal(now, was))
        check_fail_at(c, "spec.clusterIPs[0]", CHECK_INVALID, json_at(object, "spec.clusterIPs"),
                      "may not change once set");
}

static struct claim *claim_add(struct claims *out, const char *key)
{
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->list[i].key, key) == 0)
            return NULL; /* one node port for TCP and UDP */
    }
    if (out->count == CLAIMS_MAX)
        return NULL;
    struct claim *claim = &out->list[out->count++];
    (void)snprintf(claim->key, sizeof claim->key, "%s", key); /* keys are short */
    return claim;
}

static void port_key(int64_t port, char key[64])
{
    (void)snprintf(key, 64, "servicenodeports/%d", (int)port); /* fits */
}

static void claim_port(struct claims *out, int64_t port, const char *field)
{
    char key[64];
    port_key(port, key);
    struct claim *claim = port == 0 ? NULL : claim_add(out, key);
    if (claim == NULL)
        return;
    (void)snprintf(claim->field, sizeof claim->field, "%s", field); /* short by construction */
    (void)snprintf(claim->value, sizeof claim->value, "%d", (int)port);
    (void)snprintf(claim->taken, sizeof claim->taken, "provided port is already allocated");
}

void claim_service(const struct json *o, struct claims *out)
{
    const struct json *spec = json_get(o, "spec");
    struct slice address = json_string_at(spec, "clusterIP");
    char key[64], field[64];
    if (address.size > 0 && address.size <= 15 && !is_headless(spec)) {
        (void)snprintf(key, sizeof key, "serviceips/%.*s", SLICE_ARGS(address));
        struct claim *claim = claim_add(out, key);
        (void)snprintf(claim->field, sizeof claim->field, "spec.clusterIPs");
        (void)snprintf(claim->value, sizeof claim->value, "[\"%.*s\"]", SLICE_ARGS(address));
        (void)snprintf(claim->taken, sizeof claim->taken,
                       "failed to allocate IP %.*s: provided IP is already allocated", SLICE_ARGS(address));
    }
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (json_next(&i)) {
        (void)snprintf(field, sizeof field, "spec.ports[%zu].nodePort", i.position - 1);
        claim_port(out, json_int_at(i.value, "nodePort", 0), field);
    }
    claim_port(out, json_int_at(spec, "healthCheckNodePort", 0), "spec.healthCheckNodePort");
}

static bool is_taken(const struct allocator *a, const char *key) { return a->taken != NULL && a->taken(a, key); }

static void address_text(uint32_t offset, char text[16])
{
    uint32_t v = SERVICE_IP_BASE + offset;
    (void)snprintf(text, 16, "%u.%u.%u.%u", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255); /* fits */
}

/* A free offset in [low, high), from a random one on; false: all are taken. */
static bool pick_address(const struct allocator *a, uint32_t low, uint32_t high, char text[16])
{
    uint32_t size = high - low, start = (uint32_t)(a->seed % size);
    for (uint32_t i = 0; i < size; i++) {
        char key[64];
        address_text(low + (start + i) % size, text);
        (void)snprintf(key, sizeof key, "serviceips/%s", text);
        if (!is_taken(a, key))
            return true;
    }
    return false;
}

static bool in_use_here(const struct json *spec, int64_t port)
{
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (json_next(&i)) {
        if (json_int_at(i.value, "nodePort", 0) == port)
            return true;
    }
    return json_int_at(spec, "healthCheckNodePort", 0) == port;
}

static int64_t pick_port(const struct allocator *a, const struct json *spec, int64_t low, int64_t high)
{
    int64_t size = high - low + 1, start = (int64_t)(a->seed % (uint64_t)size);
    for (int64_t i = 0; i < size; i++) {
        char key[64];
        int64_t port = low + (start + i) % size;
        port_key(port, key);
        if (!in_use_here(spec, port) && !is_taken(a, key))
            return port;
    }
    return 0;
}

/* 0: the range is full. */
static int64_t free_port(const struct allocator *a, const struct json *spec)
{
    int64_t port = pick_port(a, spec, NODE_PORT_MIN + NODE_PORT_ASKED, NODE_PORT_MAX);
    return port != 0 ? port : pick_port(a, spec, NODE_PORT_MIN, NODE_PORT_MIN + NODE_PORT_ASKED - 1);
}

/* Why an object still lacks something; NULL: it does not. */
static const char *lacking(const struct json *o)
{
    const struct json *spec = json_get(o, "spec");
    if (!is_type(spec, "ExternalName") && json_string_at(spec, "clusterIP").size == 0)
        return "range is full: no free cluster address in " SERVICE_NETWORK;
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (wants_node_ports(spec) && json_next(&i)) {
        if (json_int_at(i.value, "nodePort", 0) == 0)
            return "range is full: no free node port";
    }
    return NULL;
}

const char *allocate_service(struct json_doc *d, struct json *o, const struct allocator *a)
{
    struct json *spec = json_ensure_object(d, o, "spec");
    char text[16];
    if (!is_type(spec, "ExternalName") && json_string_at(spec, "clusterIP").size == 0 &&
        (pick_address(a, SERVICE_IP_ASKED, SERVICE_IP_COUNT - 1, text) || pick_address(a, 2, SERVICE_IP_ASKED, text))) {
        json_set_str(d, spec, "clusterIP", text);
        set_list(d, spec, "clusterIPs", slice_str(text));
    }
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (wants_node_ports(spec) && json_next(&i)) {
        if (json_int_at(i.value, "nodePort", 0) == 0)
            json_set_int(d, i.value, "nodePort", free_port(a, spec));
    }
    if (is_type(spec, "LoadBalancer") && slice_is(json_string_at(spec, "externalTrafficPolicy"), "Local") &&
        json_int_at(spec, "healthCheckNodePort", 0) == 0)
        json_set_int(d, spec, "healthCheckNodePort", free_port(a, spec));
    return lacking(o);
}
