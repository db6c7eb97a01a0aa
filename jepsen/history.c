#include "common/base.h"

#include "jepsen/history.h"

#include "common/map.h"

static const char *const type_names[] = {"invoke", "ok", "fail", "info"};

void history_release(struct history *h)
{
    mem_free(h->operations);
    arena_clear(&h->arena);
    *h = (struct history){0};
}

void history_add(struct history *h, const struct operation *o)
{
    if (h->count == h->capacity) {
        h->capacity = MAX((size_t)256, h->capacity * 2);
        h->operations = mem_realloc(h->operations, h->capacity * sizeof h->operations[0]);
    }
    h->operations[h->count] = *o;
    h->operations[h->count].index = (int64_t)h->count;
    h->count++;
}

static int read_type(struct edn e, enum operation_type *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (edn_is_keyword(e, type_names[i])) {
            *ret = (enum operation_type)i;
            return 0;
        }
    return ERR_BAD_REQUEST;
}

static int add_read(struct history *h, struct edn e, size_t line, struct err *reterr)
{
    struct operation o = {.value = edn_get(e, "value"), .f = edn_text(edn_get(e, "f"))};
    struct edn process = edn_get(e, "process"), time = edn_get(e, "time"), index = edn_get(e, "index"), error = edn_get(e, "error");
    if (e.kind != EDN_MAP)
        return err_set(reterr, ERR_BAD_REQUEST, "line %zu: an operation is a map", line);
    if (read_type(edn_get(e, "type"), &o.type) != 0)
        return err_set(reterr, ERR_BAD_REQUEST, "line %zu: :type must be :invoke, :ok, :fail or :info", line);
    if (edn_get(e, "f").kind != EDN_KEYWORD)
        return err_set(reterr, ERR_BAD_REQUEST, "line %zu: :f must be a keyword", line);
    if (process.kind == EDN_INT && process.number >= 0)
        o.process = process.number;
    else if (edn_is_keyword(process, "nemesis"))
        o.process = PROCESS_NEMESIS;
    else
        return err_set(reterr, ERR_BAD_REQUEST, "line %zu: :process must be a number or :nemesis", line);
    if (time.kind != EDN_INT && time.kind != EDN_NIL)
        return err_set(reterr, ERR_BAD_REQUEST, "line %zu: :time must be a number of nanoseconds", line);
    if (index.kind != EDN_NIL && (index.kind != EDN_INT || index.number != (int64_t)h->count))
        return err_set(reterr, ERR_BAD_REQUEST, "line %zu: :index must be %zu: operations stand in their order, none left out", line,
                       h->count);
    if (h->count == HISTORY_OPERATIONS_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "line %zu: more than %u operations", line, HISTORY_OPERATIONS_MAX);
    o.time_ns = time.kind == EDN_INT ? time.number : 0;
    if (error.kind == EDN_STRING || error.kind == EDN_KEYWORD)
        o.error = edn_text(error);
    history_add(h, &o);
    return 0;
}

int history_read(struct history *h, struct slice text, struct err *reterr)
{
    size_t line = 1;
    for (;;) {
        struct edn e;
        struct err err;
        int rv = edn_read(&text, &h->arena, &e, &line, &err);
        if (rv == 0)
            return 0;
        if (rv < 0)
            return err_set(reterr, rv, "line %zu: %s", line, err.message);
        bool whole = e.kind == EDN_VECTOR;
        for (uint32_t i = 0; i < (whole ? e.count : 1); i++)
            if ((rv = add_read(h, whole ? e.items[i] : e, line, reterr)) != 0)
                return rv;
    }
}

void operation_print(struct buf *out, const struct operation *o)
{
    buf_printf(out, "{:index %lld, :time %lld, :process ", (long long)o->index, (long long)o->time_ns);
    if (o->process == PROCESS_NEMESIS)
        buf_append_str(out, ":nemesis");
    else
        buf_printf(out, "%lld", (long long)o->process);
    buf_printf(out, ", :type :%s, :f :%.*s, :value ", type_names[o->type], SLICE_ARGS(o->f));
    edn_print(out, o->value);
    if (o->error.size != 0) {
        buf_append_str(out, ", :error ");
        edn_print(out, edn_string(o->error));
    }
    buf_append_str(out, "}\n");
}

/* What a process is doing: the number of its open attempt + 1, or OVER after an :info. */
#define OVER ((void *)(uintptr_t)-1)

int history_attempts(const struct history *h, struct attempt **ret, size_t *ret_count, struct err *reterr)
{
    struct attempt *attempts = mem_alloc((h->count + 1) * sizeof attempts[0]);
    struct map open = {0};
    size_t n = 0;
    int rv = 0;
    for (size_t i = 0; i < h->count && rv == 0; i++) {
        const struct operation *o = &h->operations[i];
        struct slice process = slice_of(&o->process, sizeof o->process);
        if (o->process == PROCESS_NEMESIS)
            continue;
        void *at = map_get(&open, process);
        if (at == OVER)
            rv = err_set(reterr, ERR_BAD_REQUEST, "operation %zu: process %lld goes on after an :info", i, (long long)o->process);
        else if (o->type == OPERATION_INVOKE && at != NULL)
            rv = err_set(reterr, ERR_BAD_REQUEST, "operation %zu: process %lld has one under way already", i, (long long)o->process);
        else if (o->type != OPERATION_INVOKE && at == NULL)
            rv = err_set(reterr, ERR_BAD_REQUEST, "operation %zu: process %lld ends what it has not begun", i, (long long)o->process);
        else if (o->type == OPERATION_INVOKE) {
            attempts[n++] = (struct attempt){.invoke = o};
            map_put(&open, process, (void *)(uintptr_t)n);
        } else {
            attempts[(uintptr_t)at - 1].done = o;
            if (o->type == OPERATION_INFO)
                map_put(&open, process, OVER);
            else
                map_put(&open, process, NULL);
        }
    }
    map_release(&open);
    if (rv != 0) {
        mem_free(attempts);
        return rv;
    }
    *ret = attempts;
    *ret_count = n;
    return 0;
}
