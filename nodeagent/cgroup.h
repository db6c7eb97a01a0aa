/* Names and limits of the cgroups of pods: <root>/kubepods/[burstable|besteffort/]pod<uid>/<container>. */
#ifndef NODEAGENT_CGROUP_H
#define NODEAGENT_CGROUP_H

#include "common/base.h"
#include "common/err.h"
#include "nodeagent/pod_spec.h"

/* Terminated, of the caller (mem_free). `root` without slashes around; `container` NULL: the pod's own. */
char *cgroup_path_of(const char *root, const struct pod *p, const char *container);
/* Makes the pod's cgroup and writes what the pod's containers may use together. */
int cgroup_pod_make(const char *root, const struct pod *p, struct err *reterr);

#endif
