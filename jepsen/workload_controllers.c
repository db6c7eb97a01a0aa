/* A Deployment that is scaled and whose pods are deleted, while masters fail: process 0 scales it, the next ones delete pods, the
 * others look what is there. It needs no nodes: pods that wait for one count as well. At the end what was asked for last is
 * waited for. */
#include "common/base.h"

#include "jepsen/load.h"

#include "common/json.h"

#include <stdio.h>

#define REPLICAS_MAX 12
#define DELETERS 3
#define SCALE_EVERY_MS 4000
#define DELETE_EVERY_MS 700
#define LOOK_EVERY_MS 200
#define CONVERGE_MS 60000
#define APPS "/apis/apps/v1/namespaces/default"
#define OWNERS_MAX 64

struct deployment {
    int64_t run;
    bool made;
};

struct actor {
    struct kube_call call;
    int64_t next_ms, give_up_ms;
    int64_t pods, without_owner, wanted;
    size_t owner_count;
    char owners[OWNERS_MAX][64]; /* of the pods, each once: uids of ReplicaSets */
    int64_t owned[OWNERS_MAX];   /* how many pods */
    char victim[128];
};

static struct deployment *shared(struct process *p) { return p->load->shared; }

static void open(struct load *l)
{
    struct deployment *d = NEW(struct deployment);
    d->run = (int64_t)load_below(l, 1000000);
    l->shared = d;
    for (int64_t i = 0; i < l->options.concurrency; i++)
        l->processes[i].own = NEW(struct actor);
}

static void close(struct load *l)
{
    for (int64_t i = 0; i < l->options.concurrency; i++)
        mem_free(l->processes[i].own);
    mem_free(l->shared);
}

static void give_up(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    struct actor *a = p->own;
    kube_cancel(p->kube, &a->call);
}

static void started(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct actor *a = p->own;
    a->call = (struct kube_call){.done = done, .data = p};
    timer_init(&p->wait, give_up);
    loop_timer_start(&p->load->env->loop, &p->wait, load_timeout_ms(p));
}

static const char *deployment_path(struct process *p) { return load_key(p, APPS "/deployments/jepsen-%lld", (long long)shared(p)->run).data; }

static struct json *parsed(struct json_doc *d, struct slice body)
{
    struct json *v = NULL;
    return json_parse(d, body, &v, NULL) == 0 ? v : NULL;
}

/* --- scaling --- */

static void scaled(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    (void)body;
    loop_timer_stop(&p->load->env->loop, &p->wait);
    bool no = status == ERR_CONFLICT || status == ERR_NOT_FOUND || status == ERR_INVALID || status == ERR_FORBIDDEN;
    shared(p)->made |= status == 0 || status == ERR_EXISTS;
    if (status == 0 || status == ERR_EXISTS)
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    else
        load_complete(p, no ? OPERATION_FAIL : OPERATION_INFO, p->operation.value, why->message);
}

static void begin_create(struct process *p)
{
    struct buf body = {0};
    int64_t run = shared(p)->run, replicas = 3;
    struct actor *a = p->own;
    load_invoke(p, "scale", edn_int(replicas));
    buf_printf(&body, "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"jepsen-%lld\"},\"spec\":{\"replicas\":%lld,"
               "\"selector\":{\"matchLabels\":{\"app\":\"jepsen-%lld\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"jepsen-%lld\"}},"
               "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"jepsen\"}]}}}}",
               (long long)run, (long long)replicas, (long long)run, (long long)run);
    started(p, scaled);
    kube_create(p->kube, &a->call, APPS "/deployments", buf_slice(&body));
    buf_release(&body);
}

static void begin_scale(struct process *p)
{
    struct actor *a = p->own;
    int64_t replicas = (int64_t)load_below(p->load, REPLICAS_MAX + 1);
    load_invoke(p, "scale", edn_int(replicas));
    started(p, scaled);
    kube_patch(p->kube, &a->call, deployment_path(p), KUBE_PATCH_MERGE, load_key(p, "{\"spec\":{\"replicas\":%lld}}", (long long)replicas));
}

/* --- looking --- */

static void note_pod(struct process *p, const struct json *pod)
{
    struct actor *a = p->own;
    struct slice uid = json_string_at(json_element(json_at(pod, "metadata.ownerReferences"), 0), "uid"), name = json_string_at(pod, "metadata.name");
    size_t i = 0;
    if (json_string_at(pod, "metadata.deletionTimestamp").size != 0)
        return;
    a->pods++;
    if (load_below(p->load, (uint64_t)a->pods) == 0) /* any of them, with the same chance */
        (void)snprintf(a->victim, sizeof a->victim, "%.*s", SLICE_ARGS(name));
    while (i < a->owner_count && !slice_is(uid, a->owners[i]))
        i++;
    if (uid.size == 0 || uid.size >= sizeof a->owners[0] || i == OWNERS_MAX) {
        a->without_owner++;
        return;
    }
    if (i == a->owner_count) {
        (void)snprintf(a->owners[i], sizeof a->owners[i], "%.*s", SLICE_ARGS(uid));
        a->owned[a->owner_count++] = 0;
    }
    a->owned[i]++;
}

static void begin_pods(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct actor *a = p->own;
    a->pods = a->without_owner = 0;
    a->owner_count = 0;
    started(p, done);
    kube_get(p->kube, &a->call, load_key(p, "/api/v1/namespaces/default/pods?labelSelector=app%%3Djepsen-%lld", (long long)shared(p)->run).data);
}

static bool failed(struct process *p, int status, const struct err *why)
{
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status == 0)
        return false;
    load_complete(p, OPERATION_FAIL, p->operation.value, why->message);
    return true;
}

static void note_pods(struct process *p, struct slice body)
{
    struct json_doc *d = json_doc_new();
    struct json_iterator i = json_iterate(json_get(parsed(d, body), "items"));
    while (json_next(&i))
        note_pod(p, i.value);
    json_doc_free(d);
}

static void owners_listed(struct kube_call *call, int status, struct slice body, const struct err *why);

static void pods_listed(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    if (failed(p, status, why))
        return;
    note_pods(p, body);
    started(p, owners_listed);
    kube_get(p->kube, &a->call, APPS "/replicasets");
}

/* Pods whose owner is not there are orphans; ReplicaSets of this Deployment are never deleted while it lasts. */
static void owners_listed(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    struct json_doc *d = json_doc_new();
    if (!failed(p, status, why)) {
        struct json_iterator i = json_iterate(json_get(parsed(d, body), "items"));
        while (json_next(&i))
            for (size_t o = 0; o < a->owner_count; o++)
                if (slice_is(json_string_at(i.value, "metadata.uid"), a->owners[o]))
                    a->owned[o] = 0;
        for (size_t o = 0; o < a->owner_count; o++)
            a->without_owner += a->owned[o];
        load_complete(p, OPERATION_OK, load_pair(p, edn_int(a->pods), edn_int(a->without_owner)), NULL);
    }
    json_doc_free(d);
}

static void begin_look(struct process *p)
{
    load_invoke(p, "pods", (struct edn){0});
    begin_pods(p, pods_listed);
}

/* --- deleting --- */

static void deleted(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    (void)body;
    loop_timer_stop(&p->load->env->loop, &p->wait);
    if (status == 0 || status == ERR_NOT_FOUND)
        load_complete(p, OPERATION_OK, p->operation.value, NULL);
    else
        load_complete(p, OPERATION_INFO, p->operation.value, why->message);
}

static void victim_chosen(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    if (failed(p, status, why))
        return;
    note_pods(p, body);
    if (a->pods == 0) {
        load_complete(p, OPERATION_FAIL, p->operation.value, "there is no pod");
        return;
    }
    p->operation.value = edn_string(load_key(p, "%s", a->victim));
    started(p, deleted);
    kube_delete(p->kube, &a->call, load_key(p, "/api/v1/namespaces/default/pods/%s", a->victim).data, SLICE("{\"gracePeriodSeconds\":0}"));
}

static void begin_delete(struct process *p)
{
    load_invoke(p, "delete", (struct edn){0});
    begin_pods(p, victim_chosen);
}

/* --- the end --- */

static void look_again(struct timer *t);

static void final_pods(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    if (failed(p, status, why))
        return;
    note_pods(p, body);
    if (a->pods == a->wanted || load_now_ms(p->load) > a->give_up_ms) {
        load_complete(p, OPERATION_OK, load_pair(p, edn_int(a->wanted), edn_int(a->pods)), NULL);
        return;
    }
    timer_init(&p->wait, look_again);
    loop_timer_start(&p->load->env->loop, &p->wait, LOOK_EVERY_MS);
}

static void final_wanted(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    struct json_doc *d = json_doc_new();
    if (!failed(p, status, why)) {
        a->wanted = json_int_at(parsed(d, body), "spec.replicas", -1);
        begin_pods(p, final_pods);
    }
    json_doc_free(d);
}

static void look_again(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    struct actor *a = p->own;
    started(p, final_wanted);
    kube_get(p->kube, &a->call, deployment_path(p));
}

static bool final(struct process *p, size_t index)
{
    struct actor *a = p->own;
    if (index > 1)
        return false;
    if (index == 1) {
        begin_look(p);
        return true;
    }
    a->give_up_ms = load_now_ms(p->load) + CONVERGE_MS;
    load_invoke(p, "converge", (struct edn){0});
    look_again(&p->wait);
    return true;
}

static bool begin(struct process *p)
{
    struct actor *a = p->own;
    int64_t now_ms = load_now_ms(p->load), every = p->slot == 0 ? SCALE_EVERY_MS : p->slot <= DELETERS ? DELETE_EVERY_MS : LOOK_EVERY_MS;
    if (now_ms < a->next_ms || (!shared(p)->made && p->slot != 0))
        return false;
    a->next_ms = now_ms + every / 2 + (int64_t)load_below(p->load, (uint64_t)every);
    if (!shared(p)->made)
        begin_create(p);
    else if (p->slot == 0)
        begin_scale(p);
    else if (p->slot <= DELETERS)
        begin_delete(p);
    else
        begin_look(p);
    return true;
}

const struct workload workload_controllers = {"controllers", "a Deployment scaled and its pods deleted", true, open, close, begin, final};
