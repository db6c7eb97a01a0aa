/* A Deployment that is scaled and rolled out and whose pods are deleted, while masters fail: process 0 scales it and changes its
 * template, the next ones delete pods, then come those that report pods as ready in a node's place (there are no nodes: nobody
 * else would, and a rollout waits for it); the others look what is there. At the end what was asked for last is waited for. */
#include "common/base.h"

#include "jepsen/load.h"

#include "common/json.h"

#include <stdio.h>

#define REPLICAS_MAX 12
#define DELETERS 3
#define REPORTERS 2
#define CHANGE_EVERY_MS 2000
#define DELETE_EVERY_MS 700
#define REPORT_EVERY_MS 60
#define LOOK_EVERY_MS 200
#define CONVERGE_MS 60000
#define APPS "/apis/apps/v1/namespaces/default"
#define PODS "/api/v1/namespaces/default/pods"
#define OWNERS_MAX 64
#define HISTORY 2 /* revisionHistoryLimit */

struct deployment {
    int64_t run, round; /* of the template */
    bool made;
};

struct actor {
    struct kube_call call;
    int64_t next_ms, give_up_ms;
    int64_t pods, updated, without_owner; /* of a list of pods: those that are not going */
    int64_t wanted, round, agreed, old_sets, strange_sets; /* agreed: pods that all sets want and have; -1: not the same */
    bool settled;                         /* the Deployment's status says so */
    char uid[64];                         /* the Deployment's */
    size_t owner_count;
    char owners[OWNERS_MAX][64]; /* of the pods, each once: uids of ReplicaSets */
    bool missing[OWNERS_MAX];    /* not among the ReplicaSets that were there afterwards */
    bool looking_again;          /* only pods of missing owners count */
    char victim[128], unready[128];
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

/* --- scaling, rolling out --- */

static void changed(struct kube_call *call, int status, struct slice body, const struct err *why)
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
               "\"revisionHistoryLimit\":%d,\"strategy\":{\"rollingUpdate\":{\"maxSurge\":1,\"maxUnavailable\":1}},\"selector\":{\"matchLabels\":{\"app\":\"jepsen-%lld\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"jepsen-%lld\"},\"annotations\":{\"round\":\"0\"}},"
               "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"jepsen\"}]}}}}",
               (long long)run, (long long)replicas, HISTORY, (long long)run, (long long)run);
    started(p, changed);
    kube_create(p->kube, &a->call, APPS "/deployments", buf_slice(&body));
    buf_release(&body);
}

static void begin_scale(struct process *p)
{
    struct actor *a = p->own;
    int64_t replicas = (int64_t)load_below(p->load, REPLICAS_MAX + 1);
    load_invoke(p, "scale", edn_int(replicas));
    started(p, changed);
    kube_patch(p->kube, &a->call, deployment_path(p), KUBE_PATCH_MERGE, load_key(p, "{\"spec\":{\"replicas\":%lld}}", (long long)replicas));
}

/* Nobody else changes the template: rounds only rise. */
static void begin_rollout(struct process *p)
{
    struct actor *a = p->own;
    int64_t round = ++shared(p)->round;
    load_invoke(p, "rollout", edn_int(round));
    started(p, changed);
    kube_patch(p->kube, &a->call, deployment_path(p), KUBE_PATCH_MERGE,
               load_key(p, "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"round\":\"%lld\"}}}}}", (long long)round));
}

/* --- looking --- */

static bool is_ready(const struct json *pod)
{
    struct json_iterator i = json_iterate(json_at(pod, "status.conditions"));
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "type"), "Ready"))
            return slice_is(json_string_at(i.value, "status"), "True");
    return false;
}

static void note_owner(struct actor *a, struct slice uid)
{
    size_t i = 0;
    while (i < a->owner_count && !slice_is(uid, a->owners[i]))
        i++;
    if (a->looking_again)
        a->without_owner += uid.size == 0 || (i < a->owner_count && a->missing[i]);
    else if (i == a->owner_count && i < OWNERS_MAX && uid.size < sizeof a->owners[0])
        (void)snprintf(a->owners[a->owner_count++], sizeof a->owners[0], "%.*s", SLICE_ARGS(uid));
}

static void note_pod(struct process *p, const struct json *pod)
{
    struct actor *a = p->own;
    struct slice name = json_string_at(pod, "metadata.name");
    if (json_string_at(pod, "metadata.deletionTimestamp").size != 0)
        return;
    a->pods++;
    a->updated += load_number(json_string_at(pod, "metadata.annotations.round")) == a->round;
    if (load_below(p->load, (uint64_t)a->pods) == 0) /* any of them, with the same chance */
        (void)snprintf(a->victim, sizeof a->victim, "%.*s", SLICE_ARGS(name));
    if (!is_ready(pod))
        (void)snprintf(a->unready, sizeof a->unready, "%.*s", SLICE_ARGS(name));
    note_owner(a, json_string_at(json_element(json_at(pod, "metadata.ownerReferences"), 0), "uid"));
}

static void begin_pods(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct actor *a = p->own;
    a->pods = a->updated = a->without_owner = 0;
    a->owner_count = a->looking_again ? a->owner_count : 0;
    a->unready[0] = '\0';
    started(p, done);
    kube_get(p->kube, &a->call, load_key(p, PODS "?labelSelector=app%%3Djepsen-%lld", (long long)shared(p)->run).data);
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

/* --- ReplicaSets --- */

static bool set_agrees(const struct json *set)
{
    return json_int_at(set, "status.observedGeneration", -1) == json_int_at(set, "metadata.generation", 0) &&
           json_int_at(set, "status.replicas", 0) == json_int_at(set, "spec.replicas", 0);
}

static void note_set(struct process *p, const struct json *set)
{
    struct actor *a = p->own;
    for (size_t o = 0; o < a->owner_count; o++)
        a->missing[o] = a->missing[o] && !slice_is(json_string_at(set, "metadata.uid"), a->owners[o]);
    a->agreed = a->agreed >= 0 && set_agrees(set) ? a->agreed + json_int_at(set, "spec.replicas", 0) : -1;
    a->old_sets += load_number(json_string_at(set, "spec.template.metadata.annotations.round")) != a->round;
    a->strange_sets += !slice_is(json_string_at(json_element(json_at(set, "metadata.ownerReferences"), 0), "uid"), a->uid);
}

static void note_sets(struct process *p, struct slice body)
{
    struct actor *a = p->own;
    struct json_doc *d = json_doc_new();
    struct json_iterator i = json_iterate(json_get(parsed(d, body), "items"));
    a->agreed = a->old_sets = a->strange_sets = 0;
    for (size_t o = 0; o < a->owner_count; o++)
        a->missing[o] = true;
    while (json_next(&i))
        note_set(p, i.value);
    json_doc_free(d);
}

static void begin_sets(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct actor *a = p->own;
    started(p, done);
    kube_get(p->kube, &a->call, load_key(p, APPS "/replicasets?labelSelector=app%%3Djepsen-%lld", (long long)shared(p)->run).data);
}

/* --- what there is: pods, then the sets, then again the pods of sets that are not there: such a set may have gone, its last pod
 * before it, between the first two looks --- */

static void looked(struct process *p, int64_t pods)
{
    struct actor *a = p->own;
    const struct edn items[] = {edn_int(pods), edn_int(a->without_owner), a->agreed < 0 ? (struct edn){0} : edn_int(a->agreed)};
    load_complete(p, OPERATION_OK, edn_vector(arena_dup(&p->arena, items, sizeof items), 3), NULL);
}

static void looked_again(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    int64_t pods = a->wanted; /* of the first look */
    if (failed(p, status, why))
        return;
    note_pods(p, body);
    looked(p, pods);
}

static void sets_listed(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    bool strange = false;
    if (failed(p, status, why))
        return;
    note_sets(p, body);
    for (size_t o = 0; o < a->owner_count; o++)
        strange = strange || a->missing[o];
    if (!strange) {
        looked(p, a->pods);
        return;
    }
    a->wanted = a->pods;
    a->looking_again = true;
    begin_pods(p, looked_again);
}

static void pods_listed(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    if (failed(p, status, why))
        return;
    note_pods(p, body);
    begin_sets(p, sets_listed);
}

static void begin_look(struct process *p)
{
    struct actor *a = p->own;
    load_invoke(p, "pods", (struct edn){0});
    a->looking_again = false;
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
    kube_delete(p->kube, &a->call, load_key(p, PODS "/%s", a->victim).data, SLICE("{\"gracePeriodSeconds\":0}"));
}

static void begin_delete(struct process *p)
{
    load_invoke(p, "delete", (struct edn){0});
    ((struct actor *)p->own)->looking_again = false;
    begin_pods(p, victim_chosen);
}

/* --- reporting a pod as ready --- */

static void report_pod(struct process *p, void (*done)(struct kube_call *call, int status, struct slice body, const struct err *why))
{
    struct actor *a = p->own;
    started(p, done);
    kube_patch(p->kube, &a->call, load_key(p, PODS "/%s/status", a->unready).data, KUBE_PATCH_MERGE,
               SLICE("{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"));
}

static void unready_chosen(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    if (failed(p, status, why))
        return;
    note_pods(p, body);
    if (a->unready[0] == '\0') {
        load_complete(p, OPERATION_FAIL, p->operation.value, "all pods are ready");
        return;
    }
    p->operation.value = edn_string(load_key(p, "%s", a->unready));
    report_pod(p, deleted); /* the same holds: gone is as good, and of another error nobody knows */
}

static void begin_report(struct process *p)
{
    load_invoke(p, "ready", (struct edn){0});
    ((struct actor *)p->own)->looking_again = false;
    begin_pods(p, unready_chosen);
}

/* --- the end: the Deployment, its sets, its pods, again and again --- */

static void look_again(struct timer *t);

static void wait_and_look(struct process *p, uint64_t ms)
{
    timer_init(&p->wait, look_again);
    loop_timer_start(&p->load->env->loop, &p->wait, ms);
}

static void reported(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    (void)body;
    if (status == ERR_NOT_FOUND || !failed(p, status, why)) {
        loop_timer_stop(&p->load->env->loop, &p->wait);
        wait_and_look(p, 0);
    }
}

static void final_pods(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    if (failed(p, status, why))
        return;
    note_pods(p, body);
    bool over = load_now_ms(p->load) > a->give_up_ms;
    if (!over && a->unready[0] != '\0') {
        report_pod(p, reported);
    } else if (over || (a->settled && a->pods == a->wanted && a->updated == a->pods && a->agreed == a->wanted && a->old_sets <= HISTORY)) {
        const struct edn items[] = {edn_int(a->wanted), edn_int(a->round), edn_int(a->pods), edn_int(a->updated), edn_int(a->old_sets),
                                    edn_int(a->strange_sets), edn_bool(a->settled)};
        load_complete(p, OPERATION_OK, edn_vector(arena_dup(&p->arena, items, sizeof items), ARRAY_LEN(items)), NULL);
    } else {
        wait_and_look(p, LOOK_EVERY_MS);
    }
}

static void final_sets(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    if (failed(p, status, why))
        return;
    note_sets(p, body);
    begin_pods(p, final_pods);
}

static void final_deployment(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    struct process *p = call->data;
    struct actor *a = p->own;
    struct json_doc *d = json_doc_new();
    if (!failed(p, status, why)) {
        const struct json *o = parsed(d, body);
        a->wanted = json_int_at(o, "spec.replicas", -1);
        a->round = load_number(json_string_at(o, "spec.template.metadata.annotations.round"));
        a->settled = json_int_at(o, "status.observedGeneration", -1) == json_int_at(o, "metadata.generation", 0) &&
                     json_int_at(o, "status.replicas", 0) == a->wanted && json_int_at(o, "status.updatedReplicas", 0) == a->wanted &&
                     json_int_at(o, "status.availableReplicas", 0) == a->wanted;
        (void)snprintf(a->uid, sizeof a->uid, "%.*s", SLICE_ARGS(json_string_at(o, "metadata.uid")));
        begin_sets(p, final_sets);
    }
    json_doc_free(d);
}

static void look_again(struct timer *t)
{
    struct process *p = container_of(t, struct process, wait);
    struct actor *a = p->own;
    a->looking_again = false;
    started(p, final_deployment);
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

struct part {
    size_t until; /* slots below */
    int64_t every_ms;
    void (*begin)(struct process *p);
};

static bool begin(struct process *p)
{
    static const struct part parts[] = {{1, CHANGE_EVERY_MS, NULL}, {1 + DELETERS, DELETE_EVERY_MS, begin_delete},
                                        {1 + DELETERS + REPORTERS, REPORT_EVERY_MS, begin_report}, {SIZE_MAX, LOOK_EVERY_MS, begin_look}};
    struct actor *a = p->own;
    const struct part *part = parts;
    while (p->slot >= part->until)
        part++;
    if (load_now_ms(p->load) < a->next_ms || (!shared(p)->made && p->slot != 0))
        return false;
    a->next_ms = load_now_ms(p->load) + part->every_ms / 2 + (int64_t)load_below(p->load, (uint64_t)part->every_ms);
    if (part->begin != NULL)
        part->begin(p);
    else if (!shared(p)->made)
        begin_create(p);
    else if (load_below(p->load, 2) == 0)
        begin_scale(p);
    else
        begin_rollout(p);
    return true;
}

const struct workload workload_controllers = {.name = "controllers", .help = "a Deployment scaled and rolled out, its pods deleted", .kube = true,
                                              .open = open, .close = close, .begin = begin, .final = final};
