/* What changed between two values, field by field when both are JSON. */
#ifndef TOOLS_RSCTL_CHANGES_H
#define TOOLS_RSCTL_CHANGES_H

#include "common/base.h"
#include "common/buf.h"

/* Appends one line per field, "    spec.replicas: 1 → 3", long values cut, managedFields left out; with `json` elements of an array
 * {"path","old","new"} without its brackets, whole, `old` or `new` missing where there was nothing. A value that is no JSON is told by its size
 * (json: path "", sizes). Returns how many changes. */
size_t changes_print(struct buf *out, struct slice old, struct slice new, bool json);

/* When a Kubernetes object was last written: the latest time among its managedFields, else its creationTimestamp; none: empty.
 * Appends to `out`. */
void changes_time(struct buf *out, struct slice value);

#endif
