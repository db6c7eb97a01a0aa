#include "common/base.h"

#include "apiserver/kinds/kinds.h"

#include <stdio.h>

/* One more kind may be linked in: a test's own. Without it its row is NULL and ends the table. */
extern const struct kind kind_added __attribute__((weak));

/* Groups in the order of discovery, which is Kubernetes' (the ranks of bootstrap_groups.c); in a group the preferred
 * version first. */
static const struct kind *const kinds[] = {
    &kind_binding,
    &kind_componentstatus,
    &kind_configmap,
    &kind_endpoints,
    &kind_event,
    &kind_limitrange,
    &kind_namespace,
    &kind_node,
    &kind_persistentvolume,
    &kind_persistentvolumeclaim,
    &kind_pod,
    &kind_podtemplate,
    &kind_replicationcontroller,
    &kind_resourcequota,
    &kind_secret,
    &kind_serviceaccount,
    &kind_service,
    &kind_apiservice,
    &kind_controllerrevision,
    &kind_daemonset,
    &kind_deployment,
    &kind_replicaset,
    &kind_statefulset,
    &kind_event_v1,
    &kind_selfsubjectreview,
    &kind_tokenrequest,
    &kind_tokenreview,
    &kind_localsubjectaccessreview,
    &kind_selfsubjectaccessreview,
    &kind_selfsubjectrulesreview,
    &kind_subjectaccessreview,
    &kind_horizontalpodautoscaler,
    &kind_horizontalpodautoscaler_v1,
    &kind_scale,
    &kind_cronjob,
    &kind_job,
    &kind_cronjob_v1beta1,
    &kind_certificatesigningrequest,
    &kind_ingressclass,
    &kind_ingress,
    &kind_networkpolicy,
    &kind_eviction,
    &kind_poddisruptionbudget,
    &kind_clusterrolebinding,
    &kind_clusterrole,
    &kind_rolebinding,
    &kind_role,
    &kind_csidriver,
    &kind_csinode,
    &kind_csistoragecapacity,
    &kind_storageclass,
    &kind_volumeattachment,
    &kind_mutatingwebhookconfiguration,
    &kind_validatingadmissionpolicybinding,
    &kind_validatingadmissionpolicy,
    &kind_validatingwebhookconfiguration,
    &kind_customresourcedefinition,
    &kind_priorityclass,
    &kind_lease,
    &kind_runtimeclass,
    &kind_endpoint_slice,
    &kind_flowschema,
    &kind_prioritylevelconfiguration,
    &kind_added,
    NULL,
};
_Static_assert(ARRAY_LEN(kinds) <= KINDS_MAX, "the table of kinds has a bound");

const struct kind *const *kinds_all(void) { return kinds; }

size_t kinds_index(const struct kind *k)
{
    size_t i = 0;
    while (kinds[i] != k) {
        ASSERT(kinds[i] != NULL);
        i++;
    }
    return i;
}

const struct kind *kinds_find(struct slice group, struct slice version, struct slice plural)
{
    for (size_t i = 0; kinds[i] != NULL; i++) {
        const struct kind *k = kinds[i];
        if (plural.size > 0 && slice_is(plural, k->plural) && slice_is(group, k->group) &&
            slice_is(version, k->version))
            return k;
    }
    return NULL;
}

const struct kind *kinds_find_name(struct slice group, struct slice version, struct slice name)
{
    for (size_t i = 0; kinds[i] != NULL; i++) {
        const struct kind *k = kinds[i];
        if (slice_is(name, k->name) && slice_is(group, k->group) && slice_is(version, k->version))
            return k;
    }
    return NULL;
}

const struct kind *kinds_stored(const struct kind *k) { return k->stored_as == NULL ? k : k->stored_as; }

bool kinds_serve(struct slice group, struct slice version)
{
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (slice_is(group, kinds[i]->group) && slice_is(version, kinds[i]->version))
            return true;
    return false;
}

const struct subresource *kinds_subresource(const struct kind *k, struct slice name)
{
    for (const struct subresource *s = k->subresources; s != NULL && s->name != NULL; s++) {
        if (slice_is(name, s->name))
            return s;
    }
    return NULL;
}

bool kinds_has_verb(const char *verbs, const char *verb)
{
    struct slice rest = slice_str(verbs);
    while (rest.data != NULL) {
        if (slice_is(slice_cut(&rest, ','), verb))
            return true;
    }
    return false;
}

const char *kinds_api_version(const struct kind *k, char text[128])
{
    int n = snprintf(text, 128, "%s%s%s", k->group, *k->group == '\0' ? "" : "/", k->version);
    ASSERT(n > 0 && n < 128);
    return text;
}

/* A subresource whose body nobody can read would be noticed by its first user only. */
static int check_subresources(const struct kind *k, struct err *reterr)
{
    for (const struct subresource *s = k->subresources; s != NULL && s->name != NULL; s++)
        if (!s->connects && kinds_find_name(slice_str(s->group), slice_str(s->version), slice_str(s->kind)) == NULL)
            return err_set(reterr, ERR_INTERNAL,
                           "kind %s: the body of its subresource %s is of kind %s, which is not in the table", k->name,
                           s->name, s->kind);
    return 0;
}

/* Two versions of one kind share its objects; everybody else has a prefix of their own. */
static bool clash(const struct kind *a, const struct kind *b)
{
    bool same_prefix = !a->never_stored && !b->never_stored && strcmp(a->storage_prefix, b->storage_prefix) == 0;
    bool same_name = strcmp(a->name, b->name) == 0 && strcmp(a->group, b->group) == 0;
    if (kinds_stored(a) == kinds_stored(b))
        return !same_prefix || (same_name && strcmp(a->version, b->version) == 0);
    return same_prefix || same_name;
}

static int check_versions(const struct kind *k, struct err *reterr)
{
    const struct kind *stored = kinds_stored(k);
    if ((k != stored) != (k->from_stored != NULL) || (k != stored) != (k->to_stored != NULL))
        return err_set(reterr, ERR_INTERNAL, "kind %s: a version stored as another needs both conversions, others none",
                       k->name);
    if (stored->stored_as != NULL || stored->namespaced != k->namespaced)
        return err_set(reterr, ERR_INTERNAL,
                       "kind %s: what it is stored as is itself stored as another, or of another scope", k->name);
    return 0;
}

int kinds_check(struct err *reterr)
{
    for (size_t i = 0; kinds[i] != NULL; i++) {
        const struct kind *k = kinds[i];
        if (k->type == NULL || (k->storage_prefix == NULL) != k->never_stored)
            return err_set(reterr, ERR_INTERNAL, "kind %s: its row lacks a type or a storage prefix", k->name);
        int code = check_subresources(k, reterr);
        if (code == 0)
            code = check_versions(k, reterr);
        if (code != 0)
            return code;
        for (size_t j = 0; j < i; j++) {
            if (clash(k, kinds[j]))
                return err_set(reterr, ERR_INTERNAL, "kinds %s and %s stand twice in the table", k->name,
                               kinds[j]->name);
        }
    }
    return 0;
}
