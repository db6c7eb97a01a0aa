#include "common/base.h"

#include "apiserver/proxy_headers.h"
#include "apiserver/route.h"

#include <strings.h>

static bool is_named(const struct http_header *h, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (http_header_is(h, names[i]))
            return true;
    return false;
}

bool proxy_is_hop(const struct http_header *h, const struct http_header *all, size_t count)
{
    static const char *const hops[] = {
        "Connection", "Keep-Alive",        "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE",
        "Trailer",    "Transfer-Encoding", "Upgrade",          "Content-Length"};
    if (is_named(h, hops, ARRAY_LEN(hops)))
        return true;
    for (size_t i = 0; i < count; i++) {
        struct slice list = http_header_is(&all[i], "Connection") ? all[i].value : (struct slice){NULL, 0};
        while (list.data != NULL) {
            struct slice word = slice_trim(slice_cut(&list, ','));
            if (word.size == h->name.size && strncasecmp(word.data, h->name.data, word.size) == 0)
                return true;
        }
    }
    return false;
}

/* Nothing that would end a line. */
static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if (((unsigned char)s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 127)
            return false;
    return true;
}

size_t proxy_request_headers(const struct http_request *q, struct http_header *ret, size_t max)
{
    static const char *const own[] = {
        "Host",           "Expect", "Authorization", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
        "X-Forwarded-Uri"};
    size_t n = 0;
    /* Pages are rewritten, so they have to come as they are. */
    bool page = accept_names(http_header_get(q->headers, q->header_count, "Accept"), "text/html");
    for (size_t i = 0; i < q->header_count && n < max; i++) {
        const struct http_header *h = &q->headers[i];
        bool who = h->name.size >= 12 && strncasecmp(h->name.data, "Impersonate-", 12) == 0;
        if (who || proxy_is_hop(h, q->headers, q->header_count) || is_named(h, own, ARRAY_LEN(own)) ||
            !is_text(h->value) || (page && http_header_is(h, "Accept-Encoding")))
            continue;
        ret[n++] = *h;
    }
    return n;
}

void proxy_encode_path(struct slice decoded, struct buf *out)
{
    for (size_t i = 0; i < decoded.size; i++) {
        if (decoded.data[i] != '\0' && strchr("/:@!$&'()*+,;=", decoded.data[i]) != NULL)
            buf_append_char(out, decoded.data[i]);
        else
            http_percent_encode(slice_of(decoded.data + i, 1), out);
    }
}

void proxy_encode_query(struct slice raw, struct buf *out)
{
    for (size_t i = 0; i < raw.size; i++) {
        unsigned char c = (unsigned char)raw.data[i];
        if (c <= ' ' || c >= 127)
            http_percent_encode(slice_of(raw.data + i, 1), out);
        else
            buf_append_char(out, (char)c);
    }
}
