/* The volumes of a pod: one member of VolumeSource per volume type. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/kinds/volume_rows.h"

static const struct field fields_host_path_volume_source[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Its path."},
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "\"\"",
     .doc = "What has to be there, such as Directory or FileOrCreate; empty: not looked at."},
    {.name = NULL},
};
const struct type type_host_path_volume_source = {
    .name = "HostPathVolumeSource",
    .doc = "A file or directory of the node.",
    .fields = fields_host_path_volume_source,
};

static const struct field fields_empty_dir_volume_source[] = {
    {.name = "medium", .type = FIELD_STRING, .proto = 1, .doc = "Where it is: empty: disk; Memory: memory."},
    {.name = "sizeLimit", .type = FIELD_QUANTITY, .proto = 2, .doc = "How large it may grow."},
    {.name = NULL},
};
static const struct type type_empty_dir_volume_source = {
    .name = "EmptyDirVolumeSource",
    .doc = "A directory that is empty at first and goes with the pod.",
    .fields = fields_empty_dir_volume_source,
};

static const struct field fields_gce_persistent_disk_volume_source[] = {
    {.name = "pdName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Name of the disk."},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2, .doc = "File system."},
    {.name = "partition", .type = FIELD_INT32, .proto = 3, .doc = "Number of the partition; 0: the whole disk."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4, .doc = "Whether it is read-only."},
    {.name = NULL},
};
const struct type type_gce_persistent_disk_volume_source = {
    .name = "GCEPersistentDiskVolumeSource",
    .doc = "A disk of Google's cloud.",
    .fields = fields_gce_persistent_disk_volume_source,
};

static const struct field fields_aws_elastic_block_store_volume_source[] = {
    {.name = "volumeID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Id of the disk."},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2, .doc = "File system."},
    {.name = "partition", .type = FIELD_INT32, .proto = 3, .doc = "Number of the partition; 0: the whole disk."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4, .doc = "Whether it is read-only."},
    {.name = NULL},
};
const struct type type_aws_elastic_block_store_volume_source = {
    .name = "AWSElasticBlockStoreVolumeSource",
    .doc = "A disk of Amazon's cloud.",
    .fields = fields_aws_elastic_block_store_volume_source,
};

static const struct field fields_git_repo_volume_source[] = {
    {.name = "repository", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "URL of the repository."},
    {.name = "revision", .type = FIELD_STRING, .proto = 2, .doc = "Commit that is checked out."},
    {.name = "directory", .type = FIELD_STRING, .proto = 3, .doc = "Directory that it is put in."},
    {.name = NULL},
};
static const struct type type_git_repo_volume_source = {
    .name = "GitRepoVolumeSource",
    .doc = "No longer used: a copy of a git repository.",
    .fields = fields_git_repo_volume_source,
};

static const struct field fields_key_to_path[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "The key."},
    {.name = "path",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .doc = "Path of the file below the volume."},
    {.name = "mode",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .check = check_file_mode,
     .doc = "Mode of the file; none: the volume's default."},
    {.name = NULL},
};
static const struct type type_key_to_path = {
    .name = "KeyToPath", .doc = "A key as a file.", .fields = fields_key_to_path};

static const struct field fields_secret_volume_source[] = {
    {.name = "secretName", .type = FIELD_STRING, .proto = 1, .doc = "Name of the Secret."},
    {.name = "items",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_key_to_path,
     .proto = 2,
     .doc = "Keys, and their paths; none: all keys."},
    {.name = "defaultMode",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .fallback = "420",
     .check = check_file_mode,
     .doc = "Mode of the files."},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER, .doc = "Whether it may be missing."},
    {.name = NULL},
};
static const struct type type_secret_volume_source = {
    .name = "SecretVolumeSource",
    .doc = "Keys of a Secret as files.",
    .fields = fields_secret_volume_source,
};

static const struct field fields_nfs_volume_source[] = {
    {.name = "server",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Name or address of the server."},
    {.name = "path", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Path at the server."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Whether it is read-only."},
    {.name = NULL},
};
const struct type type_nfs_volume_source = {
    .name = "NFSVolumeSource", .doc = "A directory of an NFS server.", .fields = fields_nfs_volume_source};

static const struct field fields_iscsi_volume_source[] = {
    ISCSI_ROWS(type_local_object_reference),
    {.name = NULL},
};
static const struct type type_iscsi_volume_source = {
    .name = "ISCSIVolumeSource",
    .doc = "An iSCSI disk.",
    .fields = fields_iscsi_volume_source,
};

static const struct field fields_glusterfs_volume_source[] = {
    GLUSTERFS_ROWS,
    {.name = NULL},
};
static const struct type type_glusterfs_volume_source = {
    .name = "GlusterfsVolumeSource",
    .doc = "A Gluster volume.",
    .fields = fields_glusterfs_volume_source,
};

static const struct field fields_persistent_volume_claim_volume_source[] = {
    {.name = "claimName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Name of the claim."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 2, .doc = "Whether it is read-only."},
    {.name = NULL},
};
static const struct type type_persistent_volume_claim_volume_source = {
    .name = "PersistentVolumeClaimVolumeSource",
    .doc = "The volume of a claim.",
    .fields = fields_persistent_volume_claim_volume_source,
};

static const struct field fields_rbd_volume_source[] = {
    RBD_ROWS(type_local_object_reference),
    {.name = NULL},
};
static const struct type type_rbd_volume_source = {
    .name = "RBDVolumeSource", .doc = "A Ceph block device.", .fields = fields_rbd_volume_source};

static const struct field fields_flex_volume_source[] = {
    FLEX_ROWS(type_local_object_reference),
    {.name = NULL},
};
static const struct type type_flex_volume_source = {.name = "FlexVolumeSource",
                                                    .doc = "A volume of a driver that is a program on the node.",
                                                    .fields = fields_flex_volume_source};

static const struct field fields_cinder_volume_source[] = {
    CINDER_ROWS(type_local_object_reference),
    {.name = NULL},
};
static const struct type type_cinder_volume_source = {
    .name = "CinderVolumeSource",
    .doc = "A disk of OpenStack.",
    .fields = fields_cinder_volume_source,
};

static const struct field fields_ceph_fs_volume_source[] = {
    CEPH_FS_ROWS(type_local_object_reference),
    {.name = NULL},
};
static const struct type type_ceph_fs_volume_source = {
    .name = "CephFSVolumeSource",
    .doc = "A directory of a Ceph file system.",
    .fields = fields_ceph_fs_volume_source,
};

static const struct field fields_flocker_volume_source[] = {
    {.name = "datasetName", .type = FIELD_STRING, .proto = 1, .doc = "Name of the dataset."},
    {.name = "datasetUUID", .type = FIELD_STRING, .proto = 2, .doc = "Id of the dataset."},
    {.name = NULL},
};
const struct type type_flocker_volume_source = {
    .name = "FlockerVolumeSource",
    .doc = "A Flocker dataset.",
    .fields = fields_flocker_volume_source,
};

static const struct field fields_downward_api_volume_file[] = {
    {.name = "path",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Path of the file below the volume."},
    {.name = "fieldRef",
     .type = FIELD_OBJECT,
     .object = &type_object_field_selector,
     .proto = 2,
     .doc = "A field of the pod."},
    {.name = "resourceFieldRef",
     .type = FIELD_OBJECT,
     .object = &type_resource_field_selector,
     .proto = 3,
     .doc = "A request or limit of a container."},
    {.name = "mode",
     .type = FIELD_INT32,
     .proto = 4,
     .flags = FIELD_POINTER,
     .check = check_file_mode,
     .doc = "Mode of the file; none: the volume's default."},
    {.name = NULL},
};
static const struct type type_downward_api_volume_file = {
    .name = "DownwardAPIVolumeFile",
    .doc = "Something about the pod as a file.",
    .fields = fields_downward_api_volume_file,
};

static const struct field fields_downward_api_volume_source[] = {
    {.name = "items",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_downward_api_volume_file,
     .proto = 1,
     .doc = "The files."},
    {.name = "defaultMode",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "420",
     .check = check_file_mode,
     .doc = "Mode of the files."},
    {.name = NULL},
};
static const struct type type_downward_api_volume_source = {
    .name = "DownwardAPIVolumeSource",
    .doc = "Facts about the pod as files.",
    .fields = fields_downward_api_volume_source,
};

static const struct field fields_fc_volume_source[] = {
    {.name = "targetWWNs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .doc = "Names of the targets."},
    {.name = "lun", .type = FIELD_INT32, .proto = 2, .flags = FIELD_POINTER, .doc = "Number of the unit."},
    {.name = "fsType", .type = FIELD_STRING, .proto = 3, .doc = "File system."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4, .doc = "Whether it is read-only."},
    {.name = "wwids", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 5, .doc = "World wide ids of the disk."},
    {.name = NULL},
};
const struct type type_fc_volume_source = {
    .name = "FCVolumeSource", .doc = "A Fibre Channel disk.", .fields = fields_fc_volume_source};

static const struct field fields_azure_file_volume_source[] = {
    AZURE_FILE_ROWS,
    {.name = NULL},
};
static const struct type type_azure_file_volume_source = {
    .name = "AzureFileVolumeSource",
    .doc = "A file share of Azure.",
    .fields = fields_azure_file_volume_source,
};

static const struct field fields_config_map_volume_source[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "items",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_key_to_path,
     .proto = 2,
     .doc = "Keys, and their paths; none: all keys."},
    {.name = "defaultMode",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .fallback = "420",
     .check = check_file_mode,
     .doc = "Mode of the files."},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER, .doc = "Whether it may be missing."},
    {.name = NULL},
};
static const struct type type_config_map_volume_source = {
    .name = "ConfigMapVolumeSource",
    .doc = "Keys of a ConfigMap as files.",
    .fields = fields_config_map_volume_source,
};

static const struct field fields_vsphere_virtual_disk_volume_source[] = {
    {.name = "volumePath", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Path of the disk."},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2, .doc = "File system."},
    {.name = "storagePolicyName", .type = FIELD_STRING, .proto = 3, .doc = "Name of the storage policy."},
    {.name = "storagePolicyID", .type = FIELD_STRING, .proto = 4, .doc = "Id of the storage policy."},
    {.name = NULL},
};
const struct type type_vsphere_virtual_disk_volume_source = {
    .name = "VsphereVirtualDiskVolumeSource",
    .doc = "A disk of vSphere.",
    .fields = fields_vsphere_virtual_disk_volume_source,
};

static const struct field fields_quobyte_volume_source[] = {
    {.name = "registry",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Addresses of the registry."},
    {.name = "volume", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Name of the volume."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Whether it is read-only."},
    {.name = "user", .type = FIELD_STRING, .proto = 4, .doc = "User that it is reached as."},
    {.name = "group", .type = FIELD_STRING, .proto = 5, .doc = "Group that it is reached as."},
    {.name = "tenant", .type = FIELD_STRING, .proto = 6, .doc = "Tenant that owns it."},
    {.name = NULL},
};
const struct type type_quobyte_volume_source = {
    .name = "QuobyteVolumeSource",
    .doc = "A Quobyte volume.",
    .fields = fields_quobyte_volume_source,
};

static const struct field fields_azure_disk_volume_source[] = {
    {.name = "diskName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Name of the disk."},
    {.name = "diskURI", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Where the disk is."},
    {.name = "cachingMode",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_POINTER,
     .fallback = "\"ReadWrite\"",
     .doc = "None, ReadOnly or ReadWrite."},
    {.name = "fsType",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "\"ext4\"",
     .doc = "File system."},
    {.name = "readOnly",
     .type = FIELD_BOOL,
     .proto = 5,
     .flags = FIELD_POINTER,
     .fallback = "false",
     .doc = "Whether it is read-only."},
    {.name = "kind",
     .type = FIELD_STRING,
     .proto = 6,
     .flags = FIELD_POINTER,
     .fallback = "\"Shared\"",
     .doc = "Shared, Dedicated or Managed."},
    {.name = NULL},
};
const struct type type_azure_disk_volume_source = {
    .name = "AzureDiskVolumeSource",
    .doc = "A disk of Azure.",
    .fields = fields_azure_disk_volume_source,
};

static const struct field fields_photon_persistent_disk_volume_source[] = {
    {.name = "pdID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Id of the disk."},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2, .doc = "File system."},
    {.name = NULL},
};
const struct type type_photon_persistent_disk_volume_source = {
    .name = "PhotonPersistentDiskVolumeSource",
    .doc = "A disk of Photon.",
    .fields = fields_photon_persistent_disk_volume_source,
};

static const struct field fields_portworx_volume_source[] = {
    {.name = "volumeID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Id of the volume."},
    {.name = "fsType", .type = FIELD_STRING, .proto = 2, .doc = "File system."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Whether it is read-only."},
    {.name = NULL},
};
const struct type type_portworx_volume_source = {
    .name = "PortworxVolumeSource",
    .doc = "A Portworx volume.",
    .fields = fields_portworx_volume_source,
};

static const struct field fields_scale_io_volume_source[] = {
    SCALE_IO_ROWS(type_local_object_reference),
    {.name = NULL},
};
static const struct type type_scale_io_volume_source = {
    .name = "ScaleIOVolumeSource",
    .doc = "A ScaleIO volume.",
    .fields = fields_scale_io_volume_source,
};

static const struct field fields_secret_projection[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "items",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_key_to_path,
     .proto = 2,
     .doc = "Keys, and their paths; none: all keys."},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER, .doc = "Whether it may be missing."},
    {.name = NULL},
};
static const struct type type_secret_projection = {.name = "SecretProjection",
                                                   .doc = "Keys of a Secret as files of a projected volume.",
                                                   .fields = fields_secret_projection};

static const struct field fields_downward_api_projection[] = {
    {.name = "items",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_downward_api_volume_file,
     .proto = 1,
     .doc = "The files."},
    {.name = NULL},
};
static const struct type type_downward_api_projection = {
    .name = "DownwardAPIProjection",
    .doc = "Facts about the pod as files of a projected volume.",
    .fields = fields_downward_api_projection,
};

static const struct field fields_config_map_projection[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "items",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_key_to_path,
     .proto = 2,
     .doc = "Keys, and their paths; none: all keys."},
    {.name = "optional", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER, .doc = "Whether it may be missing."},
    {.name = NULL},
};
static const struct type type_config_map_projection = {
    .name = "ConfigMapProjection",
    .doc = "Keys of a ConfigMap as files of a projected volume.",
    .fields = fields_config_map_projection,
};

static const struct field fields_service_account_token_projection[] = {
    {.name = "audience", .type = FIELD_STRING, .proto = 1, .doc = "Who the token is for; empty: the server."},
    {.name = "expirationSeconds",
     .type = FIELD_INT64,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "3600",
     .doc = "Seconds it holds; it is renewed in time."},
    {.name = "path",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .doc = "Path of the file below the volume."},
    {.name = NULL},
};
static const struct type type_service_account_token_projection = {
    .name = "ServiceAccountTokenProjection",
    .doc = "A token of the pod's service account as a file.",
    .fields = fields_service_account_token_projection,
};

static const struct field fields_cluster_trust_bundle_projection[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Name of the bundle; not with signerName."},
    {.name = "signerName",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_POINTER,
     .doc = "Signer whose bundles are put together."},
    {.name = "labelSelector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 3,
     .doc = "Labels of those bundles."},
    {.name = "path",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_REQUIRED,
     .doc = "Path of the file below the volume."},
    {.name = "optional", .type = FIELD_BOOL, .proto = 5, .flags = FIELD_POINTER, .doc = "Whether it may be missing."},
    {.name = NULL},
};
static const struct type type_cluster_trust_bundle_projection = {
    .name = "ClusterTrustBundleProjection",
    .doc = "Certificates that are trusted, as a file.",
    .fields = fields_cluster_trust_bundle_projection,
};

static const struct field fields_volume_projection[] = {
    {.name = "secret", .type = FIELD_OBJECT, .object = &type_secret_projection, .proto = 1, .doc = "Keys of a Secret."},
    {.name = "downwardAPI",
     .type = FIELD_OBJECT,
     .object = &type_downward_api_projection,
     .proto = 2,
     .doc = "Facts about the pod."},
    {.name = "configMap",
     .type = FIELD_OBJECT,
     .object = &type_config_map_projection,
     .proto = 3,
     .doc = "Keys of a ConfigMap."},
    {.name = "serviceAccountToken",
     .type = FIELD_OBJECT,
     .object = &type_service_account_token_projection,
     .proto = 4,
     .doc = "A token of the pod's service account."},
    {.name = "clusterTrustBundle",
     .type = FIELD_OBJECT,
     .object = &type_cluster_trust_bundle_projection,
     .proto = 5,
     .doc = "Certificates that are trusted."},
    {.name = NULL},
};
static const struct type type_volume_projection = {.name = "VolumeProjection",
                                                   .doc = "A part of a projected volume: one of five.",
                                                   .fields = fields_volume_projection};

static const struct field fields_projected_volume_source[] = {
    {.name = "sources",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_volume_projection,
     .proto = 1,
     .doc = "The sources."},
    {.name = "defaultMode",
     .type = FIELD_INT32,
     .proto = 2,
     .flags = FIELD_POINTER,
     .fallback = "420",
     .check = check_file_mode,
     .doc = "Mode of the files."},
    {.name = NULL},
};
static const struct type type_projected_volume_source = {
    .name = "ProjectedVolumeSource",
    .doc = "Several sources as files of one volume.",
    .fields = fields_projected_volume_source,
};

static const struct field fields_storage_os_volume_source[] = {
    STORAGE_OS_ROWS(type_local_object_reference),
    {.name = NULL},
};
static const struct type type_storage_os_volume_source = {
    .name = "StorageOSVolumeSource",
    .doc = "A StorageOS volume.",
    .fields = fields_storage_os_volume_source,
};

static const struct field fields_csi_volume_source[] = {
    {.name = "driver", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Name of the driver."},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 2, .flags = FIELD_POINTER, .doc = "Whether it is read-only."},
    {.name = "fsType", .type = FIELD_STRING, .proto = 3, .flags = FIELD_POINTER, .doc = "File system."},
    {.name = "volumeAttributes",
     .type = FIELD_STRING,
     .shape = FIELD_MAP,
     .proto = 4,
     .doc = "Settings for the driver."},
    {.name = "nodePublishSecretRef",
     .type = FIELD_OBJECT,
     .object = &type_local_object_reference,
     .proto = 5,
     .doc = "Secret for the driver."},
    {.name = NULL},
};
static const struct type type_csi_volume_source = {.name = "CSIVolumeSource",
                                                   .doc = "A volume that a storage driver makes for the pod alone.",
                                                   .fields = fields_csi_volume_source};

static const struct field fields_volume_resource_requirements[] = {
    {.name = "limits", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 1, .doc = "The most it may be."},
    {.name = "requests", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 2, .doc = "The least it has to be."},
    {.name = NULL},
};
static const struct type type_volume_resource_requirements = {
    .name = "VolumeResourceRequirements",
    .doc = "Room that is asked for.",
    .fields = fields_volume_resource_requirements,
};

static const struct field fields_persistent_volume_claim_spec[] = {
    {.name = "accessModes",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .doc = "How it is mounted, such as ReadWriteOnce."},
    {.name = "resources",
     .type = FIELD_OBJECT,
     .object = &type_volume_resource_requirements,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "How large it is."},
    {.name = "volumeName", .type = FIELD_STRING, .proto = 3, .doc = "The volume that it is bound to."},
    {.name = "selector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 4,
     .doc = "Labels of the volumes that will do."},
    {.name = "storageClassName",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_POINTER,
     .doc = "Class of the volume; empty: none; none: the default."},
    {.name = "volumeMode",
     .type = FIELD_STRING,
     .proto = 6,
     .flags = FIELD_POINTER,
     .fallback = "\"Filesystem\"",
     .doc = "Filesystem or Block."},
    {.name = "dataSource",
     .type = FIELD_OBJECT,
     .object = &type_typed_local_object_reference,
     .proto = 7,
     .doc = "What it is filled from at first."},
    {.name = "dataSourceRef",
     .type = FIELD_OBJECT,
     .object = &type_typed_object_reference,
     .proto = 8,
     .doc = "What it is filled from at first; any kind."},
    {.name = "volumeAttributesClassName",
     .type = FIELD_STRING,
     .proto = 9,
     .flags = FIELD_POINTER,
     .doc = "Class of its attributes that can change."},
    {.name = NULL},
};
const struct type type_persistent_volume_claim_spec = {
    .name = "PersistentVolumeClaimSpec",
    .doc = "What volume is asked for.",
    .fields = fields_persistent_volume_claim_spec,
};

static const struct field fields_persistent_volume_claim_template[] = {
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_claim_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO,
     .doc = "What is wanted."},
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
    .doc = "A claim that is made for the pod.",
    .fields = fields_persistent_volume_claim_template,
    .check = check_claim_template,
};

static const struct field fields_ephemeral_volume_source[] = {
    {.name = "volumeClaimTemplate",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_claim_template,
     .proto = 1,
     .doc = "The claim."},
    {.name = NULL},
};
static const struct type type_ephemeral_volume_source = {
    .name = "EphemeralVolumeSource",
    .doc = "A volume of a claim that lives with the pod.",
    .fields = fields_ephemeral_volume_source,
};

static const struct field fields_image_volume_source[] = {
    {.name = "reference", .type = FIELD_STRING, .proto = 1, .doc = "Name of the image."},
    {.name = "pullPolicy", .type = FIELD_STRING, .proto = 2, .doc = "Always, IfNotPresent or Never."},
    {.name = NULL},
};
static const struct type type_image_volume_source = {
    .name = "ImageVolumeSource",
    .doc = "Files of an image.",
    .fields = fields_image_volume_source,
};

static const struct field fields_volume_source[] = {
    {.name = "hostPath",
     .type = FIELD_OBJECT,
     .object = &type_host_path_volume_source,
     .proto = 1,
     .doc = "A file or directory of the node."},
    {.name = "emptyDir",
     .type = FIELD_OBJECT,
     .object = &type_empty_dir_volume_source,
     .proto = 2,
     .doc = "A directory that is empty at first and goes with the pod."},
    {.name = "gcePersistentDisk",
     .type = FIELD_OBJECT,
     .object = &type_gce_persistent_disk_volume_source,
     .proto = 3,
     .doc = "A disk of Google's cloud."},
    {.name = "awsElasticBlockStore",
     .type = FIELD_OBJECT,
     .object = &type_aws_elastic_block_store_volume_source,
     .proto = 4,
     .doc = "A disk of Amazon's cloud."},
    {.name = "gitRepo",
     .type = FIELD_OBJECT,
     .object = &type_git_repo_volume_source,
     .proto = 5,
     .doc = "No longer used."},
    {.name = "secret",
     .type = FIELD_OBJECT,
     .object = &type_secret_volume_source,
     .proto = 6,
     .doc = "Keys of a Secret."},
    {.name = "nfs",
     .type = FIELD_OBJECT,
     .object = &type_nfs_volume_source,
     .proto = 7,
     .doc = "A directory of an NFS server."},
    {.name = "iscsi", .type = FIELD_OBJECT, .object = &type_iscsi_volume_source, .proto = 8, .doc = "An iSCSI disk."},
    {.name = "glusterfs",
     .type = FIELD_OBJECT,
     .object = &type_glusterfs_volume_source,
     .proto = 9,
     .doc = "A Gluster volume."},
    {.name = "persistentVolumeClaim",
     .type = FIELD_OBJECT,
     .object = &type_persistent_volume_claim_volume_source,
     .proto = 10,
     .doc = "The volume of a claim."},
    {.name = "rbd",
     .type = FIELD_OBJECT,
     .object = &type_rbd_volume_source,
     .proto = 11,
     .doc = "A Ceph block device."},
    {.name = "flexVolume",
     .type = FIELD_OBJECT,
     .object = &type_flex_volume_source,
     .proto = 12,
     .doc = "A volume of a driver that is a program on the node."},
    {.name = "cinder",
     .type = FIELD_OBJECT,
     .object = &type_cinder_volume_source,
     .proto = 13,
     .doc = "A disk of OpenStack."},
    {.name = "cephfs",
     .type = FIELD_OBJECT,
     .object = &type_ceph_fs_volume_source,
     .proto = 14,
     .doc = "A directory of a Ceph file system."},
    {.name = "flocker",
     .type = FIELD_OBJECT,
     .object = &type_flocker_volume_source,
     .proto = 15,
     .doc = "A Flocker dataset."},
    {.name = "downwardAPI",
     .type = FIELD_OBJECT,
     .object = &type_downward_api_volume_source,
     .proto = 16,
     .doc = "Facts about the pod."},
    {.name = "fc", .type = FIELD_OBJECT, .object = &type_fc_volume_source, .proto = 17, .doc = "A Fibre Channel disk."},
    {.name = "azureFile",
     .type = FIELD_OBJECT,
     .object = &type_azure_file_volume_source,
     .proto = 18,
     .doc = "A file share of Azure."},
    {.name = "configMap",
     .type = FIELD_OBJECT,
     .object = &type_config_map_volume_source,
     .proto = 19,
     .doc = "Keys of a ConfigMap."},
    {.name = "vsphereVolume",
     .type = FIELD_OBJECT,
     .object = &type_vsphere_virtual_disk_volume_source,
     .proto = 20,
     .doc = "A disk of vSphere."},
    {.name = "quobyte",
     .type = FIELD_OBJECT,
     .object = &type_quobyte_volume_source,
     .proto = 21,
     .doc = "A Quobyte volume."},
    {.name = "azureDisk",
     .type = FIELD_OBJECT,
     .object = &type_azure_disk_volume_source,
     .proto = 22,
     .doc = "A disk of Azure."},
    {.name = "photonPersistentDisk",
     .type = FIELD_OBJECT,
     .object = &type_photon_persistent_disk_volume_source,
     .proto = 23,
     .doc = "A disk of Photon."},
    {.name = "portworxVolume",
     .type = FIELD_OBJECT,
     .object = &type_portworx_volume_source,
     .proto = 24,
     .doc = "A Portworx volume."},
    {.name = "scaleIO",
     .type = FIELD_OBJECT,
     .object = &type_scale_io_volume_source,
     .proto = 25,
     .doc = "A ScaleIO volume."},
    {.name = "projected",
     .type = FIELD_OBJECT,
     .object = &type_projected_volume_source,
     .proto = 26,
     .doc = "Several sources in one volume."},
    {.name = "storageos",
     .type = FIELD_OBJECT,
     .object = &type_storage_os_volume_source,
     .proto = 27,
     .doc = "A StorageOS volume."},
    {.name = "csi",
     .type = FIELD_OBJECT,
     .object = &type_csi_volume_source,
     .proto = 28,
     .doc = "A volume that a storage driver makes for the pod alone."},
    {.name = "ephemeral",
     .type = FIELD_OBJECT,
     .object = &type_ephemeral_volume_source,
     .proto = 29,
     .doc = "A volume of a claim that lives with the pod."},
    {.name = "image",
     .type = FIELD_OBJECT,
     .object = &type_image_volume_source,
     .proto = 30,
     .doc = "Files of an image."},
    {.name = NULL},
};
const struct type type_volume_source = {
    .name = "VolumeSource",
    .doc = "Where the content of a volume comes from: one of these.",
    .fields = fields_volume_source,
    .check = check_volume_source,
};

static const struct field fields_volume[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .check = check_dns_label,
     .doc = "Name of the volume, unique in the pod."},
    {.name = "", .type = FIELD_OBJECT, .object = &type_volume_source, .proto = 2, .flags = FIELD_INLINE},
    {.name = NULL},
};
const struct type type_volume = {
    .name = "Volume", .doc = "A volume that containers of the pod may mount.", .fields = fields_volume};
