#include "common/base.h"

#include "jepsen/files.h"

#include <errno.h>
#include <stdio.h>

int file_read(const char *name, struct buf *out, struct err *reterr)
{
    FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    size_t n = 1;
    if (f == NULL)
        return err_set_errno(reterr, errno, "%s", name);
    while (n > 0 && out->size < FILE_BYTES_MAX) {
        buf_reserve(out, 1 << 20);
        n = fread(out->data + out->size, 1, 1 << 20, f);
        out->size += n;
    }
    int rv = ferror(f) ? err_set(reterr, ERR_IO, "%s: cannot be read", name) : 0;
    if (rv == 0 && out->size >= FILE_BYTES_MAX)
        rv = err_set(reterr, ERR_TOO_LARGE, "%s: more than %zu bytes", name, FILE_BYTES_MAX);
    if (f != stdin)
        (void)fclose(f); /* was only read */
    return rv;
}
