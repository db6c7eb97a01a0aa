#include "common/base.h"

#include "jepsen/plot.h"

#include "common/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define AFTER_S 5.0 /* how long after a fault was healed a gap still counts as its doing, when no other one has begun */

static double seconds(int64_t ns) { return (double)ns / 1e9; }

/* Reads, and what is long by its nature, say nothing about writing; they are left out of gaps, the latter of latencies too. */
static bool is_long(const struct attempt *a) { return attempt_is(a, "watch") || attempt_is(a, "campaign"); }
static bool is_write(const struct attempt *a)
{
    static const char *const reads[] = {"read", "observe", "get", "peek", "look", "ask", "roles", "pods", "converge"};
    for (size_t i = 0; i < ARRAY_LEN(reads); i++)
        if (attempt_is(a, reads[i]))
            return false;
    return !is_long(a);
}

static double end_s(const struct plot *p)
{
    double end = 1;
    for (size_t i = 0; i < p->count; i++)
        if (p->attempts[i].done != NULL)
            end = fmax(end, seconds(p->attempts[i].done->time_ns));
    return end;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Times of acknowledged writes, sorted. */
static double *writes_of(const struct plot *p, size_t *ret_count)
{
    double *at = mem_alloc((p->count + 1) * sizeof at[0]);
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        if (is_write(&p->attempts[i]) && attempt_ok(&p->attempts[i]))
            at[n++] = seconds(p->attempts[i].done->time_ns);
    qsort(at, n, sizeof at[0], by_value);
    *ret_count = n;
    return at;
}

static double longest_gap(const double *at, size_t n, double from, double to, double *ret_when)
{
    double longest = 0, before = from;
    *ret_when = from;
    for (size_t i = 0; i <= n; i++) {
        double next = i == n ? to : fmin(at[i], to);
        if (next < from)
            continue;
        if (next - before > longest) {
            longest = next - before;
            *ret_when = before;
        }
        before = next;
        if (i < n && at[i] > to)
            break;
    }
    return longest;
}

/* From `from` to the end of the first acknowledged write that began after it; negative: there was none. */
static double first_success(const struct plot *p, double from)
{
    double first = INFINITY;
    for (size_t i = 0; i < p->count; i++) {
        const struct attempt *a = &p->attempts[i];
        if (is_write(a) && attempt_ok(a) && seconds(a->invoke->time_ns) >= from)
            first = fmin(first, seconds(a->done->time_ns));
    }
    return isinf(first) ? -1 : first - from;
}

static void print_delay(struct buf *out, double s)
{
    if (s < 0)
        buf_append_str(out, " never |");
    else
        buf_printf(out, " %.3f |", s);
}

static void fault_figures(const struct plot *p, const double *writes, size_t write_count, struct buf *out)
{
    buf_append_str(out, "| fault | from s | to s | longest time without an acknowledged write s | first acknowledged write after healing began s |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < p->fault_count; i++) {
        const struct window *f = &p->faults[i];
        double when, to = fmin(f->healed + AFTER_S, i + 1 < p->fault_count ? p->faults[i + 1].from : end_s(p));
        buf_printf(out, "| %.*s | %.1f | %.1f | %.3f |", SLICE_ARGS(f->name), f->from, f->to,
                   longest_gap(writes, write_count, f->from, to, &when));
        print_delay(out, first_success(p, f->to));
        buf_append_char(out, '\n');
    }
}

void plot_figures(const struct plot *p, struct buf *out)
{
    size_t n = 0, write_count;
    double *latency = mem_alloc((p->count + 1) * sizeof latency[0]), *writes = writes_of(p, &write_count), when, end = end_s(p);
    for (size_t i = 0; i < p->count; i++)
        if (attempt_ok(&p->attempts[i]) && !is_long(&p->attempts[i]))
            latency[n++] = seconds(p->attempts[i].done->time_ns - p->attempts[i].invoke->time_ns) * 1000;
    qsort(latency, n, sizeof latency[0], by_value);
    if (n > 0)
        buf_printf(out, "latency of what was acknowledged: p50 %.2f ms, p99 %.2f ms, max %.1f ms; %zu in %.1f s\n\n", latency[n / 2], latency[n - 1 - n / 100],
                   latency[n - 1], n, end);
    double gap = longest_gap(writes, write_count, 0, end, &when);
    buf_printf(out, "availability: longest time without an acknowledged write %.3f s, from %.1f s on\n\n", gap, when);
    if (p->fault_count != 0)
        fault_figures(p, writes, write_count, out);
    mem_free(latency);
    mem_free(writes);
}

/* --- the picture --- */

#define WIDTH 1000.0
#define LEFT 60.0
#define PLOT_WIDTH (WIDTH - LEFT - 20)
#define LATENCY_TOP 30.0
#define LATENCY_HEIGHT 320.0
#define RATE_TOP 400.0
#define RATE_HEIGHT 140.0
#define CELL 2 /* pixels of a point: one for all that fall into it */
#define COLUMNS ((size_t)(PLOT_WIDTH / CELL) + 1)
#define ROWS ((size_t)(LATENCY_HEIGHT / CELL) + 1)

static const struct {
    const char *name, *colour;
} outcomes[] = {
    [OPERATION_OK] = {"ok", "#2b6cb0"},
    [OPERATION_FAIL] = {"failed", "#dd8a1d"},
    [OPERATION_INFO] = {"unknown", "#c2255c"},
};

static double x_of(double s, double end) { return LEFT + fmin(fmax(s / end, 0), 1) * PLOT_WIDTH; }

/* 0.1 ms at the bottom, 100 s at the top. */
static double y_of(double ms)
{
    double part = (log10(fmax(ms, 0.1)) + 1) / 6;
    return LATENCY_TOP + (1 - fmin(part, 1)) * LATENCY_HEIGHT;
}

static void text_at(struct buf *out, double x, double y, const char *anchor, struct slice text)
{
    buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    for (size_t i = 0; i < text.size; i++) {
        if (strchr("<>&", text.data[i]) != NULL)
            buf_printf(out, "&#%d;", text.data[i]);
        else
            buf_append_char(out, text.data[i]);
    }
    buf_append_str(out, "</text>\n");
}

static void draw_faults(const struct plot *p, double end, struct buf *out)
{
    for (size_t i = 0; i < p->fault_count; i++) {
        const struct window *f = &p->faults[i];
        double x = x_of(f->from, end), to = x_of(f->to, end), healed = x_of(f->healed, end);
        buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#d33\" fill-opacity=\"0.12\"><title>", x, LATENCY_TOP, fmax(to - x, 1),
                   RATE_TOP + RATE_HEIGHT - LATENCY_TOP);
        for (size_t c = 0; c < f->name.size; c++)
            if (strchr("<>&", f->name.data[c]) == NULL)
                buf_append_char(out, f->name.data[c]);
        buf_printf(out, "</title></rect>\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#383\" fill-opacity=\"0.10\"/>\n", to, LATENCY_TOP,
                   fmax(healed - to, 0), RATE_TOP + RATE_HEIGHT - LATENCY_TOP);
        buf_printf(out, "<g transform=\"translate(%.1f %.1f) rotate(90)\" font-size=\"9\" fill=\"#933\">", x + 3, LATENCY_TOP + 4);
        text_at(out, 0, 0, "start", f->name);
        buf_append_str(out, "</g>\n");
    }
}

/* Round seconds, a dozen of them at most. */
static double tick_step(double end)
{
    static const double steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(steps) && end / steps[i] > 12)
        i++;
    return steps[i];
}

static void draw_axes(double end, double most, struct buf *out)
{
    static const char *const labels[] = {"0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"};
    char text[32];
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        double y = y_of(pow(10, (double)i - 1));
        buf_printf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", LEFT, LEFT + PLOT_WIDTH, y, y);
        text_at(out, LEFT - 6, y + 4, "end", slice_str(labels[i]));
    }
    double step = tick_step(end);
    for (int i = 0; i * step <= end; i++) {
        int n = snprintf(text, sizeof text, "%.0f s", i * step);
        text_at(out, x_of(i * step, end), RATE_TOP + RATE_HEIGHT + 16, "middle", (struct slice){text, (size_t)n});
    }
    for (int i = 0; i <= 2; i++) {
        int n = snprintf(text, sizeof text, "%.0f/s", most * i / 2);
        text_at(out, LEFT - 6, RATE_TOP + RATE_HEIGHT * (1 - i / 2.0) + 4, "end", (struct slice){text, (size_t)n});
    }
}

static void draw_points(const struct plot *p, double end, enum operation_type type, struct buf *out)
{
    bool *taken = mem_zalloc(COLUMNS * ROWS);
    buf_printf(out, "<g fill=\"%s\">\n", outcomes[type].colour);
    for (size_t i = 0; i < p->count; i++) {
        const struct attempt *a = &p->attempts[i];
        if (a->done == NULL || attempt_outcome(a) != type || is_long(a))
            continue;
        size_t column = (size_t)((x_of(seconds(a->invoke->time_ns), end) - LEFT) / CELL);
        size_t row = (size_t)((y_of(seconds(a->done->time_ns - a->invoke->time_ns) * 1000) - LATENCY_TOP) / CELL);
        if (taken[MIN(row, ROWS - 1) * COLUMNS + MIN(column, COLUMNS - 1)])
            continue;
        taken[MIN(row, ROWS - 1) * COLUMNS + MIN(column, COLUMNS - 1)] = true;
        buf_printf(out, "<rect x=\"%.0f\" y=\"%.0f\" width=\"2\" height=\"2\"/>\n", LEFT + (double)(column * CELL), LATENCY_TOP + (double)(row * CELL));
    }
    buf_append_str(out, "</g>\n");
    mem_free(taken);
}

#define RATE_STEPS 200

static void count_ends(const struct plot *p, double end, enum operation_type type, double per_second[RATE_STEPS])
{
    for (size_t i = 0; i < RATE_STEPS; i++)
        per_second[i] = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->attempts[i].done != NULL && attempt_outcome(&p->attempts[i]) == type)
            per_second[MIN((size_t)(seconds(p->attempts[i].done->time_ns) / end * RATE_STEPS), (size_t)RATE_STEPS - 1)] += RATE_STEPS / end;
}

static void draw_rate(const double per_second[RATE_STEPS], double most, enum operation_type type, struct buf *out)
{
    buf_printf(out, "<polyline fill=\"none\" stroke=\"%s\" points=\"", outcomes[type].colour);
    for (size_t i = 0; i < RATE_STEPS; i++)
        buf_printf(out, "%.1f,%.1f ", LEFT + ((double)i + 0.5) * PLOT_WIDTH / RATE_STEPS, RATE_TOP + RATE_HEIGHT * (1 - per_second[i] / most));
    buf_append_str(out, "\"/>\n");
}

void plot_svg(const struct plot *p, struct buf *out)
{
    double end = end_s(p), most = 1, rates[OPERATION_INFO + 1][RATE_STEPS];
    for (int t = OPERATION_OK; t <= OPERATION_INFO; t++) {
        count_ends(p, end, (enum operation_type)t, rates[t]);
        for (size_t i = 0; i < RATE_STEPS; i++)
            most = fmax(most, rates[t][i]);
    }
    buf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"580\" font-family=\"sans-serif\" font-size=\"11\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", WIDTH);
    draw_faults(p, end, out);
    draw_axes(end, most, out);
    text_at(out, LEFT, 18, "start", SLICE("latency of operations, and how many ended each second; red: a fault, green: healing"));
    for (int t = OPERATION_OK; t <= OPERATION_INFO; t++) {
        draw_points(p, end, (enum operation_type)t, out);
        draw_rate(rates[t], most, (enum operation_type)t, out);
        buf_printf(out, "<g fill=\"%s\">", outcomes[t].colour);
        text_at(out, WIDTH - 240 + 70 * (t - OPERATION_OK), 18, "start", slice_str(outcomes[t].name));
        buf_append_str(out, "</g>\n");
    }
    buf_append_str(out, "</svg>\n");
}
