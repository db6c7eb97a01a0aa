/* The pure model of the service proxy: Services and EndpointSlices in, rules out. Backends (nftables first) render and
 * apply them. The process itself comes with Services; this header fixes the shape they meet in. */
#ifndef NETPROXY_MODEL_H
#define NETPROXY_MODEL_H

#include "common/base.h"
#include "common/json.h"
#include "common/mem.h"

enum rule_protocol { RULE_TCP, RULE_UDP };

struct rule_endpoint {
    char address[46]; /* numeric */
    uint16_t port;
    bool local;       /* on this node */
};

/* One virtual address and port, or one node port (address empty), and where it leads. No endpoints: reject. */
struct rule {
    char address[46];
    uint16_t port;
    enum rule_protocol protocol;
    unsigned affinity_seconds; /* 0: none */
    struct rule_endpoint *endpoints;
    size_t endpoint_count;
    const char *comment;       /* "namespace/service:port" */
};

struct rules {
    struct rule *rules; /* sorted by protocol, address, port: equal input gives equal output */
    size_t count;
    struct arena arena; /* owns all of it */
};

/* `services` and `slices` are arrays of object trees. Malformed objects are left out, never fatal. */
void model_rules(const struct json *const *services, size_t service_count, const struct json *const *slices,
                 size_t slice_count, const char *node_name, struct rules *ret);
void rules_release(struct rules *r);

#endif
