/* Label and field selectors: the text form of queries ("app=web,tier in (a,b),!x") and the LabelSelector object. */
#ifndef COMMON_KUBE_SELECTOR_H
#define COMMON_KUBE_SELECTOR_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#define SELECTOR_TERMS_MAX 64
#define SELECTOR_VALUES_MAX 1024

enum selector_operator {
    SELECTOR_IN,
    SELECTOR_NOT_IN,
    SELECTOR_EXISTS,
    SELECTOR_NOT_EXISTS,
    SELECTOR_EQUAL,
    SELECTOR_NOT_EQUAL
};

struct selector_term {
    char *key;
    enum selector_operator operator;
    char **values; /* one for EQUAL and NOT_EQUAL */
    size_t value_count;
};

/* All terms must hold; none: everything matches. Zero-initialised is empty. */
struct selector {
    struct selector_term *terms;
    size_t count;
};

/* Label syntax. ERR_BAD_REQUEST with position and reason. */
int selector_parse_labels(struct slice text, struct selector *ret, struct err *reterr);
/* Field syntax: `=`, `==`, `!=` only, "\," and "\=" escaped. ERR_BAD_REQUEST. */
int selector_parse_fields(struct slice text, struct selector *ret, struct err *reterr);
/* A LabelSelector object; NULL or null matches nothing and is ERR_INVALID, {} matches everything. */
int selector_from_json(const struct json *label_selector, struct selector *ret, struct err *reterr);
void selector_release(struct selector *s);

/* `get` answers the value of a key, or data NULL when it is absent. */
bool selector_matches(const struct selector *s, struct slice (*get)(void *arg, struct slice key), void *arg);
bool selector_matches_json(const struct selector *s, const struct json *labels); /* a map of strings, or NULL */
/* The value that the selector demands of `key` by an equality, or NULL. */
const char *selector_required(const struct selector *s, const char *key);
void selector_print(const struct selector *s, struct buf *out); /* "a=b,c in (d,e),f,!g" */

#endif
