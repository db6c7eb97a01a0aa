#include "common/base.h"

#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"

#include <inttypes.h>

#define BUCKETS 16 /* 1 ms << 0 … 15 */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    enum metric_kind kind;
    char *name, *help;
    int64_t value;
    uint64_t buckets[BUCKETS], count, sum_ms;
};

struct metrics {
    struct map by_name;
};

struct metrics *metrics_new(void) { return NEW(struct metrics); }

void metrics_free(struct metrics *m)
{
    struct map_entry *e;
    if (m == NULL)
        return;
    for (size_t i = 0; (e = map_next(&m->by_name, &i)) != NULL;) {
        struct metric *one = e->value;
        mem_free(one->name);
        mem_free(one->help);
        mem_free(one);
    }
    map_release(&m->by_name);
    mem_free(m);
}

static struct metric *metric_of(struct metrics *m, enum metric_kind kind, const char *name, const char *help)
{
    struct metric *one = map_get(&m->by_name, slice_str(name));
    if (one != NULL || m->by_name.size == METRICS_MAX)
        return one;
    one = NEW(struct metric);
    one->kind = kind;
    one->name = mem_strdup(name);
    one->help = mem_strdup(help);
    map_put(&m->by_name, slice_str(name), one);
    return one;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *help)
{
    return metric_of(m, METRIC_COUNTER, name, help);
}
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help)
{
    return metric_of(m, METRIC_GAUGE, name, help);
}
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help)
{
    return metric_of(m, METRIC_HISTOGRAM, name, help);
}

void metric_add(struct metric *m, int64_t n)
{
    if (m != NULL)
        m->value += n;
}

void metric_set(struct metric *m, int64_t v)
{
    if (m != NULL)
        m->value = v;
}

void metric_observe_ms(struct metric *m, uint64_t ms)
{
    if (m == NULL)
        return;
    m->count++;
    m->sum_ms += ms;
    for (size_t i = 0; i < BUCKETS; i++)
        m->buckets[i] += ms <= (uint64_t)1 << i ? 1 : 0;
}

/* "name" and "label="x"" of `name{label="x"}`. */
static void split(const char *name, struct slice *ret_base, struct slice *ret_labels)
{
    struct slice rest = slice_str(name);
    *ret_base = slice_cut(&rest, '{');
    *ret_labels = rest.size == 0 ? SLICE("") : slice_of(rest.data, rest.size - 1);
}

static void print_histogram(const struct metric *m, struct slice base, struct slice labels, struct buf *out)
{
    const char *comma = labels.size == 0 ? "" : ",";
    for (size_t i = 0; i < BUCKETS; i++)
        buf_printf(out, "%.*s_bucket{%.*s%sle=\"%g\"} %" PRIu64 "\n", SLICE_ARGS(base), SLICE_ARGS(labels), comma,
                   (double)((uint64_t)1 << i) / 1000.0, m->buckets[i]);
    buf_printf(out, "%.*s_bucket{%.*s%sle=\"+Inf\"} %" PRIu64 "\n", SLICE_ARGS(base), SLICE_ARGS(labels), comma,
               m->count);
    buf_printf(out, "%.*s_sum{%.*s} %g\n%.*s_count{%.*s} %" PRIu64 "\n", SLICE_ARGS(base), SLICE_ARGS(labels),
               (double)m->sum_ms / 1000.0, SLICE_ARGS(base), SLICE_ARGS(labels), m->count);
}

void metrics_print(const struct metrics *m, struct buf *out)
{
    static const char *const words[] = {"counter", "gauge", "histogram"};
    struct map_entry *e;
    struct slice last = {0};
    for (size_t i = 0; (e = map_next(&m->by_name, &i)) != NULL;) {
        const struct metric *one = e->value;
        struct slice base, labels;
        split(one->name, &base, &labels);
        if (!slice_equal(base, last))
            buf_printf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", SLICE_ARGS(base), one->help, SLICE_ARGS(base),
                       words[one->kind]);
        last = base;
        if (one->kind == METRIC_HISTOGRAM)
            print_histogram(one, base, labels, out);
        else
            buf_printf(out, "%s %" PRId64 "\n", one->name, one->value);
    }
}
