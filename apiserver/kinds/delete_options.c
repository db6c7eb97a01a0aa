/* DeleteOptions: the body of a DELETE. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_preconditions[] = {
    {.name = "uid", .type = FIELD_STRING, .proto = 1},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 2},
    {.name = NULL},
};
static const struct type type_preconditions = {.name = "Preconditions", .fields = fields_preconditions};

static const struct field fields_delete_options[] = {
    {.name = "kind", .type = FIELD_STRING},
    {.name = "apiVersion", .type = FIELD_STRING},
    {.name = "gracePeriodSeconds", .type = FIELD_INT64, .proto = 1, .flags = FIELD_POINTER},
    {.name = "preconditions", .type = FIELD_OBJECT, .object = &type_preconditions, .proto = 2},
    {.name = "orphanDependents", .type = FIELD_BOOL, .proto = 3, .flags = FIELD_POINTER},
    {.name = "propagationPolicy", .type = FIELD_STRING, .proto = 4},
    {.name = "dryRun", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 5},
    {.name = "ignoreStoreReadErrorWithClusterBreakingPotential", .type = FIELD_BOOL, .proto = 6},
    {.name = NULL},
};
const struct type type_delete_options = {.name = "DeleteOptions", .fields = fields_delete_options};
