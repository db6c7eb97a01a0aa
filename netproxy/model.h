/* The pure model of the service proxy: Services and EndpointSlices in, rules out. Backends (nftables first) render and
 * apply them. */
#ifndef NETPROXY_MODEL_H
#define NETPROXY_MODEL_H

#include "common/base.h"
#include "common/json.h"
#include "common/mem.h"

#define MODEL_ENDPOINTS_MAX 1000 /* per rule; what is beyond gets no traffic */

enum rule_protocol { RULE_TCP, RULE_UDP };

/* Where new connections go. */
enum rule_verdict {
    RULE_FORWARD,
    RULE_REJECT, /* nothing serves: the client is told at once */
    RULE_DROP, /* a Local policy, and what serves is on other nodes: whoever balances in front must time out and move on
                */
};

struct rule_endpoint {
    char address[46]; /* numeric */
    uint16_t port;
    bool local; /* on this node */
};

/* One virtual address and port, or one node port (address empty), and where it leads. */
struct rule {
    char address[46];
    uint16_t port;
    enum rule_protocol protocol;
    enum rule_verdict verdict;
    bool external;                   /* a node port, external IP or balancer address, not the cluster address */
    bool external_local;             /* from outside the cluster only endpoints of this node; from inside all of them */
    unsigned affinity_seconds;       /* 0: none */
    struct rule_endpoint *endpoints; /* sorted by address and port */
    size_t endpoint_count;           /* 0 unless the verdict is RULE_FORWARD */
    const char *comment;             /* "namespace/service:port" */
};

struct rules {
    struct rule *rules; /* sorted by protocol, address, port: equal input gives equal output; no two for one triple */
    size_t count;
    struct arena arena; /* owns all of it */
};

/* `services` and `slices` are arrays of object trees. Malformed objects are left out, never fatal. A service whose
 * cluster address is `skip_address` is somebody else's to serve (the node's own DNS); NULL: none. */
struct model_input {
    const struct json *const *services;
    size_t service_count;
    const struct json *const *slices;
    size_t slice_count;
    const char *node_name;
    const char *skip_address;
};
void model_rules(const struct model_input *in, struct rules *ret);
void rules_release(struct rules *r);

/* Numeric IPv4 address, as bytes it takes in a set: no IPv6, no white space, nothing a rule language could misread. */
bool model_ipv4(struct slice text);
/* The proxy leaves headless, external-name and foreign services alone: true when it does. */
bool model_service_ignored(const struct json *service);

#endif
