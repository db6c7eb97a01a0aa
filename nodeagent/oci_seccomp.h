/* seccompProfile RuntimeDefault: the system calls that a container without special rights has no business with. Pure. */
#ifndef NODEAGENT_OCI_SECCOMP_H
#define NODEAGENT_OCI_SECCOMP_H

#include "common/base.h"
#include "common/json.h"

/* Sets linux.seccomp of `platform`. A capability lifts the ban on the calls it stands for; `capabilities` by bit. */
void oci_seccomp_put(struct json_doc *d, struct json *platform, uint64_t capabilities);

#endif
