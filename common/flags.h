/* Command lines: a table of flags, each with a typed target that holds its default before the call.
 *   --name value   --name=value   -w value (one-letter name)   --name (FLAG_BOOL; --name=false switches it off)
 * `--` ends the flags. What is no flag is an argument, in any place. Pure: prints nothing, exits nowhere. */
#ifndef COMMON_FLAGS_H
#define COMMON_FLAGS_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

enum flag_type {
    FLAG_TEXT, /* const char *, borrowed from argv */
    FLAG_BOOL, /* bool */
    FLAG_INT,  /* int64_t, decimal, may be negative */
    FLAG_SIZE, /* uint64_t, decimal, with an optional suffix k, m or g (powers of 1024) */
    FLAG_MS,   /* unsigned, milliseconds: 250ms, 5s, 2m, 1h; a bare number is in seconds */
};

/* A table ends with a row without a name. */
struct flag {
    const char *name;    /* without dashes */
    enum flag_type type;
    void *target;
    const char *help;
    char letter;         /* '\0': none */
    const char *environment; /* a variable that stands in when the flag is absent; NULL: none */
};

struct flags_result {
    const char **arguments; /* what was no flag, in order; owned by the caller, freed with flags_release */
    size_t argument_count;
    bool help;              /* --help or -h was given: print flags_help and exit 0 */
};

/* ERR_BAD_REQUEST names the flag: unknown, without a value, or with one that does not parse. argv[0] is skipped.
 * `lookup` reads the environment (getenv in main.c), NULL: no environment. */
int flags_parse(const struct flag *flags, int argc, char **argv, char *(*lookup)(const char *name),
                struct flags_result *ret, struct err *reterr);
void flags_release(struct flags_result *r);

/* `usage` and one line per flag with its default as it stands in the target. */
void flags_help(const struct flag *flags, const char *usage, struct buf *out);

#endif
