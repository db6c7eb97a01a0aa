/* Container logs in the CRI text format, one file per container and attempt:
 *   2026-11-20T10:00:00.123456789Z stdout F a whole line
 *   2026-11-20T10:00:00.123456789Z stderr P the first part of a very long line
 * Pure: bytes to lines, lines to what `kubectl logs` shows. */
#ifndef NODEAGENT_LOGS_H
#define NODEAGENT_LOGS_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#define LOGS_LINE_MAX 16384             /* longer lines are cut into parts */
#define LOGS_FILE_MAX (10 * 1024 * 1024) /* then the file is rotated */
#define LOGS_FILES_MAX 5                /* N.log, N.log.1 … N.log.4 */

/* One stream of a container on its way into the file. */
struct logs_framer {
    const char *stream; /* "stdout" or "stderr" */
    struct buf line;    /* the line begun */
};

/* Appends the finished lines of `bytes` to `out`, stamped `wall_ns`. */
void logs_frame(struct logs_framer *f, struct slice bytes, int64_t wall_ns, struct buf *out);
void logs_frame_end(struct logs_framer *f, int64_t wall_ns, struct buf *out); /* what is left, as a whole line */
void logs_framer_release(struct logs_framer *f);

struct logs_entry {
    struct slice time, stream, text; /* borrowed from the line; text without its newline */
    bool partial;                    /* goes on in the next entry of the stream */
};

/* Takes the next line off `*rest`: 1, or 0 when no whole line is left, or ERR_CORRUPT for a line that is none of ours
 * (taken off as well). */
int logs_next(struct slice *rest, struct logs_entry *ret);

struct logs_options {
    int64_t tail_lines;    /* -1: all */
    int64_t since_us;      /* wall; entries before it are left out; 0: none */
    int64_t limit_bytes;   /* -1: none */
    bool timestamps, follow, previous;
    struct slice stream;   /* "stdout", "stderr", "All" or empty */
};

/* From a query ("tailLines=5&timestamps=true"). ERR_BAD_REQUEST names the parameter. `now_us` is for sinceSeconds. */
int logs_options_parse(struct slice query, int64_t now_us, struct logs_options *ret, struct err *reterr);

/* Offset in `file` from which the last `lines` whole lines begin. */
size_t logs_tail_offset(struct slice file, int64_t lines);

/* Renders the whole lines of `*rest` as a client sees them and takes them off; stops at limit_bytes, which it lowers by
 * what it gave out. */
void logs_render(struct slice *rest, struct logs_options *o, struct buf *out);

#endif
