/* PersistentVolumeClaim, core/v1; also as a template inside of pods and StatefulSets. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "common/kube/quantity.h"

static void check_storage(struct check *c, const struct json *v)
{
    struct quantity q;
    const struct json *amount = json_get(json_at(v, "resources.requests"), "storage");
    size_t mark = check_enter(c, "resources");
    (void)check_enter_key(c, SLICE("storage"));
    if (amount == NULL)
        check_fail(c, CHECK_REQUIRED, NULL, "%s", "");
    else if (quantity_parse(json_string(amount), &q, NULL) == 0 && q.nano <= 0)
        check_fail(c, CHECK_INVALID, amount, "must be greater than zero");
    check_leave(c, mark);
}

/* What data to begin with may be told in two places; where both do, they must agree. */
static void check_source(struct check *c, const struct json *v)
{
    const struct json *source = json_get(v, "dataSource"), *ref = json_get(v, "dataSourceRef");
    static const char *const parts[] = {"dataSource", "dataSourceRef"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct json *part = json_get(v, parts[i]);
        size_t mark = check_enter(c, parts[i]);
        if (part != NULL && json_string_at(part, "name").size == 0)
            check_fail_at(c, "name", CHECK_REQUIRED, NULL, "%s", "");
        if (part != NULL && json_string_at(part, "kind").size == 0)
            check_fail_at(c, "kind", CHECK_REQUIRED, NULL, "%s", "");
        if (part != NULL && json_string_at(part, "apiGroup").size == 0 && json_string_at(part, "kind").size > 0 &&
            !slice_is(json_string_at(part, "kind"), "PersistentVolumeClaim"))
            check_fail_at(c, "", CHECK_INVALID, json_get(part, "kind"),
                          "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
        check_leave(c, mark);
    }
    if (source != NULL && ref != NULL && json_get(ref, "namespace") == NULL && !json_equal(source, ref))
        check_fail_at(c, "", CHECK_INVALID, json_get(source, "name"), "must match dataSourceRef");
}

void check_claim_spec(struct check *c, const struct json *v)
{
    if (json_size(json_get(v, "accessModes")) == 0)
        check_fail_at(c, "accessModes", CHECK_REQUIRED, NULL, "at least 1 access mode is required");
    check_storage(c, v);
    size_t mark = check_enter(c, "accessModes");
    check_access_modes(c, json_get(v, "accessModes"));
    check_leave(c, mark);
    mark = check_enter(c, "storageClassName");
    check_dns_subdomain(c, json_get(v, "storageClassName"));
    check_leave(c, mark);
    static const char *const modes[] = {"Block", "Filesystem", NULL};
    const struct json *mode = json_get(v, "volumeMode");
    mark = check_enter(c, "volumeMode");
    if (mode != NULL && !slice_is(json_string(mode), modes[0]) && !slice_is(json_string(mode), modes[1]))
        check_fail_one_of(c, mode, modes);
    check_leave(c, mark);
    check_source(c, v);
}

static void check_claim(struct check *c, const struct json *v)
{
    size_t mark = check_enter(c, "spec");
    check_claim_spec(c, json_get(v, "spec"));
    check_leave(c, mark);
}

/* dataSource and dataSourceRef say the same unless the second names a namespace; one follows from the other. */
static void fill_claim(struct json_doc *d, struct json *v)
{
    struct json *spec = json_get(v, "spec");
    const struct json *source = json_get(spec, "dataSource"), *ref = json_get(spec, "dataSourceRef");
    if (source != NULL && ref == NULL)
        json_set(d, spec, "dataSourceRef", json_copy(d, source));
    else if (source == NULL && ref != NULL && json_get(ref, "namespace") == NULL)
        json_set(d, spec, "dataSource", json_copy(d, ref));
}

static const struct field fields_persistent_volume_claim_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What it is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastProbeTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition was last looked at."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 4,
     .flags = FIELD_ALWAYS,
     .doc = "When the condition last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 5, .doc = "Why, as one word for programs."},
    {.name = "message", .type = FIELD_STRING, .proto = 6, .doc = "Why, in words for people."},
    {.name = NULL},
};
static const struct type type_persistent_volume_claim_condition = {
    .name = "PersistentVolumeClaimCondition",
    .doc = "Something that holds of a claim.",
    .definition = "io.k8s.api.core.v1.PersistentVolumeClaimCondition",
    .fields = fields_persistent_volume_claim_condition};

static const struct field fields_modify_volume_status[] = {
    {.name = "targetVolumeAttributesClassName",
     .type = FIELD_STRING,
     .proto = 1,
     .doc = "Class the volume is being changed to."},
    {.name = "status",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_ZERO,
     .doc = "Pending, InProgress or Infeasible."},
    {.name = NULL},
};
static const struct type type_modify_volume_status = {.name = "ModifyVolumeStatus",
                                                      .doc = "A change of attributes under way.",
                                                      .definition = "io.k8s.api.core.v1.ModifyVolumeStatus",
                                                      .fields = fields_modify_volume_status};

static const struct field fields_persistent_volume_claim_status[] = {
    {.name = "phase", .type = FIELD_STRING, .proto = 1, .fallback = "\"Pending\"", .doc = "Pending, Bound or Lost."},
    {.name = "accessModes",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .doc = "Those of the volume it has."},
    {.name = "capacity", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 3, .doc = "How much the volume holds."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_persistent_volume_claim_condition,
     .proto = 4,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object now, one entry per type."},
    {.name = "allocatedResources",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 5,
     .doc = "Size being grown to, by resource."},
    {.name = "allocatedResourceStatuses",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 7,
     .doc = "How far growing has come, by resource."},
    {.name = "currentVolumeAttributesClassName",
     .type = FIELD_STRING,
     .proto = 8,
     .flags = FIELD_POINTER,
     .doc = "Class whose attributes the volume has."},
    {.name = "modifyVolumeStatus",
     .type = FIELD_OBJECT,
     .object = &type_modify_volume_status,
     .proto = 9,
     .doc = "A change of attributes under way."},
    {.name = NULL},
};
static const struct type type_persistent_volume_claim_status = {.name = "PersistentVolumeClaimStatus",
                                                                .doc = "State of a claim.",
                                                                .definition =
                                                                    "io.k8s.api.core.v1.PersistentVolumeClaimStatus",
                                                                .fields = fields_persistent_volume_claim_status};

static const struct field fields_persistent_volume_claim[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, labels and what else every object has."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_claim_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_claim_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
const struct type type_persistent_volume_claim = {.name = "PersistentVolumeClaim",
                                                  .doc = "A wish for storage, and the volume that fulfils it.",
                                                  .definition = "io.k8s.api.core.v1.PersistentVolumeClaim",
                                                  .fields = fields_persistent_volume_claim,
                                                  .fill = fill_claim,
                                                  .check = check_claim};

/* In a StatefulSet nothing but its shape is looked at; each claim is judged when it is made. */
static void fill_template(struct json_doc *d, struct json *v)
{
    json_set_str(d, v, "kind", "PersistentVolumeClaim");
    json_set_str(d, v, "apiVersion", "v1");
}

const struct type type_claim_template = {
    .name = "PersistentVolumeClaim",
    .doc = "A claim to be made for each pod.",
    .definition = "io.k8s.api.core.v1.PersistentVolumeClaim",
    .fields = fields_persistent_volume_claim,
    .fill = fill_template,
};

static bool same(const struct json *a, const struct json *b)
{
    return a == NULL || b == NULL ? a == b : json_equal(a, b);
}

/* Both without what may change: the volume of a claim that had none, the class of one that had none, and of a bound
 * claim its size and attributes. */
static bool spec_kept(const struct json *now, const struct json *was, bool bound)
{
    struct json_doc *d = json_doc_new();
    struct json *a = json_copy(d, now), *b = json_copy(d, was);
    static const char *const once[] = {"volumeName", "storageClassName"};
    for (size_t i = 0; i < ARRAY_LEN(once); i++) {
        if (json_get(b, once[i]) == NULL)
            (void)json_remove(a, once[i]); /* absent is as good */
    }
    if (bound) {
        struct json *pair[] = {a, b};
        for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
            (void)json_remove(json_at(pair[i], "resources.requests"), "storage"); /* absent is as good */
            (void)json_remove(pair[i], "volumeAttributesClassName");
        }
    }
    bool kept = same(a, b);
    json_doc_free(d);
    return kept;
}

/* A claim may shrink again as long as it stays larger than the volume is (growing may have failed). */
static void check_size(struct check *c, const struct json *now, const struct json *was, const struct json *old)
{
    struct quantity wanted, before, have = {.nano = 0};
    struct slice capacity = json_string_at(old, "status.capacity.storage");
    if (quantity_parse(json_string_at(now, "resources.requests.storage"), &wanted, NULL) != 0 ||
        quantity_parse(json_string_at(was, "resources.requests.storage"), &before, NULL) != 0 ||
        (capacity.size > 0 && quantity_parse(capacity, &have, NULL) != 0))
        return;
    if (quantity_compare(wanted, before) < 0 && quantity_compare(wanted, have) <= 0)
        check_fail_at(c, "spec.resources.requests.storage", CHECK_FORBIDDEN, NULL,
                      "field can not be less than status.capacity");
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_get(object, "spec"), *was = json_get(old, "spec");
    bool bound = slice_is(json_string_at(object, "status.phase"), "Bound");
    if (!spec_kept(now, was, bound))
        check_fail_at(c, "spec", CHECK_FORBIDDEN, NULL,
                      "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
                      "bound claims");
    check_size(c, now, was, old);
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Status", .type = "string", .doc = "Its phase."},
    {.name = "Volume", .type = "string", .doc = "The volume it has."},
    {.name = "Capacity", .type = "string", .doc = "How much the volume holds."},
    {.name = "Access Modes", .type = "string", .doc = "In how many places, and how, it can be mounted."},
    {.name = "StorageClass", .type = "string", .doc = "Class it is fulfilled by."},
    {.name = "VolumeAttributesClass", .type = "string", .doc = "Class of the volume's changeable attributes."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "VolumeMode", .type = "string", .doc = "Filesystem or Block.", .priority = 1},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    bool has = json_string_at(o, "spec.volumeName").size > 0;
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_at(o, "metadata.deletionTimestamp") != NULL ? SLICE("Terminating")
                                                                    : json_string_at(o, "status.phase"));
    cells_add(out, json_string_at(o, "spec.volumeName"));
    cells_add(out, has ? json_string_at(o, "status.capacity.storage") : SLICE(""));
    access_modes_cell(has ? json_at(o, "status.accessModes") : NULL, out);
    storage_class_cell(o, out);
    cells_or(out, json_string_at(o, "spec.volumeAttributesClassName"), "<unset>");
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    cells_or(out, json_string_at(o, "spec.volumeMode"), "<unset>");
}

static const char *const short_names[] = {"pvc", NULL};
static const struct subresource subresources[] = {
    {"status", "", "v1", "PersistentVolumeClaim", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_persistentvolumeclaim = {
    .group = "",
    .version = "v1",
    .name = "PersistentVolumeClaim",
    .plural = "persistentvolumeclaims",
    .singular = "persistentvolumeclaim",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "persistentvolumeclaims",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_persistent_volume_claim,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .no_generation = true,
    .delete_answers_object = true,
};
