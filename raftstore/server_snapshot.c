/* A client reads a snapshot of this member's state: the bytes of a snapshot file (snapfile.h), one part per request, so that
 * the client's own pace is the window. The state is pinned when the first part is asked for and let go after the last one,
 * with the connection, or when the client has been idle for too long. Parts are made on the disk's bulk thread: nothing here
 * holds up the loop. The client's ids follow each other; a part is never made twice, so a lost connection means to begin again. */
#include "common/base.h"

#include "raftstore/server_internal.h"

#include "common/mem.h"
#include "raftstore/snapfile.h"

struct snapshot_stream {
    struct server *server;
    struct caller *caller;   /* NULL: it has gone */
    struct list link;        /* in server->snapshots */
    struct snapfile_maker maker;
    struct buf part;
    struct disk_job job;
    bool working;            /* `job` is the disk's */
    uint64_t id, next, asked_ms;
};

static void stream_free(struct snapshot_stream *t)
{
    struct server *s = t->server;
    if (t->caller != NULL)
        t->caller->snapshot = NULL;
    snapfile_maker_end(&t->maker);
    buf_release(&t->part);
    list_remove(&t->link);
    s->snapshot_count--;
    mem_free(t);
}

void snapshot_stream_forget(struct snapshot_stream *t)
{
    if (t == NULL)
        return;
    t->caller = NULL;
    if (!t->working)
        stream_free(t);
}

void snapshot_streams_tick(struct server *s)
{
    uint64_t now = server_now_ms(s);
    LIST_FOR_EACH(node, &s->snapshots)
    {
        struct snapshot_stream *t = container_of(node, struct snapshot_stream, link);
        if (!t->working && t->asked_ms + SNAPSHOT_IDLE_MS < now)
            stream_free(t);
    }
}

static int make_part(struct disk_job *job)
{
    struct snapshot_stream *t = container_of(job, struct snapshot_stream, job);
    buf_reset(&t->part);
    return snapfile_make(&t->maker, &t->part, &job->err);
}

static void answer(struct snapshot_stream *t)
{
    struct kv_header h = server_header(t->server);
    t->caller->front->snapshot(t->caller, t->id, &h, buf_slice(&t->part), t->maker.last);
}

static void part_made(struct disk_job *job, int status, const struct err *why)
{
    struct snapshot_stream *t = container_of(job, struct snapshot_stream, job);
    struct server *s = t->server;
    t->working = false;
    t->next++;
    if (t->caller != NULL && status != 0)
        caller_error(t->caller, t->id, status, why->message);
    else if (t->caller != NULL)
        answer(t);
    if (t->caller == NULL || status != 0 || t->maker.last) {
        stream_free(t);
        server_finish_close(s);
    }
}

/* Of which entry and configuration it is. */
static int describe(struct server *s, struct snapfile_info *ret)
{
    *ret = (struct snapfile_info){.index = apply_index(s->options.apply), .term = server_status(s).term,
                                  .configuration = *server_configuration(s, false)};
    ret->configuration_index = ret->index;
    memcpy(ret->cluster_id, s->options.cluster_id, STORE_ID_BYTES);
    return ret->index == 0 || ret->term == 0 ? ERR_UNAVAILABLE : 0;
}

static struct snapshot_stream *stream_new(struct caller *c, const struct snapfile_info *info)
{
    struct server *s = c->server;
    struct snapshot_stream *t = NEW(struct snapshot_stream);
    t->server = s;
    t->caller = c;
    snapfile_maker_begin(&t->maker, s->env, apply_machine(s->options.apply), info);
    list_push_back(&s->snapshots, &t->link);
    s->snapshot_count++;
    c->snapshot = t;
    return t;
}

static struct snapshot_stream *begin(struct caller *c, uint64_t id)
{
    struct snapfile_info info;
    if (c->snapshot != NULL && !c->snapshot->working)
        stream_free(c->snapshot); /* the client has begun again */
    if (c->snapshot != NULL || c->server->snapshot_count >= SERVER_SNAPSHOTS_MAX) {
        caller_error(c, id, ERR_BUSY, "as many snapshots as possible are being read from this member");
        return NULL;
    }
    if (describe(c->server, &info) != 0) {
        caller_error(c, id, ERR_UNAVAILABLE, "this member has no state yet");
        return NULL;
    }
    return stream_new(c, &info);
}

void serve_snapshot(struct caller *c, uint64_t id, uint64_t number)
{
    struct snapshot_stream *t = c->snapshot;
    if (!caller_admits(c, id, ROLE_MAINTENANCE)) /* it is every key there is */
        return;
    if (number > 0 && (t == NULL || t->working || t->next != number)) {
        caller_error(c, id, ERR_NOT_FOUND, "the snapshot that was being read is gone: the connection was lost or slept; begin again");
        return;
    }
    if (number == 0 && (t = begin(c, id)) == NULL)
        return;
    t->id = id;
    t->asked_ms = server_now_ms(c->server);
    t->working = true;
    t->job = (struct disk_job){.kind = DISK_WORK, .name = "", .bulk = true, .prepare = make_part, .done = part_made};
    disk_submit(&c->server->env->disk, &t->job);
}
