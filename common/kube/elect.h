/* Leader election on a Lease (coordination.k8s.io/v1): 15 s lease, 10 s renew deadline, 2 s retry, as client-go's
 * leaderelection package; times observed locally on the monotonic clock, so skewed clocks do not matter. */
#ifndef COMMON_KUBE_ELECT_H
#define COMMON_KUBE_ELECT_H

#include "common/base.h"
#include "common/kube/client.h"

struct elector;

struct elector_options {
    const char *namespace, *name;  /* of the Lease */
    const char *identity;          /* unique per process: host name and a random part */
    unsigned lease_ms, renew_ms, retry_ms; /* 0: 15000, 10000, 2000 */
    void (*started)(void *arg);    /* leading from now on */
    void (*stopped)(void *arg);    /* no longer: act on nothing more */
    void *arg;
};

struct elector *elector_new(struct kube_client *c, const struct elector_options *o);
bool elector_leads(const struct elector *e);
void elector_close(struct elector *e, void (*closed)(void *arg), void *arg); /* gives the Lease back when leading */

#endif
