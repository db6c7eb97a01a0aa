#include "common/base.h"

#include "tools/rsctl_kinds.h"

#define DISTANCE_MAX 2 /* letters, for a name to be near another */
#define NAME_MAX_BYTES 64

const struct rsctl_kind rsctl_kinds[] = {
    {"apiservices", "apiservice", "", "apiregistration.k8s.io", "apiregistration.k8s.io/apiservices", false},
    {"certificatesigningrequests", "certificatesigningrequest", "csr", "certificates.k8s.io", "certificatesigningrequests", false},
    {"clusterrolebindings", "clusterrolebinding", "", "rbac.authorization.k8s.io", "clusterrolebindings", false},
    {"clusterroles", "clusterrole", "", "rbac.authorization.k8s.io", "clusterroles", false},
    {"configmaps", "configmap", "cm", "", "configmaps", true},
    {"controllerrevisions", "controllerrevision", "", "apps", "controllerrevisions", true},
    {"cronjobs", "cronjob", "cj", "batch", "cronjobs", true},
    {"csidrivers", "csidriver", "", "storage.k8s.io", "csidrivers", false},
    {"csinodes", "csinode", "", "storage.k8s.io", "csinodes", false},
    {"csistoragecapacities", "csistoragecapacity", "", "storage.k8s.io", "csistoragecapacities", true},
    {"customresourcedefinitions", "customresourcedefinition", "crd", "apiextensions.k8s.io", "apiextensions.k8s.io/customresourcedefinitions", false},
    {"daemonsets", "daemonset", "ds", "apps", "daemonsets", true},
    {"deployments", "deployment", "deploy", "apps", "deployments", true},
    {"endpoints", "endpoints", "ep", "", "services/endpoints", true},
    {"endpointslices", "endpointslice", "", "discovery.k8s.io", "endpointslices", true},
    {"events", "event", "ev", "", "events", true},
    {"flowschemas", "flowschema", "", "flowcontrol.apiserver.k8s.io", "flowschemas", false},
    {"horizontalpodautoscalers", "horizontalpodautoscaler", "hpa", "autoscaling", "horizontalpodautoscalers", true},
    {"ingressclasses", "ingressclass", "", "networking.k8s.io", "ingressclasses", false},
    {"ingresses", "ingress", "ing", "networking.k8s.io", "ingress", true},
    {"jobs", "job", "", "batch", "jobs", true},
    {"leases", "lease", "", "coordination.k8s.io", "leases", true},
    {"limitranges", "limitrange", "limits", "", "limitranges", true},
    {"mutatingwebhookconfigurations", "mutatingwebhookconfiguration", "", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", false},
    {"namespaces", "namespace", "ns", "", "namespaces", false},
    {"networkpolicies", "networkpolicy", "netpol", "networking.k8s.io", "networkpolicies", true},
    {"nodes", "node", "no", "", "minions", false},
    {"persistentvolumeclaims", "persistentvolumeclaim", "pvc", "", "persistentvolumeclaims", true},
    {"persistentvolumes", "persistentvolume", "pv", "", "persistentvolumes", false},
    {"poddisruptionbudgets", "poddisruptionbudget", "pdb", "policy", "poddisruptionbudgets", true},
    {"pods", "pod", "po", "", "pods", true},
    {"podtemplates", "podtemplate", "", "", "podtemplates", true},
    {"priorityclasses", "priorityclass", "pc", "scheduling.k8s.io", "priorityclasses", false},
    {"prioritylevelconfigurations", "prioritylevelconfiguration", "", "flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", false},
    {"replicasets", "replicaset", "rs", "apps", "replicasets", true},
    {"replicationcontrollers", "replicationcontroller", "rc", "", "controllers", true},
    {"resourcequotas", "resourcequota", "quota", "", "resourcequotas", true},
    {"rolebindings", "rolebinding", "", "rbac.authorization.k8s.io", "rolebindings", true},
    {"roles", "role", "", "rbac.authorization.k8s.io", "roles", true},
    {"runtimeclasses", "runtimeclass", "", "node.k8s.io", "runtimeclasses", false},
    {"secrets", "secret", "", "", "secrets", true},
    {"serviceaccounts", "serviceaccount", "sa", "", "serviceaccounts", true},
    {"services", "service", "svc", "", "services/specs", true},
    {"statefulsets", "statefulset", "sts", "apps", "statefulsets", true},
    {"storageclasses", "storageclass", "sc", "storage.k8s.io", "storageclasses", false},
    {"validatingadmissionpolicies", "validatingadmissionpolicy", "", "admissionregistration.k8s.io", "validatingadmissionpolicies", false},
    {"validatingadmissionpolicybindings", "validatingadmissionpolicybinding", "", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", false},
    {"validatingwebhookconfigurations", "validatingwebhookconfiguration", "", "admissionregistration.k8s.io", "validatingwebhookconfigurations", false},
    {"volumeattachments", "volumeattachment", "", "storage.k8s.io", "volumeattachments", false},
    {0},
};

static bool named(const struct rsctl_kind *k, const char *name)
{
    size_t plural = strlen(k->plural);
    return strcasecmp(name, k->plural) == 0 || strcasecmp(name, k->singular) == 0 || (k->short_name[0] != '\0' && strcasecmp(name, k->short_name) == 0) ||
           (k->group[0] != '\0' && strncasecmp(name, k->plural, plural) == 0 && name[plural] == '.' && strcasecmp(name + plural + 1, k->group) == 0);
}

/* Letters to insert, delete or change (Levenshtein); both are shorter than NAME_MAX_BYTES. */
static size_t distance(struct slice a, struct slice b)
{
    size_t row[NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t changed = diagonal + ((a.data[i - 1] | 0x20) != b.data[j - 1]); /* names are in small letters */
            diagonal = row[j];
            row[j] = MIN(MIN(row[j], row[j - 1]) + 1, changed);
        }
    }
    return row[b.size];
}

static bool near(const struct rsctl_kind *k, const char *name)
{
    struct slice s = slice_str(name), plural = slice_str(k->plural), singular = slice_str(k->singular);
    if (s.size == 0 || s.size >= NAME_MAX_BYTES)
        return false;
    return strncasecmp(k->plural, name, s.size) == 0 || distance(s, plural) <= DISTANCE_MAX || distance(s, singular) <= DISTANCE_MAX;
}

int rsctl_kind_find(const char *name, const struct rsctl_kind **ret, struct err *reterr)
{
    struct buf list = {0};
    bool any = false;
    for (const struct rsctl_kind *k = rsctl_kinds; k->plural != NULL; k++) {
        if (named(k, name)) {
            *ret = k;
            return 0;
        }
        any |= near(k, name);
    }
    for (const struct rsctl_kind *k = rsctl_kinds; k->plural != NULL; k++)
        if (!any || near(k, name))
            buf_printf(&list, "%s%s", list.size > 0 ? ", " : "", k->plural);
    int code = err_set(reterr, ERR_NOT_FOUND, "unknown kind \"%.*s\"; %s %s", NAME_MAX_BYTES, name, any ? "near:" : "known:", list.data);
    buf_release(&list);
    return code;
}

void rsctl_key_name(struct buf *out, struct slice key)
{
    if (!slice_has_prefix(key, SLICE("/registry/"))) {
        buf_append_slice(out, key);
        return;
    }
    struct slice rest = slice_from(key, strlen("/registry/"));
    for (const struct rsctl_kind *k = rsctl_kinds; k->plural != NULL; k++) {
        size_t size = strlen(k->prefix);
        if (!slice_has_prefix(rest, slice_str(k->prefix)) || rest.size <= size || rest.data[size] != '/')
            continue;
        buf_printf(out, "%s %.*s", k->plural, SLICE_ARGS(slice_from(rest, size + 1)));
        return;
    }
    struct slice first = slice_cut(&rest, '/');
    buf_append_slice(out, first);
    buf_append_char(out, ' ');
    buf_append_slice(out, rest);
}

/* What --kind, --namespace and a NAME mean together, as kubectl has it. */
static int check_kind(const struct rsctl_flags *f, const struct rsctl_kind *k, size_t n)
{
    if (n > 1)
        return rsctl_usage("with --kind at most one NAME is wanted, got %zu arguments", n);
    if (f->from_key)
        return rsctl_usage("--kind and --from-key exclude each other");
    if (!k->namespaced && (f->object_namespace != NULL || f->all_namespaces))
        return rsctl_usage("%s are in no namespace: leave --namespace and --all-namespaces out", k->plural);
    if (f->object_namespace != NULL && f->all_namespaces)
        return rsctl_usage("--namespace and --all-namespaces exclude each other");
    if (f->all_namespaces && n > 0)
        return rsctl_usage("a NAME is of one namespace: --namespace instead of --all-namespaces");
    return RSCTL_OK;
}

static int kind_key(const struct rsctl_flags *f, const struct rsctl_kind *k, const char *name, struct buf *key)
{
    const char *ns = f->object_namespace != NULL ? f->object_namespace : "default";
    if (strchr(ns, '/') != NULL || ns[0] == '\0')
        return rsctl_usage("--namespace is \"%s\", which is no name", ns);
    if (name != NULL && (strchr(name, '/') != NULL || name[0] == '\0'))
        return rsctl_usage("\"%s\" is no name of an object: --namespace says where it is", name);
    buf_printf(key, "/registry/%s/", k->prefix);
    if (k->namespaced && !f->all_namespaces)
        buf_printf(key, "%s/", ns);
    buf_append_str(key, name == NULL ? "" : name);
    return RSCTL_OK;
}

int rsctl_target(const struct rsctl_flags *f, const char *const *arguments, size_t n, struct rsctl_target *ret)
{
    const struct rsctl_kind *k;
    struct err err;
    if (f->kind == NULL && (f->object_namespace != NULL || f->all_namespaces))
        return rsctl_usage("--namespace and --all-namespaces want --kind");
    if (f->kind == NULL)
        return rsctl_span(f, arguments, n, &ret->end, &ret->span);
    if (rsctl_kind_find(f->kind, &k, &err) != 0)
        return rsctl_usage("%s", err.message);
    int code = check_kind(f, k, n);
    if (code == RSCTL_OK)
        code = kind_key(f, k, n == 1 ? arguments[0] : NULL, &ret->key);
    if (code != RSCTL_OK)
        return code;
    struct rsctl_flags whole = *f;
    whole.prefix |= n == 0;
    const char *key = ret->key.data;
    return rsctl_span(&whole, &key, 1, &ret->end, &ret->span);
}

void rsctl_target_release(struct rsctl_target *t)
{
    buf_release(&t->key);
    buf_release(&t->end);
}
