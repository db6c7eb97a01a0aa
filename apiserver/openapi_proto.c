/* OpenAPI 2.0 in protobuf: a tree is written by tables of the messages of openapi.v2 (google/gnostic, OpenAPIv2.proto:
 * the field numbers). Every message of it is one of a few shapes: members by number, a list of named things, a choice
 * of one. */
#include "common/base.h"

#include "apiserver/openapi.h"

enum how {
    AS_STRING,
    AS_BOOL,
    AS_STRINGS, /* repeated */
    AS_WORD,    /* TypeItem: a string in a message that could hold several */
    AS_ANYS,    /* repeated */
    AS_ANY,     /* Any: YAML text, of which JSON is some */
    AS_MESSAGE,
    AS_ONE_ITEM, /* ItemsItem: a message in a message that could hold several */
    AS_NAMED,    /* a message whose repeated members are {1: name, 2: value}, of an object */
    AS_CHOICE,   /* AdditionalPropertiesItem, ResponseValue, SchemaItem: the message as number 1 of another */
    AS_PARAMETERS,
};

struct member {
    const char *key;
    unsigned number;
    enum how how;
    const struct message *message;
};
struct message {
    const struct member *members; /* ends with a NULL key */
    unsigned extension;           /* vendor_extension: where keys that begin with "x-" go */
    unsigned named;               /* AS_NAMED: number of the repeated member */
};

static const struct message schema, properties, operation, responses, path_item, query, path_parameter, body, paths,
    definitions, info;

static const struct member schema_members[] = {
    {"$ref", 1, AS_STRING, NULL},
    {"format", 2, AS_STRING, NULL},
    {"description", 4, AS_STRING, NULL},
    {"default", 5, AS_ANY, NULL},
    {"uniqueItems", 16, AS_BOOL, NULL},
    {"required", 19, AS_STRINGS, NULL},
    {"enum", 20, AS_ANYS, NULL},
    {"additionalProperties", 21, AS_CHOICE, &schema},
    {"type", 22, AS_WORD, NULL},
    {"items", 23, AS_ONE_ITEM, &schema},
    {"properties", 25, AS_NAMED, &properties},
    {NULL, 0, AS_STRING, NULL},
};
static const struct message schema = {schema_members, 31, 0};
/* A named list's members are all of one message, which stands in its first row. */
static const struct member properties_members[] = {{"*", 0, AS_MESSAGE, &schema}, {NULL, 0, AS_STRING, NULL}};
static const struct message properties = {properties_members, 0, 1};
static const struct message definitions = {properties_members, 0, 1};

static const struct member response_members[] = {
    {"description", 1, AS_STRING, NULL}, {"schema", 2, AS_CHOICE, &schema}, {NULL, 0, AS_STRING, NULL}};
static const struct message response = {response_members, 5, 0};
static const struct member response_value_members[] = {{"*", 0, AS_CHOICE, &response}, {NULL, 0, AS_STRING, NULL}};
static const struct message responses = {response_value_members, 2, 1};

static const struct member query_members[] = {{"required", 1, AS_BOOL, NULL},      {"in", 2, AS_STRING, NULL},
                                              {"description", 3, AS_STRING, NULL}, {"name", 4, AS_STRING, NULL},
                                              {"type", 6, AS_STRING, NULL},        {"uniqueItems", 20, AS_BOOL, NULL},
                                              {NULL, 0, AS_STRING, NULL}};
static const struct message query = {query_members, 23, 0};
static const struct member path_parameter_members[] = {
    {"required", 1, AS_BOOL, NULL}, {"in", 2, AS_STRING, NULL},   {"description", 3, AS_STRING, NULL},
    {"name", 4, AS_STRING, NULL},   {"type", 5, AS_STRING, NULL}, {"uniqueItems", 19, AS_BOOL, NULL},
    {NULL, 0, AS_STRING, NULL}};
static const struct message path_parameter = {path_parameter_members, 22, 0};
static const struct member body_members[] = {{"description", 1, AS_STRING, NULL}, {"name", 2, AS_STRING, NULL},
                                             {"in", 3, AS_STRING, NULL},          {"required", 4, AS_BOOL, NULL},
                                             {"schema", 5, AS_MESSAGE, &schema},  {NULL, 0, AS_STRING, NULL}};
static const struct message body = {body_members, 6, 0};

static const struct member operation_members[] = {
    {"tags", 1, AS_STRINGS, NULL},     {"operationId", 5, AS_STRING, NULL},    {"produces", 6, AS_STRINGS, NULL},
    {"consumes", 7, AS_STRINGS, NULL}, {"parameters", 8, AS_PARAMETERS, NULL}, {"responses", 9, AS_NAMED, &responses},
    {NULL, 0, AS_STRING, NULL}};
static const struct message operation = {operation_members, 13, 0};

static const struct member path_item_members[] = {{"get", 2, AS_MESSAGE, &operation},
                                                  {"put", 3, AS_MESSAGE, &operation},
                                                  {"post", 4, AS_MESSAGE, &operation},
                                                  {"delete", 5, AS_MESSAGE, &operation},
                                                  {"patch", 8, AS_MESSAGE, &operation},
                                                  {"parameters", 9, AS_PARAMETERS, NULL},
                                                  {NULL, 0, AS_STRING, NULL}};
static const struct message path_item = {path_item_members, 10, 0};
static const struct member paths_members[] = {{"*", 0, AS_MESSAGE, &path_item}, {NULL, 0, AS_STRING, NULL}};
static const struct message paths = {paths_members, 1, 2};

static const struct member info_members[] = {
    {"title", 1, AS_STRING, NULL}, {"version", 2, AS_STRING, NULL}, {NULL, 0, AS_STRING, NULL}};
static const struct message info = {info_members, 7, 0};
static const struct member document_members[] = {{"swagger", 1, AS_STRING, NULL},
                                                 {"info", 2, AS_MESSAGE, &info},
                                                 {"paths", 8, AS_NAMED, &paths},
                                                 {"definitions", 9, AS_NAMED, &definitions},
                                                 {NULL, 0, AS_STRING, NULL}};
static const struct message document_message = {document_members, 16, 0};

#define WIRE_VARINT 0u
#define WIRE_BYTES 2u

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_append_char(out, (char)(0x80 | (v & 0x7f)));
    buf_append_char(out, (char)v);
}

static void put_bytes(struct buf *out, unsigned number, struct slice bytes)
{
    put_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
    put_varint(out, bytes.size);
    buf_append_slice(out, bytes);
}

static void put_message(struct buf *out, const struct message *m, const struct json *v);

/* `inner` as a member of a message of its own: takes its memory. */
static void put_buf(struct buf *out, unsigned number, struct buf *inner)
{
    put_bytes(out, number, buf_slice(inner));
    buf_release(inner);
}

static void put_any(struct buf *out, unsigned number, const struct json *v)
{
    struct buf any = {0}, text = {0};
    json_print(v, &text);
    put_bytes(&any, 2, buf_slice(&text));
    buf_release(&text);
    put_buf(out, number, &any);
}

static void put_sub(struct buf *out, unsigned number, const struct message *m, const struct json *v)
{
    struct buf inner = {0};
    put_message(&inner, m, v);
    put_buf(out, number, &inner);
}

/* ParametersItem {1: Parameter {1: BodyParameter, 2: NonBodyParameter {3: query, 4: path}}} */
static void put_parameter(struct buf *out, unsigned number, const struct json *v)
{
    struct slice in = json_string_at(v, "in");
    struct buf item = {0}, parameter = {0}, other = {0};
    if (slice_is(in, "body"))
        put_sub(&parameter, 1, &body, v);
    else if (slice_is(in, "path"))
        put_sub(&other, 4, &path_parameter, v);
    else
        put_sub(&other, 3, &query, v);
    if (other.size > 0)
        put_bytes(&parameter, 2, buf_slice(&other));
    put_bytes(&item, 1, buf_slice(&parameter));
    put_bytes(out, number, buf_slice(&item));
    buf_release(&item);
    buf_release(&parameter);
    buf_release(&other);
}

static void put_member(struct buf *out, const struct member *m, unsigned number, const struct json *v);

static void put_named(struct buf *out, const struct message *m, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct buf entry = {0};
        put_bytes(&entry, 1, i.key);
        put_member(&entry, m->members, 2, i.value);
        put_buf(out, m->named, &entry);
    }
}

static void put_member(struct buf *out, const struct member *m, unsigned number, const struct json *v)
{
    struct buf inner = {0};
    struct json_iterator i = json_iterate(v);
    switch (m->how) {
    case AS_STRING: put_bytes(out, number, json_string(v)); return;
    case AS_BOOL:
        put_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
        put_varint(out, json_bool(v, false));
        return;
    case AS_STRINGS:
        while (json_next(&i))
            put_bytes(out, number, json_string(i.value));
        return;
    case AS_ANY: put_any(out, number, v); return;
    case AS_ANYS:
        while (json_next(&i))
            put_any(out, number, i.value);
        return;
    case AS_MESSAGE: put_sub(out, number, m->message, v); return;
    case AS_PARAMETERS:
        while (json_next(&i))
            put_parameter(out, number, i.value);
        return;
    case AS_WORD: put_bytes(&inner, 1, json_string(v)); break;
    case AS_ONE_ITEM:
    case AS_CHOICE: put_sub(&inner, 1, m->message, v); break;
    case AS_NAMED: put_named(&inner, m->message, v); break;
    }
    put_buf(out, number, &inner);
}

static void put_message(struct buf *out, const struct message *m, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        const struct member *row = m->members;
        while (row->key != NULL && !slice_is(i.key, row->key))
            row++;
        if (row->key != NULL) {
            put_member(out, row, row->number, i.value);
        } else if (slice_has_prefix(i.key, SLICE("x-"))) {
            struct buf named = {0};
            put_bytes(&named, 1, i.key);
            put_any(&named, 2, i.value);
            put_buf(out, m->extension, &named);
        }
    }
}

void openapi_v2_protobuf(const struct json *document, struct buf *out)
{
    put_message(out, &document_message, document);
}
