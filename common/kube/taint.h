/* Taints and tolerations (core/v1), for whoever places or evicts pods. */
#ifndef COMMON_KUBE_TAINT_H
#define COMMON_KUBE_TAINT_H

#include "common/base.h"
#include "common/json.h"

#define TAINT_NOT_READY "node.kubernetes.io/not-ready"
#define TAINT_UNREACHABLE "node.kubernetes.io/unreachable"

/* The first of a list of tolerations that tolerates the taint, or NULL. */
const struct json *taint_tolerated_by(const struct json *taint, const struct json *tolerations);

bool taint_has_effect(const struct json *taint, const char *effect);

#endif
