/* The real disk seam: one writer thread over a data folder that it locks against a second process. */
#ifndef COMMON_UV_DISK_H
#define COMMON_UV_DISK_H

#include "common/base.h"
#include "common/disk.h"

#include <uv.h>

struct uv_disk;

/* Makes the folder when it is missing. ERR_CONFLICT when another process holds it, ERR_PERMISSION, ERR_NO_SPACE, ERR_IO;
 * the message names it. */
int uv_disk_new(uv_loop_t *loop, const char *folder, struct disk *ret, struct uv_disk **ret_disk, struct err *reterr);
/* Finishes the jobs queued, ends the thread, closes its handle (run the loop once more) and frees it. */
void uv_disk_close(struct uv_disk *d);

#endif
