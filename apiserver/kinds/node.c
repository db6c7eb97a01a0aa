/* Node, core/v1. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"

static const struct field fields_taint[] = {
    {.name = "key", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .doc = "Name of the taint."},
    {.name = "value", .type = FIELD_STRING, .proto = 2, .doc = "Value of the taint."},
    {.name = "effect",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .doc = "NoSchedule, PreferNoSchedule or NoExecute."},
    {.name = "timeAdded", .type = FIELD_TIME, .proto = 4, .doc = "When it was put there; with NoExecute."},
    {.name = NULL},
};
static const struct type type_taint = {
    .name = "Taint", .doc = "Keeps pods away that do not tolerate it.", .fields = fields_taint, .check = check_taint};

static const struct field fields_config_map_node_config_source[] = {
    {.name = "namespace",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Namespace of the ConfigMap."},
    {.name = "name", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "Name of the ConfigMap."},
    {.name = "uid", .type = FIELD_STRING, .proto = 3, .doc = "Unique id of the ConfigMap."},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 4, .doc = "Version of the ConfigMap."},
    {.name = "kubeletConfigKey",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_REQUIRED,
     .doc = "Key that holds the settings."},
    {.name = NULL},
};
static const struct type type_config_map_node_config_source = {
    .name = "ConfigMapNodeConfigSource",
    .doc = "No longer used: settings of a node agent in a ConfigMap.",
    .fields = fields_config_map_node_config_source,
};

static const struct field fields_node_config_source[] = {
    {.name = "configMap",
     .type = FIELD_OBJECT,
     .object = &type_config_map_node_config_source,
     .proto = 2,
     .doc = "A ConfigMap."},
    {.name = NULL},
};
static const struct type type_node_config_source = {.name = "NodeConfigSource",
                                                    .doc = "No longer used: where a node agent's settings stand.",
                                                    .fields = fields_node_config_source};

static const struct field fields_node_spec[] = {
    {.name = "podCIDR", .type = FIELD_STRING, .proto = 1, .doc = "Range of addresses for its pods."},
    {.name = "externalID", .type = FIELD_STRING, .proto = 2, .doc = "No longer used."},
    {.name = "providerID", .type = FIELD_STRING, .proto = 3, .doc = "What the machine's provider calls it."},
    {.name = "unschedulable", .type = FIELD_BOOL, .proto = 4, .doc = "Whether new pods are kept away."},
    {.name = "taints",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_taint,
     .proto = 5,
     .doc = "Keep pods away that do not tolerate them."},
    {.name = "configSource",
     .type = FIELD_OBJECT,
     .object = &type_node_config_source,
     .proto = 6,
     .doc = "No longer used."},
    {.name = "podCIDRs",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 7,
     .list = LIST_SET,
     .patch = PATCH_MERGE,
     .doc = "Ranges of addresses for its pods, one per family."},
    {.name = NULL},
};
static const struct type type_node_spec = {
    .name = "NodeSpec", .doc = "What is wanted of a node.", .fields = fields_node_spec};

static const struct field fields_node_condition[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "What the condition is about."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "True, False or Unknown."},
    {.name = "lastHeartbeatTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When it was last found so."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 4,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 5, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 6, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_node_condition = {
    .name = "NodeCondition", .doc = "One thing that holds, or does not, of a node.", .fields = fields_node_condition};

static const struct field fields_node_address[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_ZERO,
     .doc = "Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS."},
    {.name = "address", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "The address."},
    {.name = NULL},
};
static const struct type type_node_address = {
    .name = "NodeAddress", .doc = "An address of a node.", .fields = fields_node_address};

static const struct field fields_daemon_endpoint[] = {
    {.name = "Port", .type = FIELD_INT32, .proto = 1, .flags = FIELD_ZERO, .doc = "Number of the port."},
    {.name = NULL},
};
static const struct type type_daemon_endpoint = {
    .name = "DaemonEndpoint", .doc = "Where a daemon listens.", .fields = fields_daemon_endpoint};

static const struct field fields_node_daemon_endpoints[] = {
    {.name = "kubeletEndpoint",
     .type = FIELD_OBJECT,
     .object = &type_daemon_endpoint,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Where the node agent listens."},
    {.name = NULL},
};
static const struct type type_node_daemon_endpoints = {
    .name = "NodeDaemonEndpoints",
    .doc = "Daemons of a node.",
    .fields = fields_node_daemon_endpoints,
};

static const struct field fields_node_system_info[] = {
    {.name = "machineID", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Id of the installation."},
    {.name = "systemUUID", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "Id of the machine."},
    {.name = "bootID", .type = FIELD_STRING, .proto = 3, .flags = FIELD_ZERO, .doc = "Id of the last boot."},
    {.name = "kernelVersion", .type = FIELD_STRING, .proto = 4, .flags = FIELD_ZERO, .doc = "Version of the kernel."},
    {.name = "osImage", .type = FIELD_STRING, .proto = 5, .flags = FIELD_ZERO, .doc = "Name of the operating system."},
    {.name = "containerRuntimeVersion",
     .type = FIELD_STRING,
     .proto = 6,
     .flags = FIELD_ZERO,
     .doc = "Name and version of the container runtime."},
    {.name = "kubeletVersion",
     .type = FIELD_STRING,
     .proto = 7,
     .flags = FIELD_ZERO,
     .doc = "Version of the node agent."},
    {.name = "kubeProxyVersion", .type = FIELD_STRING, .proto = 8, .flags = FIELD_ZERO, .doc = "No longer used."},
    {.name = "operatingSystem",
     .type = FIELD_STRING,
     .proto = 9,
     .flags = FIELD_ZERO,
     .doc = "Family of the operating system, such as linux."},
    {.name = "architecture",
     .type = FIELD_STRING,
     .proto = 10,
     .flags = FIELD_ZERO,
     .doc = "Architecture of the processor, such as amd64."},
    {.name = NULL},
};
static const struct type type_node_system_info = {
    .name = "NodeSystemInfo", .doc = "Machine and software of a node.", .fields = fields_node_system_info};

static const struct field fields_container_image[] = {
    {.name = "names", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1, .doc = "Its names."},
    {.name = "sizeBytes", .type = FIELD_INT64, .proto = 2, .doc = "Its size in bytes."},
    {.name = NULL},
};
static const struct type type_container_image = {
    .name = "ContainerImage", .doc = "An image that a node has.", .fields = fields_container_image};

static const struct field fields_attached_volume[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_ZERO, .doc = "Name of the volume."},
    {.name = "devicePath", .type = FIELD_STRING, .proto = 2, .flags = FIELD_ZERO, .doc = "Where its device is."},
    {.name = NULL},
};
static const struct type type_attached_volume = {
    .name = "AttachedVolume", .doc = "A volume that is attached to a node.", .fields = fields_attached_volume};

static const struct field fields_node_config_status[] = {
    {.name = "assigned",
     .type = FIELD_OBJECT,
     .object = &type_node_config_source,
     .proto = 1,
     .doc = "Settings it should use."},
    {.name = "active",
     .type = FIELD_OBJECT,
     .object = &type_node_config_source,
     .proto = 2,
     .doc = "Settings it uses."},
    {.name = "lastKnownGood",
     .type = FIELD_OBJECT,
     .object = &type_node_config_source,
     .proto = 3,
     .doc = "Settings that worked last."},
    {.name = "error", .type = FIELD_STRING, .proto = 4, .doc = "Why the assigned settings do not work."},
    {.name = NULL},
};
static const struct type type_node_config_status = {.name = "NodeConfigStatus",
                                                    .doc = "No longer used: which settings a node agent has.",
                                                    .fields = fields_node_config_status};

static const struct field fields_node_runtime_handler_features[] = {
    {.name = "recursiveReadOnlyMounts",
     .type = FIELD_BOOL,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Whether mounts below read-only mounts are read-only too."},
    {.name = "userNamespaces",
     .type = FIELD_BOOL,
     .proto = 2,
     .flags = FIELD_POINTER,
     .doc = "Whether pods can have users of their own."},
    {.name = NULL},
};
static const struct type type_node_runtime_handler_features = {
    .name = "NodeRuntimeHandlerFeatures",
    .doc = "What a runtime handler can do.",
    .fields = fields_node_runtime_handler_features,
};

static const struct field fields_node_runtime_handler[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .doc = "Name of the handler; empty: the default."},
    {.name = "features",
     .type = FIELD_OBJECT,
     .object = &type_node_runtime_handler_features,
     .proto = 2,
     .doc = "What it can do."},
    {.name = NULL},
};
static const struct type type_node_runtime_handler = {
    .name = "NodeRuntimeHandler",
    .doc = "A runtime handler of a node.",
    .fields = fields_node_runtime_handler,
};

static const struct field fields_node_features[] = {
    {.name = "supplementalGroupsPolicy",
     .type = FIELD_BOOL,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Whether pods may choose how groups of the image count."},
    {.name = NULL},
};
static const struct type type_node_features = {
    .name = "NodeFeatures", .doc = "What a node can do.", .fields = fields_node_features};

static const struct field fields_node_status[] = {
    {.name = "capacity",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 1,
     .check = check_resources,
     .doc = "Resources of the machine."},
    {.name = "allocatable",
     .type = FIELD_QUANTITY,
     .shape = FIELD_MAP,
     .proto = 2,
     .check = check_resources,
     .doc = "Resources that are there for pods."},
    {.name = "phase", .type = FIELD_STRING, .proto = 3, .doc = "No longer used."},
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_condition,
     .proto = 4,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = "addresses",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_address,
     .proto = 5,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "Addresses of the node."},
    {.name = "daemonEndpoints",
     .type = FIELD_OBJECT,
     .object = &type_node_daemon_endpoints,
     .proto = 6,
     .flags = FIELD_ALWAYS,
     .doc = "Where its daemons listen."},
    {.name = "nodeInfo",
     .type = FIELD_OBJECT,
     .object = &type_node_system_info,
     .proto = 7,
     .flags = FIELD_ALWAYS,
     .doc = "Machine and software."},
    {.name = "images",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_image,
     .proto = 8,
     .doc = "Images that it has."},
    {.name = "volumesInUse",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 9,
     .doc = "Volumes that pods use on it."},
    {.name = "volumesAttached",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_attached_volume,
     .proto = 10,
     .doc = "Volumes that are attached to it."},
    {.name = "config", .type = FIELD_OBJECT, .object = &type_node_config_status, .proto = 11, .doc = "No longer used."},
    {.name = "runtimeHandlers",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_node_runtime_handler,
     .proto = 12,
     .doc = "Runtime handlers that it has."},
    {.name = "features", .type = FIELD_OBJECT, .object = &type_node_features, .proto = 13, .doc = "What it can do."},
    {.name = NULL},
};
static const struct type type_node_status = {
    .name = "NodeStatus",
    .doc = "State of a node.",
    .fields = fields_node_status,
    .fill = fill_node_status,
};

static const struct field fields_node[] = {
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
     .object = &type_node_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_node_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_node = {.name = "Node", .doc = "A machine that runs pods.", .fields = fields_node};

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
    {"proxy", "", "v1", "NodeProxyOptions", PROXY_VERBS, CONNECTS_PROXY},
    {"status", "", "v1", "Node", "get,patch,update", CONNECTS_NOT},
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
