/* A view over objects given as JSON text, for tests of pure reconciles. */
#ifndef TESTS_SUPPORT_FAKE_VIEW_H
#define TESTS_SUPPORT_FAKE_VIEW_H

#include "common/base.h"
#include "controllers/controllers.h"

#define FAKE_VIEW_MAX 256

struct fake_view {
    struct view view;
    struct {
        const char *resource;
        struct object *object;
    } rows[FAKE_VIEW_MAX];
    size_t count;
};

void fake_view_init(struct fake_view *v);
void fake_view_release(struct fake_view *v);
void fake_view_add(struct fake_view *v, const char *resource, const char *json_format, ...) PRINTF_ARGS(3, 4);

/* Runs one reconcile; the plan is the caller's to free. */
struct plan *fake_view_reconcile(struct fake_view *v, const struct controller *c, const char *key);
/* The `nth` action of that kind (from 0), or NULL. */
const struct plan_action *fake_plan_find(const struct plan *p, enum plan_kind kind, size_t nth);
size_t fake_plan_count(const struct plan *p, enum plan_kind kind);

#endif
