/* jepsen-merge: puts the faults of a run into the history of its clients, as operations of the process :nemesis.
 *   jepsen-merge --history clients.edn --faults faults --began 1700000000.123 --out history.edn
 * A line of `faults`: when starting it began, and was done, when healing began, and was over (seconds since 1970), its
 * name. Exit codes: 0, 2. */
#include "common/base.h"

#include "jepsen/files.h"
#include "jepsen/windows.h"

#include "common/flags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int write_history(const struct history *h, const char *name, struct err *reterr)
{
    struct buf line = {0};
    FILE *f = fopen(name, "we");
    bool good = f != NULL;
    for (size_t i = 0; i < h->count && good; i++) {
        buf_reset(&line);
        operation_print(&line, &h->operations[i]);
        good = fwrite(line.data, 1, line.size, f) == line.size;
    }
    good = (f == NULL || fclose(f) == 0) && good;
    buf_release(&line);
    return good ? 0 : err_set_errno(reterr, errno, "%s", name);
}

static int run(const char *history, const char *faults, double began_s, const char *to, struct err *reterr)
{
    struct buf text = {0}, fault_text = {0};
    struct history h = {0}, merged = {0};
    struct window *windows = NULL;
    size_t count = 0;
    int rv = file_read(history, &text, reterr);
    if (rv == 0)
        rv = history_read(&h, buf_slice(&text), reterr);
    if (rv == 0)
        rv = file_read(faults, &fault_text, reterr);
    if (rv == 0)
        rv = windows_read(buf_slice(&fault_text), began_s, &windows, &count, reterr);
    if (rv == 0) {
        windows_merge(&h, windows, count, &merged);
        rv = write_history(&merged, to, reterr);
    }
    mem_free(windows);
    history_release(&merged);
    history_release(&h);
    buf_release(&text);
    buf_release(&fault_text);
    return rv;
}

int main(int argc, char **argv)
{
    const char *history = NULL, *faults = NULL, *to = NULL, *began = "0";
    const struct flag flags[] = {
        {"history", FLAG_TEXT, &history, "of the clients", 0, NULL},
        {"faults", FLAG_TEXT, &faults, "times of faults", 0, NULL},
        {"began", FLAG_TEXT, &began, "when time 0 of the history was, seconds since 1970", 0, NULL},
        {"out", FLAG_TEXT, &to, "history to write", 0, NULL},
        {0},
    };
    struct flags_result parsed;
    struct err err;
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0) {
        fprintf(stderr, "jepsen-merge: %s\n", err.message);
        return 2;
    }
    int code = 0;
    if (parsed.help || history == NULL || faults == NULL || to == NULL) {
        struct buf text = {0};
        flags_help(flags, "Usage: jepsen-merge --history FILE --faults FILE --began SECONDS --out FILE", &text);
        fwrite(text.data, 1, text.size, parsed.help ? stdout : stderr);
        buf_release(&text);
        code = parsed.help ? 0 : 2;
    } else if (run(history, faults, strtod(began, NULL), to, &err) != 0) {
        fprintf(stderr, "jepsen-merge: %s\n", err.message);
        code = 2;
    }
    flags_release(&parsed);
    return code;
}
