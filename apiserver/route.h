/* Paths and query parameters to what is asked: resource or not, verb, names; and the Accept header. Pure. */
#ifndef APISERVER_ROUTE_H
#define APISERVER_ROUTE_H

#include "apiserver/kind.h"
#include "apiserver/status.h"
#include "apiserver/watch_cache.h"
#include "common/base.h"
#include "common/http.h"

struct route {
    bool is_resource;
    struct slice group, version, resource, namespace, name, subresource; /* borrowed from the path */
    struct slice behind; /* of a proxy: the path behind it with its '/', empty when there is none; borrowed too */
    const struct kind *kind;                                             /* of a resource that exists; NULL otherwise */
    const struct subresource *sub;                                       /* NULL: the object itself */
    const char *verb; /* "get", "list", "watch", …; non-resource: the method in lower case */
};

/* Never fails: what no route fits has is_resource false, what no kind fits has kind NULL. */
void route_parse(const struct http_request *request, struct route *ret);

/* How the client wants its answer. */
struct accepted {
    enum event_format format;
    bool table;
    bool stream;
};

/* ERR_NOT_ACCEPTABLE. `include` is the query's includeObject. */
int accept_parse(struct slice header, struct slice include, struct accepted *ret, struct failure *f);

/* Does an Accept header name this media type, whatever its parameters? */
bool accept_names(struct slice header, const char *type);

/* True when an Accept header asks for aggregated discovery; *ret_version then is "v2" or "v2beta1". */
bool accept_aggregated(struct slice header, const char **ret_version);

#endif
