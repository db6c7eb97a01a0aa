/* What a volume of a pod and a persistent volume say alike of the storage behind them, row for row; they differ in
 * where the secret may be: SECRET is the type of a reference to it. */
#ifndef APISERVER_KINDS_VOLUME_ROWS_H
#define APISERVER_KINDS_VOLUME_ROWS_H

/* The formatter knows no lists in macros. */
/* clang-format off */

#define AZURE_FILE_ROWS \
    {.name = "secretName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Secret with account and key."}, \
    {.name = "shareName", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, \
     .doc = "Name of the share."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Mount it read-only."}

#define CEPH_FS_ROWS(SECRET) \
    {.name = "monitors", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Addresses of the monitors."}, \
    {.name = "path", .type = FIELD_STRING, .proto = 2, .doc = "Folder to mount; the root when empty."}, \
    {.name = "user", .type = FIELD_STRING, .proto = 3, .doc = "User to log in as."}, \
    {.name = "secretFile", .type = FIELD_STRING, .proto = 4, .doc = "File on the node with the key."}, \
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &SECRET, .proto = 5, \
     .doc = "The secret with the credentials."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 6, .doc = "Mount it read-only."}

#define CINDER_ROWS(SECRET) \
    {.name = "volumeID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Id of the volume in Cinder."}, \
    {.name = "fsType", .type = FIELD_STRING, .proto = 2, \
     .doc = "File system on the volume; what is usual for the driver when empty."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Mount it read-only."}, \
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &SECRET, .proto = 4, \
     .doc = "The secret with the credentials."}

#define FLEX_ROWS(SECRET) \
    {.name = "driver", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Name of the executable."}, \
    {.name = "fsType", .type = FIELD_STRING, .proto = 2, \
     .doc = "File system on the volume; what is usual for the driver when empty."}, \
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &SECRET, .proto = 3, \
     .doc = "The secret with the credentials."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4, .doc = "Mount it read-only."}, \
    {.name = "options", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 5, .doc = "Passed on to it."}

#define GLUSTERFS_ROWS \
    {.name = "endpoints", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Endpoints that name its servers."}, \
    {.name = "path", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Name of the volume."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 3, .doc = "Mount it read-only."}

#define ISCSI_ROWS(SECRET) \
    {.name = "targetPortal", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Address of the target, with its port unless that is 3260."}, \
    {.name = "iqn", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, \
     .doc = "Qualified name of the target."}, \
    {.name = "lun", .type = FIELD_INT32, .proto = 3, .flags = FIELD_ZERO, \
     .doc = "Number of the disk at the target."}, \
    {.name = "iscsiInterface", .type = FIELD_STRING, .proto = 4, .fallback = "\"default\"", \
     .doc = "Initiator's interface."}, \
    {.name = "fsType", .type = FIELD_STRING, .proto = 5, \
     .doc = "File system on the volume; what is usual for the driver when empty."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 6, .doc = "Mount it read-only."}, \
    {.name = "portals", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 7, \
     .doc = "Further addresses of the target."}, \
    {.name = "chapAuthDiscovery", .type = FIELD_BOOL, .proto = 8, .doc = "Log in for discovery."}, \
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &SECRET, .proto = 10, \
     .doc = "The secret with the credentials."}, \
    {.name = "chapAuthSession", .type = FIELD_BOOL, .proto = 11, .doc = "Log in for the session."}, \
    {.name = "initiatorName", .type = FIELD_STRING, .proto = 12, .flags = FIELD_POINTER, \
     .doc = "Name to appear as, instead of the node's own."}

#define RBD_ROWS(SECRET) \
    {.name = "monitors", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Addresses of the monitors."}, \
    {.name = "image", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Name of the image."}, \
    {.name = "fsType", .type = FIELD_STRING, .proto = 3, \
     .doc = "File system on the volume; what is usual for the driver when empty."}, \
    {.name = "pool", .type = FIELD_STRING, .proto = 4, .fallback = "\"rbd\"", .doc = "Pool of the image."}, \
    {.name = "user", .type = FIELD_STRING, .proto = 5, .fallback = "\"admin\"", .doc = "User to log in as."}, \
    {.name = "keyring", .type = FIELD_STRING, .proto = 6, .fallback = "\"/etc/ceph/keyring\"", \
     .doc = "File on the node with the key."}, \
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &SECRET, .proto = 7, \
     .doc = "The secret with the credentials."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 8, .doc = "Mount it read-only."}

#define SCALE_IO_ROWS(SECRET) \
    {.name = "gateway", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, \
     .doc = "Address of the API gateway."}, \
    {.name = "system", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, \
     .doc = "Name of the storage system."}, \
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &SECRET, .proto = 3, .flags = FIELD_REQUIRED, \
     .doc = "The secret with the credentials."}, \
    {.name = "sslEnabled", .type = FIELD_BOOL, .proto = 4, .doc = "Speak TLS with the gateway."}, \
    {.name = "protectionDomain", .type = FIELD_STRING, .proto = 5, .doc = "Protection domain of the storage."}, \
    {.name = "storagePool", .type = FIELD_STRING, .proto = 6, .doc = "Pool in that domain."}, \
    {.name = "storageMode", .type = FIELD_STRING, .proto = 7, .fallback = "\"ThinProvisioned\"", \
     .doc = "ThickProvisioned or ThinProvisioned."}, \
    {.name = "volumeName", .type = FIELD_STRING, .proto = 8, .doc = "Name of the volume."}, \
    {.name = "fsType", .type = FIELD_STRING, .proto = 9, .fallback = "\"xfs\"", \
     .doc = "File system on the volume; what is usual for the driver when empty."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 10, .doc = "Mount it read-only."}

#define STORAGE_OS_ROWS(SECRET) \
    {.name = "volumeName", .type = FIELD_STRING, .proto = 1, .doc = "Name of the volume."}, \
    {.name = "volumeNamespace", .type = FIELD_STRING, .proto = 2, .doc = "Its scope within StorageOS."}, \
    {.name = "fsType", .type = FIELD_STRING, .proto = 3, \
     .doc = "File system on the volume; what is usual for the driver when empty."}, \
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 4, .doc = "Mount it read-only."}, \
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &SECRET, .proto = 5, \
     .doc = "The secret with the credentials."}

/* clang-format on */

#endif
