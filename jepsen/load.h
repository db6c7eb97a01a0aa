/* Load on a store with a history of it: logical processes, each with a connection of its own and one operation under way, driven
 * by one loop at a given rate. A workload says what the processes do; load.c keeps time, process numbers and the history. */
#ifndef JEPSEN_LOAD_H
#define JEPSEN_LOAD_H

#include "common/base.h"
#include "common/env.h"
#include "common/kube/client.h"
#include "jepsen/history.h"
#include "raftstore/client.h"

#include <stdio.h>

#define LOAD_CONCURRENCY_MAX 64
#define LOAD_RATE_MAX 100000
#define LOAD_PRINCIPALS_MAX 8
#define LOAD_FINAL_TRIES 30

struct tls;
struct load;
struct workload;

/* Where a process sits: the endpoint it begins with, whether it stays there, and as whom it comes. */
struct seat {
    size_t endpoint;
    bool pinned;
    size_t principal; /* 0: the certificate of --cert; from 1 on those of --principals */
};

struct load_options {
    const char *const *endpoints; /* members of the store, or, for workloads of the API, apiservers: "https://…" */
    size_t endpoint_count;
    struct tls *tls;
    struct tls *principals[LOAD_PRINCIPALS_MAX]; /* further certificates */
    size_t principal_count;
    int64_t concurrency, rate; /* processes; operations begun each second, when there are idle processes */
    uint64_t seed;
    unsigned timeout_ms;       /* of an operation */
    unsigned time_ms;          /* of all of it before the final reads; 0: until load_finish */
    FILE *history;             /* borrowed */
};

struct process {
    struct load *load;
    size_t slot;             /* 0 … concurrency - 1, for good */
    struct seat seat;
    int64_t number;          /* in the history: another one after an unknown outcome */
    struct store_client *client; /* NULL where the workload speaks to apiservers */
    struct kube_client *kube;    /* NULL where it speaks to the store */
    struct store_call call;  /* the workload sets done; one at a time */
    struct timer wait;       /* of the workload */
    int64_t rests_until_ms;
    bool busy, final;
    size_t final_index, final_tries;
    struct operation operation;
    struct arena arena;      /* of the operation under way */
    void *own;               /* of the workload */
};

struct workload {
    const char *name, *help;
    bool kube; /* over HTTP, against apiservers */
    /* `load.shared` and every process's `own` are the workload's; open and close may be NULL. */
    void (*open)(struct load *l);
    void (*close)(struct load *l);
    /* Begins an operation (load_invoke) or returns false: nothing to do for this process now. */
    bool (*begin)(struct process *p);
    /* Begins final read number `index`, after everything was healed; false: there are not so many. */
    bool (*final)(struct process *p, size_t index);
    size_t principals; /* certificates it needs beside the first one */
    /* NULL: half of the processes stay with one endpoint each, all come as principal 0. */
    struct seat (*seat)(const struct load *l, size_t slot);
};

struct load {
    struct env *env;
    struct load_options options;
    const struct workload *workload;
    struct process *processes;
    size_t open_clients, busy, final_next;
    uint64_t began_ns, begun;      /* operations */
    int64_t next_process, index, failed_finals;
    struct prng prng;
    struct random random;
    struct timer tick;
    bool finishing, abandoned;     /* no more but final reads; not even those */
    void (*over)(void *arg);
    void *over_arg;
    struct buf line;
    void *shared;                  /* of the workload */
};

/* `workload_find` by name, `workload_at` by number (NULL after the last). */
const struct workload *workload_find(const char *name);
const struct workload *workload_at(size_t i);

/* Begins. `over(arg)` is called when everything has ended and the connections are closed. */
void load_start(struct load *l, struct env *env, const struct load_options *o, const struct workload *w, void (*over)(void *arg), void *arg);
/* No new operations but the final reads; the second time without those. */
void load_finish(struct load *l);
void load_release(struct load *l);

/* For workloads. */
uint64_t load_below(struct load *l, uint64_t bound);
int64_t load_now_ms(const struct load *l); /* since the beginning */
/* Borrow f (a constant) and value (of p->arena). */
void load_invoke(struct process *p, const char *f, struct edn value);
/* Ends the operation; p->arena is cleared. `error` may be NULL or "". */
void load_complete(struct process *p, enum operation_type type, struct edn value, const char *error);
/* Ends it with what was asked for, after an error: reads did not happen; of a write it depends. */
void load_failed(struct process *p, bool is_write, int status, const struct err *why);
/* Did a write that ended with this certainly not happen? */
bool load_refused(const struct store_call *call, int status);
unsigned load_timeout_ms(const struct process *p); /* of a call now */
int64_t load_number(struct slice text);            /* what load_key wrote with %lld; 0 for anything else */
struct edn load_pair(struct process *p, struct edn a, struct edn b);
/* Refused for want of rights: that it did not happen is what the checker looks at. */
void load_denied(struct process *p, const struct err *why);
struct slice load_key(struct process *p, const char *format, ...) PRINTF_ARGS(2, 3);

extern const struct workload workload_register, workload_append, workload_set, workload_watch, workload_lease, workload_lock, workload_election, workload_api, workload_controllers,
    workload_access, workload_rbac;

#endif
