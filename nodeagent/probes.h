/* The probes of one pod's containers: when each runs is decided by what is observed, and what it finds goes back there. */
#ifndef NODEAGENT_PROBES_H
#define NODEAGENT_PROBES_H

#include "common/base.h"
#include "nodeagent/pod_sync.h"

/* --- pure --- */

enum probe_result { PROBE_UNDECIDED, PROBE_SUCCESS, PROBE_FAILURE };

struct probe_tally {
    bool last_ok;
    unsigned in_a_row;
};

/* After one more outcome; undecided until a threshold is reached. */
enum probe_result probe_tally_add(struct probe_tally *t, const struct pod_probe *p, bool ok);
/* Does this probe run at all, as things are? */
bool probe_wanted(const struct pod *p, const struct pod_observed *o, size_t index, enum pod_probe_kind kind);

/* --- the driver --- */

struct probes;

struct probes_options {
    struct env *env;
    struct runtime *runtime;
    /* `message` is NULL where the probe was fine. Never inside a call of this file. */
    void (*outcome)(void *arg, size_t index, enum pod_probe_kind kind, enum probe_result result, const char *message);
    void (*idle)(void *arg); /* after probes_stop: nothing is open any more */
    void *arg;
};

struct probes *probes_new(const struct probes_options *o);
/* Starts and ends what should run; call it after every change of either. `p` and `o` must stay, in content also changed,
 * until the next call. */
void probes_sync(struct probes *s, const struct pod *p, const struct pod_observed *o);
void probes_stop(struct probes *s);           /* for good */
bool probes_idle(const struct probes *s);
void probes_free(struct probes *s);           /* idle; NULL is fine */

#endif
