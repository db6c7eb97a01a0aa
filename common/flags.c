#include "common/base.h"

#include "common/flags.h"
#include "common/mem.h"

#include <errno.h>
#include <stdlib.h>

static const struct flag *find_flag(const struct flag *flags, struct slice name)
{
    for (const struct flag *f = flags; f->name != NULL; f++)
        if (slice_is(name, f->name) || (name.size == 1 && f->letter != '\0' && name.data[0] == f->letter))
            return f;
    return NULL;
}

/* Decimal number at the front of `text`; *ret_end is what follows it. */
static int parse_number(const char *text, int64_t *ret, const char **ret_end)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || errno != 0 || text[0] == ' ')
        return ERR_BAD_REQUEST;
    *ret = v;
    *ret_end = end;
    return 0;
}

static int set_int(const struct flag *f, const char *text)
{
    const char *end;
    int64_t v;
    if (parse_number(text, &v, &end) != 0 || *end != '\0')
        return ERR_BAD_REQUEST;
    *(int64_t *)f->target = v;
    return 0;
}

static int set_size(const struct flag *f, const char *text)
{
    const char *end;
    int64_t v;
    if (parse_number(text, &v, &end) != 0 || v < 0)
        return ERR_BAD_REQUEST;
    unsigned shift = *end == 'k' ? 10 : *end == 'm' ? 20 : *end == 'g' ? 30 : 0;
    if (end[shift != 0] != '\0' || v > INT64_MAX >> shift)
        return ERR_BAD_REQUEST;
    *(uint64_t *)f->target = (uint64_t)v << shift;
    return 0;
}

static int set_ms(const struct flag *f, const char *text)
{
    static const struct {
        const char *suffix;
        unsigned ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
    const char *end;
    int64_t v;
    if (parse_number(text, &v, &end) != 0 || v < 0)
        return ERR_BAD_REQUEST;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].suffix) != 0 || v > UINT32_MAX / units[i].ms)
            continue;
        *(unsigned *)f->target = (unsigned)v * units[i].ms;
        return 0;
    }
    return ERR_BAD_REQUEST;
}

static int set_bool(const struct flag *f, const char *text)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return ERR_BAD_REQUEST;
    *(bool *)f->target = yes;
    return 0;
}

static const char *wanted(enum flag_type type)
{
    switch (type) {
    case FLAG_TEXT: return "a text";
    case FLAG_BOOL: return "true or false";
    case FLAG_INT: return "a whole number";
    case FLAG_SIZE: return "a size such as 4096, 64k, 16m or 1g";
    case FLAG_MS: return "a time such as 250ms, 5s or 2m";
    }
    return "a value";
}

static int set_value(const struct flag *f, const char *text)
{
    switch (f->type) {
    case FLAG_TEXT: *(const char **)f->target = text; return 0;
    case FLAG_BOOL: return set_bool(f, text);
    case FLAG_INT: return set_int(f, text);
    case FLAG_SIZE: return set_size(f, text);
    case FLAG_MS: return set_ms(f, text);
    }
    return ERR_BAD_REQUEST;
}

static int read_environment(const struct flag *flags, char *(*lookup)(const char *name), struct err *reterr)
{
    for (const struct flag *f = flags; f->name != NULL; f++) {
        const char *text = f->environment == NULL || lookup == NULL ? NULL : lookup(f->environment);
        if (text != NULL && *text != '\0' && set_value(f, text) != 0)
            return err_set(reterr, ERR_BAD_REQUEST, "%s is \"%s\", but must be %s", f->environment, text, wanted(f->type));
    }
    return 0;
}

/* One argument that begins with a dash; *at moves over its value when that stands apart. */
static int take_flag(const struct flag *flags, int argc, char **argv, int *at, struct err *reterr)
{
    const char *word = argv[*at];
    struct slice rest = slice_str(word + (word[1] == '-' ? 2 : 1));
    const char *value = memchr(rest.data, '=', rest.size);
    const struct flag *f = find_flag(flags, slice_cut(&rest, '='));
    if (f == NULL)
        return err_set(reterr, ERR_BAD_REQUEST, "unknown flag %s; --help lists the known ones", word);
    if (value != NULL)
        value++;
    else if (f->type == FLAG_BOOL)
        value = "true";
    else if (*at + 1 < argc)
        value = argv[++*at];
    else
        return err_set(reterr, ERR_BAD_REQUEST, "flag --%s needs %s after it", f->name, wanted(f->type));
    if (set_value(f, value) != 0)
        return err_set(reterr, ERR_BAD_REQUEST, "flag --%s is \"%s\", but must be %s", f->name, value, wanted(f->type));
    return 0;
}

int flags_parse(const struct flag *flags, int argc, char **argv, char *(*lookup)(const char *name),
                struct flags_result *ret, struct err *reterr)
{
    struct flags_result r = {.arguments = mem_zalloc((size_t)MAX(argc, 1) * sizeof r.arguments[0])};
    bool flags_over = false;
    int status = read_environment(flags, lookup, reterr);
    for (int i = 1; status == 0 && i < argc; i++) {
        const char *word = argv[i];
        if (flags_over || word[0] != '-' || word[1] == '\0')
            r.arguments[r.argument_count++] = word;
        else if (strcmp(word, "--") == 0)
            flags_over = true;
        else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            r.help = true;
        else
            status = take_flag(flags, argc, argv, &i, reterr);
    }
    if (status != 0)
        flags_release(&r);
    else
        *ret = r;
    return status;
}

void flags_release(struct flags_result *r)
{
    mem_free(r->arguments);
    *r = (struct flags_result){0};
}

static void describe_default(const struct flag *f, struct buf *out)
{
    switch (f->type) {
    case FLAG_TEXT:
        if (*(const char **)f->target != NULL)
            buf_printf(out, " (default %s)", *(const char **)f->target);
        break;
    case FLAG_BOOL: break;
    case FLAG_INT: buf_printf(out, " (default %lld)", (long long)*(int64_t *)f->target); break;
    case FLAG_SIZE: buf_printf(out, " (default %llu)", (unsigned long long)*(uint64_t *)f->target); break;
    case FLAG_MS: buf_printf(out, " (default %ums)", *(unsigned *)f->target); break;
    }
    if (f->environment != NULL)
        buf_printf(out, " [%s]", f->environment);
}

void flags_help(const struct flag *flags, const char *usage, struct buf *out)
{
    static const char *const value_names[] = {" TEXT", "", " N", " SIZE", " TIME"};
    buf_printf(out, "%s\n\nFlags:\n", usage);
    for (const struct flag *f = flags; f->name != NULL; f++) {
        char letter[6] = "    ";
        if (f->letter != '\0')
            letter[0] = '-', letter[1] = f->letter, letter[2] = ',';
        size_t before = out->size;
        buf_printf(out, "  %s--%s%s", letter, f->name, value_names[f->type]);
        buf_printf(out, "%*s%s", (int)MAX((ssize_t)2, 32 - (ssize_t)(out->size - before)), "", f->help);
        describe_default(f, out);
        buf_append_char(out, '\n');
    }
    buf_append_str(out, "      --help                    this text\n");
}
