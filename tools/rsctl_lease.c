/* rsctl lease: grant, revoke, timetolive, list, keep-alive. Ids are hexadecimal, as etcdctl's. */
#include "common/base.h"

#include "common/uv_env.h"
#include "tools/rsctl.h"

static void begin_json(struct rsctl *r, struct store_call *call)
{
    buf_append_str(&r->out, "{\"header\":");
    print_header_json(&r->out, &call->header);
}

/* Id, times and, when they were asked for, keys; `remaining_s` -1: it is gone. */
static void print_lease(struct rsctl *r, struct store_call *call, int64_t id, int64_t granted_s, int64_t remaining_s)
{
    const struct store_lease *l = call->leases.count > 0 ? call->leases.leases : NULL;
    if (r->format == RSCTL_FIELDS) {
        print_header_fields(&r->out, &call->header);
        buf_printf(&r->out, "\"ID\" : %lld\n\"TTL\" : %lld\n\"GrantedTTL\" : %lld\n", (long long)id, (long long)remaining_s, (long long)granted_s);
    } else {
        begin_json(r, call);
        buf_printf(&r->out, ",\"id\":%lld,\"granted-ttl\":%lld,\"ttl\":%lld", (long long)id, (long long)granted_s, (long long)remaining_s);
    }
    if (r->format == RSCTL_JSON && l != NULL && r->flags.keys) {
        buf_append_str(&r->out, ",\"keys\":[");
        for (size_t i = 0; i < l->key_count; i++) {
            buf_append_str(&r->out, i == 0 ? "\"" : ",\"");
            print_base64(&r->out, l->keys[i]);
            buf_append_char(&r->out, '"');
        }
        buf_append_char(&r->out, ']');
    }
    for (size_t i = 0; r->format == RSCTL_FIELDS && l != NULL && r->flags.keys && i < l->key_count; i++) {
        buf_append_str(&r->out, "\"Key\" : ");
        print_quoted(&r->out, l->keys[i]);
        buf_append_char(&r->out, '\n');
    }
    buf_append_str(&r->out, r->format == RSCTL_JSON ? "}\n" : "");
}

static int64_t asked_id(const struct rsctl *r)
{
    int64_t id = 0;
    (void)rsctl_lease_id(r->arguments[1], &id); /* it was parsed before */
    return id;
}

static void print_grant(struct rsctl *r, struct store_call *call)
{
    const struct store_lease *l = call->leases.leases;
    if (r->format == RSCTL_SIMPLE)
        buf_printf(&r->out, "lease %016llx granted with TTL(%llds)\n", (unsigned long long)l->id, (long long)l->granted_s);
    else
        print_lease(r, call, l->id, l->granted_s, (int64_t)(l->remaining_ms / 1000));
}

static void print_revoke(struct rsctl *r, struct store_call *call)
{
    if (r->format == RSCTL_SIMPLE) {
        buf_printf(&r->out, "lease %016llx revoked\n", (unsigned long long)asked_id(r));
    } else if (r->format == RSCTL_FIELDS) {
        print_header_fields(&r->out, &call->header);
    } else {
        begin_json(r, call);
        buf_append_str(&r->out, "}\n");
    }
}

static void print_keys(struct rsctl *r, const struct store_lease *l)
{
    buf_append_str(&r->out, ", attached keys([");
    for (size_t i = 0; i < l->key_count; i++)
        buf_printf(&r->out, "%s%.*s", i == 0 ? "" : " ", SLICE_ARGS(l->keys[i]));
    buf_append_str(&r->out, "])");
}

static void print_time_to_live(struct rsctl *r, struct store_call *call)
{
    const struct store_lease *l = call->leases.leases;
    if (r->format != RSCTL_SIMPLE) {
        if (call->leases.count == 0)
            print_lease(r, call, asked_id(r), 0, -1);
        else
            print_lease(r, call, l->id, l->granted_s, (int64_t)(l->remaining_ms / 1000));
    } else if (call->leases.count == 0) {
        buf_printf(&r->out, "lease %016llx already expired\n", (unsigned long long)asked_id(r));
    } else {
        buf_printf(&r->out, "lease %016llx granted with TTL(%llds), remaining(%llds)", (unsigned long long)l->id,
                   (long long)l->granted_s, (long long)(l->remaining_ms / 1000));
        if (r->flags.keys)
            print_keys(r, l);
        buf_append_char(&r->out, '\n');
    }
}

static void print_list(struct rsctl *r, struct store_call *call)
{
    const struct store_leases_result *list = &call->leases;
    if (r->format == RSCTL_JSON) {
        begin_json(r, call);
        buf_append_str(&r->out, ",\"leases\":[");
    } else if (r->format == RSCTL_FIELDS) {
        print_header_fields(&r->out, &call->header);
    } else {
        buf_printf(&r->out, "found %zu leases\n", list->count);
    }
    for (size_t i = 0; i < list->count; i++)
        if (r->format == RSCTL_JSON)
            buf_printf(&r->out, "%s{\"id\":%lld}", i == 0 ? "" : ",", (long long)list->leases[i].id);
        else if (r->format == RSCTL_FIELDS)
            buf_printf(&r->out, "\"ID\" : %lld\n", (long long)list->leases[i].id);
        else
            buf_printf(&r->out, "%016llx\n", (unsigned long long)list->leases[i].id);
    buf_append_str(&r->out, r->format == RSCTL_JSON ? "]}\n" : "");
}

static void print_keep_alive(struct rsctl *r, struct store_call *call)
{
    const struct store_lease *l = call->leases.leases;
    bool there = call->leases.count > 0;
    r->lease_ttl_s = there ? l->granted_s : 0;
    if (r->format != RSCTL_SIMPLE)
        print_lease(r, call, asked_id(r), r->lease_ttl_s, there ? r->lease_ttl_s : -1);
    else if (there)
        buf_printf(&r->out, "lease %016llx keepalived with TTL(%lld)\n", (unsigned long long)l->id, (long long)l->granted_s);
    else
        buf_printf(&r->out, "lease %016llx expired or revoked.\n", (unsigned long long)asked_id(r));
}

static int run_grant(struct rsctl *r)
{
    struct rsctl_call call;
    int64_t ttl_s;
    if (!rsctl_number(r->arguments[1], &ttl_s))
        return rsctl_usage("\"%s\" is not a time to live in seconds", r->arguments[1]);
    rsctl_call_init(&call, r, print_grant);
    store_lease_grant(rsctl_client(r), &call.call, 0, ttl_s, r->flags.timeout_ms);
    return rsctl_finish(&call);
}

struct pause {
    struct timer timer;
    struct uv_env *uv;
};

static void pause_over(struct timer *t) { uv_env_stop(container_of(t, struct pause, timer)->uv); }

static void wait_ms(struct rsctl *r, uint64_t delay_ms)
{
    struct pause p = {.uv = r->uv};
    timer_init(&p.timer, pause_over);
    loop_timer_start(&r->env->loop, &p.timer, delay_ms);
    uv_env_run(r->uv, NULL, NULL);
    loop_timer_stop(&r->env->loop, &p.timer);
}

/* Renews at a third of the time to live, until the lease is gone. */
static int run_keep_alive(struct rsctl *r, int64_t id)
{
    for (;;) {
        struct rsctl_call call;
        rsctl_call_init(&call, r, print_keep_alive);
        store_lease_keepalive(rsctl_client(r), &call.call, &id, 1, r->flags.timeout_ms);
        int rv = rsctl_finish(&call);
        rsctl_flush(r);
        if (rv != RSCTL_OK || r->flags.once || r->lease_ttl_s == 0)
            return rv;
        wait_ms(r, (uint64_t)r->lease_ttl_s * 1000 / 3 + 1);
    }
}

static int run_with_id(struct rsctl *r, const char *what)
{
    struct rsctl_call call;
    int64_t id;
    if (!rsctl_lease_id(r->arguments[1], &id))
        return rsctl_usage("\"%s\" is not a lease id: hexadecimal digits, as lease grant prints them", r->arguments[1]);
    if (strcmp(what, "keep-alive") == 0)
        return run_keep_alive(r, id);
    if (strcmp(what, "revoke") == 0) {
        rsctl_call_init(&call, r, print_revoke);
        store_lease_revoke(rsctl_client(r), &call.call, id, r->flags.timeout_ms);
    } else {
        rsctl_call_init(&call, r, print_time_to_live);
        store_lease_list(rsctl_client(r), &call.call, id, r->flags.keys, r->flags.timeout_ms);
    }
    return rsctl_finish(&call);
}

int rsctl_lease(struct rsctl *r)
{
    const char *what = r->argument_count > 0 ? r->arguments[0] : "";
    if (strcmp(what, "list") == 0 && r->argument_count == 1) {
        struct rsctl_call call;
        rsctl_call_init(&call, r, print_list);
        store_lease_list(rsctl_client(r), &call.call, 0, false, r->flags.timeout_ms);
        return rsctl_finish(&call);
    }
    if (r->argument_count != 2)
        return rsctl_usage("lease wants grant TTL, revoke ID, timetolive ID, keep-alive ID or list");
    if (strcmp(what, "grant") == 0)
        return run_grant(r);
    if (strcmp(what, "revoke") == 0 || strcmp(what, "timetolive") == 0 || strcmp(what, "keep-alive") == 0)
        return run_with_id(r, what);
    return rsctl_usage("lease wants grant, revoke, timetolive, keep-alive or list, not \"%s\"", what);
}
