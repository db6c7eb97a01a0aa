/* IngressClass, networking.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

#define CONTROLLER_BYTES_MAX 250

static const char *const scopes[] = {"Cluster", "Namespace", NULL};

static void check_class_spec(struct check *c, const struct json *v);
static void check_parameters(struct check *c, const struct json *v);

static const struct field fields_ingress_class_parameters_reference[] = {
    {.name = "apiGroup",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .check = check_dns_subdomain,
     .doc = "Group of the object; none: the core group."},
    {.name = "kind",
     .type = FIELD_STRING,
     .proto = 2,
     .flags = FIELD_REQUIRED,
     .required = "kind is required",
     .doc = "Kind of the object."},
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED,
     .required = "name is required",
     .doc = "Name of the object."},
    {.name = "scope",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .fallback = "\"Cluster\"",
     .one_of = scopes,
     .doc = "Whether it is an object of the Cluster or in a Namespace."},
    {.name = "namespace",
     .type = FIELD_STRING,
     .proto = 5,
     .flags = FIELD_POINTER,
     .check = check_dns_label,
     .doc = "Its namespace; with scope Namespace."},
    {.name = NULL},
};
static const struct type type_ingress_class_parameters_reference = {
    .name = "IngressClassParametersReference",
    .doc = "An object with settings for a controller.",
    .fields = fields_ingress_class_parameters_reference,
    .check = check_parameters,
};

static const struct field fields_ingress_class_spec[] = {
    {.name = "controller",
     .type = FIELD_STRING,
     .proto = 1,
     .doc = "Name of the controller: a domain and a path; never changes."},
    {.name = "parameters",
     .type = FIELD_OBJECT,
     .object = &type_ingress_class_parameters_reference,
     .proto = 2,
     .doc = "An object with more settings."},
    {.name = NULL},
};
static const struct type type_ingress_class_spec = {
    .name = "IngressClassSpec",
    .doc = "Who serves the class.",
    .fields = fields_ingress_class_spec,
    .check = check_class_spec,
};

static const struct field fields_ingress_class[] = {
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
     .object = &type_ingress_class_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = NULL},
};
static const struct type type_ingress_class = {
    .name = "IngressClass",
    .doc = "A kind of ingress, and the controller that serves it.",
    .fields = fields_ingress_class,
};

/* "acme.io/foo": a domain and a path. */
static void check_class_spec(struct check *c, const struct json *v)
{
    struct err why;
    struct slice name = json_string_at(v, "controller"), rest = name, domain = slice_cut(&rest, '/');
    if (name.size > CONTROLLER_BYTES_MAX)
        check_fail_at(c, "controller", CHECK_TOO_LONG, NULL, "may not be more than %d bytes", CONTROLLER_BYTES_MAX);
    if (name.size == 0)
        check_fail_at(c, "controller", CHECK_REQUIRED, NULL, "%s", "");
    else if (domain.size == 0 || rest.size == 0)
        check_fail_text_at(c, "controller", CHECK_INVALID, name,
                           "must be a domain-prefixed path (such as \"acme.io/foo\")");
    else if (name_check_subdomain(domain, &why) != 0)
        check_fail_text_at(c, "controller", CHECK_INVALID, domain, "%s", why.message);
}

static void check_parameters(struct check *c, const struct json *v)
{
    struct slice scope = json_string_at(v, "scope");
    bool within = json_get(v, "namespace") != NULL;
    if (slice_is(scope, "Namespace") && !within)
        check_fail_at(c, "namespace", CHECK_REQUIRED, NULL, "`parameters.scope` is set to 'Namespace'");
    if (slice_is(scope, "Cluster") && within)
        check_fail_at(c, "namespace", CHECK_FORBIDDEN, NULL, "`parameters.scope` is set to 'Cluster'");
}

static void check_update(struct check *c, const struct json *object, const struct json *old)
{
    const struct json *now = json_at(object, "spec.controller");
    if (!json_equal(now, json_at(old, "spec.controller")))
        check_fail_text_at(c, "spec.controller", CHECK_INVALID, json_string(now), "field is immutable");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique in the cluster."},
    {.name = "Controller", .type = "string", .doc = "Who serves ingresses of this class."},
    {.name = "Parameters", .type = "string", .doc = "The object that holds the controller's settings."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    const struct json *p = json_at(o, "spec.parameters");
    struct slice group = json_string_at(p, "apiGroup");
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, json_string_at(o, "spec.controller"));
    if (p == NULL)
        cells_str(out, "<none>");
    else
        cells_printf(out, "%.*s%s%.*s/%.*s", SLICE_ARGS(json_string_at(p, "kind")), group.data == NULL ? "" : ".",
                     SLICE_ARGS(group), SLICE_ARGS(json_string_at(p, "name")));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

const struct kind kind_ingressclass = {
    .group = "networking.k8s.io",
    .version = "v1",
    .name = "IngressClass",
    .plural = "ingressclasses",
    .singular = "ingressclass",
    .storage_prefix = "ingressclasses",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_ingress_class,
    .columns = columns,
    .row = row,
    .check_update = check_update,
};
