/* A reader by recursive descent, its depth bounded; the items of an open collection wait on one stack. */
#include "common/base.h"

#include "jepsen/edn.h"

struct reader {
    struct slice rest;
    struct arena *arena;
    struct edn *stack;
    size_t used, capacity, depth, line;
    struct err *reterr;
};

static int read_value(struct reader *r, struct edn *ret);

static int wrong(struct reader *r, const char *what)
{
    struct slice near = {r->rest.data, MIN(r->rest.size, (size_t)24)};
    near.size = slice_find(near, '\n');
    return err_set(r->reterr, ERR_BAD_REQUEST, "EDN: %s near \"%.*s\"", what, SLICE_ARGS(near));
}

static char peek(const struct reader *r) { return r->rest.size == 0 ? '\0' : r->rest.data[0]; }
static void skip(struct reader *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->line += r->rest.data[i] == '\n';
    r->rest = slice_from(r->rest, n);
}

static bool is_space(char c) { return c == ' ' || c == ',' || c == '\n' || c == '\t' || c == '\r'; }
static bool is_symbol(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("-_.*+!?$%&=<>/#:'", c) != NULL);
}

static size_t symbol_size(struct slice s)
{
    size_t n = 0;
    while (n < s.size && is_symbol(s.data[n]))
        n++;
    return n;
}

/* Space, comments, discarded values and tags. */
static int skip_space(struct reader *r)
{
    for (;;) {
        struct edn discarded;
        char next = r->rest.size > 1 ? r->rest.data[1] : '\0';
        if (r->rest.size != 0 && is_space(peek(r))) {
            skip(r, 1);
        } else if (peek(r) == ';') {
            skip(r, slice_find(r->rest, '\n'));
        } else if (peek(r) == '#' && next == '_') {
            skip(r, 2);
            int rv = read_value(r, &discarded);
            if (rv != 0)
                return rv;
        } else if (peek(r) == '#' && ((next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z'))) {
            skip(r, symbol_size(r->rest));
        } else {
            return 0;
        }
    }
}

static void push(struct reader *r, struct edn e)
{
    if (r->used == r->capacity) {
        r->capacity = MAX((size_t)64, r->capacity * 2);
        r->stack = mem_realloc(r->stack, r->capacity * sizeof r->stack[0]);
    }
    r->stack[r->used++] = e;
}

static int read_collection(struct reader *r, enum edn_kind kind, size_t open_size, char close, struct edn *ret)
{
    const size_t bottom = r->used;
    int rv = 0;
    skip(r, open_size);
    if (++r->depth > EDN_DEPTH_MAX)
        return wrong(r, "nested too deep");
    while ((rv = skip_space(r)) == 0 && r->rest.size != 0 && peek(r) != close) {
        struct edn item;
        if ((rv = read_value(r, &item)) != 0)
            return rv;
        if (r->used - bottom == EDN_COUNT_MAX)
            return wrong(r, "a collection with too many items");
        push(r, item);
    }
    if (rv != 0)
        return rv;
    if (peek(r) != close)
        return wrong(r, "a collection that is not closed");
    skip(r, 1);
    size_t count = r->used - bottom;
    if (kind == EDN_MAP && count % 2 != 0)
        return wrong(r, "a map with a key and no value");
    *ret = (struct edn){.kind = kind, .count = (uint32_t)count,
                        .items = arena_dup(r->arena, r->stack == NULL ? "" : (const char *)(r->stack + bottom), count * sizeof r->stack[0])};
    r->used = bottom;
    r->depth--;
    return 0;
}

static int read_string(struct reader *r, struct edn *ret)
{
    size_t end = 1, n = 0;
    while (end < r->rest.size && r->rest.data[end] != '"')
        end += r->rest.data[end] == '\\' ? 2 : 1;
    if (end >= r->rest.size || end > EDN_COUNT_MAX)
        return wrong(r, "a string that is not closed, or too long");
    char *text = arena_alloc(r->arena, end);
    for (size_t i = 1; i < end; i++) {
        char c = r->rest.data[i];
        if (c == '\\') {
            static const char names[] = "ntr\"\\", means[] = "\n\t\r\"\\";
            const char *at = memchr(names, r->rest.data[++i], sizeof names - 1);
            if (at == NULL)
                return wrong(r, "an unknown escape in a string");
            c = means[at - names];
        }
        text[n++] = c;
    }
    skip(r, end + 1);
    *ret = edn_string((struct slice){text, n});
    return 0;
}

static int read_number(struct reader *r, struct slice word, struct edn *ret)
{
    bool negative = word.data[0] == '-';
    uint64_t n = 0;
    size_t i = word.data[0] == '-' || word.data[0] == '+';
    if (i == word.size)
        return wrong(r, "a sign without a number");
    for (; i < word.size; i++) {
        if (word.data[i] == 'N' && i + 1 == word.size)
            break;
        if (word.data[i] < '0' || word.data[i] > '9' || n > (INT64_MAX - 9) / 10)
            return wrong(r, "a number that is no 64-bit integer");
        n = n * 10 + (uint64_t)(word.data[i] - '0');
    }
    skip(r, word.size);
    *ret = edn_int(negative ? -(int64_t)n : (int64_t)n);
    return 0;
}

static int read_word(struct reader *r, struct edn *ret)
{
    struct slice word = {r->rest.data, symbol_size(r->rest)};
    if (word.size == 0)
        return wrong(r, "an unexpected character");
    char c = word.data[0], next = word.size > 1 ? word.data[1] : '\0';
    if ((c >= '0' && c <= '9') || ((c == '-' || c == '+') && next >= '0' && next <= '9'))
        return read_number(r, word, ret);
    if (c == ':' && word.size > 1)
        *ret = edn_string(arena_slice(r->arena, slice_from(word, 1))), ret->kind = EDN_KEYWORD;
    else if (slice_is(word, "nil"))
        *ret = (struct edn){0};
    else if (slice_is(word, "true") || slice_is(word, "false"))
        *ret = edn_bool(c == 't');
    else
        return wrong(r, "a word that is no value");
    skip(r, word.size);
    return 0;
}

static int read_value(struct reader *r, struct edn *ret)
{
    int rv = skip_space(r);
    if (rv != 0)
        return rv;
    switch (peek(r)) {
    case '[': return read_collection(r, EDN_VECTOR, 1, ']', ret);
    case '(': return read_collection(r, EDN_VECTOR, 1, ')', ret);
    case '{': return read_collection(r, EDN_MAP, 1, '}', ret);
    case '"': return read_string(r, ret);
    case '\0': return wrong(r, "a value is missing");
    case '#':
        if (r->rest.size > 1 && r->rest.data[1] == '{')
            return read_collection(r, EDN_SET, 2, '}', ret);
        return wrong(r, "an unknown dispatch");
    default: return read_word(r, ret);
    }
}

int edn_read(struct slice *rest, struct arena *arena, struct edn *ret, size_t *line, struct err *reterr)
{
    struct reader r = {.rest = *rest, .arena = arena, .reterr = reterr};
    struct edn value;
    int rv = skip_space(&r), more = 0;
    if (rv == 0 && r.rest.size != 0) {
        rv = read_value(&r, &value);
        more = 1;
    }
    mem_free(r.stack);
    if (line != NULL)
        *line += r.line;
    if (rv != 0)
        return rv;
    if (more)
        *ret = value;
    *rest = r.rest;
    return more;
}

bool edn_equal(struct edn a, struct edn b)
{
    if (a.kind != b.kind || a.count != b.count)
        return false;
    switch (a.kind) {
    case EDN_NIL: return true;
    case EDN_BOOL:
    case EDN_INT: return a.number == b.number;
    case EDN_KEYWORD:
    case EDN_STRING: return slice_equal(edn_text(a), edn_text(b));
    case EDN_VECTOR:
    case EDN_SET:
    case EDN_MAP: break;
    }
    for (uint32_t i = 0; i < a.count; i++)
        if (!edn_equal(a.items[i], b.items[i]))
            return false;
    return true;
}

struct edn edn_get(struct edn map, const char *keyword)
{
    for (uint32_t i = 0; map.kind == EDN_MAP && i + 1 < map.count; i += 2)
        if (edn_is_keyword(map.items[i], keyword))
            return map.items[i + 1];
    return (struct edn){0};
}

static void print_string(struct buf *out, struct slice s)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.size; i++) {
        switch (s.data[i]) {
        case '\n': buf_append_str(out, "\\n"); break;
        case '\t': buf_append_str(out, "\\t"); break;
        case '\r': buf_append_str(out, "\\r"); break;
        case '"':
        case '\\': buf_append_char(out, '\\'); buf_append_char(out, s.data[i]); break;
        default: buf_append_char(out, s.data[i]);
        }
    }
    buf_append_char(out, '"');
}

static void print_items(struct buf *out, struct edn e, const char *open, char close)
{
    buf_append_str(out, open);
    for (uint32_t i = 0; i < e.count; i++) {
        if (i != 0)
            buf_append_str(out, e.kind == EDN_MAP && i % 2 == 0 ? ", " : " ");
        edn_print(out, e.items[i]);
    }
    buf_append_char(out, close);
}

void edn_print(struct buf *out, struct edn e)
{
    switch (e.kind) {
    case EDN_NIL: buf_append_str(out, "nil"); break;
    case EDN_BOOL: buf_append_str(out, e.number != 0 ? "true" : "false"); break;
    case EDN_INT: buf_printf(out, "%lld", (long long)e.number); break;
    case EDN_KEYWORD: buf_append_char(out, ':'); buf_append_slice(out, edn_text(e)); break;
    case EDN_STRING: print_string(out, edn_text(e)); break;
    case EDN_VECTOR: print_items(out, e, "[", ']'); break;
    case EDN_SET: print_items(out, e, "#{", '}'); break;
    case EDN_MAP: print_items(out, e, "{", '}'); break;
    }
}
