/* Which addresses and node ports a Service holds: what it keeps when it changes, what it lacks and is given, and the
 * keys that stand for both in the store (kind.h). */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"

#include <stdio.h>

/* Its first address belongs to the Service `kubernetes`; up to SERVICE_IP_ASKED addresses are left to those who ask for
 * one (10.96.0.10 for DNS). */
#define SERVICE_NETWORK "10.96.0.0/16"
#define SERVICE_IP_BASE 0x0a600000u
#define SERVICE_IP_COUNT 65536u
#define SERVICE_IP_ASKED 257u
#define ADDRESS_TEXT_MAX 15
#define NODE_PORTS "30000-32767"
#define NODE_PORT_MIN 30000
#define NODE_PORT_MAX 32767
#define NODE_PORT_ASKED 86 /* likewise, so many ports at the range's start */

static const struct claim_range addresses = {
    .prefix = "serviceips/",
    .word = "ClusterIP",
    .shown = "Cluster IP [IPv4]:",
    .outside = "the configured service CIDR " SERVICE_NETWORK,
    .component = "ipallocator-repair-controller",
};
static const struct claim_range ports = {
    .prefix = "servicenodeports/",
    .word = "Port",
    .shown = "Port ",
    .outside = "the port range " NODE_PORTS,
    .component = "portallocator-repair-controller",
};

static bool wants_node_ports(const struct json *spec)
{
    return service_spec_is_type(spec, "NodePort") ||
           (service_spec_is_type(spec, "LoadBalancer") && json_bool_at(spec, "allocateLoadBalancerNodePorts", true));
}

static bool wants_address(const struct json *spec)
{
    return !service_spec_is_type(spec, "ExternalName") && !service_spec_is_headless(spec);
}

bool service_needs_health_port(const struct json *spec)
{
    return service_spec_is_type(spec, "LoadBalancer") &&
           slice_is(json_string_at(spec, "externalTrafficPolicy"), "Local");
}

static bool port_is_in_range(int64_t port) { return port >= NODE_PORT_MIN && port <= NODE_PORT_MAX; }

static bool address_is_in_range(struct slice text)
{
    unsigned char b[IP_BYTES_MAX];
    if (ip_parse(text, b) != 4)
        return false;
    uint32_t address = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return address > SERVICE_IP_BASE && address < SERVICE_IP_BASE + SERVICE_IP_COUNT - 1;
}

/* The policy and families that are not said: as before, else IPv4 alone, but both where no address of ours is needed.
 */
static void settle_families(struct json_doc *d, struct json *spec, const struct json *was)
{
    struct slice before = json_string_at(was, "ipFamilyPolicy");
    bool any = service_spec_is_headless(spec) && json_size(json_get(spec, "selector")) == 0;
    if (service_spec_is_type(spec, "ExternalName"))
        return;
    if (json_string_at(spec, "ipFamilyPolicy").size == 0)
        json_set_string(d, spec, "ipFamilyPolicy",
                        before.size > 0 ? before
                        : any           ? SLICE("RequireDualStack")
                                        : SLICE("SingleStack"));
    unsigned char address[IP_BYTES_MAX];
    if (json_size(json_get(spec, "ipFamilies")) == 0 && ip_parse(json_string_at(spec, "clusterIP"), address) != 16)
        service_spec_set_list(d, spec, "ipFamilies", SLICE("IPv4"));
    struct json *families = json_get(spec, "ipFamilies");
    if (any && json_size(families) == 1 && !slice_is(json_string_at(spec, "ipFamilyPolicy"), "SingleStack"))
        json_append(families,
                    json_new_str(d, slice_is(json_string(json_element(families, 0)), "IPv4") ? "IPv6" : "IPv4"));
}

void prepare_service_create(struct json_doc *d, struct json *o)
{
    settle_families(d, json_ensure_object(d, o, "spec"), NULL);
}

static const struct json *port_named(const struct json *list, struct slice name)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (slice_equal(json_string_at(i.value, "name"), name))
            return i.value;
    }
    return NULL;
}

static bool node_port_is_used(const struct json *list, int64_t port)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        if (json_int_at(i.value, "nodePort", 0) == port)
            return true;
    }
    return false;
}

/* Node ports stay with the name they were given to, unless another port of the Service asks for them. */
static void keep_node_ports(struct json_doc *d, struct json *spec, const struct json *was)
{
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (json_next(&i)) {
        int64_t old = json_int_at(port_named(json_get(was, "ports"), json_string_at(i.value, "name")), "nodePort", 0);
        if (json_int_at(i.value, "nodePort", 0) == 0 && old != 0 && !node_port_is_used(json_get(spec, "ports"), old))
            json_set_int(d, i.value, "nodePort", old);
    }
}

static bool same_node_ports(const struct json *a, const struct json *b)
{
    struct json_iterator i = json_iterate(json_get(a, "ports"));
    while (json_next(&i)) {
        int64_t port = json_int_at(i.value, "nodePort", 0);
        if (port != 0 && !node_port_is_used(json_get(b, "ports"), port))
            return false;
    }
    return true;
}

/* `field` goes with the type that needed it, unless the client says something new in it. */
static void drop_unchanged(struct json *spec, const struct json *was, const char *field)
{
    if (json_equal(json_get(spec, field), json_get(was, field)))
        (void)json_remove(spec, field); /* absent is as good */
}

static void drop_former(struct json *spec, const struct json *was)
{
    static const char *const inside[] = {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy",
                                         "internalTrafficPolicy"};
    static const char *const balanced[] = {"allocateLoadBalancerNodePorts", "loadBalancerClass"};
    bool outside = service_spec_is_type(spec, "NodePort") || service_spec_is_type(spec, "LoadBalancer") ||
                   (service_spec_is_type(spec, "ClusterIP") && json_size(json_get(spec, "externalIPs")) > 0);
    for (size_t i = 0; service_spec_is_type(spec, "ExternalName") && !service_spec_is_type(was, "ExternalName") &&
                       i < ARRAY_LEN(inside);
         i++)
        drop_unchanged(spec, was, inside[i]);
    for (size_t i = 0; !service_spec_is_type(spec, "LoadBalancer") && service_spec_is_type(was, "LoadBalancer") &&
                       i < ARRAY_LEN(balanced);
         i++)
        drop_unchanged(spec, was, balanced[i]);
    if (service_needs_health_port(was) && !service_needs_health_port(spec))
        drop_unchanged(spec, was, "healthCheckNodePort");
    if (!outside)
        drop_unchanged(spec, was, "externalTrafficPolicy");
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    bool release = wants_node_ports(was) && !wants_node_ports(spec) && same_node_ports(spec, was);
    while (release && json_next(&i))
        (void)json_remove(i.value, "nodePort"); /* absent is as good */
}

void prepare_service_update(struct json_doc *d, struct json *o, const struct json *old)
{
    struct json *spec = json_ensure_object(d, o, "spec");
    const struct json *was = json_get(old, "spec");
    struct slice address = json_string_at(was, "clusterIP"), now = json_string_at(spec, "clusterIP");
    if (!service_spec_is_type(spec, "ExternalName") && now.size == 0 && address.size > 0) {
        json_set_string(d, spec, "clusterIP", address);
        json_set(d, spec, "clusterIPs", json_copy(d, json_get(was, "clusterIPs")));
    } else if (now.size > 0 && !slice_equal(now, address) &&
               json_equal(json_get(spec, "clusterIPs"), json_get(was, "clusterIPs"))) {
        service_spec_set_list(d, spec, "clusterIPs", now); /* who changes only one of the two names means both */
    }
    if (wants_node_ports(spec) && wants_node_ports(was))
        keep_node_ports(d, spec, was);
    if (service_needs_health_port(spec) && service_needs_health_port(was) &&
        json_int_at(spec, "healthCheckNodePort", 0) == 0 && json_get(was, "healthCheckNodePort") != NULL)
        json_set(d, spec, "healthCheckNodePort", json_copy(d, json_get(was, "healthCheckNodePort")));
    drop_former(spec, was);
    settle_families(d, spec, was);
}

static void range_key(const struct claim_range *range, struct slice value, char key[CLAIM_KEY_MAX])
{
    (void)snprintf(key, CLAIM_KEY_MAX, "%s%.*s", range->prefix, SLICE_ARGS(value)); /* both are short */
}

static void port_key(int64_t port, char key[CLAIM_KEY_MAX])
{
    (void)snprintf(key, CLAIM_KEY_MAX, "%s%d", ports.prefix, (int)port); /* fits */
}

static struct claim *claim_add(struct claims *out, const struct claim_range *range, const char *key)
{
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->list[i].key, key) == 0)
            return NULL; /* one node port for TCP and UDP */
    }
    if (out->count == CLAIMS_MAX)
        return NULL;
    struct claim *claim = &out->list[out->count++];
    *claim = (struct claim){.range = range, .state = CLAIM_GOOD};
    (void)snprintf(claim->key, sizeof claim->key, "%s", key); /* keys are short */
    return claim;
}

static struct claim *claim_port(struct claims *out, int64_t port, const char *field)
{
    char key[CLAIM_KEY_MAX];
    port_key(port, key);
    struct claim *claim = port == 0 ? NULL : claim_add(out, &ports, key);
    if (claim == NULL)
        return NULL;
    if (!port_is_in_range(port))
        claim->state = CLAIM_OUTSIDE;
    (void)snprintf(claim->field, sizeof claim->field, "%s", field); /* short by construction */
    (void)snprintf(claim->value, sizeof claim->value, "%d", (int)port);
    (void)snprintf(claim->taken, sizeof claim->taken, "provided port is already allocated");
    return claim;
}

static void claim_address(struct claims *out, struct slice address)
{
    char key[CLAIM_KEY_MAX];
    unsigned char bytes[IP_BYTES_MAX];
    size_t size = ip_parse(address, bytes);
    if (size == 16 || address.size > ADDRESS_TEXT_MAX)
        return; /* of a family that this cluster does not give out */
    range_key(&addresses, address, key);
    struct claim *claim = claim_add(out, &addresses, key);
    if (claim == NULL)
        return;
    claim->state = size == 0 ? CLAIM_NO_VALUE : address_is_in_range(address) ? CLAIM_GOOD : CLAIM_OUTSIDE;
    (void)snprintf(claim->field, sizeof claim->field, "spec.clusterIPs");
    (void)snprintf(claim->value, sizeof claim->value, "[\"%.*s\"]", SLICE_ARGS(address));
    (void)snprintf(claim->taken, sizeof claim->taken, "failed to allocate IP %.*s: provided IP is already allocated",
                   SLICE_ARGS(address));
}

void claim_service(const struct json *o, struct claims *out)
{
    const struct json *spec = json_get(o, "spec");
    struct slice address = json_string_at(spec, "clusterIP");
    int64_t health = json_int_at(spec, "healthCheckNodePort", 0);
    char field[64];
    if (address.size > 0 && wants_address(spec))
        claim_address(out, address);
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (json_next(&i)) {
        (void)snprintf(field, sizeof field, "spec.ports[%zu].nodePort", i.position - 1);
        (void)claim_port(out, json_int_at(i.value, "nodePort", 0), field); /* NULL: has it already */
    }
    struct claim *claim = service_needs_health_port(spec) ? claim_port(out, health, "") : NULL;
    if (claim != NULL)
        (void)snprintf(claim->taken, sizeof claim->taken,
                       "failed to allocate requested HealthCheck NodePort %d: provided port is already allocated",
                       (int)health);
}

static bool is_taken(const struct allocator *a, const char *key) { return a->taken != NULL && a->taken(a, key); }

static void address_text(uint32_t offset, char text[ADDRESS_TEXT_MAX + 1])
{
    uint32_t v = SERVICE_IP_BASE + offset;
    (void)snprintf(text, ADDRESS_TEXT_MAX + 1, "%u.%u.%u.%u", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255); /* fits */
}

/* A free offset in [low, high), from a random one on; false: all are taken. */
static bool pick_address(const struct allocator *a, uint32_t low, uint32_t high, char text[ADDRESS_TEXT_MAX + 1])
{
    uint32_t size = high - low, start = (uint32_t)(a->seed % size);
    for (uint32_t i = 0; i < size; i++) {
        char key[CLAIM_KEY_MAX];
        address_text(low + (start + i) % size, text);
        range_key(&addresses, slice_str(text), key);
        if (!is_taken(a, key))
            return true;
    }
    return false;
}

static bool in_use_here(const struct json *spec, int64_t port)
{
    return node_port_is_used(json_get(spec, "ports"), port) || json_int_at(spec, "healthCheckNodePort", 0) == port;
}

static int64_t pick_port(const struct allocator *a, const struct json *spec, int64_t low, int64_t high)
{
    int64_t size = high - low + 1, start = (int64_t)(a->seed % (uint64_t)size);
    for (int64_t i = 0; i < size; i++) {
        char key[CLAIM_KEY_MAX];
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

static int give_address(struct json_doc *d, struct json *spec, const struct json *was, const struct allocator *a,
                        struct check *c, struct err *reterr)
{
    struct slice asked = json_string_at(spec, "clusterIP");
    char text[ADDRESS_TEXT_MAX + 1];
    if (!wants_address(spec))
        return 0;
    if (asked.size > 0) {
        if (!address_is_in_range(asked) && !slice_equal(asked, json_string_at(was, "clusterIP")))
            check_fail_at(c, "spec.clusterIPs", CHECK_INVALID, json_get(spec, "clusterIPs"),
                          "failed to allocate IP %.*s: the provided IP (%.*s) is not in the valid range. The range of "
                          "valid IPs is " SERVICE_NETWORK,
                          SLICE_ARGS(asked), SLICE_ARGS(asked));
        return 0;
    }
    if (!pick_address(a, SERVICE_IP_ASKED, SERVICE_IP_COUNT - 1, text) && !pick_address(a, 2, SERVICE_IP_ASKED, text))
        return err_set(reterr, ERR_INTERNAL, "failed to allocate a serviceIP: range is full");
    json_set_str(d, spec, "clusterIP", text);
    service_spec_set_list(d, spec, "clusterIPs", slice_str(text));
    return 0;
}

/* What another port of a new Service with the same number has: TCP and UDP of one number get one node port. */
static int64_t twin_node_port(const struct json *spec, int64_t number)
{
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (json_next(&i)) {
        if (json_int_at(i.value, "port", 0) == number && json_int_at(i.value, "nodePort", 0) != 0)
            return json_int_at(i.value, "nodePort", 0);
    }
    return 0;
}

static int give_node_ports(struct json_doc *d, struct json *spec, const struct json *was, const struct allocator *a,
                           struct check *c, struct err *reterr)
{
    struct json_iterator i = json_iterate(json_get(spec, "ports"));
    while (json_next(&i)) {
        int64_t asked = json_int_at(i.value, "nodePort", 0), given = 0;
        if (asked != 0 && !port_is_in_range(asked) && !node_port_is_used(json_get(was, "ports"), asked)) {
            size_t mark = check_enter(c, "spec.ports");
            (void)check_enter_index(c, i.position - 1); /* left with `mark` */
            check_fail_at(c, "nodePort", CHECK_INVALID, json_get(i.value, "nodePort"),
                          "provided port is not in the valid range. The range of valid ports is " NODE_PORTS);
            check_leave(c, mark);
        }
        if (asked != 0 || !wants_node_ports(spec))
            continue;
        if (was == NULL)
            given = twin_node_port(spec, json_int_at(i.value, "port", 0));
        if (given == 0)
            given = free_port(a, spec);
        if (given == 0)
            return err_set(reterr, ERR_INTERNAL, "failed to allocate a nodePort: range is full");
        json_set_int(d, i.value, "nodePort", given);
    }
    return 0;
}

static int give_health_port(struct json_doc *d, struct json *spec, const struct json *was, const struct allocator *a,
                            struct err *reterr)
{
    int64_t asked = json_int_at(spec, "healthCheckNodePort", 0);
    if (!service_needs_health_port(spec) || (was != NULL && service_needs_health_port(was)))
        return 0;
    if (asked != 0 && !port_is_in_range(asked))
        return err_set(reterr, ERR_INTERNAL,
                       "failed to allocate requested HealthCheck NodePort %d: provided port is not in the valid range. "
                       "The range of valid ports is " NODE_PORTS,
                       (int)asked);
    if (asked == 0 && (asked = free_port(a, spec)) == 0)
        return err_set(reterr, ERR_INTERNAL, "failed to allocate a HealthCheck NodePort 0: range is full");
    json_set_int(d, spec, "healthCheckNodePort", asked);
    return 0;
}

int allocate_service(struct json_doc *d, struct json *o, const struct json *old, const struct allocator *a,
                     struct check *c, struct err *reterr)
{
    struct json *spec = json_ensure_object(d, o, "spec");
    const struct json *was = json_get(old, "spec");
    int code = give_address(d, spec, was, a, c, reterr);
    if (code == 0)
        code = give_node_ports(d, spec, was, a, c, reterr);
    return code == 0 ? give_health_port(d, spec, was, a, reterr) : code;
}
