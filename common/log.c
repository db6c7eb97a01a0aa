#include "common/base.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <stdio.h>
#include <strings.h>

#define LOG_LINE_MAX 4096

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

void log_line(struct log *log, enum log_level level, const char *message, const char *fields, ...)
{
    if (log == NULL || level < log->level)
        return;
    char time[TIME_TEXT_MAX], line[LOG_LINE_MAX];
    time_format(log->wall_ms(log->impl) * 1000, 3, time);
    int n = snprintf(line, sizeof line, "%s %s %s \"%s\" ", time, level_names[level], log->component, message);
    ASSERT(n > 0 && (size_t)n < sizeof line);
    size_t used = (size_t)n;
    va_list args;
    va_start(args, fields);
    n = vsnprintf(line + used, sizeof line - used - 1, fields, args);
    va_end(args);
    used = MIN(used + (size_t)MAX(n, 0), sizeof line - 2);
    if (line[used - 1] == ' ')
        used--;
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' '; /* one event stays one line, whatever a value holds */
    line[used++] = '\n';
    log->write(log->impl, line, used);
}

int log_level_parse(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return ERR_BAD_REQUEST;
}
