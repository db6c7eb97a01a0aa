#include "common/base.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void abort_with_backtrace(void)
{
    void *frames[32];
    int n = backtrace(frames, ARRAY_LEN(frames));
    backtrace_symbols_fd(frames, n, 2);
    abort();
}

_Noreturn void assert_fail(const char *file, int line, const char *function, const char *condition)
{
    fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, condition);
    abort_with_backtrace();
}

_Noreturn void panic(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort_with_backtrace();
}
