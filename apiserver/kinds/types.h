/* Types and hooks that several kinds share. Private to kinds/. */
#ifndef APISERVER_KINDS_TYPES_H
#define APISERVER_KINDS_TYPES_H

#include "apiserver/kind.h"

struct buf;

#define META_V1 "io.k8s.apimachinery.pkg.apis.meta.v1." /* where the types of every group are published */

extern const struct type type_object_meta, type_label_selector, type_object_reference, type_local_object_reference,
    type_typed_local_object_reference, type_typed_object_reference;
extern const struct type type_node_selector, type_node_selector_term, type_resource_requirements,
    type_resource_field_selector, type_object_field_selector, type_toleration;
#define VOLUME_SOURCES_MAX 40
extern const struct type type_volume, type_volume_source, type_pod_spec, type_pod_template_spec;
extern const struct type type_scale, type_delete_options;
extern const struct type type_event_source, type_persistent_volume_spec;
extern const struct type type_condition, type_policy_rule, type_role_ref, type_subject;
extern const struct type type_resource_attributes, type_non_resource_attributes, type_subject_access_review_status,
    type_subject_access_review_spec, type_user_info;

/* Claims and volumes: persistentvolumeclaim.c, volume_types.c. The template is a claim whose rules wait until it is made. */
extern const struct type type_persistent_volume_claim, type_persistent_volume_claim_spec, type_claim_template;
extern const struct type type_host_path_volume_source, type_gce_persistent_disk_volume_source,
    type_aws_elastic_block_store_volume_source, type_nfs_volume_source, type_fc_volume_source,
    type_flocker_volume_source, type_vsphere_virtual_disk_volume_source, type_quobyte_volume_source,
    type_azure_disk_volume_source, type_photon_persistent_disk_volume_source, type_portworx_volume_source;
void check_access_modes(struct check *c, const struct json *v);
void check_claim_spec(struct check *c, const struct json *v);
struct cells;
void access_modes_cell(const struct json *list, struct cells *out);
void storage_class_cell(const struct json *o, struct cells *out);

/* Jobs: job_types.c. */
extern const struct type type_job_spec;
void check_job_spec(struct check *c, const struct json *v);

/* Both versions of the autoscaler show the same: horizontalpodautoscaler.c. */
extern const struct column hpa_columns[];
void hpa_row(const struct json *o, const struct column_now *now, struct cells *out);

/* Defaults that depend on other fields: hooks_pod.c, hooks_workload.c, hooks_core.c. */
void fill_container(struct json_doc *d, struct json *v);
void fill_deployment_strategy(struct json_doc *d, struct json *v);
void fill_namespace(struct json_doc *d, struct json *v);
void fill_node_status(struct json_doc *d, struct json *v);
void fill_pod(struct json_doc *d, struct json *v);
void fill_pod_spec(struct json_doc *d, struct json *v);
void fill_service_spec(struct json_doc *d, struct json *v);

/* Checks of one value: hooks_values.c. */
void check_annotations(struct check *c, const struct json *v);
void check_config_keys(struct check *c, const struct json *v);
void check_dns_label(struct check *c, const struct json *v);
void check_dns_subdomain(struct check *c, const struct json *v);
void check_env_name(struct check *c, const struct json *v);
void check_finalizers(struct check *c, const struct json *v);
void check_ip(struct check *c, const struct json *v);
void check_endpoint_ip(struct check *c, const struct json *v);
void check_labels(struct check *c, const struct json *v);
void check_not_negative(struct check *c, const struct json *v);
void check_port(struct check *c, const struct json *v);
void check_port_name(struct check *c, const struct json *v);
void check_positive(struct check *c, const struct json *v);
void check_affinity_timeout(struct check *c, const struct json *v);
void check_resources(struct check *c, const struct json *v); /* names and amounts, of nodes too */
void check_container_resources(struct check *c, const struct json *v);
void check_deadline(struct check *c, const struct json *v);
void check_field_path(struct check *c, const struct json *v);
void check_file_mode(struct check *c, const struct json *v);
void check_inner_path(struct check *c, const struct json *v);
void check_weight(struct check *c, const struct json *v);

/* Rules across the fields of a type. */
void check_binding(struct check *c, const struct json *v);
void check_config_map(struct check *c, const struct json *v);
void check_container(struct check *c, const struct json *v);
void check_deployment_strategy(struct check *c, const struct json *v);
void check_env_var(struct check *c, const struct json *v);
void check_event(struct check *c, const struct json *v);
void check_handler(struct check *c, const struct json *v);
void check_liveness(struct check *c, const struct json *v);
void label_selector_text(const struct json *v, struct buf *out); /* as Go prints a metav1.LabelSelector */
void check_object_meta(struct check *c, const struct json *v);
void check_node_requirement(struct check *c, const struct json *v);
void check_pod_spec(struct check *c, const struct json *v);
void check_requests(struct check *c, const struct json *v);
void check_service_spec(struct check *c, const struct json *v);
void check_selector_requirement(struct check *c, const struct json *v);
void check_taint(struct check *c, const struct json *v);
void check_toleration(struct check *c, const struct json *v);
void check_volume_source(struct check *c, const struct json *v);
void check_workload_spec(struct check *c, const struct json *v);
void check_workload_update(struct check *c, const struct json *object, const struct json *old); /* the selector stays */

/* What every spec with a selector and a template of pods that go on for ever must fulfil; `lower` and `name` of the kind
 * stand in the texts: "daemonset", "DaemonSet". The walk stands at the spec. */
void check_pods_spec(struct check *c, const struct json *v, const char *lower, const char *name);
/* The template's labels are among those selected. `at`: the spec's path below the walk's place. */
void check_selects_template(struct check *c, const struct json *spec, const char *at);
/* A number or a percentage at `field`, neither negative. */
void check_int_or_percent(struct check *c, const char *field, const struct json *v);
bool is_int_or_percent_zero(const struct json *v); /* false when absent */
void check_fail_int_or_string(struct check *c, const char *field, const struct json *v, const char *text);
void labels_text(const struct json *labels, struct buf *out); /* "a=b,c=d", empty when there are none */

/* Cells of what makes pods from a template: its containers' names and images; with the selector after them. */
struct cells;
void workload_container_cells(const struct json *o, struct cells *out);
void workload_wide_cells(const struct json *o, struct cells *out);

/* Services: hooks_service.c. */
struct claims;
struct allocator;
void prepare_service_update(struct json_doc *d, struct json *o, const struct json *old);
void check_service_update(struct check *c, const struct json *object, const struct json *old);
void claim_service(const struct json *o, struct claims *out);
int allocate_service(struct json_doc *d, struct json *o, const struct json *old, const struct allocator *a, struct check *c,
                     struct err *reterr);
void prepare_service_create(struct json_doc *d, struct json *o);
/* hooks_service.c: `spec` is a Service's. */
bool service_spec_is_type(const struct json *spec, const char *type);
bool service_spec_is_headless(const struct json *spec);
void service_spec_set_list(struct json_doc *d, struct json *spec, const char *key, struct slice only); /* of one text */
/* Nodes tell a load balancer whether they have pods of it. */
bool service_needs_health_port(const struct json *spec);

/* Roles and bindings: rbac_types.c. */
extern const struct column role_columns[], binding_columns[];
void check_policy_rules(struct check *c, const struct json *rules, bool namespaced);
void check_role_ref(struct check *c, const struct json *v, bool namespaced);
void check_role_ref_update(struct check *c, const struct json *object, const struct json *old);
void binding_row(const struct json *o, const struct column_now *now, struct cells *out);
void role_row(const struct json *o, const struct column_now *now, struct cells *out);

/* Addresses: hooks_service.c. */
#define IP_BYTES_MAX 16
size_t ip_parse(struct slice text, unsigned char ret[IP_BYTES_MAX]); /* 4 or 16 bytes; 0: none */

/* Lists of words and other values of many kinds: hooks_lists.c. */
bool list_has(const struct json *list, const char *word);
void check_each_of(struct check *c, const struct json *list, const char *const *allowed); /* each one of these */
void check_each_once(struct check *c, const struct json *list);
void check_star_alone(struct check *c, const struct json *list, const char *others); /* '*' and nothing else */
void check_label1035(struct check *c, const struct json *v);
void check_qualified(struct check *c, const struct json *v);
void check_webhook_service(struct check *c, const struct json *v);
void check_webhook_url(struct check *c, const struct json *v);
void check_driver_name(struct check *c, const char *field, const struct json *v);
bool text_has(struct slice text, const char *part);
bool is_blank(struct slice text); /* empty, or white space only */
void fill_port_443(struct json_doc *d, struct json *v);

/* Admission: webhook_types.c. */
extern const struct type type_webhook_client_config, type_match_condition, type_rule_with_operations, type_match_resources;
extern const char *const failure_policies[], *const match_policies[], *const side_effects[], *const api_extensions[];
extern const struct column webhook_columns[], event_columns[];
void check_match_conditions(struct check *c, const struct json *v);
void check_review_versions(struct check *c, const struct json *v);
void check_webhook_name(struct check *c, const struct json *v);
void check_webhook_timeout(struct check *c, const struct json *v);
void webhook_row(const struct json *o, const struct column_now *now, struct cells *out);

/* Schemas of custom resources: jsonschema_types.c. */
extern const struct type type_json_schema_props;
/* Whether every value has a type. `place` ends the text of one that has none: "at the root". */
void check_structural(struct check *c, const struct json *v, const char *place);

/* What a pod and a pod template show in wide columns: "nginx,sidecar" of the containers' `field`. */
void containers_text(const struct json *pod_spec, const char *field, struct buf *out);
void selector_text(const struct json *label_selector, struct buf *out); /* "app=web,tier in (a,b)"; "<none>" */

#endif
