/* The table of bad inputs: reading it, carrying it out, comparing (tests/cases/bad_input/README.md has the format).
 *
 * read_cases.c   text → struct case_file, with what is repeated or kept put in later
 * match.c        an expected text with placeholders against what came
 * run_cases.c    main: requests through curl, command lines through sh, both printed side by side */
#ifndef TESTS_RUN_CASES_H
#define TESTS_RUN_CASES_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#define LINES_MAX 2000 /* of a file */
#define CAUSES_MAX 8

struct named {
    struct slice name, value;
};

/* One `key value` line with the indented lines that follow it, their first two columns cut off and joined by newlines. */
struct line {
    unsigned number;
    struct slice key, value;
    struct buf block; /* owned */
    bool has_block;
};

struct case_file {
    struct buf text;
    struct line *lines; /* LINES_MAX */
    size_t count;
};

int case_file_read(const char *path, struct case_file *ret, struct err *reterr);
void case_file_release(struct case_file *f);

struct names {
    struct named *items;
    size_t count, capacity;
};
void names_set(struct names *n, struct slice name, struct slice value); /* copies both; the last of a name counts */
struct slice names_get(const struct names *n, struct slice name);      /* data NULL when unknown */
void names_release(struct names *n);

/* Replaces ${name} and ${repeat:x:N}. ERR_NOT_FOUND names an unknown one. */
int names_fill(const struct names *n, struct slice text, struct buf *out, struct err *reterr);

/* True when `got` is `wanted`, in which <any>, <number>, <uuid>, <newline> and the names of `texts` stand for others. */
bool text_matches(const struct names *texts, struct slice wanted, struct slice got);

#endif
