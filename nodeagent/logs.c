#include "common/base.h"
#include "nodeagent/logs.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/http.h"

static void entry_append(struct logs_framer *f, struct slice text, char tag, int64_t wall_ns, struct buf *out)
{
    char stamp[TIME_TEXT_MAX];
    time_format(wall_ns / 1000, 6, stamp); /* "….123456Z": the last three digits follow */
    buf_printf(out, "%.*s%03dZ %s %c ", (int)strlen(stamp) - 1, stamp, (int)(wall_ns % 1000), f->stream, tag);
    buf_append_slice(out, text);
    buf_append_char(out, '\n');
}

void logs_frame(struct logs_framer *f, struct slice bytes, int64_t wall_ns, struct buf *out)
{
    while (bytes.size > 0) {
        size_t room = LOGS_LINE_MAX - f->line.size;
        size_t at = slice_find(bytes, '\n');
        bool whole = at < bytes.size && at <= room;
        size_t take = MIN(MIN(at, room), bytes.size);
        buf_append(&f->line, bytes.data, take);
        bytes = slice_from(bytes, take + (whole ? 1 : 0));
        if (!whole && f->line.size < LOGS_LINE_MAX)
            return;
        entry_append(f, buf_slice(&f->line), whole ? 'F' : 'P', wall_ns, out);
        buf_reset(&f->line);
    }
}

void logs_frame_end(struct logs_framer *f, int64_t wall_ns, struct buf *out)
{
    if (f->line.size > 0)
        entry_append(f, buf_slice(&f->line), 'F', wall_ns, out);
    buf_reset(&f->line);
}

void logs_framer_release(struct logs_framer *f) { buf_release(&f->line); }

int logs_next(struct slice *rest, struct logs_entry *ret)
{
    if (slice_find(*rest, '\n') == rest->size)
        return 0;
    struct slice line = slice_cut(rest, '\n');
    struct logs_entry entry = {0};
    entry.time = slice_cut(&line, ' ');
    entry.stream = slice_cut(&line, ' ');
    struct slice tag = slice_cut(&line, ' ');
    entry.text = line;
    entry.partial = slice_is(tag, "P");
    if (!entry.partial && !slice_is(tag, "F"))
        return ERR_CORRUPT;
    *ret = entry;
    return 1;
}

static int query_int(struct slice query, const char *name, int64_t *target, struct err *reterr)
{
    struct buf scratch = {0};
    struct slice text;
    int rv = 0;
    if (http_query_get(query, name, &scratch, &text)) {
        char *copy = scratch.data == NULL ? "" : scratch.data, *end;
        long long value = strtoll(copy, &end, 10);
        if (text.size == 0 || *end != '\0' || value < 0 || value > INT64_MAX / 1000000 / 2)
            rv = err_set(reterr, ERR_BAD_REQUEST, "%s must be a whole number that is not negative", name);
        else
            *target = value;
    }
    buf_release(&scratch);
    return rv;
}

static bool query_bool(struct slice query, const char *name)
{
    struct buf scratch = {0};
    struct slice text;
    bool value = http_query_get(query, name, &scratch, &text) && (slice_is(text, "true") || slice_is(text, "1"));
    buf_release(&scratch);
    return value;
}

int logs_options_parse(struct slice query, int64_t now_us, struct logs_options *ret, struct err *reterr)
{
    struct logs_options o = {.tail_lines = -1, .limit_bytes = -1};
    int64_t since_seconds = -1;
    if (query_int(query, "tailLines", &o.tail_lines, reterr) < 0 ||
        query_int(query, "limitBytes", &o.limit_bytes, reterr) < 0 ||
        query_int(query, "sinceSeconds", &since_seconds, reterr) < 0)
        return ERR_BAD_REQUEST;
    struct buf scratch = {0};
    struct slice text;
    int rv = 0;
    if (http_query_get(query, "sinceTime", &scratch, &text) && time_parse(text, &o.since_us) < 0)
        rv = err_set(reterr, ERR_BAD_REQUEST, "sinceTime must be a time as of RFC 3339");
    buf_reset(&scratch);
    if (rv == 0 && http_query_get(query, "stream", &scratch, &text)) {
        static const char *const names[] = {"All", "Stdout", "Stderr"};
        static const char *const values[] = {"", "stdout", "stderr"};
        rv = err_set(NULL, ERR_BAD_REQUEST, "-");
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (slice_is(text, names[i])) {
                o.stream = slice_str(values[i]);
                rv = 0;
            }
        if (rv < 0)
            (void)err_set(reterr, rv, "stream must be All, Stdout or Stderr");
    }
    buf_release(&scratch);
    if (rv < 0)
        return rv;
    if (since_seconds >= 0)
        o.since_us = now_us - since_seconds * 1000000;
    o.timestamps = query_bool(query, "timestamps");
    o.follow = query_bool(query, "follow");
    o.previous = query_bool(query, "previous");
    *ret = o;
    return 0;
}

size_t logs_tail_offset(struct slice file, int64_t lines)
{
    size_t at = file.size;
    while (at > 0 && file.data[at - 1] != '\n')
        at--; /* a line still being written does not count */
    if (lines < 0)
        return 0;
    while (at > 0 && lines > 0) {
        at--;
        while (at > 0 && file.data[at - 1] != '\n')
            at--;
        lines--;
    }
    return at;
}

static bool is_wanted(const struct logs_entry *entry, const struct logs_options *o)
{
    int64_t at_us;
    if (o->stream.size > 0 && !slice_equal(entry->stream, o->stream))
        return false;
    return o->since_us == 0 || (time_parse(entry->time, &at_us) == 0 && at_us >= o->since_us);
}

void logs_render(struct slice *rest, struct logs_options *o, struct buf *out)
{
    struct logs_entry entry;
    int rv;
    while (o->limit_bytes != 0 && (rv = logs_next(rest, &entry)) != 0) {
        if (rv < 0 || !is_wanted(&entry, o))
            continue;
        size_t from = out->size;
        if (o->timestamps)
            buf_printf(out, "%.*s ", SLICE_ARGS(entry.time));
        buf_append_slice(out, entry.text);
        if (!entry.partial)
            buf_append_char(out, '\n');
        if (o->limit_bytes < 0)
            continue;
        size_t added = MIN(out->size - from, (size_t)o->limit_bytes);
        out->size = from + added;
        o->limit_bytes -= (int64_t)added;
    }
}
