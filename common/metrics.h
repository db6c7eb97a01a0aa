/* Counters, gauges and histograms of one component, printed in Prometheus' text format. Labels are part of a metric's
 * name as it is registered: `requests_total{verb="get"}`. */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include "common/base.h"
#include "common/buf.h"

struct metrics;
struct metric;

#define METRICS_MAX 512

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* NULL is fine */

/* The metric of that name, made at the first call. `name` may carry labels in braces. NULL when the bound is reached:
 * all operations accept NULL. */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *help);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help);
/* Buckets from 1 ms to 32 s, doubling. */
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help);

void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, int64_t v);
void metric_observe_ms(struct metric *m, uint64_t ms);
void metrics_print(const struct metrics *m, struct buf *out);

#endif
