/* The pod template: PodSpec with containers, probes, security contexts and scheduling, as pods, replica sets and
 * deployments share it. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};

static const struct field fields_container_port[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .check = check_port_name},
    {.name = "hostPort", .type = FIELD_INT32, .proto = 2, .check = check_port},
    {.name = "containerPort", .type = FIELD_INT32, .proto = 3, .flags = FIELD_REQUIRED, .check = check_port},
    {.name = "protocol", .type = FIELD_STRING, .proto = 4, .fallback = "\"TCP\"", .one_of = protocols},
    {.name = "hostIP", .type = FIELD_STRING, .proto = 5},
    {.name = NULL},
};
static const struct type type_container_port = {.name = "ContainerPort", .fields = fields_container_port};

static const struct field fields_config_map_key_selector[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "key", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "optional", .type = FIELD_BOOL, .proto = 3, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_config_map_key_selector = {
    .name = "ConfigMapKeySelector",
    .fields = fields_config_map_key_selector, .atomic = true,
};

static const struct field fields_secret_key_selector[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "key", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "optional", .type = FIELD_BOOL, .proto = 3, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_secret_key_selector = {
    .name = "SecretKeySelector",
    .fields = fields_secret_key_selector, .atomic = true,
};

static const struct field fields_env_var_source[] = {
    {.name = "fieldRef", .type = FIELD_OBJECT, .object = &type_object_field_selector, .proto = 1},
    {.name = "resourceFieldRef", .type = FIELD_OBJECT, .object = &type_resource_field_selector, .proto = 2},
    {.name = "configMapKeyRef", .type = FIELD_OBJECT, .object = &type_config_map_key_selector, .proto = 3},
    {.name = "secretKeyRef", .type = FIELD_OBJECT, .object = &type_secret_key_selector, .proto = 4},
    {.name = NULL},
};
static const struct type type_env_var_source = {.name = "EnvVarSource", .fields = fields_env_var_source};

static const struct field fields_env_var[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .check = check_env_name},
    {.name = "value", .type = FIELD_STRING, .proto = 2},
    {.name = "valueFrom", .type = FIELD_OBJECT, .object = &type_env_var_source, .proto = 3},
    {.name = NULL},
};
static const struct type type_env_var = {.name = "EnvVar", .fields = fields_env_var, .check = check_env_var};

static const char *const propagations[] = {"Bidirectional", "HostToContainer", "None", NULL};

static const struct field fields_volume_mount[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "readOnly", .type = FIELD_BOOL, .proto = 2},
    {.name = "mountPath", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = "subPath", .type = FIELD_STRING, .proto = 4, .check = check_inner_path},
    {.name = "mountPropagation", .type = FIELD_STRING, .proto = 5, .flags = FIELD_POINTER, .one_of = propagations},
    {.name = "subPathExpr", .type = FIELD_STRING, .proto = 6, .check = check_inner_path},
    {.name = "recursiveReadOnly", .type = FIELD_STRING, .proto = 7, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_volume_mount = {.name = "VolumeMount", .fields = fields_volume_mount};

static const struct field fields_exec_action[] = {
    {.name = "command", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1},
    {.name = NULL},
};
static const struct type type_exec_action = {.name = "ExecAction", .fields = fields_exec_action};

static const struct field fields_http_header[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "value", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_http_header = {.name = "HTTPHeader", .fields = fields_http_header};

static const char *const schemes[] = {"HTTP", "HTTPS", NULL};

static const struct field fields_http_get_action[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1, .fallback = "\"/\""},
    {.name = "port", .type = FIELD_INT_OR_STRING, .proto = 2, .flags = FIELD_ZERO},
    {.name = "host", .type = FIELD_STRING, .proto = 3},
    {.name = "scheme", .type = FIELD_STRING, .proto = 4, .fallback = "\"HTTP\"", .one_of = schemes},
    {.name = "httpHeaders", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_http_header, .proto = 5},
    {.name = NULL},
};
static const struct type type_http_get_action = {.name = "HTTPGetAction", .fields = fields_http_get_action};

static const struct field fields_tcp_socket_action[] = {
    {.name = "port", .type = FIELD_INT_OR_STRING, .proto = 1, .flags = FIELD_ZERO},
    {.name = "host", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
static const struct type type_tcp_socket_action = {.name = "TCPSocketAction", .fields = fields_tcp_socket_action};

static const struct field fields_grpc_action[] = {
    {.name = "port", .type = FIELD_INT32, .proto = 1, .flags = FIELD_ZERO},
    {.name = "service", .type = FIELD_STRING, .proto = 2, .flags = FIELD_POINTER, .fallback = "\"\""},
    {.name = NULL},
};
static const struct type type_grpc_action = {.name = "GRPCAction", .fields = fields_grpc_action};

static const struct field fields_probe_handler[] = {
    {.name = "exec", .type = FIELD_OBJECT, .object = &type_exec_action, .proto = 1},
    {.name = "httpGet", .type = FIELD_OBJECT, .object = &type_http_get_action, .proto = 2},
    {.name = "tcpSocket", .type = FIELD_OBJECT, .object = &type_tcp_socket_action, .proto = 3},
    {.name = "grpc", .type = FIELD_OBJECT, .object = &type_grpc_action, .proto = 4},
    {.name = NULL},
};
static const struct type type_probe_handler = {
    .name = "ProbeHandler",
    .fields = fields_probe_handler,
    .check = check_handler,
};

static const struct field fields_probe[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_probe_handler, .proto = 1, .flags = FIELD_INLINE},
    {.name = "initialDelaySeconds", .type = FIELD_INT32, .proto = 2, .check = check_not_negative},
    {.name = "timeoutSeconds", .type = FIELD_INT32, .proto = 3, .fallback = "1", .check = check_not_negative},
    {.name = "periodSeconds", .type = FIELD_INT32, .proto = 4, .fallback = "10", .check = check_not_negative},
    {.name = "successThreshold", .type = FIELD_INT32, .proto = 5, .fallback = "1", .check = check_not_negative},
    {.name = "failureThreshold", .type = FIELD_INT32, .proto = 6, .fallback = "3", .check = check_not_negative},
    {.name = "terminationGracePeriodSeconds",
     .type = FIELD_INT64,
     .proto = 7,
     .flags = FIELD_POINTER,
     .check = check_positive},
    {.name = NULL},
};
static const struct type type_probe = {.name = "Probe", .fields = fields_probe};

static const struct field fields_sleep_action[] = {
    {.name = "seconds", .type = FIELD_INT64, .proto = 1, .flags = FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_sleep_action = {.name = "SleepAction", .fields = fields_sleep_action};

static const struct field fields_lifecycle_handler[] = {
    {.name = "exec", .type = FIELD_OBJECT, .object = &type_exec_action, .proto = 1},
    {.name = "httpGet", .type = FIELD_OBJECT, .object = &type_http_get_action, .proto = 2},
    {.name = "tcpSocket", .type = FIELD_OBJECT, .object = &type_tcp_socket_action, .proto = 3},
    {.name = "sleep", .type = FIELD_OBJECT, .object = &type_sleep_action, .proto = 4},
    {.name = NULL},
};
static const struct type type_lifecycle_handler = {
    .name = "LifecycleHandler",
    .fields = fields_lifecycle_handler,
    .check = check_handler,
};

static const struct field fields_lifecycle[] = {
    {.name = "postStart", .type = FIELD_OBJECT, .object = &type_lifecycle_handler, .proto = 1},
    {.name = "preStop", .type = FIELD_OBJECT, .object = &type_lifecycle_handler, .proto = 2},
    {.name = NULL},
};
static const struct type type_lifecycle = {.name = "Lifecycle", .fields = fields_lifecycle};

static const struct field fields_capabilities[] = {
    {.name = "add", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1},
    {.name = "drop", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = NULL},
};
static const struct type type_capabilities = {.name = "Capabilities", .fields = fields_capabilities};

static const struct field fields_se_linux_options[] = {
    {.name = "user", .type = FIELD_STRING, .proto = 1},
    {.name = "role", .type = FIELD_STRING, .proto = 2},
    {.name = "type", .type = FIELD_STRING, .proto = 3},
    {.name = "level", .type = FIELD_STRING, .proto = 4},
    {.name = NULL},
};
static const struct type type_se_linux_options = {.name = "SELinuxOptions", .fields = fields_se_linux_options};

static const struct field fields_windows_security_context_options[] = {
    {.name = "gmsaCredentialSpecName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_POINTER},
    {.name = "gmsaCredentialSpec", .type = FIELD_STRING, .proto = 2, .flags = FIELD_POINTER},
    {.name = "runAsUserName", .type = FIELD_STRING, .proto = 3, .flags = FIELD_POINTER},
    {.name = "hostProcess", .type = FIELD_BOOL, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_windows_security_context_options = {
    .name = "WindowsSecurityContextOptions",
    .fields = fields_windows_security_context_options,
};

static const char *const seccomp_types[] = {"Localhost", "RuntimeDefault", "Unconfined", NULL};

static const struct field fields_seccomp_profile[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .one_of = seccomp_types},
    {.name = "localhostProfile", .type = FIELD_STRING, .proto = 2, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_seccomp_profile = {.name = "SeccompProfile", .fields = fields_seccomp_profile};

static const struct field fields_app_armor_profile[] = {
    {.name = "type", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "localhostProfile", .type = FIELD_STRING, .proto = 2, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_app_armor_profile = {.name = "AppArmorProfile", .fields = fields_app_armor_profile};

static const struct field fields_security_context[] = {
    {.name = "capabilities", .type = FIELD_OBJECT, .object = &type_capabilities, .proto = 1},
    {.name = "privileged", .type = FIELD_BOOL, .proto = 2, .flags = FIELD_POINTER},
    {.name = "seLinuxOptions", .type = FIELD_OBJECT, .object = &type_se_linux_options, .proto = 3},
    {.name = "runAsUser", .type = FIELD_INT64, .proto = 4, .flags = FIELD_POINTER},
    {.name = "runAsNonRoot", .type = FIELD_BOOL, .proto = 5, .flags = FIELD_POINTER},
    {.name = "readOnlyRootFilesystem", .type = FIELD_BOOL, .proto = 6, .flags = FIELD_POINTER},
    {.name = "allowPrivilegeEscalation", .type = FIELD_BOOL, .proto = 7, .flags = FIELD_POINTER},
    {.name = "runAsGroup", .type = FIELD_INT64, .proto = 8, .flags = FIELD_POINTER},
    {.name = "procMount", .type = FIELD_STRING, .proto = 9, .flags = FIELD_POINTER},
    {.name = "windowsOptions", .type = FIELD_OBJECT, .object = &type_windows_security_context_options, .proto = 10},
    {.name = "seccompProfile", .type = FIELD_OBJECT, .object = &type_seccomp_profile, .proto = 11},
    {.name = "appArmorProfile", .type = FIELD_OBJECT, .object = &type_app_armor_profile, .proto = 12},
    {.name = NULL},
};
static const struct type type_security_context = {.name = "SecurityContext", .fields = fields_security_context};

static const struct field fields_config_map_env_source[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "optional", .type = FIELD_BOOL, .proto = 2, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_config_map_env_source = {
    .name = "ConfigMapEnvSource",
    .fields = fields_config_map_env_source,
};

static const struct field fields_secret_env_source[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_local_object_reference, .proto = 1, .flags = FIELD_INLINE},
    {.name = "optional", .type = FIELD_BOOL, .proto = 2, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_secret_env_source = {.name = "SecretEnvSource", .fields = fields_secret_env_source};

static const struct field fields_env_from_source[] = {
    {.name = "prefix", .type = FIELD_STRING, .proto = 1},
    {.name = "configMapRef", .type = FIELD_OBJECT, .object = &type_config_map_env_source, .proto = 2},
    {.name = "secretRef", .type = FIELD_OBJECT, .object = &type_secret_env_source, .proto = 3},
    {.name = NULL},
};
static const struct type type_env_from_source = {.name = "EnvFromSource", .fields = fields_env_from_source};

static const struct field fields_volume_device[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "devicePath", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_volume_device = {.name = "VolumeDevice", .fields = fields_volume_device};

static const struct field fields_container_resize_policy[] = {
    {.name = "resourceName", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "restartPolicy", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_container_resize_policy = {
    .name = "ContainerResizePolicy",
    .fields = fields_container_resize_policy,
};

static const char *const pull_policies[] = {"Always", "IfNotPresent", "Never", NULL};

static const char *const message_policies[] = {"FallbackToLogsOnError", "File", NULL};

static const struct field fields_container[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .check = check_dns_label},
    {.name = "image", .type = FIELD_STRING, .proto = 2},
    {.name = "command", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = "args", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 4},
    {.name = "workingDir", .type = FIELD_STRING, .proto = 5},
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_port,
     .proto = 6,
     .list = LIST_MAP,
     .list_keys = "containerPort,protocol",
     .patch = PATCH_MERGE,
     .merge_key = "containerPort"},
    {.name = "env",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_env_var,
     .proto = 7,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name"},
    {.name = "resources",
     .type = FIELD_OBJECT,
     .object = &type_resource_requirements,
     .proto = 8,
     .flags = FIELD_ALWAYS},
    {.name = "volumeMounts",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_volume_mount,
     .proto = 9,
     .list = LIST_MAP,
     .list_keys = "mountPath",
     .patch = PATCH_MERGE,
     .merge_key = "mountPath"},
    {.name = "livenessProbe", .type = FIELD_OBJECT, .object = &type_probe, .proto = 10, .check = check_liveness},
    {.name = "readinessProbe", .type = FIELD_OBJECT, .object = &type_probe, .proto = 11},
    {.name = "lifecycle", .type = FIELD_OBJECT, .object = &type_lifecycle, .proto = 12},
    {.name = "terminationMessagePath", .type = FIELD_STRING, .proto = 13, .fallback = "\"/dev/termination-log\""},
    {.name = "imagePullPolicy", .type = FIELD_STRING, .proto = 14, .one_of = pull_policies},
    {.name = "securityContext", .type = FIELD_OBJECT, .object = &type_security_context, .proto = 15},
    {.name = "stdin", .type = FIELD_BOOL, .proto = 16},
    {.name = "stdinOnce", .type = FIELD_BOOL, .proto = 17},
    {.name = "tty", .type = FIELD_BOOL, .proto = 18},
    {.name = "envFrom", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_env_from_source, .proto = 19},
    {.name = "terminationMessagePolicy",
     .type = FIELD_STRING,
     .proto = 20,
     .fallback = "\"File\"",
     .one_of = message_policies},
    {.name = "volumeDevices",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_volume_device,
     .proto = 21,
     .list = LIST_MAP,
     .list_keys = "devicePath",
     .patch = PATCH_MERGE,
     .merge_key = "devicePath"},
    {.name = "startupProbe", .type = FIELD_OBJECT, .object = &type_probe, .proto = 22, .check = check_liveness},
    {.name = "resizePolicy",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_resize_policy,
     .proto = 23},
    {.name = "restartPolicy", .type = FIELD_STRING, .proto = 24, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_container = {
    .name = "Container",
    .fields = fields_container,
    .fill = fill_container,
    .check = check_container,
};

static const struct field fields_sysctl[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "value", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_sysctl = {.name = "Sysctl", .fields = fields_sysctl};

static const struct field fields_pod_security_context[] = {
    {.name = "seLinuxOptions", .type = FIELD_OBJECT, .object = &type_se_linux_options, .proto = 1},
    {.name = "runAsUser", .type = FIELD_INT64, .proto = 2, .flags = FIELD_POINTER},
    {.name = "runAsNonRoot", .type = FIELD_BOOL, .proto = 3, .flags = FIELD_POINTER},
    {.name = "supplementalGroups", .type = FIELD_INT64, .shape = FIELD_LIST, .proto = 4},
    {.name = "fsGroup", .type = FIELD_INT64, .proto = 5, .flags = FIELD_POINTER},
    {.name = "runAsGroup", .type = FIELD_INT64, .proto = 6, .flags = FIELD_POINTER},
    {.name = "sysctls", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_sysctl, .proto = 7},
    {.name = "windowsOptions", .type = FIELD_OBJECT, .object = &type_windows_security_context_options, .proto = 8},
    {.name = "fsGroupChangePolicy", .type = FIELD_STRING, .proto = 9, .flags = FIELD_POINTER},
    {.name = "seccompProfile", .type = FIELD_OBJECT, .object = &type_seccomp_profile, .proto = 10},
    {.name = "appArmorProfile", .type = FIELD_OBJECT, .object = &type_app_armor_profile, .proto = 11},
    {.name = "supplementalGroupsPolicy", .type = FIELD_STRING, .proto = 12, .flags = FIELD_POINTER},
    {.name = "seLinuxChangePolicy", .type = FIELD_STRING, .proto = 13, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_pod_security_context = {
    .name = "PodSecurityContext",
    .fields = fields_pod_security_context,
};

static const struct field fields_preferred_scheduling_term[] = {
    {.name = "weight", .type = FIELD_INT32, .proto = 1, .flags = FIELD_REQUIRED, .check = check_weight},
    {.name = "preference", .type = FIELD_OBJECT, .object = &type_node_selector_term, .proto = 2, .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_preferred_scheduling_term = {
    .name = "PreferredSchedulingTerm",
    .fields = fields_preferred_scheduling_term,
};

static const struct field fields_node_affinity[] = {
    {.name = "requiredDuringSchedulingIgnoredDuringExecution",
     .type = FIELD_OBJECT,
     .object = &type_node_selector,
     .proto = 1},
    {.name = "preferredDuringSchedulingIgnoredDuringExecution",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_preferred_scheduling_term,
     .proto = 2},
    {.name = NULL},
};
static const struct type type_node_affinity = {.name = "NodeAffinity", .fields = fields_node_affinity};

static const struct field fields_pod_affinity_term[] = {
    {.name = "labelSelector", .type = FIELD_OBJECT, .object = &type_label_selector, .proto = 1},
    {.name = "namespaces", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = "topologyKey", .type = FIELD_STRING, .proto = 3, .flags = FIELD_REQUIRED},
    {.name = "namespaceSelector", .type = FIELD_OBJECT, .object = &type_label_selector, .proto = 4},
    {.name = "matchLabelKeys", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 5},
    {.name = "mismatchLabelKeys", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 6},
    {.name = NULL},
};
static const struct type type_pod_affinity_term = {.name = "PodAffinityTerm", .fields = fields_pod_affinity_term};

static const struct field fields_weighted_pod_affinity_term[] = {
    {.name = "weight", .type = FIELD_INT32, .proto = 1, .flags = FIELD_REQUIRED, .check = check_weight},
    {.name = "podAffinityTerm",
     .type = FIELD_OBJECT,
     .object = &type_pod_affinity_term,
     .proto = 2,
     .flags = FIELD_ALWAYS | FIELD_ZERO},
    {.name = NULL},
};
static const struct type type_weighted_pod_affinity_term = {
    .name = "WeightedPodAffinityTerm",
    .fields = fields_weighted_pod_affinity_term,
};

static const struct field fields_pod_affinity[] = {
    {.name = "requiredDuringSchedulingIgnoredDuringExecution",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_affinity_term,
     .proto = 1},
    {.name = "preferredDuringSchedulingIgnoredDuringExecution",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_weighted_pod_affinity_term,
     .proto = 2},
    {.name = NULL},
};
static const struct type type_pod_affinity = {.name = "PodAffinity", .fields = fields_pod_affinity};

static const struct field fields_pod_anti_affinity[] = {
    {.name = "requiredDuringSchedulingIgnoredDuringExecution",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_affinity_term,
     .proto = 1},
    {.name = "preferredDuringSchedulingIgnoredDuringExecution",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_weighted_pod_affinity_term,
     .proto = 2},
    {.name = NULL},
};
static const struct type type_pod_anti_affinity = {.name = "PodAntiAffinity", .fields = fields_pod_anti_affinity};

static const struct field fields_affinity[] = {
    {.name = "nodeAffinity", .type = FIELD_OBJECT, .object = &type_node_affinity, .proto = 1},
    {.name = "podAffinity", .type = FIELD_OBJECT, .object = &type_pod_affinity, .proto = 2},
    {.name = "podAntiAffinity", .type = FIELD_OBJECT, .object = &type_pod_anti_affinity, .proto = 3},
    {.name = NULL},
};
static const struct type type_affinity = {.name = "Affinity", .fields = fields_affinity};

static const struct field fields_host_alias[] = {
    {.name = "ip", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "hostnames", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = NULL},
};
static const struct type type_host_alias = {.name = "HostAlias", .fields = fields_host_alias};

static const struct field fields_pod_dns_config_option[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1},
    {.name = "value", .type = FIELD_STRING, .proto = 2, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_pod_dns_config_option = {
    .name = "PodDNSConfigOption",
    .fields = fields_pod_dns_config_option,
};

static const struct field fields_pod_dns_config[] = {
    {.name = "nameservers", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 1},
    {.name = "searches", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 2},
    {.name = "options", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_pod_dns_config_option, .proto = 3},
    {.name = NULL},
};
static const struct type type_pod_dns_config = {.name = "PodDNSConfig", .fields = fields_pod_dns_config};

static const struct field fields_pod_readiness_gate[] = {
    {.name = "conditionType", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_pod_readiness_gate = {.name = "PodReadinessGate", .fields = fields_pod_readiness_gate};

static const char *const unsatisfiable_actions[] = {"DoNotSchedule", "ScheduleAnyway", NULL};

static const struct field fields_topology_spread_constraint[] = {
    {.name = "maxSkew", .type = FIELD_INT32, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "topologyKey", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED},
    {.name = "whenUnsatisfiable",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .one_of = unsatisfiable_actions},
    {.name = "labelSelector", .type = FIELD_OBJECT, .object = &type_label_selector, .proto = 4},
    {.name = "minDomains", .type = FIELD_INT32, .proto = 5, .flags = FIELD_POINTER},
    {.name = "nodeAffinityPolicy", .type = FIELD_STRING, .proto = 6, .flags = FIELD_POINTER},
    {.name = "nodeTaintsPolicy", .type = FIELD_STRING, .proto = 7, .flags = FIELD_POINTER},
    {.name = "matchLabelKeys", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 8},
    {.name = NULL},
};
static const struct type type_topology_spread_constraint = {
    .name = "TopologySpreadConstraint",
    .fields = fields_topology_spread_constraint,
};

static const struct field fields_ephemeral_container_common[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .check = check_dns_label},
    {.name = "image", .type = FIELD_STRING, .proto = 2},
    {.name = "command", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 3},
    {.name = "args", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 4},
    {.name = "workingDir", .type = FIELD_STRING, .proto = 5},
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_port,
     .proto = 6,
     .list = LIST_MAP,
     .list_keys = "containerPort,protocol",
     .patch = PATCH_MERGE,
     .merge_key = "containerPort"},
    {.name = "env",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_env_var,
     .proto = 7,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name"},
    {.name = "resources",
     .type = FIELD_OBJECT,
     .object = &type_resource_requirements,
     .proto = 8,
     .flags = FIELD_ALWAYS},
    {.name = "volumeMounts",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_volume_mount,
     .proto = 9,
     .list = LIST_MAP,
     .list_keys = "mountPath",
     .patch = PATCH_MERGE,
     .merge_key = "mountPath"},
    {.name = "livenessProbe", .type = FIELD_OBJECT, .object = &type_probe, .proto = 10, .check = check_liveness},
    {.name = "readinessProbe", .type = FIELD_OBJECT, .object = &type_probe, .proto = 11},
    {.name = "lifecycle", .type = FIELD_OBJECT, .object = &type_lifecycle, .proto = 12},
    {.name = "terminationMessagePath", .type = FIELD_STRING, .proto = 13, .fallback = "\"/dev/termination-log\""},
    {.name = "imagePullPolicy", .type = FIELD_STRING, .proto = 14},
    {.name = "securityContext", .type = FIELD_OBJECT, .object = &type_security_context, .proto = 15},
    {.name = "stdin", .type = FIELD_BOOL, .proto = 16},
    {.name = "stdinOnce", .type = FIELD_BOOL, .proto = 17},
    {.name = "tty", .type = FIELD_BOOL, .proto = 18},
    {.name = "envFrom", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_env_from_source, .proto = 19},
    {.name = "terminationMessagePolicy", .type = FIELD_STRING, .proto = 20, .fallback = "\"File\""},
    {.name = "volumeDevices",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_volume_device,
     .proto = 21,
     .list = LIST_MAP,
     .list_keys = "devicePath",
     .patch = PATCH_MERGE,
     .merge_key = "devicePath"},
    {.name = "startupProbe", .type = FIELD_OBJECT, .object = &type_probe, .proto = 22, .check = check_liveness},
    {.name = "resizePolicy",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container_resize_policy,
     .proto = 23},
    {.name = "restartPolicy", .type = FIELD_STRING, .proto = 24, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_ephemeral_container_common = {
    .name = "EphemeralContainerCommon",
    .fields = fields_ephemeral_container_common,
    .fill = fill_container,
};

static const struct field fields_ephemeral_container[] = {
    {.name = "", .type = FIELD_OBJECT, .object = &type_ephemeral_container_common, .proto = 1, .flags = FIELD_INLINE},
    {.name = "targetContainerName", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
static const struct type type_ephemeral_container = {
    .name = "EphemeralContainer",
    .fields = fields_ephemeral_container,
};

static const char *const os_names[] = {"linux", "windows", NULL};

static const struct field fields_pod_os[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .one_of = os_names},
    {.name = NULL},
};
static const struct type type_pod_os = {.name = "PodOS", .fields = fields_pod_os};

static const struct field fields_pod_scheduling_gate[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = NULL},
};
static const struct type type_pod_scheduling_gate = {
    .name = "PodSchedulingGate",
    .fields = fields_pod_scheduling_gate,
};

static const struct field fields_pod_resource_claim[] = {
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED},
    {.name = "resourceClaimName", .type = FIELD_STRING, .proto = 3, .flags = FIELD_POINTER},
    {.name = "resourceClaimTemplateName", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER},
    {.name = NULL},
};
static const struct type type_pod_resource_claim = {.name = "PodResourceClaim", .fields = fields_pod_resource_claim};

static const char *const restart_policies[] = {"Always", "OnFailure", "Never", NULL};

static const char *const dns_policies[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None", NULL};

static const char *const preemption_policies[] = {"Never", "PreemptLowerPriority", NULL};

static const struct field fields_pod_spec[] = {
    {.name = "volumes",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_volume,
     .proto = 1,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE | PATCH_RETAIN_KEYS,
     .merge_key = "name"},
    {.name = "containers",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name"},
    {.name = "restartPolicy", .type = FIELD_STRING, .proto = 3, .fallback = "\"Always\"", .one_of = restart_policies},
    {.name = "terminationGracePeriodSeconds",
     .type = FIELD_INT64,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "30",
     .check = check_not_negative},
    {.name = "activeDeadlineSeconds", .type = FIELD_INT64, .proto = 5, .flags = FIELD_POINTER, .check = check_deadline},
    {.name = "dnsPolicy", .type = FIELD_STRING, .proto = 6, .fallback = "\"ClusterFirst\"", .one_of = dns_policies},
    {.name = "nodeSelector", .type = FIELD_STRING, .shape = FIELD_MAP, .proto = 7, .check = check_labels, .flags = FIELD_ATOMIC},
    {.name = "serviceAccountName", .type = FIELD_STRING, .proto = 8, .check = check_dns_subdomain},
    {.name = "serviceAccount", .type = FIELD_STRING, .proto = 9},
    {.name = "nodeName", .type = FIELD_STRING, .proto = 10, .check = check_dns_subdomain},
    {.name = "hostNetwork", .type = FIELD_BOOL, .proto = 11},
    {.name = "hostPID", .type = FIELD_BOOL, .proto = 12},
    {.name = "hostIPC", .type = FIELD_BOOL, .proto = 13},
    {.name = "securityContext",
     .type = FIELD_OBJECT,
     .object = &type_pod_security_context,
     .proto = 14,
     .fallback = "{}"},
    {.name = "imagePullSecrets",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_local_object_reference,
     .proto = 15,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name"},
    {.name = "hostname", .type = FIELD_STRING, .proto = 16, .check = check_dns_label},
    {.name = "subdomain", .type = FIELD_STRING, .proto = 17, .check = check_dns_label},
    {.name = "affinity", .type = FIELD_OBJECT, .object = &type_affinity, .proto = 18},
    {.name = "schedulerName", .type = FIELD_STRING, .proto = 19, .fallback = "\"default-scheduler\""},
    {.name = "initContainers",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_container,
     .proto = 20,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name"},
    {.name = "automountServiceAccountToken", .type = FIELD_BOOL, .proto = 21, .flags = FIELD_POINTER},
    {.name = "tolerations", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_toleration, .proto = 22},
    {.name = "hostAliases",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_host_alias,
     .proto = 23,
     .list = LIST_MAP,
     .list_keys = "ip",
     .patch = PATCH_MERGE,
     .merge_key = "ip"},
    {.name = "priorityClassName", .type = FIELD_STRING, .proto = 24, .check = check_dns_subdomain},
    {.name = "priority", .type = FIELD_INT32, .proto = 25, .flags = FIELD_POINTER},
    {.name = "dnsConfig", .type = FIELD_OBJECT, .object = &type_pod_dns_config, .proto = 26},
    {.name = "shareProcessNamespace", .type = FIELD_BOOL, .proto = 27, .flags = FIELD_POINTER},
    {.name = "readinessGates",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_readiness_gate,
     .proto = 28},
    {.name = "runtimeClassName", .type = FIELD_STRING, .proto = 29, .flags = FIELD_POINTER},
    {.name = "enableServiceLinks", .type = FIELD_BOOL, .proto = 30, .flags = FIELD_POINTER},
    {.name = "preemptionPolicy",
     .type = FIELD_STRING,
     .proto = 31,
     .flags = FIELD_POINTER,
     .one_of = preemption_policies},
    {.name = "overhead", .type = FIELD_QUANTITY, .shape = FIELD_MAP, .proto = 32},
    {.name = "topologySpreadConstraints",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_topology_spread_constraint,
     .proto = 33,
     .list = LIST_MAP,
     .list_keys = "topologyKey,whenUnsatisfiable",
     .patch = PATCH_MERGE,
     .merge_key = "topologyKey"},
    {.name = "ephemeralContainers",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_ephemeral_container,
     .proto = 34,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name"},
    {.name = "setHostnameAsFQDN", .type = FIELD_BOOL, .proto = 35, .flags = FIELD_POINTER},
    {.name = "os", .type = FIELD_OBJECT, .object = &type_pod_os, .proto = 36},
    {.name = "hostUsers", .type = FIELD_BOOL, .proto = 37, .flags = FIELD_POINTER},
    {.name = "schedulingGates",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_scheduling_gate,
     .proto = 38,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE,
     .merge_key = "name"},
    {.name = "resourceClaims",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_pod_resource_claim,
     .proto = 39,
     .list = LIST_MAP,
     .list_keys = "name",
     .patch = PATCH_MERGE | PATCH_RETAIN_KEYS,
     .merge_key = "name"},
    {.name = "resources", .type = FIELD_OBJECT, .object = &type_resource_requirements, .proto = 40},
    {.name = NULL},
};
const struct type type_pod_spec = {
    .name = "PodSpec",
    .fields = fields_pod_spec,
    .fill = fill_pod_spec,
    .check = check_pod_spec,
};

static const struct field fields_pod_template_spec[] = {
    {.name = "metadata", .type = FIELD_OBJECT, .object = &type_object_meta, .proto = 1, .flags = FIELD_ALWAYS},
    {.name = "spec", .type = FIELD_OBJECT, .object = &type_pod_spec, .proto = 2, .flags = FIELD_ALWAYS},
    {.name = NULL},
};
const struct type type_pod_template_spec = {.name = "PodTemplateSpec", .fields = fields_pod_template_spec};
