/* The pods behind a Service, as endpoints and endpointslice controllers both see them. */
#ifndef CONTROLLERS_SERVICE_PODS_H
#define CONTROLLERS_SERVICE_PODS_H

#include "common/base.h"
#include "controllers/controller.h"
#include "controllers/plan.h"

#define SERVICE_PODS_MAX 10000 /* behind one Service; more are left out */

struct service_pod {
    struct object *object;
    struct json *tree;
    struct json *ports; /* what the Service's ports are on this pod: [{name, port, protocol, appProtocol}] */
    struct slice ip, node;
    const char *hostname; /* of a pod in the Service's subdomain; NULL: none */
    bool serving, terminating;
    bool placed;          /* for the caller */
};

struct service_pods {
    struct service_pod *pods; /* by key */
    size_t count, capacity;
};

/* Pods with an address that have not ended; those being deleted only with `terminating`. */
void service_pods_collect(struct service_pods *l, const struct view *v, struct plan *plan, const struct json *service,
                          bool terminating);
void service_pods_release(struct service_pods *l);

/* {kind, namespace, name, uid} of a pod. */
struct json *service_pod_reference(struct json_doc *d, const struct service_pod *p);

/* Has a selector, so that its endpoints are made here; and is not a mere alias of a name. */
bool service_selects(const struct json *service);
bool service_is_headless(const struct json *service);

/* Adds the keys of the Services that select the pod by its labels. */
void service_keys_of_pod(const struct view *v, struct object *pod, void (*add)(void *arg, struct slice key), void *arg);

/* Equal lists of ports: name, port, protocol and appProtocol, absent as good as empty. */
bool service_ports_equal(const struct json *a, const struct json *b);

#endif
