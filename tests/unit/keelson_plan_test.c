/* The launcher is a program, not a library: its pure part is compiled in here. */
#include "tests/test.h"

#include "tools/keelson_plan.c"

static const uint64_t ids[] = {1, 2, 3, 4, 5, 6, 7};

static struct cluster *cluster_new(unsigned masters, unsigned nodes)
{
    struct cluster *c = NEW(struct cluster);
    struct err err;
    (void)snprintf(c->folder, sizeof c->folder, "/tmp/c");
    (void)snprintf(c->programs, sizeof c->programs, "/opt/bin");
    (void)snprintf(c->images, sizeof c->images, "/opt/images");
    c->networked = true;
    c->subnet = 7;
    plan_tag(c->folder, c->tag);
    assert_ok(plan_members(c, masters, nodes, ids, &err));
    return c;
}

static void subnets_avoid_what_is_there(void **state)
{
    (void)state;
    unsigned x, y;
    assert_ok(plan_subnet("000000", SLICE(""), &x, NULL));
    assert_int_equal(x, 1);
    assert_ok(plan_subnet("000000", SLICE("172.30.1.0/24 dev a\n172.30.2.254/24"), &y, NULL));
    assert_int_equal(y, 3);
    struct buf all = {0};
    for (unsigned i = 1; i <= 254; i++)
        buf_printf(&all, "172.30.%u.0/24\n", i);
    assert_int_equal(plan_subnet("abcdef", buf_slice(&all), &x, NULL), ERR_NO_SPACE);
    buf_release(&all);
}

static void names_and_addresses_do_not_collide(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(5, 64);
    struct map seen = {0};
    for (size_t i = 0; i < c->member_count; i++) {
        char veth[64];
        assert_null(map_put(&seen, slice_str(c->members[i].address), c));
        plan_veth(c, &c->members[i], veth, sizeof veth);
        assert_true(strlen(veth) <= 15); /* of a network device */
        assert_null(map_put(&seen, slice_str(veth), c));
    }
    map_release(&seen);
    assert_string_equal(plan_find(c, "master-1")->address, "172.30.7.11");
    assert_string_equal(plan_find(c, "node-2")->address, "172.30.7.102");
    assert_null(plan_find(c, "node-65"));
    mem_free(c);
}

static bool has_pair(const struct process_plan *p, const char *flag, const char *value)
{
    for (size_t i = 0; i + 1 < p->argc; i++)
        if (strcmp(p->argv[i], flag) == 0 && strcmp(p->argv[i + 1], value) == 0)
            return true;
    return false;
}

static void command_lines(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 2);
    struct process_plan plans[KEELSON_PROCESSES_MAX];
    size_t count = plan_processes(c, plan_find(c, "master-2"), plans);
    assert_int_equal(count, 4);
    assert_true(has_pair(&plans[0], "--members",
                         "0000000000000001=172.30.7.11:2380,0000000000000002=172.30.7.12:2380,0000000000000003=172.30.7.13:2380"));
    assert_true(has_pair(&plans[0], "--member-id", "0000000000000002"));
    assert_true(has_pair(&plans[1], "--listen", "172.30.7.12:6443"));
    assert_true(has_pair(&plans[2], "--apiservers", "https://172.30.7.11:6443,https://172.30.7.12:6443,https://172.30.7.13:6443"));
    for (size_t i = 0; i < count; i++)
        plan_release(&plans[i]);
    count = plan_processes(c, plan_find(c, "node-1"), plans);
    assert_int_equal(count, 2);
    assert_true(has_pair(&plans[0], "--pod-cidr", "10.244.1.0/24"));
    assert_true(has_pair(&plans[1], "--node-name", "node-1"));
    for (size_t i = 0; i < count; i++)
        plan_release(&plans[i]);
    mem_free(c);
}

static void cluster_file_comes_back(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, 2), *back = NEW(struct cluster);
    struct buf text = {0};
    struct err err;
    plan_print(c, &text);
    assert_ok(plan_parse(buf_slice(&text), back, &err));
    assert_string_equal(back->store_roles, ""); /* also of a cluster that was made before there were any */
    buf_reset(&text);
    (void)snprintf(c->store_roles, sizeof c->store_roles, "cn:me=read:mine/");
    plan_print(c, &text);
    assert_ok(plan_parse(buf_slice(&text), back, &err));
    assert_string_equal(back->store_roles, c->store_roles);
    assert_string_equal(back->store_arguments, "");
    buf_reset(&text);
    (void)snprintf(c->store_arguments, sizeof c->store_arguments, "--snapshot-log-bytes 1m  --segment-bytes 4m");
    plan_print(c, &text);
    assert_ok(plan_parse(buf_slice(&text), back, &err));
    struct process_plan plans[KEELSON_PROCESSES_MAX];
    size_t plan_count = plan_processes(back, &back->members[0], plans);
    assert_true(has_pair(&plans[0], "--snapshot-log-bytes", "1m") && has_pair(&plans[0], "--segment-bytes", "4m"));
    assert_string_equal(plans[0].name, "raftstore");
    bool granted = false;
    for (size_t i = 0; i < plans[0].argc; i++)
        granted = granted || strstr(plans[0].argv[i], ",cn:me=read:mine/") != NULL;
    assert_true(granted);
    for (size_t i = 0; i < plan_count; i++)
        plan_release(&plans[i]);
    assert_string_equal(back->tag, c->tag);
    assert_string_equal(back->id, c->id);
    assert_memory_equal(back->members, c->members, sizeof c->members);
    assert_true(plan_parse(slice_of(text.data, text.size / 2), back, &err) < 0);
    assert_true(plan_parse(SLICE("{\"format\":2}"), back, &err) < 0);
    assert_true(plan_parse(SLICE("{\"format\":1,\"masters\":4}"), back, &err) < 0);
    buf_release(&text);
    mem_free(c);
    mem_free(back);
}

static void base64(void **state)
{
    (void)state;
    struct buf out = {0};
    base64_append(&out, SLICE("a"));
    base64_append(&out, SLICE("ab"));
    base64_append(&out, SLICE("abc"));
    assert_slice_equal(buf_slice(&out), "YQ==YWI=YWJj");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subnets_avoid_what_is_there), cmocka_unit_test(names_and_addresses_do_not_collide),
        cmocka_unit_test(command_lines),               cmocka_unit_test(cluster_file_comes_back),
        cmocka_unit_test(base64),
    };
    return RUN_TESTS(tests);
}
