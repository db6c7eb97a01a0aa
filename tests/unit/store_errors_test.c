#include "tests/test.h"

#include "raftstore/member.h"
#include "raftstore/store_errors.h"

/* Whoever reads an error finds its own row, with and without what follows the text. */
static void every_text_is_its_own(void **state UNUSED)
{
    for (int i = 0; i < STORE_ERRORS; i++) {
        const struct store_error_row *row = store_error_row((enum store_error)i);
        struct err plain, detailed;
        assert_int_equal(store_err(&plain, (enum store_error)i, "%s", ""), row->status);
        assert_string_equal(plain.message, row->text);
        assert_int_equal(store_err(&detailed, (enum store_error)i, "key %d: x", 7), row->status);
        assert_true(store_error_find(slice_str(plain.message)) == row);
        assert_true(store_error_find(slice_str(detailed.message)) == row);
        assert_true(row->grpc_code > 0 && row->grpc_code <= 16 && slice_has_prefix(slice_str(row->text), SLICE("etcdserver: ")));
        (void)err_text(row->status); /* asserts that the status is one of ours */
    }
    assert_int_equal(store_err(NULL, STORE_NO_LEADER, "%s", ""), ERR_UNAVAILABLE);
}

static void others_are_none(void **state UNUSED)
{
    assert_null(store_error_find(SLICE("")));
    assert_null(store_error_find(SLICE("etcdserver: ")));
    assert_null(store_error_find(SLICE("etcdserver: no leader of this kind")));
    assert_null(store_error_find(SLICE("no leader")));
}

/* As etcd numbers them. */
static void codes(void **state UNUSED)
{
    assert_int_equal(store_error_find(SLICE("etcdserver: mvcc: required revision has been compacted: 3"))->grpc_code, 11);
    assert_int_equal(store_error_find(SLICE("etcdserver: mvcc: database space exceeded"))->grpc_code, 8);
    assert_int_equal(store_error_find(SLICE("etcdserver: requested lease not found"))->grpc_code, 5);
    assert_int_equal(store_error_find(SLICE("etcdserver: key not found"))->grpc_code, 3);
    assert_int_equal(store_error_find(SLICE("etcdserver: permission denied"))->grpc_code, 7);
}

/* Refusals about members are made elsewhere, in words of the table. */
static void members(void **state UNUSED)
{
#define X(name, code, text) COUNT_##name,
    enum { MEMBER_REFUSALS(X) COUNT };
#undef X
    for (int i = 0; i < COUNT; i++) {
        struct err err;
        bool own = i == MEMBER_TOO_MANY || i == MEMBER_CHANGE_PENDING; /* etcd knows no such thing */
        int code = member_refuse((enum member_refusal)i, &err);
        const struct store_error_row *row = store_error_find(slice_str(err.message));
        assert_int_equal(row == NULL, own);
        assert_true(own || row->status == code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_is_its_own),
        cmocka_unit_test(others_are_none),
        cmocka_unit_test(codes),
        cmocka_unit_test(members),
    };
    return RUN_TESTS(tests);
}
