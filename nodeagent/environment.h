/* The environment of a container, and what the downward API tells it about itself: pure. */
#ifndef NODEAGENT_ENVIRONMENT_H
#define NODEAGENT_ENVIRONMENT_H

#include "common/base.h"
#include "common/mem.h"
#include "nodeagent/pod_data.h"
#include "nodeagent/pod_spec.h"

struct environment_facts {
    const char *pod_ip, *host_ip;
    int64_t cpu_milli, memory_bytes, disk_bytes; /* of the node: what a container without limits may use */
};

struct environment_options {
    const struct pod *pod;
    const struct pod_container *container; /* NULL: the sandbox */
    const struct json *image;              /* its configuration */
    const struct pod_data *data;           /* NULL: nothing was fetched */
    const char *hostname;
    struct environment_facts facts;
};

struct environment {
    struct arena arena; /* of all texts */
    const char **names, **values;
    size_t count, capacity;
    size_t skipped;     /* keys of envFrom that are no names of variables */
};

/* In the kubelet's order: image, services, envFrom, env. ERR_INVALID with the kubelet's words where a source is missing.
 * Release also after a failure. */
int environment_build(struct environment *e, const struct environment_options *o, struct err *reterr);
void environment_release(struct environment *e);
const char *environment_get(void *environment, struct slice name); /* for pod_expand; NULL when it is not set */

/* The value of a fieldRef ("metadata.labels['a']", "status.podIP"; "metadata.labels" whole as for files), in `arena`;
 * NULL when there is no such field. */
const char *downward_field(const struct pod *p, const struct environment_facts *facts, const char *field, struct arena *arena);
/* The value of a resourceFieldRef; `own`: the container that asks, NULL for volumes. */
int downward_resource(const struct pod *p, const struct pod_container *own, const struct environment_facts *facts,
                      const struct pod_resource_field *f, int64_t *ret, struct err *reterr);

#endif
