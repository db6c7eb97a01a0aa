/* A disk that fails, for one folder of one process: preloaded under a store, it stands before the calls that change files.
 * NEMESIS_FOLDER is the folder. NEMESIS_CONTROL is a file that says what is wrong now, read at every call; without it
 * nothing is:
 *   full          no new block: writes, allocations and new files fail with ENOSPC
 *   read-only     everything that changes something fails with EROFS
 *   write-error   writes fail with EIO
 *   sync-error    what must be on the disk on return fails with EIO: syncs, and writes to files opened with O_DSYNC
 *   slow N        each write and each sync takes N ms longer
 *   torn          the first half of the next write reaches the disk, then the process is killed; happens once
 * It keeps no state and calls the kernel directly, so it may be used from any thread. */
#include "common/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLOW_MS_MAX 60000

enum what { WHAT_NONE, WHAT_FULL, WHAT_READ_ONLY, WHAT_WRITE_ERROR, WHAT_SYNC_ERROR, WHAT_SLOW, WHAT_TORN };

static enum what control(unsigned *ret_ms)
{
    static const char *const words[] = {"", "full", "read-only", "write-error", "sync-error", "slow", "torn"};
    const char *path = getenv("NEMESIS_CONTROL");
    char text[64], word[16] = "";
    int fd = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return WHAT_NONE;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    *ret_ms = 0;
    if (sscanf(text, "%15s %u", word, ret_ms) < 1)
        return WHAT_NONE;
    *ret_ms = *ret_ms > SLOW_MS_MAX ? SLOW_MS_MAX : *ret_ms;
    for (size_t i = 1; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0)
            return (enum what)i;
    return WHAT_NONE;
}

static bool below(const char *path)
{
    const char *folder = getenv("NEMESIS_FOLDER");
    size_t n = folder == NULL ? 0 : strlen(folder);
    return n > 0 && strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool concerns(int fd)
{
    char link[32], path[4096];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0 && below(path);
}

static void wait_ms(unsigned ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static int fail(int number)
{
    errno = number;
    return -1;
}

/* Half of it, through the cache and out again: a whole block cannot be split when written directly. */
static void tear(int fd, const void *bytes, size_t size, off_t offset) __attribute__((noreturn));
static void tear(int fd, const void *bytes, size_t size, off_t offset)
{
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int plain = (int)syscall(SYS_openat, AT_FDCWD, link, O_WRONLY | O_CLOEXEC | O_DSYNC, 0);
    (void)!syscall(SYS_pwrite64, plain, bytes, size / 2, offset); /* the process ends whatever came of it */
    (void)unlink(getenv("NEMESIS_CONTROL"));
    (void)kill(getpid(), SIGKILL);
    _exit(137);
}

/* 0: go on. Else -1 and errno. */
static int before_write(int fd, const void *bytes, size_t size, off_t offset)
{
    unsigned ms = 0;
    enum what what = control(&ms);
    if (what == WHAT_NONE || !concerns(fd))
        return 0;
    switch (what) {
    case WHAT_FULL: return fail(ENOSPC);
    case WHAT_READ_ONLY: return fail(EROFS);
    case WHAT_WRITE_ERROR: return fail(EIO);
    case WHAT_SYNC_ERROR: return (fcntl(fd, F_GETFL) & O_DSYNC) != 0 ? fail(EIO) : 0;
    case WHAT_SLOW: wait_ms(ms); return 0;
    case WHAT_TORN: tear(fd, bytes, size, offset);
    case WHAT_NONE: return 0;
    }
    return 0;
}

static int before_sync(int fd)
{
    unsigned ms = 0;
    enum what what = control(&ms);
    if (what == WHAT_NONE || !concerns(fd))
        return 0;
    if (what == WHAT_SLOW)
        wait_ms(ms);
    return what == WHAT_SYNC_ERROR ? fail(EIO) : 0;
}

/* Names: creation, renaming, removal, cutting. `grows`: it needs space. */
static int before_change(bool concerned, bool grows)
{
    unsigned ms = 0;
    enum what what = control(&ms);
    if (what == WHAT_READ_ONLY && concerned)
        return fail(EROFS);
    return what == WHAT_FULL && concerned && grows ? fail(ENOSPC) : 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    return before_write(fd, bytes, size, offset) != 0 ? -1 : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) { return pwrite64(fd, bytes, size, offset); }

int fsync(int fd) { return before_sync(fd) != 0 ? -1 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return before_sync(fd) != 0 ? -1 : (int)syscall(SYS_fdatasync, fd); }

int ftruncate64(int fd, off64_t size)
{
    return before_change(concerns(fd), false) != 0 ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    if (before_change(concerns(fd), true) != 0)
        return errno;
    return syscall(SYS_fallocate, fd, 0, offset, size) == 0 ? 0 : errno;
}

int posix_fallocate(int fd, off_t offset, off_t size) { return posix_fallocate64(fd, offset, size); }

int renameat(int from, const char *old, int to, const char *new)
{
    return before_change(concerns(to), false) != 0 ? -1 : (int)syscall(SYS_renameat, from, old, to, new);
}

int unlinkat(int folder, const char *name, int flags)
{
    return before_change(concerns(folder), false) != 0 ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags);
}

int openat64(int folder, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    bool concerned = (flags & O_ACCMODE) != O_RDONLY && (name[0] == '/' || folder == AT_FDCWD ? below(name) : concerns(folder));
    if (concerned && before_change(true, (flags & O_CREAT) != 0) != 0)
        return -1;
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return openat64(folder, name, flags, mode);
}
