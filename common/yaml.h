/* YAML to JSON text, over libyaml, whose only home is yaml.c. What Kubernetes accepts: one document, YAML 1.1 scalars as its
 * Go library resolves them (yes and on are true, 0644 is octal), keys are strings. */
#ifndef COMMON_YAML_H
#define COMMON_YAML_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#define YAML_JSON_BYTES_MAX (16 * 1024 * 1024) /* of the result: aliases may repeat much */

/* Appends the JSON of the first document to `out`; an empty text is "null". ERR_BAD_REQUEST with the parser's complaint,
 * "yaml: line 2: mapping values are not allowed in this context"; ERR_TOO_LARGE beyond the bounds. */
int yaml_to_json(struct slice text, struct buf *out, struct err *reterr);

#endif
