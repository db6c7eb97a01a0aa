#include "common/base.h"

#include "common/clock.h"
#include "common/err.h"

#include <stdio.h>

/* Days since 1970-01-01 of a proleptic Gregorian date, and back: the era arithmetic of H. Hinnant's
 * "chrono-compatible low-level date algorithms". */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static char *put_digits(char *to, unsigned v, int n, char behind)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        to[i] = (char)('0' + v % 10);
    to[n] = behind;
    return to + n + 1;
}

void time_format(int64_t wall_us, int digits, char text[TIME_TEXT_MAX])
{
    ASSERT(digits == 0 || digits == 3 || digits == 6);
    int64_t seconds = wall_us / 1000000, micros = wall_us % 1000000;
    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t y;
    unsigned m, d;
    civil_from_days(days, &y, &m, &d);
    if (y < 0 || y > 9999) { /* no such time is parsed; it shows as what it is */
        (void)snprintf(text, TIME_TEXT_MAX, "%lld-%02u-%02uT00:00:00Z", (long long)y, m, d); /* fits */
        return;
    }
    char *at = put_digits(text, (unsigned)y, 4, '-');
    at = put_digits(at, m, 2, '-');
    at = put_digits(at, d, 2, 'T');
    at = put_digits(at, (unsigned)(rest / 3600), 2, ':');
    at = put_digits(at, (unsigned)(rest / 60 % 60), 2, ':');
    at = put_digits(at, (unsigned)(rest % 60), 2, digits == 0 ? 'Z' : '.');
    if (digits != 0)
        at = put_digits(at, (unsigned)(digits == 3 ? micros / 1000 : micros), digits, 'Z');
    *at = '\0';
}

/* Reads exactly `count` digits. */
static bool take_number(struct slice *s, int count, int *ret)
{
    if (s->size < (size_t)count)
        return false;
    int v = 0;
    for (int i = 0; i < count; i++) {
        if (s->data[i] < '0' || s->data[i] > '9')
            return false;
        v = v * 10 + (s->data[i] - '0');
    }
    *s = slice_from(*s, (size_t)count);
    *ret = v;
    return true;
}

static bool take_char(struct slice *s, char upper)
{
    if (s->size == 0 || (s->data[0] != upper && s->data[0] != (upper | 0x20)))
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool take_fraction(struct slice *s, int *ret_micros)
{
    int scale = 100000, micros = 0;
    size_t digits = 0;
    while (digits < s->size && s->data[digits] >= '0' && s->data[digits] <= '9') {
        micros += (s->data[digits] - '0') * scale;
        scale /= 10;
        digits++;
    }
    *s = slice_from(*s, digits);
    *ret_micros = micros;
    return digits > 0;
}

static bool take_offset(struct slice *s, int *ret_minutes)
{
    *ret_minutes = 0;
    if (take_char(s, 'Z'))
        return true;
    int sign = take_char(s, '+') ? 1 : take_char(s, '-') ? -1 : 0;
    int h, m;
    if (sign == 0 || !take_number(s, 2, &h) || !take_char(s, ':') || !take_number(s, 2, &m) || h > 23 || m > 59)
        return false;
    *ret_minutes = sign * (h * 60 + m);
    return true;
}

int time_parse(struct slice text, int64_t *ret_wall_us)
{
    struct slice s = text;
    int y, mo, d, h, mi, sec, micros = 0, offset;
    if (!take_number(&s, 4, &y) || !take_char(&s, '-') || !take_number(&s, 2, &mo) || !take_char(&s, '-') ||
        !take_number(&s, 2, &d) || !take_char(&s, 'T') || !take_number(&s, 2, &h) || !take_char(&s, ':') ||
        !take_number(&s, 2, &mi) || !take_char(&s, ':') || !take_number(&s, 2, &sec))
        return ERR_BAD_REQUEST;
    if (take_char(&s, '.') && !take_fraction(&s, &micros))
        return ERR_BAD_REQUEST;
    if (!take_offset(&s, &offset) || s.size != 0)
        return ERR_BAD_REQUEST;
    if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || sec > 60)
        return ERR_BAD_REQUEST;
    int64_t seconds = days_from_civil(y, (unsigned)mo, (unsigned)d) * 86400 + h * 3600 + mi * 60 + sec - offset * 60;
    *ret_wall_us = seconds * 1000000 + micros;
    return 0;
}
