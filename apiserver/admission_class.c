/* DefaultStorageClass and DefaultIngressClass: who names no class gets the one that says it is the default; the newest
 * of several, of equally old ones the first by name. */
#include "common/base.h"

#include "apiserver/admission.h"
#include "apiserver/kinds/kinds.h"

struct class_rule {
    const struct kind *kind, *class;
    const char *marks[2];  /* annotations of a class: "true" makes it the default */
    const char *field;     /* of spec, in an object of `kind` */
    const char *elsewhere; /* the older way to name a class: an annotation of the object */
};

static const struct class_rule rules[] = {
    {&kind_persistentvolumeclaim,
     &kind_storageclass,
     {"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"},
     "storageClassName",
     "volume.beta.kubernetes.io/storage-class"},
    {&kind_ingress,
     &kind_ingressclass,
     {"ingressclass.kubernetes.io/is-default-class", NULL},
     "ingressClassName",
     "kubernetes.io/ingress.class"},
};

static const struct class_rule *rule_of(const struct kind *k)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].kind == k)
            return &rules[i];
    return NULL;
}

const struct kind *admission_class_kind(const struct kind *k)
{
    const struct class_rule *rule = rule_of(k);
    return rule == NULL ? NULL : rule->class;
}

static bool is_default(const struct class_rule *rule, const struct json *class)
{
    const struct json *annotations = json_at(class, "metadata.annotations");
    for (size_t i = 0; i < ARRAY_LEN(rule->marks) && rule->marks[i] != NULL; i++)
        if (slice_is(json_string(json_get(annotations, rule->marks[i])), "true"))
            return true;
    return false;
}

/* `a` is newer than `b`, or as old and before it by name. Times are in one form, which sorts as they do. */
static bool comes_first(const struct json *a, const struct json *b)
{
    int order =
        slice_compare(json_string_at(a, "metadata.creationTimestamp"), json_string_at(b, "metadata.creationTimestamp"));
    if (order == 0)
        return slice_compare(json_string_at(a, "metadata.name"), json_string_at(b, "metadata.name")) < 0;
    return order > 0;
}

void admission_class(const struct verb_facts *v, struct json_doc *d, struct json *o)
{
    const struct class_rule *rule = rule_of(v->kind);
    const struct json *chosen = NULL;
    if (rule == NULL || json_get(json_get(o, "spec"), rule->field) != NULL ||
        json_get(json_at(o, "metadata.annotations"), rule->elsewhere) != NULL)
        return;
    for (size_t i = 0; i < v->class_count; i++)
        if (is_default(rule, v->classes[i]) && (chosen == NULL || comes_first(v->classes[i], chosen)))
            chosen = v->classes[i];
    if (chosen != NULL)
        json_set_string(d, json_ensure_object(d, o, "spec"), rule->field, json_string_at(chosen, "metadata.name"));
}
