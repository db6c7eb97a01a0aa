#include "common/base.h"

#include "common/mem.h"
#include "scheduler/framework.h"

#include <stdlib.h>

static void count_reason(struct decision *d, const char *text, bool eviction_helps)
{
    size_t i = 0;
    while (i < d->reason_count && strcmp(d->reasons[i].text, text) != 0)
        i++;
    if (i == REASONS_MAX)
        return; /* more kinds of obstacles than anybody reads */
    if (i == d->reason_count) {
        d->reasons[i].text = text;
        d->reasons[i].nodes = 0;
        d->reasons[i].eviction_helps = eviction_helps;
        d->reason_count++;
    }
    d->reasons[i].nodes++;
}

static const char *first_obstacle(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node,
                                  bool *ret_eviction_helps)
{
    for (const struct plugin *const *p = scheduler_plugins(); *p != NULL; p++) {
        const char *reason = (*p)->filter == NULL ? NULL : (*p)->filter(s, pod, node);
        *ret_eviction_helps = (*p)->eviction_helps;
        if (reason != NULL)
            return reason;
    }
    return NULL;
}

static int64_t total_score(const struct snapshot *s, const struct pod_info *pod, const struct node_info *node)
{
    int64_t total = 0;
    for (const struct plugin *const *p = scheduler_plugins(); *p != NULL; p++)
        if ((*p)->score != NULL)
            total += (*p)->weight * (*p)->score(s, pod, node);
    return total;
}

void schedule_cycle(const struct snapshot *s, const struct pod_info *pod, uint64_t random, struct decision *ret)
{
    *ret = (struct decision){0};
    int64_t best = INT64_MIN;
    uint64_t equals = 0;
    struct map_entry *e;
    for (size_t at = 0; (e = map_next(&s->nodes, &at)) != NULL;) {
        const struct node_info *node = e->value;
        if (!node->known)
            continue;
        ret->nodes++;
        bool eviction_helps;
        const char *reason = first_obstacle(s, pod, node, &eviction_helps);
        if (reason != NULL) {
            count_reason(ret, reason, eviction_helps);
            continue;
        }
        int64_t score = total_score(s, pod, node);
        equals = score > best ? 1 : score == best ? equals + 1 : equals;
        /* Reservoir sampling: each of n equals is kept with probability 1/n. */
        if (score > best || (score == best && random % equals == 0))
            ret->node = node->name;
        best = MAX(best, score);
        random = random * 6364136223846793005u + 1442695040888963407u;
        random ^= random >> 33;
    }
}

/* Kubernetes sorts the reasons as texts, their numbers in front. */
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void append_sorted(struct buf *out, char **texts, size_t n)
{
    if (n > 1)
        qsort(texts, n, sizeof(char *), by_text);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s %s", i == 0 ? ":" : ",", texts[i]);
        mem_free(texts[i]);
    }
    buf_append_char(out, '.');
}

void decision_text(const struct decision *d, struct buf *out)
{
    if (d->nodes == 0) {
        buf_append_str(out, "no nodes available to schedule pods");
        return;
    }
    char *texts[REASONS_MAX];
    size_t helped = 0, n = 0;
    for (size_t i = 0; i < d->reason_count; i++) {
        texts[i] = mem_printf("%zu %s", d->reasons[i].nodes, d->reasons[i].text);
        helped += d->reasons[i].eviction_helps ? d->reasons[i].nodes : 0;
    }
    buf_printf(out, "0/%zu nodes are available", d->nodes);
    append_sorted(out, texts, d->reason_count);
    buf_printf(out, " preemption: 0/%zu nodes are available", d->nodes);
    if (helped > 0)
        texts[n++] = mem_printf("%zu No preemption victims found for incoming pod", helped);
    if (helped < d->nodes)
        texts[n++] = mem_printf("%zu Preemption is not helpful for scheduling", d->nodes - helped);
    append_sorted(out, texts, n);
}
