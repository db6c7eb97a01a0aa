/* What the parts of the deployment controller share: one reconcile's state, and the steps over it. */
#ifndef CONTROLLERS_DEPLOYMENT_H
#define CONTROLLERS_DEPLOYMENT_H

#include "common/base.h"
#include "controllers/controllers.h"

struct replica_set {
    struct object *object;
    struct json *tree;
    int64_t wanted, replicas, ready, available, revision;
    int64_t scale_to; /* what this reconcile wants it to be; starts as `wanted` */
};

/* One deployment with its sets, oldest first; `current` is the one of its template, or NULL. */
struct rollout {
    struct plan *plan;
    const struct view *view;
    struct json *deployment, *status; /* `status` is the new one, a copy */
    struct replica_set *sets;
    size_t count, capacity;
    struct replica_set *current;
    int64_t wanted, surge, unavailable;
    bool recreate, paused;
};

/* deployment_sets.c: which sets there are, and how they are made, kept up to date and thrown away. */
bool rollout_collect(struct rollout *r); /* false: sets are adopted or released first */
void rollout_create_set(struct rollout *r);
void rollout_write_sets(struct rollout *r);
void rollout_clean_up(struct rollout *r);
int64_t revision_of(const struct json *object);
int64_t rollout_annotation(const struct json *object, const char *name, int64_t fallback);

/* deployment_scale.c: how many pods each set shall have now. */
void rollout_read_strategy(struct rollout *r);
bool rollout_is_resized(const struct rollout *r);
void rollout_resize(struct rollout *r);
void rollout_move(struct rollout *r);
bool rollout_old_pods_run(const struct rollout *r);
int64_t rollout_new_size(const struct rollout *r, int64_t now, int64_t others);

int64_t rollout_sum(const struct rollout *r, int64_t (*of)(const struct replica_set *s));
int64_t set_wanted(const struct replica_set *s);
int64_t set_scale_to(const struct replica_set *s);
int64_t set_replicas(const struct replica_set *s);
int64_t set_ready(const struct replica_set *s);
int64_t set_available(const struct replica_set *s);

/* deployment_progress.c: conditions, the deadline among them. */
bool rollout_complete(const struct rollout *r);
void rollout_conditions(struct rollout *r);
void rollout_progress(struct rollout *r, const char *is, const char *reason, const char *message);

#define DEPLOYMENT_DESIRED "deployment.kubernetes.io/desired-replicas"
#define DEPLOYMENT_MAX "deployment.kubernetes.io/max-replicas"
#define DEPLOYMENT_REVISION "deployment.kubernetes.io/revision"
#define DEPLOYMENT_HISTORY "deployment.kubernetes.io/revision-history"

#endif
