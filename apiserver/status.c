/* Status objects, field by field as clients expect them. */
#include "common/base.h"

#include "apiserver/status.h"
#include "common/json.h"
#include "common/mem.h"

#include <stdio.h>

void failure_release(struct failure *f)
{
    buf_release(&f->message);
    buf_release(&f->continue_token);
    mem_free(f->name);
    check_clear(&f->check);
    for (size_t i = 0; i < f->cause_count; i++) {
        mem_free(f->causes[i].reason);
        mem_free(f->causes[i].message);
        mem_free(f->causes[i].field);
    }
    mem_free(f->causes);
    *f = (struct failure){0};
}

static int set(struct failure *f, int code, const char *format, va_list args)
{
    if (f->code != 0)
        return f->code;
    char text[4096];
    (void)vsnprintf(text, sizeof text, format, args); /* a longer message is cut */
    f->code = code;
    buf_reset(&f->message);
    buf_append_str(&f->message, text);
    return code;
}

int failure_set(struct failure *f, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    code = set(f, code, format, args);
    va_end(args);
    return code;
}

int failure_set_text(struct failure *f, int code, struct slice text)
{
    if (f->code != 0)
        return f->code;
    f->code = code;
    buf_reset(&f->message);
    buf_append_slice(&f->message, text);
    return code;
}

void failure_cause(struct failure *f, const char *reason, struct slice message, struct slice field)
{
    if (f->cause_count == FAILURE_CAUSES_MAX)
        return;
    f->causes = mem_realloc(f->causes, (f->cause_count + 1) * sizeof *f->causes);
    f->causes[f->cause_count++] =
        (struct failure_cause){mem_strdup(reason), mem_slice_dup(message), mem_slice_dup(field)};
}

int failure_from(struct failure *f, const struct err *why) { return failure_set(f, why->code, "%s", why->message); }

int failure_limit(struct failure *f, enum limit which)
{
    f->limit = which;
    return f->code;
}

void failure_about(struct failure *f, const struct kind *k, struct slice name)
{
    f->kind = k;
    mem_free(f->name);
    f->name = name.size == 0 ? NULL : mem_slice_dup(name);
}

void kind_resource_text(const struct kind *k, struct buf *out)
{
    buf_printf(out, "%s%s%s", k->plural, *k->group == '\0' ? "" : ".", k->group);
}

static int about(struct failure *f, int code, const struct kind *k, struct slice name, const char *before,
                 const char *after)
{
    struct buf resource = {0};
    kind_resource_text(k, &resource);
    if (f->code == 0)
        failure_about(f, k, name);
    code = failure_set(f, code, "%s%s \"%.*s\"%s", before, resource.data, SLICE_ARGS(name), after);
    buf_release(&resource);
    return code;
}

int failure_not_found(struct failure *f, const struct kind *k, struct slice name)
{
    return about(f, ERR_NOT_FOUND, k, name, "", " not found");
}

int failure_exists(struct failure *f, const struct kind *k, struct slice name)
{
    return about(f, ERR_EXISTS, k, name, "", " already exists");
}

int failure_conflict(struct failure *f, const struct kind *k, struct slice name)
{
    return about(f, ERR_CONFLICT, k, name, "Operation cannot be fulfilled on ",
                 ": the object has been modified; please apply your changes to the latest version and try again");
}

int failure_conflict_with(struct failure *f, const struct kind *k, struct slice name, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when longer */
    va_end(args);
    return about(f, ERR_CONFLICT, k, name, "Operation cannot be fulfilled on ", text);
}

int failure_invalid_resource(struct failure *f, const struct kind *k, struct slice name)
{
    struct buf resource = {0};
    if (f->code != 0)
        return f->code;
    f->code = ERR_INVALID;
    f->names_resource = true;
    failure_about(f, k, name);
    kind_resource_text(k, &resource);
    buf_reset(&f->message);
    buf_printf(&f->message, "%s \"%.*s\" is invalid: ", resource.data, SLICE_ARGS(name));
    check_message(&f->check, &f->message);
    buf_release(&resource);
    return f->code;
}

int failure_options(struct failure *f, const char *options)
{
    if (f->code != 0)
        return f->code;
    f->code = ERR_INVALID;
    f->options = options;
    buf_reset(&f->message);
    buf_printf(&f->message, "%s.meta.k8s.io \"\" is invalid: ", options);
    check_message(&f->check, &f->message);
    return f->code;
}

int failure_generic(struct failure *f, int code)
{
    f->bare_details = true;
    return failure_set(f, code, "%s",
                       code == ERR_METHOD      ? "the server does not allow this method on the requested resource"
                       : code == ERR_NOT_FOUND ? "the server could not find the requested resource"
                                               : "the server rejected our request due to an error in our request");
}

int failure_invalid(struct failure *f, const struct kind *k, struct slice name)
{
    if (f->code != 0)
        return f->code;
    f->code = ERR_INVALID;
    failure_about(f, k, name);
    buf_reset(&f->message);
    buf_printf(&f->message, "%s%s%s \"%.*s\" is invalid: ", k->name, *k->group == '\0' ? "" : ".", k->group,
               SLICE_ARGS(name));
    check_message(&f->check, &f->message);
    return f->code;
}

static void member(struct buf *out, const char *name, struct slice value)
{
    if (value.size == 0)
        return;
    if (out->size > 0 && out->data[out->size - 1] != '{')
        buf_append_char(out, ',');
    buf_printf(out, "\"%s\":", name);
    json_print_string(value, out);
}

static void cause(struct buf *out, const char *reason, const char *message, const char *field)
{
    if (out->data[out->size - 1] != '[')
        buf_append_char(out, ',');
    buf_append_char(out, '{');
    member(out, "reason", slice_str(reason));
    member(out, "message", slice_str(message));
    member(out, "field", slice_str(field));
    buf_append_char(out, '}');
}

static void causes(const struct failure *f, struct buf *out)
{
    if (f->check.count == 0 && f->cause_reason == NULL && f->cause_count == 0)
        return;
    if (out->data[out->size - 1] != '{')
        buf_append_char(out, ',');
    buf_append_str(out, "\"causes\":[");
    for (size_t i = 0; i < f->check.count; i++)
        cause(out, check_reason(f->check.errors[i].kind), f->check.errors[i].body, f->check.errors[i].path);
    for (size_t i = 0; i < f->cause_count; i++)
        cause(out, f->causes[i].reason, f->causes[i].message, f->causes[i].field);
    if (f->cause_reason != NULL)
        cause(out, f->cause_reason, f->cause_message, f->cause_field);
    buf_append_char(out, ']');
}

static void details(const struct failure *f, struct buf *out)
{
    buf_append_str(out, ",\"details\":{");
    member(out, "name", slice_str(f->name));
    if (f->kind != NULL) {
        member(out, "group", slice_str(f->kind->group));
        /* 422 names the kind, everything else the resource. */
        member(out, "kind", slice_str(f->code == ERR_INVALID && !f->names_resource ? f->kind->name : f->kind->plural));
    } else if (f->options != NULL) {
        member(out, "group", SLICE("meta.k8s.io"));
        member(out, "kind", slice_str(f->options));
    }
    causes(f, out);
    if (f->retry_after_seconds > 0)
        buf_printf(out, "%s\"retryAfterSeconds\":%d", out->data[out->size - 1] == '{' ? "" : ",",
                   f->retry_after_seconds);
    buf_append_char(out, '}');
}

void status_failure(const struct failure *f, struct buf *out)
{
    buf_append_str(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{");
    member(out, "continue", buf_slice(&f->continue_token));
    buf_append_str(out, "},\"status\":\"Failure\",\"message\":");
    json_print_string(buf_slice(&f->message), out);
    if (*err_reason(f->code) != '\0')
        buf_printf(out, ",\"reason\":\"%s\"", err_reason(f->code));
    if (f->bare_details || f->kind != NULL || f->name != NULL || f->check.count > 0 || f->cause_reason != NULL ||
        f->cause_count > 0 || f->options != NULL || f->retry_after_seconds > 0)
        details(f, out);
    buf_printf(out, ",\"code\":%d}\n", err_http(f->code));
}

void status_deleted(const struct kind *k, struct slice name, struct slice uid, struct buf *out)
{
    buf_append_str(out,
                   "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"details\":{");
    member(out, "name", name);
    member(out, "group", slice_str(k->group));
    member(out, "kind", slice_str(k->plural));
    member(out, "uid", uid);
    buf_append_str(out, "}}\n");
}
