/* CSIDriver, storage.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const char *const group_policies[] = {"File", "None", "ReadWriteOnceWithFSType", NULL};
static const char *const lifecycle_modes[] = {"Persistent", "Ephemeral", NULL};

static void check_modes(struct check *c, const struct json *v);
static void check_token_seconds(struct check *c, const struct json *v);
static void check_token_requests(struct check *c, const struct json *v);
static void check_driver(struct check *c, const struct json *v);

static const struct field fields_token_request[] = {
    {.name = "audience",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .fallback = "\"\"",
     .doc = "Who the token is for; empty: the server itself."},
    {.name = "expirationSeconds",
     .type = FIELD_INT64,
     .proto = 2,
     .flags = FIELD_POINTER,
     .check = check_token_seconds,
     .doc = "How long it holds, in seconds."},
    {.name = NULL},
};
static const struct type type_token_request = {
    .name = "TokenRequest",
    .doc = "A token that a driver is given.",
    .fields = fields_token_request,
};

static const struct field fields_csi_driver_spec[] = {
    {.name = "attachRequired",
     .type = FIELD_BOOL,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "true",
     .doc = "Whether volumes have to be attached to a node before they are mounted."},
    {.name = "podInfoOnMount",
     .type = FIELD_BOOL,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "false",
     .doc = "Whether the driver is told which pod it mounts a volume for."},
    {.name = "volumeLifecycleModes",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .list = LIST_SET,
     .fallback = "[\"Persistent\"]",
     .check = check_modes,
     .doc = "Kinds of volumes it serves: Persistent, Ephemeral or both."},
    {.name = "storageCapacity",
     .type = FIELD_BOOL,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "false",
     .doc = "Whether the scheduler asks if the driver has room before it places a pod."},
    {.name = "fsGroupPolicy",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_POINTER,
     .fallback = "\"ReadWriteOnceWithFSType\"",
     .one_of = group_policies,
     .doc = "Whether a pod's fsGroup is applied to its volumes: ReadWriteOnceWithFSType, File or None."},
    {.name = "tokenRequests",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_token_request,
     .proto = 6,
     .check = check_token_requests,
     .doc = "Service account tokens that the driver is given when it mounts."},
    {.name = "requiresRepublish",
     .type = FIELD_BOOL,
     .proto = 7,
     .flags = FIELD_POINTER,
     .fallback = "false",
     .doc = "Whether mounts are repeated now and then, so that their contents can be renewed."},
    {.name = "seLinuxMount",
     .type = FIELD_BOOL,
     .proto = 8,
     .flags = FIELD_POINTER,
     .fallback = "false",
     .doc = "Whether volumes can be mounted with an SELinux context."},
    {.name = NULL},
};
static const struct type type_csi_driver_spec = {
    .name = "CSIDriverSpec",
    .doc = "What a storage driver can do and needs.",
    .fields = fields_csi_driver_spec,
};

static const struct field fields_csi_driver[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_csi_driver_spec,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = NULL},
};
static const struct type type_csi_driver = {
    .name = "CSIDriver",
    .doc = "A storage driver in the cluster, and what it expects of it.",
    .fields = fields_csi_driver,
    .check = check_driver,
};

static void check_driver(struct check *c, const struct json *v)
{
    if (json_string_at(v, "metadata.name").size > 0) /* a missing one is told by itself */
        check_driver_name(c, "metadata.name", json_at(v, "metadata.name"));
}

static void check_modes(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i))
        if (!slice_is(json_string(i.value), lifecycle_modes[0]) && !slice_is(json_string(i.value), lifecycle_modes[1]))
            check_fail_one_of(c, i.value, lifecycle_modes);
}

#define TOKEN_SECONDS_MIN 600
#define TOKEN_SECONDS_MAX ((int64_t)1 << 32)

static void check_token_seconds(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < TOKEN_SECONDS_MIN)
        check_fail(c, CHECK_INVALID, v, "may not specify a duration less than 10 minutes");
    if (json_int_or(v, 0) > TOKEN_SECONDS_MAX)
        check_fail(c, CHECK_INVALID, v, "may not specify a duration larger than 2^32 seconds");
}

static void check_token_requests(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        size_t mark = check_enter_index(c, i.position - 1);
        struct slice audience = json_string_at(i.value, "audience");
        for (size_t k = 0; k + 1 < i.position; k++)
            if (slice_equal(json_string_at(json_element(v, k), "audience"), audience))
                check_fail_text_at(c, "audience", CHECK_DUPLICATE, audience, "%s", "");
        check_leave(c, mark);
    }
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    /* Kubernetes spells the first path so. */
    static const struct {
        const char *field, *told;
    } fixed[] = {{"spec.attachRequired", "spec.attachedRequired"},
                 {"spec.volumeLifecycleModes", "spec.volumeLifecycleModes"}};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        const struct json *now = json_at(object, fixed[i].field);
        if (!json_equal(now, json_at(old, fixed[i].field)))
            check_fail_at(c, fixed[i].told, CHECK_INVALID, now, "field is immutable");
    }
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the driver."},
    {.name = "AttachRequired",
     .type = "boolean",
     .doc = "Whether volumes are attached to a node before they are mounted."},
    {.name = "PodInfoOnMount", .type = "boolean", .doc = "Whether the driver is told which pod it mounts for."},
    {.name = "StorageCapacity",
     .type = "boolean",
     .doc = "Whether the scheduler looks at the capacity the driver reports."},
    {.name = "TokenRequests", .type = "string", .doc = "Audiences of the tokens the driver gets."},
    {.name = "RequiresRepublish", .type = "boolean", .doc = "Whether mounts are renewed now and then."},
    {.name = "Modes", .type = "string", .doc = "Kinds of volumes it serves."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

/* The elements, or their member `field`, joined by commas. */
static void list_cell(const struct json *list, const char *field, const char *none, struct cells *out)
{
    struct buf text = {0};
    struct json_iterator i = json_iterate(list);
    while (json_next(&i)) {
        struct slice word = field == NULL ? json_string(i.value) : json_string_at(i.value, field);
        buf_printf(&text, "%s%.*s", i.position > 1 ? "," : "", SLICE_ARGS(word));
    }
    if (json_size(list) == 0)
        cells_str(out, none);
    else
        cells_add(out, buf_slice(&text));
    buf_release(&text);
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_bool(out, json_bool_at(o, "spec.attachRequired", true));
    cells_bool(out, json_bool_at(o, "spec.podInfoOnMount", false));
    cells_bool(out, json_bool_at(o, "spec.storageCapacity", false));
    list_cell(json_at(o, "spec.tokenRequests"), "audience", "<unset>", out);
    cells_bool(out, json_bool_at(o, "spec.requiresRepublish", false));
    list_cell(json_at(o, "spec.volumeLifecycleModes"), NULL, "<none>", out);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

const struct kind kind_csidriver = {
    .group = "storage.k8s.io",
    .version = "v1",
    .name = "CSIDriver",
    .plural = "csidrivers",
    .singular = "csidriver",
    .storage_prefix = "csidrivers",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_csi_driver,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .update_needs_version = true,
    .no_generation = true,
    .delete_answers_object = true,
};
