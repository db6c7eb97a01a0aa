/* OpenAPI documents made of the tables: version 3 per group version, version 2 of everything. Pure. */
#ifndef APISERVER_OPENAPI_H
#define APISERVER_OPENAPI_H

#include "common/base.h"
#include "common/buf.h"
#include "common/json.h"

/* OpenAPI 3.0 of one group version: every path, and components.schemas of every type they reach. */
void openapi_document(const char *group, const char *version, struct buf *out);

/* OpenAPI 2.0 (Swagger) of all group versions, as a tree in `d`. */
struct json *openapi_v2(struct json_doc *d);

/* The same in protobuf: the message openapi.v2.Document of gnostic, which clients up to 1.28 insist on. */
void openapi_v2_protobuf(const struct json *document, struct buf *out);

#endif
