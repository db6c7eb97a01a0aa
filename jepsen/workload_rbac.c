/* Rights that are granted and revoked through the apiservers while masters fail, and users who try what they may do and what they
 * may not. A right is one ConfigMap, a Role for it and a RoleBinding to one of two users; it is granted and revoked by making and
 * removing the binding or, every other one, the role. Processes 0 and 1 are administrators, each of rights of its own, so that
 * the changes of a right come one after the other; a change with an unknown outcome is the last one of its right. The others are
 * users; each stays with one apiserver, whose view of the rights may lag but must not go back. Writes add a key that is used once, so that
 * whatever was executed stays to be seen. */
#include "common/base.h"

#include "jepsen/load.h"

#include "common/json.h"

#include <stdio.h>

#define ADMINS 2
#define USERS 2
#define ACTIVE_EACH 2 /* rights that an administrator has under way */
#define TOGGLES_MAX 30
#define WRITES_MAX 120
#define RIGHTS_MAX 1024
#define TOGGLE_EVERY_MS 250
#define OBJECTS "/api/v1/namespaces/default/configmaps"
#define RBAC "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
#define NAME "jepsen-%lld-%lld"

struct right {
    int64_t who; /* user 1 or 2 */
    bool by_role, made, granted, retired;
    int64_t toggles, writes;
    char uid[64]; /* of what the grant made: it alone is removed, a removal that comes late does nothing */
};

struct rights {
    int64_t run, next_value;
    struct right *list;
    size_t count;
};

struct person {
    struct kube_call call;
    size_t active[ACTIVE_EACH]; /* of an administrator: right + 1, 0: none */
    size_t right, asked;        /* of the operation under way; final questions put */
    size_t final_index;
    int step;
    int64_t value, next_ms;
};

static struct rights *shared(struct process *p) { return p->load->shared; }
static struct right *right_of(struct process *p) { return &shared(p)->list[((struct person *)p->own)->right]; }
static bool is_admin(const struct process *p) { return p->slot < ADMINS; }

static struct seat seat(const struct load *l, size_t slot)
{
    size_t n = l->options.endpoint_count, user = slot - MIN(slot, (size_t)ADMINS);
    if (slot < ADMINS)
        return (struct seat){.endpoint = slot % n};
    return (struct seat){.endpoint = user % n, .pinned = true, .principal = 1 + user / n % USERS};
}

static void open(struct load *l)
{
    struct rights *s = NEW(struct rights);
    s->run = (int64_t)load_below(l, 1000000);
    s->list = mem_zalloc(RIGHTS_MAX * sizeof s->list[0]);
    l->shared = s;
    for (int64_t i = 0; i < l->options.concurrency; i++) {
        struct person *a = NEW(struct person);
        a->final_index = SIZE_MAX;
        l->processes[i].own = a;
    }
}

static void close(struct load *l)
{
    struct rights *s = l->shared;
    for (int64_t i = 0; i < l->options.concurrency; i++)
        mem_free(l->processes[i].own);
    mem_free(s->list);
    mem_free(s);
}

static void give_up(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    kube_cancel(p->kube, &((struct person *)p->own)->call);
}

static struct kube_call *started(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct person *a = p->own;
    a->call = (struct kube_call){.done = done, .data = p};
    timer_init(&p->wait, give_up);
    loop_timer_start(&p->load->env->loop, &p->wait, load_timeout_ms(p));
    return &a->call;
}

static struct edn numbers(struct process *p, const int64_t *list, size_t n) /* negative: nil */
{
    struct edn *items = arena_alloc(&p->arena, (n + 1) * sizeof items[0]);
    for (size_t i = 0; i < n; i++)
        items[i] = list[i] < 0 ? (struct edn){0} : edn_int(list[i]);
    return edn_vector(items, n);
}

static struct edn asked(struct process *p, struct edn last)
{
    const struct edn items[] = {edn_int((int64_t)((struct person *)p->own)->right), edn_int((int64_t)p->seat.principal),
                                edn_int((int64_t)p->seat.endpoint), last};
    return edn_vector(arena_dup(&p->arena, items, sizeof items), 4);
}

static const char *path(struct process *p, const char *folder)
{
    return load_key(p, "%s/" NAME, folder, (long long)shared(p)->run, (long long)((struct person *)p->own)->right).data;
}

static bool never_sent(int status) { return status == ERR_CONNECT || status == ERR_BUSY; }

/* --- administrators --- */

static void post_config_map(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct buf body = {0};
    buf_printf(&body, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" NAME "\"}}", (long long)shared(p)->run,
               (long long)((struct person *)p->own)->right);
    kube_create(p->kube, started(p, done), OBJECTS, buf_slice(&body));
    buf_release(&body);
}

static void post_role(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct buf body = {0};
    long long run = shared(p)->run, right = (long long)((struct person *)p->own)->right;
    buf_printf(&body, "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\":{\"name\":\"" NAME "\"},\"rules\":[{"
                      "\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"" NAME "\"],\"verbs\":[\"get\",\"patch\"]}]}",
               run, right, run, right);
    kube_create(p->kube, started(p, done), RBAC "/roles", buf_slice(&body));
    buf_release(&body);
}

static void post_binding(struct process *p, int64_t user, const char *suffix, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct buf body = {0};
    long long run = shared(p)->run, right = (long long)((struct person *)p->own)->right;
    buf_printf(&body, "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\",\"metadata\":{\"name\":\"" NAME "%s\"},"
                      "\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"" NAME "\"},"
                      "\"subjects\":[{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"User\",\"name\":\"jepsen-%lld\"}]}",
               run, right, suffix, run, right, (long long)user);
    kube_create(p->kube, started(p, done), RBAC "/rolebindings", buf_slice(&body));
    buf_release(&body);
}

/* A ConfigMap, and the half of the right that stays. */
static void making(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct person *a = p->own;
    struct right *r = right_of(p);
    (void)body;
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status != 0) {
        r->retired = true;
        load_complete(p, never_sent(status) ? OPERATION_FAIL : OPERATION_INFO, p->operation.value, why->message);
    } else if (a->step++ > 0) {
        r->made = true;
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    } else if (r->by_role) {
        post_binding(p, r->who, "", making);
    } else {
        post_role(p, making);
    }
}

static void begin_make(struct process *p, size_t *active)
{
    struct person *a = p->own;
    struct rights *s = shared(p);
    a->right = s->count++;
    a->step = 0;
    *active = s->count;
    s->list[a->right] = (struct right){.who = 1 + (int64_t)a->right / 2 % USERS, .by_role = a->right % 2 == 1};
    load_invoke(p, "make", numbers(p, (int64_t[]){(int64_t)a->right, right_of(p)->who}, 2));
    post_config_map(p, making);
}

static void toggled(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct right *r = right_of(p);
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status == 0 || (r->granted && status == ERR_NOT_FOUND)) { /* not found: the attempt before has done it */
        if (!r->granted) {
            struct json_doc *d = json_doc_new();
            struct json *object = NULL;
            struct slice uid = json_parse(d, body, &object, NULL) == 0 ? json_string_at(object, "metadata.uid") : SLICE("");
            (void)snprintf(r->uid, sizeof r->uid, "%.*s", SLICE_ARGS(uid));
            json_doc_free(d);
        }
        r->granted = !r->granted;
        r->retired = ++r->toggles >= TOGGLES_MAX || r->writes >= WRITES_MAX;
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    } else if (never_sent(status)) {
        load_complete(p, OPERATION_FAIL, p->operation.value, why->message);
    } else {
        r->retired = true;
        load_complete(p, OPERATION_INFO, p->operation.value, why->message);
    }
}

static void begin_toggle(struct process *p, size_t right)
{
    struct person *a = p->own;
    a->right = right;
    struct right *r = right_of(p);
    load_invoke(p, r->granted ? "revoke" : "grant", numbers(p, (int64_t[]){(int64_t)right, r->who}, 2));
    if (r->granted)
        kube_delete(p->kube, started(p, toggled), path(p, r->by_role ? RBAC "/roles" : RBAC "/rolebindings"),
                    load_key(p, "{\"preconditions\":{\"uid\":\"%s\"}}", r->uid));
    else if (r->by_role)
        post_role(p, toggled);
    else
        post_binding(p, r->who, "", toggled);
}

static bool administer(struct process *p)
{
    struct person *a = p->own;
    struct rights *s = shared(p);
    if (load_now_ms(p->load) < a->next_ms)
        return false;
    a->next_ms = load_now_ms(p->load) + (int64_t)load_below(p->load, TOGGLE_EVERY_MS);
    size_t *active = &a->active[load_below(p->load, ACTIVE_EACH)];
    if (*active != 0 && !s->list[*active - 1].retired)
        begin_toggle(p, *active - 1);
    else if (s->count < RIGHTS_MAX)
        begin_make(p, active);
    else
        return false;
    return true;
}

/* --- users --- */

static struct edn values_of(struct process *p, struct slice body)
{
    struct json_doc *d = json_doc_new();
    struct json *object = NULL;
    struct json_iterator i = json_iterate(json_parse(d, body, &object, NULL) == 0 ? json_get(object, "data") : NULL);
    struct edn *items = arena_alloc(&p->arena, ((size_t)WRITES_MAX + TOGGLES_MAX + body.size / 4 + 1) * sizeof items[0]);
    size_t n = 0;
    while (json_next(&i))
        items[n++] = edn_int(load_number(slice_from(i.key, 1))); /* "v7" */
    json_doc_free(d);
    return edn_vector(items, n);
}

static void answered(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    bool read = slice_is(p->operation.f, "read") || slice_is(p->operation.f, "look");
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status == ERR_FORBIDDEN)
        load_denied(p, why);
    else if (status == 0)
        load_complete(p, OPERATION_OK, read ? asked(p, values_of(p, body)) : p->operation.value, NULL);
    else
        load_complete(p, read || never_sent(status) ? OPERATION_FAIL : OPERATION_INFO, p->operation.value, why->message);
}

/* One of those that are under way, or were a moment ago. */
static bool choose(struct process *p)
{
    struct person *a = p->own;
    size_t count = shared(p)->count, last = MIN(count, (size_t)ADMINS * ACTIVE_EACH + 2);
    if (count == 0)
        return false;
    a->right = count - 1 - (size_t)load_below(p->load, last);
    return right_of(p)->made;
}

static void begin_user_write(struct process *p)
{
    struct person *a = p->own;
    a->value = shared(p)->next_value++;
    right_of(p)->writes++;
    load_invoke(p, "write", asked(p, edn_int(a->value)));
    kube_patch(p->kube, started(p, answered), path(p, OBJECTS), KUBE_PATCH_MERGE, load_key(p, "{\"data\":{\"v%lld\":\"x\"}}", (long long)a->value));
}

static bool use(struct process *p)
{
    uint64_t what = load_below(p->load, 100);
    if (!choose(p))
        return false;
    if (what < 45 && right_of(p)->writes < 2 * WRITES_MAX) {
        begin_user_write(p);
    } else if (what < 95) {
        load_invoke(p, "read", asked(p, (struct edn){0}));
        kube_get(p->kube, started(p, answered), path(p, OBJECTS));
    } else { /* gives itself the right */
        load_invoke(p, "escalate", asked(p, (struct edn){0}));
        post_binding(p, (int64_t)p->seat.principal, "-own", answered);
    }
    return true;
}

static bool begin(struct process *p) { return is_admin(p) ? administer(p) : use(p); }

/* --- the end: every user asks for every right at its apiserver; administrators look at what was written --- */

static void final_answer(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    (void)body;
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status != 0 && status != ERR_FORBIDDEN)
        load_complete(p, OPERATION_FAIL, p->operation.value, why->message);
    else
        load_complete(p, OPERATION_OK, asked(p, edn_bool(status == 0)), NULL);
}

static bool final(struct process *p, size_t index)
{
    struct person *a = p->own;
    struct rights *s = shared(p);
    if (a->final_index != index) {
        for (a->right = a->final_index == SIZE_MAX ? 0 : a->right + 1; a->right < s->count && !right_of(p)->made;)
            a->right++;
        a->final_index = index;
    }
    if (a->right >= s->count || (is_admin(p) && p->slot != 0))
        return false;
    load_invoke(p, is_admin(p) ? "look" : "ask", asked(p, (struct edn){0}));
    kube_get(p->kube, started(p, is_admin(p) ? answered : final_answer), path(p, OBJECTS));
    return true;
}

const struct workload workload_rbac = {.name = "rbac", .help = "rights granted and revoked through the apiservers, and users who try", .kube = true,
                                       .open = open, .close = close, .begin = begin, .final = final, .principals = USERS, .seat = seat};
