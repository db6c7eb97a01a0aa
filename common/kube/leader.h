/* Work that exists only while this process leads: a session is started when the Lease is won and closed when it is lost,
 * one at a time. What controllers and scheduler are made of. */
#ifndef COMMON_KUBE_LEADER_H
#define COMMON_KUBE_LEADER_H

#include "common/base.h"
#include "common/kube/client.h"

struct leader;

struct leader_options {
    const char *lease;     /* name of the Lease in kube-system */
    const char *identity;  /* unique per process */
    unsigned lease_ms, renew_ms, retry_ms; /* 0: 5000, 3500, 1000 */
    void *(*start)(void *arg);
    void (*close)(void *session, void (*closed)(void *arg), void *arg);
    void *arg;
};

struct leader *leader_new(struct kube_client *client, const struct leader_options *o);
bool leader_leads(const struct leader *l);
void leader_close(struct leader *l, void (*closed)(void *arg), void *arg);

#endif
