#include "tests/test.h"

#include "common/mem.h"
#include "tests/support/fake_view.h"

#include <stdio.h>

static struct object *get(const struct view *view, const char *resource, struct slice key)
{
    const struct fake_view *v = view->impl;
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->rows[i].resource, resource) == 0 && slice_is(key, v->rows[i].object->key))
            return v->rows[i].object;
    return NULL;
}

static void owned(const struct view *view, const char *resource, const char *uid,
                  void (*each)(void *arg, struct object *o), void *arg)
{
    const struct fake_view *v = view->impl;
    for (size_t i = 0; i < v->count; i++) {
        struct object *o = v->rows[i].object;
        if (strcmp(v->rows[i].resource, resource) == 0 && o->controller_uid != NULL && strcmp(o->controller_uid, uid) == 0)
            each(arg, o);
    }
}

static void list(const struct view *view, const char *resource, void (*each)(void *arg, struct object *o), void *arg)
{
    const struct fake_view *v = view->impl;
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->rows[i].resource, resource) == 0)
            each(arg, v->rows[i].object);
}

void fake_view_init(struct fake_view *v)
{
    *v = (struct fake_view){.view = {.get = get, .owned = owned, .list = list, .wall_us = 1700000000000000, .impl = v}};
}

void fake_view_release(struct fake_view *v)
{
    for (size_t i = 0; i < v->count; i++)
        object_unref(v->rows[i].object);
}

void fake_view_add(struct fake_view *v, const char *resource, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&text, format, args) > 0);
    va_end(args);
    assert_true(v->count < FAKE_VIEW_MAX);
    v->rows[v->count].resource = resource;
    struct err err;
    if (object_new(slice_str(text), &v->rows[v->count].object, &err) != 0)
        fail_msg("%s: %s", err.message, text);
    v->count++;
    mem_free(text);
}

struct plan *fake_view_reconcile(struct fake_view *v, const struct controller *c, const char *key)
{
    struct plan *p = plan_new();
    c->reconcile(&v->view, slice_str(key), p);
    return p;
}

const struct plan_action *fake_plan_find(const struct plan *p, enum plan_kind kind, size_t nth)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->actions[i].kind == kind && nth-- == 0)
            return &p->actions[i];
    return NULL;
}

size_t fake_plan_count(const struct plan *p, enum plan_kind kind)
{
    size_t n = 0;
    while (fake_plan_find(p, kind, n) != NULL)
        n++;
    return n;
}
