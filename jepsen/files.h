/* Reading the files of a run: what the programs here share. */
#ifndef JEPSEN_FILES_H
#define JEPSEN_FILES_H

#include "common/buf.h"
#include "common/err.h"

#define FILE_BYTES_MAX ((size_t)8 << 30)

/* All of a file, "-" for the standard input, appended to `out`. ERR_TOO_LARGE above FILE_BYTES_MAX; the message names the file. */
int file_read(const char *name, struct buf *out, struct err *reterr);

#endif
