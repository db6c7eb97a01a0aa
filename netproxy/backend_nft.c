/* nftables, by maps. A packet is looked up in `service-ips` or `service-nodeports`; the verdict names a chain that says
 * how to choose (at random or by the client's address, masqueraded or not) and among how many. The chain puts a slot
 * number into the mark, and the endpoint is the element (address, protocol, port, slot) of one large map.
 *
 * So a service is elements only, and a change of it is a handful of elements in one transaction, whatever the number of
 * services. Chains exist per way of choosing and number of endpoints, not per service; they are made when first needed.
 * Rulesets with a chain per service take seconds to change at thousands of services. */
#include "common/base.h"

#include "common/buf.h"
#include "common/map.h"
#include "netproxy/backend.h"
#include "netproxy/conntrack.h"

#include <nftables/libnftables.h>
#include <stdio.h>

#define TABLE "ip kube-proxy"
#define MASQUERADE "0x4000"
#define AFFINITY_CLIENTS_MAX "262144" /* remembered at a time; beyond it new ones are balanced, not remembered */
#define STICKY_LOCAL 0x80000000u /* in the mark of an endpoint chosen among this node's */
#define LOCAL_SLOTS 4096 /* slots of this node's endpoints begin here; above MODEL_ENDPOINTS_MAX */

struct backend {
    struct nft_ctx *nft;
    char *cidr;
    struct map elements; /* "map key" → its value, owned; "" for sets */
    struct map chains;   /* name → backend */
    bool loaded;         /* the kernel holds `elements` and `chains` */
    struct backend_figures figures;
};

/* --- rendering: rules → elements and the chains they name --- */

struct picture {
    struct backend *backend;
    struct map elements;
    struct map chains;
    struct buf made; /* definitions of chains that are not there yet */
};

static bool chain_wanted(struct picture *p, const char *name)
{
    struct slice key = slice_str(name);
    if (map_get(&p->chains, key) != NULL)
        return false;
    map_put(&p->chains, key, p);
    return p->backend->loaded ? map_get(&p->backend->chains, key) == NULL : true;
}

static void element(struct picture *p, const char *map, const char *key, const char *value)
{
    char *full = mem_printf("%s %s", map, key);
    mem_free(map_put(&p->elements, slice_str(full), mem_strdup(value)));
    mem_free(full);
}

/* How a packet's service, or node port, is written in keys of maps, and the maps of the two kinds. */
struct kind {
    const char *name, *where; /* of chains */
    const char *services, *unserved, *endpoints;
    const char *affinity, *sticky_slots, *sticky_endpoints;
};

static const struct kind kind_ip = {
    "ip",        "ip daddr . meta l4proto . th dport", "service-ips",      "no-endpoint-services",
    "endpoints", "affinity",                           "sticky-slots",     "sticky-endpoints",
};
static const struct kind kind_port = {
    "port",               "meta l4proto . th dport", "service-nodeports",     "no-endpoint-nodeports",
    "nodeport-endpoints", "nodeport-affinity",       "sticky-nodeport-slots", "sticky-nodeport-endpoints",
};

static const struct kind *kind_of(const struct rule *r) { return r->address[0] == '\0' ? &kind_port : &kind_ip; }

static void choose_slot(struct buf *out, size_t count, unsigned first_slot)
{
    buf_printf(out, "  meta mark set numgen random mod %zu", count);
    if (first_slot > 0)
        buf_printf(out, " offset %u", first_slot);
    buf_append_char(out, '\n');
}

static void translate(struct buf *out, const struct kind *k, const char *map)
{
    buf_printf(out, "  meta l4proto { tcp, udp } dnat ip to %s . meta mark map @%s\n", k->where, map);
}

/* A client that is known goes where it went, and is known for another `seconds`. The map of clients holds no slot, which
 * moves when endpoints come and go, but a mark that stays the endpoint's own; where that has left, the lookup fails, the
 * entry is dropped and the client is new. (An update of an element that exists sets its time only.) */
static void choose_sticky(struct buf *out, const struct kind *k, unsigned seconds, size_t count, unsigned first_slot)
{
    buf_printf(out, "  meta mark set 0\n  meta mark set ip saddr . %s map @%s\n", k->where, k->affinity);
    buf_printf(out, "  meta mark != 0 update @%s { ip saddr . %s timeout %us : meta mark }\n", k->affinity, k->where, seconds);
    translate(out, k, k->sticky_endpoints);
    buf_printf(out, "  delete @%s { ip saddr . %s : meta mark }\n", k->affinity, k->where);
    choose_slot(out, count, first_slot);
    buf_printf(out, "  meta mark set %s . meta mark map @%s\n", k->where, k->sticky_slots);
    buf_printf(out, "  update @%s { ip saddr . %s timeout %us : meta mark }\n", k->affinity, k->where, seconds);
    translate(out, k, k->sticky_endpoints);
}

static void choose(struct buf *out, const struct rule *r, size_t count, unsigned first_slot)
{
    const struct kind *k = kind_of(r);
    if (r->affinity_seconds > 0) {
        choose_sticky(out, k, r->affinity_seconds, count, first_slot);
        return;
    }
    choose_slot(out, count, first_slot);
    translate(out, k, k->endpoints);
}

/* Cluster addresses: only clients from outside the cluster network are masqueraded, so that their answers come back
 * here. */
static void chain_inner(struct picture *p, const struct rule *r, char name[64])
{
    if (r->affinity_seconds > 0)
        (void)snprintf(name, 64, "%s-sticky-%us-%zu", kind_of(r)->name, r->affinity_seconds, r->endpoint_count);
    else
        (void)snprintf(name, 64, "%s-any-%zu", kind_of(r)->name, r->endpoint_count);
    if (!chain_wanted(p, name))
        return;
    buf_printf(&p->made, "add chain " TABLE " %s {\n", name);
    buf_printf(&p->made, "  ip saddr != %s jump mark-masquerade\n", p->backend->cidr);
    choose(&p->made, r, r->endpoint_count, 0);
    buf_append_str(&p->made, "}\n");
}

/* External addresses: always masqueraded, the endpoint may be on another node and would answer around this one. */
static void chain_external(struct picture *p, const struct rule *r, char name[64])
{
    char inner[64];
    chain_inner(p, r, inner);
    (void)snprintf(name, 64, "external-%.40s", inner);
    if (chain_wanted(p, name))
        buf_printf(&p->made, "add chain " TABLE " %s {\n  jump mark-masquerade\n  goto %s\n}\n", name, inner);
}

static size_t local_count(const struct rule *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->endpoint_count; i++)
        n += r->endpoints[i].local;
    return n;
}

/* externalTrafficPolicy Local: the client's address is kept; pods and the node itself reach all endpoints. */
static void chain_external_local(struct picture *p, const struct rule *r, char name[64])
{
    char all[64];
    size_t local = local_count(r);
    chain_external(p, r, all);
    (void)snprintf(name, 64, "local-%zu-of-%.40s", local, all);
    if (!chain_wanted(p, name))
        return;
    buf_printf(&p->made, "add chain " TABLE " %s {\n  ip saddr %s goto %s\n  fib saddr type local goto %s\n", name,
               p->backend->cidr, all, all);
    if (local == 0)
        buf_append_str(&p->made, "  drop\n");
    else
        choose(&p->made, r, local, LOCAL_SLOTS);
    buf_append_str(&p->made, "}\n");
}

/* What a client is remembered by to have gone to: never 0, the same as long as the endpoint is there. Two endpoints of one
 * service that meet here (one pair in 2^31) are one to new clients. */
static uint32_t sticky_mark(const struct rule_endpoint *e)
{
    uint32_t hash = 2166136261; /* FNV-1a */
    for (const char *at = e->address; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619;
    hash = (hash ^ (e->port >> 8)) * 16777619;
    hash = (hash ^ (e->port & 0xff)) * 16777619;
    hash &= ~STICKY_LOCAL;
    return hash == 0 ? 1 : hash;
}

/* Slot `slot` of the service or port `where` leads to `e`. */
static void slot_elements(struct picture *p, const struct rule *r, const char *where, unsigned slot, const struct rule_endpoint *e)
{
    const struct kind *k = kind_of(r);
    char key[128], value[80], mark[16];
    (void)snprintf(value, sizeof value, "%s . %u", e->address, e->port);
    (void)snprintf(key, sizeof key, "%s . 0x%08x", where, slot);
    if (r->affinity_seconds == 0) {
        element(p, k->endpoints, key, value);
        return;
    }
    (void)snprintf(mark, sizeof mark, "0x%08x", sticky_mark(e) | (slot >= LOCAL_SLOTS ? STICKY_LOCAL : 0));
    element(p, k->sticky_slots, key, mark);
    (void)snprintf(key, sizeof key, "%s . %s", where, mark);
    element(p, k->sticky_endpoints, key, value);
}

static void endpoint_elements(struct picture *p, const struct rule *r, const char *where)
{
    unsigned local = LOCAL_SLOTS;
    char pair[128];
    for (size_t i = 0; i < r->endpoint_count; i++) {
        const struct rule_endpoint *e = &r->endpoints[i];
        slot_elements(p, r, where, (unsigned)i, e);
        if (e->local && r->external_local)
            slot_elements(p, r, where, local++, e);
        if (e->local) { /* a pod that is sent to itself must see an answer from elsewhere */
            (void)snprintf(pair, sizeof pair, "%s . %s", e->address, e->address);
            element(p, "hairpin", pair, "");
        }
    }
}

static void draw(struct picture *p, const struct rule *r)
{
    char where[96], chain[64], verdict[96];
    bool by_port = r->address[0] == '\0';
    const struct kind *k = kind_of(r);
    (void)snprintf(where, sizeof where, "%s%s%s . %u", r->address, by_port ? "" : " . ",
                   r->protocol == RULE_UDP ? "udp" : "tcp", r->port);
    if (r->verdict != RULE_FORWARD) {
        element(p, k->unserved, where, r->verdict == RULE_DROP ? "goto drop-chain" : "goto reject-chain");
        return;
    }
    if (!r->external)
        chain_inner(p, r, chain);
    else if (!r->external_local)
        chain_external(p, r, chain);
    else
        chain_external_local(p, r, chain);
    (void)snprintf(verdict, sizeof verdict, "goto %s", chain);
    element(p, k->services, where, verdict);
    endpoint_elements(p, r, where);
}

/* --- transactions --- */

/* Sets and maps come first: chains refer to them, elements refer to chains. */
static void table(struct buf *out)
{
    buf_append_str(
        out, "add table " TABLE "\ndelete table " TABLE "\ntable " TABLE " {\n"
             "  comment \"rules of the service proxy\"\n"
             "  map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
             "  map service-nodeports { type inet_proto . inet_service : verdict; }\n"
             "  map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
             "  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }\n"
             "  map endpoints { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }\n"
             "  map nodeport-endpoints { type inet_proto . inet_service . mark : ipv4_addr . inet_service; }\n"
             "  map sticky-slots { type ipv4_addr . inet_proto . inet_service . mark : mark; }\n"
             "  map sticky-nodeport-slots { type inet_proto . inet_service . mark : mark; }\n"
             "  map sticky-endpoints { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }\n"
             "  map sticky-nodeport-endpoints { type inet_proto . inet_service . mark : ipv4_addr . inet_service; }\n"
             "  map affinity { type ipv4_addr . ipv4_addr . inet_proto . inet_service : mark;\n"
             "    flags dynamic, timeout; size " AFFINITY_CLIENTS_MAX "; }\n"
             "  map nodeport-affinity { type ipv4_addr . inet_proto . inet_service : mark;\n"
             "    flags dynamic, timeout; size " AFFINITY_CLIENTS_MAX "; }\n"
             "  set hairpin { type ipv4_addr . ipv4_addr; }\n"
             "  chain mark-masquerade { ct mark set ct mark or " MASQUERADE "; }\n"
             "  chain reject-chain { meta l4proto tcp reject with tcp reset; reject; }\n"
             "  chain drop-chain { drop; }\n"
             "  chain services {\n"
             "    ip daddr . meta l4proto . th dport vmap @service-ips\n"
             "    fib daddr type local meta l4proto . th dport vmap @service-nodeports\n"
             "  }\n"
             "  chain no-endpoints {\n"
             "    ip daddr . meta l4proto . th dport vmap @no-endpoint-services\n"
             "    fib daddr type local meta l4proto . th dport vmap @no-endpoint-nodeports\n"
             "  }\n"
             "  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }\n"
             "  chain nat-output { type nat hook output priority -100; jump services; }\n"
             "  chain nat-postrouting { type nat hook postrouting priority srcnat;\n"
             "    ct mark and " MASQUERADE " == " MASQUERADE " masquerade fully-random\n"
             "    ip saddr . ip daddr @hairpin masquerade fully-random\n"
             "  }\n"
             "  chain filter-input { type filter hook input priority -110; ct state new jump no-endpoints; }\n"
             "  chain filter-forward { type filter hook forward priority -110; ct state new jump no-endpoints; }\n"
             "  chain filter-output { type filter hook output priority -110; ct state new jump no-endpoints; }\n"
             "}\n");
}

static bool is_set(struct slice map) { return slice_is(map, "hairpin"); }

static void command(struct buf *out, const char *verb, struct slice full_key, const char *value)
{
    struct slice key = full_key, map = slice_cut(&key, ' ');
    buf_printf(out, "%s element " TABLE " %.*s { %.*s%s%s }\n", verb, SLICE_ARGS(map), SLICE_ARGS(key),
               is_set(map) || verb[0] == 'd' ? "" : " : ", is_set(map) || verb[0] == 'd' ? "" : value);
}

static bool is_one_of(struct slice map, const char *a, const char *b) { return slice_is(map, a) || slice_is(map, b); }

/* "endpoints 10.96.0.5 . udp . 53 . 0x00000001" and "10.244.1.2 . 53": our own text, written by slot_elements(). */
static bool flow_read(struct slice key, const char *value, struct conntrack_flow *ret)
{
    unsigned a[4] = {0}, e[4], port, endpoint_port;
    struct slice rest = key, map = slice_cut(&rest, ' ');
    bool read = is_one_of(map, kind_ip.endpoints, kind_ip.sticky_endpoints)
                    ? sscanf(rest.data, "%3u.%3u.%3u.%3u . udp . %5u", &a[0], &a[1], &a[2], &a[3], &port) == 5
                    : is_one_of(map, kind_port.endpoints, kind_port.sticky_endpoints) && sscanf(rest.data, "udp . %5u", &port) == 1;
    if (!read || sscanf(value, "%3u.%3u.%3u.%3u . %5u", &e[0], &e[1], &e[2], &e[3], &endpoint_port) != 5)
        return false;
    *ret = (struct conntrack_flow){
        .service = a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3],
        .endpoint = e[0] << 24 | e[1] << 16 | e[2] << 8 | e[3],
        .service_port = (uint16_t)port,
        .endpoint_port = (uint16_t)endpoint_port,
    };
    return true;
}

static struct slice flow_key(const struct conntrack_flow *f) { return slice_of(f, sizeof *f); }

/* UDP flows that led somewhere and lead there no longer. An endpoint that only changed its slot is still among the new.
 */
static struct buf flows_gone(const struct backend *b, const struct picture *p)
{
    struct buf gone = {0};
    struct map now = {0};
    struct map_entry *e;
    struct conntrack_flow f;
    for (size_t at = 0; b->loaded && (e = map_next(&p->elements, &at)) != NULL;)
        if (flow_read(map_key(e), e->value, &f))
            map_put(&now, flow_key(&f), e);
    for (size_t at = 0; b->loaded && (e = map_next(&b->elements, &at)) != NULL;)
        if (flow_read(map_key(e), e->value, &f) && map_get(&now, flow_key(&f)) == NULL)
            buf_append(&gone, &f, sizeof f);
    map_release(&now);
    return gone;
}

/* Removals come before additions: an element that changed is both. */
static size_t differences(const struct backend *b, const struct picture *p, struct buf *out)
{
    struct map_entry *e;
    size_t changed = 0;
    for (size_t at = 0; b->loaded && (e = map_next(&b->elements, &at)) != NULL;) {
        const char *now = map_get(&p->elements, map_key(e));
        if (now == NULL || strcmp(now, e->value) != 0) {
            command(out, "delete", map_key(e), e->value);
            changed++;
        }
    }
    for (size_t at = 0; (e = map_next(&p->elements, &at)) != NULL;) {
        const char *before = b->loaded ? map_get(&b->elements, map_key(e)) : NULL;
        if (before == NULL || strcmp(before, e->value) != 0) {
            command(out, "add", map_key(e), e->value);
            changed++;
        }
    }
    return changed;
}

static void release_elements(struct map *m)
{
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(m, &at)) != NULL;)
        mem_free(e->value);
    map_release(m);
}

/* Chains that no element names any more stay: there are few of them, and they cost nothing until a restart. */
static void keep(struct backend *b, struct picture *p)
{
    struct map_entry *e;
    release_elements(&b->elements);
    b->elements = p->elements;
    if (!b->loaded)
        map_release(&b->chains);
    for (size_t at = 0; (e = map_next(&p->chains, &at)) != NULL;)
        map_put(&b->chains, map_key(e), b);
    map_release(&p->chains);
    b->loaded = true;
    b->figures.elements = b->elements.size;
}

static int run(struct backend *b, const char *commands, struct err *reterr)
{
    b->figures.transactions++;
    if (nft_run_cmd_from_buffer(b->nft, commands) == 0)
        return 0;
    b->figures.failures++;
    const char *why = nft_ctx_get_error_buffer(b->nft);
    return err_set(reterr, ERR_IO, "nftables refused the rules: %.300s", why == NULL ? "no reason given" : why);
}

/* After the rules: before, the next packet would be sent there again. A failure is counted, not an error of the rules.
 */
static void forget_flows(struct backend *b, const struct buf *gone)
{
    size_t forgotten = 0;
    if (gone->size == 0)
        return;
    int rv =
        conntrack_forget_udp((const void *)gone->data, gone->size / sizeof(struct conntrack_flow), &forgotten, NULL);
    b->figures.flows_forgotten += forgotten;
    b->figures.failures += rv != 0;
}

int backend_apply(struct backend *b, const struct rules *r, struct err *reterr)
{
    struct picture p = {.backend = b};
    struct buf commands = {0};
    int rv = 0;
    for (size_t i = 0; i < r->count; i++)
        draw(&p, &r->rules[i]);
    if (!b->loaded)
        table(&commands);
    buf_append_slice(&commands, buf_slice(&p.made));
    size_t changed = differences(b, &p, &commands);
    struct buf gone = flows_gone(b, &p);
    if (commands.size > 0)
        rv = run(b, commands.data, reterr);
    if (rv == 0) {
        b->figures.last_changed = changed;
        keep(b, &p);
        forget_flows(b, &gone);
    } else {
        b->loaded = false;
        release_elements(&p.elements);
        map_release(&p.chains);
    }
    buf_release(&gone);
    buf_release(&p.made);
    buf_release(&commands);
    return rv;
}

struct backend_figures backend_figures(const struct backend *b) { return b->figures; }

static bool cidr_valid(const char *text)
{
    struct slice rest = slice_str(text), address = slice_cut(&rest, '/');
    return model_ipv4(address) && rest.size >= 1 && rest.size <= 2 && strspn(rest.data, "0123456789") == rest.size;
}

int backend_new(const char *cluster_cidr, struct backend **ret, struct err *reterr)
{
    if (!cidr_valid(cluster_cidr))
        return err_set(reterr, ERR_BAD_REQUEST, "--cluster-cidr '%s' is no IPv4 network such as 10.244.0.0/16",
                       cluster_cidr);
    struct backend *b = NEW(struct backend);
    b->cidr = mem_strdup(cluster_cidr);
    b->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (b->nft == NULL || nft_ctx_buffer_error(b->nft) != 0 || nft_ctx_buffer_output(b->nft) != 0) {
        backend_free(b);
        return err_set(reterr, ERR_INTERNAL, "nftables could not be opened: is this process root?");
    }
    *ret = b;
    return 0;
}

void backend_free(struct backend *b)
{
    if (b == NULL)
        return;
    if (b->nft != NULL)
        nft_ctx_free(b->nft);
    release_elements(&b->elements);
    map_release(&b->chains);
    mem_free(b->cidr);
    mem_free(b);
}
