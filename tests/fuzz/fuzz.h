/* What every fuzz target provides. Under clang's libFuzzer (CONFIG=fuzz) checksums count as right, so that what lies behind
 * them is reached; `make test` replays the seeds and what was ever found, with real checksums, under gcc's sanitizers. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/base.h"
#include "common/buf.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv); /* "--seeds FOLDER": writes them there and ends */

/* Calls `add` with each input to begin with, made by the real writers. */
void fuzz_seeds(void (*add)(void *arg, const char *name, struct slice input), void *arg);

#endif
