/* powercut MOUNT-POINT: cuts the power of a mounted ext4 (also xfs, f2fs): from now on it fails every access, and what had not been
 * synced is not there when it is mounted again. For file systems made for that, on a loop device: it refuses every other. */
#include "common/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define GOING_DOWN _IOR('X', 125, uint32_t)
#define WITHOUT_LOG_FLUSH 2U
#define LOOP_MAJOR 7

int main(int argc, char **argv)
{
    struct stat st;
    uint32_t how = WITHOUT_LOG_FLUSH;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: powercut MOUNT-POINT\n");
        return 2;
    }
    int fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)fprintf(stderr, "powercut: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    if (major(st.st_dev) != LOOP_MAJOR) {
        (void)fprintf(stderr, "powercut: %s is not on a loop device: refused\n", argv[1]);
        return 1;
    }
    if (ioctl(fd, GOING_DOWN, &how) != 0) {
        (void)fprintf(stderr, "powercut: %s: %s\n", argv[1], strerror(errno));
        return errno == ENOTTY || errno == EOPNOTSUPP ? 4 : 1;
    }
    return 0;
}
