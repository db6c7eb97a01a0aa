/* A container is passed over in blocks of 64 bytes: bit masks say where quotes and brackets are, a running exclusive or
 * of the quotes which bytes lie inside strings, and counting the brackets outside where it ends. */
#include "common/base.h"

#include "common/json_scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK 64

struct masks {
    uint64_t quotes, escapes, opens, closes;
};

#ifdef __SSE2__
static uint64_t equal16(__m128i bytes, char c)
{
    return (uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}

static struct masks masks_of(const char *block)
{
    struct masks m = {0};
    for (unsigned i = 0; i < BLOCK / 16; i++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + (size_t)i * 16));
        __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); /* '[' and '{', ']' and '}' differ by this bit */
        m.quotes |= equal16(bytes, '"') << (i * 16);
        m.escapes |= equal16(bytes, '\\') << (i * 16);
        m.opens |= equal16(folded, '{') << (i * 16);
        m.closes |= equal16(folded, '}') << (i * 16);
    }
    return m;
}
#else
static struct masks masks_of(const char *block)
{
    struct masks m = {0};
    for (unsigned i = 0; i < BLOCK; i++) {
        char c = block[i];
        m.quotes |= (uint64_t)(c == '"') << i;
        m.escapes |= (uint64_t)(c == '\\') << i;
        m.opens |= (uint64_t)(c == '{' || c == '[') << i;
        m.closes |= (uint64_t)(c == '}' || c == ']') << i;
    }
    return m;
}
#endif

/* Bit i: is the number of bits up to i odd? */
static uint64_t running_xor(uint64_t bits)
{
    for (unsigned shift = 1; shift < 64; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

/* Which bytes follow a backslash that is none itself; *carry: does the first one? */
static uint64_t escaped_by(uint64_t escapes, bool *carry)
{
    uint64_t escaped = *carry;
    *carry = false;
    for (uint64_t left = escapes & ~escaped; left != 0; left &= ~escaped) {
        unsigned at = (unsigned)__builtin_ctzll(left);
        left &= left - 1;
        if (at == BLOCK - 1)
            *carry = true;
        else
            escaped |= (uint64_t)2 << at;
    }
    return escaped;
}

/* Without the instruction for it, which not every processor has, the compiler would call a function. */
static size_t count_bits(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (size_t)(bits * 0x0101010101010101u >> 56);
}

struct walk {
    size_t depth;
    uint64_t inside; /* all ones inside a string */
    bool carry;
};

/* Where in a block the container ends: one behind its last bracket; 0: not here. */
static size_t ends_in(struct walk *w, struct masks m)
{
    uint64_t escaped = m.escapes == 0 && !w->carry ? 0 : escaped_by(m.escapes, &w->carry);
    uint64_t inside = running_xor(m.quotes & ~escaped) ^ w->inside;
    uint64_t opens = m.opens & ~inside, closes = m.closes & ~inside;
    size_t seen = 0;
    w->inside = inside >> 63 == 0 ? 0 : UINT64_MAX;
    if (count_bits(closes) >= w->depth) {
        for (uint64_t left = closes; left != 0; left &= left - 1) {
            unsigned at = (unsigned)__builtin_ctzll(left);
            uint64_t before = opens & (((uint64_t)1 << at) - 1);
            if (w->depth + count_bits(before) == ++seen)
                return at + 1;
        }
    }
    w->depth += count_bits(opens);
    w->depth -= count_bits(closes);
    return 0;
}

static size_t skip_container(struct slice s, size_t at)
{
    struct walk w = {0};
    size_t end;
    for (; s.size - at >= BLOCK; at += BLOCK) {
        if ((end = ends_in(&w, masks_of(s.data + at))) > 0)
            return at + end;
    }
    char last[BLOCK] = {0};
    memcpy(last, s.data + at, s.size - at);
    end = ends_in(&w, masks_of(last));
    return end > 0 ? at + end : 0;
}

/* Past the string that begins at `at` (its opening quote); 0 when it does not end. */
static size_t skip_string(struct slice s, size_t at)
{
    for (at++; at < s.size; at++) {
        if (s.data[at] == '"')
            return at + 1;
        at += s.data[at] == '\\' ? 1 : 0;
    }
    return 0;
}

static size_t skip_blanks(struct slice s, size_t at)
{
    while (at < s.size && (s.data[at] == ' ' || s.data[at] == '\n' || s.data[at] == '\t' || s.data[at] == '\r'))
        at++;
    return at;
}

size_t json_skip(struct slice s, size_t at)
{
    size_t from = at;
    if (at >= s.size)
        return 0;
    if (s.data[at] == '"')
        return skip_string(s, at);
    if (s.data[at] == '{' || s.data[at] == '[')
        return skip_container(s, at);
    while (at < s.size && s.data[at] != ',' && s.data[at] != '}' && s.data[at] != ']' &&
           (unsigned char)s.data[at] > ' ')
        at++;
    return at == from ? 0 : at;
}

struct picking {
    struct slice *values;
    size_t n;
};

/* What is left of each path below here; NULL data: it leads elsewhere. */
struct rests {
    struct slice of[JSON_PICK_MAX];
};

/* Of the paths those that lead through a member of this name. Returns whether any goes on below it. */
static bool rests_below(const struct picking *p, const struct rests *r, struct slice name, struct slice value,
                        struct rests *ret)
{
    bool deeper = false;
    for (size_t i = 0; i < p->n; i++) {
        ret->of[i] = (struct slice){NULL, 0};
        if (r->of[i].data == NULL || !slice_has_prefix(r->of[i], name))
            continue;
        struct slice rest = slice_from(r->of[i], name.size);
        if (rest.size == 0) {
            p->values[i] = value;
        } else if (rest.data[0] == '.' && value.data[0] == '{') {
            ret->of[i] = slice_from(rest, 1);
            deeper = true;
        }
    }
    return deeper;
}

/* `at` is behind a container's opening bracket or a member: finds the next member. 1; 0 at the closing bracket, with
 * *ret_end behind it; -1 when there is neither. */
static int next_member(struct slice s, size_t *at, struct slice *ret_name, struct slice *ret_value, size_t *ret_end)
{
    size_t name = skip_blanks(s, *at);
    if (name < s.size && s.data[name] == '}') {
        *ret_end = name + 1;
        return 0;
    }
    if (name < s.size && s.data[name] == ',')
        name = skip_blanks(s, name + 1);
    if (name >= s.size || s.data[name] != '"')
        return -1;
    size_t behind = skip_string(s, name);
    size_t colon = behind == 0 ? s.size : skip_blanks(s, behind);
    if (colon >= s.size || s.data[colon] != ':')
        return -1;
    size_t value = skip_blanks(s, colon + 1), end = json_skip(s, value);
    if (end == 0)
        return -1;
    *ret_name = slice_of(s.data + name, behind - name);
    *ret_value = slice_of(s.data + value, end - value);
    *at = end;
    return 1;
}

/* One level; values with paths below them are walked after they were passed over, which finds their end in blocks. */
static int pick_level(const struct picking *p, struct slice object, const struct rests *r, size_t *ret_end)
{
    size_t at = 1;
    struct slice name, value;
    int more;
    while ((more = next_member(object, &at, &name, &value, ret_end)) == 1) {
        struct rests below;
        size_t end;
        if (rests_below(p, r, slice_of(name.data + 1, name.size - 2), value, &below) &&
            pick_level(p, value, &below, &end) != 0)
            return -1;
    }
    return more;
}

int json_pick(struct slice text, const char *const *paths, size_t n, struct slice *ret_values, struct err *reterr)
{
    struct picking p = {ret_values, n};
    struct rests all;
    size_t end = 0;
    ASSERT(n <= JSON_PICK_MAX);
    for (size_t i = 0; i < n; i++) {
        all.of[i] = slice_str(paths[i]);
        ret_values[i] = (struct slice){NULL, 0};
    }
    if (text.size == 0 || text.data[0] != '{' || pick_level(&p, text, &all, &end) != 0 ||
        skip_blanks(text, end) != text.size)
        return err_set(reterr, ERR_CORRUPT, "not a JSON object, or one that does not end");
    return 0;
}

bool json_pick_member(struct slice object, size_t *at, struct slice *ret_name, struct slice *ret_value)
{
    size_t end;
    if (object.size == 0 || object.data[0] != '{')
        return false;
    if (*at == 0)
        *at = 1;
    return next_member(object, at, ret_name, ret_value, &end) == 1;
}
