/* Protobuf request bodies to JSON trees, by the field numbers of the tables. Pure. */
#ifndef APISERVER_PROTO_H
#define APISERVER_PROTO_H

#include "apiserver/kind.h"
#include "common/base.h"
#include "common/err.h"
#include "common/json.h"

#define PROTO_DEPTH_MAX 64

/* Opens Kubernetes' envelope ("k8s\0", then message Unknown). Slices are borrowed from `body`. ERR_BAD_REQUEST. */
struct proto_envelope {
    struct slice api_version, kind, raw, content_type;
};
int proto_open(struct slice body, struct proto_envelope *ret, struct err *reterr);

/* The message as a tree in `d`: what is on the wire, zero values included (schema_decode drops what omitempty would),
 * empty times as null, inlined messages flattened. ERR_BAD_REQUEST on anything malformed, with the message's name. */
int proto_decode(struct json_doc *d, const struct type *t, struct slice message, struct json **ret, struct err *reterr);

#endif
