/* power_off MOUNTPOINT…: cuts the power of mounted ext4 or XFS file systems, one right after the other: nothing that was not
 * synced gets to the disk any more, the journal's own buffers included, and every later operation fails until the file system
 * is unmounted and mounted again. The kernel's shutdown operation, as file-system testers use it. */
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHUTDOWN _IOR('X', 125, __u32)
#define SHUTDOWN_NO_LOG_FLUSH 2u

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        __u32 how = SHUTDOWN_NO_LOG_FLUSH;
        int fd = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || ioctl(fd, SHUTDOWN, &how) != 0) {
            perror(argv[i]);
            failed = 1;
        }
        if (fd >= 0)
            close(fd);
    }
    return failed;
}
