/* NetworkPolicy, networking.k8s.io/v1. */
#include "common/base.h"

#include "apiserver/check.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/types.h"
#include "apiserver/names.h"

static const char *const protocols[] = {"TCP", "UDP", "SCTP", NULL};
static const char *const policy_types[] = {"Ingress", "Egress", NULL};

static void check_policy_port(struct check *c, const struct json *v);
static void check_policy_peer(struct check *c, const struct json *v);
static void check_ip_block(struct check *c, const struct json *v);
static void check_policy_types(struct check *c, const struct json *v);
static void fill_policy_spec(struct json_doc *d, struct json *v);

static const struct field fields_network_policy_port[] = {
    {.name = "protocol",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_POINTER,
     .fallback = "\"TCP\"",
     .one_of = protocols,
     .doc = "TCP, UDP or SCTP."},
    {.name = "port",
     .type = FIELD_INT_OR_STRING,
     .proto = 2,
     .flags = FIELD_POINTER,
     .doc = "Number or name of the port; none: all."},
    {.name = "endPort",
     .type = FIELD_INT32,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "Last port of a range that begins with `port`."},
    {.name = NULL},
};
static const struct type type_network_policy_port = {
    .name = "NetworkPolicyPort",
    .doc = "A port, or a range of ports.",
    .fields = fields_network_policy_port,
    .check = check_policy_port,
};

static const struct field fields_ip_block[] = {
    {.name = "cidr",
     .type = FIELD_STRING,
     .proto = 1,
     .flags = FIELD_REQUIRED,
     .doc = "The range, such as 192.168.1.0/24."},
    {.name = "except",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 2,
     .doc = "Ranges within it that are left out."},
    {.name = NULL},
};
static const struct type type_ip_block = {
    .name = "IPBlock",
    .doc = "A range of addresses.",
    .fields = fields_ip_block,
    .check = check_ip_block,
};

static const struct field fields_network_policy_peer[] = {
    {.name = "podSelector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 1,
     .doc = "Pods with these labels; without `namespaceSelector` those of the policy's own namespace."},
    {.name = "namespaceSelector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 2,
     .doc = "All pods of namespaces with these labels."},
    {.name = "ipBlock",
     .type = FIELD_OBJECT,
     .object = &type_ip_block,
     .proto = 3,
     .doc = "A range of addresses; alone."},
    {.name = NULL},
};
static const struct type type_network_policy_peer = {
    .name = "NetworkPolicyPeer",
    .doc = "Who is at the other end: pods, namespaces or addresses.",
    .fields = fields_network_policy_peer,
    .check = check_policy_peer,
};

static const struct field fields_network_policy_egress_rule[] = {
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_network_policy_port,
     .proto = 1,
     .doc = "Ports it may go to; none: all."},
    {.name = "to",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_network_policy_peer,
     .proto = 2,
     .doc = "Who it may go to; none: everybody."},
    {.name = NULL},
};
static const struct type type_network_policy_egress_rule = {
    .name = "NetworkPolicyEgressRule",
    .doc = "Traffic that may go out.",
    .fields = fields_network_policy_egress_rule,
};

static const struct field fields_network_policy_ingress_rule[] = {
    {.name = "ports",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_network_policy_port,
     .proto = 1,
     .doc = "Ports it may come to; none: all."},
    {.name = "from",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_network_policy_peer,
     .proto = 2,
     .doc = "Who it may come from; none: everybody."},
    {.name = NULL},
};
static const struct type type_network_policy_ingress_rule = {
    .name = "NetworkPolicyIngressRule",
    .doc = "Traffic that may come in.",
    .fields = fields_network_policy_ingress_rule,
};

static const struct field fields_network_policy_spec[] = {
    {.name = "podSelector",
     .type = FIELD_OBJECT,
     .object = &type_label_selector,
     .proto = 1,
     .flags = FIELD_REQUIRED | FIELD_ALWAYS,
     .doc = "Pods it is about; empty: all of the namespace."},
    {.name = "ingress",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_network_policy_ingress_rule,
     .proto = 2,
     .doc = "What may come in; a policy for ingress without rules lets nothing in."},
    {.name = "egress",
     .type = FIELD_OBJECT,
     .shape = FIELD_LIST,
     .object = &type_network_policy_egress_rule,
     .proto = 3,
     .doc = "What may go out; a policy for egress without rules lets nothing out."},
    {.name = "policyTypes",
     .type = FIELD_STRING,
     .shape = FIELD_LIST,
     .proto = 4,
     .check = check_policy_types,
     .doc = "Directions it is about: Ingress, Egress or both."},
    {.name = NULL},
};
static const struct type type_network_policy_spec = {
    .name = "NetworkPolicySpec",
    .doc = "Pods, and their traffic.",
    .fields = fields_network_policy_spec,
    .fill = fill_policy_spec,
};

static const struct field fields_network_policy[] = {
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
     .object = &type_network_policy_spec,
     .proto = 2,
     .flags = FIELD_ALWAYS,
     .doc = "What is wanted."},
    {.name = NULL},
};
static const struct type type_network_policy = {
    .name = "NetworkPolicy",
    .doc = "Says what traffic pods accept and send.",
    .fields = fields_network_policy,
};

/* Ingress always, and egress where rules for it stand. */
static void fill_policy_spec(struct json_doc *d, struct json *v)
{
    if (json_size(json_get(v, "policyTypes")) > 0)
        return;
    struct json *types = json_new_array(d);
    json_append(types, json_new_str(d, "Ingress"));
    if (json_size(json_get(v, "egress")) > 0)
        json_append(types, json_new_str(d, "Egress"));
    json_set(d, v, "policyTypes", types);
}

static void check_policy_types(struct check *c, const struct json *v)
{
    if (json_size(v) > 2)
        check_fail(c, CHECK_INVALID, v, "may not specify more than two policyTypes");
    else
        check_each_of(c, v, policy_types);
}

static void check_end_port(struct check *c, const struct json *v)
{
    const struct json *port = json_get(v, "port"), *end = json_get(v, "endPort");
    if (end == NULL)
        return;
    if (port == NULL)
        check_fail_at(c, "endPort", CHECK_INVALID, end, "may not be specified when `port` is not specified");
    else if (json_type(port) == JSON_STRING)
        check_fail_at(c, "endPort", CHECK_INVALID, end, "may not be specified when `port` is non-numeric");
    else if (json_int_or(end, 0) < json_int_or(port, 0))
        check_fail_at(c, "endPort", CHECK_INVALID, end, "must be greater than or equal to `port`");
    if (port != NULL && json_type(port) == JSON_NUMBER) {
        size_t mark = check_enter(c, "endPort");
        check_port(c, end);
        check_leave(c, mark);
    }
}

static void check_policy_port(struct check *c, const struct json *v)
{
    const struct json *port = json_get(v, "port");
    check_end_port(c, v);
    size_t mark = check_enter(c, "port");
    if (json_type(port) == JSON_NUMBER)
        check_port(c, port);
    else if (json_type(port) == JSON_STRING)
        check_port_name(c, port);
    check_leave(c, mark);
}

static void check_policy_peer(struct check *c, const struct json *v)
{
    bool selects = json_get(v, "podSelector") != NULL || json_get(v, "namespaceSelector") != NULL;
    bool block = json_get(v, "ipBlock") != NULL;
    if (!selects && !block)
        check_fail(c, CHECK_REQUIRED, NULL, "must specify a peer");
    else if (selects && block)
        check_fail(c, CHECK_FORBIDDEN, NULL, "may not specify both ipBlock and another peer");
}

struct network {
    unsigned char bytes[IP_BYTES_MAX];
    size_t size, bits;
};

/* "10.0.0.0/8". Bits behind the mask may be set, as Go's parser allows. */
static bool network_parse(struct slice text, struct network *ret)
{
    struct slice rest = text, address = slice_cut(&rest, '/');
    ret->bits = 0;
    ret->size = ip_parse(address, ret->bytes);
    if (ret->size == 0 || rest.size == 0 || rest.size > 3 || (rest.size > 1 && rest.data[0] == '0'))
        return false;
    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] < '0' || rest.data[i] > '9')
            return false;
        ret->bits = ret->bits * 10 + (size_t)(rest.data[i] - '0');
    }
    return ret->bits <= ret->size * 8;
}

static bool network_holds(const struct network *outer, const struct network *inner)
{
    if (outer->size != inner->size || inner->bits <= outer->bits)
        return false;
    for (size_t bit = 0; bit < outer->bits; bit++)
        if (((outer->bytes[bit / 8] ^ inner->bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

#define NO_NETWORK "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"

static void check_ip_block(struct check *c, const struct json *v)
{
    struct network all, part;
    if (json_string_at(v, "cidr").size == 0)
        return; /* told as missing */
    bool known = network_parse(json_string_at(v, "cidr"), &all);
    if (!known)
        check_fail_at(c, "cidr", CHECK_INVALID, json_get(v, "cidr"), NO_NETWORK);
    struct json_iterator i = json_iterate(json_get(v, "except"));
    size_t mark = check_enter(c, "except");
    while (json_next(&i)) {
        size_t at = check_enter_index(c, i.position - 1);
        if (!network_parse(json_string(i.value), &part))
            check_fail(c, CHECK_INVALID, i.value, NO_NETWORK);
        else if (known && !network_holds(&all, &part))
            check_fail(c, CHECK_INVALID, i.value, "must be a strict subset of `cidr`");
        check_leave(c, at);
    }
    check_leave(c, mark);
}

static const struct column columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Pod-Selector", .type = "string", .doc = "Which pods it is about."},
    {.name = "Age", .type = "string", .doc = "Time since the object was created."},
    {.name = NULL},
};

static void row(const struct json *o, const struct column_now *now, struct cells *out)
{
    struct buf text = {0};
    selector_text(json_at(o, "spec.podSelector"), &text);
    cells_add(out, json_string_at(o, "metadata.name"));
    cells_add(out, buf_slice(&text));
    cells_age(out, json_string_at(o, "metadata.creationTimestamp"), now);
    buf_release(&text);
}

static const char *const short_names[] = {"netpol", NULL};

const struct kind kind_networkpolicy = {
    .group = "networking.k8s.io",
    .version = "v1",
    .name = "NetworkPolicy",
    .plural = "networkpolicies",
    .singular = "networkpolicy",
    .short_names = short_names,
    .namespaced = true,
    .storage_prefix = "networkpolicies",
    .verbs = "create,delete,deletecollection,get,list,patch,update,watch",
    .type = &type_network_policy,
    .columns = columns,
    .row = row,
};
