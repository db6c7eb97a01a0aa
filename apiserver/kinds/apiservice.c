/* APIService, apiregistration.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#include <stdio.h>

static void check_service(struct check *c, const struct json *v);
static void check_group_priority(struct check *c, const struct json *v);
static void check_version_priority(struct check *c, const struct json *v);
static void check_api_service_spec(struct check *c, const struct json *v);
static void check_api_service(struct check *c, const struct json *v);

static const struct field fields_service_reference[] = {
    {.name = "namespace", .type = FIELD_STRING, .proto = 1, .doc = "Namespace of the service."},
    {.name = "name", .type = FIELD_STRING, .proto = 2, .doc = "Name of the service."},
    {.name = "port",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .fallback = "443",
     .check = check_port,
     .doc = "Port of the service, 443 by default."},
    {.name = NULL},
};
static const struct type type_service_reference = {
    .name = "ServiceReference",
    .doc = "A service that serves an API.",
    .definition = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference",
    .fields = fields_service_reference,
    .check = check_service,
};

static const struct field fields_api_service_spec[] = {
    {.name = "service",
     .type = FIELD_OBJECT,
     .object = &type_service_reference,
     .proto = 1,
     .doc = "The service that serves it; none: this server does."},
    {.name = "group", .type = FIELD_STRING, .proto = 2, .check = check_dns_subdomain, .doc = "Name of the group."},
    {.name = "version", .type = FIELD_STRING, .proto = 3, .doc = "Name of the version."},
    {.name = "insecureSkipTLSVerify",
     .type = FIELD_BOOL,
     .proto = 4,
     .doc = "Does not check the service's certificate; for tests only."},
    {.name = "caBundle",
     .type = FIELD_BYTES,
     .proto = 5,
     .doc = "Certificates, in PEM, that the service's own is checked against."},
    {.name = "groupPriorityMinimum",
     .type = FIELD_INT32,
     .proto = 7,
     .flags = FIELD_REQUIRED,
     .fallback = "0",
     .check = check_group_priority,
     .doc = "Rank of the group; groups with higher ranks are preferred by clients."},
    {.name = "versionPriority",
     .type = FIELD_INT32,
     .proto = 8,
     .flags = FIELD_REQUIRED,
     .fallback = "0",
     .check = check_version_priority,
     .doc = "Rank of the version within its group; higher ones are preferred."},
    {.name = NULL},
};
static const struct type type_api_service_spec = {
    .name = "APIServiceSpec",
    .doc = "Where a group's version is served, and how it ranks.",
    .definition = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpec",
    .fields = fields_api_service_spec,
    .check = check_api_service_spec,
};

static const struct field fields_api_service_condition[] = {
    {.name = "type",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "What the condition is about: Available."},
    {.name = "status", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "True, False or Unknown."},
    {.name = "lastTransitionTime",
     .type = FIELD_TIME,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "When the status last changed."},
    {.name = "reason", .type = FIELD_STRING, .proto = 4, .doc = "One word, for machines, why it is so."},
    {.name = "message", .type = FIELD_STRING, .proto = 5, .doc = "What a person should know about it."},
    {.name = NULL},
};
static const struct type type_api_service_condition = {
    .name = "APIServiceCondition",
    .doc = "One thing that holds, or does not, of an APIService.",
    .definition = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceCondition",
    .fields = fields_api_service_condition,
};

static const struct field fields_api_service_status[] = {
    {.name = "conditions",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_api_service_condition,
     .proto = 1,
     .list = LIST_MAP,
     .list_keys = "type",
     .patch = PATCH_MERGE,
     .merge_key = "type",
     .doc = "What holds of the object, one entry per type."},
    {.name = NULL},
};
static const struct type type_api_service_status = {
    .name = "APIServiceStatus",
    .doc = "Whether a group's version can be reached.",
    .definition = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatus",
    .fields = fields_api_service_status,
};

static const struct field fields_api_service[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .object = &type_object_meta,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Name, namespace, labels and what else every object carries."},
    {.name = "spec",
     .type = FIELD_OBJECT,
     .object = &type_api_service_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_api_service_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_api_service = {
    .name = "APIService",
    .doc = "Who serves a version of a group: this server, or one behind a service.",
    .definition = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
    .fields = fields_api_service,
    .check = check_api_service,
};

static void check_service(struct check *c, const struct json *v)
{
    static const char *const needed[] = {"namespace", "name"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (json_string_at(v, needed[i]).size == 0)
            check_fail_at(c, needed[i], CHECK_REQUIRED, NULL, "%s", "");
}

static void check_group_priority(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) <= 0 || json_int_or(v, 0) > 20000)
        check_fail(c, CHECK_INVALID, v, "must be positive and less than 20000");
}

static void check_version_priority(struct check *c, const struct json *v)
{
    if (json_int_or(v, 0) <= 0 || json_int_or(v, 0) > 1000)
        check_fail(c, CHECK_INVALID, v, "must be positive and less than 1000");
}

static void check_local(struct check *c, const struct json *v)
{
    struct slice bundle = json_string_at(v, "caBundle");
    char shown[32];
    if (bundle.size > 0) {
        (void)snprintf(shown, sizeof shown, "%zu bytes", bundle.size / 4 * 3); /* fits */
        check_fail_text_at(c, "caBundle", CHECK_INVALID, slice_str(shown), "local APIServices may not have a caBundle");
    }
    if (json_bool_at(v, "insecureSkipTLSVerify", false))
        check_fail_at(c, "insecureSkipTLSVerify", CHECK_INVALID, json_get(v, "insecureSkipTLSVerify"),
                      "local APIServices may not have insecureSkipTLSVerify");
}

static void check_api_service_spec(struct check *c, const struct json *v)
{
    struct err why;
    struct slice version = json_string_at(v, "version");
    if (json_string_at(v, "group").size == 0 && !slice_is(version, "v1"))
        check_fail_at(c, "group", CHECK_REQUIRED, NULL, "only v1 may have an empty group and it better be legacy kube");
    if (name_check_label1035(version, &why) != 0)
        check_fail_text_at(c, "version", CHECK_INVALID, version, "%s", why.message);
    if (json_get(v, "service") == NULL)
        check_local(c, v);
    else if (json_bool_at(v, "insecureSkipTLSVerify", false) && json_string_at(v, "caBundle").size > 0)
        check_fail_at(c, "insecureSkipTLSVerify", CHECK_INVALID, json_get(v, "insecureSkipTLSVerify"),
                      "may not be true if caBundle is present");
}

/* "v1.apps"; the core group's is "v1.". */
static void check_api_service(struct check *c, const struct json *v)
{
    struct buf wanted = {0};
    struct slice name = json_string_at(v, "metadata.name");
    buf_printf(&wanted, "%.*s.%.*s", SLICE_ARGS(json_string_at(v, "spec.version")),
               SLICE_ARGS(json_string_at(v, "spec.group")));
    if (name.size > 0 && !slice_is(name, wanted.data))
        check_fail_text_at(c, "metadata.name", CHECK_INVALID, name, "must be `spec.version+\".\"+spec.group`: \"%s\"",
                           wanted.data);
    buf_release(&wanted);
}

static void fill_status(struct json_doc *d, struct json *o)
{
    static const char *const words[][2] = {{"type", "Available"},
                                           {"status", "True"},
                                           {"reason", "Local"},
                                           {"message", "Local APIServices are always available"}};
    if (json_at(o, "spec.service") != NULL)
        return;
    struct json *list = json_new_array(d), *condition = json_new_object(d), *status = json_new_object(d);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        json_set_str(d, condition, words[i][0], words[i][1]);
    json_set_string(d, condition, "lastTransitionTime", json_string_at(o, "metadata.creationTimestamp"));
    json_append(list, condition);
    json_set(d, status, "conditions", list);
    json_set(d, o, "status", status);
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Version and group that it serves."},
    {.name = "Service", .type = "string", .doc = "Who serves it: this server (Local) or a service."},
    {.name = "Available", .type = "string", .doc = "Whether it answers."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void available_cell(const struct json *o, struct cells *out)
{
    struct json_iterator i = json_iterate(json_at(o, "status.conditions"));
    while (json_next(&i)) {
        struct slice status = json_string_at(i.value, "status");
        if (!slice_is(json_string_at(i.value, "type"), "Available"))
            continue;
        if (slice_is(status, "True"))
            cells_str(out, "True");
        else
            cells_printf(out, "%.*s (%.*s)", SLICE_ARGS(status), SLICE_ARGS(json_string_at(i.value, "reason")));
        return;
    }
    cells_str(out, "Unknown");
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    const struct json *service = json_at(o, "spec.service");
    cells_add(out, json_string_at(o, "metadata.name"));
    if (service == NULL)
        cells_str(out, "Local");
    else
        cells_printf(out, "%.*s/%.*s", SLICE_ARGS(json_string_at(service, "namespace")),
                     SLICE_ARGS(json_string_at(service, "name")));
    available_cell(o, out);
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const struct subresource subresources[] = {
    {"status", "apiregistration.k8s.io", "v1", "APIService", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_apiservice = {
    .group = "apiregistration.k8s.io",
    .version = "v1",
    .name = "APIService",
    .plural = "apiservices",
    .singular = "apiservice",
    .categories = api_extensions,
    .storage_prefix = "apiregistration.k8s.io/apiservices",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_api_service,
    .subresources = subresources,
    .columns = columns,
    .row = row,
    .check_name = name_check_path_segment,
    .prepare_create = fill_status,
    .update_needs_version = true,
    .no_generation = true,
};
