/* Posts Events about pods and the node. An event that repeats raises the count of the one posted before. Losing one is
 * allowed: the queue is bounded, and what the API refuses is dropped with a log line. */
#ifndef NODEAGENT_EVENTS_H
#define NODEAGENT_EVENTS_H

#include "common/base.h"
#include "common/kube/client.h"

#define EVENTS_QUEUED_MAX 256
#define EVENTS_REMEMBERED_MAX 1024

struct events;

struct events_subject {
    const char *kind; /* "Pod", "Node" */
    const char *namespace, *name, *uid; /* namespace "" for a Node */
    const char *field_path; /* "spec.containers{web}", or NULL */
};

struct events *events_new(struct env *env, struct kube_client *client, const char *component, const char *host);
void events_post(struct events *e, const struct events_subject *s, bool warning, const char *reason, const char *format, ...)
    PRINTF_ARGS(5, 6);
/* No call is open any more (the client is closed). */
void events_free(struct events *e);

#endif
