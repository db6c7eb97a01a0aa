/* Assertions that stay on in release builds. For arguments, results and invariants of our own code only:
 * bytes from disk, network or users are checked and answered with an error instead. */
#ifndef COMMON_ASSERT_H
#define COMMON_ASSERT_H

/* Prints where and what, with a backtrace, to standard error and aborts. */
_Noreturn void assert_fail(const char *file, int line, const char *function, const char *condition);

/* Stops the process because going on could lose or corrupt acknowledged data. */
_Noreturn void panic(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define ASSERT(condition) \
    ((condition) ? (void)0 : assert_fail(__FILE__, __LINE__, __func__, #condition))

/* Whole-structure checks: too slow for release, on in sanitizer builds. */
#ifdef KEELSON_SLOW_CHECKS
#define ASSERT_SLOW(condition) ASSERT(condition)
#else
#define ASSERT_SLOW(condition) ((void)0)
#endif

#define PANIC(...) panic(__FILE__, __LINE__, __VA_ARGS__)

#endif
