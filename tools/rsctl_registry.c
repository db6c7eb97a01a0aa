/* rsctl tree, diff and history: what stands in the store, and how it came to be so. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/json.h"
#include "common/uv_env.h"
#include "tools/rsctl_changes.h"
#include "tools/rsctl_kinds.h"

/* All keys that begin with `prefix`, which may be empty; `scratch` keeps the end. */
static struct kv_span span_of(const char *prefix, struct buf *scratch)
{
    const struct rsctl_flags f = {.prefix = true};
    struct kv_span span = {.key = SLICE("")};
    int code = rsctl_span(&f, &prefix, 1, scratch, &span);
    ASSERT(code == RSCTL_OK); /* one argument and one flag */
    return span;
}

/* --- tree --- */

#define TREE_DEPTH_MAX 64

struct tree_line {
    struct slice name; /* in the answer's memory */
    size_t depth;
    uint64_t keys, bytes;
};

struct tree_print {
    struct rsctl_call call;
    size_t prefix_size, depth_max;
    struct tree_line *lines;
    size_t count, capacity;
    size_t path[TREE_DEPTH_MAX]; /* the lines that lead to the key at work */
    size_t path_size;
};

static struct tree_line *line_add(struct tree_print *t, struct slice name, size_t depth)
{
    if (t->count == t->capacity) {
        t->capacity = MAX((size_t)64, 2 * t->capacity);
        t->lines = mem_realloc(t->lines, t->capacity * sizeof t->lines[0]);
    }
    t->lines[t->count] = (struct tree_line){.name = name, .depth = depth};
    return &t->lines[t->count++];
}

/* Keys come in order, so that those below one line stand together. */
static void tree_key(struct tree_print *t, const struct kv *kv)
{
    struct slice rest = slice_from(kv->key, t->prefix_size);
    size_t bytes = kv->key.size + kv->value.size;
    if (rest.size > 0 && rest.data[0] == '/')
        rest = slice_from(rest, 1);
    t->lines[0].keys++;
    t->lines[0].bytes += bytes;
    for (size_t depth = 1; depth <= t->depth_max && rest.size > 0; depth++) {
        struct slice name = slice_cut(&rest, '/');
        if (depth >= t->path_size || !slice_equal(t->lines[t->path[depth]].name, name)) {
            (void)line_add(t, name, depth);
            t->path[depth] = t->count - 1;
            t->path_size = depth + 1;
        }
        t->lines[t->path[depth]].keys++;
        t->lines[t->path[depth]].bytes += bytes;
    }
}

static void tree_out(struct rsctl *r, const struct tree_print *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct tree_line *line = &t->lines[i];
        struct arena a = {0};
        if (r->format == RSCTL_JSON) {
            buf_printf(&r->out, "%s{\"depth\":%zu,\"name\":", i > 0 ? "," : "[", line->depth);
            json_print_string(line->name, &r->out);
            buf_printf(&r->out, ",\"keys\":%llu,\"bytes\":%llu}", (unsigned long long)line->keys, (unsigned long long)line->bytes);
        } else {
            buf_printf(&r->out, "%*s%.*s  (%llu %s, %s)\n", (int)(2 * line->depth), "", SLICE_ARGS(line->name),
                       (unsigned long long)line->keys, line->keys == 1 ? "key" : "keys", print_size(&a, line->bytes));
        }
        arena_clear(&a);
    }
    if (r->format == RSCTL_JSON)
        buf_append_str(&r->out, "]\n");
}

static void print_tree(struct rsctl *r, struct store_call *call)
{
    struct tree_print *t = container_of(container_of(call, struct rsctl_call, call), struct tree_print, call);
    for (size_t i = 0; i < call->range.kv_count; i++)
        tree_key(t, &call->range.kvs[i]);
    tree_out(r, t);
}

int rsctl_tree(struct rsctl *r)
{
    const char *prefix = r->argument_count == 1 ? r->arguments[0] : "/registry";
    struct tree_print t = {.path_size = 1};
    struct buf scratch = {0};
    if (r->argument_count > 1)
        return rsctl_usage("tree wants at most a PREFIX");
    if (r->flags.depth < 0 || r->flags.depth >= TREE_DEPTH_MAX)
        return rsctl_usage("--depth is %lld, but must be 0 (all) to %d", (long long)r->flags.depth, TREE_DEPTH_MAX - 1);
    struct slice name = slice_str(prefix);
    t.prefix_size = name.size;
    t.depth_max = r->flags.depth == 0 ? TREE_DEPTH_MAX - 1 : (size_t)r->flags.depth;
    (void)line_add(&t, name, 0);
    rsctl_call_init(&t.call, r, print_tree);
    store_range(rsctl_client(r), &t.call.call, &(struct kv_range){.span = span_of(prefix, &scratch), .revision = r->flags.rev},
                r->flags.timeout_ms);
    int code = rsctl_finish(&t.call);
    mem_free(t.lines);
    buf_release(&scratch);
    return code;
}

/* --- diff --- */

struct side {
    struct rsctl_call call;
    struct arena arena; /* of a copy of what was answered */
    struct kv *kvs;
    size_t count;
};

static void keep_side(struct rsctl *r, struct store_call *call)
{
    struct side *s = container_of(container_of(call, struct rsctl_call, call), struct side, call);
    (void)r;
    s->count = call->range.kv_count;
    s->kvs = arena_alloc(&s->arena, MAX(s->count, (size_t)1) * sizeof s->kvs[0]);
    for (size_t i = 0; i < s->count; i++) {
        s->kvs[i] = call->range.kvs[i];
        s->kvs[i].key = arena_slice(&s->arena, s->kvs[i].key);
        s->kvs[i].value = arena_slice(&s->arena, s->kvs[i].value);
    }
}

static int ask_side(struct rsctl *r, struct side *s, const struct kv_span *span, int64_t revision)
{
    rsctl_call_init(&s->call, r, keep_side);
    store_range(rsctl_client(r), &s->call.call, &(struct kv_range){.span = *span, .revision = revision}, r->flags.timeout_ms);
    return rsctl_finish(&s->call);
}

/* NULL on one side: the key is not there. */
static void print_difference(struct rsctl *r, const struct kv *old, const struct kv *new, bool first)
{
    const struct kv *kv = new != NULL ? new : old;
    if (r->format == RSCTL_JSON) {
        buf_printf(&r->out, "%s{\"type\":\"%s\",\"key\":", first ? "" : ",", old == NULL ? "added" : new == NULL ? "removed" : "changed");
        json_print_string(kv->key, &r->out);
        buf_printf(&r->out, ",\"revision\":%lld,\"changes\":[", (long long)kv->mod_revision);
    } else {
        buf_printf(&r->out, "%s %.*s\n", old == NULL ? "+" : new == NULL ? "-" : "~", SLICE_ARGS(kv->key));
    }
    if (old != NULL && new != NULL)
        (void)changes_print(&r->out, old->value, new->value, r->format == RSCTL_JSON);
    if (r->format == RSCTL_JSON)
        buf_append_str(&r->out, "]}");
}

/* Both sides are in the order of their keys. */
static void print_differences(struct rsctl *r, const struct side *old, const struct side *new)
{
    bool first = true;
    if (r->format == RSCTL_JSON)
        buf_append_char(&r->out, '[');
    for (size_t i = 0, j = 0; i < old->count || j < new->count;) {
        int order = i == old->count ? 1 : j == new->count ? -1 : slice_compare(old->kvs[i].key, new->kvs[j].key);
        const struct kv *a = order <= 0 ? &old->kvs[i++] : NULL, *b = order >= 0 ? &new->kvs[j++] : NULL;
        if (a != NULL && b != NULL && a->mod_revision == b->mod_revision)
            continue;
        print_difference(r, a, b, first);
        first = false;
    }
    if (r->format == RSCTL_JSON)
        buf_append_str(&r->out, "]\n");
}

static bool parse_revision(const char *text, int64_t *ret) { return rsctl_number(text, ret) && *ret > 0; }

int rsctl_diff(struct rsctl *r)
{
    int64_t from, to;
    struct buf scratch = {0};
    struct side old = {0}, new = {0};
    if (r->argument_count < 2 || r->argument_count > 3 || !parse_revision(r->arguments[0], &from) || !parse_revision(r->arguments[1], &to))
        return rsctl_usage("diff wants two revisions, both positive numbers, and perhaps a PREFIX");
    struct kv_span span = span_of(r->argument_count == 3 ? r->arguments[2] : "", &scratch);
    int code = ask_side(r, &old, &span, from);
    if (code == RSCTL_OK)
        code = ask_side(r, &new, &span, to);
    if (code == RSCTL_OK)
        print_differences(r, &old, &new);
    arena_clear(&old.arena);
    arena_clear(&new.arena);
    buf_release(&scratch);
    return code;
}

/* --- history --- */

/* Every event of the key, from the oldest readable revision on, as a watch tells them; it ends when that has caught up. */
struct history {
    struct store_watch watch;
    struct rsctl *r;
    struct buf value; /* before the event at work */
    bool live;        /* there was one */
    bool closed, stopped;
    size_t printed;
    int64_t oldest;   /* readable, when the watch says that it is not the first */
    int status;
    struct err why;
};

static void print_event(struct history *h, int64_t revision, const struct kv_event *e)
{
    struct rsctl *r = h->r;
    struct buf time = {0};
    const char *type = e->is_delete ? "DELETED" : !h->live && e->kv.version == 1 ? "ADDED" : "MODIFIED";
    changes_time(&time, e->kv.value);
    if (r->format == RSCTL_JSON) {
        buf_printf(&r->out, "%s{\"revision\":%lld,\"type\":\"%s\",\"version\":%lld,\"time\":\"%.*s\",\"bytes\":%zu,\"changes\":[", h->printed > 0 ? "," : "[",
                   (long long)revision, type, (long long)e->kv.version, SLICE_ARGS(buf_slice(&time)), e->kv.value.size);
    } else {
        buf_printf(&r->out, "%lld  %s  version %lld  %zu bytes%s%.*s\n", (long long)revision, type, (long long)e->kv.version,
                   e->kv.value.size, time.size > 0 ? "  " : "", SLICE_ARGS(buf_slice(&time)));
    }
    if (h->live && !e->is_delete)
        (void)changes_print(&r->out, buf_slice(&h->value), e->kv.value, r->format == RSCTL_JSON);
    if (r->format == RSCTL_JSON)
        buf_append_str(&r->out, "]}");
    h->printed++;
    h->live = !e->is_delete;
    buf_reset(&h->value);
    buf_append_slice(&h->value, e->kv.value);
    buf_release(&time);
}

static void history_events(struct store_watch *w, int64_t revision, const struct kv_event *events, size_t n)
{
    struct history *h = container_of(w, struct history, watch);
    for (size_t i = 0; i < n; i++)
        print_event(h, revision, &events[i]);
}

static void history_progress(struct store_watch *w, int64_t revision)
{
    struct history *h = container_of(w, struct history, watch);
    (void)revision;
    if (!h->stopped)
        store_watch_stop(h->r->client, w);
    h->stopped = true;
}

static void history_closed(struct store_watch *w, int status, int64_t compact_revision, const struct err *why)
{
    struct history *h = container_of(w, struct history, watch);
    h->closed = true;
    h->status = status;
    h->oldest = compact_revision;
    if (why != NULL)
        h->why = *why;
    uv_env_stop(h->r->uv);
}

static void history_watch(struct history *h, struct slice key, int64_t from)
{
    h->closed = false;
    store_watch_start(rsctl_client(h->r), &h->watch, &(struct store_watch_options){.span = {.key = key}, .start_revision = from});
    while (!h->closed)
        uv_env_run(h->r->uv, NULL, NULL);
}

static void print_base(struct rsctl *r, struct store_call *call)
{
    struct history *h = r->verb_data;
    if (call->range.kv_count == 0 || call->range.kvs[0].mod_revision >= h->oldest)
        return; /* what is newer the watch tells */
    print_event(h, call->range.kvs[0].mod_revision, &(struct kv_event){.kv = call->range.kvs[0]});
}

/* The version that is older than all events that can still be told. */
static int history_base(struct history *h, struct slice key)
{
    struct rsctl_call call;
    rsctl_call_init(&call, h->r, print_base);
    h->r->verb_data = h;
    store_range(rsctl_client(h->r), &call.call, &(struct kv_range){.span = {.key = key}, .revision = h->oldest}, h->r->flags.timeout_ms);
    return rsctl_finish(&call);
}

int rsctl_history(struct rsctl *r)
{
    struct history h = {.watch = {.on_events = history_events, .on_progress = history_progress, .on_closed = history_closed}, .r = r};
    struct rsctl_target target = {0};
    if (r->argument_count != 1 || r->arguments[0][0] == '\0')
        return rsctl_usage("history wants a KEY, or --kind and a NAME");
    int code = rsctl_target(&r->flags, r->arguments, 1, &target);
    struct slice key = target.span.key;
    if (code == RSCTL_OK)
        code = rsctl_reach(r);
    if (code != RSCTL_OK) {
        rsctl_target_release(&target);
        return code;
    }
    history_watch(&h, key, 1);
    if (h.status == ERR_COMPACTED) {
        code = history_base(&h, key);
        if (code == RSCTL_OK)
            history_watch(&h, key, h.oldest);
    }
    if (code == RSCTL_OK && h.status != ERR_CANCELED)
        code = rsctl_complain(h.status, h.why.message);
    if (code == RSCTL_OK && r->format == RSCTL_JSON)
        buf_append_str(&r->out, h.printed > 0 ? "]\n" : "[]\n");
    buf_release(&h.value);
    rsctl_target_release(&target);
    return code;
}
