/* The volumes of a pod: one member of VolumeSource per volume type. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"

static const struct field fields_host_path_volume_source[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "type", .type = FIELD_STRING, .proto = 2, .flags = FIELD_POINTER, .fallback = "\"\""},
    {.name = NULL},
};
const struct type type_host_path_volume_source = {
    .name = "HostPathVolumeSource",
    .fields = fields_host_path_volume_source,
};

static const struct field fields_empty_dir_volume_source[] = {
    {.name = "medium", .type = FIELD_STRING, .proto = 1},
    {.name = "sizeLimit", .type = FIELD_QUANTITY, .proto = 2},
    {.name = NULL},
};
static const struct type type_empty_dir_volume_source = {
    .name = "EmptyDirVolumeSource",
    .fields = fields_empty_dir_volume_source,
};

static const struct field fields_gce_persistent_disk_volume_source[] = {
    {.name = "pdName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2},
    {.name = "partition", .type = FIELD_INT32, .proto = 3},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4},
    {.name = NULL},
};
const struct type type_gce_persistent_disk_volume_source = {
    .name = "GCEPersistentDiskVolumeSource",
    .fields = fields_gce_persistent_disk_volume_source,
};

static const struct field fields_aws_elastic_block_store_volume_source[] = {
    {.name = "volumeID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2},
    {.name = "partition", .type = FIELD_INT32, .proto = 3},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4},
    {.name = NULL},
};
const struct type type_aws_elastic_block_store_volume_source = {
    .name = "AWSElasticBlockStoreVolumeSource",
    .fields = fields_aws_elastic_block_store_volume_source,
};

static const struct field fields_git_repo_volume_source[] = {
    {.name = "repository", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "revision", .type = FIELD_STRING, .proto = 2},
    {.name = "directory", .type = FIELD_STRING, .proto = 3},
    {.name = NULL},
};
static const struct type type_git_repo_volume_source = {
    .name = "GitRepoVolumeSource",
    .fields = fields_git_repo_volume_source,
};

static const struct field fields_key_to_path[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "path", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "mode", .type = FIELD_INT32, .proto = 3, .flags = FIELD_POINTER, .check = check_file_mode},
    {.name = NULL},
};
static const struct type type_key_to_path = {.name = "KeyToPath", .fields = fields_key_to_path};

static const struct field fields_secret_volume_source[] = {
    {.name = "secretName", .type = FIELD_STRING, .proto = 1},
    {.name = "items", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_key_to_path, .proto = 2},
    {.name = "defaultMode", .type = FIELD_INT32, .proto = 3, .flags = FIELD_POINTER, .fallback = "420", .check = check_file_mode},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_secret_volume_source = {
    .name = "SecretVolumeSource",
    .fields = fields_secret_volume_source,
};

static const struct field fields_nfs_volume_source[] = {
    {.name = "server", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "path", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3},
    {.name = NULL},
};
const struct type type_nfs_volume_source = {.name = "NFSVolumeSource", .fields = fields_nfs_volume_source};

static const struct field fields_iscsi_volume_source[] = {
    {.name = "targetPortal", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "iqn", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "lun", .type = FIELD_INT32, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = "iscsiInterface", .type = FIELD_STRING, .proto = 4, .fallback = "\"default\""},
    {.name = "fsType", .type = FIELD_STRING, .proto = 5},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 6},
    {.name = "portals", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 7},
    {.name = "chapAuthDiscovery", .type = FIELD_BOOL, .proto = 8},
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 10},
    {.name = "chapAuthSession", .type = FIELD_BOOL, .proto = 11},
    {.name = "initiatorName", .type = FIELD_STRING, .proto = 12, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_iscsi_volume_source = {
    .name = "ISCSIVolumeSource",
    .fields = fields_iscsi_volume_source,
};

static const struct field fields_glusterfs_volume_source[] = {
    {.name = "endpoints", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "path", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3},
    {.name = NULL},
};
static const struct type type_glusterfs_volume_source = {
    .name = "GlusterfsVolumeSource",
    .fields = fields_glusterfs_volume_source,
};

static const struct field fields_persistent_volume_claim_volume_source[] = {
    {.name = "claimName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 2},
    {.name = NULL},
};
static const struct type type_persistent_volume_claim_volume_source = {
    .name = "PersistentVolumeClaimVolumeSource",
    .fields = fields_persistent_volume_claim_volume_source,
};

static const struct field fields_rbd_volume_source[] = {
    {.name = "monitors", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "image", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 3},
    {.name = "pool", .type = FIELD_STRING, .proto = 4, .fallback = "\"rbd\""},
    {.name = "user", .type = FIELD_STRING, .proto = 5, .fallback = "\"admin\""},
    {.name = "keyring", .type = FIELD_STRING, .proto = 6, .fallback = "\"/etc/ceph/keyring\""},
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 7},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 8},
    {.name = NULL},
};
static const struct type type_rbd_volume_source = {.name = "RBDVolumeSource", .fields = fields_rbd_volume_source};

static const struct field fields_flex_volume_source[] = {
    {.name = "driver", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2},
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 3},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4},
    {.name = "options", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 5},
    {.name = NULL},
};
static const struct type type_flex_volume_source = {.name = "FlexVolumeSource", .fields = fields_flex_volume_source};

static const struct field fields_cinder_volume_source[] = {
    {.name = "volumeID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3},
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 4},
    {.name = NULL},
};
static const struct type type_cinder_volume_source = {
    .name = "CinderVolumeSource",
    .fields = fields_cinder_volume_source,
};

static const struct field fields_ceph_fs_volume_source[] = {
    {.name = "monitors", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "path", .type = FIELD_STRING, .proto = 2},
    {.name = "user", .type = FIELD_STRING, .proto = 3},
    {.name = "secretFile", .type = FIELD_STRING, .proto = 4},
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 5},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 6},
    {.name = NULL},
};
static const struct type type_ceph_fs_volume_source = {
    .name = "CephFSVolumeSource",
    .fields = fields_ceph_fs_volume_source,
};

static const struct field fields_flocker_volume_source[] = {
    {.name = "datasetName", .type = FIELD_STRING, .proto = 1},
    {.name = "datasetUUID", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
const struct type type_flocker_volume_source = {
    .name = "FlockerVolumeSource",
    .fields = fields_flocker_volume_source,
};

static const struct field fields_downward_api_volume_file[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fieldRef", .type = FIELD_OBJECT, .object = &type_object_field_selector, .proto = 2},
    {.name = "resourceFieldRef", .type = FIELD_OBJECT, .object = &type_resource_field_selector, .proto = 3},
    {.name = "mode", .type = FIELD_INT32, .proto = 4, .flags = FIELD_POINTER, .check = check_file_mode},
    {.name = NULL},
};
static const struct type type_downward_api_volume_file = {
    .name = "DownwardAPIVolumeFile",
    .fields = fields_downward_api_volume_file,
};

static const struct field fields_downward_api_volume_source[] = {
    {.name = "items", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_downward_api_volume_file, .proto = 1},
    {.name = "defaultMode", .type = FIELD_INT32, .proto = 2, .flags = FIELD_POINTER, .fallback = "420", .check = check_file_mode},
    {.name = NULL},
};
static const struct type type_downward_api_volume_source = {
    .name = "DownwardAPIVolumeSource",
    .fields = fields_downward_api_volume_source,
};

static const struct field fields_fc_volume_source[] = {
    {.name = "targetWWNs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1},
    {.name = "lun", .type = FIELD_INT32, .proto = 2, .flags = FIELD_POINTER},
    {.name = "fsType", .type = FIELD_STRING, .proto = 3},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4},
    {.name = "wwids", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 5},
    {.name = NULL},
};
const struct type type_fc_volume_source = {.name = "FCVolumeSource", .fields = fields_fc_volume_source};

static const struct field fields_azure_file_volume_source[] = {
    {.name = "secretName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "shareName", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3},
    {.name = NULL},
};
static const struct type type_azure_file_volume_source = {
    .name = "AzureFileVolumeSource",
    .fields = fields_azure_file_volume_source,
};

static const struct field fields_config_map_volume_source[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "items", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_key_to_path, .proto = 2},
    {.name = "defaultMode", .type = FIELD_INT32, .proto = 3, .flags = FIELD_POINTER, .fallback = "420", .check = check_file_mode},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_config_map_volume_source = {
    .name = "ConfigMapVolumeSource",
    .fields = fields_config_map_volume_source,
};

static const struct field fields_vsphere_virtual_disk_volume_source[] = {
    {.name = "volumePath", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2},
    {.name = "storagePolicyName", .type = FIELD_STRING, .proto = 3},
    {.name = "storagePolicyID", .type = FIELD_STRING, .proto = 4},
    {.name = NULL},
};
const struct type type_vsphere_virtual_disk_volume_source = {
    .name = "VsphereVirtualDiskVolumeSource",
    .fields = fields_vsphere_virtual_disk_volume_source,
};

static const struct field fields_quobyte_volume_source[] = {
    {.name = "registry", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "volume", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3},
    {.name = "user", .type = FIELD_STRING, .proto = 4},
    {.name = "group", .type = FIELD_STRING, .proto = 5},
    {.name = "tenant", .type = FIELD_STRING, .proto = 6},
    {.name = NULL},
};
const struct type type_quobyte_volume_source = {
    .name = "QuobyteVolumeSource",
    .fields = fields_quobyte_volume_source,
};

static const struct field fields_azure_disk_volume_source[] = {
    {.name = "diskName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "diskURI", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "cachingMode", .type = FIELD_STRING, .proto = 3, .flags = FIELD_POINTER, .fallback = "\"ReadWrite\""},
    {.name = "fsType", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER, .fallback = "\"ext4\""},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 5, .flags = FIELD_POINTER, .fallback = "false"},
    {.name = "kind", .type = FIELD_STRING, .proto = 6, .flags = FIELD_POINTER, .fallback = "\"Shared\""},
    {.name = NULL},
};
const struct type type_azure_disk_volume_source = {
    .name = "AzureDiskVolumeSource",
    .fields = fields_azure_disk_volume_source,
};

static const struct field fields_photon_persistent_disk_volume_source[] = {
    {.name = "pdID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
const struct type type_photon_persistent_disk_volume_source = {
    .name = "PhotonPersistentDiskVolumeSource",
    .fields = fields_photon_persistent_disk_volume_source,
};

static const struct field fields_portworx_volume_source[] = {
    {.name = "volumeID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3},
    {.name = NULL},
};
const struct type type_portworx_volume_source = {
    .name = "PortworxVolumeSource",
    .fields = fields_portworx_volume_source,
};

static const struct field fields_scale_io_volume_source[] = {
    {.name = "gateway", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "system", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "secretRef",
     .type = FIELD_OBJECT,
     .object = &type_local_object_reference,
     .proto = 3,
     .flags = FIELD_REQUIRED},
    {.name = "sslEnabled", .type = FIELD_BOOL, .proto = 4},
    {.name = "protectionDomain", .type = FIELD_STRING, .proto = 5},
    {.name = "storagePool", .type = FIELD_STRING, .proto = 6},
    {.name = "storageMode", .type = FIELD_STRING, .proto = 7, .fallback = "\"ThinProvisioned\""},
    {.name = "volumeName", .type = FIELD_STRING, .proto = 8},
    {.name = "fsType", .type = FIELD_STRING, .proto = 9, .fallback = "\"xfs\""},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 10},
    {.name = NULL},
};
static const struct type type_scale_io_volume_source = {
    .name = "ScaleIOVolumeSource",
    .fields = fields_scale_io_volume_source,
};

static const struct field fields_secret_projection[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "items", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_key_to_path, .proto = 2},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_secret_projection = {.name = "SecretProjection", .fields = fields_secret_projection};

static const struct field fields_downward_api_projection[] = {
    {.name = "items", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_downward_api_volume_file, .proto = 1},
    {.name = NULL},
};
static const struct type type_downward_api_projection = {
    .name = "DownwardAPIProjection",
    .fields = fields_downward_api_projection,
};

static const struct field fields_config_map_projection[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "items", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_key_to_path, .proto = 2},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_config_map_projection = {
    .name = "ConfigMapProjection",
    .fields = fields_config_map_projection,
};

static const struct field fields_service_account_token_projection[] = {
    {.name = "audience", .type = FIELD_STRING, .proto = 1},
    {.name = "expirationSeconds", .type = FIELD_INT64, .proto = 2, .flags = FIELD_POINTER, .fallback = "3600"},
    {.name = "path", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_service_account_token_projection = {
    .name = "ServiceAccountTokenProjection",
    .fields = fields_service_account_token_projection,
};

static const struct field fields_cluster_trust_bundle_projection[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_POINTER},
    {.name = "signerName", .type = FIELD_STRING, .proto = 2, .flags = FIELD_POINTER},
    {.name = "labelSelector", .type = FIELD_OBJECT, .object = &type_label_selector, .proto = 3},
    {.name = "path", .type = FIELD_STRING, .proto = 4, .flags = FIELD_REQUIRED},
    {.name = "optional", .type = FIELD_BOOL, .proto = 5, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_cluster_trust_bundle_projection = {
    .name = "ClusterTrustBundleProjection",
    .fields = fields_cluster_trust_bundle_projection,
};

static const struct field fields_volume_projection[] = {
    {.name = "secret", .type = FIELD_OBJECT, .object = &type_secret_projection, .proto = 1},
    {.name = "downwardAPI", .type = FIELD_OBJECT, .object = &type_downward_api_projection, .proto = 2},
    {.name = "configMap", .type = FIELD_OBJECT, .object = &type_config_map_projection, .proto = 3},
    {.name = "serviceAccountToken", .type = FIELD_OBJECT, .object = &type_service_account_token_projection, .proto = 4},
    {.name = "clusterTrustBundle", .type = FIELD_OBJECT, .object = &type_cluster_trust_bundle_projection, .proto = 5},
    {.name = NULL},
};
static const struct type type_volume_projection = {.name = "VolumeProjection", .fields = fields_volume_projection};

static const struct field fields_projected_volume_source[] = {
    {.name = "sources", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_volume_projection, .proto = 1},
    {.name = "defaultMode", .type = FIELD_INT32, .proto = 2, .flags = FIELD_POINTER, .fallback = "420", .check = check_file_mode},
    {.name = NULL},
};
static const struct type type_projected_volume_source = {
    .name = "ProjectedVolumeSource",
    .fields = fields_projected_volume_source,
};

static const struct field fields_storage_os_volume_source[] = {
    {.name = "volumeName", .type = FIELD_STRING, .proto = 1},
    {.name = "volumeNamespace", .type = FIELD_STRING, .proto = 2},
    {.name = "fsType", .type = FIELD_STRING, .proto = 3},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4},
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 5},
    {.name = NULL},
};
static const struct type type_storage_os_volume_source = {
    .name = "StorageOSVolumeSource",
    .fields = fields_storage_os_volume_source,
};

static const struct field fields_csi_volume_source[] = {
    {.name = "driver", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 2, .flags = FIELD_POINTER},
    {.name = "fsType", .type = FIELD_STRING, .proto = 3, .flags = FIELD_POINTER},
    {.name = "volumeAttributes", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 4},
    {.name = "nodePublishSecretRef", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 5},
    {.name = NULL},
};
static const struct type type_csi_volume_source = {.name = "CSIVolumeSource", .fields = fields_csi_volume_source};

static const struct field fields_volume_resource_requirements[] = {
    {.name = "limits", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 1},
    {.name = "requests", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 2},
    {.name = NULL},
};
static const struct type type_volume_resource_requirements = {
    .name = "VolumeResourceRequirements",
    .fields = fields_volume_resource_requirements,
};

static const struct field fields_persistent_volume_claim_spec[] = {
    {.name = "accessModes", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1},
    {.name = "resources",
     .type = FIELD_OBJECT,
     .object = &type_volume_resource_requirements,
     .proto = 2,
     .flags = FIELD_ALWAYS},
    {.name = "volumeName", .type = FIELD_STRING, .proto = 3},
    {.name = "selector", .type = FIELD_OBJECT, .object = &type_label_selector, .proto = 4},
    {.name = "storageClassName", .type = FIELD_STRING, .proto = 5, .flags = FIELD_POINTER},
    {.name = "volumeMode", .type = FIELD_STRING, .proto = 6, .flags = FIELD_POINTER, .fallback = "\"Filesystem\""},
    {.name = "dataSource", .type = FIELD_OBJECT, .object = &type_typed_local_object_reference, .proto = 7},
    {.name = "dataSourceRef", .type = FIELD_OBJECT, .object = &type_typed_object_reference, .proto = 8},
    {.name = "volumeAttributesClassName", .type = FIELD_STRING, .proto = 9, .flags = FIELD_POINTER},
    {.name = NULL},
};
const struct type type_persistent_volume_claim_spec = {
    .name = "PersistentVolumeClaimSpec",
    .fields = fields_persistent_volume_claim_spec,
};

static const struct field fields_persistent_volume_claim_template[] = {
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_claim_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = NULL},
};
static void check_claim_template(struct check *c, const struct json *v)
{
    size_t mark = check_enter(c, "spec");
    check_claim_spec(c, json_get(v, "spec"));
    check_leave(c, mark);
}

static const struct type type_persistent_volume_claim_template = {
    .name = "PersistentVolumeClaimTemplate",
    .fields = fields_persistent_volume_claim_template,
    .check = check_claim_template,
};

static const struct field fields_ephemeral_volume_source[] = {
    {.name = "volumeClaimTemplate", .type = FIELD_OBJECT, .object = &type_persistent_volume_claim_template, .proto = 1},
    {.name = NULL},
};
static const struct type type_ephemeral_volume_source = {
    .name = "EphemeralVolumeSource",
    .fields = fields_ephemeral_volume_source,
};

static const struct field fields_image_volume_source[] = {
    {.name = "reference", .type = FIELD_STRING, .proto = 1},
    {.name = "pullPolicy", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
static const struct type type_image_volume_source = {
    .name = "ImageVolumeSource",
    .fields = fields_image_volume_source,
};

static const struct field fields_volume_source[] = {
    {.name = "hostPath", .type = FIELD_OBJECT, .object = &type_host_path_volume_source, .proto = 1},
    {.name = "emptyDir", .type = FIELD_OBJECT, .object = &type_empty_dir_volume_source, .proto = 2},
    {.name = "gcePersistentDisk", .type = FIELD_OBJECT, .object = &type_gce_persistent_disk_volume_source, .proto = 3},
    {.name = "awsElasticBlockStore",
     .type = FIELD_OBJECT,
     .object = &type_aws_elastic_block_store_volume_source,
     .proto = 4},
    {.name = "gitRepo", .type = FIELD_OBJECT, .object = &type_git_repo_volume_source, .proto = 5},
    {.name = "secret", .type = FIELD_OBJECT, .object = &type_secret_volume_source, .proto = 6},
    {.name = "nfs", .type = FIELD_OBJECT, .object = &type_nfs_volume_source, .proto = 7},
    {.name = "iscsi", .type = FIELD_OBJECT, .object = &type_iscsi_volume_source, .proto = 8},
    {.name = "glusterfs", .type = FIELD_OBJECT, .object = &type_glusterfs_volume_source, .proto = 9},
    {.name = "persistentVolumeClaim",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_claim_volume_source,
     .proto = 10},
    {.name = "rbd", .type = FIELD_OBJECT, .object = &type_rbd_volume_source, .proto = 11},
    {.name = "flexVolume", .type = FIELD_OBJECT, .object = &type_flex_volume_source, .proto = 12},
    {.name = "cinder", .type = FIELD_OBJECT, .object = &type_cinder_volume_source, .proto = 13},
    {.name = "cephfs", .type = FIELD_OBJECT, .object = &type_ceph_fs_volume_source, .proto = 14},
    {.name = "flocker", .type = FIELD_OBJECT, .object = &type_flocker_volume_source, .proto = 15},
    {.name = "downwardAPI", .type = FIELD_OBJECT, .object = &type_downward_api_volume_source, .proto = 16},
    {.name = "fc", .type = FIELD_OBJECT, .object = &type_fc_volume_source, .proto = 17},
    {.name = "azureFile", .type = FIELD_OBJECT, .object = &type_azure_file_volume_source, .proto = 18},
    {.name = "configMap", .type = FIELD_OBJECT, .object = &type_config_map_volume_source, .proto = 19},
    {.name = "vsphereVolume", .type = FIELD_OBJECT, .object = &type_vsphere_virtual_disk_volume_source, .proto = 20},
    {.name = "quobyte", .type = FIELD_OBJECT, .object = &type_quobyte_volume_source, .proto = 21},
    {.name = "azureDisk", .type = FIELD_OBJECT, .object = &type_azure_disk_volume_source, .proto = 22},
    {.name = "photonPersistentDisk",
     .type = FIELD_OBJECT,
     .object = &type_photon_persistent_disk_volume_source,
     .proto = 23},
    {.name = "portworxVolume", .type = FIELD_OBJECT, .object = &type_portworx_volume_source, .proto = 24},
    {.name = "scaleIO", .type = FIELD_OBJECT, .object = &type_scale_io_volume_source, .proto = 25},
    {.name = "projected", .type = FIELD_OBJECT, .object = &type_projected_volume_source, .proto = 26},
    {.name = "storageos", .type = FIELD_OBJECT, .object = &type_storage_os_volume_source, .proto = 27},
    {.name = "csi", .type = FIELD_OBJECT, .object = &type_csi_volume_source, .proto = 28},
    {.name = "ephemeral", .type = FIELD_OBJECT, .object = &type_ephemeral_volume_source, .proto = 29},
    {.name = "image", .type = FIELD_OBJECT, .object = &type_image_volume_source, .proto = 30},
    {.name = NULL},
};
const struct type type_volume_source = {
    .name = "VolumeSource",
    .fields = fields_volume_source,
    .check = check_volume_source,
};

static const struct field fields_volume[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .check = check_dns_label},
    {.name = "", .type = FIELD_OBJECT, .object = &type_volume_source, .proto = 2, .flags = FIELD_INLINE},
    {.name = NULL},
};
const struct type type_volume = {.name = "Volume", .fields = fields_volume};
