#include "common/base.h"

#include "common/kube/process.h"
#include "common/mem.h"
#include "controllers/controllers.h"

#include <errno.h>
#include <stdio.h>

#define CA_BYTES_MAX 65536

/* The authority that we trust is the one that pods are told to trust. */
static int read_ca(const char *path, struct buf *out, struct err *reterr)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return err_set(reterr, ERR_IO, "--ca %s cannot be read: %s", path, strerror(errno));
    char *bytes = mem_alloc(CA_BYTES_MAX);
    size_t size = fread(bytes, 1, CA_BYTES_MAX, f);
    bool whole = feof(f) && !ferror(f);
    buf_append_slice(out, slice_of(bytes, size));
    mem_free(bytes);
    (void)fclose(f); /* it was only read */
    return whole ? 0 : err_set(reterr, ERR_IO, "--ca %s cannot be read, or is longer than %d bytes", path, CA_BYTES_MAX);
}

static int start(void *component, struct kube_process *p, struct err *reterr)
{
    struct controllers **c = component;
    struct buf ca = {0};
    int code = p->ca == NULL ? 0 : read_ca(p->ca, &ca, reterr);
    if (code == 0)
        *c = controllers_new(p->env, &(struct controllers_options){
            .client = p->client, .identity = p->identity, .root_ca = buf_slice(&ca)});
    buf_release(&ca);
    return code;
}

static bool ready(void *component)
{
    (void)component;
    return true; /* a standby is as ready as the leader */
}

static void metrics(void *component, struct buf *out)
{
    struct controllers **c = component;
    buf_printf(out,
               "# TYPE leader_election_master_status gauge\nleader_election_master_status{name=\"kube-controller-manager\"} %d\n",
               controllers_leads(*c));
}

static void close_controllers(void *component, void (*closed)(void *arg), void *arg)
{
    struct controllers **c = component;
    controllers_close(*c, closed, arg);
}

int main(int argc, char **argv)
{
    static const struct kube_process_spec spec = {
        .component = "controllers",
        .usage = "controllers: what keeps the cluster as its objects say\n"
                 "usage: controllers --apiservers URL,URL --ca FILE --cert FILE --key FILE",
        .listen_http = "127.0.0.1:10257",
        .start = start,
        .ready = ready,
        .metrics = metrics,
        .close = close_controllers,
    };
    struct controllers *c = NULL;
    return kube_process_main(&spec, &c, argc, argv);
}
