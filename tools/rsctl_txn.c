/* rsctl txn: three paragraphs on standard input, each ended by an empty line:
 *   compares    mod("key") > "0"      targets: value|val create|c version|ver mod|m lease; operators: = != < >
 *   then        put key "value" --prev-kv
 *   else        get key --prefix
 */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TXN_INPUT_BYTES_MAX (4u * 1024 * 1024)
#define TXN_WORDS_MAX 16

struct txn_input {
    struct kv_compare compares[KV_TXN_OPS_MAX];
    struct kv_op ops[2][KV_TXN_OPS_MAX];
    size_t compare_count, op_count[2];
    struct arena arena;
};

static int bad_line(const char *what, struct slice line)
{
    fprintf(stderr, "rsctl: %s: %.*s\n", what, SLICE_ARGS(line));
    return RSCTL_INPUT;
}

static void skip_space(struct slice *s)
{
    while (s->size > 0 && isspace((unsigned char)s->data[0]))
        *s = slice_from(*s, 1);
}

static bool ends_word(char c) { return isspace((unsigned char)c) || strchr("()=!<>", c) != NULL; }

/* The next word, quotes and backslashes resolved; `plain`: brackets and operators end it. */
static bool next_word(struct txn_input *t, struct slice *rest, bool plain, struct slice *ret)
{
    struct buf word = {0};
    char quote = '\0';
    size_t i = 0;
    skip_space(rest);
    for (; i < rest->size; i++) {
        char c = rest->data[i];
        if (quote == '\0' && (plain ? ends_word(c) : isspace((unsigned char)c)))
            break;
        if (quote == '\0' && (c == '"' || c == '\''))
            quote = c;
        else if (c == quote)
            quote = '\0';
        else if (c == '\\' && quote != '\'' && i + 1 < rest->size)
            buf_append_char(&word, rest->data[++i] == 'n' ? '\n' : rest->data[i]);
        else
            buf_append_char(&word, c);
    }
    bool ok = quote == '\0' && i > 0;
    *rest = slice_from(*rest, i);
    *ret = arena_slice(&t->arena, buf_slice(&word));
    buf_release(&word);
    return ok;
}

static bool take_char(struct slice *rest, char c)
{
    skip_space(rest);
    if (rest->size == 0 || rest->data[0] != c)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

static bool parse_target(struct slice word, enum kv_compare_target *ret)
{
    static const struct {
        const char *name;
        enum kv_compare_target target;
    } names[] = {{"value", KV_COMPARE_VALUE}, {"val", KV_COMPARE_VALUE}, {"create", KV_COMPARE_CREATE}, {"c", KV_COMPARE_CREATE},
                 {"version", KV_COMPARE_VERSION}, {"ver", KV_COMPARE_VERSION}, {"mod", KV_COMPARE_MOD}, {"m", KV_COMPARE_MOD},
                 {"lease", KV_COMPARE_LEASE}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_is(word, names[i].name)) {
            *ret = names[i].target;
            return true;
        }
    return false;
}

static bool parse_operator(struct slice *rest, enum kv_compare_result *ret)
{
    if (take_char(rest, '!'))
        return *ret = KV_NOT_EQUAL, take_char(rest, '=');
    if (take_char(rest, '='))
        return *ret = KV_EQUAL, true;
    if (take_char(rest, '<'))
        return *ret = KV_LESS, true;
    return *ret = KV_GREATER, take_char(rest, '>');
}

static bool parse_compare(struct txn_input *t, struct slice line, struct kv_compare *ret)
{
    struct slice word, key, value, rest = line;
    *ret = (struct kv_compare){0};
    if (!next_word(t, &rest, true, &word) || !parse_target(word, &ret->target) || !take_char(&rest, '(') ||
        !next_word(t, &rest, true, &key) || !take_char(&rest, ')') || !parse_operator(&rest, &ret->result) ||
        !next_word(t, &rest, false, &value))
        return false;
    skip_space(&rest);
    ret->span.key = key;
    ret->value = value;
    if (ret->target != KV_COMPARE_VALUE) {
        char *end;
        ret->number = strtoll(value.data, &end, ret->target == KV_COMPARE_LEASE ? 16 : 10);
        if (value.size == 0 || *end != '\0')
            return false;
    }
    return rest.size == 0;
}

static int build_op(struct txn_input *t, const struct rsctl_flags *f, const char *verb, const char *const *arguments, size_t n,
                    struct kv_op *ret)
{
    struct buf scratch = {0};
    struct kv_span span = {0};
    int code = RSCTL_OK;
    *ret = (struct kv_op){0};
    if (strcmp(verb, "put") == 0) {
        if (n != 2)
            return rsctl_usage("put wants a key and a value");
        ret->kind = KV_OP_PUT;
        ret->put = (struct kv_put){.key = slice_str(arguments[0]), .value = slice_str(arguments[1]), .prev_kv = f->prev_kv,
                                   .lease = f->lease, .ignore_value = f->ignore_value, .ignore_lease = f->ignore_lease};
        return RSCTL_OK;
    }
    code = rsctl_span(f, arguments, n, &scratch, &span);
    span.end = arena_slice(&t->arena, span.end); /* may stand in scratch */
    buf_release(&scratch);
    if (code != RSCTL_OK)
        return code;
    if (strcmp(verb, "get") == 0) {
        ret->kind = KV_OP_RANGE;
        return rsctl_range(f, span, &ret->range);
    }
    if (strcmp(verb, "del") != 0)
        return rsctl_usage("unknown operation \"%s\": put, get and del are known", verb);
    ret->kind = KV_OP_DELETE;
    ret->delete = (struct kv_delete){span, f->prev_kv};
    return RSCTL_OK;
}

static int parse_op(struct txn_input *t, struct slice line, struct kv_op *ret)
{
    char *words[TXN_WORDS_MAX + 1] = {(char *)"txn"};
    int n = 1;
    struct slice rest = line, word;
    const char **arguments = NULL;
    size_t count = 0;
    struct rsctl_flags f = {0};
    for (skip_space(&rest); rest.size > 0; skip_space(&rest)) {
        if (n == TXN_WORDS_MAX || !next_word(t, &rest, false, &word))
            return bad_line("malformed operation", line);
        words[n++] = (char *)word.data;
    }
    if (rsctl_parse_flags(&f, n, words, &arguments, &count) != RSCTL_OK)
        return bad_line("malformed operation", line);
    int code = count == 0 ? RSCTL_INPUT : build_op(t, &f, arguments[0], arguments + 1, count - 1, ret);
    mem_free(arguments);
    return code == RSCTL_OK ? RSCTL_OK : bad_line("malformed operation", line);
}

static int parse_line(struct txn_input *t, int part, struct slice line)
{
    size_t *count = part == 0 ? &t->compare_count : &t->op_count[part - 1];
    if (*count == KV_TXN_OPS_MAX)
        return bad_line("too many lines", line);
    if (part == 0 && !parse_compare(t, line, &t->compares[*count]))
        return bad_line("malformed compare, such as mod(\"key\") > \"0\"", line);
    int code = part == 0 ? RSCTL_OK : parse_op(t, line, &t->ops[part - 1][*count]);
    if (code == RSCTL_OK)
        ++*count;
    return code;
}

static int parse_input(struct txn_input *t, struct slice text)
{
    int part = 0, code = RSCTL_OK;
    while (text.size > 0 && part < 3 && code == RSCTL_OK) {
        struct slice line = slice_cut(&text, '\n'), content = line;
        skip_space(&content);
        if (content.size == 0)
            part++;
        else
            code = parse_line(t, part, line);
    }
    return code;
}

/* On a terminal the three parts are asked for. */
static bool read_interactive(struct buf *text)
{
    static const char *const asks[] = {"compares:", "success requests (get, put, del):", "failure requests (get, put, del):"};
    char line[4096];
    for (size_t part = 0; part < ARRAY_LEN(asks); part++) {
        printf("%s\n", asks[part]);
        while (fgets(line, sizeof line, stdin) != NULL) {
            buf_append_str(text, line);
            if (line[0] == '\n')
                break;
        }
    }
    return !ferror(stdin);
}

static void print_txn_call(struct rsctl *r, struct store_call *call) { print_txn(r, &call->header, &call->txn); }

int rsctl_txn(struct rsctl *r)
{
    struct buf text = {0};
    struct txn_input *t = NEW(struct txn_input);
    struct rsctl_call call;
    bool ok = r->flags.interactive && isatty(STDIN_FILENO) ? read_interactive(&text) : rsctl_read_input(&text, TXN_INPUT_BYTES_MAX);
    int code = ok ? parse_input(t, buf_slice(&text)) : rsctl_usage("standard input is too long or cannot be read");
    if (code == RSCTL_OK) {
        rsctl_call_init(&call, r, print_txn_call);
        store_txn(rsctl_client(r), &call.call,
                  &(struct kv_txn){t->compares, t->ops[0], t->ops[1], t->compare_count, t->op_count[0], t->op_count[1]},
                  r->flags.timeout_ms);
        code = rsctl_finish(&call);
    }
    arena_clear(&t->arena);
    mem_free(t);
    buf_release(&text);
    return code;
}
