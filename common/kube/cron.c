#include "common/base.h"

#include "common/kube/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIELDS 5

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct bounds {
    unsigned least, most;
    const char *const *names; /* of the values from `least` on; NULL: numbers only */
} all_bounds[FIELDS] = {{0, 59, NULL}, {0, 23, NULL}, {1, 31, NULL}, {1, 12, month_names}, {0, 6, weekday_names}};

static int number(struct slice text, const struct bounds *b, unsigned *ret, struct err *reterr)
{
    unsigned v = 0;
    for (unsigned i = 0; b->names != NULL && b->names[i] != NULL; i++) {
        if (text.size == 3 && strncasecmp(text.data, b->names[i], 3) == 0) {
            *ret = b->least + i;
            return 0;
        }
    }
    bool good = text.size > 0 && text.size < 7;
    for (size_t i = 0; i < text.size && good; i++) {
        good = isdigit((unsigned char)text.data[i]);
        v = v * 10 + (unsigned)(text.data[i] - '0');
    }
    if (!good)
        return err_set(reterr, ERR_INVALID, "failed to parse int from %.*s: strconv.Atoi: parsing \"%.*s\": invalid syntax",
                       SLICE_ARGS(text), SLICE_ARGS(text));
    *ret = v;
    return 0;
}

/* "*", "5" or "1-5", of the expression `whole`. *ret_open: it names one value only, so that a step goes on to the end. */
static int range_of(struct slice range, struct slice whole, const struct bounds *b, unsigned *ret_from, unsigned *ret_to,
                    bool *ret_open, struct err *reterr)
{
    *ret_open = false;
    if (slice_is(range, "*") || slice_is(range, "?")) {
        *ret_from = b->least;
        *ret_to = b->most;
        return 0;
    }
    struct slice rest = range, first = slice_cut(&rest, '-');
    int code = number(first, b, ret_from, reterr);
    *ret_to = *ret_from;
    *ret_open = rest.data == NULL;
    if (code != 0 || rest.data == NULL)
        return code;
    if (slice_find(rest, '-') < rest.size)
        return err_set(reterr, ERR_INVALID, "too many hyphens: %.*s", SLICE_ARGS(whole));
    return number(rest, b, ret_to, reterr);
}

static int expression(struct slice text, const struct bounds *b, uint64_t *bits, struct err *reterr)
{
    struct slice rest = text, range = slice_cut(&rest, '/');
    unsigned from = 0, to = 0, step = 1;
    bool open;
    if (rest.data != NULL && slice_find(rest, '/') < rest.size)
        return err_set(reterr, ERR_INVALID, "too many slashes: %.*s", SLICE_ARGS(text));
    int code = range_of(range, text, b, &from, &to, &open, reterr);
    if (code == 0 && rest.data != NULL)
        code = number(rest, &(struct bounds){.most = b->most}, &step, reterr);
    if (code != 0)
        return code;
    if (rest.data != NULL && open)
        to = b->most;
    if (from < b->least)
        return err_set(reterr, ERR_INVALID, "beginning of range (%u) below minimum (%u): %.*s", from, b->least, SLICE_ARGS(text));
    if (to > b->most)
        return err_set(reterr, ERR_INVALID, "end of range (%u) above maximum (%u): %.*s", to, b->most, SLICE_ARGS(text));
    if (from > to)
        return err_set(reterr, ERR_INVALID, "beginning of range (%u) beyond end of range (%u): %.*s", from, to, SLICE_ARGS(text));
    if (step == 0)
        return err_set(reterr, ERR_INVALID, "step of range should be a positive number: %.*s", SLICE_ARGS(text));
    for (unsigned v = from; v <= to; v += step)
        *bits |= (uint64_t)1 << v;
    return 0;
}

static int field(struct slice text, const struct bounds *b, uint64_t *bits, struct err *reterr)
{
    *bits = 0;
    while (text.data != NULL) {
        int code = expression(slice_cut(&text, ','), b, bits, reterr);
        if (code != 0)
            return code;
    }
    return 0;
}

/* Go's durations, whole seconds of them: "1h30m", "90s". */
static int every(struct slice text, struct slice whole, struct cron *ret, struct err *reterr)
{
    int64_t total = 0, v = 0;
    bool digits = false, good = text.size > 0;
    for (size_t i = 0; i < text.size && good; i++) {
        char c = text.data[i];
        if (isdigit((unsigned char)c)) {
            v = v * 10 + (c - '0');
            digits = true;
            good = v < 1000000000;
            continue;
        }
        good = digits && (c == 'h' || c == 'm' || c == 's');
        total += v * (c == 'h' ? 3600 : c == 'm' ? 60 : 1);
        v = 0;
        digits = false;
    }
    if (!good || digits)
        return err_set(reterr, ERR_INVALID, "failed to parse duration %.*s: time: invalid duration \"%.*s\"",
                       SLICE_ARGS(whole), SLICE_ARGS(text));
    ret->every_seconds = total > 0 ? total : 1;
    return 0;
}

static int word(struct slice text, struct cron *ret, struct err *reterr)
{
    static const struct {
        const char *word, *fields;
    } words[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
                 {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_is(text, words[i].word))
            return cron_parse(slice_str(words[i].fields), ret, reterr);
    }
    if (slice_has_prefix(text, SLICE("@every ")))
        return every(slice_from(text, 7), text, ret, reterr);
    return err_set(reterr, ERR_INVALID, "unrecognized descriptor: %.*s", SLICE_ARGS(text));
}

/* The zone that may stand before the fields is Kubernetes' other field's matter; here it is only passed over. */
static struct slice without_zone(struct slice text)
{
    if (!slice_has_prefix(text, SLICE("TZ=")) && !slice_has_prefix(text, SLICE("CRON_TZ=")))
        return text;
    size_t space = slice_find(text, ' ');
    return slice_from(text, space == text.size ? space : space + 1);
}

int cron_parse(struct slice text, struct cron *ret, struct err *reterr)
{
    struct slice fields[FIELDS], rest = without_zone(text);
    size_t n = 0;
    struct cron c = {.every_seconds = 0};
    if (text.size == 0)
        return err_set(reterr, ERR_INVALID, "empty spec string");
    if (rest.size > 0 && rest.data[0] == '@') {
        int code = word(rest, &c, reterr);
        if (code == 0)
            *ret = c;
        return code;
    }
    struct slice all = rest;
    while (rest.size > 0) {
        size_t end = 0;
        while (end < rest.size && !isspace((unsigned char)rest.data[end]))
            end++;
        if (end > 0 && n < FIELDS)
            fields[n] = slice_of(rest.data, end);
        n += end > 0 ? 1 : 0;
        rest = slice_from(rest, end < rest.size ? end + 1 : end);
    }
    if (n != FIELDS)
        return err_set(reterr, ERR_INVALID, "expected exactly 5 fields, found %zu: [%.*s]", n, SLICE_ARGS(all));
    uint64_t *const bits[FIELDS] = {&c.minutes, &c.hours, &c.days, &c.months, &c.weekdays};
    for (size_t i = 0; i < FIELDS; i++) {
        int code = field(fields[i], &all_bounds[i], bits[i], reterr);
        if (code != 0)
            return code;
    }
    c.any_day = fields[2].data[0] == '*' || fields[2].data[0] == '?';
    c.any_weekday = fields[4].data[0] == '*' || fields[4].data[0] == '?';
    *ret = c;
    return 0;
}
