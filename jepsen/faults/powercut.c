/* powercut MOUNT-POINT…: cuts the power of mounted ext4 or XFS file systems, one right after the other: nothing that was not synced gets
 * to the disk any more, the journal's own buffers included, and every later access fails until it is unmounted and mounted again.
 * The kernel's shutdown operation, as testers of file systems use it. Only for file systems on loop devices: it refuses every other.
 * Exit codes: 0 all are cut, 1 failed or refused, 4 a file system that cannot be shut down. */
#include "common/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SHUTDOWN _IOR('X', 125, uint32_t)
#define SHUTDOWN_NO_LOG_FLUSH 2U
#define LOOP_MAJOR 7

static int cut(const char *path)
{
    struct stat st;
    uint32_t how = SHUTDOWN_NO_LOG_FLUSH;
    int code = 0, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)fprintf(stderr, "powercut: %s: %s\n", path, strerror(errno));
        code = 1;
    } else if (major(st.st_dev) != LOOP_MAJOR) {
        (void)fprintf(stderr, "powercut: %s is not on a loop device: refused\n", path);
        code = 1;
    } else if (ioctl(fd, SHUTDOWN, &how) != 0) {
        code = errno == ENOTTY || errno == EOPNOTSUPP ? 4 : 1;
        (void)fprintf(stderr, "powercut: %s: %s\n", path, strerror(errno));
    }
    if (fd >= 0)
        (void)close(fd);
    return code;
}

int main(int argc, char **argv)
{
    int worst = 0;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: powercut MOUNT-POINT…\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        int code = cut(argv[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}
