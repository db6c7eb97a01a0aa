/* The table of checkers, and what all reports share. */
#include "common/base.h"

#include "jepsen/check.h"

#include <stdarg.h>
#include <stdio.h>

#define OPERATION_LINE_MAX 1000 /* bytes: a watch's log can be long */

static const struct check *const checks[] = {
    &checker_register, &checker_append, &checker_set, &checker_watch, &checker_lease, &checker_lock, &checker_election,
    &checker_api, &checker_controllers, &checker_access, &checker_rbac,
};

const struct check *check_at(size_t i) { return i < ARRAY_LEN(checks) ? checks[i] : NULL; }

const struct check *check_find(const char *workload)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (strcmp(checks[i]->workload, workload) == 0)
            return checks[i];
    return NULL;
}

void check_history(const struct check *c, const struct history *h, const struct check_options *o, struct report *r)
{
    struct check_options with = *o;
    struct attempt *attempts = NULL;
    size_t count = 0, outcomes[4] = {0};
    struct err err;
    with.steps_max = with.steps_max == 0 ? CHECK_STEPS_MAX : with.steps_max;
    with.late_ms = with.late_ms == 0 ? CHECK_LATE_MS : with.late_ms;
    with.surge = with.surge == 0 ? CHECK_SURGE : with.surge;
    if (history_attempts(h, &attempts, &count, &err) != 0) {
        report_unknown(r, "the history is not well formed: %s", err.message);
        return;
    }
    for (size_t i = 0; i < count; i++)
        outcomes[attempt_outcome(&attempts[i])]++;
    report_note(r, "%zu operations: %zu ok, %zu failed, %zu unknown", count, outcomes[OPERATION_OK], outcomes[OPERATION_FAIL],
                outcomes[OPERATION_INFO]);
    if (outcomes[OPERATION_OK] == 0)
        report_unknown(r, "no operation succeeded: nothing was checked");
    c->run(attempts, count, &with, r);
    mem_free(attempts);
}

void report_release(struct report *r)
{
    buf_release(&r->text);
    buf_release(&r->notes);
    *r = (struct report){0};
}

static size_t kind_of(const struct report *r, const char *name)
{
    size_t i = 0;
    while (i < r->kind_count && strcmp(r->kinds[i].name, name) != 0)
        i++;
    return i;
}

size_t report_count(const struct report *r, const char *name)
{
    size_t i = kind_of(r, name);
    return i == r->kind_count ? 0 : r->kinds[i].count;
}

bool report_wants(const struct report *r, const char *name) { return report_count(r, name) < REPORT_EXAMPLES_MAX; }

static void append_line(struct buf *out, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        PANIC("out of memory for a line of a report");
    buf_append_str(out, text);
    buf_append_char(out, '\n');
    mem_free(text);
}

void report_anomaly(struct report *r, const char *name, const char *format, ...)
{
    bool print = report_wants(r, name);
    size_t i = kind_of(r, name);
    r->verdict = VERDICT_INVALID;
    if (i == r->kind_count) {
        ASSERT(r->kind_count < REPORT_KINDS_MAX);
        r->kinds[r->kind_count++].name = name;
    }
    r->kinds[i].count++;
    if (!print)
        return;
    va_list args;
    va_start(args, format);
    buf_printf(&r->text, "%s: ", name);
    append_line(&r->text, format, args);
    va_end(args);
}

void report_operation(struct report *r, const char *role, const struct operation *o)
{
    const size_t begin = r->text.size;
    buf_printf(&r->text, "    %s%s", role, role[0] == '\0' ? "" : " ");
    operation_print(&r->text, o);
    if (r->text.size - begin <= OPERATION_LINE_MAX)
        return;
    r->text.size = begin + OPERATION_LINE_MAX;
    buf_append_str(&r->text, " … (the history has all of it)\n");
}

void report_unknown(struct report *r, const char *format, ...)
{
    va_list args;
    if (r->verdict == VERDICT_VALID)
        r->verdict = VERDICT_UNKNOWN;
    va_start(args, format);
    buf_append_str(&r->text, "unknown: ");
    append_line(&r->text, format, args);
    va_end(args);
}

void report_note(struct report *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append_line(&r->notes, format, args);
    va_end(args);
}

void report_print(const struct report *r, const char *workload, struct buf *out)
{
    static const char *const words[] = {"VALID", "INVALID", "UNKNOWN"};
    buf_printf(out, "workload %s: %s\n", workload, words[r->verdict]);
    for (size_t i = 0; i < r->kind_count; i++)
        buf_printf(out, "anomaly %s: %zu\n", r->kinds[i].name, r->kinds[i].count);
    buf_append_slice(out, buf_slice(&r->text));
    buf_append_slice(out, buf_slice(&r->notes));
}
