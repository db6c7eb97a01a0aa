#include "common/base.h"

#include "common/err.h"
#include "common/http.h"

#include <strings.h>

bool http_header_is(const struct http_header *h, const char *name)
{
    size_t size = strlen(name);
    return h->name.size == size && strncasecmp(h->name.data, name, size) == 0;
}

struct slice http_header_get(const struct http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (http_header_is(&headers[i], name))
            return headers[i].value;
    return (struct slice){0};
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int http_percent_decode(struct slice s, bool plus_is_space, struct buf *out)
{
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (c == '+' && plus_is_space)
            c = ' ';
        if (c == '%') {
            int high = i + 2 < s.size ? hex_digit(s.data[i + 1]) : -1;
            int low = i + 2 < s.size ? hex_digit(s.data[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return ERR_BAD_REQUEST;
            c = (char)(uint8_t)(high << 4 | low);
            i += 2;
        }
        buf_append_char(out, c);
    }
    return 0;
}

void http_percent_encode(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '.' || c == '_' || c == '~';
        if (unreserved)
            buf_append_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

bool http_query_get(struct slice query, const char *name, struct buf *scratch, struct slice *ret)
{
    while (query.data != NULL && query.size > 0) {
        struct slice value = slice_cut(&query, '&');
        struct slice key = slice_cut(&value, '=');
        if (!slice_is(key, name))
            continue;
        buf_reset(scratch);
        buf_reserve(scratch, value.size);
        scratch->data[0] = '\0';
        if (value.data != NULL && http_percent_decode(value, true, scratch) != 0)
            return false;
        *ret = buf_slice(scratch);
        return true;
    }
    return false;
}

bool http_token_listed(struct slice list, const char *token)
{
    size_t size = strlen(token);
    while (list.data != NULL) {
        struct slice one = slice_trim(slice_cut(&list, ','));
        if (one.size == size && strncasecmp(one.data, token, size) == 0)
            return true;
    }
    return false;
}

struct slice http_upgrade_wanted(const struct http_request *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (http_header_is(&r->headers[i], "Connection") && http_token_listed(r->headers[i].value, "upgrade"))
            return slice_trim(http_header_get(r->headers, r->header_count, "Upgrade"));
    return (struct slice){0};
}

int http_upgrade(struct http_exchange *x, const struct http_header *headers, size_t n, struct http_tunnel *t)
{
    if (x->ops->upgrade == NULL || http_upgrade_wanted(&x->request).size == 0)
        return ERR_BAD_REQUEST;
    return x->ops->upgrade(x, headers, n, t);
}

void http_write_all(struct http_exchange *x, struct bytes *const *parts, size_t n)
{
    if (x->ops->write_all != NULL) {
        x->ops->write_all(x, parts, n);
        return;
    }
    struct buf all = {0};
    for (size_t i = 0; i < n; i++)
        buf_append_slice(&all, bytes_slice(parts[i]));
    struct bytes *one = bytes_new(buf_slice(&all));
    x->ops->write(x, one);
    bytes_unref(one);
    buf_release(&all);
}
