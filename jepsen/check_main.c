/* jepsen-check: judges a history.
 *   jepsen-check --workload register history.edn
 * Exit codes: 0 valid, 1 invalid, 2 unknown or wrong use: a run that cannot decide is no pass. */
#include "common/base.h"

#include "jepsen/check.h"
#include "jepsen/files.h"

#include "common/flags.h"

#include <stdio.h>
#include <stdlib.h>

static int judge(const struct check *c, const char *name, const struct check_options *o)
{
    static const int codes[] = {[VERDICT_VALID] = 0, [VERDICT_INVALID] = 1, [VERDICT_UNKNOWN] = 2};
    struct buf text = {0}, out = {0};
    struct history h = {0};
    struct report r = {0};
    struct err err;
    int code = 2;
    if (file_read(name, &text, &err) != 0 || history_read(&h, buf_slice(&text), &err) != 0) {
        fprintf(stderr, "jepsen-check: %s: %s\n", name, err.message);
    } else {
        buf_release(&text);
        check_history(c, &h, o, &r);
        report_print(&r, c->workload, &out);
        fwrite(out.data, 1, out.size, stdout);
        code = codes[r.verdict];
    }
    buf_release(&text);
    buf_release(&out);
    report_release(&r);
    history_release(&h);
    return code;
}

static int usage(const struct flag *flags, bool asked)
{
    struct buf text = {0}, head = {0};
    const struct check *c;
    buf_append_str(&head, "Usage: jepsen-check --workload NAME HISTORY.edn\n\nExit codes: 0 valid, 1 invalid, 2 unknown\n\nWorkloads:\n");
    for (size_t i = 0; (c = check_at(i)) != NULL; i++)
        buf_printf(&head, "  %-12s%s\n", c->workload, c->help);
    head.data[--head.size] = '\0';
    flags_help(flags, head.data, &text);
    fwrite(text.data, 1, text.size, asked ? stdout : stderr);
    buf_release(&text);
    buf_release(&head);
    return asked ? 0 : 2;
}

int main(int argc, char **argv)
{
    const char *workload = "";
    int64_t steps = CHECK_STEPS_MAX, surge = CHECK_SURGE;
    unsigned late_ms = CHECK_LATE_MS;
    const struct flag flags[] = {
        {"workload", FLAG_TEXT, &workload, "whose checker", 'w', NULL},
        {"steps", FLAG_INT, &steps, "of a search; more is unknown", 0, NULL},
        {"late", FLAG_MS, &late_ms, "lease: seen so long after its time is too late", 0, NULL},
        {"surge", FLAG_INT, &surge, "controllers: pods above the wanted number", 0, NULL},
        {0},
    };
    struct flags_result parsed;
    struct err err;
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0) {
        fprintf(stderr, "jepsen-check: %s\n", err.message);
        return 2;
    }
    const struct check *c = check_find(workload);
    int code = 2;
    if (parsed.help || parsed.argument_count != 1 || c == NULL)
        code = usage(flags, parsed.help);
    else if (steps < 1 || surge < 1)
        fprintf(stderr, "jepsen-check: --steps and --surge must be at least 1\n");
    else
        code = judge(c, parsed.arguments[0],
                     &(struct check_options){.steps_max = (uint64_t)steps, .late_ms = late_ms, .surge = surge});
    flags_release(&parsed);
    return code;
}
