/* Events as components record them (core/v1 Event). */
#ifndef COMMON_KUBE_EVENT_H
#define COMMON_KUBE_EVENT_H

#include "common/base.h"
#include "common/json.h"

struct event_facts {
    const char *component; /* who reports: "default-scheduler" */
    const char *host;      /* where; NULL: nowhere in particular */
    const char *type;      /* "Normal" or "Warning" */
    const char *reason;    /* CamelCase */
    const char *message;
    const char *field_path; /* "spec.containers{web}"; NULL: the whole object */
    int64_t wall_us;       /* now */
    uint64_t salt;         /* tells events of one object and moment apart */
};

/* A new event about `object` (a whole API object), in `d`. Its namespace is the object's, or "default". */
struct json *event_new(struct json_doc *d, const struct json *object, const struct event_facts *facts);

#endif
