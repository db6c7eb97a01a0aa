#include "common/base.h"

#include "jepsen/windows.h"

#include <math.h>
#include <stdlib.h>

static int read_time(struct slice *line, double began_s, double *ret, struct err *reterr)
{
    struct slice word = slice_cut(line, ' ');
    char number[32] = {0}, *end;
    if (word.size > 0)
        memcpy(number, word.data, MIN(word.size, sizeof number - 1));
    *ret = strtod(number, &end) - began_s;
    if (end == number || *end != '\0' || !isfinite(*ret))
        return err_set(reterr, ERR_BAD_REQUEST, "a fault's time is no number: \"%.*s\"", SLICE_ARGS(word));
    return 0;
}

int windows_read(struct slice text, double began_s, struct window **ret, size_t *ret_count, struct err *reterr)
{
    struct window *list = NULL;
    size_t n = 0;
    int rv = 0;
    while (text.size != 0 && rv == 0) {
        struct slice line = slice_cut(&text, '\n');
        double at[4];
        if (line.size == 0)
            continue;
        for (size_t i = 0; i < ARRAY_LEN(at) && rv == 0; i++)
            rv = read_time(&line, began_s, &at[i], reterr);
        if (rv == 0 && n == WINDOWS_MAX)
            rv = err_set(reterr, ERR_TOO_LARGE, "more than %d faults", WINDOWS_MAX);
        if (rv != 0)
            break;
        list = mem_realloc(list, (n + 1) * sizeof list[0]);
        list[n++] = (struct window){at[0], at[1], at[2], at[3], line};
    }
    if (rv != 0) {
        mem_free(list);
        return rv;
    }
    *ret = list;
    *ret_count = n;
    return 0;
}

/* --- as operations --- */

static void note(struct operation *o, double at_s, struct slice f, struct slice words)
{
    *o = (struct operation){.process = PROCESS_NEMESIS,
                            .type = OPERATION_INFO,
                            .f = f,
                            .value = edn_string(words),
                            .time_ns = (int64_t)(fmax(at_s, 0) * 1e9)};
}

/* Two or four operations. */
static size_t operations_of(struct history *h, const struct window *w, struct operation ret[4])
{
    struct slice words = w->name, script;
    bool failed = slice_has_prefix(words, SLICE("failed: "));
    words = slice_from(words, failed ? strlen("failed: ") : 0);
    script = slice_cut(&words, ' ');
    struct slice start = slice_str(arena_printf(&h->arena, "start-%.*s", SLICE_ARGS(script)));
    struct slice stop = slice_str(arena_printf(&h->arena, "stop-%.*s", SLICE_ARGS(script)));
    note(&ret[0], w->from, start, words);
    note(&ret[1], w->begun, start, words);
    if (failed) {
        ret[1].error = SLICE("it could not be started");
        return 2;
    }
    note(&ret[2], w->to, stop, words);
    note(&ret[3], w->healed, stop, words);
    return 4;
}

static int by_time(const void *a, const void *b)
{
    const struct operation *x = a, *y = b;
    return x->time_ns != y->time_ns ? (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns)
                                    : (x->index > y->index) - (x->index < y->index);
}

void windows_merge(const struct history *h, const struct window *windows, size_t count, struct history *ret)
{
    struct operation *faults = mem_alloc((4 * count + 1) * sizeof faults[0]);
    size_t n = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        n += operations_of(ret, &windows[i], &faults[n]);
    for (size_t i = 0; i < n; i++)
        faults[i].index = (int64_t)i;
    if (n > 1)
        qsort(faults, n, sizeof faults[0], by_time);
    for (size_t i = 0; i < h->count; i++) {
        while (at < n && faults[at].time_ns <= h->operations[i].time_ns)
            history_add(ret, &faults[at++]);
        history_add(ret, &h->operations[i]);
    }
    while (at < n)
        history_add(ret, &faults[at++]);
    mem_free(faults);
}
