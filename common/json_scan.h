/* Looks values up in JSON text without reading it into a tree, at about a byte in a third of a nanosecond: for texts
 * that were checked (json_check), of which little is wanted. Only what it walks through is looked at:
 * brackets and strings of the rest have to end, no more. */
#ifndef COMMON_JSON_SCAN_H
#define COMMON_JSON_SCAN_H

#include "common/base.h"
#include "common/err.h"

#define JSON_PICK_MAX 34

/* Finds of the object `text` the values at `paths` ("spec.nodeName"; names without dots): as they stand there, strings
 * with their quotes and escapes, borrowed; NULL data when there is none. At most JSON_PICK_MAX paths, none the
 * beginning of another. ERR_CORRUPT when this is no object that ends with its text. */
int json_pick(struct slice text, const char *const *paths, size_t n, struct slice *ret_values, struct err *reterr);

/* The members of an object that json_pick found, one by one from *at = 0: name and value as they stand there. False at
 * the end. */
bool json_pick_member(struct slice object, size_t *at, struct slice *ret_name, struct slice *ret_value);

/* Past the value that begins at `at`; 0 when it does not end. */
size_t json_skip(struct slice text, size_t at);

#endif
