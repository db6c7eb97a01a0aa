/* The headers of a request and of an answer that pass through a proxy (RFC 9110 section 7.6). Pure. */
#ifndef APISERVER_PROXY_HEADERS_H
#define APISERVER_PROXY_HEADERS_H

#include "common/base.h"
#include "common/buf.h"
#include "common/http.h"

/* Describes the connection it came over and not what is in it; `all` are the message's headers: Connection may name
 * more. */
bool proxy_is_hop(const struct http_header *h, const struct http_header *all, size_t count);

/* Those of `q` that its target may see: neither hops nor who asked with which credentials, nor what the proxy sets
 * itself. Returns how many; what is beyond `max` stays behind. */
size_t proxy_request_headers(const struct http_request *q, struct http_header *ret, size_t max);

/* Encodes what may not stand in a request line and leaves what divides a path or a query. */
void proxy_encode_path(struct slice decoded, struct buf *out);
void proxy_encode_query(struct slice raw, struct buf *out);

#endif
