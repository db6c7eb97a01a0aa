#include "common/base.h"

#include "netproxy/dns_zone.h"
#include "netproxy/model.h"

#include <stdio.h>

#define LABEL_MAX 63
#define ALIAS_DEPTH_MAX 4
#define REVERSE "in-addr.arpa"

struct dns_node {
    struct dns_record *records;
    size_t count, capacity;
};

struct building {
    struct dns_zone *zone;
    struct map by_service; /* "namespace/name" → struct slices * */
};

struct slices {
    const struct json **list;
    size_t count, capacity;
};

static void *room(struct arena *arena, void *old, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return old;
    *capacity = *capacity == 0 ? 4 : *capacity * 2;
    char *fresh = arena_alloc(arena, *capacity * size);
    if (count > 0)
        memcpy(fresh, old, count * size);
    return fresh;
}

/* One label: what Kubernetes names may be. Anything else stays out of the zone. */
static bool label_valid(struct slice s)
{
    if (s.size == 0 || s.size > LABEL_MAX)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool name_valid(struct slice s)
{
    if (s.size == 0 || s.size >= DNS_NAME_MAX)
        return false;
    while (s.size > 0)
        if (!label_valid(slice_cut(&s, '.')))
            return false;
    return true;
}

/* The node of a name; those above it come into being too, so that they answer "no records" and not "no such name". */
static struct dns_node *node(struct dns_zone *z, const char *name)
{
    struct dns_node *found = map_get(&z->names, slice_str(name));
    if (found != NULL)
        return found;
    found = arena_alloc(&z->arena, sizeof *found);
    map_put(&z->names, slice_str(name), found);
    const char *dot = strchr(name, '.');
    if (dot != NULL && strcmp(name, z->domain) != 0)
        (void)node(z, dot + 1);
    return found;
}

static void add(struct dns_zone *z, const char *name, enum dns_type type, const char *data)
{
    struct dns_node *n = node(z, name);
    for (size_t i = 0; i < n->count; i++)
        if (n->records[i].type == type && strcmp(n->records[i].data, data) == 0)
            return;
    if (n->count >= DNS_ANSWERS_MAX)
        return;
    n->records = room(&z->arena, n->records, n->count, &n->capacity, sizeof *n->records);
    n->records[n->count++] = (struct dns_record){arena_strdup(&z->arena, slice_str(name)), type, data};
}

/* Reverse names have no place in the tree of the domain: only the exact one is known. */
static void add_reverse(struct dns_zone *z, struct slice address, const char *name)
{
    struct slice part[4], rest = address;
    for (size_t i = 0; i < ARRAY_LEN(part); i++)
        part[i] = slice_cut(&rest, '.');
    const char *reverse = arena_printf(&z->arena, "%.*s.%.*s.%.*s.%.*s." REVERSE, SLICE_ARGS(part[3]),
                                       SLICE_ARGS(part[2]), SLICE_ARGS(part[1]), SLICE_ARGS(part[0]));
    if (map_get(&z->names, slice_str(reverse)) == NULL)
        map_put(&z->names, slice_str(reverse), arena_alloc(&z->arena, sizeof(struct dns_node)));
    add(z, reverse, DNS_PTR, name);
}

static void add_srv(struct dns_zone *z, const char *owner, const struct json *port, const char *target)
{
    struct slice name = json_string_at(port, "name"), protocol = json_string_at(port, "protocol");
    int64_t number = json_int_at(port, "port", 0);
    if (!label_valid(name) || number < 1 || number > UINT16_MAX)
        return;
    const char *service = arena_printf(&z->arena, "_%.*s._%s.%s", SLICE_ARGS(name),
                                       slice_is(protocol, "UDP")    ? "udp"
                                       : slice_is(protocol, "SCTP") ? "sctp"
                                                                    : "tcp",
                                       owner);
    add(z, service, DNS_SRV, arena_printf(&z->arena, "0 100 %u %s", (unsigned)number, target));
}

/* --- services --- */

static void add_cluster_address(struct dns_zone *z, const struct json *service, const char *name, struct slice address)
{
    struct json_iterator ports = json_iterate(json_at(service, "spec.ports"));
    add(z, name, DNS_A, arena_strdup(&z->arena, address));
    add_reverse(z, address, name);
    while (json_next(&ports))
        add_srv(z, name, ports.value, name);
}

static void add_endpoint(struct dns_zone *z, const struct json *slice, const struct json *endpoint, const char *service)
{
    struct slice address = json_string(json_element(json_get(endpoint, "addresses"), 0));
    struct slice hostname = json_string_at(endpoint, "hostname");
    if (!model_ipv4(address) || !json_bool_at(endpoint, "conditions.ready", true))
        return;
    char *dashed = arena_strdup(&z->arena, address);
    for (char *at = dashed; *at != '\0'; at++)
        *at = *at == '.' ? '-' : *at;
    const char *name = label_valid(hostname) ? arena_printf(&z->arena, "%.*s.%s", SLICE_ARGS(hostname), service)
                                             : arena_printf(&z->arena, "%s.%s", dashed, service);
    const char *data = arena_strdup(&z->arena, address);
    add(z, service, DNS_A, data);
    add(z, name, DNS_A, data);
    add_reverse(z, address, name);
    struct json_iterator ports = json_iterate(json_get(slice, "ports"));
    while (json_next(&ports))
        add_srv(z, service, ports.value, name);
}

static void add_headless(struct building *b, const char *name, struct slice key)
{
    struct slices *s = map_get(&b->by_service, key);
    (void)node(b->zone, name);
    for (size_t i = 0; s != NULL && i < s->count; i++) {
        struct json_iterator at = json_iterate(json_get(s->list[i], "endpoints"));
        while (json_next(&at))
            add_endpoint(b->zone, s->list[i], at.value, name);
    }
}

static void add_service(struct building *b, const struct json *service)
{
    struct dns_zone *z = b->zone;
    struct slice name = json_string_at(service, "metadata.name"),
                 namespace = json_string_at(service, "metadata.namespace");
    struct slice address = json_string_at(service, "spec.clusterIP"),
                 alias = json_string_at(service, "spec.externalName");
    if (!label_valid(name) || !label_valid(namespace))
        return;
    const char *full = arena_printf(&z->arena, "%.*s.%.*s.svc.%s", SLICE_ARGS(name), SLICE_ARGS(namespace), z->domain);
    if (strlen(full) >= DNS_NAME_MAX - 2 * LABEL_MAX)
        return;
    if (slice_is(json_string_at(service, "spec.type"), "ExternalName")) {
        if (alias.size > 0 && alias.data[alias.size - 1] == '.')
            alias.size--;
        if (name_valid(alias))
            add(z, full, DNS_CNAME, arena_strdup(&z->arena, alias));
    } else if (slice_is(address, "None")) {
        const char *key = arena_printf(&z->arena, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name));
        add_headless(b, full, slice_str(key));
    } else if (model_ipv4(address)) {
        add_cluster_address(z, service, full, address);
    }
}

static void take_slices(struct building *b, const struct json *const *slices, size_t count)
{
    struct arena *arena = &b->zone->arena;
    for (size_t i = 0; i < count; i++) {
        struct slice service =
            json_string(json_get(json_at(slices[i], "metadata.labels"), "kubernetes.io/service-name"));
        if (service.size == 0)
            continue;
        const char *key = arena_printf(arena, "%.*s/%.*s", SLICE_ARGS(json_string_at(slices[i], "metadata.namespace")),
                                       SLICE_ARGS(service));
        struct slices *s = map_get(&b->by_service, slice_str(key));
        if (s == NULL) {
            s = arena_alloc(arena, sizeof *s);
            map_put(&b->by_service, slice_str(key), s);
        }
        s->list = room(arena, s->list, s->count, &s->capacity, sizeof *s->list);
        s->list[s->count++] = slices[i];
    }
}

void dns_zone_build(const char *domain, const struct json *const *services, size_t service_count,
                    const struct json *const *slices, size_t slice_count, struct dns_zone *ret)
{
    struct building b = {.zone = ret};
    *ret = (struct dns_zone){.domain = domain};
    const char *server = arena_printf(&ret->arena, "ns.dns.%s", domain);
    add(ret, domain, DNS_NS, server);
    add(ret, domain, DNS_SOA,
        arena_printf(&ret->arena, "%s hostmaster.%s 1 7200 1800 86400 %d", server, domain, DNS_TTL_S));
    add(ret, arena_printf(&ret->arena, "dns-version.%s", domain), DNS_TXT, "\"1.1.0\"");
    (void)node(ret, arena_printf(&ret->arena, "svc.%s", domain));
    take_slices(&b, slices, slice_count);
    for (size_t i = 0; i < service_count; i++)
        add_service(&b, services[i]);
    map_release(&b.by_service);
}

void dns_zone_release(struct dns_zone *z)
{
    if (z == NULL)
        return;
    map_release(&z->names);
    arena_clear(&z->arena);
}

/* --- questions --- */

bool dns_name_within(const char *name, const char *domain)
{
    size_t n = strlen(name), d = strlen(domain);
    return n >= d && strcmp(name + n - d, domain) == 0 && (n == d || name[n - d - 1] == '.');
}

enum dns_outcome dns_zone_find(const struct dns_zone *z, const char *name, unsigned type, const struct dns_record **ret,
                               size_t max, size_t *ret_count)
{
    *ret_count = 0;
    for (unsigned depth = 0; depth < ALIAS_DEPTH_MAX; depth++) {
        const struct dns_node *n = map_get(&z->names, slice_str(name));
        const char *alias = NULL;
        if (n == NULL && depth > 0)
            return DNS_FOUND; /* the alias leads out of the zone, or to nothing */
        if (n == NULL)
            return dns_name_within(name, z->domain) ? DNS_NO_NAME : DNS_FOREIGN;
        for (size_t i = 0; i < n->count && *ret_count < max; i++) {
            const struct dns_record *r = &n->records[i];
            if (r->type == type || r->type == DNS_CNAME || type == DNS_ANY)
                ret[(*ret_count)++] = r;
            if (r->type == DNS_CNAME)
                alias = r->data;
        }
        if (alias == NULL || type == DNS_CNAME || type == DNS_ANY)
            return DNS_FOUND;
        name = alias;
    }
    return DNS_FOUND;
}
