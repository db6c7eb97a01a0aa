/* What a pod may ask of this node: pure. A setting that would change what the pod is (its rights, its isolation, its files)
 * keeps it waiting; one it can do without is told. Nothing is ignored in silence. */
#ifndef NODEAGENT_POD_SUPPORT_H
#define NODEAGENT_POD_SUPPORT_H

#include "nodeagent/pod_spec.h"

/* Fills p->unsupported and p->unserved with the first setting of each sort, where they are still NULL. */
void pod_support_check(struct pod *p);

/* May a pod set this sysctl? Those that are the pod's own and harm nobody else: the API's "safe" ones. */
bool pod_sysctl_is_safe(struct slice name);

#endif
