/*            found, or made                 every 10 s
 *   REGISTER ──────────────▶ STATUS ──▶ REST ─────────▶ LEASE ──▶ REST … (STATUS again on change or after 5 min)
 *      ▲ 404 on the way: the Node was deleted │
 *      └──────────────────────────────────────┘     Each failure is tried again after a second, in the same state. */
#include "common/base.h"
#include "nodeagent/report.h"

#include <stdio.h>

#include "common/mem.h"

#define LEASE_SECONDS 40
#define MEMORY_LOW_BYTES (100LL * 1024 * 1024)
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

enum report_state { REPORT_REGISTER, REPORT_CREATE, REPORT_LEASE, REPORT_LEASE_CREATE, REPORT_STATUS, REPORT_REST, REPORT_STATE_COUNT };

static const bool moves[REPORT_STATE_COUNT][REPORT_STATE_COUNT] = {
    [REPORT_REGISTER] = {[REPORT_CREATE] = true, [REPORT_STATUS] = true},
    [REPORT_CREATE] = {[REPORT_STATUS] = true, [REPORT_REGISTER] = true},
    [REPORT_STATUS] = {[REPORT_LEASE] = true, [REPORT_REGISTER] = true},
    [REPORT_LEASE] = {[REPORT_REST] = true, [REPORT_LEASE_CREATE] = true},
    [REPORT_LEASE_CREATE] = {[REPORT_REST] = true, [REPORT_LEASE] = true},
    [REPORT_REST] = {[REPORT_LEASE] = true, [REPORT_STATUS] = true},
};

struct report {
    struct report_options o;
    enum report_state state;
    struct kube_call call;
    bool calling, told;
    struct timer timer;
    char *written; /* the status last accepted */
    struct buf sending;
    uint64_t written_at_ms, rested_at_ms;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* --- pure --- */

struct json *report_node(struct json_doc *d, const struct report_facts *f)
{
    struct json *node = json_new_object(d), *meta = json_ensure_object(d, node, "metadata");
    struct json *labels = json_ensure_object(d, meta, "labels"), *spec = json_ensure_object(d, node, "spec");
    struct json *cidrs = json_new_array(d);
    json_set_str(d, node, "apiVersion", "v1");
    json_set_str(d, node, "kind", "Node");
    json_set_str(d, meta, "name", f->name);
    json_set_str(d, labels, "beta.kubernetes.io/arch", f->host.architecture);
    json_set_str(d, labels, "beta.kubernetes.io/os", "linux");
    json_set_str(d, labels, "kubernetes.io/arch", f->host.architecture);
    json_set_str(d, labels, "kubernetes.io/hostname", f->name);
    json_set_str(d, labels, "kubernetes.io/os", "linux");
    json_set_str(d, spec, "podCIDR", f->pod_cidr);
    json_append(cidrs, json_new_str(d, f->pod_cidr));
    json_set(d, spec, "podCIDRs", cidrs);
    return node;
}

static void put_resources(struct json_doc *d, struct json *status, const char *key, const struct report_facts *f,
                          uint64_t memory_reserved)
{
    struct json *r = json_ensure_object(d, status, key);
    char text[64];
    (void)snprintf(text, sizeof text, "%u", f->host.cpu_count);
    json_set_str(d, r, "cpu", text);
    (void)snprintf(text, sizeof text, "%lluKi", (unsigned long long)(f->host.disk_bytes / 1024));
    json_set_str(d, r, "ephemeral-storage", text);
    (void)snprintf(text, sizeof text, "%lluKi",
                   (unsigned long long)((f->host.memory_bytes - MIN(memory_reserved, f->host.memory_bytes)) / 1024));
    json_set_str(d, r, "memory", text);
    (void)snprintf(text, sizeof text, "%d", REPORT_PODS_MAX);
    json_set_str(d, r, "pods", text);
}

static const struct json *condition_of(const struct json *previous, const char *type)
{
    struct json_iterator at = json_iterate(json_get(previous, "conditions"));
    while (json_next(&at))
        if (slice_is(json_string(json_get(at.value, "type")), type))
            return at.value;
    return NULL;
}

static void put_condition(struct json_doc *d, struct json *conditions, const struct json *previous, const char *type,
                          bool holds, const char *reason, const char *message, const char *now)
{
    struct json *c = json_new_object(d);
    const struct json *before = condition_of(previous, type);
    const char *status = holds ? "True" : "False";
    json_set_str(d, c, "type", type);
    json_set_str(d, c, "status", status);
    json_set_str(d, c, "lastHeartbeatTime", now);
    if (slice_is(json_string(json_get(before, "status")), status))
        json_set_string(d, c, "lastTransitionTime", json_string(json_get(before, "lastTransitionTime")));
    else
        json_set_str(d, c, "lastTransitionTime", now);
    json_set_str(d, c, "reason", reason);
    json_set_str(d, c, "message", message);
    json_append(conditions, c);
}

static void put_conditions(struct json_doc *d, struct json *status, const struct report_facts *f, int64_t now_ms,
                           const struct json *previous)
{
    struct json *conditions = json_new_array(d);
    char now[TIME_TEXT_MAX];
    time_format(now_ms * 1000, 0, now);
    bool memory = f->usage.memory_available_bytes < MEMORY_LOW_BYTES;
    bool disk = f->usage.disk_free_bytes < f->usage.disk_total_bytes / 10;
    put_condition(d, conditions, previous, "MemoryPressure", memory,
                  memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
                  memory ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available", now);
    put_condition(d, conditions, previous, "DiskPressure", disk, disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
                  disk ? "kubelet has disk pressure" : "kubelet has no disk pressure", now);
    put_condition(d, conditions, previous, "PIDPressure", false, "KubeletHasSufficientPID",
                  "kubelet has sufficient PID available", now);
    put_condition(d, conditions, previous, "Ready", true, "KubeletReady", "kubelet is posting ready status", now);
    json_set(d, status, "conditions", conditions);
}

static void put_address(struct json_doc *d, struct json *addresses, const char *type, const char *address)
{
    struct json *a = json_new_object(d);
    json_set_str(d, a, "type", type);
    json_set_str(d, a, "address", address);
    json_append(addresses, a);
}

static void put_info(struct json_doc *d, struct json *status, const struct report_facts *f)
{
    struct json *info = json_ensure_object(d, status, "nodeInfo");
    json_set_str(d, info, "machineID", f->host.machine_id);
    json_set_str(d, info, "systemUUID", f->host.system_uuid);
    json_set_str(d, info, "bootID", f->host.boot_id);
    json_set_str(d, info, "kernelVersion", f->host.kernel);
    json_set_str(d, info, "osImage", f->host.os_image);
    json_set_str(d, info, "containerRuntimeVersion", f->runtime_version);
    json_set_str(d, info, "kubeletVersion", f->agent_version);
    json_set_str(d, info, "kubeProxyVersion", "");
    json_set_str(d, info, "operatingSystem", "linux");
    json_set_str(d, info, "architecture", f->host.architecture);
}

struct json *report_status(struct json_doc *d, const struct report_facts *f, int64_t now_ms, struct json *images,
                           const struct json *previous)
{
    struct json *status = json_new_object(d), *addresses = json_new_array(d);
    put_resources(d, status, "capacity", f, 0);
    put_resources(d, status, "allocatable", f, MEMORY_LOW_BYTES);
    put_conditions(d, status, f, now_ms, previous);
    put_address(d, addresses, "InternalIP", f->node_ip);
    put_address(d, addresses, "Hostname", f->name);
    json_set(d, status, "addresses", addresses);
    json_set_int(d, json_ensure_object(d, status, "daemonEndpoints.kubeletEndpoint"), "Port", f->port);
    put_info(d, status, f);
    json_set(d, status, "images", images);
    return status;
}

/* --- driver --- */

static void step(struct report *r);

static void move(struct report *r, enum report_state to)
{
    ASSERT(moves[r->state][to]);
    r->state = to;
}

static void finish_close(struct report *r)
{
    void (*closed)(void *arg) = r->closed;
    void *arg = r->closed_arg;
    mem_free(r->written);
    buf_release(&r->sending);
    mem_free(r);
    closed(arg);
}

static void advance(struct report *r)
{
    static const enum report_state next[] = {
        [REPORT_REGISTER] = REPORT_STATUS, [REPORT_CREATE] = REPORT_STATUS,    [REPORT_STATUS] = REPORT_LEASE,
        [REPORT_LEASE] = REPORT_REST,      [REPORT_LEASE_CREATE] = REPORT_REST,
    };
    if (r->state == REPORT_STATUS) {
        mem_free(r->written);
        r->written = mem_slice_dup(buf_slice(&r->sending));
        r->written_at_ms = clock_monotonic_ms(&r->o.env->clock);
        if (!r->told)
            log_info(r->o.env->log, "node is registered", "name=%s", r->o.facts.name);
        r->told = true;
    }
    move(r, next[r->state]);
}

static void on_done(struct kube_call *call, int status, struct slice body, const struct err *why)
{
    (void)body;
    struct report *r = call->data;
    r->calling = false;
    if (r->closed != NULL) {
        finish_close(r);
        return;
    }
    if (status == 0 || (status == ERR_EXISTS && (r->state == REPORT_CREATE || r->state == REPORT_LEASE_CREATE))) {
        advance(r);
    } else if (status == ERR_NOT_FOUND && r->state == REPORT_REGISTER) {
        move(r, REPORT_CREATE);
    } else if (status == ERR_NOT_FOUND && r->state == REPORT_LEASE) {
        move(r, REPORT_LEASE_CREATE);
    } else {
        log_warn(r->o.env->log, "the API did not take what the node reports; again soon", "name=%s why=%s", r->o.facts.name,
                 why->message);
        if (status == ERR_NOT_FOUND && r->state == REPORT_STATUS)
            move(r, REPORT_REGISTER);
        loop_timer_start(&r->o.env->loop, &r->timer, REPORT_RETRY_MS);
        return;
    }
    step(r);
}

static void send(struct report *r, const char *method, const char *path, struct json *body)
{
    r->calling = true;
    r->call = (struct kube_call){.done = on_done, .data = r};
    buf_reset(&r->sending);
    json_print(body, &r->sending);
    if (strcmp(method, "POST") == 0)
        kube_create(r->o.client, &r->call, path, buf_slice(&r->sending));
    else
        kube_patch(r->o.client, &r->call, path, KUBE_PATCH_MERGE, buf_slice(&r->sending));
}

static struct json *lease_of(struct report *r, struct json_doc *d)
{
    char now[TIME_TEXT_MAX];
    struct json *lease = json_new_object(d), *meta = json_ensure_object(d, lease, "metadata");
    struct json *spec = json_ensure_object(d, lease, "spec");
    time_format(clock_wall_ms(&r->o.env->clock) * 1000, 6, now);
    json_set_str(d, lease, "apiVersion", "coordination.k8s.io/v1");
    json_set_str(d, lease, "kind", "Lease");
    json_set_str(d, meta, "name", r->o.facts.name);
    json_set_str(d, meta, "namespace", "kube-node-lease");
    json_set_str(d, spec, "holderIdentity", r->o.facts.name);
    json_set_int(d, spec, "leaseDurationSeconds", LEASE_SECONDS);
    json_set_str(d, spec, "renewTime", now);
    return lease;
}

static struct json *status_body(struct report *r, struct json_doc *d)
{
    struct json *before = NULL, *body = json_new_object(d);
    if (r->written != NULL)
        (void)json_parse(d, slice_str(r->written), &before, NULL); /* our own text */
    (void)host_usage(r->o.root, &r->o.facts.usage, NULL); /* unknown: as it was */
    json_set(d, body, "status", report_status(d, &r->o.facts, clock_wall_ms(&r->o.env->clock),
                                              r->o.images(r->o.arg, d, REPORT_IMAGES_MAX), json_get(before, "status")));
    return body;
}

/* Has a condition's status changed since the last write? Heartbeat times alone do not count. */
static bool status_changed(struct report *r)
{
    struct json_doc *d = json_doc_new();
    struct json *before = NULL;
    bool changed = r->written == NULL || json_parse(d, slice_str(r->written), &before, NULL) < 0;
    struct json *body = status_body(r, d);
    struct json_iterator at = json_iterate(json_at(body, "status.conditions"));
    while (!changed && json_next(&at)) {
        struct slice type = json_string(json_get(at.value, "type"));
        const struct json *old = condition_of(json_get(before, "status"), type.data);
        changed = !slice_equal(json_string(json_get(old, "status")), json_string(json_get(at.value, "status")));
    }
    changed = changed || !json_equal(json_at(body, "status.images"), json_at(before, "status.images"));
    json_doc_free(d);
    return changed;
}

static void step(struct report *r)
{
    struct json_doc *d = json_doc_new();
    char *node = mem_printf("/api/v1/nodes/%s", r->o.facts.name), *status = mem_printf("%s/status", node);
    char *lease = mem_printf(LEASES "/%s", r->o.facts.name);
    switch (r->state) {
    case REPORT_REGISTER: {
        struct json *body = json_new_object(d), *full = report_node(d, &r->o.facts);
        json_set(d, json_ensure_object(d, body, "metadata"), "labels", json_copy(d, json_at(full, "metadata.labels")));
        send(r, "PATCH", node, body);
        break;
    }
    case REPORT_CREATE: send(r, "POST", "/api/v1/nodes", report_node(d, &r->o.facts)); break;
    case REPORT_STATUS: send(r, "PATCH", status, status_body(r, d)); break;
    case REPORT_LEASE: send(r, "PATCH", lease, lease_of(r, d)); break;
    case REPORT_LEASE_CREATE: send(r, "POST", LEASES, lease_of(r, d)); break;
    default:
        r->rested_at_ms = clock_monotonic_ms(&r->o.env->clock);
        loop_timer_start(&r->o.env->loop, &r->timer, REPORT_LEASE_MS);
    }
    json_doc_free(d);
    mem_free(node);
    mem_free(status);
    mem_free(lease);
}

static void on_timer(struct timer *t)
{
    struct report *r = container_of(t, struct report, timer);
    if (r->state == REPORT_REST) {
        uint64_t now = clock_monotonic_ms(&r->o.env->clock);
        /* Stopped for longer than a Lease lasts: the control plane has called this node Unknown meanwhile. */
        bool slept = now - r->rested_at_ms >= LEASE_SECONDS * 1000;
        bool due = slept || now - r->written_at_ms >= REPORT_STATUS_MS;
        move(r, due || status_changed(r) ? REPORT_STATUS : REPORT_LEASE);
    }
    step(r);
}

struct report *report_new(const struct report_options *o)
{
    struct report *r = NEW(struct report);
    r->o = *o;
    r->state = REPORT_REGISTER;
    timer_init(&r->timer, on_timer);
    step(r);
    return r;
}

void report_close(struct report *r, void (*closed)(void *arg), void *arg)
{
    r->closed = closed;
    r->closed_arg = arg;
    loop_timer_stop(&r->o.env->loop, &r->timer);
    if (r->calling)
        kube_cancel(r->o.client, &r->call);
    else
        finish_close(r);
}
