/* A tree from a test's own text. */
#ifndef TESTS_SUPPORT_JSON_TEXT_H
#define TESTS_SUPPORT_JSON_TEXT_H

#include "tests/test.h"

#include "common/json.h"

static inline struct json *parse(struct json_doc *d, const char *text)
{
    struct json *v = NULL;
    struct err why;
    if (json_parse(d, slice_str(text), &v, &why) != 0)
        fail_msg("%s: %s", text, why.message);
    return v;
}

#endif
