/* All kinds, one row each, and how to find them. */
#ifndef APISERVER_KINDS_KINDS_H
#define APISERVER_KINDS_KINDS_H

#include "apiserver/kind.h"

extern const struct kind kind_binding, kind_clusterrole, kind_clusterrolebinding, kind_configmap,
    kind_controllerrevision, kind_deployment, kind_endpoint_slice, kind_endpoints, kind_event, kind_lease,
    kind_namespace, kind_node, kind_pod, kind_podtemplate, kind_replicaset, kind_replicationcontroller, kind_role,
    kind_rolebinding, kind_scale, kind_secret, kind_service, kind_serviceaccount;

extern const struct kind kind_eviction, kind_localsubjectaccessreview, kind_selfsubjectaccessreview,
    kind_selfsubjectreview, kind_selfsubjectrulesreview, kind_subjectaccessreview, kind_tokenrequest, kind_tokenreview;

extern const struct kind kind_apiservice, kind_certificatesigningrequest, kind_csidriver, kind_csinode,
    kind_csistoragecapacity, kind_customresourcedefinition, kind_event_v1, kind_flowschema, kind_ingress, kind_ingressclass,
    kind_mutatingwebhookconfiguration, kind_networkpolicy, kind_priorityclass, kind_prioritylevelconfiguration,
    kind_runtimeclass, kind_storageclass, kind_validatingadmissionpolicy, kind_validatingadmissionpolicybinding,
    kind_validatingwebhookconfiguration, kind_volumeattachment;

extern const struct kind kind_componentstatus, kind_cronjob, kind_cronjob_v1beta1, kind_daemonset,
    kind_horizontalpodautoscaler, kind_horizontalpodautoscaler_v1, kind_job, kind_limitrange, kind_persistentvolume,
    kind_persistentvolumeclaim, kind_poddisruptionbudget, kind_resourcequota, kind_statefulset;

extern const struct type type_delete_options;

/* Guaranteed, Burstable or BestEffort, of a pod's spec. */
const char *pod_qos_class(const struct json *spec);

#define KINDS_MAX 256

const struct kind *const *kinds_all(void); /* NULL-terminated; core group first, then groups by rank */
size_t kinds_index(const struct kind *k);  /* position in kinds_all */
const struct kind *kinds_find(struct slice group, struct slice version, struct slice plural); /* NULL: none */
const struct kind *kinds_find_name(struct slice group, struct slice version, struct slice name);
const struct kind *kinds_stored(const struct kind *k); /* the version that its objects are kept in: mostly itself */
bool kinds_serve(struct slice group, struct slice version); /* is any kind of that version there? */
const struct subresource *kinds_subresource(const struct kind *k, struct slice name);
bool kinds_has_verb(const char *verbs, const char *verb);            /* of a comma-separated list */
const char *kinds_api_version(const struct kind *k, char text[128]); /* "v1", "apps/v1" */

/* Duplicate or half-filled rows: ERR_INTERNAL naming the kind. Run at start-up. */
int kinds_check(struct err *reterr);

#endif
