#include "common/base.h"

#include "common/clock.h"
#include "controllers/controllers.h"

#include <stdlib.h>

void controller_owner_key(struct object *o, const char *kind, void (*add)(void *arg, struct slice key), void *arg)
{
    if (o->controller_uid == NULL)
        return;
    struct json_doc *d = json_doc_new();
    struct json_iterator i = json_iterate(json_at(object_tree(o, d), "metadata.ownerReferences"));
    while (json_next(&i)) {
        if (!json_bool_at(i.value, "controller", false) || !slice_is(json_string_at(i.value, "kind"), kind))
            continue;
        char *key = mem_printf("%.*s/%.*s", SLICE_ARGS(o->namespace), SLICE_ARGS(json_string_at(i.value, "name")));
        add(arg, slice_str(key));
        mem_free(key);
    }
    json_doc_free(d);
}

struct json *controller_reference(struct json_doc *d, const struct json *owner)
{
    struct json *list = json_new_array(d), *reference = json_new_object(d);
    json_set_string(d, reference, "apiVersion", json_string_at(owner, "apiVersion"));
    json_set_string(d, reference, "kind", json_string_at(owner, "kind"));
    json_set_string(d, reference, "name", json_string_at(owner, "metadata.name"));
    json_set_string(d, reference, "uid", json_string_at(owner, "metadata.uid"));
    json_set_bool(d, reference, "controller", true);
    json_set_bool(d, reference, "blockOwnerDeletion", true);
    json_append(list, reference);
    return list;
}

void set_count(struct json_doc *d, struct json *status, const char *name, int64_t count)
{
    if (count == 0)
        json_remove(status, name);
    else
        json_set_int(d, status, name, count);
}

int64_t count_or_percent(const struct json *v, int64_t total, bool up)
{
    struct slice text = json_string(v);
    if (text.size < 2 || text.data[text.size - 1] != '%')
        return json_int_or(v, 0);
    int64_t percent = strtoll(text.data, NULL, 10);
    return (total * percent + (up ? 99 : 0)) / 100;
}

void plan_status(struct plan *p, const char *resource, const struct json *object, struct json *status)
{
    if (json_equal(json_get(object, "status"), status))
        return;
    struct json *body = json_copy(p->doc, object);
    json_set(p->doc, body, "status", status);
    plan_update(p, resource, json_string_at(object, "metadata.namespace"), json_string_at(object, "metadata.name"),
                "status", body);
}

struct json *condition_find(const struct json *status, const char *type)
{
    struct json_iterator i = json_iterate(json_get(status, "conditions"));
    while (json_next(&i))
        if (slice_is(json_string_at(i.value, "type"), type))
            return i.value;
    return NULL;
}

static struct json *condition_add(struct json_doc *d, struct json *status, const char *type)
{
    struct json *list = json_get(status, "conditions"), *condition = json_new_object(d);
    if (json_type(list) != JSON_ARRAY) {
        list = json_new_array(d);
        json_set(d, status, "conditions", list);
    }
    json_set_str(d, condition, "type", type);
    json_append(list, condition);
    return condition;
}

struct json *condition_set(struct json_doc *d, struct json *status, const char *type, const char *is, const char *reason,
                           const char *message, int64_t wall_us)
{
    struct json *condition = condition_find(status, type);
    if (condition == NULL)
        condition = condition_add(d, status, type);
    if (!slice_is(json_string_at(condition, "status"), is)) {
        char now[TIME_TEXT_MAX];
        time_format(wall_us, 0, now);
        json_set_str(d, condition, "status", is);
        json_set_str(d, condition, "lastTransitionTime", now);
    }
    json_set_str(d, condition, "reason", reason);
    json_set_str(d, condition, "message", message);
    return condition;
}
