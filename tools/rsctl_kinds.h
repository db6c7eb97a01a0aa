/* The Kubernetes kinds and where their objects stand below /registry: what -k and --namespace mean, and how a key reads. Pure. The table is a copy of
 * the apiserver's, whose headers are private to it; tests/unit/rsctl_test.c holds one against the other. */
#ifndef TOOLS_RSCTL_KINDS_H
#define TOOLS_RSCTL_KINDS_H

#include "tools/rsctl.h"

#include "common/err.h"

struct rsctl_kind {
    const char *plural, *singular, *short_name, *group; /* short_name, group: "" for none and for the core group */
    const char *prefix;                                 /* below /registry/ */
    bool namespaced;
};
extern const struct rsctl_kind rsctl_kinds[]; /* ends with a NULL plural */

/* By plural, singular or short name, in any case, and as PLURAL.GROUP. ERR_NOT_FOUND: the message lists near ones, or all. */
int rsctl_kind_find(const char *name, const struct rsctl_kind **ret, struct err *reterr);

/* Appends how a person reads a key: "nodes n1", "services default/web"; what is of no kind below /registry as its first part and the rest; other
 * keys as they are. */
void rsctl_key_name(struct buf *out, struct slice key);

/* Keys that a line means: the KEY and END of rsctl_span, or with --kind an object, or those of a namespace or of all. Zeroed before. */
struct rsctl_target {
    struct kv_span span; /* borrows from below and from the arguments */
    struct buf key, end;
};
int rsctl_target(const struct rsctl_flags *f, const char *const *arguments, size_t n, struct rsctl_target *ret); /* an rsctl_exit */
void rsctl_target_release(struct rsctl_target *t);

#endif
