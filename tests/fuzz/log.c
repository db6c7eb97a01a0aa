/* A data folder's log: segments of 16 KiB, one after the other in the input. Opening it ends in a state or in an error that
 * says why; what opens is closed and opened again, with the same state. */
#include "tests/fuzz/fuzz.h"

#include "common/mem.h"
#include "common/uv_env.h"
#include "raftstore/wal_segment.h"
#include "raftstore/wal.h"
#include "tests/fuzz/memory_disk.h"

#define SEGMENT_BYTES (4u * WAL_BLOCK_BYTES)
#define SEGMENTS_MAX 8

struct world {
    struct uv_env *uv;
    struct env *env;
    struct memory_disk disk;
};

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

static void failed(void *arg, const struct err *why)
{
    (void)arg;
    PANIC("the disk in memory failed: %s", why->message);
}

static void closed(void *arg) { uv_env_stop(((struct world *)arg)->uv); }

static struct wal_options options(void)
{
    struct wal_options o = {.member_id = 77, .segment_bytes = SEGMENT_BYTES, .failed = failed};
    memset(o.cluster_id, 0xaa, sizeof o.cluster_id);
    return o;
}

/* The last index, or -1: it does not open. */
static int64_t open_and_close(struct world *w)
{
    struct wal_options o = options();
    struct wal *wal;
    struct wal_state state;
    struct err err;
    if (wal_open(w->env, &o, 0, 0, &wal, &state, &err) != 0)
        return -1;
    int64_t last = (int64_t)wal_last_index(wal);
    for (uint64_t i = wal_first_index(wal); i <= wal_last_index(wal); i++)
        ASSERT(wal_term_of(wal, i) > 0);
    wal_state_release(&state);
    wal_close(wal, closed, w);
    uv_env_run(w->uv, NULL, NULL);
    return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = world();
    for (size_t i = 0; i * SEGMENT_BYTES < size && i < SEGMENTS_MAX; i++) {
        char name[WAL_NAME_MAX];
        wal_segment_name(i + 1, name);
        memory_disk_put(&w->disk, name, slice_of((const char *)data + i * SEGMENT_BYTES, MIN(size - i * SEGMENT_BYTES, (size_t)SEGMENT_BYTES)));
    }
    int64_t first = open_and_close(w);
    if (first >= 0)
        ASSERT(open_and_close(w) == first);
    memory_disk_clear(&w->disk);
    return 0;
}

struct seeding {
    struct wal_append append;
    struct world *world;
};

static void appended(struct wal_append *a) { uv_env_stop(container_of(a, struct seeding, append)->world->uv); }

static void append(struct world *w, struct wal *wal, uint64_t index, uint64_t term)
{
    struct entry entries[3];
    struct seeding s = {.world = w, .append = {.hard_state = index == 1, .term = term, .vote = 77, .index = index, .entries = entries,
                                               .entry_count = 3, .done = appended}};
    for (size_t i = 0; i < 3; i++)
        entries[i] = (struct entry){term, ENTRY_COMMAND, bytes_new(SLICE("what an entry holds"))};
    wal_append(wal, &s.append);
    uv_env_run(w->uv, NULL, NULL);
    for (size_t i = 0; i < 3; i++)
        bytes_unref(entries[i].data);
}

void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg)
{
    struct world *w = world();
    struct wal_options o = options();
    struct wal *wal;
    struct wal_state state;
    struct err err;
    struct buf input = {0};
    ASSERT(wal_open(w->env, &o, 0, 0, &wal, &state, &err) == 0);
    wal_state_release(&state);
    for (uint64_t n = 0; n < 7; n++)
        append(w, wal, n < 5 ? 3 * n + 1 : 3 * n - 1, n < 5 ? 1 : 2); /* the sixth replaces the end of the fifth */
    wal_close(wal, closed, w);
    uv_env_run(w->uv, NULL, NULL);
    for (uint64_t i = 1; i <= 4; i++) {
        char name[WAL_NAME_MAX];
        wal_segment_name(i, name);
        struct buf *f = memory_disk_get(&w->disk, name);
        if (f == NULL)
            break;
        buf_append_slice(&input, buf_slice(f));
        if (i == 1)
            add(arg, "one-segment", buf_slice(&input));
        while (input.size % SEGMENT_BYTES != 0)
            buf_append_char(&input, 0);
    }
    add(arg, "several-segments", buf_slice(&input));
    buf_release(&input);
    memory_disk_clear(&w->disk);
}
