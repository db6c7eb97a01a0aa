/* What every unit test includes: cmocka, and the main function's body. `TEST_FILTER` in the environment (a shell pattern)
 * picks cases by name. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include "common/base.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static inline const char *test_filter(void)
{
    const char *pattern = getenv("TEST_FILTER");
    return pattern != NULL && pattern[0] != '\0' ? pattern : NULL;
}

#define RUN_TESTS(tests) \
    (cmocka_set_test_filter(test_filter()), cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL))

#define assert_slice_equal(s, text) assert_true(slice_is(s, text))
#define assert_ok(call) assert_int_equal(call, 0)

#endif
