/* Reads the tables of cases, and puts names into texts. */
#include "common/base.h"
#include "tests/cases/run_cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"

static int read_all(const char *path, struct buf *out, struct err *reterr)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return err_set_errno(reterr, errno, "read %s", path);
    char piece[8192];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_append(out, piece, n);
    bool bad = ferror(f) != 0;
    (void)fclose(f); /* only read */
    return bad ? err_set(reterr, ERR_IO, "read %s", path) : 0;
}

static void block_add(struct line *l, struct slice text)
{
    if (l->has_block)
        buf_append_char(&l->block, '\n');
    l->has_block = true;
    buf_append_slice(&l->block, slice_from(text, MIN(text.size, (size_t)2)));
}

int case_file_read(const char *path, struct case_file *ret, struct err *reterr)
{
    *ret = (struct case_file){.lines = mem_zalloc(LINES_MAX * sizeof(struct line))};
    int rv = read_all(path, &ret->text, reterr);
    struct slice rest = buf_slice(&ret->text);
    for (unsigned number = 1; rv == 0 && rest.data != NULL; number++) {
        struct slice text = slice_cut(&rest, '\n');
        if (text.size == 0 || text.data[0] == '#')
            continue;
        if (text.data[0] == ' ') {
            if (ret->count == 0)
                return err_set(reterr, ERR_BAD_REQUEST, "%s:%u: an indented line belongs to nothing", path, number);
            block_add(&ret->lines[ret->count - 1], text);
            continue;
        }
        if (ret->count == LINES_MAX)
            return err_set(reterr, ERR_TOO_LARGE, "%s: more than %d lines: split it", path, LINES_MAX);
        struct line *l = &ret->lines[ret->count++];
        l->number = number;
        l->value = text;
        l->key = slice_cut(&l->value, ' ');
    }
    return rv;
}

void case_file_release(struct case_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        buf_release(&f->lines[i].block);
    mem_free(f->lines);
    buf_release(&f->text);
}

void names_set(struct names *n, struct slice name, struct slice value)
{
    if (n->count == n->capacity) {
        n->capacity = n->capacity * 2 + 16;
        n->items = mem_realloc(n->items, n->capacity * sizeof *n->items);
    }
    n->items[n->count++] = (struct named){{mem_slice_dup(name), name.size}, {mem_slice_dup(value), value.size}};
}

struct slice names_get(const struct names *n, struct slice name)
{
    for (size_t i = n->count; i > 0; i--)
        if (slice_equal(n->items[i - 1].name, name))
            return n->items[i - 1].value;
    return (struct slice){NULL, 0};
}

void names_release(struct names *n)
{
    for (size_t i = 0; i < n->count; i++) {
        mem_free((char *)n->items[i].name.data);
        mem_free((char *)n->items[i].value.data);
    }
    mem_free(n->items);
}

static int fill_one(const struct names *n, struct slice name, struct buf *out, struct err *reterr)
{
    if (slice_has_prefix(name, SLICE("repeat:")) && name.size > 9) {
        char number[16];
        (void)snprintf(number, sizeof number, "%.*s", (int)MIN(name.size - 9, sizeof number - 1), name.data + 9);
        for (unsigned long i = strtoul(number, NULL, 10); i > 0; i--)
            buf_append_char(out, name.data[7]);
        return 0;
    }
    struct slice value = names_get(n, name);
    if (value.data == NULL)
        return err_set(reterr, ERR_NOT_FOUND, "${%.*s} is known to nobody", SLICE_ARGS(name));
    buf_append_slice(out, value);
    return 0;
}

int names_fill(const struct names *n, struct slice text, struct buf *out, struct err *reterr)
{
    for (size_t i = 0; i < text.size;) {
        struct slice rest = slice_from(text, i);
        size_t end = slice_find(rest, '}');
        if (!slice_has_prefix(rest, SLICE("${")) || end == rest.size) {
            buf_append_char(out, text.data[i++]);
            continue;
        }
        int rv = fill_one(n, slice_of(rest.data + 2, end - 2), out, reterr);
        if (rv < 0)
            return rv;
        i += end + 1;
    }
    return 0;
}
