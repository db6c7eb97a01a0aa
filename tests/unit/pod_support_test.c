#include "tests/test.h"

#include <stdio.h>

#include "common/mem.h"
#include "nodeagent/oci_spec.h"
#include "nodeagent/pod_support.h"

static struct pod *parsed(const char *spec)
{
    struct pod *p;
    struct err err;
    char *text = mem_printf("{\"metadata\":{\"namespace\":\"n\",\"name\":\"p\",\"uid\":\"u\"},\"spec\":{%s}}", spec);
    if (pod_parse(slice_str(text), &p, &err) < 0)
        fail_msg("%s", err.message);
    mem_free(text);
    return p;
}

#define ONE "\"containers\":[{\"name\":\"a\",\"image\":\"i:1\",\"command\":[\"x\"]}]"
#define WITH(settings) "\"containers\":[{\"name\":\"a\",\"image\":\"i:1\",\"command\":[\"x\"]," settings "}]"

static void refusals_name_the_setting(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *message;
    } rows[] = {
        {ONE ",\"runtimeClassName\":\"kata\"", "runtimeClassName kata of the pod is not supported"},
        {ONE ",\"hostUsers\":false", "hostUsers of the pod is not supported"},
        {ONE ",\"os\":{\"name\":\"windows\"}", "os.name windows of the pod is not supported"},
        {ONE ",\"securityContext\":{\"seccompProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"x\"}}",
         "securityContext.seccompProfile.type Localhost of the pod is not supported"},
        {ONE ",\"securityContext\":{\"sysctls\":[{\"name\":\"kernel.panic\",\"value\":\"1\"}]}",
         "securityContext.sysctls kernel.panic is not supported: forbidden sysctl"},
        {ONE ",\"hostNetwork\":true,\"securityContext\":{\"sysctls\":[{\"name\":\"net.ipv4.tcp_syncookies\",\"value\":\"1\"}]}",
         "securityContext.sysctls net.ipv4.tcp_syncookies is not supported: forbidden sysctl"},
        {WITH("\"livenessProbe\":{\"grpc\":{\"port\":1}}"), "livenessProbe.grpc of container a is not supported"},
        {WITH("\"securityContext\":{\"procMount\":\"Unmasked\"}"),
         "securityContext.procMount Unmasked of container a is not supported"},
        {WITH("\"securityContext\":{\"appArmorProfile\":{\"type\":\"RuntimeDefault\"}}"),
         "securityContext.appArmorProfile.type RuntimeDefault of container a is not supported"},
        {WITH("\"restartPolicy\":\"Always\""), "restartPolicy Always of container a is not supported"},
        {WITH("\"ports\":[{\"containerPort\":1,\"hostPort\":2,\"protocol\":\"SCTP\"}]"), "hostPort of protocol SCTP is not supported"},
        {WITH("\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\",\"mountPropagation\":\"Bidirectional\"}]")
         ",\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]",
         "mountPropagation Bidirectional of volume mount v is not supported"},
        {ONE ",\"volumes\":[{\"name\":\"v\",\"emptyDir\":{\"medium\":\"HugePages\"}}]",
         "emptyDir.medium HugePages of volume v is not supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pod *p = parsed(rows[i].spec);
        assert_non_null(p->unsupported);
        assert_string_equal(p->unsupported, rows[i].message);
        pod_free(p);
    }
}

static void what_is_told_and_what_is_fine(void **state)
{
    (void)state;
    struct pod *p = parsed(WITH("\"stdin\":true,\"tty\":true,\"terminationMessagePolicy\":\"FallbackToLogsOnError\""));
    assert_null(p->unsupported);
    assert_string_equal(p->unserved, "terminationMessagePolicy FallbackToLogsOnError of container a is not supported: it runs without");
    pod_free(p);
    p = parsed(WITH("\"stdin\":false,\"securityContext\":{\"procMount\":\"Default\",\"seccompProfile\":{\"type\":\"Unconfined\"}},"
                    "\"resources\":{},\"ports\":[{\"containerPort\":80,\"hostPort\":8081,\"hostIP\":\"10.0.0.1\"}]")
               ",\"hostUsers\":true,\"os\":{\"name\":\"linux\"},\"hostPID\":true,\"hostIPC\":true,\"shareProcessNamespace\":true,"
               "\"securityContext\":{\"fsGroup\":7,\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}");
    assert_null(p->unsupported);
    assert_null(p->unserved);
    assert_false(p->containers[0].seccomp); /* the container's own word counts */
    assert_int_equal(p->port_count, 1);
    assert_int_equal(p->ports[0].host_port, 8081);
    assert_string_equal(p->ports[0].protocol, "tcp");
    assert_string_equal(p->ports[0].host_ip, "10.0.0.1");
    pod_free(p);
}

static struct json *built(struct pod *p, bool sandbox, uint64_t capabilities, struct json_doc *d)
{
    struct buf out = {0};
    struct err err;
    struct json *spec, *image;
    assert_ok(json_parse(d, SLICE("{\"config\":{\"Cmd\":[\"x\"]}}"), &image, NULL));
    struct oci_spec_options o = {.pod = p, .container = sandbox ? NULL : &p->containers[0], .image = image, .cgroup = "/c",
                                 .hostname = "h", .sandbox_pid = 42, .capabilities = capabilities, .open_files_max = 1024};
    o.facts.pod_ip = o.facts.host_ip = "10.0.0.1";
    if (oci_spec_build(&o, &out, &err) < 0)
        fail_msg("%s", err.message);
    assert_ok(json_parse(d, buf_slice(&out), &spec, NULL));
    buf_release(&out);
    return spec;
}

static struct slice namespace_path(const struct json *spec, const char *type, bool *ret_there)
{
    struct json_iterator at = json_iterate(json_at(spec, "linux.namespaces"));
    *ret_there = false;
    while (json_next(&at))
        if (slice_is(json_string(json_get(at.value, "type")), type)) {
            *ret_there = true;
            return json_string(json_get(at.value, "path"));
        }
    return (struct slice){0};
}

static void namespaces(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    bool there;
    struct pod *p = parsed(ONE);
    struct json *spec = built(p, false, 0, d);
    assert_int_equal(namespace_path(spec, "pid", &there).size, 0);
    assert_true(there);
    assert_slice_equal(namespace_path(spec, "ipc", &there), "/proc/42/ns/ipc");
    pod_free(p);
    p = parsed(ONE ",\"shareProcessNamespace\":true");
    assert_slice_equal(namespace_path(built(p, false, 0, d), "pid", &there), "/proc/42/ns/pid");
    pod_free(p);
    p = parsed(ONE ",\"hostPID\":true,\"hostIPC\":true");
    spec = built(p, false, 0, d);
    (void)namespace_path(spec, "pid", &there);
    assert_false(there);
    (void)namespace_path(spec, "ipc", &there);
    assert_false(there);
    pod_free(p);
    json_doc_free(d);
}

static bool bans(const struct json *spec, const char *call)
{
    struct json_iterator at = json_iterate(json_at(spec, "linux.seccomp.syscalls"));
    while (json_next(&at)) {
        struct json_iterator name = json_iterate(json_get(at.value, "names"));
        while (json_next(&name))
            if (slice_is(json_string(name.value), call))
                return true;
    }
    return false;
}

#define ALL_CAPABILITIES ~(uint64_t)0

static void seccomp_and_groups(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    struct pod *p = parsed(ONE);
    assert_null(json_at(built(p, false, ALL_CAPABILITIES, d), "linux.seccomp"));
    pod_free(p);
    p = parsed(ONE ",\"securityContext\":{\"seccompProfile\":{\"type\":\"RuntimeDefault\"},\"fsGroup\":99,"
                   "\"sysctls\":[{\"name\":\"net.ipv4.tcp_syncookies\",\"value\":\"0\"}]}");
    struct json *spec = built(p, false, ALL_CAPABILITIES, d);
    assert_true(bans(spec, "mount") && bans(spec, "clone") && bans(spec, "clone3") && bans(spec, "keyctl"));
    assert_false(bans(spec, "chroot") || bans(spec, "read")); /* SYS_CHROOT is among the default capabilities */
    assert_int_equal(json_int_or(json_element(json_at(spec, "process.user.additionalGids"), 0), 0), 99);
    assert_null(json_at(spec, "linux.sysctl"));
    assert_slice_equal(json_string(json_get(json_at(built(p, true, 0, d), "linux.sysctl"), "net.ipv4.tcp_syncookies")), "0");
    pod_free(p);
    p = parsed(WITH("\"securityContext\":{\"seccompProfile\":{\"type\":\"RuntimeDefault\"},\"capabilities\":{\"add\":[\"SYS_ADMIN\"]}}"));
    spec = built(p, false, ALL_CAPABILITIES, d);
    assert_false(bans(spec, "mount") || bans(spec, "clone"));
    assert_true(bans(spec, "keyctl"));
    pod_free(p);
    p = parsed(WITH("\"securityContext\":{\"seccompProfile\":{\"type\":\"RuntimeDefault\"},\"privileged\":true}"));
    assert_null(json_at(built(p, false, ALL_CAPABILITIES, d), "linux.seccomp"));
    pod_free(p);
    json_doc_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_the_setting),
        cmocka_unit_test(what_is_told_and_what_is_fine),
        cmocka_unit_test(namespaces),
        cmocka_unit_test(seccomp_and_groups),
    };
    return RUN_TESTS(tests);
}
