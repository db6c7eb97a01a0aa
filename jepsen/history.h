/* A history in Jepsen's operation format: one map per line with :index :time :process :type :f :value, and :error where there is
 * one. Clients' processes are numbers; what is done to the cluster has the process :nemesis. A process has one operation under
 * way at a time; after an :info it is never used again (its client goes on under another number). */
#ifndef JEPSEN_HISTORY_H
#define JEPSEN_HISTORY_H

#include "common/base.h"
#include "jepsen/edn.h"

#define HISTORY_OPERATIONS_MAX (1u << 26)
#define PROCESS_NEMESIS (-1)

enum operation_type {
    OPERATION_INVOKE,
    OPERATION_OK,   /* it happened, the value says how */
    OPERATION_FAIL, /* it did not happen */
    OPERATION_INFO, /* nobody knows whether it happened, or yet will */
};

struct operation {
    int64_t index, time_ns; /* time since the run began; the order is that of the index */
    int64_t process;
    enum operation_type type;
    struct slice f;
    struct edn value;
    struct slice error;
};

/* Zero-initialised is empty and ready for use. */
struct history {
    struct operation *operations;
    size_t count, capacity;
    struct arena arena; /* of values that were read */
};

void history_release(struct history *h);
/* Keeps what `o` refers to: memory of h->arena or of the caller, which lives as long. Sets the index. */
void history_add(struct history *h, const struct operation *o);

/* Reads a whole text: operations one after the other, or a vector of them. Unknown fields are passed over. ERR_BAD_REQUEST names
 * the line. `text` may go afterwards. */
int history_read(struct history *h, struct slice text, struct err *reterr);
void operation_print(struct buf *out, const struct operation *o); /* one line with its end */

/* An invocation and its completion. */
struct attempt {
    const struct operation *invoke;
    const struct operation *done; /* NULL: none in the history, as good as :info */
};

static inline enum operation_type attempt_outcome(const struct attempt *a) { return a->done == NULL ? OPERATION_INFO : a->done->type; }
static inline bool attempt_ok(const struct attempt *a) { return attempt_outcome(a) == OPERATION_OK; }
static inline bool attempt_is(const struct attempt *a, const char *f) { return slice_is(a->invoke->f, f); }
/* The index of an outcome that is known to have been reached; INT64_MAX: perhaps it is not reached yet. */
static inline int64_t attempt_end(const struct attempt *a)
{
    return attempt_outcome(a) == OPERATION_INFO ? INT64_MAX : a->done->index;
}

/* All attempts of clients in the order they began in; *ret is freed with mem_free. ERR_BAD_REQUEST: the history is not well
 * formed (an end without a beginning, two operations of one process at once, a process used after its :info). */
int history_attempts(const struct history *h, struct attempt **ret, size_t *ret_count, struct err *reterr);

#endif
