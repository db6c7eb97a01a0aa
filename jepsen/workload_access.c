/* The store's roles: five certificates, of which each may do something, in areas of keys that only some may read or write. Everybody
 * asks for everything: what its roles allow and what they do not, alone and in one transaction with what they allow. jepsen/run
 * starts the store with the roles of this table (`roles_of_access`); the history says it too, so that whoever judges it needs
 * neither. A page is a folder of an area, so that a read is not about all keys. */
#include "common/base.h"

#include "jepsen/load.h"

#define AREAS 3
#define EVERYTHING AREAS /* one range over all areas */
#define WHO 4
#define PAGE_VALUES 150
#define ENTRIES_MAX 2
#define ONE_IN_TWO 3 /* writes to two areas at once */

/* Of principal and area: who may r(ead) and w(rite). */
static const char *const rights[WHO][AREAS + 1] = {
    {"rw", "", "", ""},
    {"r", "rw", "", ""},
    {"", "r", "w", ""},
    {"r", "r", "r", "r"},
};

struct areas {
    int64_t values, told, finals; /* values begun; rows of the table in the history; final reads begun */
};

struct visitor {
    struct store_watch watch;
    struct kv_op puts[ENTRIES_MAX];
    struct kv_compare compares[ENTRIES_MAX];
    int64_t area, page, final_read;
    size_t final_index; /* which final_read belongs to; SIZE_MAX: none yet */
    int64_t *seen;
    size_t seen_count, seen_capacity;
    bool caught_up;
};

static struct areas *shared(struct process *p) { return p->load->shared; }
static int64_t who(const struct process *p) { return (int64_t)p->seat.principal - 1; }

static struct seat seat(const struct load *l, size_t slot)
{
    return (struct seat){.endpoint = slot % l->options.endpoint_count, .pinned = slot / WHO % 2 == 1, .principal = 1 + slot % WHO};
}

static void open(struct load *l)
{
    l->shared = NEW(struct areas);
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        struct visitor *v = NEW(struct visitor);
        v->final_index = SIZE_MAX;
        l->processes[i].own = v;
    }
}

static void close(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        struct visitor *v = l->processes[i].own;
        mem_free(v->seen);
        mem_free(v);
    }
    mem_free(l->shared);
}

static struct slice key_of(struct process *p, int64_t area, int64_t page, int64_t value)
{
    return load_key(p, "jepsen/access/%lld/%06lld/%lld", (long long)area, (long long)page, (long long)value);
}

static struct kv_span page_of(struct process *p, int64_t area, int64_t page)
{
    return (struct kv_span){load_key(p, "jepsen/access/%lld/%06lld/", (long long)area, (long long)page),
                            load_key(p, "jepsen/access/%lld/%06lld0", (long long)area, (long long)page)};
}

static struct edn numbers(struct process *p, const int64_t *list, size_t n)
{
    struct edn *items = arena_alloc(&p->arena, (n + 1) * sizeof items[0]);
    for (size_t i = 0; i < n; i++)
        items[i] = edn_int(list[i]);
    return edn_vector(items, n);
}

static struct edn values(struct process *p, struct edn area, struct edn page, struct edn seen)
{
    const struct edn items[] = {edn_int(who(p)), area, page, seen};
    return edn_vector(arena_dup(&p->arena, items, sizeof items), 4);
}

/* --- the table, at the beginning of the history --- */

static void tell_rights(struct process *p)
{
    int64_t at = shared(p)->told++, area = at % (AREAS + 1);
    const char *may = rights[at / (AREAS + 1)][area];
    const struct edn items[] = {edn_int(at / (AREAS + 1)), edn_int(area), edn_bool(strchr(may, 'r') != NULL), edn_bool(strchr(may, 'w') != NULL)};
    load_invoke(p, "roles", edn_vector(arena_dup(&p->arena, items, sizeof items), 4));
    load_complete(p, OPERATION_OK, p->operation.value, NULL);
}

/* --- writes --- */

static void changed(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    if (status == 0)
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    else if (status == ERR_PERMISSION)
        load_denied(p, why);
    else
        load_failed(p, true, status, why);
}

static void begin_write(struct process *p)
{
    static const char *const ways[] = {"put", "put", "prev", "guarded"};
    struct visitor *v = p->own;
    const char *how = ways[load_below(p->load, ARRAY_LEN(ways))];
    size_t n = load_below(p->load, ONE_IN_TWO) == 0 ? 2 : 1;
    int64_t area = (int64_t)load_below(p->load, AREAS);
    struct edn entries[ENTRIES_MAX];
    struct kv_txn txn = {.success = v->puts, .success_count = n};
    for (size_t i = 0; i < n; i++, area = (area + 1) % AREAS) {
        int64_t value = shared(p)->values++, page = value / PAGE_VALUES;
        struct slice key = key_of(p, area, page, value);
        v->puts[i] = (struct kv_op){.kind = KV_OP_PUT, .put = {.key = key, .value = SLICE("x"), .prev_kv = strcmp(how, "prev") == 0}};
        v->compares[i] = (struct kv_compare){.span = {.key = key}, .target = KV_COMPARE_VERSION, .result = KV_EQUAL};
        entries[i] = numbers(p, (int64_t[]){area, page, value}, 3);
    }
    if (strcmp(how, "guarded") == 0) {
        txn.compares = v->compares;
        txn.compare_count = n;
    }
    const struct edn items[] = {edn_int(who(p)), edn_vector(arena_dup(&p->arena, entries, sizeof entries), n), edn_keyword(how)};
    load_invoke(p, "write", edn_vector(arena_dup(&p->arena, items, sizeof items), 3));
    p->call.done = changed;
    store_txn(p->client, &p->call, &txn, load_timeout_ms(p));
}

static void begin_delete(struct process *p)
{
    int64_t value = (int64_t)load_below(p->load, (uint64_t)shared(p)->values), area = (int64_t)load_below(p->load, AREAS);
    struct kv_op op = {.kind = KV_OP_DELETE, .delete = {.span = {.key = key_of(p, area, value / PAGE_VALUES, value)}}};
    load_invoke(p, "delete", values(p, edn_int(area), edn_int(value / PAGE_VALUES), edn_int(value)));
    p->call.done = changed;
    store_txn(p->client, &p->call, &(struct kv_txn){.success = &op, .success_count = 1}, load_timeout_ms(p));
}

/* --- reads --- */

static int64_t value_of(struct slice key)
{
    for (int cuts = 0; cuts < 4; cuts++)
        (void)slice_cut(&key, '/');
    return load_number(key);
}

static void looked(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    struct visitor *v = p->own;
    bool peek = slice_is(p->operation.f, "peek");
    if (status == ERR_PERMISSION) {
        load_denied(p, why);
    } else if (status != 0) {
        load_failed(p, false, status, why);
    } else if (peek) {
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    } else {
        struct edn *items = arena_alloc(&p->arena, (call->range.kv_count + 1) * sizeof items[0]);
        for (size_t i = 0; i < call->range.kv_count; i++)
            items[i] = edn_int(value_of(call->range.kvs[i].key));
        load_complete(p, OPERATION_OK, values(p, edn_int(v->area), edn_int(v->page), edn_vector(items, call->range.kv_count)), NULL);
    }
}

static void begin_read(struct process *p, int64_t area, int64_t page)
{
    struct visitor *v = p->own;
    struct kv_range all = {.span = page_of(p, area, page), .keys_only = true};
    v->area = area;
    v->page = page;
    load_invoke(p, "read", values(p, edn_int(area), edn_int(page), (struct edn){0}));
    p->call.done = looked;
    store_range(p->client, &p->call, &all, load_timeout_ms(p));
}

/* One range that reaches over areas: allowed only to whoever may read all that is between its ends. */
static void begin_peek(struct process *p)
{
    struct kv_range all = {.span = {SLICE("jepsen/access/0"), SLICE("jepsen/access/9")}, .limit = 1, .keys_only = true,
                           .serializable = load_below(p->load, 2) == 0};
    load_invoke(p, "peek", load_pair(p, edn_int(who(p)), edn_int(EVERYTHING)));
    p->call.done = looked;
    store_range(p->client, &p->call, &all, load_timeout_ms(p));
}

/* --- watches: from the beginning until they have caught up --- */

static void on_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct visitor *v = container_of(w, struct visitor, watch);
    (void)revision;
    for (size_t i = 0; i < n; i++) {
        if (events[i].is_delete)
            continue;
        if (v->seen_count == v->seen_capacity) {
            v->seen_capacity = MAX((size_t)64, v->seen_capacity * 2);
            v->seen = mem_realloc(v->seen, v->seen_capacity * sizeof v->seen[0]);
        }
        v->seen[v->seen_count++] = value_of(events[i].kv.key);
    }
}

static void on_progress(struct store_watch *w, int64_t revision)
{
    struct visitor *v = container_of(w, struct visitor, watch);
    struct process *p = w->data;
    (void)revision;
    if (v->caught_up)
        return;
    v->caught_up = true;
    store_watch_stop(p->client, w);
}

static void watch_enough(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    struct visitor *v = p->own;
    store_watch_stop(p->client, &v->watch);
}

static void on_closed(struct store_watch *w, int status, int64_t compact_revision, const struct err *why)
{
    struct visitor *v = container_of(w, struct visitor, watch);
    struct process *p = w->data;
    (void)compact_revision;
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status == ERR_PERMISSION)
        load_denied(p, why);
    else if (!v->caught_up && v->seen_count == 0)
        load_complete(p, OPERATION_FAIL, p->operation.value, why->message);
    else
        load_complete(p, OPERATION_OK, values(p, edn_int(v->area), edn_int(v->page), numbers(p, v->seen, v->seen_count)), NULL);
}

static void begin_watch(struct process *p, int64_t area, int64_t page)
{
    struct visitor *v = p->own;
    v->area = area;
    v->page = page;
    v->seen_count = 0;
    v->caught_up = false;
    v->watch = (struct store_watch){.on_events = on_events, .on_progress = on_progress, .on_closed = on_closed, .data = p};
    load_invoke(p, "watch", values(p, edn_int(area), edn_int(page), (struct edn){0}));
    timer_init(&p->wait, watch_enough);
    loop_timer_start(&p->load->env->loop, &p->wait, load_timeout_ms(p));
    store_watch_start(p->client, &v->watch, &(struct store_watch_options){.span = page_of(p, area, page), .start_revision = 1});
}

/* --- maintenance: nobody here may --- */

static void maintained(struct store_call *call, int status, const struct err *why)
{
    struct process *p = container_of(call, struct process, call);
    bool passed = status == 0 || status == ERR_COMPACTED || status == ERR_FUTURE_REVISION; /* it was looked at */
    if (status == ERR_PERMISSION)
        load_denied(p, why);
    else if (passed)
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    else
        load_failed(p, true, status, why);
}

static void begin_compact(struct process *p)
{
    load_invoke(p, "compact", edn_vector(arena_dup(&p->arena, (struct edn[]){edn_int(who(p))}, sizeof(struct edn)), 1));
    p->call.done = maintained;
    store_compact(p->client, &p->call, 1, load_timeout_ms(p));
}

static bool begin(struct process *p)
{
    int64_t area = (int64_t)load_below(p->load, AREAS), page = shared(p)->values / PAGE_VALUES - (int64_t)load_below(p->load, 3);
    page = MAX(page, (int64_t)0);
    uint64_t what = load_below(p->load, 100);
    if (shared(p)->told < WHO * (AREAS + 1))
        tell_rights(p);
    else if (what < 45 || shared(p)->values == 0)
        begin_write(p);
    else if (what < 80)
        begin_read(p, area, page);
    else if (what < 87)
        begin_delete(p);
    else if (what < 92)
        begin_watch(p, area, page);
    else if (what < 97)
        begin_peek(p);
    else
        begin_compact(p);
    return true;
}

/* Whoever may read everything reads it all; the others have nothing to do. */
static bool final(struct process *p, size_t index)
{
    struct visitor *v = p->own;
    if (strcmp(rights[who(p)][EVERYTHING], "r") != 0)
        return false;
    if (v->final_index != index) {
        v->final_index = index;
        v->final_read = shared(p)->finals++;
    }
    if (v->final_read >= AREAS * (shared(p)->values / PAGE_VALUES + 1))
        return false;
    begin_read(p, v->final_read % AREAS, v->final_read / AREAS);
    return true;
}

const struct workload workload_access = {.name = "access", .help = "the store's roles: everybody asks for everything", .open = open, .close = close,
                                         .begin = begin, .final = final, .principals = WHO, .seat = seat};
