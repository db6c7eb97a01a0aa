/* Ingress, networking.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

static const char *const path_types[] = {"Exact", "ImplementationSpecific", "Prefix", NULL};

static void check_ingress_backend(struct check *c, const struct json *v);
static void check_http_path(struct check *c, const struct json *v);
static void check_ingress_host(struct check *c, const struct json *v);
static void check_ingress_spec(struct check *c, const struct json *v);
static void check_ingress_annotations(struct check *c, const struct json *v);
static void check_tls_hosts(struct check *c, const struct json *v);

static const struct field fields_service_backend_port[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .check = check_port_name,
     .doc = "Name of the port; not with `number`."},
    {.name = "number",
     .type = FIELD_INT32,
     .proto = 2,
     .check = check_port,
     .doc = "Number of the port; not with `name`."},
    {.name = NULL},
};
static const struct type type_service_backend_port = {
    .name = "ServiceBackendPort",
    .doc = "A port of a service, by name or by number.",
    .atomic = true,
    .fields = fields_service_backend_port,
};

static const struct field fields_ingress_service_backend[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .check = check_label1035,
     .doc = "Name of the service."},
    {.name = "port",
     .type = FIELD_OBJECT,
     .object = &type_service_backend_port,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "Port of the service."},
    {.name = NULL},
};
static const struct type type_ingress_service_backend = {
    .name = "IngressServiceBackend",
    .doc = "A service, and its port.",
    .fields = fields_ingress_service_backend,
};

static const struct field fields_ingress_backend[] = {
    {.name = "resource",
     .type = FIELD_OBJECT,
     .object = &type_typed_local_object_reference,
     .proto = 3,
     .doc = "An object in the namespace of the ingress; not with `service`."},
    {.name = "service",
     .type = FIELD_OBJECT,
     .object = &type_ingress_service_backend,
     .proto = 4,
     .doc = "A service in the namespace of the ingress; not with `resource`."},
    {.name = NULL},
};
static const struct type type_ingress_backend = {
    .name = "IngressBackend",
    .doc = "Where requests go: a service, or another object.",
    .fields = fields_ingress_backend,
    .check = check_ingress_backend,
};

static const struct field fields_http_ingress_path[] = {
    {.name = "path", .type = FIELD_STRING, .proto = 1, .doc = "Path of the URL that is matched."},
    {.name = "backend",
     .type = FIELD_OBJECT,
     .object = &type_ingress_backend,
     .proto = 2,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "Where requests go."},
    {.name = "pathType",
     .type = FIELD_STRING,
     .proto = 3,
     .flags = FIELD_REQUIRED | FIELD_POINTER,
     .required = "pathType must be specified",
     .one_of = path_types,
     .doc = "Exact, Prefix (by whole elements), or ImplementationSpecific (as the class likes)."},
    {.name = NULL},
};
static const struct type type_http_ingress_path = {
    .name = "HTTPIngressPath",
    .doc = "A path, and where its requests go.",
    .fields = fields_http_ingress_path,
    .check = check_http_path,
};

static const struct field fields_http_ingress_rule_value[] = {
    {.name = "paths",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_http_ingress_path,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "Paths, each with its backend."},
    {.name = NULL},
};
static const struct type type_http_ingress_rule_value = {
    .name = "HTTPIngressRuleValue",
    .doc = "Paths of a host.",
    .fields = fields_http_ingress_rule_value,
};

static const struct field fields_ingress_rule_value[] = {
    {.name = "http",
     .type = FIELD_OBJECT,
     .object = &type_http_ingress_rule_value,
     .proto = 1,
     .doc = "Paths of HTTP requests."},
    {.name = NULL},
};
static const struct type type_ingress_rule_value = {
    .name = "IngressRuleValue",
    .doc = "What a rule is about.",
    .fields = fields_ingress_rule_value,
};

static const struct field fields_ingress_rule[] = {
    {.name = "host",
     .type = FIELD_STRING,
     .proto = 1,
     .check = check_ingress_host,
     .doc = "Name of the host, which may begin with '*.'; none: all hosts."},
    {.name = "", .type = FIELD_OBJECT, .object = &type_ingress_rule_value, .proto = 2, .flags = FIELD_INLINE},
    {.name = NULL},
};
static const struct type type_ingress_rule = {
    .name = "IngressRule",
    .doc = "Paths of one host.",
    .fields = fields_ingress_rule,
};

static const struct field fields_ingress_tls[] = {
    {.name = "hosts",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 1,
     .check = check_tls_hosts,
     .doc = "Names that the certificate holds for."},
    {.name = "secretName",
     .type = FIELD_STRING,
     .proto = 2,
     .check = check_dns_subdomain,
     .doc = "Secret with certificate and key."},
    {.name = NULL},
};
static const struct type type_ingress_tls = {
    .name = "IngressTLS",
    .doc = "Hosts, and their certificate.",
    .fields = fields_ingress_tls,
};

static const struct field fields_ingress_spec[] = {
    {.name = "defaultBackend",
     .type = FIELD_OBJECT,
     .object = &type_ingress_backend,
     .proto = 1,
     .doc = "Where requests go that no rule matches."},
    {.name = "tls",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_ingress_tls,
     .proto = 2,
     .doc = "Hosts that are served over TLS."},
    {.name = "rules",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_ingress_rule,
     .proto = 3,
     .doc = "Rules by host and path."},
    {.name = "ingressClassName",
     .type = FIELD_STRING,
     .proto = 4,
     .flags = FIELD_POINTER,
     .check = check_dns_subdomain,
     .doc = "Class of the ingress."},
    {.name = NULL},
};
static const struct type type_ingress_spec = {
    .name = "IngressSpec",
    .doc = "Hosts and paths, and where they lead.",
    .fields = fields_ingress_spec,
    .check = check_ingress_spec,
};

static const struct field fields_ingress_port_status[] = {
    {.name = "port",
     .type = FIELD_INT32,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .fallback = "0",
     .doc = "Number of the port."},
    {.name = "protocol", .type = FIELD_STRING, .proto = 2, .flags = FIELD_REQUIRED, .doc = "TCP, UDP or SCTP."},
    {.name = "error", .type = FIELD_STRING, .proto = 3, .doc = "Why it could not be opened, in one word."},
    {.name = NULL},
};
static const struct type type_ingress_port_status = {
    .name = "IngressPortStatus",
    .doc = "A port of a load balancer.",
    .fields = fields_ingress_port_status,
};

static const struct field fields_ingress_load_balancer_ingress[] = {
    {.name = "ip",
     .type = FIELD_STRING,
     .proto = 1,
     .check = check_ip,
     .doc = "Address, where the load balancer has one."},
    {.name = "hostname",
     .type = FIELD_STRING,
     .proto = 2,
     .check = check_dns_subdomain,
     .doc = "Name, where the load balancer has one."},
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_ingress_port_status,
     .proto = 4,
     .doc = "Ports of the load balancer."},
    {.name = NULL},
};
static const struct type type_ingress_load_balancer_ingress = {
    .name = "IngressLoadBalancerIngress",
    .doc = "Where an ingress is reached.",
    .fields = fields_ingress_load_balancer_ingress,
};

static const struct field fields_ingress_load_balancer_status[] = {
    {.name = "ingress",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_ingress_load_balancer_ingress,
     .proto = 1,
     .doc = "The points where traffic comes in."},
    {.name = NULL},
};
static const struct type type_ingress_load_balancer_status = {
    .name = "IngressLoadBalancerStatus",
    .doc = "Where an ingress is reached.",
    .fields = fields_ingress_load_balancer_status,
};

static const struct field fields_ingress_status[] = {
    {.name = "loadBalancer",
     .type = FIELD_OBJECT,
     .object = &type_ingress_load_balancer_status,
     .proto = 1,
     .flags = FIELD_ALWAYS,
     .doc = "Its load balancer."},
    {.name = NULL},
};
static const struct type type_ingress_status = {
    .name = "IngressStatus",
    .doc = "Where the ingress is reached.",
    .fields = fields_ingress_status,
};

static const struct field fields_ingress[] = {
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
     .object = &type_ingress_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = "status",
     .type = FIELD_OBJECT,
     .object = &type_ingress_status,
     .proto = 3,
     .flags = FIELD_ALWAYS,
     .doc = "What was last seen of it; written by controllers."},
    {.name = NULL},
};
static const struct type type_ingress = {
    .name = "Ingress",
    .doc = "Brings HTTP requests from outside to services, by host and path.",
    .fields = fields_ingress,
    .check = check_ingress_annotations,
};

/* One of resource and service, and of a service's port either the name or the number. */
static void check_ingress_backend(struct check *c, const struct json *v)
{
    const struct json *resource = json_get(v, "resource"), *service = json_get(v, "service");
    if (resource != NULL && service != NULL)
        check_fail_shown(c, "", CHECK_INVALID, "\"\"", "cannot set both resource and service backends");
    else if (resource == NULL && service == NULL)
        check_fail_shown(c, "", CHECK_INVALID, "\"\"", "resource or service backend is required");
    if (service == NULL)
        return;
    bool named = json_string_at(service, "port.name").size > 0, numbered = json_int_at(service, "port.number", 0) != 0;
    if (named && numbered)
        check_fail_shown(c, "", CHECK_INVALID, "\"\"", "cannot set both port name & port number");
    else if (!named && !numbered)
        check_fail(c, CHECK_REQUIRED, NULL, "port name or number is required");
}

static void check_http_path(struct check *c, const struct json *v)
{
    static const char *const inside[] = {"//", "/./", "/../", "%2f", "%2F"}, *const ends[] = {"/..", "/."};
    const struct json *path = json_get(v, "path");
    struct slice type = json_string_at(v, "pathType"), text = json_string(path);
    bool free = slice_is(type, "ImplementationSpecific"), strict = slice_is(type, "Exact") || slice_is(type, "Prefix");
    bool absolute = text.size > 0 && text.data[0] == '/';
    if ((strict && !absolute) || (free && text.size > 0 && !absolute))
        check_fail_text_at(c, "path", CHECK_INVALID, text, "must be an absolute path");
    if (!strict)
        return;
    for (size_t i = 0; i < ARRAY_LEN(inside); i++)
        if (text_has(text, inside[i]))
            check_fail_text_at(c, "path", CHECK_INVALID, text, "must not contain '%s'", inside[i]);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (slice_has_suffix(text, slice_str(ends[i])))
            check_fail_text_at(c, "path", CHECK_INVALID, text, "cannot end with '%s'", ends[i]);
}

/* A name, which may begin with "*."; an address is none. */
static void check_host(struct check *c, const struct json *v)
{
    struct err why;
    struct slice host = json_string(v);
    bool wild = slice_find(host, '*') < host.size;
    if (wild ? name_check_wildcard(host, &why) != 0 : name_check_subdomain(host, &why) != 0)
        check_fail(c, CHECK_INVALID, v, "%s", why.message);
}

static void check_ingress_host(struct check *c, const struct json *v)
{
    if (json_string(v).size == 0)
        return;
    unsigned char address[IP_BYTES_MAX];
    if (ip_parse(json_string(v), address) > 0)
        check_fail(c, CHECK_INVALID, v, "must be a DNS name, not an IP address");
    check_host(c, v);
}

static void check_tls_hosts(struct check *c, const struct json *v)
{
    struct json_iterator i = json_iterate(v);
    while (json_next(&i)) {
        size_t mark = check_enter_index(c, i.position - 1);
        check_host(c, i.value);
        check_leave(c, mark);
    }
}

static void check_ingress_spec(struct check *c, const struct json *v)
{
    if (json_size(json_get(v, "rules")) == 0 && json_get(v, "defaultBackend") == NULL)
        check_fail_shown(c, "", CHECK_INVALID, "[]networking.IngressRule(nil)",
                         "either `defaultBackend` or `rules` must be specified");
}

#define CLASS_ANNOTATION "kubernetes.io/ingress.class"

static void check_ingress_annotations(struct check *c, const struct json *v)
{
    const struct json *old = json_get(json_at(v, "metadata.annotations"), CLASS_ANNOTATION);
    const struct json *now = json_at(v, "spec.ingressClassName");
    if (old != NULL && now != NULL && !json_equal(old, now))
        check_fail_at(c, "annotations." CLASS_ANNOTATION, CHECK_INVALID, old,
                      "must match `ingressClassName` when both are specified");
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Class", .type = "string", .doc = "The IngressClass whose controller serves it."},
    {.name = "Hosts", .type = "string", .doc = "Host names that its rules are about."},
    {.name = "Address", .type = "string", .doc = "Where it is reached from outside."},
    {.name = "Ports", .type = "string", .doc = "Ports it is served at."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

#define HOSTS_SHOWN_MAX 3

static void hosts_cell(const struct json *o, struct cells *out)
{
    struct buf text = {0};
    size_t count = 0;
    struct json_iterator i = json_iterate(json_at(o, "spec.rules"));
    while (json_next(&i)) {
        struct slice host = json_string_at(i.value, "host");
        if (host.size == 0)
            continue;
        if (count++ < HOSTS_SHOWN_MAX)
            buf_printf(&text, "%s%.*s", text.size == 0 ? "" : ",", SLICE_ARGS(host));
    }
    if (count > HOSTS_SHOWN_MAX)
        buf_printf(&text, " + %zu more...", count - HOSTS_SHOWN_MAX);
    cells_or(out, buf_slice(&text), "*");
    buf_release(&text);
}

static void address_cell(const struct json *o, struct cells *out)
{
    struct buf text = {0};
    struct json_iterator i = json_iterate(json_at(o, "status.loadBalancer.ingress"));
    while (json_next(&i)) {
        struct slice ip = json_string_at(i.value, "ip");
        struct slice shown = ip.size > 0 ? ip : json_string_at(i.value, "hostname");
        if (shown.size > 0)
            buf_printf(&text, "%s%.*s", text.size == 0 ? "" : ",", SLICE_ARGS(shown));
    }
    cells_add(out, buf_slice(&text));
    buf_release(&text);
}

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_or(out, json_string_at(o, "spec.ingressClassName"), "<none>");
    hosts_cell(o, out);
    address_cell(o, out);
    cells_str(out, json_size(json_at(o, "spec.tls")) > 0 ? "80, 443" : "80");
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
}

static const char *const short_names[] = {"ing", NULL};
static const struct subresource subresources[] = {
    {"status", "networking.k8s.io", "v1", "Ingress", "get,patch,update", CONNECTS_NOT},
    {.name = NULL},
};

const struct kind kind_ingress = {
    .group = "networking.k8s.io",
    .version = "v1",
    .name = "Ingress",
    .plural = "ingresses",
    .singular = "ingress",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "ingress",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_ingress,
    .subresources = subresources,
    .columns = columns,
    .row = row,
};
