/* What a run looked like: availability figures, and a picture. Pure. */
#ifndef JEPSEN_PLOT_H
#define JEPSEN_PLOT_H

#include "common/base.h"
#include "common/buf.h"
#include "jepsen/history.h"
#include "jepsen/windows.h"

struct plot {
    struct attempt *attempts;
    size_t count;
    struct window *faults;
    size_t fault_count;
};

/* Operations and latencies, the longest time without an acknowledged write in all and around each fault, and the time from the
 * beginning of healing to the first acknowledged write that began after it. Markdown. */
void plot_figures(const struct plot *p, struct buf *out);
void plot_svg(const struct plot *p, struct buf *out);

#endif
