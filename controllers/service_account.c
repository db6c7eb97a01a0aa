/* serviceaccount: every namespace has the account `default`, for pods that name none. */
#include "common/base.h"

#include "controllers/controllers.h"

static void account_keys(const struct view *v, struct object *account, void (*add)(void *arg, struct slice key), void *arg)
{
    (void)v;
    if (slice_is(account->name, "default"))
        add(arg, account->namespace);
}

static const struct controller_watch service_account_watches[] = {
    {.resource = "namespaces"},
    {.resource = "serviceaccounts", .keys = account_keys},
    {0},
};

static void service_account_reconcile(const struct view *v, struct slice key, struct plan *plan)
{
    struct object *namespace = v->get(v, "namespaces", key);
    char *account = arena_printf(&plan->arena, "%.*s/default", SLICE_ARGS(key));
    if (namespace == NULL || namespace->deleting || v->get(v, "serviceaccounts", slice_str(account)) != NULL)
        return;
    struct json *body = json_new_object(plan->doc);
    json_set_str(plan->doc, body, "apiVersion", "v1");
    json_set_str(plan->doc, body, "kind", "ServiceAccount");
    json_set_str(plan->doc, json_ensure_object(plan->doc, body, "metadata"), "name", "default");
    plan_create(plan, "serviceaccounts", key, body);
}

const struct controller controller_service_account = {
    .name = "serviceaccount",
    .watches = service_account_watches,
    .reconcile = service_account_reconcile,
};
