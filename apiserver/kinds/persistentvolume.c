/* PersistentVolume, core/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/kinds/volume_rows.h"
#include "common/kube/quantity.h"

static const char *const reclaim_policies[] = {"Delete", "Recycle", "Retain", NULL};
static const char *const volume_modes[] = {"Block", "Filesystem", NULL};

/* Storage, and nothing else, more than none of it. */
static void check_capacity(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    if (json_get(v, "storage") == NULL || json_size(v) > 1)
        check_fail(c, CHECK_NOT_SUPPORTED, v, "supported values: \"storage\"");
    while (json_next(&i)) {
        struct quantity q;
        size_t mark = check_enter_key(c, i.key);
        if (quantity_parse(json_string(i.value), &q, NULL) == 0 && q.nano <= 0)
            check_fail(c, CHECK_INVALID, i.value, "must be greater than zero");
        check_leave(c, mark);
    }
}

/* The one member that says where the volume is; NULL: none does. */
static const char *source_of(const struct json *v, const struct field *fields)
{
    for (const struct field *f = fields; f->name != NULL; f++) {
        if (json_get(v, f->name) != NULL)
            return f->name;
    }
    return NULL;
}

static void check_sources(struct check *c, const struct json *v, const struct field *fields)
{
    const char *first = source_of(v, fields);
    if (first == NULL) {
        check_fail(c, CHECK_REQUIRED, NULL, "must specify a volume type");
        return;
    }
    for (const struct field *f = fields; f->name != NULL; f++) {
        if (json_get(v, f->name) != NULL && strcmp(f->name, first) != 0)
            check_fail_at(c, f->name, CHECK_FORBIDDEN, NULL, "may not specify more than 1 volume type");
    }
}

static void check_spec(struct check *c, const struct json *v);

static const struct field fields_azure_file_persistent_volume_source[] = {
    AZURE_FILE_ROWS,
    {.name = "secretNamespace",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Namespace of the secret; the claim's own when absent."},
    {.name = NULL},
};
static const struct type type_azure_file_persistent_volume_source = {.name = "AzureFilePersistentVolumeSource",
                                                                     .doc = "A file share of Azure.",
                                                                     .fields =
                                                                         fields_azure_file_persistent_volume_source};

static const struct field fields_secret_reference[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .doc = "Name of the secret."},
    {.name = "namespace", .type = FIELD_STRING, .proto = 2, .doc = "Namespace of the secret."},
    {.name = NULL},
};
static const struct type type_secret_reference = {
    .name = "SecretReference", .doc = "A secret in any namespace.", .fields = fields_secret_reference, .atomic = true};

static const struct field fields_ceph_fs_persistent_volume_source[] = {
    CEPH_FS_ROWS(type_secret_reference),
    {.name = NULL},
};
static const struct type type_ceph_fs_persistent_volume_source = {.name = "CephFSPersistentVolumeSource",
                                                                  .doc = "A Ceph file system.",
                                                                  .fields = fields_ceph_fs_persistent_volume_source};

static const struct field fields_cinder_persistent_volume_source[] = {
    CINDER_ROWS(type_secret_reference),
    {.name = NULL},
};
static const struct type type_cinder_persistent_volume_source = {.name = "CinderPersistentVolumeSource",
                                                                 .doc = "A volume of OpenStack's Cinder.",
                                                                 .fields = fields_cinder_persistent_volume_source};

static const struct field fields_csi_persistent_volume_source[] = {
    {.name = "driver", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Name of the driver."},
    {.name = "volumeHandle",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "What the driver calls the volume."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Mount it read-only."},
    {.name = "fsType",
     .type = FIELD_STRING,
     .proto = 4,
     .doc = "File system on the volume; what is usual for the driver when empty."},
    {.name = "volumeAttributes",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 5,
     .doc = "Passed on to the driver as they are."},
    {.name = "controllerPublishSecretRef",
     .type = FIELD_OBJECT,
     .object = &type_secret_reference,
     .proto = 6,
     .doc = "Credentials for attaching and detaching."},
    {.name = "nodeStageSecretRef",
     .type = FIELD_OBJECT,
     .object = &type_secret_reference,
     .proto = 7,
     .doc = "Credentials for preparing the volume on a node."},
    {.name = "nodePublishSecretRef",
     .type = FIELD_OBJECT,
     .object = &type_secret_reference,
     .proto = 8,
     .doc = "Credentials for mounting it into a pod."},
    {.name = "controllerExpandSecretRef",
     .type = FIELD_OBJECT,
     .object = &type_secret_reference,
     .proto = 9,
     .doc = "Credentials for making it larger."},
    {.name = "nodeExpandSecretRef",
     .type = FIELD_OBJECT,
     .object = &type_secret_reference,
     .proto = 10,
     .doc = "Credentials for making its file system larger on a node."},
    {.name = NULL},
};
static const struct type type_csi_persistent_volume_source = {.name = "CSIPersistentVolumeSource",
                                                              .doc = "A volume behind a CSI driver.",
                                                              .fields = fields_csi_persistent_volume_source};

static const struct field fields_flex_persistent_volume_source[] = {
    FLEX_ROWS(type_secret_reference),
    {.name = NULL},
};
static const struct type type_flex_persistent_volume_source = {.name = "FlexPersistentVolumeSource",
                                                               .doc = "A volume behind an executable on the nodes.",
                                                               .fields = fields_flex_persistent_volume_source};

static const struct field fields_glusterfs_persistent_volume_source[] = {
    GLUSTERFS_ROWS,
    {.name = "endpointsNamespace",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .doc = "Namespace of the endpoints; the claim's own when absent."},
    {.name = NULL},
};
static const struct type type_glusterfs_persistent_volume_source = {.name = "GlusterfsPersistentVolumeSource",
                                                                    .doc = "A Gluster volume.",
                                                                    .fields =
                                                                        fields_glusterfs_persistent_volume_source};

static const struct field fields_iscsi_persistent_volume_source[] = {
    ISCSI_ROWS(type_secret_reference),
    {.name = NULL},
};
static const struct type type_iscsi_persistent_volume_source = {.name = "ISCSIPersistentVolumeSource",
                                                                .doc = "A disk over iSCSI.",
                                                                .fields = fields_iscsi_persistent_volume_source};

static const struct field fields_local_volume_source[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Where it is on the node."},
    {.name = "fsType",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_POINTER,
     .doc = "File system on the volume; what is usual for the driver when empty."},
    {.name = NULL},
};
static const struct type type_local_volume_source = {
    .name = "LocalVolumeSource", .doc = "A folder or disk of one node.", .fields = fields_local_volume_source};

static const struct field fields_volume_node_affinity[] = {
    {.name = "required",
     .type = FIELD_OBJECT,
     .object = &type_node_selector,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_OPTIONAL,
     .required = "must specify required node constraints",
     .doc = "What a node must fulfil."},
    {.name = NULL},
};
static const struct type type_volume_node_affinity = {
    .name = "VolumeNodeAffinity", .doc = "Nodes a volume can be reached from.", .fields = fields_volume_node_affinity};

static const struct field fields_rbd_persistent_volume_source[] = {
    RBD_ROWS(type_secret_reference),
    {.name = NULL},
};
static const struct type type_rbd_persistent_volume_source = {
    .name = "RBDPersistentVolumeSource", .doc = "A Ceph block device.", .fields = fields_rbd_persistent_volume_source};

static const struct field fields_scale_io_persistent_volume_source[] = {
    SCALE_IO_ROWS(type_secret_reference),
    {.name = NULL},
};
static const struct type type_scale_io_persistent_volume_source = {.name = "ScaleIOPersistentVolumeSource",
                                                                   .doc = "A ScaleIO volume.",
                                                                   .fields = fields_scale_io_persistent_volume_source};

static const struct field fields_storage_os_persistent_volume_source[] = {
    STORAGE_OS_ROWS(type_object_reference),
    {.name = NULL},
};
static const struct type type_storage_os_persistent_volume_source = {.name = "StorageOSPersistentVolumeSource",
                                                                     .doc = "A StorageOS volume.",
                                                                     .fields =
                                                                         fields_storage_os_persistent_volume_source};

static const struct field fields_persistent_volume_source[] = {
    {.name = "gcePersistentDisk",
     .type = FIELD_OBJECT,
     .object = &type_gce_persistent_disk_volume_source,
     .proto = 1,
     .doc = "A disk of Google's cloud."},
    {.name = "awsElasticBlockStore",
     .type = FIELD_OBJECT,
     .object = &type_aws_elastic_block_store_volume_source,
     .proto = 2,
     .doc = "A disk of Amazon's cloud."},
    {.name = "hostPath",
     .type = FIELD_OBJECT,
     .object = &type_host_path_volume_source,
     .proto = 3,
     .doc = "A folder of the node; for a single node only."},
    {.name = "glusterfs",
     .type = FIELD_OBJECT,
     .object = &type_glusterfs_persistent_volume_source,
     .proto = 4,
     .doc = "A Gluster volume."},
    {.name = "nfs", .type = FIELD_OBJECT, .object = &type_nfs_volume_source, .proto = 5, .doc = "An NFS export."},
    {.name = "rbd",
     .type = FIELD_OBJECT,
     .object = &type_rbd_persistent_volume_source,
     .proto = 6,
     .doc = "A Ceph block device."},
    {.name = "iscsi",
     .type = FIELD_OBJECT,
     .object = &type_iscsi_persistent_volume_source,
     .proto = 7,
     .doc = "A disk over iSCSI."},
    {.name = "cinder",
     .type = FIELD_OBJECT,
     .object = &type_cinder_persistent_volume_source,
     .proto = 8,
     .doc = "A volume of OpenStack's Cinder."},
    {.name = "cephfs",
     .type = FIELD_OBJECT,
     .object = &type_ceph_fs_persistent_volume_source,
     .proto = 9,
     .doc = "A Ceph file system."},
    {.name = "fc",
     .type = FIELD_OBJECT,
     .object = &type_fc_volume_source,
     .proto = 10,
     .doc = "A disk over Fibre Channel."},
    {.name = "flocker",
     .type = FIELD_OBJECT,
     .object = &type_flocker_volume_source,
     .proto = 11,
     .doc = "A Flocker dataset."},
    {.name = "flexVolume",
     .type = FIELD_OBJECT,
     .object = &type_flex_persistent_volume_source,
     .proto = 12,
     .doc = "A volume behind an executable on the nodes."},
    {.name = "azureFile",
     .type = FIELD_OBJECT,
     .object = &type_azure_file_persistent_volume_source,
     .proto = 13,
     .doc = "A file share of Azure."},
    {.name = "vsphereVolume",
     .type = FIELD_OBJECT,
     .object = &type_vsphere_virtual_disk_volume_source,
     .proto = 14,
     .doc = "A disk of vSphere."},
    {.name = "quobyte",
     .type = FIELD_OBJECT,
     .object = &type_quobyte_volume_source,
     .proto = 15,
     .doc = "A Quobyte volume."},
    {.name = "azureDisk",
     .type = FIELD_OBJECT,
     .object = &type_azure_disk_volume_source,
     .proto = 16,
     .doc = "A disk of Azure."},
    {.name = "photonPersistentDisk",
     .type = FIELD_OBJECT,
     .object = &type_photon_persistent_disk_volume_source,
     .proto = 17,
     .doc = "A disk of Photon."},
    {.name = "portworxVolume",
     .type = FIELD_OBJECT,
     .object = &type_portworx_volume_source,
     .proto = 18,
     .doc = "A Portworx volume."},
    {.name = "scaleIO",
     .type = FIELD_OBJECT,
     .object = &type_scale_io_persistent_volume_source,
     .proto = 19,
     .doc = "A ScaleIO volume."},
    {.name = "local",
     .type = FIELD_OBJECT,
     .object = &type_local_volume_source,
     .proto = 20,
     .doc = "A folder or disk of one node."},
    {.name = "storageos",
     .type = FIELD_OBJECT,
     .object = &type_storage_os_persistent_volume_source,
     .proto = 21,
     .doc = "A StorageOS volume."},
    {.name = "csi",
     .type = FIELD_OBJECT,
     .object = &type_csi_persistent_volume_source,
     .proto = 22,
     .doc = "A volume behind a CSI driver."},
    {.name = NULL},
};
static const struct type type_persistent_volume_source = {.name = "PersistentVolumeSource",
                                                          .doc = "Where a volume is: one member per type.",
                                                          .fields = fields_persistent_volume_source};

static const struct field fields_persistent_volume_spec[] = {
    {.name = "capacity",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 1,
     .check = check_capacity,
     .doc = "How much it holds."},
    {.name = "", .type = FIELD_OBJECT, .object = &type_persistent_volume_source, .proto = 2, .flags = FIELD_INLINE},
    {.name = "accessModes",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 3,
     .flags = FIELD_REQUIRED | FIELD_OPTIONAL,
     .check = check_access_modes,
     .doc = "In how many places, and how, it can be mounted."},
    {.name = "claimRef",
     .type = FIELD_OBJECT,
     .object = &type_object_reference,
     .proto = 4,
     .doc = "The claim that has it."},
    {.name = "persistentVolumeReclaimPolicy",
     .type = FIELD_STRING,
     .proto = 5,
     .fallback = "\"Retain\"",
     .one_of = reclaim_policies,
     .doc = "What becomes of it when its claim goes: Retain, Delete or Recycle."},
    {.name = "storageClassName",
     .type = FIELD_STRING,
     .proto = 6,
     .check = check_dns_subdomain,
     .doc = "Class it belongs to; none when empty."},
    {.name = "mountOptions", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 7, .doc = "Passed on to mount."},
    {.name = "volumeMode",
     .type = FIELD_STRING,
     .proto = 8,
     .flags = FIELD_POINTER,
     .fallback = "\"Filesystem\"",
     .one_of = volume_modes,
     .doc = "Filesystem or Block."},
    {.name = "nodeAffinity",
     .type = FIELD_OBJECT,
     .object = &type_volume_node_affinity,
     .proto = 9,
     .doc = "Nodes it can be reached from."},
    {.name = "volumeAttributesClassName",
     .type = FIELD_STRING,
     .proto = 10,
     .flags = FIELD_POINTER,
     .doc = "Class of its changeable attributes."},
    {.name = NULL},
};
const struct type type_persistent_volume_spec = {.name = "PersistentVolumeSpec",
                                                 .doc = "What a volume is and who may have it.",
                                                 .fields = fields_persistent_volume_spec,
                                                 .check = check_spec};

static const struct field fields_persistent_volume_status[] = {
    {.name = "phase",
     .type = FIELD_STRING,
     .proto = 1,
     .fallback = "\"Pending\"",
     .doc = "Pending, Available, Bound, Released or Failed."},
    {.name = "message", .type = FIELD_STRING, .proto = 2, .doc = "Why, in words for people."},
    {.name = "reason", .type = FIELD_STRING, .proto = 3, .doc = "Why, as one word for programs."},
    {.name = "lastPhaseTransitionTime", .type = FIELD_TIME, .proto = 4, .doc = "When the phase last changed."},
    {.name = NULL},
};
static const struct type type_persistent_volume_status = {
    .name = "PersistentVolumeStatus", .doc = "State of a volume.", .fields = fields_persistent_volume_status};

static const struct field fields_persistent_volume[] = {
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
     .object = &type_persistent_volume_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was found; written by controllers."},
    {.name = NULL},
};
static const struct type type_persistent_volume = {.name = "PersistentVolume",
                                                   .doc = "A piece of storage in the cluster that a claim can have.",
                                                   .fields = fields_persistent_volume};

static void check_spec(struct check *c, const struct json *v)
{
    if (json_get(v, "capacity") == NULL) {
        check_fail_at(c, "capacity", CHECK_REQUIRED, NULL, "%s", "");
        check_fail_shown(c, "capacity", CHECK_NOT_SUPPORTED, "core.ResourceList(nil)", "supported values: \"storage\"");
    }
    check_sources(c, v, type_persistent_volume_source.fields);
    if (slice_is(json_string_at(v, "hostPath.path"), "/") &&
        slice_is(json_string_at(v, "persistentVolumeReclaimPolicy"), "Recycle"))
        check_fail_at(c, "persistentVolumeReclaimPolicy", CHECK_FORBIDDEN, NULL,
                      "may not be 'recycle' for a hostPath mount of '/'");
    if (json_get(v, "local") != NULL && json_get(v, "nodeAffinity") == NULL)
        check_fail_at(c, "nodeAffinity", CHECK_REQUIRED, NULL, "Local volume requires node affinity");
    const struct json *class = json_get(v, "volumeAttributesClassName");
    if (class != NULL && json_string(class).size == 0)
        check_fail_at(c, "volumeAttributesClassName", CHECK_REQUIRED, NULL, "an empty string is disallowed");
    if (class != NULL && json_get(v, "csi") == NULL)
        check_fail_at(c, "csi", CHECK_REQUIRED, NULL, "has to be specified when using volumeAttributesClassName");
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_get(object, "spec"), *was = json_get(old, "spec");
    bool moved = false;
    for (const struct field *f = fields_persistent_volume_source; f->name != NULL; f++) {
        const struct json *a = json_get(now, f->name), *b = json_get(was, f->name);
        moved |= (a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b));
    }
    if (moved)
        check_fail_at(c, "spec.persistentvolumesource", CHECK_FORBIDDEN, NULL,
                      "spec.persistentvolumesource is immutable after creation");
    if (json_get(was, "volumeMode") != NULL && !json_equal(json_get(now, "volumeMode"), json_get(was, "volumeMode")))
        check_fail_at(c, "volumeMode", CHECK_INVALID, json_get(now, "volumeMode"), "field is immutable");
    const struct json *here = json_get(now, "nodeAffinity"), *there = json_get(was, "nodeAffinity");
    if (there != NULL && (here == NULL || !json_equal(here, there)))
        check_fail_shown(c, "spec.nodeAffinity", CHECK_INVALID, "core.VolumeNodeAffinity{}", "field is immutable");
}

void check_access_modes(struct check *c, const struct json *v)
{
    static const char *const modes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod", NULL};
    bool alone = false;
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        bool known = false;
        for (size_t m = 0; modes[m] != NULL; m++)
            known |= slice_is(json_string(i.value), modes[m]);
        if (!known)
            check_fail_one_of(c, i.value, modes);
        alone |= slice_is(json_string(i.value), "ReadWriteOncePod");
    }
    if (alone && json_size(v) > 1)
        check_fail(c, CHECK_FORBIDDEN, NULL, "may not use ReadWriteOncePod with other access modes");
}

/* "RWO,ROX": in this order, each once. */
void access_modes_cell(const struct json *list, struct cells *out)
{
    static const struct {
        const char *mode, *text;
    } modes[] = {
        {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
    struct buf text = {0};
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        bool has = false;
        struct json_iterator i = json_iterate(list);
        while (json_next(&i))
            has |= slice_is(json_string(i.value), modes[m].mode);
        if (has)
            buf_printf(&text, "%s%s", text.size == 0 ? "" : ",", modes[m].text);
    }
    cells_add(out, buf_slice(&text));
    buf_release(&text);
}

/* The class as an annotation was its first form, and still counts. */
void storage_class_cell(const struct json *o, struct cells *out)
{
    struct slice old = json_string(
        json_get_slice(json_at(o, "metadata.annotations"), SLICE("volume.beta.kubernetes.io/storage-class")));
    cells_add(out, old.size > 0 ? old : json_string_at(o, "spec.storageClassName"));
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the volume."},
    {.name = "Capacity", .type = "string", .doc = "How much it holds."},
    {.name = "Access Modes", .type = "string", .doc = "In how many places, and how, it can be mounted."},
    {.name = "Reclaim Policy", .type = "string", .doc = "What becomes of it when its claim goes."},
    {.name = "Status", .type = "string", .doc = "Its phase."},
    {.name = "Claim", .type = "string", .doc = "The claim that has it."},
    {.name = "StorageClass", .type = "string", .doc = "Class it belongs to."},
    {.name = "VolumeAttributesClass", .type = "string", .doc = "Class of its changeable attributes."},
    {.name = "Reason", .type = "string", .doc = "Why it is in that phase."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "VolumeMode", .type = "string", .doc = "Filesystem or Block.", .priority = 1},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct slice claim = json_string_at(o, "spec.claimRef.name");
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.capacity.storage"));
    access_modes_cell(json_at(o, "spec.accessModes"), out);
    cells_add(out, json_string_at(o, "spec.persistentVolumeReclaimPolicy"));
    cells_add(out, json_at(o, "metadata.deletionTimestamp") != NULL ? SLICE("Terminating")
                                                                    : json_string_at(o, "status.phase"));
    if (json_at(o, "spec.claimRef") == NULL)
        cells_str(out, "");
    else
        cells_printf(out, "%.*s/%.*s", SLICE_ARGS(json_string_at(o, "spec.claimRef.namespace")), SLICE_ARGS(claim));
    storage_class_cell(o, out);
    cells_or(out, json_string_at(o, "spec.volumeAttributesClassName"), "<unset>");
    cells_add(out, json_string_at(o, "status.reason"));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    cells_or(out, json_string_at(o, "spec.volumeMode"), "<unset>");
}

static const char *const short_names[] = {"pv", NULL};
static const struct subresource subresources[] = {
    {"status", "", "v1", "PersistentVolume", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_persistentvolume = {
    .group = "",
    .version = "v1",
    .name = "PersistentVolume",
    .plural = "persistentvolumes",
    .singular = "persistentvolume",
    .short_names = short_names,
    .namespaced = false,
    .storage_prefix = "persistentvolumes",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_persistent_volume,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_update = check_update,
    .no_generation = true,
    .delete_answers_object = true,
};
