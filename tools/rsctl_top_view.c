#include "common/base.h"

#include "tools/rsctl_top.h"

#include "common/json.h"
#include "common/mem.h"

#include <stdio.h>

#define LAG_MAX 1000 /* entries; above, a member is shown as behind */

static const struct top_member *member_of(const struct top_view *v, uint64_t id)
{
    for (size_t i = 0; v != NULL && i < v->count; i++)
        if (v->members[i].id == id && v->members[i].state == TOP_ANSWERS)
            return &v->members[i];
    return NULL;
}

void top_sum(struct top_view *v, const struct top_view *before)
{
    double seconds = before == NULL ? 0 : (double)(v->wall_ms - before->wall_ms) / 1000;
    v->revision = 0;
    v->commit_index = 0;
    for (size_t i = 0; i < v->count; i++) {
        struct top_member *m = &v->members[i];
        const struct top_member *old = member_of(before, m->id);
        m->writes_per_s = -1;
        if (m->state != TOP_ANSWERS)
            continue;
        v->revision = MAX(v->revision, m->header.revision);
        v->commit_index = MAX(v->commit_index, m->status.commit_index);
        if (old != NULL && seconds > 0 && m->header.revision >= old->header.revision)
            m->writes_per_s = (double)(m->header.revision - old->header.revision) / seconds;
    }
    v->writes_per_s = before != NULL && before->revision > 0 && seconds > 0 && v->revision >= before->revision
                          ? (double)(v->revision - before->revision) / seconds : -1;
}

static const char *role_of(const struct top_member *m)
{
    if (m->state == TOP_UNSTARTED)
        return "unstarted";
    if (m->state == TOP_SILENT)
        return "silent";
    if (m->status.learner)
        return "learner";
    return m->status.role == STORE_LEADER ? "leader" : m->status.role == STORE_CANDIDATE ? "candidate" : "follower";
}

/* How far it is behind the newest commit that any member told of. */
static uint64_t lag_of(const struct top_view *v, const struct top_member *m)
{
    return v->commit_index > m->status.applied_index ? v->commit_index - m->status.applied_index : 0;
}

/* --- the table --- */

struct line {
    struct buf *out;
    unsigned left; /* columns; the rest is cut */
};

/* Characters beyond ASCII are taken for one column each. */
static void put(struct line *l, const char *text)
{
    for (; *text != '\0'; text++) {
        bool begins = ((uint8_t)*text & 0xc0) != 0x80;
        if (begins && l->left == 0)
            return;
        l->left -= begins;
        if ((uint8_t)*text >= ' ' && *text != 127) /* what others named must not steer the terminal */
            buf_append_char(l->out, *text);
    }
}

#define COLUMNS 14
static const char *const titles[COLUMNS] = {"MEMBER", "ROLE", "TERM", "APPLIED", "LAG", "WRITES/S", "READ", "DB", "LOG", "WATCHES", "CLIENTS", "DISK FREE", "ID", "ADDRESS"};
/* Texts stand left, numbers right. */
static const bool left[COLUMNS] = {true, true, false, false, false, false, false, false, false, false, false, false, true, true};

struct row {
    const char *cells[COLUMNS];
    const char *colour; /* "": none */
};

static const char *rate_text(struct arena *a, double rate) { return rate < 0 ? "-" : arena_printf(a, "%.0f", rate); }

static struct row row_of(struct arena *a, const struct top_view *v, const struct top_member *m)
{
    const struct store_status_result *s = &m->status;
    struct row r = {.colour = ""};
    for (size_t i = 0; i < COLUMNS; i++)
        r.cells[i] = "-";
    r.cells[0] = m->name[0] != '\0' ? m->name : m->id != 0 ? arena_printf(a, "%016llx", (unsigned long long)m->id) : m->address;
    r.cells[1] = role_of(m);
    r.cells[12] = m->id != 0 ? arena_printf(a, "%016llx", (unsigned long long)m->id) : "-";
    r.cells[13] = m->why[0] != '\0' ? arena_printf(a, "%s (%s)", m->address, m->why) : m->address;
    if (m->state != TOP_ANSWERS) {
        r.colour = m->state == TOP_SILENT ? "\033[31m" : "\033[2m";
        return r;
    }
    r.cells[2] = arena_printf(a, "%llu", (unsigned long long)m->header.term);
    r.cells[3] = arena_printf(a, "%llu", (unsigned long long)s->applied_index);
    r.cells[4] = arena_printf(a, "%llu", (unsigned long long)lag_of(v, m));
    r.cells[5] = rate_text(a, m->writes_per_s);
    r.cells[6] = m->read_s < 0 ? "fails" : arena_printf(a, "%.2f ms", m->read_s * 1000);
    r.cells[7] = print_size(a, s->state_bytes);
    r.cells[8] = print_size(a, s->log_bytes);
    r.cells[9] = arena_printf(a, "%llu", (unsigned long long)s->watches);
    r.cells[10] = arena_printf(a, "%llu", (unsigned long long)s->connections);
    r.cells[11] = s->disk_free_bytes == 0 ? "-" : print_size(a, s->disk_free_bytes);
    r.colour = m->read_s < 0 || lag_of(v, m) > LAG_MAX ? "\033[33m" : s->role == STORE_LEADER ? "\033[1m" : "";
    return r;
}

static void line_end(struct buf *out, const struct top_screen *screen, const char *colour)
{
    if (screen->terminal && colour[0] != '\0')
        buf_append_str(out, "\033[0m");
    buf_append_str(out, screen->terminal ? "\033[K\n" : "\n");
}

static void put_row(struct buf *out, const struct top_screen *screen, const struct row *r, const size_t *widths)
{
    struct line l = {.out = out, .left = screen->width == 0 ? UINT32_MAX : screen->width};
    if (screen->terminal)
        buf_append_str(out, r->colour);
    for (size_t i = 0; i < COLUMNS; i++) {
        char cell[2 * TOP_TEXT_MAX + 16];
        (void)snprintf(cell, sizeof cell, left[i] ? (i + 1 < COLUMNS ? "%-*s" : "%.*s") : "%*s", i + 1 < COLUMNS ? (int)widths[i] : (int)sizeof cell - 1,
                       r->cells[i]);
        put(&l, i == 0 ? "" : "  ");
        put(&l, cell);
    }
    line_end(out, screen, r->colour);
}

static void put_heading(const struct top_view *v, const struct top_screen *screen, struct buf *out)
{
    char time[TIME_TEXT_MAX];
    struct arena a = {0};
    struct line l = {.out = out, .left = screen->width == 0 ? UINT32_MAX : screen->width};
    const struct top_member *leader = NULL, *any = NULL;
    size_t answer = 0;
    for (size_t i = 0; i < v->count; i++) {
        const struct top_member *m = &v->members[i];
        answer += m->state == TOP_ANSWERS;
        any = m->state == TOP_ANSWERS ? m : any;
        leader = m->state == TOP_ANSWERS && m->status.role == STORE_LEADER ? m : leader;
    }
    time_format(v->wall_ms * 1000, 0, time);
    put(&l, arena_printf(&a, "%s  %zu of %zu members answer, %s", time, answer, v->count,
                         leader == NULL ? "no leader among them" : arena_printf(&a, "%s leads", leader->name[0] != '\0' ? leader->name : leader->address)));
    line_end(out, screen, "");
    l.left = screen->width == 0 ? UINT32_MAX : screen->width;
    put(&l, arena_printf(&a, "revision %lld, compacted before %lld, %s writes/s", (long long)v->revision,
                         (long long)(any == NULL ? 0 : any->status.compact_revision), rate_text(&a, v->writes_per_s)));
    line_end(out, screen, "");
    arena_clear(&a);
}

void top_print(const struct top_view *v, const struct top_screen *screen, struct buf *out)
{
    struct row rows[TOP_MEMBERS_MAX + 1] = {{.colour = "\033[7m"}};
    size_t widths[COLUMNS];
    struct arena a = {0};
    for (size_t j = 0; j < COLUMNS; j++)
        rows[0].cells[j] = titles[j];
    for (size_t i = 0; i < v->count; i++)
        rows[i + 1] = row_of(&a, v, &v->members[i]);
    for (size_t j = 0; j < COLUMNS; j++) {
        widths[j] = 0;
        for (size_t i = 0; i <= v->count; i++)
            widths[j] = MAX(widths[j], strlen(rows[i].cells[j]));
    }
    put_heading(v, screen, out);
    for (size_t i = 0; i <= v->count && (screen->height == 0 || i + 3 < screen->height); i++)
        put_row(out, screen, &rows[i], widths);
    arena_clear(&a);
}

/* --- JSON --- */

static void json_rate(struct buf *out, const char *name, double rate, int digits)
{
    if (rate < 0)
        buf_printf(out, ",\"%s\":null", name);
    else
        buf_printf(out, ",\"%s\":%.*f", name, digits, rate);
}

static void json_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    json_print_string(slice_str(json_utf8(slice_str(text)) ? text : "?"), out);
}

static void member_json(const struct top_view *v, const struct top_member *m, struct buf *out)
{
    const struct store_status_result *s = &m->status;
    buf_printf(out, "{\"id\":\"%016llx\"", (unsigned long long)m->id);
    json_text(out, "name", m->name);
    json_text(out, "address", m->address);
    json_text(out, "role", role_of(m));
    json_text(out, "error", m->why);
    if (m->state == TOP_ANSWERS) {
        const struct {
            const char *name;
            uint64_t value;
        } numbers[] = {{"term", m->header.term}, {"revision", (uint64_t)m->header.revision}, {"commitIndex", s->commit_index},
                       {"appliedIndex", s->applied_index}, {"lastIndex", s->last_index}, {"lag", lag_of(v, m)}, {"dbSize", s->state_bytes},
                       {"logSize", s->log_bytes}, {"compactRevision", (uint64_t)s->compact_revision}, {"watches", s->watches},
                       {"connections", s->connections}, {"requests", s->requests_total}, {"diskFree", s->disk_free_bytes}};
        buf_printf(out, ",\"leader\":\"%016llx\"", (unsigned long long)s->leader);
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
            buf_printf(out, ",\"%s\":%llu", numbers[i].name, (unsigned long long)numbers[i].value);
        json_rate(out, "writesPerSecond", m->writes_per_s, 1);
        json_rate(out, "readSeconds", m->read_s, 6);
    }
    buf_append_char(out, '}');
}

void top_print_json(const struct top_view *v, struct buf *out)
{
    char time[TIME_TEXT_MAX];
    time_format(v->wall_ms * 1000, 3, time);
    buf_printf(out, "{\"time\":\"%s\",\"revision\":%lld", time, (long long)v->revision);
    json_rate(out, "writesPerSecond", v->writes_per_s, 1);
    buf_append_str(out, ",\"members\":[");
    for (size_t i = 0; i < v->count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        member_json(v, &v->members[i], out);
    }
    buf_append_str(out, "]}\n");
}
