/* A clock of its own for one process: preloaded under a store. The machine's clock is never touched.
 * NEMESIS_CONTROL.clock holds what is added to CLOCK_REALTIME, in nanoseconds, twice: "+1000 +1000\n" (two that differ: it is
 * being written, the last one read counts). It is read at every look at that clock, so that the clock jumps while the process runs.
 * NEMESIS_CONTROL.rate holds how much faster all its clocks go, in parts per million, read once at the start:
 * CLOCK_MONOTONIC then goes 1 + rate/10^6 times as fast from the value it had there. Time-outs of the kernel do not. */
#include "common/base.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL

/* Set before main, then read only; a preloaded library has nobody to hand its state around. */
static int64_t rate_ppm, begin_ns[2];
static _Atomic int64_t last_offset_ns;

static int64_t kernel_ns(clockid_t clock)
{
    struct timespec t;
    (void)syscall(SYS_clock_gettime, clock, &t); /* these clocks are always there */
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool read_control(const char *suffix, char *text, size_t size)
{
    char path[4096];
    const char *base = getenv("NEMESIS_CONTROL");
    if (base == NULL || snprintf(path, sizeof path, "%s.%s", base, suffix) >= (int)sizeof path)
        return false;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

__attribute__((constructor)) static void begin(void)
{
    char text[64];
    begin_ns[0] = kernel_ns(CLOCK_REALTIME);
    begin_ns[1] = kernel_ns(CLOCK_MONOTONIC);
    rate_ppm = read_control("rate", text, sizeof text) ? strtoll(text, NULL, 10) : 0;
    rate_ppm = rate_ppm < -900000 ? -900000 : rate_ppm > 9000000 ? 9000000 : rate_ppm; /* a tenth to ten times as fast */
}

static int64_t offset_ns(void)
{
    char text[64];
    long long a = 0, b = 0;
    if (!read_control("clock", text, sizeof text))
        return 0;
    if (sscanf(text, "%lld %lld", &a, &b) == 2 && a == b)
        last_offset_ns = a;
    return last_offset_ns;
}

static int64_t sped_up(int64_t now, int64_t from)
{
    return rate_ppm == 0 ? now : from + (now - from) + (now - from) / 1000 * rate_ppm / 1000;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int64_t now;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        now = sped_up(kernel_ns(clock), begin_ns[0]) + offset_ns();
    else if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)
        now = sped_up(kernel_ns(clock), begin_ns[1]);
    else
        return (int)syscall(SYS_clock_gettime, clock, ret);
    if (now < 0)
        now = 0; /* before 1970 there are no certificates, and no struct timespec that all code takes */
    ret->tv_sec = now / NS_PER_S;
    ret->tv_nsec = now % NS_PER_S;
    return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail */
    ret->tv_sec = t.tv_sec;
    ret->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail */
    if (ret != NULL)
        *ret = t.tv_sec;
    return t.tv_sec;
}
