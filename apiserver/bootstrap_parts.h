/* Parts of bootstrap_objects.h that stand in files of their own: by position within the part, appended as JSON. */
#ifndef APISERVER_BOOTSTRAP_PARTS_H
#define APISERVER_BOOTSTRAP_PARTS_H

#include "common/base.h"
#include "common/buf.h"

/* bootstrap_flow.c: Kubernetes' own priority levels and flow schemas. */
const char *bootstrap_level_name(size_t at); /* NULL: there are no more */
void bootstrap_level_print(size_t at, struct buf *out);
const char *bootstrap_schema_name(size_t at);
void bootstrap_schema_print(size_t at, struct buf *out);

/* bootstrap_groups.c: an APIService of each version of a group that is served, and its rank. */
const char *bootstrap_group_name(size_t at);
void bootstrap_group_print(size_t at, struct buf *out);

#endif
