/* rsctl lock and elect: a name that one process holds at a time, across machines (rsctl_session.h).
 *
 * lock NAME CMD runs CMD while the lock is held:  queued ─▶ held, CMD runs ─▶ CMD ended ─▶ given back
 *                                                              │ signal: SIGTERM or SIGINT is passed on to CMD
 *                                                              ╰ lease lost: CMD gets SIGTERM, and SIGKILL after GRACE_MS */
#include "common/base.h"

#include "common/mem.h"
#include "tools/rsctl_session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

#define GRACE_MS 5000

extern char **environ;

struct command {
    struct proc_watch watch;
    struct session *session;
    struct timer kill;
    pid_t pid; /* 0: it ended */
    int signal; /* that it got last */
    unsigned signals;
    struct proc_exit exit;
};

static void command_ended(struct proc_watch *w, const struct proc_exit *exit)
{
    struct command *c = container_of(w, struct command, watch);
    c->exit = *exit;
    c->pid = 0;
    uv_env_stop(c->session->r->uv);
}

static void command_signal(struct command *c, int number)
{
    if (c->pid != 0)
        proc_kill(&c->session->r->env->proc, c->pid, number);
}

static void command_kill(struct timer *t) { command_signal(container_of(t, struct command, kill), SIGKILL); }

/* On a terminal CMD has had the interrupt already, as it is of our process group; who sends us a signal alone means CMD too. */
static void session_changed(struct session *s)
{
    struct command *c = s->r->verb_data;
    if (s->signals > c->signals) {
        int number = uv_env_signal(s->r->uv);
        c->signals = s->signals;
        if (number != SIGINT || !isatty(STDIN_FILENO))
            command_signal(c, number);
    }
    if (s->lost) {
        command_signal(c, SIGTERM);
        loop_timer_start(&s->r->env->loop, &c->kill, GRACE_MS);
    }
}

/* Ours, and where the lock is, so that what CMD writes can be made to depend on it. */
static char **environment(struct arena *a, const struct session *s)
{
    size_t n = 0;
    while (environ[n] != NULL)
        n++;
    char **out = arena_alloc(a, (n + 3) * sizeof out[0]);
    out[0] = arena_printf(a, "RSCTL_LOCK_KEY=%.*s", SLICE_ARGS(buf_slice(&s->key)));
    out[1] = arena_printf(a, "RSCTL_LOCK_REV=%" PRId64, s->create_revision);
    memcpy(out + 2, environ, n * sizeof environ[0]);
    return out;
}

/* In our process group and with our streams, so that a terminal is its own. */
static int command_start(struct command *c, const char **argv)
{
    posix_spawnattr_t attributes;
    struct arena a = {0};
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE); /* which this process ignores */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int rv = posix_spawnp(&c->pid, argv[0], NULL, &attributes, (char *const *)argv, environment(&a, c->session));
    posix_spawnattr_destroy(&attributes);
    arena_clear(&a);
    return rv;
}

/* As shells have it: 128 and the signal's number. */
static int exit_code(const struct proc_exit *e) { return e->signal != 0 ? 128 + e->signal : e->code; }

static int run_command(struct session *s, const char *const *words, size_t n)
{
    struct command c = {.session = s};
    struct rsctl *r = s->r;
    const char **argv = mem_zalloc((n + 1) * sizeof argv[0]);
    memcpy(argv, words, n * sizeof argv[0]);
    if (r->env->proc.ops == NULL) /* in a shell it may be there */
        uv_env_add_proc(r->uv);
    int rv = command_start(&c, argv);
    mem_free(argv);
    if (rv != 0) {
        fprintf(stderr, "rsctl: %s does not start: %s\n", words[0], strerror(rv));
        return rv == ENOENT ? 127 : 126; /* as shells have it */
    }
    timer_init(&c.kill, command_kill);
    c.watch = (struct proc_watch){.pid = c.pid, .exited = command_ended};
    c.signals = s->signals;
    proc_watch(&r->env->proc, &c.watch);
    r->verb_data = &c;
    s->on_change = session_changed;
    if (s->lost)
        session_changed(s);
    while (c.pid != 0)
        session_run(s);
    s->on_change = NULL;
    r->verb_data = s;
    loop_timer_stop(&r->env->loop, &c.kill);
    return s->lost ? session_complain_lost(s) : exit_code(&c.exit);
}

/* Until a signal, which gives it back. */
static int hold(struct session *s)
{
    while (!session_ended(s))
        session_run(s);
    return s->lost ? session_complain_lost(s) : RSCTL_OK;
}

static int check_name(const struct rsctl *r, const char *verb, const char *name)
{
    if (name[0] == '\0')
        return rsctl_usage("the NAME of the %s is empty", verb);
    if (r->flags.ttl < 1 || r->flags.ttl > SESSION_TTL_MAX_S)
        return rsctl_usage("--ttl is %lld, but must be 1 to %d seconds", (long long)r->flags.ttl, SESSION_TTL_MAX_S);
    return RSCTL_OK;
}

static int close_session(struct session *s, int code)
{
    int closed = session_close(s);
    return code != RSCTL_OK ? code : closed;
}

int rsctl_lock(struct rsctl *r)
{
    struct session s;
    if (r->argument_count < 1)
        return rsctl_usage("lock wants a NAME, and perhaps a command to run while it is held");
    int code = check_name(r, "lock", r->arguments[0]);
    if (code != RSCTL_OK)
        return code;
    code = session_open(&s, r, "lock", r->arguments[0], r->flags.ttl);
    if (code == RSCTL_OK)
        code = session_acquire(&s, SLICE(""), r->argument_count == 1);
    if (code == RSCTL_OK)
        code = r->argument_count > 1 ? run_command(&s, r->arguments + 1, r->argument_count - 1) : hold(&s);
    return close_session(&s, code);
}

/* --- elect --- */

static int campaign(struct rsctl *r)
{
    struct session s;
    int code = session_open(&s, r, "election", r->arguments[0], r->flags.ttl);
    if (code == RSCTL_OK)
        code = session_acquire(&s, slice_str(r->arguments[1]), true);
    if (code == RSCTL_OK)
        code = hold(&s);
    return close_session(&s, code);
}

/* Who leads, whenever that changes: any event below the name makes it read again who came first. */
struct listener {
    struct store_watch watch;
    struct rsctl *r;
    struct kv_span span;
    struct buf key, end;
    bool stop, closed, stale; /* stale: something changed since it was read */
    int64_t create_revision, mod_revision; /* of the leader that was printed */
    int64_t read_revision;
    int status;
    struct err why;
};

static void listen_signal(void *arg)
{
    struct listener *l = arg;
    l->stop = true;
    uv_env_stop(l->r->uv);
}

static void listen_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct listener *l = container_of(w, struct listener, watch);
    (void)revision;
    (void)events;
    (void)n;
    l->stale = true;
    uv_env_stop(l->r->uv);
}

static void listen_closed(struct store_watch *w, int status, int64_t compact_revision, const struct err *why)
{
    struct listener *l = container_of(w, struct listener, watch);
    (void)compact_revision; /* what is lost is read anew */
    l->closed = true;
    l->status = status;
    if (why != NULL)
        l->why = *why;
    uv_env_stop(l->r->uv);
}

static void print_leader(struct rsctl *r, struct store_call *call)
{
    struct listener *l = r->verb_data;
    const struct kv *kv = call->range.kv_count > 0 ? &call->range.kvs[0] : NULL;
    l->read_revision = call->header.revision;
    if (kv == NULL || (kv->create_revision == l->create_revision && kv->mod_revision == l->mod_revision))
        return;
    l->create_revision = kv->create_revision;
    l->mod_revision = kv->mod_revision;
    print_range(r, &call->header, &call->range);
}

static int read_leader(struct listener *l)
{
    struct rsctl_call c;
    l->stale = false;
    rsctl_call_init(&c, l->r, print_leader);
    store_range(rsctl_client(l->r), &c.call,
                &(struct kv_range){.span = l->span, .limit = 1, .order = KV_ORDER_ASCEND, .sort = KV_SORT_CREATE}, l->r->flags.timeout_ms);
    while (!c.done)
        uv_env_run(l->r->uv, listen_signal, l);
    rsctl_flush(l->r);
    return c.status == 0 ? RSCTL_OK : rsctl_complain(c.status, c.why.message);
}

/* From a read on, until a signal or until what comes next was compacted away. */
static int follow(struct listener *l)
{
    int code = read_leader(l);
    if (code != RSCTL_OK)
        return code;
    l->closed = false;
    store_watch_start(rsctl_client(l->r), &l->watch, &(struct store_watch_options){.span = l->span, .start_revision = l->read_revision + 1});
    while (!l->closed && !l->stop && code == RSCTL_OK) {
        uv_env_run(l->r->uv, listen_signal, l);
        if (l->stale && !l->stop)
            code = read_leader(l);
    }
    if (!l->closed)
        store_watch_stop(rsctl_client(l->r), &l->watch);
    while (!l->closed)
        uv_env_run(l->r->uv, listen_signal, l);
    if (code == RSCTL_OK && l->status != ERR_CANCELED && l->status != ERR_COMPACTED)
        code = rsctl_complain(l->status, l->why.message);
    return code;
}

static int listen_to(struct rsctl *r)
{
    struct listener l = {.watch = {.on_events = listen_events, .on_closed = listen_closed}, .r = r};
    int code = RSCTL_OK;
    r->verb_data = &l;
    buf_printf(&l.key, "%s/", r->arguments[0]);
    buf_printf(&l.end, "%s0", r->arguments[0]); /* '0' follows '/' */
    l.span = (struct kv_span){.key = buf_slice(&l.key), .end = buf_slice(&l.end)};
    while (code == RSCTL_OK && !l.stop)
        code = follow(&l);
    buf_release(&l.key);
    buf_release(&l.end);
    return code;
}

int rsctl_elect(struct rsctl *r)
{
    if (r->argument_count < 1 || (r->flags.listen ? r->argument_count != 1 : r->argument_count != 2))
        return rsctl_usage("elect wants a NAME and a PROPOSAL, or --listen and a NAME");
    int code = check_name(r, "election", r->arguments[0]);
    return code != RSCTL_OK ? code : r->flags.listen ? listen_to(r) : campaign(r);
}
