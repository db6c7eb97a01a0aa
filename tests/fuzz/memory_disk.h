/* A disk seam in memory that carries jobs out at once and tells of them on the loop. Nothing fails, nothing is lost. */
#ifndef TESTS_FUZZ_MEMORY_DISK_H
#define TESTS_FUZZ_MEMORY_DISK_H

#include "common/env.h"
#include "common/map.h"

struct memory_disk {
    struct map files; /* name → struct buf * */
    struct env *env;  /* whose loop tells */
};

void memory_disk_init(struct memory_disk *d, struct env *env); /* becomes env's disk */
void memory_disk_clear(struct memory_disk *d);
void memory_disk_put(struct memory_disk *d, const char *name, struct slice bytes);
struct buf *memory_disk_get(struct memory_disk *d, const char *name); /* NULL: no such file */

#endif
