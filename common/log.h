/* Structured log: one line per event, a fixed message and key=value fields, to standard error (or a sink of the test).
 *   2026-11-20T10:00:00.123Z INFO raftstore "became leader" term=4 index=17
 * Error wakes someone, warn is odd, info is a state change, debug is off by default. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
    const char *component;   /* "raftstore" */
    enum log_level level;    /* lines below it are dropped */
    int64_t (*wall_ms)(void *impl);
    void (*write)(void *impl, const char *line, size_t size); /* a whole line with its newline */
    void *impl;
};

/* `message` is fixed text; `fields` a printf format of key=value pairs ("" for none). A value with spaces or quotes
 * is written through LOG_TEXT. */
void log_line(struct log *log, enum log_level level, const char *message, const char *fields, ...) PRINTF_ARGS(4, 5);

#define log_debug(log, message, ...) log_line(log, LOG_DEBUG, message, __VA_ARGS__)
#define log_info(log, message, ...) log_line(log, LOG_INFO, message, __VA_ARGS__)
#define log_warn(log, message, ...) log_line(log, LOG_WARN, message, __VA_ARGS__)
#define log_error(log, message, ...) log_line(log, LOG_ERROR, message, __VA_ARGS__)

int log_level_parse(const char *text, enum log_level *ret); /* debug, info, warn, error; ERR_BAD_REQUEST otherwise */

#endif
