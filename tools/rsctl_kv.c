/* rsctl get, put, del, compact. */
#include "common/base.h"

#include "tools/rsctl_kinds.h"

#include <stdio.h>
#include <stdlib.h>

/* The first key after all that begin with `prefix`; "\0" (no end) when there is none. */
static struct slice prefix_end(struct slice prefix, struct buf *scratch)
{
    buf_reset(scratch);
    buf_append_slice(scratch, prefix);
    while (scratch->size > 0 && (uint8_t)scratch->data[scratch->size - 1] == 0xff)
        scratch->size--;
    if (scratch->size == 0)
        buf_append(scratch, "\0", 1);
    else
        scratch->data[scratch->size - 1]++;
    return buf_slice(scratch);
}

int rsctl_span(const struct rsctl_flags *f, const char *const *arguments, size_t n, struct buf *scratch, struct kv_span *ret)
{
    bool all = f->prefix || f->from_key;
    if (n < 1 || n > 2)
        return rsctl_usage("a KEY and perhaps an END are wanted, got %zu arguments", n);
    if (f->prefix && f->from_key)
        return rsctl_usage("--prefix and --from-key exclude each other");
    if (n == 2 && all)
        return rsctl_usage("END cannot go with --prefix or --from-key");
    struct slice key = slice_str(arguments[0]);
    if (key.size == 0 && !all)
        return rsctl_usage("the KEY is empty: with --prefix or --from-key that means all keys");
    *ret = (struct kv_span){.key = key.size == 0 ? slice_of("\0", 1) : key};
    if (n == 2)
        ret->end = slice_str(arguments[1]);
    else if (f->from_key || (f->prefix && key.size == 0))
        ret->end = slice_of("\0", 1);
    else if (f->prefix)
        ret->end = prefix_end(key, scratch);
    return RSCTL_OK;
}

static int parse_order(const struct rsctl_flags *f, struct kv_range *ret)
{
    static const char *const targets[] = {"KEY", "VERSION", "CREATE", "MODIFY", "VALUE"};
    if (f->order != NULL && strcasecmp(f->order, "ASCEND") == 0)
        ret->order = KV_ORDER_ASCEND;
    else if (f->order != NULL && strcasecmp(f->order, "DESCEND") == 0)
        ret->order = KV_ORDER_DESCEND;
    else if (f->order != NULL && f->order[0] != '\0')
        return rsctl_usage("--order is \"%s\", but must be ASCEND or DESCEND", f->order);
    if (f->sort_by == NULL || f->sort_by[0] == '\0')
        return RSCTL_OK;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        if (strcasecmp(f->sort_by, targets[i]) != 0)
            continue;
        ret->sort = (enum kv_sort_target)i;
        if (ret->order == KV_ORDER_NONE)
            ret->order = KV_ORDER_ASCEND;
        return RSCTL_OK;
    }
    return rsctl_usage("--sort-by is \"%s\", but must be KEY, VERSION, CREATE, MODIFY or VALUE", f->sort_by);
}

int rsctl_range(const struct rsctl_flags *f, struct kv_span span, struct kv_range *ret)
{
    *ret = (struct kv_range){
        .span = span, .limit = f->limit, .revision = f->rev, .keys_only = f->keys_only, .count_only = f->count_only,
        .min_mod_revision = f->min_mod, .max_mod_revision = f->max_mod,
        .min_create_revision = f->min_create, .max_create_revision = f->max_create,
        .serializable = f->consistency != NULL && strcmp(f->consistency, "s") == 0,
    };
    if (f->consistency != NULL && strcmp(f->consistency, "s") != 0 && strcmp(f->consistency, "l") != 0)
        return rsctl_usage("--consistency is \"%s\", but must be l or s", f->consistency);
    if (f->keys_only && f->count_only)
        return rsctl_usage("--keys-only and --count-only exclude each other");
    return parse_order(f, ret);
}

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
    (void)call;
    buf_printf(&r->out, "compacted revision %s\n", r->arguments[0]);
}

int rsctl_compact(struct rsctl *r)
{
    struct rsctl_call call;
    char *end = NULL;
    if (r->argument_count != 1)
        return rsctl_usage("compact wants a REVISION, got %zu arguments", r->argument_count);
    long long revision = strtoll(r->arguments[0], &end, 10);
    if (end == r->arguments[0] || *end != '\0')
        return rsctl_usage("\"%s\" is not a revision", r->arguments[0]);
    rsctl_call_init(&call, r, print_compact);
    store_compact(rsctl_client(r), &call.call, revision, r->flags.timeout_ms);
    return rsctl_finish(&call);
}
