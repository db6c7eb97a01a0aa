/* YAML to JSON: scalars as Kubernetes resolves them, structure, aliases, complaints and bounds. */
#include "common/base.h"
#include "tests/test.h"

#include "common/json.h"
#include "common/yaml.h"

static void expect_json(const char *yaml, const char *json)
{
    struct buf out = {0};
    struct err err = {0};
    if (yaml_to_json(slice_str(yaml), &out, &err) != 0)
        fail_msg("%s: %s", yaml, err.message);
    assert_string_equal(out.data, json);
    buf_release(&out);
}

static void scalars_as_kubernetes_resolves_them(void **state)
{
    (void)state;
    expect_json("a: 1\nb: \"1\"\nc: yes\nd: 'yes'\ne: ~\nf: 0644\ng: 0x10\nh: 1.5\ni: 1e3\nj: text\nk: -7\n",
                "{\"a\":1,\"b\":\"1\",\"c\":true,\"d\":\"yes\",\"e\":null,\"f\":420,\"g\":16,\"h\":1.5,\"i\":1000,\"j\":\"text\",\"k\":-7}");
    expect_json("100m", "\"100m\"");
    expect_json("0o17", "15");
    expect_json("99999999999999999999", "1e+20");
    expect_json("", "null");
}

static void structure_and_aliases(void **state)
{
    (void)state;
    expect_json("- a\n- [b, {c: d}]\n- |\n  two\n  lines\n", "[\"a\",[\"b\",{\"c\":\"d\"}],\"two\\nlines\\n\"]");
    expect_json("x: &x {a: 1}\ny: *x\n1: z\n", "{\"x\":{\"a\":1},\"y\":{\"a\":1},\"1\":\"z\"}");
}

static void complaints_name_the_line(void **state)
{
    (void)state;
    struct buf out = {0};
    struct err err = {0};
    assert_int_equal(yaml_to_json(SLICE("kind: A\nmetadata: name: c\n"), &out, &err), ERR_BAD_REQUEST);
    assert_string_equal(err.message, "yaml: line 2: mapping values are not allowed in this context");
    assert_int_equal(yaml_to_json(SLICE("? [a]\n: b\n"), &out, &err), ERR_BAD_REQUEST);
    buf_release(&out);
}

/* Nine levels of nine aliases each would be 9^9 words. */
static void laughter_is_bounded(void **state)
{
    (void)state;
    struct buf text = {0}, out = {0};
    struct err err = {0};
    buf_append_str(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++)
        buf_printf(&text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1,
                   i - 1, i - 1, i - 1, i - 1);
    assert_int_equal(yaml_to_json(buf_slice(&text), &out, &err), ERR_TOO_LARGE);
    buf_release(&text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_as_kubernetes_resolves_them),
        cmocka_unit_test(structure_and_aliases),
        cmocka_unit_test(complaints_name_the_line),
        cmocka_unit_test(laughter_is_bounded),
    };
    return RUN_TESTS(tests);
}
