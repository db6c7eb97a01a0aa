#include "common/base.h"

#include "apiserver/limits.h"
#include "common/metrics.h"

#include <stdio.h>

void limits_register(struct limit_metrics *l, struct metrics *m)
{
    static const char *const names[LIMIT_COUNT] = {
#define X(limit, name) [limit] = name,
        API_LIMITS(X)
#undef X
    };
    for (size_t i = LIMIT_NONE + 1; i < LIMIT_COUNT; i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "apiserver_limit_hits_total{limit=\"%s\"}", names[i]); /* names are short */
        l->hits[i] = metrics_counter(m, name, "How often a bound of apiserver/limits.h was met.");
    }
}

void limit_hit(const struct limit_metrics *l, enum limit which) { metric_add(l->hits[which], 1); }
