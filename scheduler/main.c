#include "common/base.h"

#include "common/kube/process.h"
#include "scheduler/scheduler.h"

static int start(void *component, struct kube_process *p, struct err *reterr)
{
    (void)reterr;
    struct scheduler **s = component;
    *s = scheduler_new(p->env, &(struct scheduler_options){.client = p->client, .identity = p->identity});
    return 0;
}

static bool ready(void *component)
{
    (void)component;
    return true; /* a standby is as ready as the leader */
}

static void metrics(void *component, struct buf *out)
{
    struct scheduler **s = component;
    buf_printf(out, "# TYPE leader_election_master_status gauge\nleader_election_master_status{name=\"kube-scheduler\"} %d\n",
               scheduler_leads(*s));
}

static void close_scheduler(void *component, void (*closed)(void *arg), void *arg)
{
    struct scheduler **s = component;
    scheduler_close(*s, closed, arg);
}

int main(int argc, char **argv)
{
    static const struct kube_process_spec spec = {
        .component = "scheduler",
        .usage = "scheduler: gives every pending pod a node\nusage: scheduler --apiservers URL,URL --ca FILE --cert FILE --key FILE",
        .listen_http = "127.0.0.1:10259",
        .start = start,
        .ready = ready,
        .metrics = metrics,
        .close = close_scheduler,
    };
    struct scheduler *s = NULL;
    return kube_process_main(&spec, &s, argc, argv);
}
