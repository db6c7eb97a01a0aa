#include "common/base.h"

#include "common/clock.h"
#include "controllers/plan.h"
#include "controllers/resource.h"

#include <stdio.h>

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

static struct json *delete_options(struct plan *p, const char *uid)
{
    struct json *options = json_new_object(p->doc);
    json_set_str(p->doc, options, "kind", "DeleteOptions");
    json_set_str(p->doc, options, "apiVersion", "v1");
    json_set_str(p->doc, options, "propagationPolicy", "Background");
    json_set_str(p->doc, json_ensure_object(p->doc, options, "preconditions"), "uid", uid);
    return options;
}

void plan_delete(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid)
{
    struct plan_action *a = add(p, PLAN_DELETE, resource, namespace, name, NULL);
    if (a == NULL)
        return;
    a->uid = arena_strdup(&p->arena, slice_str(uid));
    a->body = delete_options(p, uid);
}

void plan_delete_orphan(struct plan *p, const char *resource, struct slice namespace, struct slice name, const char *uid,
                        const struct plan_owner *owners, size_t owner_count)
{
    struct plan_action *a = add(p, PLAN_DELETE_ORPHAN, resource, namespace, name, NULL);
    if (a == NULL)
        return;
    a->uid = arena_strdup(&p->arena, slice_str(uid));
    a->body = delete_options(p, uid);
    a->owners = owners;
    a->owner_count = owner_count;
}

static void copy_field(struct plan *p, struct json *to, const struct json *from, const char *path, const char *name)
{
    struct slice value = json_string_at(from, path);
    if (value.size > 0)
        json_set_string(p->doc, to, name, value);
}

static void event_body(struct plan *p, struct json *event, const struct json *object, const char *component,
                       const char *type, const char *reason, const char *message, int64_t wall_us)
{
    char now[TIME_TEXT_MAX];
    time_format(wall_us, 0, now);
    json_set_str(p->doc, event, "apiVersion", "v1");
    json_set_str(p->doc, event, "kind", "Event");
    struct json *about = json_ensure_object(p->doc, event, "involvedObject");
    copy_field(p, about, object, "apiVersion", "apiVersion");
    copy_field(p, about, object, "kind", "kind");
    copy_field(p, about, object, "metadata.name", "name");
    copy_field(p, about, object, "metadata.namespace", "namespace");
    copy_field(p, about, object, "metadata.uid", "uid");
    copy_field(p, about, object, "metadata.resourceVersion", "resourceVersion");
    json_set_str(p->doc, event, "type", type);
    json_set_str(p->doc, event, "reason", reason);
    json_set_str(p->doc, event, "message", message);
    json_set_str(p->doc, event, "firstTimestamp", now);
    json_set_str(p->doc, event, "lastTimestamp", now);
    json_set_int(p->doc, event, "count", 1);
    json_set_str(p->doc, json_ensure_object(p->doc, event, "source"), "component", component);
    json_set_str(p->doc, event, "reportingComponent", component);
}

void plan_event(struct plan *p, const struct json *object, const char *component, const char *type, const char *reason,
                const char *message, int64_t wall_us)
{
    if (p->count == PLAN_ACTIONS_MAX)
        return; /* an event never pushes work out */
    struct slice namespace = json_string_at(object, "metadata.namespace"), name = json_string_at(object, "metadata.name");
    if (namespace.size == 0)
        namespace = SLICE("default");
    struct plan_action *a = &p->actions[p->count++];
    *a = (struct plan_action){.kind = PLAN_EVENT};
    a->path = arena_printf(&p->arena, "/api/v1/namespaces/%.*s/events", SLICE_ARGS(namespace));
    a->body = json_new_object(p->doc);
    struct json *metadata = json_ensure_object(p->doc, a->body, "metadata");
    /* The name Kubernetes' own recorders use: the object's, and the time in hexadecimal nanoseconds. */
    char *event_name = arena_printf(&p->arena, "%.*s.%llx", SLICE_ARGS(name),
                                    (unsigned long long)wall_us * 1000 + (unsigned long long)p->count);
    json_set_str(p->doc, metadata, "name", event_name);
    json_set_string(p->doc, metadata, "namespace", namespace);
    event_body(p, a->body, object, component, type, reason, message, wall_us);
}
