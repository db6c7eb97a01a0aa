/* Expected texts with placeholders. */
#include "common/base.h"
#include "tests/cases/run_cases.h"

#include <ctype.h>

static size_t digits(struct slice s)
{
    size_t n = 0;
    while (n < s.size && isdigit((unsigned char)s.data[n]))
        n++;
    return n;
}

static size_t uuid(struct slice s)
{
    size_t n = 0;
    while (n < s.size && (isxdigit((unsigned char)s.data[n]) || s.data[n] == '-'))
        n++;
    return n == 36 ? n : 0;
}

/* Placeholders nest only by the texts of a file, which hold none: the recursion is bounded by their number in a line. */
bool text_matches(const struct names *texts, struct slice wanted, struct slice got)
{
    while (wanted.size > 0) {
        size_t end = wanted.data[0] == '<' ? slice_find(wanted, '>') : wanted.size;
        struct slice name = end < wanted.size ? slice_of(wanted.data + 1, end - 1) : (struct slice){NULL, 0};
        struct slice text = name.data == NULL ? name : slice_is(name, "newline") ? SLICE("\n") : names_get(texts, name);
        if (slice_is(name, "any")) {
            for (size_t i = 0; i <= got.size; i++)
                if (text_matches(texts, slice_from(wanted, end + 1), slice_from(got, i)))
                    return true;
            return false;
        }
        size_t eaten = 1, used = 1;
        if (slice_is(name, "number") || slice_is(name, "uuid")) {
            eaten = slice_is(name, "number") ? digits(got) : uuid(got);
            used = end + 1;
            if (eaten == 0)
                return false;
        } else if (text.data != NULL) {
            if (!slice_has_prefix(got, text))
                return false;
            eaten = text.size;
            used = end + 1;
        } else if (got.size == 0 || got.data[0] != wanted.data[0])
            return false;
        wanted = slice_from(wanted, used);
        got = slice_from(got, eaten);
    }
    return got.size == 0;
}
