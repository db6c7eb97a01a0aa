#include "common/base.h"

#include "common/kube/process.h"
#include "controllers/controllers.h"

static int start(void *component, struct kube_process *p, struct err *reterr)
{
    (void)reterr;
    struct controllers **c = component;
    *c = controllers_new(p->env, &(struct controllers_options){.client = p->client, .identity = p->identity});
    return 0;
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
        .usage = "controllers: deployment, replicaset and garbage collection\n"
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
