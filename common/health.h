/* /healthz, /livez, /readyz and /metrics of a process, on an address of their own, plain HTTP. */
#ifndef COMMON_HEALTH_H
#define COMMON_HEALTH_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

struct health;
struct uv_env;

struct health_options {
    const char *address;
    bool (*ready)(void *arg);
    void (*metrics)(void *arg, struct buf *out); /* appends Prometheus text; NULL: none */
    void *arg;
};

int health_new(struct uv_env *uv, const struct health_options *o, struct health **ret, struct err *reterr);
void health_close(struct health *h, void (*closed)(void *arg), void *arg);

/* Appends the process's own figures: resident memory, CPU seconds. */
void health_process_metrics(struct buf *out);

#endif
