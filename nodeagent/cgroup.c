#include "common/base.h"
#include "nodeagent/cgroup.h"

#include "common/mem.h"
#include "nodeagent/host.h"
#include "nodeagent/oci_spec.h"

#define CPU_PERIOD_US 100000

char *cgroup_path_of(const char *root, const struct pod *p, const char *container)
{
    static const char *const folders[] = {"", "burstable/", "besteffort/"};
    return mem_printf("%s/kubepods/%spod%s%s%s", root, folders[p->qos], p->uid, container == NULL ? "" : "/",
                      container == NULL ? "" : container);
}

struct sums {
    int64_t cpu_request, cpu_limit, memory_limit; /* -1: at least one container has none */
};

static struct sums sums_of(const struct pod *p)
{
    struct sums s = {0};
    for (size_t i = 0; i < p->container_count; i++) {
        const struct pod_container *c = &p->containers[i];
        if (c->init && !c->sidecar)
            continue;
        s.cpu_request += MAX(c->cpu_request_milli < 0 ? c->cpu_limit_milli : c->cpu_request_milli, 0);
        s.cpu_limit = s.cpu_limit < 0 || c->cpu_limit_milli <= 0 ? -1 : s.cpu_limit + c->cpu_limit_milli;
        s.memory_limit = s.memory_limit < 0 || c->memory_limit_bytes <= 0 ? -1 : s.memory_limit + c->memory_limit_bytes;
    }
    /* Init containers run one at a time, before the others: the larger of the two counts. */
    for (size_t i = 0; i < p->init_count; i++) {
        const struct pod_container *c = &p->containers[i];
        if (c->sidecar)
            continue;
        s.cpu_request = MAX(s.cpu_request, c->cpu_request_milli);
        s.cpu_limit = c->cpu_limit_milli <= 0 ? -1 : s.cpu_limit < 0 ? -1 : MAX(s.cpu_limit, c->cpu_limit_milli);
        s.memory_limit = c->memory_limit_bytes <= 0 || s.memory_limit < 0 ? -1 : MAX(s.memory_limit, c->memory_limit_bytes);
    }
    return s;
}

static int put(const char *controller, const char *path, const char *file, int64_t value, struct err *reterr)
{
    char *text = mem_printf("%lld", (long long)value);
    int rv = host_cgroup_write(controller, path, file, text, reterr);
    mem_free(text);
    return rv;
}

static int limits_v1(const char *path, const struct sums *s, struct err *reterr)
{
    int rv = put("cpu", path, "cpu.shares", oci_cpu_shares(s->cpu_request), reterr);
    if (rv == 0 && s->cpu_limit > 0)
        rv = put("cpu", path, "cpu.cfs_quota_us", oci_cpu_quota_us(s->cpu_limit), reterr);
    if (rv == 0 && s->memory_limit > 0)
        rv = put("memory", path, "memory.limit_in_bytes", s->memory_limit, reterr);
    return rv;
}

/* cpu.weight from shares as the runtimes convert: 2…262144 to 1…10000. */
static int limits_v2(const char *path, const struct sums *s, struct err *reterr)
{
    int rv = put("cpu", path, "cpu.weight", 1 + (oci_cpu_shares(s->cpu_request) - 2) * 9999 / 262142, reterr);
    if (rv == 0 && s->cpu_limit > 0) {
        char *text = mem_printf("%lld %d", (long long)oci_cpu_quota_us(s->cpu_limit), CPU_PERIOD_US);
        rv = host_cgroup_write("cpu", path, "cpu.max", text, reterr);
        mem_free(text);
    }
    if (rv == 0 && s->memory_limit > 0)
        rv = put("memory", path, "memory.max", s->memory_limit, reterr);
    return rv;
}

int cgroup_pod_make(const char *root, const struct pod *p, struct err *reterr)
{
    char *path = cgroup_path_of(root, p, NULL);
    struct sums sums = sums_of(p);
    int rv = host_cgroup_make(path, reterr);
    if (rv == 0)
        rv = host_cgroup_version() == 2 ? limits_v2(path, &sums, reterr) : limits_v1(path, &sums, reterr);
    if (rv < 0)
        (void)err_wrap(reterr, rv, "cgroup of pod %s/%s", p->namespace, p->name);
    mem_free(path);
    return rv;
}
