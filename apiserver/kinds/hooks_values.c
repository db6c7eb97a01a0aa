/* Checks of single values that many types share: names, labels, numbers, quantities. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"
#include "common/kube/quantity.h"

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
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct err why;
        if (name_check_qualified(i.key, &why) != 0)
            check_fail_text(c, CHECK_INVALID, i.key, "%s", why.message);
        bytes += i.key.size + json_string(i.value).size;
    }
    if (bytes > ANNOTATIONS_BYTES_MAX)
        check_fail(c, CHECK_TOO_LONG, NULL, "may not be more than %d bytes", ANNOTATIONS_BYTES_MAX);
}

void check_finalizers(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        struct err why;
        size_t mark = check_enter_index(c, i.position - 1);
        if (name_check_qualified(json_string(i.value), &why) != 0)
            check_fail(c, CHECK_INVALID, i.value, "%s", why.message);
        check_leave(c, mark);
    }
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

void check_owner(struct check *c, const struct json *v)
{
    static const char *const wanted[] = {"apiVersion", "kind", "name", "uid"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const struct json *value = json_get(v, wanted[i]);
        if (json_string(value).size == 0)
            check_fail_at(c, wanted[i], CHECK_INVALID, value, "must not be empty");
    }
}

void check_object_meta(struct check *c, const struct json *v)
{
    size_t controllers = 0;
    struct json_iterator i = json_iterate(json_get(v, "ownerReferences"));
    while (json_next(&i))
        controllers += json_bool_at(i.value, "controller", false) ? 1 : 0;
    if (controllers > 1)
        check_fail_at(c, "ownerReferences", CHECK_INVALID, NULL, "Only one reference can have Controller set to true");
}

void check_selector_requirement(struct check *c, const struct json *v)
{
    struct slice operator= json_string_at(v, "operator");
    bool values = json_size(json_get(v, "values")) > 0;
    if ((slice_is(operator, "In") || slice_is(operator, "NotIn")) && !values)
        check_fail_at(c, "values", CHECK_REQUIRED, NULL, "must be specified when `operator` is 'In' or 'NotIn'");
    if ((slice_is(operator, "Exists") || slice_is(operator, "DoesNotExist")) && values)
        check_fail_at(c, "values", CHECK_FORBIDDEN, NULL,
                      "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
}

static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};

static bool one_of(struct slice s, const char *const *allowed)
{
    for (; *allowed != NULL; allowed++) {
        if (slice_is(s, *allowed))
            return true;
    }
    return false;
}

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
