#include "common/base.h"

#include "common/clock.h"
#include "common/mem.h"
#include "controllers/pods.h"

#include <stdlib.h>

static int64_t time_at(const struct json *v, const char *path)
{
    int64_t us;
    return time_parse(json_string_at(v, path), &us) == 0 ? us : 0;
}

static void read_ready(struct pod_fact *p)
{
    struct json_iterator i = json_iterate(json_at(p->tree, "status.conditions"));
    while (json_next(&i)) {
        if (!slice_is(json_string_at(i.value, "type"), "Ready"))
            continue;
        p->ready = slice_is(json_string_at(i.value, "status"), "True");
        p->ready_since_us = time_at(i.value, "lastTransitionTime");
    }
}

static int64_t restarts(const struct json *pod)
{
    int64_t most = 0;
    struct json_iterator i = json_iterate(json_at(pod, "status.containerStatuses"));
    while (json_next(&i))
        most = MAX(most, json_int_at(i.value, "restartCount", 0));
    return most;
}

static int64_t deletion_cost(const struct json *pod)
{
    struct slice text = json_string(json_get(json_at(pod, "metadata.annotations"), "controller.kubernetes.io/pod-deletion-cost"));
    return text.size == 0 ? 0 : strtoll(text.data, NULL, 10);
}

void pod_list_add(void *list, struct object *o, struct json *tree)
{
    struct pod_list *l = list;
    if (o->deleting)
        return;
    struct slice phase = json_string_at(tree, "status.phase");
    if (slice_is(phase, "Succeeded") || slice_is(phase, "Failed"))
        return;
    if (l->count == l->capacity) {
        l->capacity = MAX((size_t)8, l->capacity * 2);
        l->pods = mem_realloc(l->pods, l->capacity * sizeof l->pods[0]);
    }
    struct pod_fact *p = &l->pods[l->count++];
    *p = (struct pod_fact){.object = o, .tree = tree};
    p->assigned = json_string_at(tree, "spec.nodeName").size > 0;
    p->running = slice_is(phase, "Running");
    p->created_us = time_at(tree, "metadata.creationTimestamp");
    p->deletion_cost = deletion_cost(tree);
    p->restarts = restarts(tree);
    read_ready(p);
}

void pod_list_release(struct pod_list *l)
{
    mem_free(l->pods);
    *l = (struct pod_list){0};
}

bool pod_available(const struct pod_fact *p, int64_t min_ready_s, int64_t wall_us, uint64_t *again_ms)
{
    if (!p->ready || min_ready_s == 0)
        return p->ready;
    int64_t left_us = p->ready_since_us + min_ready_s * 1000000 - wall_us;
    if (left_us <= 0)
        return true;
    uint64_t left_ms = (uint64_t)left_us / 1000 + 1;
    *again_ms = *again_ms == 0 ? left_ms : MIN(*again_ms, left_ms);
    return false;
}

bool pod_has_labels(const struct pod_fact *p, const struct json *labels)
{
    const struct json *own = json_at(p->tree, "metadata.labels");
    struct json_iterator i = json_iterate(labels);
    while (json_next(&i))
        if (!json_equal(json_get_slice(own, i.key), i.value))
            return false;
    return true;
}

static int compare(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int cheaper_to_lose(const void *x, const void *y)
{
    const struct pod_fact *a = x, *b = y;
    int order = compare(a->assigned, b->assigned);
    if (order == 0)
        order = compare(a->running, b->running);
    if (order == 0)
        order = compare(a->ready, b->ready);
    if (order == 0)
        order = compare(a->deletion_cost, b->deletion_cost);
    if (order == 0 && a->ready)
        order = compare(b->ready_since_us, a->ready_since_us);
    if (order == 0)
        order = compare(b->restarts, a->restarts);
    if (order == 0)
        order = compare(b->created_us, a->created_us);
    return order != 0 ? order : strcmp(a->object->key, b->object->key);
}

void pod_list_sort_for_deletion(struct pod_list *l)
{
    if (l->count > 1)
        qsort(l->pods, l->count, sizeof l->pods[0], cheaper_to_lose);
}
