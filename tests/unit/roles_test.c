#include "tests/test.h"

#include "raftstore/roles.h"

#include <stdio.h>

static struct net_peer peer_of(const char *name, const char *organization)
{
    struct net_peer p = {0};
    snprintf(p.common_name, sizeof p.common_name, "%s", name);
    p.organization_count = organization != NULL;
    if (organization != NULL)
        snprintf(p.organizations[0], sizeof p.organizations[0], "%s", organization);
    return p;
}

static bool may(const struct roles *r, const char *name, const char *organization, unsigned right, struct slice key, struct slice end)
{
    struct net_peer p = peer_of(name, organization);
    return roles_allow(r, &p, right, &(struct kv_span){key, end});
}

static void prefixes(void **state UNUSED)
{
    struct roles *r = NULL;
    struct slice none = SLICE("");
    assert_ok(roles_parse(SLICE("cn:api=readwrite:/registry/,o:backup=read,cn:odd=read:a\xff,cn:m=member,*=read:/public/"), &r, NULL));
    assert_true(may(r, "api", NULL, ROLE_WRITE, SLICE("/registry/pods/a"), none));
    assert_false(may(r, "api", NULL, ROLE_WRITE, SLICE("/registry"), none));
    assert_true(may(r, "api", NULL, ROLE_READ, SLICE("/registry/"), SLICE("/registry0")));
    assert_true(may(r, "api", NULL, ROLE_READ, SLICE("/registry/b"), SLICE("/registry/a")));
    assert_false(may(r, "api", NULL, ROLE_READ, SLICE("/registry/"), SLICE("/registry0\0")));
    assert_false(may(r, "api", NULL, ROLE_READ, SLICE("/registry/"), SLICE("/s")));
    assert_false(may(r, "api", NULL, ROLE_READ, SLICE("/registry/"), SLICE("\0")));
    assert_false(may(r, "api", NULL, ROLE_READ, SLICE("\0"), SLICE("\0")));
    assert_true(may(r, "x", "backup", ROLE_READ, SLICE("\0"), SLICE("\0")));
    assert_false(may(r, "x", "backup", ROLE_WRITE, SLICE("a"), none));
    assert_false(may(r, "backup", NULL, ROLE_READ, SLICE("a"), none)); /* a name is no organization */
    assert_true(may(r, "odd", NULL, ROLE_READ, SLICE("a\xff"), SLICE("b")));
    assert_false(may(r, "odd", NULL, ROLE_READ, SLICE("a\xff"), SLICE("b\0")));
    assert_true(may(r, "anybody", NULL, ROLE_READ, SLICE("/public/a"), none));
    assert_false(may(r, "", NULL, ROLE_READ, SLICE("/public/a"), none)); /* nobody: no certificate */
    assert_true(may(r, "m", NULL, ROLE_MEMBER, SLICE("x"), none));
    assert_false(may(r, "api", NULL, ROLE_MEMBER, SLICE("/registry/x"), none));
    assert_false(may(r, "api", NULL, ROLE_MAINTENANCE, SLICE("/registry/x"), none));
    assert_false(roles_allow(r, NULL, ROLE_READ, NULL));
    assert_true(roles_allow(NULL, NULL, ROLE_MAINTENANCE, NULL)); /* no roles: no restriction */
    roles_free(r);
}

static void transactions(void **state UNUSED)
{
    struct roles *r;
    assert_ok(roles_parse(SLICE("cn:w=write:a/,cn:rw=readwrite:a/"), &r, NULL));
    struct kv_compare compare = {.span = {.key = SLICE("a/x")}};
    struct kv_op plain = {.kind = KV_OP_PUT, .put = {.key = SLICE("a/x")}}, prev = plain, outside = {.kind = KV_OP_DELETE};
    prev.put.prev_kv = true;
    outside.delete.span.key = SLICE("b");
    struct kv_op nested = {.kind = KV_OP_TXN, .txn = {.failure = &outside, .failure_count = 1}};
    struct net_peer w = peer_of("w", NULL), rw = peer_of("rw", NULL);
    assert_true(roles_allow_txn(r, &w, &(struct kv_txn){.success = &plain, .success_count = 1}));
    assert_false(roles_allow_txn(r, &w, &(struct kv_txn){.success = &prev, .success_count = 1}));
    assert_false(roles_allow_txn(r, &w, &(struct kv_txn){.compares = &compare, .compare_count = 1}));
    assert_true(roles_allow_txn(r, &rw, &(struct kv_txn){&compare, &prev, NULL, 1, 1, 0}));
    assert_false(roles_allow_txn(r, &rw, &(struct kv_txn){.success = &nested, .success_count = 1}));
    roles_free(r);
}

static void refusals(void **state UNUSED)
{
    static const char *const bad[] = {"", "cn:a", "cn:a=", "cn:=read", "a=read", "x:a=read", "cn:a=reads", "cn:a=maintenance:/x", "=all", "cn:a=read,"
                                      "cn:b=none"};
    struct roles *r = NULL;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(roles_parse(slice_str(bad[i]), &r, &err), ERR_BAD_REQUEST);
    assert_null(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prefixes), cmocka_unit_test(transactions), cmocka_unit_test(refusals)};
    return RUN_TESTS(tests);
}
