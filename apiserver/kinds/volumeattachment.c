/* VolumeAttachment, storage.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

static void check_attachment_source(struct check *c, const struct json *v);
static void check_attachment_spec(struct check *c, const struct json *v);

static const struct field fields_volume_attachment_source[] = {
    {.name = "persistentVolumeName",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .check = check_dns_subdomain,
     .doc = "Name of the PersistentVolume."},
    {.name = "inlineVolumeSpec",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_spec,
     .proto = 2,
     .doc = "The volume itself, where no object stands for it."},
    {.name = NULL},
};
static const struct type type_volume_attachment_source = {
    .name = "VolumeAttachmentSource",
    .doc = "The volume.",
    .fields = fields_volume_attachment_source,
    .check = check_attachment_source,
};

static const struct field fields_volume_attachment_spec[] = {
    {.name = "attacher",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Driver that attaches it."},
    {.name = "source",
     .type = FIELD_OBJECT,
     .object = &type_volume_attachment_source,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "The volume."},
    {.name = "nodeName",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED | FIELD_TOLD,
     .doc = "Name of the node."},
    {.name = NULL},
};
static const struct type type_volume_attachment_spec = {
    .name = "VolumeAttachmentSpec",
    .doc = "Which volume, which node.",
    .fields = fields_volume_attachment_spec,
    .check = check_attachment_spec,
};

static const struct field fields_volume_error[] = {
    {.name = "time", .type = FIELD_TIME, .proto = 1, .flags = FIELD_ALWAYS, .doc = "When it went wrong."},
    {.name = "message", .type = FIELD_STRING, .proto = 2, .doc = "What went wrong; without secrets."},
    {.name = NULL},
};
static const struct type type_volume_error = {
    .name = "VolumeError",
    .doc = "A failure of a driver.",
    .fields = fields_volume_error,
};

static const struct field fields_volume_attachment_status[] = {
    {.name = "attached",
     .type = FIELD_BOOL,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .fallback = "false",
     .doc = "Whether it is attached."},
    {.name = "attachmentMetadata",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 2,
     .doc = "What the driver passes on to who mounts it."},
    {.name = "attachError",
     .type = FIELD_OBJECT,
     .object = &type_volume_error,
     .proto = 3,
     .doc = "Why attaching failed last."},
    {.name = "detachError",
     .type = FIELD_OBJECT,
     .object = &type_volume_error,
     .proto = 4,
     .doc = "Why detaching failed last."},
    {.name = NULL},
};
static const struct type type_volume_attachment_status = {
    .name = "VolumeAttachmentStatus",
    .doc = "Whether the volume is attached.",
    .fields = fields_volume_attachment_status,
};

static const struct field fields_volume_attachment[] = {
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
     .object = &type_volume_attachment_spec,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_volume_attachment_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_volume_attachment = {
    .name = "VolumeAttachment",
    .doc = "Asks that a volume be attached to a node.",
    .fields = fields_volume_attachment,
};

static void check_attachment_source(struct check *c, const struct json *v)
{
    const struct json *name = json_get(v, "persistentVolumeName");
    bool inlined = json_get(v, "inlineVolumeSpec") != NULL;
    if (name == NULL && !inlined)
        check_fail(c, CHECK_REQUIRED, NULL, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
    else if (name != NULL && inlined)
        check_fail(c, CHECK_FORBIDDEN, NULL, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
    else if (name != NULL && json_string(name).size == 0)
        check_fail_at(c, "persistentVolumeName", CHECK_REQUIRED, NULL, "must specify non empty persistentVolumeName");
}

static void check_attachment_spec(struct check *c, const struct json *v)
{
    struct err why;
    struct slice node = json_string_at(v, "nodeName");
    check_driver_name(c, "attacher", json_get(v, "attacher"));
    if (name_check_subdomain(node, &why) != 0)
        check_fail_text_at(c, "nodeName", CHECK_INVALID, node, "%s", why.message);
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *spec = json_get(object, "spec");
    if (json_equal(spec, json_get(old, "spec")))
        return;
    struct buf shown = {0};
    buf_printf(&shown,
               "storage.VolumeAttachmentSpec{Attacher:\"%.*s\", "
               "Source:storage.VolumeAttachmentSource{PersistentVolumeName:\"%.*s\"}, NodeName:\"%.*s\"}",
               SLICE_ARGS(json_string_at(spec, "attacher")),
               SLICE_ARGS(json_string_at(spec, "source.persistentVolumeName")),
               SLICE_ARGS(json_string_at(spec, "nodeName")));
    check_fail_shown(c, "spec", CHECK_INVALID, shown.data, "field is immutable");
    buf_release(&shown);
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Attacher", .type = "string", .doc = "Driver that attaches the volume."},
    {.name = "PV", .type = "string", .doc = "The volume."},
    {.name = "Node", .type = "string", .doc = "Node it is attached to."},
    {.name = "Attached", .type = "boolean", .doc = "Whether it is attached."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.attacher"));
    cells_add(out, json_string_at(o, "spec.source.persistentVolumeName"));
    cells_add(out, json_string_at(o, "spec.nodeName"));
    cells_bool(out, json_bool_at(o, "status.attached", false));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const struct subresource subresources[] = {
    {"status", "storage.k8s.io", "v1", "VolumeAttachment", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_volumeattachment = {
    .group = "storage.k8s.io",
    .version = "v1",
    .name = "VolumeAttachment",
    .plural = "volumeattachments",
    .singular = "volumeattachment",
    .storage_prefix = "volumeattachments",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_volume_attachment,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .update_needs_version = true,
    .no_generation = true,
    .delete_answers_object = true,
};
