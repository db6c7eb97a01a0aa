/* Defaults and rules that deployments and replica sets share. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "common/kube/selector.h"

/* apps/v1 has no default selector; the object's own labels follow the template's when there are none, as upstream does
 * for extensions only. Nothing to do but the strategy, which has a hook of its own. */
void fill_deployment_strategy(struct json_doc *d, struct json *v)
{
    if (!slice_is(json_string_at(v, "type"), "RollingUpdate"))
        return;
    struct json *rolling = json_ensure_object(d, v, "rollingUpdate");
    if (json_get(rolling, "maxUnavailable") == NULL)
        json_set_str(d, rolling, "maxUnavailable", "25%");
    if (json_get(rolling, "maxSurge") == NULL)
        json_set_str(d, rolling, "maxSurge", "25%");
}

void check_fail_int_or_string(struct check *c, const char *field, const struct json *v, const char *text)
{
    struct buf shown = {0};
    bool string = json_type(v) == JSON_STRING;
    buf_printf(&shown, "intstr.IntOrString{Type:%d, IntVal:%d, StrVal:", string ? 1 : 0, (int)json_int_or(v, 0));
    json_print_string(string ? json_string(v) : SLICE(""), &shown);
    buf_append_char(&shown, '}');
    check_fail_shown(c, field, CHECK_INVALID, shown.data, "%s", text);
    buf_release(&shown);
}

static void strings_text(const struct json *list, struct buf *out)
{
    struct json_iterator i = json_iterate(list);
    buf_append_str(out, list == NULL ? "[]string(nil" : "[]string{");
    while (json_next(&i)) {
        buf_append_str(out, i.position > 1 ? ", " : "");
        json_print_string(json_string(i.value), out);
    }
    buf_append_char(out, list == NULL ? ')' : '}');
}

/* What %#v makes of a metav1.LabelSelector: people search for this text. */
void label_selector_text(const struct json *v, struct buf *out)
{
    const struct json *labels = json_get(v, "matchLabels"), *expressions = json_get(v, "matchExpressions");
    buf_append_str(out, labels == NULL ? "v1.LabelSelector{MatchLabels:map[string]string(nil)"
                                       : "v1.LabelSelector{MatchLabels:map[string]string{");
    struct json_iterator i = json_iterate(labels);
    while (json_next(&i)) {
        buf_append_str(out, i.position > 1 ? ", " : "");
        json_print_string(i.key, out);
        buf_append_char(out, ':');
        json_print_string(json_string(i.value), out);
    }
    buf_append_str(out, labels == NULL ? ", MatchExpressions:" : "}, MatchExpressions:");
    buf_append_str(out, expressions == NULL ? "[]v1.LabelSelectorRequirement(nil)" : "[]v1.LabelSelectorRequirement{");
    i = json_iterate(expressions);
    while (json_next(&i)) {
        buf_printf(out, "%sv1.LabelSelectorRequirement{Key:", i.position > 1 ? ", " : "");
        json_print_string(json_string_at(i.value, "key"), out);
        buf_append_str(out, ", Operator:");
        json_print_string(json_string_at(i.value, "operator"), out);
        buf_append_str(out, ", Values:");
        strings_text(json_get(i.value, "values"), out);
        buf_append_char(out, '}');
    }
    buf_append_str(out, expressions == NULL ? "}" : "}}");
}

void check_deployment_strategy(struct check *c, const struct json *v)
{
    if (slice_is(json_string_at(v, "type"), "Recreate") && json_get(v, "rollingUpdate") != NULL)
        check_fail_at(c, "rollingUpdate", CHECK_FORBIDDEN, NULL,
                      "may not be specified when strategy `type` is 'Recreate'");
    static const char *const parts[] = {"rollingUpdate.maxUnavailable", "rollingUpdate.maxSurge"};
    bool zero = json_get(v, "rollingUpdate") != NULL;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct json *part = json_at(v, parts[i]);
        struct slice text = json_string(part);
        if (text.size > 0 && text.data[text.size - 1] != '%')
            check_fail_int_or_string(
                c, parts[i], part,
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
                "regex used for validation is '[0-9]+%')");
        if (json_type(part) == JSON_NUMBER && json_int_or(part, 0) < 0)
            check_fail_int_or_string(c, parts[i], part, "must be greater than or equal to 0");
        zero &= slice_is(text, "0%") || (json_type(part) == JSON_NUMBER && json_int_or(part, 1) == 0);
    }
    if (zero)
        check_fail_int_or_string(c, parts[0], json_at(v, parts[0]), "may not be 0 when `maxSurge` is 0");
}

void check_int_or_percent(struct check *c, const char *field, const struct json *v)
{
    struct slice text = json_string(v);
    bool percent = text.size > 1 && text.data[text.size - 1] == '%';
    for (size_t i = 0; percent && i + 1 < text.size; i++)
        percent = text.data[i] >= '0' && text.data[i] <= '9';
    if (json_type(v) == JSON_STRING && !percent)
        check_fail_int_or_string(c, field, v,
                                 "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', "
                                 " or '93%', regex used for validation is '[0-9]+%')");
    if (json_type(v) == JSON_NUMBER && json_int_or(v, 0) < 0)
        check_fail_int_or_string(c, field, v, "must be greater than or equal to 0");
}

bool is_int_or_percent_zero(const struct json *v)
{
    return json_type(v) == JSON_NUMBER ? json_int_or(v, 1) == 0 : slice_is(json_string(v), "0%");
}

void labels_text(const struct json *labels, struct buf *out)
{
    struct json_iterator i = json_iterate(labels);
    while (json_next(&i))
        buf_printf(out, "%s%.*s=%.*s", i.position > 1 ? "," : "", SLICE_ARGS(i.key), SLICE_ARGS(json_string(i.value)));
}

void check_selects_template(struct check *c, const struct json *spec, const char *at)
{
    const struct json *selector = json_get(spec, "selector"), *labels = json_at(spec, "template.metadata.labels");
    struct selector parsed = {0};
    size_t mark = check_enter(c, at);
    bool usable = selector != NULL && selector_from_json(selector, &parsed, NULL) == 0;
    if (selector == NULL || (usable && !selector_matches_json(&parsed, labels)))
        check_fail_at(c, "template.metadata.labels", CHECK_INVALID, labels,
                      "`selector` does not match template `labels`");
    selector_release(&parsed);
    check_leave(c, mark);
}

void check_pods_spec(struct check *c, const struct json *v, const char *lower, const char *name)
{
    const struct json *selector = json_get(v, "selector");
    struct selector parsed = {0};
    struct buf shown = {0};
    bool usable = selector != NULL && selector_from_json(selector, &parsed, NULL) == 0;
    label_selector_text(selector, &shown);
    if (selector != NULL && json_size(json_get(selector, "matchLabels")) == 0 &&
        json_size(json_get(selector, "matchExpressions")) == 0)
        check_fail_shown(c, "selector", CHECK_INVALID, shown.data, "empty selector is invalid for %s", lower);
    else if (selector != NULL && !usable)
        check_fail_shown(c, "selector", CHECK_INVALID, shown.data, "invalid label selector");
    check_selects_template(c, v, "");
    selector_release(&parsed);
    buf_release(&shown);
    const struct json *policy = json_at(v, "template.spec.restartPolicy");
    if (json_string(policy).size > 0 && !slice_is(json_string(policy), "Always")) {
        static const char *const allowed[] = {"Always", NULL};
        size_t mark = check_enter(c, "template.spec.restartPolicy");
        check_fail_one_of(c, policy, allowed);
        check_leave(c, mark);
    }
    if (json_get(json_at(v, "template.spec"), "activeDeadlineSeconds") != NULL)
        check_fail_at(c, "template.spec.activeDeadlineSeconds", CHECK_FORBIDDEN, NULL,
                      "activeDeadlineSeconds in %s is not Supported", name);
}

void check_workload_spec(struct check *c, const struct json *v)
{
    check_pods_spec(c, v, "deployment", "ReplicaSet");
    int64_t deadline = json_int_at(v, "progressDeadlineSeconds", INT32_MAX),
            ready = json_int_at(v, "minReadySeconds", 0);
    if (deadline <= ready)
        check_fail_at(c, "progressDeadlineSeconds", CHECK_INVALID, json_get(v, "progressDeadlineSeconds"),
                      "must be greater than minReadySeconds");
}

void selector_text(const struct json *label_selector, struct buf *out)
{
    struct selector s = {0};
    if (selector_from_json(label_selector, &s, NULL) == 0 && s.count > 0)
        selector_print(&s, out);
    else
        buf_append_str(out, "<none>");
    selector_release(&s);
}

void check_workload_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_at(object, "spec.selector"), *was = json_at(old, "spec.selector");
    if (now == NULL || was == NULL || json_equal(now, was))
        return;
    struct buf shown = {0};
    label_selector_text(now, &shown);
    check_fail_shown(c, "spec.selector", CHECK_INVALID, shown.data, "field is immutable");
    buf_release(&shown);
}

void workload_container_cells(const struct json *o, struct cells *out)
{
    static const char *const fields[] = {"name", "image"};
    struct buf text = {0};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        containers_text(json_at(o, "spec.template.spec"), fields[i], &text);
        cells_add(out, buf_slice(&text));
        buf_reset(&text);
    }
    buf_release(&text);
}

void workload_wide_cells(const struct json *o, struct cells *out)
{
    struct buf text = {0};
    workload_container_cells(o, out);
    selector_text(json_at(o, "spec.selector"), &text);
    cells_add(out, buf_slice(&text));
    buf_release(&text);
}
