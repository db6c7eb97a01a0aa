/* rsctl get, put, del, compact. */
#include "common/base.h"

#include "tools/rsctl_kinds.h"

#include <stdio.h>
#include <stdlib.h>

static void print_get(struct rsctl *r, struct store_call *call) { print_range(r, &call->header, &call->range); }

int rsctl_get(struct rsctl *r)
{
    struct rsctl_target target = {0};
    struct kv_range range;
    struct rsctl_call call;
    int code = rsctl_target(&r->flags, r->arguments, r->argument_count, &target);
    if (code == RSCTL_OK)
        code = rsctl_range(&r->flags, target.span, &range);
    if (code == RSCTL_OK) {
        rsctl_call_init(&call, r, print_get);
        store_range(rsctl_client(r), &call.call, &range, r->flags.timeout_ms);
        code = rsctl_finish(&call);
    }
    rsctl_target_release(&target);
    return code;
}

static void print_put_call(struct rsctl *r, struct store_call *call) { print_put(r, &call->header, &call->txn.results[0]); }

static int run_op(struct rsctl *r, const struct kv_op *op, void (*print)(struct rsctl *r, struct store_call *call))
{
    struct rsctl_call call;
    rsctl_call_init(&call, r, print);
    store_txn(rsctl_client(r), &call.call, &(struct kv_txn){.success = op, .success_count = 1}, r->flags.timeout_ms);
    return rsctl_finish(&call);
}

int rsctl_put(struct rsctl *r)
{
    struct buf value = {0};
    struct kv_op op = {.kind = KV_OP_PUT};
    bool given = r->argument_count == 2;
    if (r->argument_count < 1 || r->argument_count > 2)
        return rsctl_usage("put wants a KEY and a VALUE (or the value on standard input), got %zu arguments", r->argument_count);
    if (!given && !r->flags.ignore_value && !rsctl_read_input(&value, KV_REQUEST_BYTES_MAX))
        return rsctl_usage("the value on standard input is over %u bytes or cannot be read", KV_REQUEST_BYTES_MAX);
    op.put = (struct kv_put){.key = slice_str(r->arguments[0]), .value = given ? slice_str(r->arguments[1]) : buf_slice(&value),
                             .lease = r->flags.lease, .prev_kv = r->flags.prev_kv, .ignore_value = r->flags.ignore_value,
                             .ignore_lease = r->flags.ignore_lease};
    int code = run_op(r, &op, print_put_call);
    buf_release(&value);
    return code;
}

static void print_del_call(struct rsctl *r, struct store_call *call) { print_del(r, &call->header, &call->txn.results[0]); }

int rsctl_del(struct rsctl *r)
{
    struct rsctl_target target = {0};
    if (r->flags.kind != NULL && r->argument_count == 0)
        return rsctl_usage("del --kind wants a NAME: all of a kind go with del --prefix and their keys");
    int code = rsctl_target(&r->flags, r->arguments, r->argument_count, &target);
    const struct kv_op op = {.kind = KV_OP_DELETE, .delete = {.span = target.span, .prev_kv = r->flags.prev_kv}};
    if (code == RSCTL_OK)
        code = run_op(r, &op, print_del_call);
    rsctl_target_release(&target);
    return code;
}

static void print_compact(struct rsctl *r, struct store_call *call)
{
    if (r->format != RSCTL_JSON) {
        buf_printf(&r->out, "compacted revision %s\n", r->arguments[0]);
        return;
    }
    buf_append_str(&r->out, "{\"header\":");
    print_header_json(&r->out, &call->header);
    buf_append_str(&r->out, "}\n");
}

int rsctl_compact(struct rsctl *r)
{
    struct rsctl_call call;
    int64_t revision;
    if (r->argument_count != 1)
        return rsctl_usage("compact wants a REVISION, got %zu arguments", r->argument_count);
    if (!rsctl_number(r->arguments[0], &revision))
        return rsctl_usage("\"%s\" is not a revision", r->arguments[0]);
    rsctl_call_init(&call, r, print_compact);
    store_compact(rsctl_client(r), &call.call, revision, r->flags.timeout_ms);
    return rsctl_finish(&call);
}
