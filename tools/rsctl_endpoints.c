/* rsctl --endpoints: HOST:PORT,… with or without https://; names are looked up here, as the client library takes addresses alone. */
#include "common/base.h"

#include "tools/rsctl.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#define HOST_BYTES_MAX 255

static bool numeric(const char *host)
{
    char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The first IPv4 address of a name, or else the first IPv6 one: what listens on a name's address mostly does so on the former. */
static int look_up(const char *host, char ret[INET6_ADDRSTRLEN])
{
    static const int families[] = {AF_INET, AF_INET6};
    int failure = 0;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct addrinfo hints = {.ai_family = families[i], .ai_socktype = SOCK_STREAM}, *found = NULL;
        int rv = getaddrinfo(host, NULL, &hints, &found);
        if (rv == 0)
            rv = getnameinfo(found->ai_addr, found->ai_addrlen, ret, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST);
        if (found != NULL)
            freeaddrinfo(found);
        if (rv == 0)
            return 0;
        failure = failure == 0 ? rv : failure;
    }
    return failure;
}

static const char *without_scheme(const char *text)
{
    const char *scheme = strstr(text, "://");
    return scheme == NULL ? text : scheme + 3;
}

static int add_endpoint(struct rsctl *r, const char *text)
{
    char host[HOST_BYTES_MAX + 1], address[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - text);
    int64_t port;
    if (size == 0 || size > HOST_BYTES_MAX || !rsctl_number(colon + 1, &port) || port < 1 || port > UINT16_MAX)
        return rsctl_usage("endpoint \"%s\" is not HOST:PORT", text);
    if (r->endpoint_count == STORE_ENDPOINTS_MAX)
        return rsctl_usage("more than %d endpoints", STORE_ENDPOINTS_MAX);
    bool brackets = text[0] == '[' && colon[-1] == ']';
    size -= brackets ? 2 : 0;
    memcpy(host, text + brackets, size);
    host[size] = '\0';
    if (numeric(host)) {
        r->endpoints[r->endpoint_count++] = text;
        return RSCTL_OK;
    }
    int rv = look_up(host, address);
    if (rv != 0) {
        fprintf(stderr, "rsctl: endpoint %s: %s\n", text, gai_strerror(rv));
        return RSCTL_CONNECTION;
    }
    r->endpoints[r->endpoint_count++] = arena_printf(&r->endpoint_names, strchr(address, ':') == NULL ? "%s:%d" : "[%s]:%d", address, (int)port);
    return RSCTL_OK;
}

int rsctl_parse_endpoints(struct rsctl *r)
{
    char *text = arena_strdup(&r->endpoint_names, slice_str(r->flags.endpoints));
    int code = RSCTL_OK;
    for (char *next; text != NULL && code == RSCTL_OK; text = next) {
        next = strchr(text, ',');
        if (next != NULL)
            *next++ = '\0';
        code = add_endpoint(r, without_scheme(text));
    }
    return code;
}
