/* DeleteOptions: the body of a DELETE. */
#include "common/base.h"

#include "apiserver/kinds/types.h"

static const struct field fields_preconditions[] = {
    {.name = "uid", .type = FIELD_STRING, .proto = 1, .doc = "Unique id that the object must have."},
    {.name = "resourceVersion", .type = FIELD_STRING, .proto = 2, .doc = "Version that the object must have."},
    {.name = NULL},
};
static const struct type type_preconditions = {.name = "Preconditions",
                                               .definition = META_V1 "Preconditions",
                                               .doc = "What must hold for a deletion to happen.",
                                               .fields = fields_preconditions};

static const struct field fields_delete_options[] = {
    {.name = "kind", .type = FIELD_STRING, .doc = "Kind of the object."},
    {.name = "apiVersion", .type = FIELD_STRING, .doc = "Group and version of the API that the object is written in."},
    {.name = "gracePeriodSeconds",
     .type = FIELD_INT64,
     .proto = 1,
     .flags = FIELD_POINTER,
     .doc = "Seconds it has to end; 0: at once; none: the kind's default."},
    {.name = "preconditions",
     .type = FIELD_OBJECT,
     .object = &type_preconditions,
     .proto = 2,
     .doc = "What must hold; else 409."},
    {.name = "orphanDependents",
     .type = FIELD_BOOL,
     .proto = 3,
     .flags = FIELD_POINTER,
     .doc = "Old form of propagationPolicy."},
    {.name = "propagationPolicy",
     .type = FIELD_STRING,
     .proto = 4,
     .doc = "What becomes of dependents: Orphan, Background or Foreground."},
    {.name = "dryRun", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 5, .doc = "All: nothing is stored."},
    {.name = "ignoreStoreReadErrorWithClusterBreakingPotential",
     .type = FIELD_BOOL,
     .proto = 6,
     .doc = "Delete even what cannot be read any more."},
    {.name = NULL},
};
const struct type type_delete_options = {.name = "DeleteOptions",
                                         .definition = META_V1 "DeleteOptions",
                                         .doc = "How an object is deleted.",
                                         .fields = fields_delete_options};
