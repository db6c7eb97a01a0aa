/* The outside of a process that is a client of the apiserver tier (controllers, scheduler, nodeagent): flags, credentials,
 * health endpoints, signals. Their main.c is a table and a call of this. */
#ifndef COMMON_KUBE_PROCESS_H
#define COMMON_KUBE_PROCESS_H

#include "common/base.h"
#include "common/env.h"
#include "common/flags.h"
#include "common/kube/client.h"

struct uv_env;

struct kube_process {
    struct uv_env *uv;
    struct env *env;
    struct kube_client *client;
    const char *identity; /* --identity, or the host's name and a random part */
    const char *apiservers, *ca, *certificate, *key, *listen_http, *log_level;
};

#define KUBE_PROCESS_FLAGS_MAX 32

struct kube_process_spec {
    const char *component;    /* "scheduler" */
    const char *usage;        /* what it is, one line */
    const char *listen_http;  /* default address of the health endpoints */
    const struct flag *flags; /* its own; ends with a row without a name; NULL: none */
    /* Starts the component: 0, or an error that ends the process with its message. */
    int (*start)(void *component, struct kube_process *p, struct err *reterr);
    bool (*ready)(void *component);
    void (*metrics)(void *component, struct buf *out); /* appends Prometheus text; NULL: none */
    void (*close)(void *component, void (*closed)(void *arg), void *arg);
};

/* Runs until SIGTERM or SIGINT. The exit code of the process: 0; 1 when it could not start; 2 for bad flags. */
int kube_process_main(const struct kube_process_spec *spec, void *component, int argc, char **argv);

#endif
