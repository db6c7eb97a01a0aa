/* Environment and files of a pod, from what was fetched. */
#include "tests/test.h"

#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"
#include "nodeagent/host.h"
#include "nodeagent/volume_files.h"

#define POD                                                                                                                      \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"p\",\"uid\":\"u\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"volumes\":["           \
    "{\"name\":\"c\",\"configMap\":{\"name\":\"cm\"}},{\"name\":\"d\",\"configMap\":{\"name\":\"cm\",\"items\":[{\"key\":\"%s\",\"path\":\"%s\",\"mode\":256}]}}," \
    "{\"name\":\"t\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"path\":\"token\"}},{\"secret\":{\"name\":\"s\"}},"      \
    "{\"downwardAPI\":{\"items\":[{\"path\":\"l\",\"fieldRef\":{\"fieldPath\":\"metadata.labels\"}}]}}]}}],\"containers\":["         \
    "{\"name\":\"a\",\"image\":\"i\",\"resources\":{\"limits\":{\"cpu\":\"1500m\"}},\"envFrom\":[{\"prefix\":\"P_\",\"configMapRef\":{\"name\":\"cm\"}}]," \
    "\"env\":[{\"name\":\"S\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\"}}},"                                     \
    "{\"name\":\"CPU\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"limits.cpu\"}}},"                                        \
    "{\"name\":\"MEM\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"limits.memory\",\"divisor\":\"1Mi\"}}},"                  \
    "{\"name\":\"URL\",\"value\":\"http://$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT_SQL)\"}]}]}}"

struct fixture {
    struct pod *pod;
    struct pod_data *data;
};

static void answer(struct fixture *f, enum pod_ref_kind kind, const char *name, const char *text)
{
    struct pod_ref *r = pod_data_find(f->data, kind, name);
    assert_non_null(r);
    if (text == NULL) {
        r->status = ERR_NOT_FOUND;
        return;
    }
    r->doc = json_doc_new();
    r->status = json_parse(r->doc, slice_str(text), &r->tree, NULL);
    assert_ok(r->status);
}

static struct fixture *open_pod(const char *key, const char *path)
{
    struct fixture *f = NEW(struct fixture);
    struct err err;
    char *text = mem_printf(POD, key, path);
    if (pod_parse(slice_str(text), &f->pod, &err) < 0 || pod_data_new(f->pod, &f->data, &err) < 0)
        fail_msg("%s", err.message);
    mem_free(text);
    assert_null(f->pod->unsupported);
    assert_int_equal(f->data->count, 5);
    answer(f, POD_REF_CONFIG_MAP, "cm", "{\"data\":{\"k\":\"v\",\"1 2\":\"x\"},\"binaryData\":{\"bin\":\"AAEC\"}}");
    answer(f, POD_REF_SECRET, "s", "{\"data\":{\"k\":\"aGVsbG8=\"}}");
    answer(f, POD_REF_TOKEN, "", "{\"status\":{\"token\":\"abc\"}}");
    answer(f, POD_REF_MASTER, "kubernetes", NULL);
    answer(f, POD_REF_SERVICES, "", "{\"items\":[{\"metadata\":{\"name\":\"my-db\"},\"spec\":{\"clusterIP\":\"10.96.0.9\",\"ports\":["
                                    "{\"name\":\"sql\",\"port\":5432}]}},{\"metadata\":{\"name\":\"h\"},\"spec\":{\"clusterIP\":\"None\"}}]}");
    return f;
}

static void close_pod(struct fixture *f)
{
    pod_data_free(f->data);
    pod_free(f->pod);
    mem_free(f);
}

static const struct environment_facts facts = {.pod_ip = "1.1.1.1", .host_ip = "2.2.2.2", .cpu_milli = 4000, .memory_bytes = 8 << 20};

static int build(struct fixture *f, struct environment *e, struct err *err)
{
    struct environment_options o = {.pod = f->pod, .container = &f->pod->containers[0], .data = f->data, .hostname = "p", .facts = facts};
    return environment_build(e, &o, err);
}

static void environment_of_everything(void **state)
{
    (void)state;
    struct fixture *f = open_pod("k", "x");
    struct environment e = {0};
    struct err err;
    assert_ok(build(f, &e, &err));
    static const char *const wanted[][2] = {
        {"S", "hello"}, {"CPU", "2"}, {"MEM", "8"}, {"P_k", "v"}, {"URL", "http://10.96.0.9:5432"}, {"HOSTNAME", "p"},
        {"MY_DB_PORT", "tcp://10.96.0.9:5432"}, {"MY_DB_PORT_5432_TCP_ADDR", "10.96.0.9"}, {"MY_DB_SERVICE_PORT", "5432"}};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_non_null(environment_get(&e, slice_str(wanted[i][0])));
        assert_string_equal(environment_get(&e, slice_str(wanted[i][0])), wanted[i][1]);
    }
    assert_int_equal(e.skipped, 1);
    assert_null(environment_get(&e, SLICE("H_SERVICE_HOST")));
    environment_release(&e);
    close_pod(f);
}

static void missing_keys_are_named(void **state)
{
    (void)state;
    struct fixture *f = open_pod("k", "x");
    struct environment e = {0};
    struct err err;
    struct pod_ref *secret = pod_data_find(f->data, POD_REF_SECRET, "s");
    assert_true(json_remove(json_get(secret->tree, "data"), "k"));
    assert_int_equal(build(f, &e, &err), ERR_INVALID);
    assert_string_equal(err.message, "couldn't find key k in Secret n/s");
    environment_release(&e);
    secret->tree = NULL;
    secret->status = ERR_NOT_FOUND;
    e = (struct environment){0};
    assert_int_equal(build(f, &e, &err), ERR_INVALID);
    assert_string_equal(err.message, "secret \"s\" not found");
    environment_release(&e);
    pod_data_find(f->data, POD_REF_SERVICES, "")->tree = NULL;
    pod_data_find(f->data, POD_REF_SERVICES, "")->status = ERR_TIMEOUT;
    e = (struct environment){0};
    assert_int_equal(build(f, &e, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "cannot construct envvars"));
    environment_release(&e);
    close_pod(f);
}

static int files(struct fixture *f, size_t volume, struct volume_files *v, struct err *err)
{
    return volume_files_build(v, f->pod, &f->pod->volumes[volume], f->data, &facts, err);
}

static void files_of_volumes(void **state)
{
    (void)state;
    struct fixture *f = open_pod("k", "x/y");
    struct volume_files v = {0};
    struct err err;
    assert_ok(files(f, 0, &v, &err));
    assert_int_equal(v.count, 3);
    assert_string_equal(v.files[2].path, "bin");
    assert_int_equal(v.files[2].content.size, 3);
    assert_int_equal(v.files[0].mode, 0644);
    volume_files_release(&v);
    v = (struct volume_files){0};
    assert_ok(files(f, 1, &v, &err));
    assert_int_equal(v.count, 1);
    assert_string_equal(v.files[0].path, "x/y");
    assert_int_equal(v.files[0].mode, 0400);
    volume_files_release(&v);
    v = (struct volume_files){0};
    assert_ok(files(f, 2, &v, &err));
    assert_int_equal(v.count, 3);
    assert_slice_equal(v.files[0].content, "abc");
    assert_slice_equal(v.files[1].content, "hello");
    assert_slice_equal(v.files[2].content, "a=\"b\"");
    volume_files_release(&v);
    close_pod(f);
}

static void bad_items(void **state)
{
    (void)state;
    static const char *const items[][2] = {{"none", "x"}, {"k", "../x"}, {"k", "/x"}, {"k", "a/../b"}, {"k", "..data"}, {"k", ""}};
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        struct fixture *f = open_pod(items[i][0], items[i][1]);
        struct volume_files v = {0};
        struct err err;
        assert_int_equal(files(f, 1, &v, &err), ERR_INVALID);
        volume_files_release(&v);
        close_pod(f);
    }
}

static void count_one(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
}

/* Old and new stand side by side for no reader, and nothing old is left. */
static void files_are_swapped(void **state)
{
    (void)state;
    char folder[] = "/tmp/keelson-volume-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    struct volume_file one[] = {{"a", SLICE("1"), 0600}, {"d/b", SLICE("2"), 0644}}, two[] = {{"d/b", SLICE("3"), 0644}};
    struct volume_files v = {.files = one, .count = 2};
    struct err err;
    struct buf link = {0}, again = {0}, text = {0};
    (void)snprintf(path, sizeof path, "%s/..data", folder);
    assert_ok(volume_files_write(&v, folder, "t1", &err));
    assert_ok(host_read_link(path, &link));
    assert_ok(volume_files_write(&v, folder, "t2", &err));
    assert_ok(host_read_link(path, &again));
    assert_true(slice_equal(buf_slice(&link), buf_slice(&again))); /* the same content: nothing moves */
    v = (struct volume_files){.files = two, .count = 1};
    assert_ok(volume_files_write(&v, folder, "t3", &err));
    (void)snprintf(path, sizeof path, "%s/d/b", folder);
    assert_ok(host_read_file(path, 0, 10, &text, &err));
    assert_slice_equal(buf_slice(&text), "3");
    int count = 0;
    assert_ok(host_list(folder, count_one, &count, &err));
    assert_int_equal(count, 3); /* d, ..data and what it names */
    assert_ok(host_remove_tree(folder, &err));
    buf_release(&link);
    buf_release(&again);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_of_everything), cmocka_unit_test(missing_keys_are_named), cmocka_unit_test(files_of_volumes),
        cmocka_unit_test(bad_items),                 cmocka_unit_test(files_are_swapped),
    };
    return RUN_TESTS(tests);
}
