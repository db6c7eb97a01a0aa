#include "common/base.h"

#include "common/tls_watch.h"

#include "common/tls.h"

static void look(struct tls_watch *w, struct tls *t)
{
    const struct tls_options *files = tls_files(t);
    const char *name = files->certificate_file != NULL ? files->certificate_file : files->ca_file;
    struct err why;
    int rv = tls_refresh(t, &why);
    if (rv > 0)
        log_info(w->env->log, "credentials were exchanged: new connections use them", "file=%s", name);
    else if (rv < 0)
        log_warn(w->env->log, "credentials have changed and cannot be used: the old ones stay", "file=%s why=\"%s\"", name, why.message);
}

static void due(struct timer *t)
{
    struct tls_watch *w = container_of(t, struct tls_watch, timer);
    loop_timer_start(&w->env->loop, &w->timer, TLS_WATCH_MS);
    for (size_t i = 0; i < w->count; i++)
        look(w, w->all[i]);
}

void tls_watch_start(struct tls_watch *w, struct env *env)
{
    *w = (struct tls_watch){.env = env};
    timer_init(&w->timer, due);
    loop_timer_start(&env->loop, &w->timer, TLS_WATCH_MS);
}

void tls_watch_add(struct tls_watch *w, struct tls *t)
{
    if (t == NULL)
        return;
    ASSERT(w->count < TLS_WATCH_MAX);
    w->all[w->count++] = t;
}

void tls_watch_stop(struct tls_watch *w)
{
    if (w->env != NULL)
        loop_timer_stop(&w->env->loop, &w->timer);
}
