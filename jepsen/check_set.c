/* Sets: [key element] added, [key nil] read as [key [elements]], each set alone. An element counts as known from the moment its
 * add was acknowledged or a read that saw it ended; every read that begins later must see it.
 *   lost         no read after a certain one has seen it any more
 *   stale        a read did not see it, a later one did
 *   unexpected   seen, and nobody tried to add it;   aborted: its add had failed;   duplicated: twice in one read
 * What was acknowledged and never read afterwards decides nothing: unknown. */
#include "common/base.h"

#include "jepsen/check.h"

#include "common/map.h"

struct element {
    const struct attempt *add;
    int64_t set, value;
    int64_t known;                     /* index of what first proved it; INT64_MAX: nothing */
    int64_t last_absent, last_present; /* index of the beginning of the last such read; -1: none */
    const struct operation *missed_by;
    uint64_t stamp;                    /* number of the read that saw it last */
    struct element *next;              /* of the same set */
};

struct sets {
    struct report *report;
    struct map elements; /* {set, value} → struct element */
    struct map by_set;   /* set → first of its elements */
    struct arena arena;
    size_t reads;
};

static bool value_valid(const struct attempt *a)
{
    struct edn v = a->invoke->value, answer = attempt_ok(a) ? a->done->value : v;
    if (v.kind != EDN_VECTOR || v.count != 2 || v.items[0].kind != EDN_INT || answer.kind != EDN_VECTOR || answer.count != 2)
        return false;
    if (attempt_is(a, "add"))
        return v.items[1].kind == EDN_INT;
    struct edn seen = answer.items[1];
    for (uint32_t i = 0; attempt_ok(a) && i < seen.count; i++)
        if ((seen.kind != EDN_VECTOR && seen.kind != EDN_SET) || seen.items[i].kind != EDN_INT)
            return false;
    return attempt_is(a, "read");
}

static struct element *element_of(struct sets *s, int64_t set, int64_t value)
{
    const int64_t name[] = {set, value};
    return map_get(&s->elements, slice_of(name, sizeof name));
}

static void note_add(struct sets *s, const struct attempt *a)
{
    const int64_t name[] = {a->invoke->value.items[0].number, a->invoke->value.items[1].number};
    struct slice set = slice_of(name, sizeof name[0]);
    struct element *e = arena_alloc(&s->arena, sizeof *e);
    *e = (struct element){.add = a, .set = name[0], .value = name[1], .known = attempt_ok(a) ? a->done->index : INT64_MAX,
                          .last_absent = -1, .last_present = -1, .next = map_get(&s->by_set, set)};
    if (map_put(&s->elements, slice_of(name, sizeof name), e) != NULL)
        report_unknown(s->report, "element %lld is added to set %lld twice", (long long)name[1], (long long)name[0]);
    map_put(&s->by_set, set, e);
}

static void anomaly(struct sets *s, const char *name, const char *what, int64_t set, int64_t value, const struct operation *o)
{
    bool print = report_wants(s->report, name);
    report_anomaly(s->report, name, "set %lld, element %lld: %s", (long long)set, (long long)value, what);
    if (print)
        report_operation(s->report, "", o);
}

/* First pass: what is there that must not be, and since when each element is known. */
static void look_for_strangers(struct sets *s, const struct attempt *a)
{
    int64_t set = a->invoke->value.items[0].number;
    struct edn seen = a->done->value.items[1];
    s->reads++;
    for (uint32_t i = 0; i < seen.count; i++) {
        struct element *e = element_of(s, set, seen.items[i].number);
        if (e == NULL || e->add->invoke->index > a->done->index) {
            anomaly(s, "unexpected", "nobody had tried to add it", set, seen.items[i].number, a->done);
            continue;
        }
        if (attempt_outcome(e->add) == OPERATION_FAIL)
            anomaly(s, "aborted", "its add had failed", set, e->value, a->done);
        if (e->stamp == s->reads)
            anomaly(s, "duplicated", "it is there twice", set, e->value, a->done);
        e->stamp = s->reads;
        e->known = MIN(e->known, a->done->index);
    }
}

/* Second pass: what must be there. */
static void look_for_missing(struct sets *s, const struct attempt *a)
{
    int64_t set = a->invoke->value.items[0].number, began = a->invoke->index;
    struct edn seen = a->done->value.items[1];
    s->reads++;
    for (uint32_t i = 0; i < seen.count; i++) {
        struct element *e = element_of(s, set, seen.items[i].number);
        if (e != NULL) {
            e->stamp = s->reads;
            e->last_present = MAX(e->last_present, began);
        }
    }
    for (struct element *e = map_get(&s->by_set, slice_of(&set, sizeof set)); e != NULL; e = e->next)
        if (e->known < began && e->stamp != s->reads && began > e->last_absent) {
            e->last_absent = began;
            e->missed_by = a->done;
        }
}

static void judge(struct sets *s, struct element *e, size_t *unread)
{
    if (e->last_absent > e->last_present)
        anomaly(s, "lost", "known, and gone since this read", e->set, e->value, e->missed_by);
    else if (e->last_absent >= 0)
        anomaly(s, "stale", "known, not seen by this read, and seen by a later one", e->set, e->value, e->missed_by);
    else if (attempt_ok(e->add) && e->last_present < e->add->done->index)
        ++*unread;
}

static void run(const struct attempt *attempts, size_t count, const struct check_options *o, struct report *r)
{
    struct sets s = {.report = r};
    struct map_entry *entry;
    size_t unread = 0;
    (void)o;
    for (size_t i = 0; i < count; i++)
        if (!value_valid(&attempts[i])) {
            report_unknown(r, "operation %lld is no add to or read of a set", (long long)attempts[i].invoke->index);
            return;
        }
    for (size_t i = 0; i < count; i++)
        if (attempt_is(&attempts[i], "add"))
            note_add(&s, &attempts[i]);
    for (size_t i = 0; i < count; i++)
        if (attempt_is(&attempts[i], "read") && attempt_ok(&attempts[i]))
            look_for_strangers(&s, &attempts[i]);
    for (size_t i = 0; i < count; i++)
        if (attempt_is(&attempts[i], "read") && attempt_ok(&attempts[i]))
            look_for_missing(&s, &attempts[i]);
    for (size_t i = 0; (entry = map_next(&s.elements, &i)) != NULL;)
        judge(&s, entry->value, &unread);
    report_note(r, "%zu sets, %zu elements, %zu reads", s.by_set.size, s.elements.size, s.reads / 2);
    if (unread > 0)
        report_unknown(r, "%zu elements were acknowledged and not read since", unread);
    map_release(&s.elements);
    map_release(&s.by_set);
    arena_clear(&s.arena);
}

const struct check checker_set = {"set", "nothing acknowledged missing, nothing unattempted present, no stale read", run};
