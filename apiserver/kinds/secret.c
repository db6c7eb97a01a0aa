/* Secret, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "common/base64.h"
#include "apiserver/kinds/types.h"

#define SECRET_BYTES_MAX (1024 * 1024)

static const struct field fields_secret[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "data",
     .type = FIELD_BYTES,
     .shape = FIELD_MAP,
     .proto = 2,
     .check = check_config_keys,
     .doc = "Values in base64, by key."},
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 3,
     .fallback = "\"Opaque\"",
     .doc = "What kind of secret it is, which says what keys it has."},
    {.name = "stringData",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 4,
     .check = check_config_keys,
     .doc = "Values as text; put into `data` and never shown."},
    {.name = "immutable",
     .type = FIELD_BOOL,
     .proto = 5,
     .flags = FIELD_POINTER,
     .doc = "Whether the values never change any more."},
    {.name = NULL},
};
/* Keys that the well-known types must bring along. */
static void check_secret(struct check *c, const struct json *v)
{
    static const struct {
        const char *type, *keys[2];
    } wanted[] = {{"kubernetes.io/dockercfg", {".dockercfg", NULL}},
                  {"kubernetes.io/dockerconfigjson", {".dockerconfigjson", NULL}},
                  {"kubernetes.io/ssh-auth", {"ssh-privatekey", NULL}},
                  {"kubernetes.io/tls", {"tls.crt", "tls.key"}}};
    const struct json *data = json_get(v, "data");
    size_t bytes = 0;
    struct json_iterator i = json_iterate(data);
    while (json_next(&i))
        bytes += json_string(i.value).size / 4 * 3;
    if (bytes > SECRET_BYTES_MAX)
        check_fail_at(c, "data", CHECK_TOO_LONG, NULL, "may not be more than %d bytes", SECRET_BYTES_MAX);
    for (size_t k = 0; k < ARRAY_LEN(wanted); k++) {
        for (size_t n = 0; n < 2 && slice_is(json_string_at(v, "type"), wanted[k].type); n++) {
            if (wanted[k].keys[n] == NULL || json_get(data, wanted[k].keys[n]) != NULL)
                continue;
            size_t mark = check_enter(c, "data");
            (void)check_enter_key(c, slice_str(wanted[k].keys[n])); /* left with `mark` */
            check_fail(c, CHECK_REQUIRED, NULL, "%s", "");
            check_leave(c, mark);
        }
    }
    if (slice_is(json_string_at(v, "type"), "kubernetes.io/service-account-token") &&
        json_get_slice(json_at(v, "metadata.annotations"), SLICE("kubernetes.io/service-account.name")) == NULL)
        check_fail_at(c, "metadata.annotations[kubernetes.io/service-account.name]", CHECK_REQUIRED, NULL, "%s", "");
}

static const struct type type_secret = {
    .name = "Secret", .doc = "Secrets for pods.", .fields = fields_secret, .check = check_secret};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Type", .type = "string", .doc = "What the secret is for."},
    {.name = "Data", .type = "string", .doc = "Number of keys."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "type"));
    cells_int(out, (int64_t)json_size(json_get(o, "data")));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

/* stringData is a write-only way to give data: it is merged in and never stored. */
static void merge_string_data(struct json_doc *d, struct json *o)
{
    struct json_iterator i = json_iterate(json_get(o, "stringData"));
    while (json_next(&i)) {
        struct buf text = {0};
        base64_append(&text, json_string(i.value));
        json_set_slice(d, json_ensure_object(d, o, "data"), i.key, json_new_string(d, buf_slice(&text)));
        buf_release(&text);
    }
    (void)json_remove(o, "stringData"); /* absent is as good */
}

static void prepare_create(struct json_doc *d, struct json *o) { merge_string_data(d, o); }

static void prepare_update(struct json_doc *d, struct json *o, const struct json *old)
{
    (void)old;
    merge_string_data(d, o);
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *type = json_get(object, "type");
    if (!json_equal(type, json_get(old, "type")))
        check_fail_at(c, "type", CHECK_INVALID, type, "field is immutable");
    if (!json_bool_at(old, "immutable", false))
        return;
    const struct json *a = json_get(object, "data"), *b = json_get(old, "data");
    if (!json_bool_at(object, "immutable", false))
        check_fail_at(c, "immutable", CHECK_FORBIDDEN, NULL, "field is immutable when `immutable` is set");
    if ((a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b)))
        check_fail_at(c, "data", CHECK_FORBIDDEN, NULL, "field is immutable when `immutable` is set");
}

static const struct selectable selectable[] = {{.label = "type"}, {.label = NULL}};

const struct kind kind_secret = {
    .group = "",
    .version = "v1",
    .name = "Secret",
    .plural = "secrets",
    .singular = "secret",
    .namespaced = true,
    .storage_prefix = "secrets",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_secret,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .check_update = check_update,
    .no_generation = true,
};
