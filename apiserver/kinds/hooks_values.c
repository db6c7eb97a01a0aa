/* Checks of single values that many types share: names, labels, numbers, quantities. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"
#include "common/kube/quantity.h"

#include <ctype.h>

#define ANNOTATIONS_BYTES_MAX (256 * 1024)
#define CONFIG_BYTES_MAX (1024 * 1024)

static void check_with(struct check *c, const struct json *v, int (*rule)(struct slice, struct err *))
{
    struct err why;
    if (json_string(v).size != 0 && rule(json_string(v), &why) != 0)
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
}

void check_dns_label(struct check *c, const struct json *v) { check_with(c, v, name_check_label); }
void check_dns_subdomain(struct check *c, const struct json *v) { check_with(c, v, name_check_subdomain); }
void check_env_name(struct check *c, const struct json *v) { check_with(c, v, name_check_env); }
void check_port_name(struct check *c, const struct json *v) { check_with(c, v, name_check_port); }

void check_not_negative(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 0)
        check_fail(c, CHECK_INVALID, v, "must be greater than or equal to 0");
}

void check_positive(struct check *c, const struct json *v)
{
    if (json_int_or(v, 1) <= 0)
        check_fail(c, CHECK_INVALID, v, "must be greater than 0");
}

void check_port(struct check *c, const struct json *v)
{
    int64_t port = json_int_or(v, 0);
    if (port < 1 || port > 65535)
        check_fail(c, CHECK_INVALID, v, "must be between 1 and 65535, inclusive");
}

void check_labels(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct err why;
        if (name_check_qualified(i.key, &why) != 0)
            check_fail_text(c, CHECK_INVALID, i.key, "%s", why.message);
        if (name_check_label_value(json_string(i.value), &why) != 0)
            check_fail(c, CHECK_INVALID, i.value, "%s", why.message);
    }
}

void check_annotations(struct check *c, const struct json *v)
{
    size_t bytes = 0;
    struct buf lower = {0};
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct err why;
        buf_reset(&lower); /* in keys of annotations case does not matter */
        for (size_t k = 0; k < i.key.size; k++)
            buf_append_char(&lower, (char)tolower((unsigned char)i.key.data[k]));
        if (name_check_qualified(buf_slice(&lower), &why) != 0)
            check_fail_text(c, CHECK_INVALID, i.key, "%s", why.message);
        bytes += i.key.size + json_string(i.value).size;
    }
    if (bytes > ANNOTATIONS_BYTES_MAX)
        check_fail(c, CHECK_TOO_LONG, NULL, "may not be more than %d bytes", ANNOTATIONS_BYTES_MAX);
    buf_release(&lower);
}

static bool one_of(struct slice s, const char *const *allowed)
{
    for (; *allowed != NULL; allowed++) {
        if (slice_is(s, *allowed))
            return true;
    }
    return false;
}

void check_finalizers(struct check *c, const struct json *v)
{
    static const char *const standard[] = {"kubernetes", "orphan", "foregroundDeletion", NULL};
    bool orphan = false, foreground = false;
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct err why;
        struct slice name = json_string(i.value);
        if (name_check_qualified(name, &why) != 0) {
            check_fail(c, CHECK_INVALID, i.value, "%s", why.message);
            continue;
        }
        size_t mark = check_enter_index(c, i.position - 1);
        if (slice_find(name, '/') == name.size && !one_of(name, standard))
            check_fail(c, CHECK_INVALID, i.value, "name is neither a standard finalizer name nor is it fully qualified");
        check_leave(c, mark);
        orphan |= slice_is(name, "orphan");
        foreground |= slice_is(name, "foregroundDeletion");
    }
    if (orphan && foreground)
        check_fail(c, CHECK_INVALID, v, "finalizer orphan and foregroundDeletion cannot be both set");
}

void check_config_keys(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct err why;
        size_t mark = check_enter_key(c, i.key);
        if (name_check_config_key(i.key, &why) != 0)
            check_fail_text(c, CHECK_INVALID, i.key, "%s", why.message);
        check_leave(c, mark);
    }
}

void check_config_map(struct check *c, const struct json *v)
{
    size_t bytes = 0;
    const struct json *data = json_get(v, "data"), *binary = json_get(v, "binaryData");
    struct json_iterator i = json_iterate(data);
    while (json_next(&i)) {
        bytes += json_string(i.value).size;
        if (json_get_slice(binary, i.key) != NULL) {
            size_t mark = check_enter(c, "data");
            size_t key = check_enter_key(c, i.key);
            check_fail_text(c, CHECK_INVALID, i.key, "duplicate of key present in binaryData");
            check_leave(c, key);
            check_leave(c, mark);
        }
    }
    i = json_iterate(binary);
    while (json_next(&i))
        bytes += json_string(i.value).size / 4 * 3;
    if (bytes > CONFIG_BYTES_MAX)
        check_fail_at(c, "", CHECK_TOO_LONG, NULL, "may not be more than %d bytes", CONFIG_BYTES_MAX);
}

static bool is_container_resource(struct slice name)
{
    static const char *const names[] = {"cpu", "memory", "ephemeral-storage", NULL};
    return one_of(name, names) || slice_has_prefix(name, SLICE("hugepages-"));
}

void check_resources(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct quantity q;
        struct err why;
        size_t mark = check_enter_key(c, i.key);
        if (name_check_qualified(i.key, &why) != 0)
            check_fail_text(c, CHECK_INVALID, i.key, "%s", why.message);
        if (quantity_parse(json_string(i.value), &q, NULL) == 0 && q.nano < 0)
            check_fail(c, CHECK_INVALID, i.value, "must be greater than or equal to 0");
        check_leave(c, mark);
    }
}

void check_container_resources(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        size_t mark = check_enter_key(c, i.key);
        if (slice_find(i.key, '/') == i.key.size && !is_container_resource(i.key)) {
            check_fail_text(c, CHECK_INVALID, i.key, "must be a standard resource type or fully qualified");
            check_fail_text(c, CHECK_INVALID, i.key, "must be a standard resource for containers");
        }
        check_leave(c, mark);
    }
    check_resources(c, v);
}

void check_requests(struct check *c, const struct json *v)
{
    const struct json *limits = json_get(v, "limits");
    struct json_iterator i = json_iterate(json_get(v, "requests"));
    while (json_next(&i)) {
        struct quantity request, limit;
        struct slice bound = json_string(json_get_slice(limits, i.key));
        if (bound.data == NULL || quantity_parse(json_string(i.value), &request, NULL) != 0 ||
            quantity_parse(bound, &limit, NULL) != 0 || quantity_compare(request, limit) <= 0)
            continue;
        check_fail_at(c, "requests", CHECK_INVALID, i.value, "must be less than or equal to %.*s limit of %.*s",
                      SLICE_ARGS(i.key), SLICE_ARGS(bound));
    }
}

/* The paths of Kubernetes name no index here. */
static void check_owner(struct check *c, const struct json *owner)
{
    static const struct {
        const char *field, *word;
    } wanted[] = {{"apiVersion", "version"}, {"kind", "kind"}, {"name", "name"}, {"uid", "uid"}};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (json_string_at(owner, wanted[i].field).size == 0)
            check_fail_shown(c, wanted[i].field, CHECK_INVALID, "\"\"", "%s must not be empty", wanted[i].word);
}

static void owner_text(const struct json *o, struct buf *out)
{
    buf_printf(out, "v1.OwnerReference{APIVersion:\"%.*s\", Kind:\"%.*s\", Name:\"%.*s\", UID:\"%.*s\"}",
               SLICE_ARGS(json_string_at(o, "apiVersion")), SLICE_ARGS(json_string_at(o, "kind")),
               SLICE_ARGS(json_string_at(o, "name")), SLICE_ARGS(json_string_at(o, "uid")));
}

void check_object_meta(struct check *c, const struct json *v)
{
    const struct json *controller = NULL;
    struct buf all = {0};
    struct json_iterator i = json_iterate(json_get(v, "ownerReferences"));
    size_t mark = check_enter(c, "ownerReferences");
    while (json_next(&i)) {
        check_owner(c, i.value);
        buf_append_str(&all, i.position == 1 ? "" : ", ");
        owner_text(i.value, &all);
    }
    i = json_iterate(json_get(v, "ownerReferences"));
    while (json_next(&i)) {
        if (!json_bool_at(i.value, "controller", false))
            continue;
        if (controller != NULL) {
            struct buf shown = {0};
            buf_printf(&shown, "[]v1.OwnerReference{%s}", all.data);
            check_fail_shown(c, "", CHECK_INVALID, shown.data,
                             "Only one reference can have Controller set to true. Found \"true\" in references for "
                             "%.*s/%.*s and %.*s/%.*s",
                             SLICE_ARGS(json_string_at(controller, "kind")), SLICE_ARGS(json_string_at(controller, "name")),
                             SLICE_ARGS(json_string_at(i.value, "kind")), SLICE_ARGS(json_string_at(i.value, "name")));
            buf_release(&shown);
        }
        controller = i.value;
    }
    check_leave(c, mark);
    buf_release(&all);
}

static void check_requirement(struct check *c, const struct json *v, const char *const *operators)
{
    struct slice operator= json_string_at(v, "operator");
    if (operator.size > 0 && !one_of(operator, operators))
        check_fail_at(c, "operator", CHECK_INVALID, json_get(v, "operator"), "not a valid selector operator");
    bool values = json_size(json_get(v, "values")) > 0;
    if ((slice_is(operator, "In") || slice_is(operator, "NotIn")) && !values)
        check_fail_at(c, "values", CHECK_REQUIRED, NULL, "must be specified when `operator` is 'In' or 'NotIn'");
    if ((slice_is(operator, "Exists") || slice_is(operator, "DoesNotExist")) && values)
        check_fail_at(c, "values", CHECK_FORBIDDEN, NULL,
                      "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
}

void check_selector_requirement(struct check *c, const struct json *v)
{
    static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};
    check_requirement(c, v, operators);
}

void check_node_requirement(struct check *c, const struct json *v)
{
    static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", NULL};
    check_requirement(c, v, operators);
    struct slice operator= json_string_at(v, "operator");
    if ((slice_is(operator, "Gt") || slice_is(operator, "Lt")) && json_size(json_get(v, "values")) != 1)
        check_fail_at(c, "values", CHECK_REQUIRED, NULL, "must be specified single value when `operator` is 'Lt' or 'Gt'");
}

void check_weight(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 1 || json_int_or(v, 0) > 100)
        check_fail(c, CHECK_INVALID, v, "must be in the range 1-100");
}

void check_deadline(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 1 || json_int_or(v, 0) > INT32_MAX)
        check_fail(c, CHECK_INVALID, v, "must be between 1 and %d, inclusive", INT32_MAX);
}

void check_file_mode(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) < 0 || json_int_or(v, 0) > 0777)
        check_fail(c, CHECK_INVALID, v, "must be a number between 0 and 0777 (octal), both inclusive");
}

/* A path below a volume: relative, and never out of it. */
void check_inner_path(struct check *c, const struct json *v)
{
    struct slice rest = json_string(v);
    if (rest.size > 0 && rest.data[0] == '/')
        check_fail(c, CHECK_INVALID, v, "must be a relative path");
    while (rest.data != NULL) {
        if (!slice_is(slice_cut(&rest, '/'), ".."))
            continue;
        check_fail(c, CHECK_INVALID, v, "must not contain '..'");
        return;
    }
}

/* The downward API's fields; labels and annotations also by key. */
void check_field_path(struct check *c, const struct json *v)
{
    static const char *const paths[] = {"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels",
                                        "metadata.annotations", "spec.nodeName", "spec.restartPolicy",
                                        "spec.serviceAccountName", "spec.schedulerName", "spec.hostNetwork", "status.phase",
                                        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs", NULL};
    struct slice path = json_string(v), bare = slice_of(path.data, slice_find(path, '['));
    bool keyed = bare.size < path.size;
    bool known = keyed ? slice_is(bare, "metadata.labels") || slice_is(bare, "metadata.annotations") : one_of(path, paths);
    if (!known && path.size > 0)
        check_fail(c, CHECK_INVALID, v, "error converting fieldPath: field label not supported: %.*s", SLICE_ARGS(bare));
}

static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};

void check_taint(struct check *c, const struct json *v)
{
    const struct json *effect = json_get(v, "effect");
    if (json_string(effect).size > 0 && !one_of(json_string(effect), effects)) {
        size_t mark = check_enter(c, "effect");
        check_fail_one_of(c, effect, effects);
        check_leave(c, mark);
    }
}

void check_toleration(struct check *c, const struct json *v)
{
    check_taint(c, v);
    bool exists = slice_is(json_string_at(v, "operator"), "Exists");
    if (json_string_at(v, "key").size == 0 && !exists)
        check_fail_at(c, "operator", CHECK_INVALID, json_get(v, "operator"),
                      "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (exists && json_string_at(v, "value").size > 0)
        check_fail_at(c, "operator", CHECK_INVALID, json_get(v, "operator"),
                      "value must be empty when `operator` is 'Exists'");
    if (json_get(v, "tolerationSeconds") != NULL && !slice_is(json_string_at(v, "effect"), "NoExecute"))
        check_fail_at(c, "effect", CHECK_INVALID, json_get(v, "effect"),
                      "effect must be 'NoExecute' when `tolerationSeconds` is set");
}

void check_event(struct check *c, const struct json *v)
{
    struct slice about = json_string_at(v, "involvedObject.namespace"), own = json_string_at(v, "metadata.namespace");
    if (about.size > 0 ? !slice_equal(about, own) : !slice_is(own, "default") && !slice_is(own, "kube-system"))
        check_fail_at(c, "involvedObject.namespace", CHECK_INVALID, json_at(v, "involvedObject.namespace"),
                      "does not match event.namespace");
}

void check_binding(struct check *c, const struct json *v)
{
    const struct json *kind = json_at(v, "target.kind");
    static const char *const kinds[] = {"Node", "<empty>", NULL};
    if (json_string(kind).size > 0 && !slice_is(json_string(kind), "Node")) {
        size_t mark = check_enter(c, "target.kind");
        check_fail_one_of(c, kind, kinds);
        check_leave(c, mark);
    }
    if (json_string_at(v, "target.name").size == 0)
        check_fail_at(c, "target.name", CHECK_REQUIRED, NULL, "%s", "");
}
