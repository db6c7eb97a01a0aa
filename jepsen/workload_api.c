/* Objects through several apiservers: ConfigMaps that are made, read and replaced on condition that they still have the
 * resourceVersion seen last, and watched. Half of the processes speak to one apiserver only, the others to any. Values are
 * used once. */
#include "common/base.h"

#include "jepsen/load.h"

#include "common/json.h"

#define ACTIVE 4
#define OPERATIONS_EACH 150
#define OBJECTS "/api/v1/namespaces/default/configmaps"
#define WATCH_MS 2000

struct objects {
    int64_t next_value, begun, run; /* run: names of different runs differ */
    struct {
        int64_t name, version; /* the one somebody saw last; 0: none */
    } seen[2 * ACTIVE];
};

struct caller {
    struct kube_call call;
    struct kube_stream stream;
    int64_t name, value, from;
    struct edn *log;
    size_t count, capacity;
};

static struct objects *shared(struct process *p) { return p->load->shared; }

static void open(struct load *l)
{
    struct objects *s = NEW(struct objects);
    s->run = (int64_t)load_below(l, 1000000);
    l->shared = s;
    for (int64_t i = 0; i < l->options.concurrency; i++)
        l->processes[i].own = NEW(struct caller);
}

static void close(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        struct caller *c = l->processes[i].own;
        mem_free(c->log);
        mem_free(c);
    }
    mem_free(l->shared);
}

static void saw(struct process *p, int64_t name, int64_t version)
{
    struct objects *s = shared(p);
    size_t at = (size_t)(name % (2 * ACTIVE));
    s->seen[at].version = s->seen[at].name == name ? MAX(s->seen[at].version, version) : version;
    s->seen[at].name = name;
}

static int64_t version_seen(struct process *p, int64_t name)
{
    const struct objects *s = shared(p);
    size_t at = (size_t)(name % (2 * ACTIVE));
    return s->seen[at].name == name ? s->seen[at].version : 0;
}

static const char *path_of(struct process *p, int64_t name)
{
    return load_key(p, OBJECTS "/jepsen-%lld-%lld", (long long)shared(p)->run, (long long)name).data;
}

static int64_t version_of(const struct json *object) { return load_number(json_string_at(object, "metadata.resourceVersion")); }
static int64_t value_of(const struct json *object) { return load_number(json_string_at(object, "data.value")); }

static struct edn answer(struct process *p, const int64_t *numbers, size_t n)
{
    struct edn items[4];
    for (size_t i = 0; i < n; i++)
        items[i] = numbers[i] == 0 && i > 0 ? (struct edn){0} : edn_int(numbers[i]);
    return edn_vector(arena_dup(&p->arena, items, n * sizeof items[0]), n);
}

static bool refused(int status)
{
    static const int refusals[] = {ERR_CONFLICT, ERR_NOT_FOUND, ERR_EXISTS, ERR_INVALID, ERR_BAD_REQUEST, ERR_FORBIDDEN, ERR_UNAUTHORIZED, ERR_BUSY,
                                   ERR_EXPIRED, ERR_CONNECT};
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (status == refusals[i])
            return true;
    return false;
}

static void give_up(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    struct caller *c = p->own;
    kube_cancel(p->kube, &c->call); /* done follows */
}

static void started(struct process *p)
{
    timer_init(&p->wait, give_up);
    loop_timer_start(&p->load->env->loop, &p->wait, load_timeout_ms(p));
}

static struct json *answer_object(struct json_doc *d, struct slice body)
{
    struct json *object = NULL;
    return json_parse(d, body, &object, NULL) == 0 ? object : NULL;
}

/* --- reads --- */

static void got(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct caller *c = container_of(call, struct caller, call);
    struct process *p = call->data;
    struct json_doc *d = json_doc_new();
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status == ERR_NOT_FOUND) {
        load_complete(p, OPERATION_OK, answer(p, (int64_t[]){c->name, 0, 0}, 3), NULL);
    } else if (status != 0) {
        load_complete(p, OPERATION_FAIL, p->operation.value, why->message);
    } else {
        const struct json *object = answer_object(d, body);
        saw(p, c->name, version_of(object));
        load_complete(p, OPERATION_OK, answer(p, (int64_t[]){c->name, value_of(object), version_of(object)}, 3), NULL);
    }
    json_doc_free(d);
}

static void begin_get(struct process *p, int64_t name)
{
    struct caller *c = p->own;
    c->name = name;
    c->call = (struct kube_call){.done = got, .data = p};
    load_invoke(p, "get", answer(p, (int64_t[]){name, 0, 0}, 3));
    started(p);
    kube_get(p->kube, &c->call, path_of(p, name));
}

/* --- writes --- */

static void written(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct caller *c = container_of(call, struct caller, call);
    struct process *p = call->data;
    struct json_doc *d = json_doc_new();
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status != 0) {
        load_complete(p, refused(status) ? OPERATION_FAIL : OPERATION_INFO, p->operation.value, why->message);
    } else {
        const struct json *object = answer_object(d, body);
        saw(p, c->name, version_of(object));
        load_complete(p, OPERATION_OK, answer(p, (int64_t[]){c->name, c->value, c->from, version_of(object)}, 4), NULL);
    }
    json_doc_free(d);
}

static void begin_write(struct process *p, int64_t name, int64_t from)
{
    struct caller *c = p->own;
    struct buf body = {0};
    c->name = name;
    c->value = ++shared(p)->next_value;
    c->from = from;
    c->call = (struct kube_call){.done = written, .data = p};
    buf_printf(&body, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"jepsen-%lld-%lld\"", (long long)shared(p)->run, (long long)name);
    if (from != 0)
        buf_printf(&body, ",\"resourceVersion\":\"%lld\"", (long long)from);
    buf_printf(&body, "},\"data\":{\"value\":\"%lld\"}}", (long long)c->value);
    load_invoke(p, from == 0 ? "create" : "update", answer(p, (int64_t[]){name, c->value, from, 0}, 4));
    started(p);
    if (from == 0)
        kube_create(p->kube, &c->call, OBJECTS, buf_slice(&body));
    else
        kube_update(p->kube, &c->call, path_of(p, name), buf_slice(&body));
    buf_release(&body);
}

/* --- watches --- */

static void on_event(struct kube_stream *stream, struct slice type, const struct json *object, struct slice text)
{
    struct caller *c = container_of(stream, struct caller, stream);
    struct process *p = stream->data;
    struct slice name = json_string_at(object, "metadata.name"), run;
    (void)text;
    if (slice_is(type, "ERROR") || slice_is(type, "BOOKMARK"))
        return;
    (void)slice_cut(&name, '-'); /* jepsen-RUN-NUMBER */
    run = slice_cut(&name, '-');
    if (load_number(run) != shared(p)->run)
        return;
    if (c->count == c->capacity) {
        c->capacity = MAX((size_t)64, c->capacity * 2);
        c->log = mem_realloc(c->log, c->capacity * sizeof c->log[0]);
    }
    c->log[c->count++] = answer(p, (int64_t[]){load_number(name), value_of(object), version_of(object)}, 3);
}

static void watch_closed(struct kube_stream *stream, int status, const struct err *why)
{
    struct caller *c = container_of(stream, struct caller, stream);
    struct process *p = stream->data;
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (c->count == 0 && status != 0 && status != ERR_CANCELED) {
        load_complete(p, OPERATION_FAIL, p->operation.value, why->message);
        return;
    }
    const struct edn items[] = {edn_int(c->from), edn_vector(c->log, c->count)};
    load_complete(p, OPERATION_OK, edn_vector(arena_dup(&p->arena, items, sizeof items), 2), NULL);
}

static void watch_enough(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    struct caller *c = p->own;
    kube_watch_stop(p->kube, &c->stream);
}

/* From a version that somebody has seen: what comes after it. */
static bool begin_watch(struct process *p, int64_t from)
{
    struct caller *c = p->own;
    if (from == 0)
        return false;
    c->from = from;
    c->count = 0;
    c->stream = (struct kube_stream){.on_event = on_event, .closed = watch_closed, .data = p};
    const struct edn items[] = {edn_int(from), (struct edn){0}};
    load_invoke(p, "watch", edn_vector(arena_dup(&p->arena, items, sizeof items), 2));
    timer_init(&p->wait, watch_enough);
    loop_timer_start(&p->load->env->loop, &p->wait, WATCH_MS + load_below(p->load, WATCH_MS));
    kube_watch(p->kube, &c->stream, load_key(p, OBJECTS "?watch=1&resourceVersion=%lld", (long long)from).data);
    return true;
}

static bool begin(struct process *p)
{
    struct objects *s = shared(p);
    int64_t name = s->begun / OPERATIONS_EACH + (int64_t)load_below(p->load, ACTIVE), version = version_seen(p, name);
    if (p->slot % 5 == 4)
        return begin_watch(p, s->seen[load_below(p->load, ARRAY_LEN(s->seen))].version);
    s->begun++;
    if (load_below(p->load, 2) == 0)
        begin_get(p, name);
    else
        begin_write(p, name, version);
    return true;
}

static bool final(struct process *p, size_t index)
{
    if ((int64_t)index > shared(p)->begun / OPERATIONS_EACH + ACTIVE)
        return false;
    begin_get(p, (int64_t)index);
    return true;
}

const struct workload workload_api = {.name = "api", .help = "objects with resourceVersion through several apiservers, and watches of them", .kube = true, .open = open, .close = close, .begin = begin, .final = final};
