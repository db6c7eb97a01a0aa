/* See rejoin.h. */
#include "common/base.h"

#include "raftstore/rejoin.h"

#include "common/mem.h"
#include "raftstore/client.h"

#include <stdio.h>

#define ASK_MS 5000       /* one question to whoever answers */
#define ASK_AGAIN_MS 500
#define NAME_BYTES_MAX 96
#define FILES_MAX 65536

struct rejoin {
    struct env *env;
    struct rejoin_options options;
    struct file_save save;
    struct disk_job rename;
    char (*files)[NAME_BYTES_MAX]; /* to set aside, from the last to the first */
    size_t file_count, file_capacity;
    char to[NAME_BYTES_MAX];
    struct store_client *client;
    struct store_call call;
    struct timer again;
    struct deferred end_turn;
    unsigned asked;
    bool busy, asking, closing, finished; /* busy: of the disk; asking: of the client */
    int status;
    struct err why;
    struct configuration members;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void end_turn(struct deferred *d)
{
    struct rejoin *r = container_of(d, struct rejoin, end_turn);
    struct rejoin_options o = r->options;
    struct configuration members = r->members;
    struct err why = r->why;
    int status = r->status;
    bool closing = r->closing;
    void (*closed)(void *) = r->closed;
    void *arg = r->closed_arg;
    mem_free(r->files);
    mem_free(r);
    if (closing)
        closed(arg);
    else
        o.done(o.arg, status, &members, &why);
}

static void client_closed(void *arg)
{
    struct rejoin *r = arg;
    r->client = NULL;
    loop_defer(&r->env->loop, &r->end_turn);
}

/* Everything that is under way ends first. */
static void settle(struct rejoin *r)
{
    if (r->busy || (!r->closing && !r->finished))
        return;
    loop_timer_stop(&r->env->loop, &r->again);
    if (r->client != NULL)
        store_client_close(r->client, client_closed, r);
    else
        loop_defer(&r->env->loop, &r->end_turn);
}

static void finish(struct rejoin *r, int status, const struct err *why)
{
    if (r->finished)
        return;
    r->finished = true;
    r->status = status;
    if (why != NULL)
        r->why = *why;
    if (!r->closing)
        settle(r);
}

/* --- asking --- */

static bool take_members(struct rejoin *r, const struct store_members_result *m)
{
    r->members = (struct configuration){0};
    for (size_t i = 0; i < m->count; i++) {
        const struct store_member *from = &m->members[i];
        struct member *to = &r->members.members[r->members.count++];
        *to = (struct member){.id = from->id, .voter = from->voter};
        if (from->id == 0 || !member_text(to->peer_address, from->peer_address) || !member_text(to->client_address, from->client_address))
            return false;
    }
    return configuration_member(&r->members, r->options.identity.member_id) != NULL;
}

static void asked(struct store_call *call, int status, const struct err *why)
{
    struct rejoin *r = container_of(call, struct rejoin, call);
    r->asking = false;
    if (r->closing)
        return; /* the client is being closed, which ends it all */
    if (status == 0 && take_members(r, &call->members)) {
        log_info(r->env->log, "added to the cluster as a learner", "member=%016llx members=%zu",
                 (unsigned long long)r->options.identity.member_id, r->members.count);
        finish(r, 0, NULL);
        return;
    }
    if (r->asked % 20 == 1)
        log_warn(r->env->log, "not added to the cluster yet", "member=%016llx why=\"%s\"",
                 (unsigned long long)r->options.identity.member_id, why == NULL ? "malformed answer" : why->message);
    loop_timer_start(&r->env->loop, &r->again, ASK_AGAIN_MS);
}

static void ask(struct timer *t)
{
    struct rejoin *r = container_of(t, struct rejoin, again);
    const struct rejoin_options *o = &r->options;
    struct store_member_request m = {.verb = STORE_MEMBER_ADD, .id = o->identity.member_id, .replaces = o->identity.replaces,
                                     .automatic = o->automatic, .name = o->name, .peer_address = o->peer_address,
                                     .client_address = o->client_address};
    r->asked++;
    r->asking = true;
    r->call = (struct store_call){.done = asked};
    store_member_change(r->client, &r->call, &m, ASK_MS);
}

static void begin_asking(struct rejoin *r)
{
    const char *endpoints[REJOIN_ENDPOINTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->options.endpoint_count && n < STORE_ENDPOINTS_MAX; i++)
        endpoints[n++] = r->options.endpoints[i];
    r->client = store_client_new(r->env, &(struct store_client_options){.endpoints = endpoints, .endpoint_count = n, .tls = r->options.tls});
    ask(&r->again);
}

/* --- setting aside --- */

static void settled(struct file_save *s, int status, const struct err *why)
{
    struct rejoin *r = container_of(s, struct rejoin, save);
    r->busy = false;
    if (status != 0 || r->closing)
        r->closing ? settle(r) : finish(r, status, why);
    else
        begin_asking(r);
}

static void rename_next(struct rejoin *r);

static void renamed(struct disk_job *job, int status, const struct err *why)
{
    struct rejoin *r = container_of(job, struct rejoin, rename);
    r->busy = false;
    if (status != 0 || r->closing)
        r->closing ? settle(r) : finish(r, status, why);
    else
        rename_next(r);
}

static void rename_next(struct rejoin *r)
{
    r->busy = true;
    if (r->file_count == 0) {
        r->options.identity.setting_aside = false;
        r->save.done = settled;
        identity_save(&r->save, &r->env->disk, &r->options.identity);
        return;
    }
    const char *name = r->files[--r->file_count];
    (void)snprintf(r->to, sizeof r->to, DAMAGED_PREFIX "%u-%s", r->options.identity.damaged, name);
    r->rename = (struct disk_job){.kind = DISK_RENAME, .name = name, .to = r->to, .done = renamed};
    disk_submit(&r->env->disk, &r->rename);
}

static void collect(void *arg, const char *name)
{
    struct rejoin *r = arg;
    if ((strncmp(name, "log-", 4) != 0 && strncmp(name, "snap", 4) != 0) || strlen(name) + 16 > NAME_BYTES_MAX || r->file_count == FILES_MAX)
        return;
    if (r->file_count == r->file_capacity) {
        r->file_capacity = MAX((size_t)16, r->file_capacity * 2);
        r->files = mem_realloc(r->files, r->file_capacity * NAME_BYTES_MAX);
    }
    (void)snprintf(r->files[r->file_count++], NAME_BYTES_MAX, "%s", name);
}

static void saved(struct file_save *s, int status, const struct err *why)
{
    struct rejoin *r = container_of(s, struct rejoin, save);
    struct err e;
    r->busy = false;
    if (status == 0 && !r->closing && r->options.identity.setting_aside)
        status = disk_list(&r->env->disk, collect, r, &e), why = &e;
    if (status != 0 || r->closing)
        r->closing ? settle(r) : finish(r, status, why);
    else if (r->options.identity.setting_aside)
        rename_next(r);
    else
        begin_asking(r);
}

struct rejoin *rejoin_new(struct env *env, const struct rejoin_options *o)
{
    struct rejoin *r = NEW(struct rejoin);
    r->env = env;
    r->options = *o;
    timer_init(&r->again, ask);
    deferred_init(&r->end_turn, end_turn);
    r->busy = true;
    r->save.done = saved;
    identity_save(&r->save, &env->disk, &r->options.identity);
    return r;
}

void rejoin_close(struct rejoin *r, void (*closed)(void *arg), void *arg)
{
    ASSERT(!r->closing);
    bool ending = r->finished;
    r->closing = true;
    r->closed = closed;
    r->closed_arg = arg;
    if (!ending)
        settle(r);
}
