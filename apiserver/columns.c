/* Cells are appended as JSON straight into the row's bytes. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "common/clock.h"
#include "common/json.h"

#include <inttypes.h>
#include <stdio.h>

static void comma(struct cells *c)
{
    if (c->count++ > 0)
        buf_append_char(c->out, ',');
}

void cells_add(struct cells *c, struct slice text)
{
    comma(c);
    json_print_string(text.data == NULL ? SLICE("") : text, c->out);
}

void cells_str(struct cells *c, const char *text) { cells_add(c, slice_str(text)); }

void cells_printf(struct cells *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* a cell longer than this is cut */
    va_end(args);
    cells_str(c, text);
}

void cells_int(struct cells *c, int64_t v)
{
    comma(c);
    buf_printf(c->out, "%" PRId64, v);
}

void cells_bool(struct cells *c, bool v)
{
    comma(c);
    buf_append_str(c->out, v ? "true" : "false");
}

void cells_or(struct cells *c, struct slice text, const char *fallback)
{
    cells_add(c, text.size == 0 ? slice_str(fallback) : text);
}

static void two(char *text, int64_t big, char big_unit, int64_t small, char small_unit)
{
    if (small == 0)
        (void)snprintf(text, AGE_TEXT_MAX, "%" PRId64 "%c", big, big_unit); /* fits by its bound */
    else
        (void)snprintf(text, AGE_TEXT_MAX, "%" PRId64 "%c%" PRId64 "%c", big, big_unit, small, small_unit);
}

void age_text(int64_t s, char text[AGE_TEXT_MAX])
{
    const int64_t minute = 60, hour = 3600, day = 86400, year = 365 * 86400;
    if (s < -1)
        two(text, 0, 's', 0, 's');
    else if (s < 2 * minute)
        two(text, MAX(s, (int64_t)0), 's', 0, 's');
    else if (s < 10 * minute)
        two(text, s / minute, 'm', s % minute, 's');
    else if (s < 3 * hour)
        two(text, s / minute, 'm', 0, 's');
    else if (s < 8 * hour)
        two(text, s / hour, 'h', s % hour / minute, 'm');
    else if (s < 2 * day)
        two(text, s / hour, 'h', 0, 's');
    else if (s < 8 * day)
        two(text, s / day, 'd', s % day / hour, 'h');
    else if (s < 2 * year)
        two(text, s / day, 'd', 0, 's');
    else if (s < 8 * year)
        two(text, s / year, 'y', s % year / day, 'd');
    else
        two(text, s / year, 'y', 0, 's');
}

void cells_age(struct cells *c, struct slice time, const struct column_now *now)
{
    int64_t us;
    char text[AGE_TEXT_MAX];
    if (time.size == 0 || time_parse(time, &us) != 0) {
        cells_str(c, "<unknown>");
        return;
    }
    age_text((now->wall_ms - us / 1000) / 1000, text);
    cells_str(c, text);
}

static const struct column plain_columns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "Name of the object, unique within its namespace."},
    {.name = "Created At", .type = "date", .doc = "When the server first stored the object."},
    {.name = NULL},
};

void columns_definitions(const struct kind *k, struct buf *out)
{
    buf_append_char(out, '[');
    const struct column *columns = k->columns == NULL ? plain_columns : k->columns;
    for (const struct column *c = columns; c->name != NULL; c++) {
        buf_printf(out,
                   "%s{\"name\":\"%s\",\"type\":\"%s\",\"format\":\"%s\",\"description\":", c == columns ? "" : ",",
                   c->name, c->type, c->format == NULL ? "" : c->format);
        json_print_string(slice_str(c->doc == NULL ? "" : c->doc), out);
        buf_printf(out, ",\"priority\":%d}", c->priority);
    }
    buf_append_char(out, ']');
}

void columns_row(const struct kind *k, const struct json *object, const struct column_now *now, struct buf *out)
{
    struct cells cells = {.out = out};
    buf_append_char(out, '[');
    if (k->row != NULL) {
        k->row(object, now, &cells);
    } else {
        cells_add(&cells, json_string_at(object, "metadata.name"));
        cells_add(&cells, json_string_at(object, "metadata.creationTimestamp"));
    }
    buf_append_char(out, ']');
}
