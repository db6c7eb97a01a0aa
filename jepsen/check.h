/* Checkers: pure judgements of a history. Each is one file check_*.c that ends in one `const struct check`, and one row in
 * checks.c. What a verdict can prove is said at the top of each file. */
#ifndef JEPSEN_CHECK_H
#define JEPSEN_CHECK_H

#include "common/base.h"
#include "jepsen/history.h"

enum verdict { VERDICT_VALID, VERDICT_INVALID, VERDICT_UNKNOWN };

#define REPORT_KINDS_MAX 32    /* different names of anomalies */
#define REPORT_EXAMPLES_MAX 4  /* printed of each */

struct report {
    enum verdict verdict;     /* INVALID is stronger than UNKNOWN */
    struct {
        const char *name;     /* borrowed, a constant */
        size_t count;
    } kinds[REPORT_KINDS_MAX];
    size_t kind_count;
    struct buf text;          /* examples, and why it is unknown */
    struct buf notes;         /* figures: what was checked */
};

void report_release(struct report *r);
/* An anomaly: counted, and described when it is among the first of its name. */
void report_anomaly(struct report *r, const char *name, const char *format, ...) PRINTF_ARGS(3, 4);
/* True when another example of `name` would be printed: whoever has to search for a description asks first. */
bool report_wants(const struct report *r, const char *name);
/* Adds a line with the operation below the anomaly reported last, if that was printed. `role` may be "". */
void report_operation(struct report *r, const char *role, const struct operation *o);
void report_unknown(struct report *r, const char *format, ...) PRINTF_ARGS(2, 3);
void report_note(struct report *r, const char *format, ...) PRINTF_ARGS(2, 3);
size_t report_count(const struct report *r, const char *name);
/* "workload register: VALID", anomalies with their counts, examples, notes. */
void report_print(const struct report *r, const char *workload, struct buf *out);

struct check_options {
    uint64_t steps_max;   /* of one search (a register, all transactions): above, the verdict is unknown; 0 means CHECK_STEPS_MAX */
    uint64_t late_ms;     /* lease: how long after its time one may still be seen; 0 means CHECK_LATE_MS */
    int64_t surge;        /* controllers: pods above the wanted number (maxSurge); 0 means CHECK_SURGE */
};

#define CHECK_STEPS_MAX 200000000u
#define CHECK_LATE_MS 1000u
#define CHECK_SURGE 1

/* Refused for want of rights (load_denied). */
static inline bool attempt_denied(const struct attempt *a)
{
    return attempt_outcome(a) == OPERATION_FAIL && slice_has_prefix(a->done->error, SLICE("denied"));
}

struct check {
    const char *workload, *help;
    void (*run)(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r);
};

/* The check of a workload, NULL when there is none of that name. */
const struct check *check_find(const char *workload);
const struct check *check_at(size_t i); /* NULL after the last */
/* Judges a history; a malformed or empty one is unknown. */
void check_history(const struct check *c, const struct history *h, const struct check_options *o, struct report *r);

extern const struct check checker_register, checker_append, checker_set, checker_watch, checker_lease, checker_lock, checker_election, checker_api,
    checker_controllers, checker_access, checker_rbac;

#endif
