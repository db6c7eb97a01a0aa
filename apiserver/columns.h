/* Rows of server-side Tables: what a kind's row hook writes its cells into, and ages as kubectl users read them. */
#ifndef APISERVER_COLUMNS_H
#define APISERVER_COLUMNS_H

#include "apiserver/kind.h"
#include "common/base.h"
#include "common/buf.h"

struct column_now {
    int64_t wall_ms;
};

/* One cell after the other, as JSON. */
struct cells {
    struct buf *out;
    size_t count;
};

void cells_add(struct cells *c, struct slice text);
void cells_str(struct cells *c, const char *text);
void cells_printf(struct cells *c, const char *format, ...) PRINTF_ARGS(2, 3);
void cells_int(struct cells *c, int64_t v);
void cells_bool(struct cells *c, bool v);
void cells_or(struct cells *c, struct slice text, const char *fallback); /* fallback when empty */
/* Time since an RFC 3339 stamp ("5m", "3d4h"); "<unknown>" when it is not set. */
void cells_age(struct cells *c, struct slice time, const struct column_now *now);

#define AGE_TEXT_MAX 32
void age_text(int64_t seconds, char text[AGE_TEXT_MAX]); /* Kubernetes' HumanDuration */

struct json;
/* columnDefinitions of a kind, and the cells of one object, as JSON arrays. Kinds without columns have Name and Created
 * At. */
void columns_definitions(const struct kind *k, struct buf *out);
void columns_row(const struct kind *k, const struct json *object, const struct column_now *now, struct buf *out);

#endif
