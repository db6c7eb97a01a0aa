/* jepsen-plot: availability figures of a history as text, and an SVG of latency and throughput over time with the times of the
 * faults shaded.
 *   jepsen-plot --history history.edn --faults faults --began 1700000000.123 --plot plot.svg
 * A line of `faults`: see windows.h. Exit codes: 0, 2. */
#include "common/base.h"

#include "jepsen/files.h"
#include "jepsen/plot.h"

#include "common/flags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int write_plot(const struct plot *p, const char *name, struct err *reterr)
{
    struct buf svg = {0};
    plot_svg(p, &svg);
    FILE *f = fopen(name, "we");
    bool good = f != NULL && fwrite(svg.data, 1, svg.size, f) == svg.size;
    good = (f == NULL || fclose(f) == 0) && good;
    buf_release(&svg);
    return good ? 0 : err_set_errno(reterr, errno, "%s", name);
}

static int run(const char *history, const char *faults, const char *svg, double began_s, struct err *reterr)
{
    struct buf text = {0}, fault_text = {0}, out = {0};
    struct history h = {0};
    struct plot p = {0};
    int rv = file_read(history, &text, reterr);
    if (rv == 0)
        rv = history_read(&h, buf_slice(&text), reterr);
    if (rv == 0)
        rv = history_attempts(&h, &p.attempts, &p.count, reterr);
    if (rv == 0 && faults != NULL)
        rv = file_read(faults, &fault_text, reterr);
    if (rv == 0)
        rv = windows_read(buf_slice(&fault_text), began_s, &p.faults, &p.fault_count, reterr);
    if (rv == 0) {
        plot_figures(&p, &out);
        fwrite(out.data, 1, out.size, stdout);
    }
    if (rv == 0 && svg != NULL)
        rv = write_plot(&p, svg, reterr);
    mem_free(p.attempts);
    mem_free(p.faults);
    history_release(&h);
    buf_release(&text);
    buf_release(&fault_text);
    buf_release(&out);
    return rv;
}

int main(int argc, char **argv)
{
    const char *history = NULL, *faults = NULL, *svg = NULL, *began = "0";
    const struct flag flags[] = {
        {"history", FLAG_TEXT, &history, "history.edn", 0, NULL},
        {"faults", FLAG_TEXT, &faults, "times of faults", 0, NULL},
        {"began", FLAG_TEXT, &began, "when time 0 of the history was, seconds since 1970", 0, NULL},
        {"plot", FLAG_TEXT, &svg, "SVG to write", 0, NULL},
        {0},
    };
    struct flags_result parsed;
    struct err err;
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0) {
        fprintf(stderr, "jepsen-plot: %s\n", err.message);
        return 2;
    }
    int code = 0;
    if (parsed.help || history == NULL) {
        struct buf text = {0};
        flags_help(flags, "Usage: jepsen-plot --history FILE [flags]", &text);
        fwrite(text.data, 1, text.size, parsed.help ? stdout : stderr);
        buf_release(&text);
        code = parsed.help ? 0 : 2;
    } else if (run(history, faults, svg, strtod(began, NULL), &err) != 0) {
        fprintf(stderr, "jepsen-plot: %s\n", err.message);
        code = 2;
    }
    flags_release(&parsed);
    return code;
}
