/* NodeAffinity: nodeSelector and required terms must match; preferred terms add their weights. */
#include "common/base.h"

#include "scheduler/framework.h"

#include <stdlib.h>

#define REASON "node(s) didn't match Pod's node affinity/selector"

static bool listed(const struct json *values, struct slice value)
{
    struct json_iterator i = json_iterate(values);
    while (json_next(&i))
        if (slice_equal(json_string(i.value), value))
            return true;
    return false;
}

/* Gt and Lt compare whole numbers; what is none matches nothing. */
static bool number(struct slice text, int64_t *ret)
{
    char *end;
    if (text.size == 0)
        return false;
    *ret = strtoll(text.data, &end, 10);
    return end == text.data + text.size;
}

static bool compares(struct slice value, const struct json *values, bool greater)
{
    int64_t have, want;
    if (!number(value, &have) || !number(json_string(json_element(values, 0)), &want))
        return false;
    return greater ? have > want : have < want;
}

static bool requirement_holds(const struct json *requirement, struct slice value)
{
    struct slice operator= json_string_at(requirement, "operator");
    const struct json *values = json_get(requirement, "values");
    bool present = value.data != NULL;
    if (slice_is(operator, "In"))
        return present && listed(values, value);
    if (slice_is(operator, "NotIn"))
        return !present || !listed(values, value);
    if (slice_is(operator, "Exists"))
        return present;
    if (slice_is(operator, "DoesNotExist"))
        return !present;
    if (slice_is(operator, "Gt") || slice_is(operator, "Lt"))
        return compares(value, values, slice_is(operator, "Gt"));
    return false;
}

/* All its requirements hold; a term without any matches nothing. */
static bool term_matches(const struct json *term, const struct node_info *node)
{
    const struct json *labels = json_at(node->tree, "metadata.labels");
    const struct json *expressions = json_get(term, "matchExpressions"), *fields = json_get(term, "matchFields");
    if (json_size(expressions) + json_size(fields) == 0)
        return false;
    struct json_iterator i = json_iterate(expressions);
    while (json_next(&i))
        if (!requirement_holds(i.value, json_string(json_get_slice(labels, json_string_at(i.value, "key")))))
            return false;
    i = json_iterate(fields);
    while (json_next(&i))
        if (!slice_is(json_string_at(i.value, "key"), "metadata.name") || !requirement_holds(i.value, slice_str(node->name)))
            return false;
    return true;
}

static const char *filter(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    const struct json *labels = json_at(node->tree, "metadata.labels");
    struct json_iterator i = json_iterate(json_at(pod->tree, "spec.nodeSelector"));
    while (json_next(&i))
        if (!json_equal(json_get_slice(labels, i.key), i.value))
            return REASON;
    const struct json *required =
        json_at(pod->tree, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    i = json_iterate(json_get(required, "nodeSelectorTerms"));
    while (json_next(&i))
        if (term_matches(i.value, node))
            return NULL;
    return required == NULL ? NULL : REASON;
}

static int64_t score(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    (void)s;
    int64_t matched = 0, all = 0;
    struct json_iterator i =
        json_iterate(json_at(pod->tree, "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"));
    while (json_next(&i)) {
        int64_t weight = json_int_at(i.value, "weight", 0);
        all += weight;
        matched += term_matches(json_get(i.value, "preference"), node) ? weight : 0;
    }
    return all > 0 ? matched * 100 / all : 0;
}

const struct plugin plugin_node_affinity = {.name = "NodeAffinity", .filter = filter, .score = score, .weight = 2};
