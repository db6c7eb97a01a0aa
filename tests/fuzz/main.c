/* Seeds for libFuzzer, and without it the replay: main() is weak where libFuzzer brings its own. */
#include "tests/fuzz/fuzz.h"

#include "common/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_seed(void *arg, const char *name, struct slice input)
{
    char *path = mem_printf("%s/%s", (const char *)arg, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(input.data, 1, input.size, f) != input.size || fclose(f) != 0) {
        fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    mem_free(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (*argc == 3 && strcmp((*argv)[1], "--seeds") == 0) {
        fuzz_seeds(write_seed, (*argv)[2]);
        exit(0);
    }
    return 0;
}

#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
static void replay_seed(void *arg, const char *name, struct slice input)
{
    (void)name;
    ++*(int *)arg;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.size);
}

static bool replay_file(const char *folder, const char *name)
{
    struct buf bytes = {0};
    char *path = mem_printf("%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    for (size_t n = 1; f != NULL && n > 0;) {
        buf_reserve(&bytes, 65536);
        n = fread(bytes.data + bytes.size, 1, 65536, f);
        bytes.size += n;
    }
    bool read = f != NULL && !ferror(f);
    if (read)
        (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes.data, bytes.size);
    else
        fprintf(stderr, "fuzz: %s cannot be read\n", path);
    if (f != NULL)
        (void)fclose(f); /* only read */
    buf_release(&bytes);
    mem_free(path);
    return read;
}

/* Seeds and the files of a folder, once each: whatever is wrong with them ends the program. */
int main(int argc, char **argv)
{
    int seeds = 0, files = 0;
    (void)LLVMFuzzerInitialize(&argc, &argv);
    fuzz_seeds(replay_seed, &seeds);
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        if (!replay_file(argv[1], e->d_name))
            return 1;
        files++;
    }
    if (d != NULL)
        closedir(d);
    printf("%d seeds, %d files of what was found\n", seeds, files);
    return seeds > 0 ? 0 : 1;
}
#endif
