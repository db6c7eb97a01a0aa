/* DNS messages as bytes (RFC 1035, EDNS of RFC 6891), over ldns, whose only home dns_wire.c is. Pure. */
#ifndef NETPROXY_DNS_WIRE_H
#define NETPROXY_DNS_WIRE_H

#include "common/base.h"
#include "common/buf.h"
#include "netproxy/dns_zone.h"

#define DNS_HEADER_BYTES 12
#define DNS_PLAIN_BYTES 512 /* of a UDP answer to a client without EDNS */
#define DNS_EDNS_BYTES 1232 /* the most we send in one datagram: fits any path without fragments */

enum dns_code {
    DNS_OK = 0,
    DNS_BAD_FORMAT = 1,
    DNS_SERVER_FAILED = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOT_IMPLEMENTED = 4,
    DNS_REFUSED = 5
};

struct dns_question {
    char name[DNS_NAME_MAX]; /* lower-case, without the last dot; "" is the root */
    unsigned type, class;
    bool recursion_desired;
    size_t answer_bytes; /* most the client takes in a datagram, within our bound */
};

/* ERR_BAD_REQUEST: no query at all, not to be answered. ERR_INVALID: a query that we answer with `*ret_code`. */
int dns_wire_parse(struct slice packet, struct dns_question *ret, enum dns_code *ret_code);

/* The answer to `packet`, which dns_wire_parse has taken. Larger than `bytes_max`: cut, with the mark that sends the
 * client to TCP. `authority` may be NULL. */
int dns_wire_answer(struct slice packet, enum dns_code code, const struct dns_record *const *answers, size_t count,
                    const struct dns_record *authority, size_t bytes_max, struct buf *out);

/* An answer without records to anything with a header, also when it does not parse. */
void dns_wire_refuse(struct slice packet, enum dns_code code, struct buf *out);

/* A query for what an alias points at, in place of the question of `packet`; and the answer to `packet` from the answer
 * to that query, with the alias's own records before it. */
int dns_wire_follow(struct slice packet, const char *target, struct buf *out);
int dns_wire_join(struct slice packet, const struct dns_record *const *answers, size_t count, struct slice followed,
                  size_t bytes_max, struct buf *out);

#endif
