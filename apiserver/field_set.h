/* Sets of field paths: who owns what of an object. Their written form is FieldsV1 of managedFields (KEP-555):
 *   {"f:spec":{"f:replicas":{},"f:ports":{".":{},"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}}
 * A path is a chain of elements: `f:` a field or a key of a map, `k:` an item of a keyed list, `v:` an item of a set,
 * `i:` an index. A set is a tree of them; a node that has children may itself be a member, which is written ".".
 * Elements are kept in their written form, keys and values canonical, so that equal elements are equal bytes.
 *
 * Sets are immutable and live, with what they share, in the arena they were made in. NULL is the empty set. */
#ifndef APISERVER_FIELD_SET_H
#define APISERVER_FIELD_SET_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/mem.h"

struct field_set;
struct field_node {
    struct slice element; /* "f:spec" */
    bool member;
    const struct field_set *children;
};
struct field_set {
    size_t count;              /* never 0 */
    struct field_node nodes[]; /* sorted by field_element_order, each once, each a member or with children */
};

int field_element_order(struct slice a, struct slice b);

#define FIELD_KEYS_MAX 8 /* of one list; Kubernetes has at most two, custom resources few */
struct field_key {
    struct slice name;
    const struct json *value;
    const char *text; /* the value as JSON, where `value` is NULL */
};

/* The elements for a field or an item of a list; keys come in any order. */
struct slice field_element_name(struct arena *a, struct slice name);
struct slice field_element_keys(struct arena *a, struct field_key *keys, size_t n);
struct slice field_element_value(struct arena *a, const struct json *value);
/* Keys sorted, whole numbers without point and exponent: equal values are equal bytes. */
void field_value_print(const struct json *v, struct buf *out);
void field_element_text(struct slice element, struct buf *out); /* as people read it: [port=80,protocol="TCP"] */

/* Collects nodes of one level in any order; equal elements become one node. field_nodes_set ends and empties it. */
struct field_nodes {
    struct field_node *list;
    size_t count, capacity;
};
void field_nodes_add(struct field_nodes *n, struct slice element, bool member, const struct field_set *children);
const struct field_set *field_nodes_set(struct field_nodes *n, struct arena *a);

/* As sets of paths: a node and its parent are unrelated, so a difference may leave a child without its parent. */
const struct field_set *field_set_union(struct arena *a, const struct field_set *x, const struct field_set *y);
const struct field_set *field_set_intersection(struct arena *a, const struct field_set *x, const struct field_set *y);
const struct field_set *field_set_difference(struct arena *a, const struct field_set *x, const struct field_set *y);
/* Without the whole subtrees of the members of `y`. */
const struct field_set *field_set_without(struct arena *a, const struct field_set *x, const struct field_set *y);
bool field_set_equal(const struct field_set *x, const struct field_set *y);
/* Does FieldsV1, canonical as field_set_json makes it, have a member that is one of `s` too? Of json that is no such
 * thing: no. */
bool field_set_touches(const struct json *fields, const struct field_set *s);
const struct field_node *field_set_find(const struct field_set *s, struct slice element); /* NULL: not there */

/* One path as a set, of elements separated by spaces: "f:metadata f:name". */
const struct field_set *field_set_path(struct arena *a, const char *path);

/* FieldsV1. ERR_BAD_REQUEST on what is none; kinds of elements from the future are dropped. */
int field_set_parse(struct arena *a, const struct json *v, const struct field_set **ret, struct err *reterr);
struct json *field_set_json(struct json_doc *d, const struct field_set *s);

/* Every member in order, as people read it: `.spec.ports[port=80,protocol="TCP"].name`. */
void field_set_each(const struct field_set *s, void (*each)(void *arg, struct slice path), void *arg);

#endif
