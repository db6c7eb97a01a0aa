/* A snapshot file, and the store that is built from it: it restores, or an error says why; what restores is written again
 * and restores to the same hash. */
#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "common/uv_env.h"
#include "raftstore/apply.h"
#include "raftstore/snapfile.h"
#include "tests/fuzz/memory_disk.h"

struct world {
    struct uv_env *uv;
    struct env *env;
    struct memory_disk disk;
};

static const uint8_t cluster[16] = {0xc1};

static struct world *world(void)
{
    static struct world *only; /* a loop lives as long as the process: libFuzzer calls millions of times */
    if (only == NULL) {
        only = NEW(struct world);
        only->uv = uv_env_new("fuzz", LOG_ERROR);
        only->env = uv_env_env(only->uv);
        memory_disk_init(&only->disk, only->env);
    }
    return only;
}

static void ignore_events(void *arg, int64_t revision, const struct kv_event *events, size_t n)
{
    (void)arg, (void)revision, (void)events, (void)n;
}
static void keep_session(void *arg, const struct store_command *c, struct slice result)
{
    struct unpack u = unpack_of(result);
    struct store_result r;
    if (c->kind == COMMAND_SESSION_OPEN && result_decode(&u, &r))
        memcpy(arg, unpack_bytes(&u).data, STORE_ID_BYTES);
}
static void ignore_entry(void *arg, uint64_t index) { (void)arg, (void)index; }
static void ignore_restored(void *arg) { (void)arg; }

static struct apply *machine_new(uint8_t *session)
{
    return apply_new(&(struct apply_options){ignore_events, keep_session, ignore_entry, ignore_restored, session});
}

static int restore_from(struct world *w, const char *name, struct machine m, struct snapfile_info *ret)
{
    struct snapfile_reader *r;
    struct slice piece;
    struct err err;
    int rv = snapfile_open(w->env, name, cluster, &r, &err);
    if (rv != 0)
        return rv;
    void *restore = m.ops->restore_begin(m.impl);
    while ((rv = snapfile_next(r, &piece, &err)) == 1 && (rv = m.ops->restore_piece(restore, piece, &err)) == 0)
        ;
    int ended = m.ops->restore_end(m.impl, restore, rv == 0, &err);
    *ret = *snapfile_info(r);
    snapfile_close(r);
    return rv != 0 ? rv : ended;
}

static void written(void *arg, int status, const struct snapfile_info *info, const struct err *why)
{
    (void)info, (void)why;
    ASSERT(status == 0);
    uv_env_stop(((struct world *)arg)->uv);
}

static void write_to(struct world *w, struct machine m, const struct snapfile_info *info)
{
    snapfile_write(w->env, m, info, written, w);
    uv_env_run(w->uv, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = world();
    uint8_t session[STORE_ID_BYTES];
    struct apply *a = machine_new(session), *b = machine_new(session);
    struct machine m = apply_machine(a), n = apply_machine(b);
    struct snapfile_info info, again;
    char name[SNAPFILE_NAME_MAX];
    memory_disk_put(&w->disk, "input", slice_of((const char *)data, size));
    if (restore_from(w, "input", m, &info) == 0) {
        info.state_bytes = 0;
        write_to(w, m, &info);
        snapfile_name(info.index, info.term, name);
        ASSERT(restore_from(w, name, n, &again) == 0);
        ASSERT(m.ops->hash(m.impl) == n.ops->hash(n.impl));
    }
    apply_free(a);
    apply_free(b);
    memory_disk_clear(&w->disk);
    return 0;
}

static void apply_one(struct machine m, uint64_t index, const struct store_command *c)
{
    struct buf entry = {0};
    entry_begin(&entry, index * 10);
    command_encode(&entry, c);
    m.ops->apply(m.impl, index, 1, buf_slice(&entry));
    buf_release(&entry);
}

static void fill(struct machine m, uint8_t session[STORE_ID_BYTES])
{
    struct buf body = {0};
    apply_one(m, 1, &(struct store_command){.kind = COMMAND_SESSION_OPEN, .client = {1}});
    struct store_command c = {.kind = COMMAND_LEASE_GRANT};
    memcpy(c.client, session, sizeof c.client);
    for (uint64_t i = 2; i < 40; i++) {
        char key[2] = {'a', (char)('a' + i % 7)};
        struct kv_op op = {.kind = KV_OP_PUT, .put = {.key = slice_of(key, 2), .value = SLICE("value"), .lease = i % 3 == 0 ? 7 : 0}};
        if (i % 11 == 0)
            op = (struct kv_op){.kind = KV_OP_DELETE, .delete = {.span = {.key = slice_of(key, 2)}}};
        buf_reset(&body);
        c.kind = i == 2 ? COMMAND_LEASE_GRANT : i == 30 ? COMMAND_COMPACT : COMMAND_TXN;
        if (i == 2)
            pack_int(&body, 7);
        if (i == 2 || i == 30)
            pack_int(&body, 20);
        else
            txn_encode(&body, &(struct kv_txn){.success = &op, .success_count = 1});
        c.body = buf_slice(&body);
        c.sequence = c.oldest = i;
        apply_one(m, i, &c);
    }
    buf_release(&body);
}

void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg)
{
    struct world *w = world();
    uint8_t session[STORE_ID_BYTES];
    struct apply *a = machine_new(session);
    struct machine m = apply_machine(a);
    struct snapfile_info info = {.index = 39, .term = 1, .configuration_index = 1,
                                 .configuration = {.count = 1, .members = {{.id = 9, .voter = true}}}};
    char name[SNAPFILE_NAME_MAX];
    memcpy(info.cluster_id, cluster, sizeof cluster);
    fill(m, session);
    write_to(w, m, &info);
    snapfile_name(info.index, info.term, name);
    add(arg, "small", buf_slice(memory_disk_get(&w->disk, name)));
    apply_free(a);
    memory_disk_clear(&w->disk);
}
