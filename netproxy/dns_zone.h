/* The pure model of cluster DNS: Services and EndpointSlices in, names and records out (the DNS specification of
 * Kubernetes, schema 1.1.0). Names are lower-case, without the last dot. */
#ifndef NETPROXY_DNS_ZONE_H
#define NETPROXY_DNS_ZONE_H

#include "common/base.h"
#include "common/json.h"
#include "common/map.h"
#include "common/mem.h"

#define DNS_TTL_S 5
#define DNS_NAME_MAX 254

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_ANY = 255
};

struct dns_record {
    const char *name;
    enum dns_type type;
    const char *data; /* an address; a name; "priority weight port name" */
};

struct dns_zone {
    const char *domain; /* "cluster.local" */
    struct map names;   /* name → struct dns_node * */
    struct arena arena;
};

enum dns_outcome {
    DNS_FOUND,   /* records, or none of that type: NOERROR either way */
    DNS_NO_NAME, /* NXDOMAIN */
    DNS_FOREIGN, /* not a name of the cluster: ask elsewhere */
};

/* `domain` is borrowed and must outlive the zone. */
void dns_zone_build(const char *domain, const struct json *const *services, size_t service_count,
                    const struct json *const *slices, size_t slice_count, struct dns_zone *ret);
void dns_zone_release(struct dns_zone *z);

#define DNS_ANSWERS_MAX 1024

bool dns_name_within(const char *name, const char *domain); /* is it the domain or a name below it? */

/* What a question has as answer: at most `max` records, borrowed from the zone. An alias is followed within the
 * cluster. */
enum dns_outcome dns_zone_find(const struct dns_zone *z, const char *name, unsigned type, const struct dns_record **ret,
                               size_t max, size_t *ret_count);

#endif
