/* The objects that every cluster has from its first moment, as tables. */
#ifndef APISERVER_BOOTSTRAP_OBJECTS_H
#define APISERVER_BOOTSTRAP_OBJECTS_H

#include "common/base.h"
#include "common/buf.h"

struct bootstrap_object {
    const char *path; /* of the collection */
    const char *kind, *name;
};

/* In the order in which they are made; false: there are no more. */
bool bootstrap_object_at(size_t at, struct bootstrap_object *ret);
/* Appends the object as JSON. `port`: at which the apiserver listens. */
void bootstrap_object_print(size_t at, unsigned port, struct buf *out);
/* Of them, the Service `kubernetes`, which is made again when it was deleted (masters.c). */
void bootstrap_service_print(unsigned port, struct buf *out);

#endif
