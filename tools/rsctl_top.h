/* What rsctl top shows: samples of all members, as a table for a terminal of a size, as plain text, or as JSON. Pure. */
#ifndef TOOLS_RSCTL_TOP_H
#define TOOLS_RSCTL_TOP_H

#include "tools/rsctl.h"

#include "common/clock.h"

#define TOP_NAME_MAX 64
#define TOP_TEXT_MAX 128
#define TOP_MEMBERS_MAX STORE_ENDPOINTS_MAX

enum top_state { TOP_SILENT, TOP_UNSTARTED, TOP_ANSWERS };

struct top_member {
    enum top_state state;
    uint64_t id;               /* 0: not known */
    char name[TOP_NAME_MAX], address[TOP_TEXT_MAX], why[TOP_TEXT_MAX]; /* why: it is silent, or a read through it failed */
    struct kv_header header;
    struct store_status_result status;
    double read_s;             /* of a linearizable read through it; below 0: it failed */
    double writes_per_s;       /* revisions that it applied; below 0: not known yet */
};

struct top_view {
    int64_t wall_ms;
    double interval_s;
    double writes_per_s;       /* of the cluster; below 0: not known yet */
    int64_t revision;          /* the newest that was seen */
    uint64_t commit_index;     /* likewise */
    struct top_member members[TOP_MEMBERS_MAX];
    size_t count;
};

/* Lines of at most `width` columns, at most `height` of them (0: no bound); `terminal`: with colours. */
struct top_screen {
    unsigned width, height;
    bool terminal;
};
void top_print(const struct top_view *v, const struct top_screen *screen, struct buf *out);
void top_print_json(const struct top_view *v, struct buf *out); /* one line */

/* Revisions, commit index and rates of the view from its members; `before` NULL: the first one. */
void top_sum(struct top_view *v, const struct top_view *before);

#endif
