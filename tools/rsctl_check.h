/* What rsctl check measures and how it judges. Pure. */
#ifndef TOOLS_RSCTL_CHECK_H
#define TOOLS_RSCTL_CHECK_H

#include "tools/rsctl.h"

#include "common/err.h"
#include "common/mem.h"

#define CHECK_PREFIX_MAX 256
#define CHECK_SLOWEST_S 0.5   /* no request may take longer */
#define CHECK_DEVIATION_S 0.1 /* nor may their standard deviation be greater */

struct check_load {
    const char *name, *long_name;
    unsigned clients, rate; /* rate: puts per second; nine tenths of it are wanted */
};
const struct check_load *check_load_find(const char *name); /* NULL: unknown */

struct check_figures {
    uint64_t writes, failed;
    double seconds, slowest_s, mean_s, squares; /* squares: sum of squared distances from the mean */
    struct err why;                             /* of the first that failed */
};
void check_count(struct check_figures *f, double took_s);
double check_deviation(const struct check_figures *f); /* seconds; of a sample */
/* Appends a line per limit, PASS or FAIL, and one of all; or one JSON object. Are all limits kept? */
bool check_judge(const struct check_load *load, const struct check_figures *f, enum rsctl_format format, struct buf *out);

#endif
