/* OpenAPI v3 documents, printed from the tables. Pure. */
#ifndef APISERVER_OPENAPI_H
#define APISERVER_OPENAPI_H

#include "common/base.h"
#include "common/buf.h"

/* Of one group version: item paths with get and patch, and components.schemas of every type they reach. */
void openapi_document(const char *group, const char *version, struct buf *out);

#endif
