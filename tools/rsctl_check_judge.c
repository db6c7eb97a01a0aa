#include "common/base.h"

#include "tools/rsctl_check.h"

#include <stdio.h>

static const struct check_load loads[] = {
    {"s", "small", 50, 150}, {"m", "medium", 200, 1000}, {"l", "large", 500, 8000}, {"xl", "xLarge", 1000, 15000}};

const struct check_load *check_load_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(loads); i++)
        if (strcmp(name, loads[i].name) == 0 || strcmp(name, loads[i].long_name) == 0)
            return &loads[i];
    return NULL;
}

/* --- figures --- */

void check_count(struct check_figures *f, double took_s)
{
    /* Welford's mean and sum of squares: no cancellation over many values */
    double delta = took_s - f->mean_s;
    f->writes++;
    f->mean_s += delta / (double)f->writes;
    f->squares += delta * (took_s - f->mean_s);
    f->slowest_s = MAX(f->slowest_s, took_s);
}

/* No <math.h> for one root: Newton's steps, which from above never pass it. */
static double root(double v)
{
    double x = MAX(v, 1.0);
    for (int i = 0; i < 64; i++)
        x = (x + v / x) / 2;
    return v <= 0 ? 0 : x;
}

double check_deviation(const struct check_figures *f) { return f->writes < 2 ? 0 : root(f->squares / (double)(f->writes - 1)); }

static bool verdict(struct buf *out, bool pass, const char *format, ...) PRINTF_ARGS(3, 4);
static bool verdict(struct buf *out, bool pass, const char *format, ...)
{
    char text[ERR_MESSAGE_MAX + 64];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when long */
    va_end(args);
    buf_printf(out, "%s: %s\n", pass ? "PASS" : "FAIL", text);
    return pass;
}

bool check_judge(const struct check_load *load, const struct check_figures *f, enum rsctl_format format, struct buf *out)
{
    struct buf lines = {0};
    double rate = f->seconds > 0 ? (double)f->writes / f->seconds : 0, deviation = check_deviation(f);
    bool pass = true;
    if (f->failed > 0)
        pass = verdict(&lines, false, "%llu of %llu writes failed: %s", (unsigned long long)f->failed, (unsigned long long)(f->failed + f->writes),
                       f->why.message);
    pass &= verdict(&lines, rate >= 0.9 * load->rate, rate >= 0.9 * load->rate ? "Throughput is %.0f writes/s" : "Throughput too low: %.0f writes/s", rate);
    pass &= verdict(&lines, f->slowest_s <= CHECK_SLOWEST_S, f->slowest_s <= CHECK_SLOWEST_S ? "Slowest request took %.6fs" : "Slowest request took too long: %.6fs",
                    f->slowest_s);
    pass &= verdict(&lines, deviation <= CHECK_DEVIATION_S, deviation <= CHECK_DEVIATION_S ? "Stddev is %.6fs" : "Stddev too high: %.6fs", deviation);
    if (format == RSCTL_JSON)
        buf_printf(out, "{\"load\":\"%s\",\"clients\":%u,\"limit\":%u,\"seconds\":%.3f,\"writes\":%llu,\"errors\":%llu,\"writesPerSecond\":%.1f,"
                        "\"slowestSeconds\":%.6f,\"stddevSeconds\":%.6f,\"pass\":%s}\n",
                   load->name, load->clients, load->rate, f->seconds, (unsigned long long)f->writes, (unsigned long long)f->failed, rate, f->slowest_s,
                   deviation, pass ? "true" : "false");
    else
        buf_printf(out, "%.*s%s\n", SLICE_ARGS(buf_slice(&lines)), pass ? "PASS" : "FAIL");
    buf_release(&lines);
    return pass;
}
