/* See the header. */
#include "common/base.h"

#include "tools/rsctl_changes.h"

#include "common/json.h"

#define TEXT_MAX 100 /* of a value on a line for people */

struct changes {
    struct buf *out;
    struct buf path;
    bool json;
    size_t count;
};

static void put_value(struct changes *c, const struct json *v)
{
    struct buf text = {0};
    if (v == NULL) {
        buf_append_str(c->out, "(none)");
        return;
    }
    json_print(v, &text);
    size_t size = MIN(text.size, (size_t)TEXT_MAX);
    while (size > 0 && size < text.size && ((uint8_t)text.data[size] & 0xc0) == 0x80)
        size--; /* not in the middle of a character */
    buf_printf(c->out, "%.*s%s", (int)size, text.data, size < text.size ? "…" : "");
    buf_release(&text);
}

static void put_change(struct changes *c, const struct json *old, const struct json *new)
{
    if (!c->json) {
        struct slice path = c->path.size > 0 ? buf_slice(&c->path) : SLICE("value");
        buf_printf(c->out, "    %.*s: ", SLICE_ARGS(path));
        put_value(c, old);
        buf_append_str(c->out, " → ");
        put_value(c, new);
        buf_append_char(c->out, '\n');
    } else {
        buf_append_str(c->out, c->count > 0 ? ",{\"path\":" : "{\"path\":");
        json_print_string(buf_slice(&c->path), c->out);
        buf_append_str(c->out, old != NULL ? ",\"old\":" : "");
        if (old != NULL)
            json_print(old, c->out);
        buf_append_str(c->out, new != NULL ? ",\"new\":" : "");
        if (new != NULL)
            json_print(new, c->out);
        buf_append_char(c->out, '}');
    }
    c->count++;
}

static void compare(struct changes *c, const struct json *old, const struct json *new);

/* Who manages which field is longer than the object and of no interest to most: kubectl hides it too. */
static bool hidden(const struct changes *c) { return !c->json && slice_is(buf_slice(&c->path), "metadata.managedFields"); }

static void compare_at(struct changes *c, struct slice name, size_t index, const struct json *old, const struct json *new)
{
    size_t before = c->path.size;
    if (name.data != NULL)
        buf_printf(&c->path, "%s%.*s", before > 0 ? "." : "", SLICE_ARGS(name));
    else
        buf_printf(&c->path, "[%zu]", index);
    if (!hidden(c))
        compare(c, old, new);
    c->path.size = before;
}

static void compare_objects(struct changes *c, const struct json *old, const struct json *new)
{
    struct json_iterator i = json_iterate(old);
    while (json_next(&i))
        compare_at(c, i.key, 0, i.value, json_get_slice(new, i.key));
    i = json_iterate(new);
    while (json_next(&i))
        if (json_get_slice(old, i.key) == NULL)
            compare_at(c, i.key, 0, NULL, i.value);
}

/* The depth is bounded by the parser's. */
static void compare(struct changes *c, const struct json *old, const struct json *new)
{
    enum json_type a = old == NULL ? JSON_NONE : json_type(old), b = new == NULL ? JSON_NONE : json_type(new);
    if (a == JSON_OBJECT && b == JSON_OBJECT) {
        compare_objects(c, old, new);
    } else if (a == JSON_ARRAY && b == JSON_ARRAY) {
        for (size_t i = 0; i < MAX(json_size(old), json_size(new)); i++)
            compare_at(c, (struct slice){0}, i, json_element(old, i), json_element(new, i));
    } else if (a == JSON_NONE || b == JSON_NONE || !json_equal(old, new)) {
        put_change(c, old, new);
    }
}

static void put_sizes(struct changes *c, struct slice old, struct slice new)
{
    if (c->json)
        buf_printf(c->out, "{\"path\":\"\",\"oldBytes\":%zu,\"newBytes\":%zu}", old.size, new.size);
    else
        buf_printf(c->out, "    value: %zu → %zu bytes\n", old.size, new.size);
    c->count++;
}

size_t changes_print(struct buf *out, struct slice old, struct slice new, bool json)
{
    struct changes c = {.out = out, .json = json};
    struct json_doc *d = json_doc_new();
    struct json *a, *b;
    if (slice_equal(old, new))
        c.count = 0;
    else if (json_parse(d, old, &a, NULL) == 0 && json_parse(d, new, &b, NULL) == 0)
        compare(&c, a, b);
    else
        put_sizes(&c, old, new);
    json_doc_free(d);
    buf_release(&c.path);
    return c.count;
}

void changes_time(struct buf *out, struct slice value)
{
    struct json_doc *d = json_doc_new();
    struct json *v;
    if (json_parse(d, value, &v, NULL) == 0 && json_type(v) == JSON_OBJECT) {
        struct slice latest = {0};
        struct json *fields = json_at(v, "metadata.managedFields");
        for (size_t i = 0; fields != NULL && i < json_size(fields); i++) {
            struct slice time = json_string_at(json_element(fields, i), "time");
            if (time.data != NULL && (latest.data == NULL || slice_compare(time, latest) > 0))
                latest = time; /* RFC 3339 in UTC: in order as text */
        }
        if (latest.data == NULL)
            latest = json_string_at(v, "metadata.creationTimestamp");
        if (latest.data != NULL)
            buf_append_slice(out, latest);
    }
    json_doc_free(d);
}
