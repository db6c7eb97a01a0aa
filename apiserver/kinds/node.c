/* Node, core/v1. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_taint[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "value", .type = FIELD_STRING, .proto = 2},
    {.name = "effect", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = "timeAdded", .type = FIELD_TIME, .proto = 4},
    {.name = NULL},
};
static const struct type type_taint = {.name = "Taint", .fields = fields_taint, .check = check_taint};

static const struct field fields_config_map_node_config_source[] = {
    {.name = "namespace", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "name", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "uid", .type = FIELD_STRING, .proto = 3},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 4},
    {.name = "kubeletConfigKey", .type = FIELD_STRING, .proto = 5, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_config_map_node_config_source = {
    .name = "ConfigMapNodeConfigSource",
    .fields = fields_config_map_node_config_source,
};

static const struct field fields_node_config_source[] = {
    {.name = "configMap", .type = FIELD_OBJECT, .object = &type_config_map_node_config_source, .proto = 2},
    {.name = NULL},
};
static const struct type type_node_config_source = {.name = "NodeConfigSource", .fields = fields_node_config_source};

static const struct field fields_node_spec[] = {
    {.name = "podCIDR", .type = FIELD_STRING, .proto = 1},
    {.name = "externalID", .type = FIELD_STRING, .proto = 2},
    {.name = "providerID", .type = FIELD_STRING, .proto = 3},
    {.name = "unschedulable", .type = FIELD_BOOL, .proto = 4},
    {.name = "taints", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_taint, .proto = 5},
    {.name = "configSource", .type = FIELD_OBJECT, .object = &type_node_config_source, .proto = 6},
    {.name = "podCIDRs", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 7, .list = LIST_SET, .patch = PATCH_MERGE},
    {.name = NULL},
};
static const struct type type_node_spec = {.name = "NodeSpec", .fields = fields_node_spec};

static const struct field fields_node_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = "lastHeartbeatTime", .type = FIELD_TIME, .proto = 3, .flags = FIELD_ALWAYS},
    {.name = "lastTransitionTime", .type = FIELD_TIME, .proto = 4, .flags = FIELD_ALWAYS},
    {.name = "reason", .type = FIELD_STRING, .proto = 5},
    {.name = "message", .type = FIELD_STRING, .proto = 6},
    {.name = NULL},
};
static const struct type type_node_condition = {.name = "NodeCondition", .fields = fields_node_condition};

static const struct field fields_node_address[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "address", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_node_address = {.name = "NodeAddress", .fields = fields_node_address};

static const struct field fields_daemon_endpoint[] = {
    {.name = "Port", .type = FIELD_INT32, .proto = 1, .flags = FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_daemon_endpoint = {.name = "DaemonEndpoint", .fields = fields_daemon_endpoint};

static const struct field fields_node_daemon_endpoints[] = {
    {.name = "kubeletEndpoint",
     .type = FIELD_OBJECT,
     .object = &type_daemon_endpoint,
     .proto = 1,
     .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_node_daemon_endpoints = {
    .name = "NodeDaemonEndpoints",
    .fields = fields_node_daemon_endpoints,
};

static const struct field fields_node_system_info[] = {
    {.name = "machineID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "systemUUID", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = "bootID", .type = FIELD_STRING, .proto = 3, .flags = FIELD_ZERO},
    {.name = "kernelVersion", .type = FIELD_STRING, .proto = 4, .flags = FIELD_ZERO},
    {.name = "osImage", .type = FIELD_STRING, .proto = 5, .flags = FIELD_ZERO},
    {.name = "containerRuntimeVersion", .type = FIELD_STRING, .proto = 6, .flags = FIELD_ZERO},
    {.name = "kubeletVersion", .type = FIELD_STRING, .proto = 7, .flags = FIELD_ZERO},
    {.name = "kubeProxyVersion", .type = FIELD_STRING, .proto = 8, .flags = FIELD_ZERO},
    {.name = "operatingSystem", .type = FIELD_STRING, .proto = 9, .flags = FIELD_ZERO},
    {.name = "architecture", .type = FIELD_STRING, .proto = 10, .flags = FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_node_system_info = {.name = "NodeSystemInfo", .fields = fields_node_system_info};

static const struct field fields_container_image[] = {
    {.name = "names", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1},
    {.name = "sizeBytes", .type = FIELD_INT64, .proto = 2},
    {.name = NULL},
};
static const struct type type_container_image = {.name = "ContainerImage", .fields = fields_container_image};

static const struct field fields_attached_volume[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "devicePath", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_attached_volume = {.name = "AttachedVolume", .fields = fields_attached_volume};

static const struct field fields_node_config_status[] = {
    {.name = "assigned", .type = FIELD_OBJECT, .object = &type_node_config_source, .proto = 1},
    {.name = "active", .type = FIELD_OBJECT, .object = &type_node_config_source, .proto = 2},
    {.name = "lastKnownGood", .type = FIELD_OBJECT, .object = &type_node_config_source, .proto = 3},
    {.name = "error", .type = FIELD_STRING, .proto = 4},
    {.name = NULL},
};
static const struct type type_node_config_status = {.name = "NodeConfigStatus", .fields = fields_node_config_status};

static const struct field fields_node_runtime_handler_features[] = {
    {.name = "recursiveReadOnlyMounts", .type = FIELD_BOOL, .proto = 1, .flags = FIELD_POINTER},
    {.name = "userNamespaces", .type = FIELD_BOOL, .proto = 2, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_node_runtime_handler_features = {
    .name = "NodeRuntimeHandlerFeatures",
    .fields = fields_node_runtime_handler_features,
};

static const struct field fields_node_runtime_handler[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1},
    {.name = "features", .type = FIELD_OBJECT, .object = &type_node_runtime_handler_features, .proto = 2},
    {.name = NULL},
};
static const struct type type_node_runtime_handler = {
    .name = "NodeRuntimeHandler",
    .fields = fields_node_runtime_handler,
};

static const struct field fields_node_features[] = {
    {.name = "supplementalGroupsPolicy", .type = FIELD_BOOL, .proto = 1, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_node_features = {.name = "NodeFeatures", .fields = fields_node_features};

static const struct field fields_node_status[] = {
    {.name = "capacity", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 1, .check = check_resources},
    {.name = "allocatable", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 2, .check = check_resources},
    {.name = "phase", .type = FIELD_STRING, .proto = 3},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_condition,
     .proto = 4,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type"},
    {.name = "addresses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_address,
     .proto = 5,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type"},
    {.name = "daemonEndpoints",
     .type = FIELD_OBJECT,
     .object = &type_node_daemon_endpoints,
     .proto = 6,
     .flags = FIELD_ALWAYS},
    {.name = "nodeInfo", .type = FIELD_OBJECT, .object = &type_node_system_info, .proto = 7, .flags = FIELD_ALWAYS},
    {.name = "images", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_container_image, .proto = 8},
    {.name = "volumesInUse", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 9},
    {.name = "volumesAttached",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_attached_volume,
     .proto = 10},
    {.name = "config", .type = FIELD_OBJECT, .object = &type_node_config_status, .proto = 11},
    {.name = "runtimeHandlers",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_runtime_handler,
     .proto = 12},
    {.name = "features", .type = FIELD_OBJECT, .object = &type_node_features, .proto = 13},
    {.name = NULL},
};
static const struct type type_node_status = {
    .name = "NodeStatus",
    .fields = fields_node_status,
    .fill = fill_node_status,
};

static const struct field fields_node[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec", .type = FIELD_OBJECT, .object = &type_node_spec, .proto = 2, .flags = FIELD_ALWAYS},
    {.name = "status", .type = FIELD_OBJECT, .object = &type_node_status, .proto = 3, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
static const struct type type_node = {.name = "Node", .fields = fields_node};

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Status", .type = "string", .doc = "Ready, NotReady or Unknown, and SchedulingDisabled."},
    {.name = "Roles", .type = "string", .doc = "Roles named by labels."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = "Version", .type = "string", .doc = "Version of the node agent."},
    {.name = "Internal-IP", .type = "string", .doc = "Address within the cluster.", .priority = 1},
    {.name = "External-IP", .type = "string", .doc = "Address outside the cluster.", .priority = 1},
    {.name = "OS-Image", .type = "string", .doc = "Operating system.", .priority = 1},
    {.name = "Kernel-Version", .type = "string", .doc = "Kernel of the node.", .priority = 1},
    {.name = "Container-Runtime", .type = "string", .doc = "Container runtime and its version.", .priority = 1},
    {.name = NULL},
};

void fill_node_status(struct json_doc *d, struct json *v)
{
    if (json_get(v, "allocatable") == NULL && json_get(v, "capacity") != NULL)
        json_set(d, v, "allocatable", json_copy(d, json_get(v, "capacity")));
}

static void status_text(const struct json *o, struct buf *out)
{
    const char *word = "Unknown";
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i)) {
        if (!slice_is(json_string_at(i.value, "type"), "Ready"))
            continue;
        word = slice_is(json_string_at(i.value, "status"), "True") ? "Ready" : "NotReady";
    }
    buf_append_str(out, word);
    if (json_bool_at(o, "spec.unschedulable", false))
        buf_append_str(out, ",SchedulingDisabled");
}

static void roles_text(const struct json *o, struct buf *out)
{
    struct slice prefix = SLICE("node-role.kubernetes.io/");
    struct json_iterator i = json_iterate(json_at(o, "metadata.labels"));
    while (json_next(&i)) {
        struct slice role = {0};
        if (slice_has_prefix(i.key, prefix))
            role = slice_from(i.key, prefix.size);
        else if (slice_is(i.key, "kubernetes.io/role"))
            role = json_string(i.value);
        if (role.size == 0)
            continue;
        if (out->size > 0)
            buf_append_char(out, ',');
        buf_append_slice(out, role);
    }
}

static struct slice address(const struct json *o, const char *type)
{
    struct json_iterator i = json_iterate(json_at(o, "status.addresses"));
    while (json_next(&i)) {
        if (slice_is(json_string_at(i.value, "type"), type))
            return json_string_at(i.value, "address");
    }
    return (struct slice){NULL, 0};
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct buf text = {0};
    cells_add(out, json_string_at(o, "metadata.name"));
    status_text(o, &text);
    cells_add(out, buf_slice(&text));
    buf_reset(&text);
    roles_text(o, &text);
    cells_or(out, buf_slice(&text), "<none>");
    buf_release(&text);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    cells_add(out, json_string_at(o, "status.nodeInfo.kubeletVersion"));
    cells_or(out, address(o, "InternalIP"), "<none>");
    cells_or(out, address(o, "ExternalIP"), "<none>");
    cells_or(out, json_string_at(o, "status.nodeInfo.osImage"), "<unknown>");
    cells_or(out, json_string_at(o, "status.nodeInfo.kernelVersion"), "<unknown>");
    cells_or(out, json_string_at(o, "status.nodeInfo.containerRuntimeVersion"), "<unknown>");
}

static const char *const short_names[] = {"no", NULL};
static const struct subresource subresources[] = {
    {"status", "", "v1", "Node", "get,patch,update", false},
    {.name = NULL},
};
static const struct selectable selectable[] = {
    {.label = "spec.unschedulable", .absent = "false"},
    {.label = NULL},
};

const struct kind kind_node = {
    .group = "",
    .version = "v1",
    .name = "Node",
    .plural = "nodes",
    .singular = "node",
    .short_names = short_names,
    .namespaced = false,
    .storage_prefix = "minions",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_node,
    .subresources = subresources,
    .selectable = selectable,
    .columns = columns,
    .row = row,
    .create_keeps_status = true,
    .no_generation = true,
};
