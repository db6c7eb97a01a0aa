/* When faults were in force: what a run writes down, for the picture, and as operations of the process :nemesis in the
 * history, as Jepsen has them: each an :info as it is begun and another as that is done. Pure. */
#ifndef JEPSEN_WINDOWS_H
#define JEPSEN_WINDOWS_H

#include "common/base.h"
#include "common/err.h"
#include "jepsen/history.h"

#define WINDOWS_MAX 10000

/* Seconds of the history's time. */
struct window {
    double from, begun, to, healed; /* starting it began, and was done; healing began, and was over */
    struct slice name;              /* "partition leader --direction in"; "failed: …": it could not be started */
};

/* A line each: four times in seconds since 1970, and the fault. `began_s` is when the history's time 0 was. *ret refers
 * to `text` and is freed with mem_free. ERR_BAD_REQUEST, ERR_TOO_LARGE. */
int windows_read(struct slice text, double began_s, struct window **ret, size_t *ret_count, struct err *reterr);

/* The clients' operations of `h` and those of the faults (:start-partition "leader", :stop-partition "leader") in the
 * order of time, into the empty *ret, which refers to both. A fault that could not be started ends with an :error and
 * has no stop. */
void windows_merge(const struct history *h, const struct window *windows, size_t count, struct history *ret);

#endif
