/* Checks of lists of words, and of what clients of webhooks and drivers are named by. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#include <ctype.h>

#define DRIVER_NAME_MAX 63

bool list_has(const struct json *list, const char *word)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i))
        if (slice_is(json_string(i.value), word))
            return true;
    return false;
}

bool text_has(struct slice text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isspace((unsigned char)text.data[i]))
            return false;
    return true;
}

void check_each_of(struct check *c, const struct json *list, const char *const *allowed)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        bool known = false;
        for (size_t k = 0; allowed[k] != NULL; k++)
            known |= slice_is(json_string(i.value), allowed[k]);
        size_t mark = check_enter_index(c, i.position - 1);
        if (!known)
            check_fail_one_of(c, i.value, allowed);
        check_leave(c, mark);
    }
}

/* Lists are short where this is used: quadratic is fine. */
void check_each_once(struct check *c, const struct json *list)
{
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        bool before = false;
        for (size_t k = 0; k + 1 < i.position; k++)
            before |= json_equal(json_element(list, k), i.value);
        size_t mark = check_enter_index(c, i.position - 1);
        if (before)
            check_fail(c, CHECK_DUPLICATE, i.value, "%s", "");
        check_leave(c, mark);
    }
}

void check_star_alone(struct check *c, const struct json *list, const char *others)
{
    if (json_size(list) > 1 && list_has(list, "*"))
        check_fail(c, CHECK_INVALID, list, "if '*' is present, must not specify other %s", others);
}

void check_label1035(struct check *c, const struct json *v)
{
    struct err why;
    if (json_string(v).size != 0 && name_check_label1035(json_string(v), &why) != 0)
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
}

void check_qualified(struct check *c, const struct json *v)
{
    struct err why;
    if (json_string(v).size != 0 && name_check_qualified(json_string(v), &why) != 0)
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
}

void fill_port_443(struct json_doc *d, struct json *v)
{
    if (json_get(v, "port") == NULL)
        json_set_int(d, v, "port", 443);
}

void check_webhook_service(struct check *c, const struct json *v)
{
    int64_t port = json_int_at(v, "port", 0);
    struct slice path = json_string_at(v, "path");
    if (port < 1 || port > 65535)
        check_fail_at(c, "port", CHECK_INVALID, json_get(v, "port"),
                      "port is not valid: must be between 1 and 65535, inclusive");
    if (json_get(v, "path") != NULL && (path.size == 0 || path.data[0] != '/'))
        check_fail_text_at(c, "path", CHECK_INVALID, path, "must start with a '/'");
    else if (text_has(path, "//"))
        check_fail_text_at(c, "path", CHECK_INVALID, path, "segment[%d] may not be empty", 0);
}

#define URL_FORM "; desired format: https://host[/path]"

void check_webhook_url(struct check *c, const struct json *v)
{
    struct slice url = json_string(v);
    const char *colon = url.size == 0 ? NULL : memmem(url.data, url.size, "://", 3);
    struct slice scheme = slice_of(url.data, colon == NULL ? 0 : (size_t)(colon - url.data));
    struct slice rest = colon == NULL ? url : slice_from(url, scheme.size + 3);
    struct slice host =
        slice_of(rest.data, MIN(slice_find(rest, '/'), MIN(slice_find(rest, '?'), slice_find(rest, '#'))));
    if (!slice_is(scheme, "https"))
        check_fail_text_at(c, "", CHECK_INVALID, scheme, "'https' is the only allowed URL scheme" URL_FORM);
    if (host.size == 0 || colon == NULL)
        check_fail_text_at(c, "", CHECK_INVALID, SLICE(""), "host must be specified" URL_FORM);
    if (slice_find(host, '@') < host.size)
        check_fail_text_at(c, "", CHECK_INVALID, slice_of(host.data, slice_find(host, '@')),
                           "user information is not permitted in the URL");
    if (slice_find(rest, '#') < rest.size)
        check_fail_text_at(c, "", CHECK_INVALID, slice_from(rest, slice_find(rest, '#') + 1),
                           "fragments are not permitted in the URL");
    struct slice query = slice_of(rest.data, slice_find(rest, '#'));
    if (slice_find(query, '?') < query.size)
        check_fail_text_at(c, "", CHECK_INVALID, slice_from(query, slice_find(query, '?') + 1),
                           "query parameters are not permitted in the URL");
}

/* A subdomain in which case does not matter. */
void check_driver_name(struct check *c, const char *field, const struct json *v)
{
    struct err why;
    struct slice name = json_string(v);
    struct buf lower = {0};
    for (size_t i = 0; i < name.size; i++)
        buf_append_char(&lower, (char)tolower((unsigned char)name.data[i]));
    if (name.size == 0)
        check_fail_at(c, field, CHECK_REQUIRED, NULL, "%s", "");
    else if (name.size > DRIVER_NAME_MAX)
        check_fail_at(c, field, CHECK_TOO_LONG, NULL, "may not be more than %d bytes", DRIVER_NAME_MAX);
    else if (name_check_subdomain(buf_slice(&lower), &why) != 0)
        check_fail_at(c, field, CHECK_INVALID, v, "%s", why.message);
    buf_release(&lower);
}
