/* One generic walker over the wire format (varints, 8-byte, length-delimited, 4-byte), steered by field numbers.
 * Unknown numbers are skipped, as every protobuf reader does. */
#include "common/base.h"

#include "apiserver/proto.h"
#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum wire { WIRE_VARINT = 0, WIRE_8 = 1, WIRE_BYTES = 2, WIRE_4 = 5 };

struct token {
    uint32_t number;
    enum wire wire;
    uint64_t value;     /* WIRE_VARINT, WIRE_8, WIRE_4 */
    struct slice bytes; /* WIRE_BYTES */
};

static int varint(struct slice *in, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && in->size > 0; shift += 7) {
        uint8_t byte = (uint8_t)in->data[0];
        *in = slice_from(*in, 1);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = v;
            return 0;
        }
    }
    return ERR_BAD_REQUEST;
}

static int fixed(struct slice *in, size_t n, uint64_t *ret)
{
    if (in->size < n)
        return ERR_BAD_REQUEST;
    *ret = 0;
    for (size_t i = n; i-- > 0;)
        *ret = *ret << 8 | (uint8_t)in->data[i];
    *in = slice_from(*in, n);
    return 0;
}

static int next_token(struct slice *in, struct token *ret)
{
    uint64_t tag, length;
    if (varint(in, &tag) != 0 || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return ERR_BAD_REQUEST;
    ret->number = (uint32_t)(tag >> 3);
    ret->wire = (enum wire)(tag & 7);
    switch (ret->wire) {
    case WIRE_VARINT: return varint(in, &ret->value);
    case WIRE_8: return fixed(in, 8, &ret->value);
    case WIRE_4: return fixed(in, 4, &ret->value);
    case WIRE_BYTES:
        if (varint(in, &length) != 0 || length > in->size)
            return ERR_BAD_REQUEST;
        ret->bytes = slice_of(in->data, (size_t)length);
        *in = slice_from(*in, (size_t)length);
        return 0;
    default: return ERR_BAD_REQUEST; /* groups: not in proto3 nor in any Kubernetes message */
    }
}

static bool utf8_ok(struct slice s)
{
    for (size_t i = 0; i < s.size;) {
        uint8_t c = (uint8_t)s.data[i];
        size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
        if (n == 0 || i + n > s.size)
            return false;
        for (size_t k = 1; k < n; k++) {
            if (((uint8_t)s.data[i + k] & 0xc0) != 0x80)
                return false;
        }
        uint8_t second = n > 1 ? (uint8_t)s.data[i + 1] : 0;
        if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) || (c == 0xf0 && second < 0x90) ||
            (c == 0xf4 && second > 0x8f))
            return false;
        i += n;
    }
    return true;
}

static void base64(struct slice s, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.size; i += 3) {
        size_t n = MIN(s.size - i, (size_t)3);
        uint32_t v = (uint32_t)(uint8_t)s.data[i] << 16;
        v |= n > 1 ? (uint32_t)(uint8_t)s.data[i + 1] << 8 : 0;
        v |= n > 2 ? (uint32_t)(uint8_t)s.data[i + 2] : 0;
        char quad[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};
        buf_append(out, quad, sizeof quad);
    }
}

struct walker {
    struct json_doc *d;
    unsigned depth;
    struct err *reterr;
};

static int malformed(struct walker *w, const char *what)
{
    return err_set(w->reterr, ERR_BAD_REQUEST, "malformed protobuf in %s", what);
}

static int walk(struct walker *w, const struct type *t, struct slice in, struct json *out);

/* A small message of our own knowledge, as up to three numbers and one string. */
struct small {
    uint64_t number[4];
    struct slice text;
};

static int small_message(struct slice in, struct small *ret)
{
    *ret = (struct small){.text = {"", 0}};
    while (in.size > 0) {
        struct token k;
        if (next_token(&in, &k) != 0)
            return ERR_BAD_REQUEST;
        if (k.wire == WIRE_BYTES)
            ret->text = k.bytes;
        else if (k.number < ARRAY_LEN(ret->number))
            ret->number[k.number] = k.value;
    }
    return 0;
}

static struct json *time_value(struct walker *w, const struct field *f, const struct small *m)
{
    int64_t seconds = (int64_t)m->number[1], nanos = (int64_t)m->number[2];
    /* Go's zero time goes over the wire as an empty message. Outside RFC 3339's four-digit years nothing can be said.
     */
    if ((seconds == 0 && nanos == 0) || seconds < -62135596800 || seconds > 253402300799 || nanos < 0 ||
        nanos > 999999999)
        return json_new_null(w->d);
    char text[TIME_TEXT_MAX];
    time_format(seconds * 1000000 + nanos / 1000, f->type == FIELD_MICRO_TIME ? 6 : 0, text);
    return json_new_str(w->d, text);
}

static int message_value(struct walker *w, const struct field *f, struct slice bytes, struct json **ret)
{
    if (f->type == FIELD_OBJECT) {
        *ret = json_new_object(w->d);
        return walk(w, f->object, bytes, *ret);
    }
    struct small m;
    if (small_message(bytes, &m) != 0 || !utf8_ok(m.text))
        return malformed(w, f->name);
    switch (f->type) {
    case FIELD_QUANTITY: *ret = json_new_string(w->d, m.text.size == 0 ? SLICE("0") : m.text); return 0;
    case FIELD_TIME:
    case FIELD_MICRO_TIME: *ret = time_value(w, f, &m); return 0;
    case FIELD_INT_OR_STRING:
        *ret = m.number[1] == 1 ? json_new_string(w->d, m.text) : json_new_int(w->d, (int32_t)m.number[2]);
        return 0;
    case FIELD_RAW:
        if (m.text.size == 0) {
            *ret = json_new_null(w->d);
            return 0;
        }
        return json_parse(w->d, m.text, ret, w->reterr);
    case FIELD_DURATION: {
        char text[48];
        (void)snprintf(text, sizeof text, "%" PRId64 "ns", (int64_t)m.number[1]); /* fits: at most 20 digits */
        *ret = json_new_str(w->d, text);
        return 0;
    }
    default: return malformed(w, f->name);
    }
}

static int bytes_value(struct walker *w, const struct field *f, struct slice bytes, struct json **ret)
{
    if (f->type == FIELD_STRING) {
        if (!utf8_ok(bytes))
            return malformed(w, f->name);
        *ret = json_new_string(w->d, bytes.data == NULL ? SLICE("") : bytes);
        return 0;
    }
    if (f->type == FIELD_BYTES) {
        struct buf text = {0};
        base64(bytes, &text);
        *ret = json_new_string(w->d, text.size == 0 ? SLICE("") : buf_slice(&text));
        buf_release(&text);
        return 0;
    }
    return message_value(w, f, bytes, ret);
}

static int token_value(struct walker *w, const struct field *f, const struct token *k, struct json **ret)
{
    if (k->wire == WIRE_BYTES)
        return f->type == FIELD_BOOL || f->type == FIELD_INT32 || f->type == FIELD_INT64 || f->type == FIELD_DOUBLE
                   ? malformed(w, f->name)
                   : bytes_value(w, f, k->bytes, ret);
    if (f->type == FIELD_DOUBLE && k->wire == WIRE_8) {
        double v;
        char text[40];
        memcpy(&v, &k->value, sizeof v);
        if (v != v || v > 1e308 || v < -1e308)
            return malformed(w, f->name);
        int n = snprintf(text, sizeof text, "%.17g", v);
        *ret = json_new_number(w->d, slice_of(text, (size_t)n));
        return 0;
    }
    if (k->wire != WIRE_VARINT)
        return malformed(w, f->name);
    switch (f->type) {
    case FIELD_BOOL: *ret = json_new_bool(w->d, k->value != 0); return 0;
    case FIELD_INT32: *ret = json_new_int(w->d, (int32_t)k->value); return 0; /* negative ones come as ten bytes */
    case FIELD_INT64: *ret = json_new_int(w->d, (int64_t)k->value); return 0;
    default: return malformed(w, f->name);
    }
}

/* Maps are repeated {1: key, 2: value}; an absent part is its zero. */
static int map_entry(struct walker *w, const struct field *f, struct slice in, struct json *map)
{
    struct slice key = SLICE("");
    struct json *value = NULL;
    while (in.size > 0) {
        struct token k;
        if (next_token(&in, &k) != 0)
            return malformed(w, f->name);
        if (k.number == 1 && k.wire == WIRE_BYTES) {
            key = k.bytes;
        } else if (k.number == 2) {
            int code = token_value(w, f, &k, &value);
            if (code != 0)
                return code;
        }
    }
    if (!utf8_ok(key))
        return malformed(w, f->name);
    if (value == NULL)
        value = f->type == FIELD_QUANTITY ? json_new_str(w->d, "0") : json_new_str(w->d, "");
    json_set_slice(w->d, map, key, value);
    return 0;
}

static struct json *container(struct walker *w, const struct field *f, struct json *out)
{
    struct json *have = json_get(out, f->name);
    if (have != NULL)
        return have;
    json_set(w->d, out, f->name, f->shape == FIELD_MAP ? json_new_object(w->d) : json_new_array(w->d));
    return json_get(out, f->name);
}

/* Numbers of a repeated field may come packed: many varints in one run of bytes. */
static int packed(struct walker *w, const struct field *f, struct slice in, struct json *list)
{
    while (in.size > 0) {
        struct token k = {.wire = WIRE_VARINT};
        struct json *value = NULL;
        if (varint(&in, &k.value) != 0)
            return malformed(w, f->name);
        int code = token_value(w, f, &k, &value);
        if (code != 0)
            return code;
        json_append(list, value);
    }
    return 0;
}

static int store_token(struct walker *w, const struct field *f, const struct token *k, struct json *out)
{
    if (f->flags & FIELD_INLINE)
        return k->wire == WIRE_BYTES ? walk(w, f->object, k->bytes, out) : malformed(w, f->object->name);
    if (f->shape == FIELD_MAP)
        return k->wire == WIRE_BYTES ? map_entry(w, f, k->bytes, container(w, f, out)) : malformed(w, f->name);
    bool number = f->type == FIELD_INT32 || f->type == FIELD_INT64 || f->type == FIELD_BOOL;
    if (f->shape == FIELD_LIST && number && k->wire == WIRE_BYTES)
        return packed(w, f, k->bytes, container(w, f, out));
    struct json *value = NULL;
    int code = token_value(w, f, k, &value);
    if (code != 0)
        return code;
    if (f->shape == FIELD_LIST)
        json_append(container(w, f, out), value);
    else
        json_set(w->d, out, f->name, value);
    return 0;
}

static int walk(struct walker *w, const struct type *t, struct slice in, struct json *out)
{
    if (++w->depth > PROTO_DEPTH_MAX)
        return err_set(w->reterr, ERR_BAD_REQUEST, "protobuf nested deeper than %d levels", PROTO_DEPTH_MAX);
    while (in.size > 0) {
        struct token k;
        if (next_token(&in, &k) != 0)
            return malformed(w, t->name);
        for (const struct field *f = t->fields; f->name != NULL; f++) {
            if (f->proto != k.number)
                continue;
            int code = store_token(w, f, &k, out);
            if (code != 0)
                return code;
            break;
        }
    }
    w->depth--;
    return 0;
}

int proto_decode(struct json_doc *d, const struct type *t, struct slice message, struct json **ret, struct err *reterr)
{
    struct walker w = {.d = d, .reterr = reterr};
    struct json *out = json_new_object(d);
    int code = walk(&w, t, message, out);
    if (code == 0)
        *ret = out;
    return code;
}

static int type_meta(struct slice in, struct proto_envelope *ret)
{
    while (in.size > 0) {
        struct token k;
        if (next_token(&in, &k) != 0)
            return ERR_BAD_REQUEST;
        if (k.wire == WIRE_BYTES && k.number == 1)
            ret->api_version = k.bytes;
        if (k.wire == WIRE_BYTES && k.number == 2)
            ret->kind = k.bytes;
    }
    return 0;
}

int proto_open(struct slice body, struct proto_envelope *ret, struct err *reterr)
{
    struct proto_envelope e = {0};
    if (!slice_has_prefix(body, SLICE("k8s\0")))
        return err_set(reterr, ERR_BAD_REQUEST,
                       "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
    struct slice in = slice_from(body, 4);
    while (in.size > 0) {
        struct token k;
        if (next_token(&in, &k) != 0 || (k.number == 1 && (k.wire != WIRE_BYTES || type_meta(k.bytes, &e) != 0)))
            return err_set(reterr, ERR_BAD_REQUEST, "malformed protobuf envelope");
        if (k.number == 2 && k.wire == WIRE_BYTES)
            e.raw = k.bytes;
        if (k.number == 4 && k.wire == WIRE_BYTES)
            e.content_type = k.bytes;
    }
    if (!utf8_ok(e.kind) || !utf8_ok(e.api_version))
        return err_set(reterr, ERR_BAD_REQUEST, "malformed protobuf envelope: kind and version are not UTF-8");
    *ret = e;
    return 0;
}
