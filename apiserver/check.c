/* Paths, kinds and texts of validation errors. The wording of values follows Go's %q and %#v, which is what users of
 * Kubernetes see and search for. */
#include "common/base.h"

#include "apiserver/check.h"
#include "common/mem.h"

#include <stdio.h>

static const struct {
    const char *reason, *text;
} kinds[] = {
    [CHECK_REQUIRED] = {"FieldValueRequired", "Required value"},
    [CHECK_INVALID] = {"FieldValueInvalid", "Invalid value"},
    [CHECK_NOT_SUPPORTED] = {"FieldValueNotSupported", "Unsupported value"},
    [CHECK_DUPLICATE] = {"FieldValueDuplicate", "Duplicate value"},
    [CHECK_FORBIDDEN] = {"FieldValueForbidden", "Forbidden"},
    [CHECK_TOO_LONG] = {"FieldValueTooLong", "Too long"},
    [CHECK_TOO_MANY] = {"FieldValueTooMany", "Too many"},
    [CHECK_TYPE] = {"FieldValueTypeInvalid", "Invalid value"},
    [CHECK_NOT_FOUND] = {"FieldValueNotFound", "Not found"},
};

const char *check_reason(enum check_kind kind) { return kinds[kind].reason; }

void check_clear(struct check *c)
{
    for (size_t i = 0; i < c->count; i++) {
        mem_free(c->errors[i].path);
        mem_free(c->errors[i].body);
    }
    buf_release(&c->path);
    c->count = 0;
}

size_t check_enter(struct check *c, const char *field)
{
    size_t mark = c->path.size;
    if (*field == '\0')
        return mark;
    if (mark != 0)
        buf_append_char(&c->path, '.');
    buf_append_str(&c->path, field);
    return mark;
}

size_t check_enter_index(struct check *c, size_t index)
{
    size_t mark = c->path.size;
    char text[24];
    char *at = text + sizeof text;
    *--at = ']'; /* of every item of every list of every object: not worth a format */
    do {
        *--at = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    *--at = '[';
    buf_append(&c->path, at, (size_t)(text + sizeof text - at));
    return mark;
}

size_t check_enter_key(struct check *c, struct slice key)
{
    size_t mark = c->path.size;
    buf_append_char(&c->path, '[');
    buf_append_slice(&c->path, key);
    buf_append_char(&c->path, ']');
    return mark;
}

void check_leave(struct check *c, size_t mark)
{
    ASSERT(mark <= c->path.size);
    c->path.size = mark;
    if (c->path.data != NULL)
        c->path.data[mark] = '\0';
}

static void append_value(const struct json *bad, struct buf *out)
{
    switch (json_type(bad)) {
    case JSON_STRING: json_print_string(json_string(bad), out); break;
    case JSON_OBJECT:
        buf_append_str(out, "map[string]string{");
        struct json_iterator i = json_iterate(bad);
        while (json_next(&i)) {
            if (i.position > 1)
                buf_append_str(out, ", ");
            json_print_string(i.key, out);
            buf_append_char(out, ':');
            json_print(i.value, out);
        }
        buf_append_char(out, '}');
        break;
    case JSON_ARRAY:
        buf_append_str(out, "[]string{");
        struct json_iterator e = json_iterate(bad);
        while (json_next(&e)) {
            buf_append_str(out, e.position > 1 ? ", " : "");
            append_value(e.value, out);
        }
        buf_append_char(out, '}');
        break;
    case JSON_NONE: /* Go's field package shows a nil pointer as a string */
    case JSON_NULL: buf_append_str(out, "\"null\""); break;
    default: json_print(bad, out);
    }
}

static void add(struct check *c, enum check_kind kind, struct buf *body, const char *detail)
{
    if (*detail != '\0')
        buf_printf(body, ": %s", detail);
    if (c->count == CHECK_ERRORS_MAX) {
        buf_release(body);
        return;
    }
    /* A path without any name is written "[]" by Go's field package. */
    char *path = c->path.size == 0 ? mem_strdup("[]") : mem_slice_dup(buf_slice(&c->path));
    c->errors[c->count++] = (struct check_error){kind, path, mem_slice_dup(buf_slice(body))};
    buf_release(body);
}

static bool shows_value(enum check_kind kind)
{
    return kind != CHECK_REQUIRED && kind != CHECK_FORBIDDEN && kind != CHECK_TOO_LONG && kind != CHECK_TOO_MANY;
}

static void fail(struct check *c, enum check_kind kind, const struct json *bad, const char *format, va_list args)
{
    char detail[1024];
    (void)vsnprintf(detail, sizeof detail, format, args); /* cut when longer */
    struct buf body = {0};
    buf_append_str(&body, kinds[kind].text);
    if (shows_value(kind)) {
        buf_append_str(&body, ": ");
        append_value(bad, &body);
    }
    add(c, kind, &body, detail);
}

void check_fail(struct check *c, enum check_kind kind, const struct json *bad, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(c, kind, bad, format, args);
    va_end(args);
}

void check_fail_at(struct check *c, const char *field, enum check_kind kind, const struct json *bad, const char *format,
                   ...)
{
    size_t mark = check_enter(c, field);
    va_list args;
    va_start(args, format);
    fail(c, kind, bad, format, args);
    va_end(args);
    check_leave(c, mark);
}

void check_fail_text(struct check *c, enum check_kind kind, struct slice bad, const char *format, ...)
{
    char detail[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args); /* cut when longer */
    va_end(args);
    struct buf body = {0};
    buf_printf(&body, "%s: ", kinds[kind].text);
    json_print_string(bad, &body);
    add(c, kind, &body, detail);
}

void check_fail_text_at(struct check *c, const char *field, enum check_kind kind, struct slice bad, const char *format,
                        ...)
{
    char detail[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args); /* cut when longer */
    va_end(args);
    size_t mark = check_enter(c, field);
    check_fail_text(c, kind, bad.data == NULL ? SLICE("") : bad, "%s", detail);
    check_leave(c, mark);
}

void check_fail_shown(struct check *c, const char *field, enum check_kind kind, const char *shown, const char *format,
                      ...)
{
    char detail[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args); /* cut when longer */
    va_end(args);
    struct buf body = {0};
    size_t mark = check_enter(c, field);
    buf_printf(&body, "%s%s%s", kinds[kind].text, shown == NULL ? "" : ": ", shown == NULL ? "" : shown);
    add(c, kind, &body, detail);
    check_leave(c, mark);
}

void check_fail_one_of(struct check *c, const struct json *bad, const char *const *allowed)
{
    struct buf list = {0};
    for (size_t i = 0; allowed[i] != NULL; i++)
        buf_printf(&list, "%s\"%s\"", i == 0 ? "" : ", ", allowed[i]);
    check_fail(c, CHECK_NOT_SUPPORTED, bad, "supported values: %.*s", (int)list.size, list.data);
    buf_release(&list);
}

void check_fail_one_of_at(struct check *c, const char *field, const struct json *bad, const char *const *allowed)
{
    size_t mark = check_enter(c, field);
    check_fail_one_of(c, bad, allowed);
    check_leave(c, mark);
}

/* The message tells each error once; the causes of the Status hold them all. */
static bool said_before(const struct check *c, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(c->errors[i].path, c->errors[index].path) == 0 &&
            strcmp(c->errors[i].body, c->errors[index].body) == 0)
            return true;
    return false;
}

void check_message(const struct check *c, struct buf *out)
{
    size_t begin = out->size, told = 0;
    buf_append_char(out, '[');
    for (size_t i = 0; i < c->count; i++) {
        if (said_before(c, i))
            continue;
        buf_printf(out, "%s%s: %s", told++ == 0 ? "" : ", ", c->errors[i].path, c->errors[i].body);
    }
    if (told > 1)
        buf_append_char(out, ']');
    else
        memmove(out->data + begin, out->data + begin + 1, out->size-- - begin); /* with its terminator */
}
