/* Quantities are a sign, decimal digits and a suffix of one of three families: decimal SI (n u m k M G T P E), binary
 * SI (Ki … Ei) and exponents (e3). The family survives; the canonical form has the largest suffix with a whole number.
 */
#include "common/base.h"

#include "common/kube/quantity.h"

#define NANO ((__int128)1000000000)
#define DIGITS_MAX 64

static const char suffix_error[] =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

struct suffix {
    const char *text;
    enum quantity_format format;
    int power; /* of ten, or of 1024 */
};

static const struct suffix suffixes[] = {
    {"n", QUANTITY_DECIMAL, -9}, {"u", QUANTITY_DECIMAL, -6}, {"m", QUANTITY_DECIMAL, -3}, {"", QUANTITY_DECIMAL, 0},
    {"k", QUANTITY_DECIMAL, 3},  {"M", QUANTITY_DECIMAL, 6},  {"G", QUANTITY_DECIMAL, 9},  {"T", QUANTITY_DECIMAL, 12},
    {"P", QUANTITY_DECIMAL, 15}, {"E", QUANTITY_DECIMAL, 18}, {"Ki", QUANTITY_BINARY, 1},  {"Mi", QUANTITY_BINARY, 2},
    {"Gi", QUANTITY_BINARY, 3},  {"Ti", QUANTITY_BINARY, 4},  {"Pi", QUANTITY_BINARY, 5},  {"Ei", QUANTITY_BINARY, 6},
};

static __int128 cap(void) { return (__int128)INT64_MAX * NANO; }

static bool exponent_parse(struct slice s, int *ret)
{
    bool negative = s.size > 0 && s.data[0] == '-';
    if (s.size > 0 && (s.data[0] == '-' || s.data[0] == '+'))
        s = slice_from(s, 1);
    if (s.size == 0 || s.size > 3)
        return false;
    int v = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        v = v * 10 + (s.data[i] - '0');
    }
    *ret = negative ? -v : v;
    return true;
}

static bool suffix_parse(struct slice s, struct suffix *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (slice_is(s, suffixes[i].text)) {
            *ret = suffixes[i];
            return true;
        }
    }
    if (s.size < 2 || (s.data[0] != 'e' && s.data[0] != 'E'))
        return false;
    ret->text = "e";
    ret->format = QUANTITY_EXPONENT;
    return exponent_parse(slice_from(s, 1), &ret->power);
}

/* digits × 10^scale × 1024^binary as nano units, rounded up, capped. */
static __int128 scaled(const char *digits, size_t n, int scale, int binary)
{
    __int128 v = 0;
    bool rest = false;
    int power = scale + 9;
    for (size_t i = 0; i < n; i++) {
        /* Digits below a nano only count as "something was there", unless a binary suffix lifts them. */
        if ((int)(n - 1 - i) + power < (binary > 0 ? -19 : 0)) {
            rest |= digits[i] != '0';
            continue;
        }
        v = v * 10 + (digits[i] - '0');
        if (v > cap())
            return cap();
    }
    int dropped = MIN(MAX(-(power)-19, 0), (int)n);
    int left = binary > 0 ? power + dropped : MAX(power, 0);
    for (; binary > 0; binary--) {
        v *= 1024;
        if (v > cap() * 1024)
            return cap();
    }
    for (; left > 0 && v != 0; left--) {
        v *= 10;
        if (v > cap())
            return cap();
    }
    for (; left < 0; left++) {
        rest |= v % 10 != 0;
        v /= 10;
    }
    v += rest ? 1 : 0;
    return MIN(v, cap());
}

/* [eEinumkKMGTP]*[-+]?[0-9]*, the second half of the documented expression. */
static bool looks_like_suffix(struct slice s)
{
    size_t at = 0;
    while (at < s.size && memchr("eEinumkKMGTP", s.data[at], 12) != NULL)
        at++;
    at += at < s.size && (s.data[at] == '-' || s.data[at] == '+') ? 1 : 0;
    while (at < s.size && s.data[at] >= '0' && s.data[at] <= '9')
        at++;
    return at == s.size;
}

int quantity_parse(struct slice text, struct quantity *ret, struct err *reterr)
{
    char digits[DIGITS_MAX];
    size_t n = 0, at = 0;
    int scale = 0;
    bool dot = false, negative = text.size > 0 && text.data[0] == '-';
    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        at = 1;
    for (; at < text.size; at++) {
        char c = text.data[at];
        if (c == '.' && !dot) {
            dot = true;
        } else if (c >= '0' && c <= '9') {
            if (n == DIGITS_MAX)
                return err_set(reterr, ERR_INVALID, "%s", suffix_error);
            if (n > 0 || c != '0')
                digits[n++] = c;
            scale -= dot ? 1 : 0;
        } else {
            break;
        }
    }
    struct suffix suffix;
    size_t number = at - (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0) - (dot ? 1 : 0);
    if (number == 0 || !looks_like_suffix(slice_from(text, at)))
        return err_set(reterr, ERR_INVALID, "%s", suffix_error);
    if (!suffix_parse(slice_from(text, at), &suffix))
        return err_set(reterr, ERR_INVALID, "unable to parse quantity's suffix");
    bool binary = suffix.format == QUANTITY_BINARY;
    __int128 v = n == 0 ? 0 : scaled(digits, n, scale + (binary ? 0 : suffix.power), binary ? suffix.power : 0);
    *ret = (struct quantity){negative ? -v : v, suffix.format};
    return 0;
}

static void print_int128(__int128 v, struct buf *out)
{
    char text[48];
    size_t at = sizeof text;
    bool negative = v < 0;
    unsigned __int128 u = negative ? (unsigned __int128)-v : (unsigned __int128)v;
    do {
        text[--at] = (char)('0' + (int)(u % 10));
        u /= 10;
    } while (u != 0);
    if (negative)
        text[--at] = '-';
    buf_append(out, text + at, sizeof text - at);
}

static void print_binary(__int128 whole, struct buf *out)
{
    static const char *const names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    size_t power = 0;
    while (power + 1 < ARRAY_LEN(names) && whole % 1024 == 0) {
        whole /= 1024;
        power++;
    }
    print_int128(whole, out);
    buf_append_str(out, names[power]);
}

static void print_decimal(__int128 nano, bool exponent, struct buf *out)
{
    static const char *const names[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
    size_t power = 0;
    while (power + 1 < ARRAY_LEN(names) && nano % 1000 == 0) {
        nano /= 1000;
        power++;
    }
    print_int128(nano, out);
    if (!exponent)
        buf_append_str(out, names[power]);
    else if (power != 3)
        buf_printf(out, "e%d", ((int)power - 3) * 3);
}

static __int128 whole_up(__int128 nano, __int128 unit)
{
    __int128 whole = nano / unit;
    return nano % unit == 0 ? whole : whole + (nano > 0 ? 1 : -1);
}

void quantity_print(struct quantity q, struct buf *out)
{
    if (q.nano == 0) {
        buf_append_char(out, '0');
        return;
    }
    bool small = q.nano > -1024 * NANO && q.nano < 1024 * NANO;
    if (q.format == QUANTITY_BINARY && !small)
        print_binary(whole_up(q.nano, NANO), out);
    else
        print_decimal(q.nano, q.format == QUANTITY_EXPONENT, out);
}

int quantity_compare(struct quantity a, struct quantity b) { return (a.nano > b.nano) - (a.nano < b.nano); }

int64_t quantity_value(struct quantity q) { return (int64_t)whole_up(q.nano, NANO); }

int64_t quantity_milli(struct quantity q)
{
    __int128 v = whole_up(q.nano, NANO / 1000);
    return (int64_t)MIN(MAX(v, (__int128)INT64_MIN), (__int128)INT64_MAX);
}
