#include "common/base.h"

#include "common/kube/event.h"
#include "controllers/plan.h"
#include "controllers/resource.h"

struct plan *plan_new(void)
{
    struct plan *p = NEW(struct plan);
    p->doc = json_doc_new();
    return p;
}

void plan_free(struct plan *p)
{
    if (p == NULL)
        return;
    json_doc_free(p->doc);
    arena_clear(&p->arena);
    mem_free(p);
}

/* The next free action, or NULL (and the plan marked as cut) when it is full. */
static struct plan_action *add(struct plan *p, enum plan_kind kind, const char *resource, struct slice namespace,
                               struct slice name, const char *subresource)
{
    if (p->count == PLAN_ACTIONS_MAX) {
        p->cut = true;
        return NULL;
    }
    const struct resource *r = resource_find(resource);
    ASSERT(r != NULL);
    struct plan_action *a = &p->actions[p->count++];
    *a = (struct plan_action){.kind = kind, .resource = r->name};
    a->path = resource_path(&p->arena, r, namespace, name, subresource);
    if (name.size > 0 && namespace.size > 0)
        a->key = arena_printf(&p->arena, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name));
    else if (name.size > 0)
        a->key = arena_strdup(&p->arena, name);
    return a;
}

void plan_create(struct plan *p, const char *resource, struct slice namespace, struct json *body)
{
    struct plan_action *a = add(p, PLAN_CREATE, resource, namespace, (struct slice){0}, NULL);
    if (a != NULL)
        a->body = body;
}

void plan_told(struct plan *p, const struct plan_told *told)
{
    if (!p->cut && p->count > 0)
        p->actions[p->count - 1].told = arena_dup(&p->arena, told, sizeof *told);
}

void plan_without_grace(struct plan *p)
{
    if (!p->cut && p->count > 0)
        json_set_int(p->doc, p->actions[p->count - 1].body, "gracePeriodSeconds", 0);
}

void plan_tell(struct plan *p, const struct plan_told *told, struct slice name, const char *error, int64_t wall_us)
{
    size_t before = p->count;
    if (error != NULL && told->failed_reason == NULL)
        return;
    char *text = error == NULL ? arena_printf(&p->arena, "%s%.*s", told->text, told->names ? (int)name.size : 0, name.data)
                               : arena_printf(&p->arena, "%s%s", told->failed_text, error);
    plan_event(p, told->about, told->component, error == NULL ? "Normal" : "Warning",
               error == NULL ? told->reason : told->failed_reason, text, wall_us);
    if (p->count > before)
        p->actions[before].always = true;
}

void plan_update(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *subresource,
                 struct json *body)
{
    struct plan_action *a = add(p, PLAN_UPDATE, resource, namespace, name, subresource);
    if (a != NULL)
        a->body = body;
}

void plan_patch(struct plan *p, const char *resource, struct slice namespace, struct slice name, struct json *body)
{
    struct plan_action *a = add(p, PLAN_PATCH, resource, namespace, name, NULL);
    if (a != NULL)
        a->body = body;
}

static struct json *delete_options(struct plan *p, const char *uid, const char *propagation)
{
    struct json *options = json_new_object(p->doc);
    json_set_str(p->doc, options, "kind", "DeleteOptions");
    json_set_str(p->doc, options, "apiVersion", "v1");
    json_set_str(p->doc, options, "propagationPolicy", propagation);
    if (uid != NULL)
        json_set_str(p->doc, json_ensure_object(p->doc, options, "preconditions"), "uid", uid);
    return options;
}

void plan_delete_with(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid,
                      const char *propagation)
{
    struct plan_action *a = add(p, PLAN_DELETE, resource, namespace, name, NULL);
    if (a == NULL)
        return;
    a->uid = arena_strdup(&p->arena, slice_str(uid));
    a->body = delete_options(p, uid, propagation);
}

void plan_delete(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid)
{
    plan_delete_with(p, resource, namespace, name, uid, "Background");
}

void plan_delete_collection(struct plan *p, const char *resource, struct slice namespace)
{
    struct plan_action *a = add(p, PLAN_DELETE_COLLECTION, resource, namespace, (struct slice){0}, NULL);
    if (a != NULL)
        a->body = delete_options(p, NULL, "Background");
}

void plan_finalize(struct plan *p, struct slice name, struct json *body, const char *const *empty)
{
    struct plan_action *a = add(p, PLAN_FINALIZE, "namespaces", (struct slice){0}, name, "finalize");
    if (a == NULL)
        return;
    a->body = body;
    a->empty = empty;
    a->waits = true;
}

void plan_delete_orphan(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid,
                        const struct plan_owner *owners, size_t owner_count)
{
    struct plan_action *a = add(p, PLAN_DELETE_ORPHAN, resource, namespace, name, NULL);
    if (a == NULL)
        return;
    a->uid = arena_strdup(&p->arena, slice_str(uid));
    a->body = delete_options(p, uid, "Background");
    a->owners = owners;
    a->owner_count = owner_count;
}

void plan_event(struct plan *p, const struct json *object, const char *component, const char *type, const char *reason,
                const char *message, int64_t wall_us)
{
    if (p->count == PLAN_ACTIONS_MAX)
        return; /* an event never pushes work out */
    struct event_facts facts = {
        .component = component, .type = type, .reason = reason, .message = message, .wall_us = wall_us, .salt = p->count,
    };
    struct plan_action *a = &p->actions[p->count++];
    *a = (struct plan_action){.kind = PLAN_EVENT, .body = event_new(p->doc, object, &facts)};
    a->path = arena_printf(&p->arena, "/api/v1/namespaces/%.*s/events",
                           SLICE_ARGS(json_string_at(a->body, "metadata.namespace")));
}
