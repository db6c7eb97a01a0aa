/* Output: simple for people and pipes, json and fields for programs (as etcdctl's), table for reports. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/json.h"
#include "common/mem.h"
#include "tools/rsctl_kinds.h"

static void print_hex(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        buf_printf(out, "\\x%02x", (uint8_t)bytes.data[i]);
}

static void print_bytes(struct rsctl *r, struct slice bytes)
{
    if (r->flags.hex)
        print_hex(&r->out, bytes);
    else
        buf_append_slice(&r->out, bytes);
}

void print_key(struct rsctl *r, struct slice key)
{
    if (r->flags.kind != NULL && !r->flags.hex)
        rsctl_key_name(&r->out, key);
    else
        print_bytes(r, key);
}

void print_value(struct rsctl *r, struct slice value)
{
    struct json_doc *d = json_doc_new();
    struct json *v;
    bool json = r->flags.pretty && !r->flags.hex && json_parse(d, value, &v, NULL) == 0 && (json_type(v) == JSON_OBJECT || json_type(v) == JSON_ARRAY);
    if (json)
        json_print_pretty(v, &r->out);
    else
        print_bytes(r, value);
    json_doc_free(d);
}

void print_base64(struct buf *out, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)bytes.data[i] << 16;
        v |= i + 1 < bytes.size ? (uint32_t)(uint8_t)bytes.data[i + 1] << 8 : 0;
        v |= i + 2 < bytes.size ? (uint8_t)bytes.data[i + 2] : 0;
        buf_append_char(out, digits[v >> 18]);
        buf_append_char(out, digits[v >> 12 & 63]);
        buf_append_char(out, i + 1 < bytes.size ? digits[v >> 6 & 63] : '=');
        buf_append_char(out, i + 2 < bytes.size ? digits[v & 63] : '=');
    }
}

void print_quoted(struct buf *out, struct slice bytes)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        char c = bytes.data[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c >= ' ' && c < 127)
            buf_append_char(out, c);
        else if (c == '\n')
            buf_append_str(out, "\\n");
        else
            buf_printf(out, "\\x%02x", (uint8_t)c);
    }
    buf_append_char(out, '"');
}

static uint64_t short_cluster_id(const struct kv_header *h) { return be64_at(h->cluster_id); }

const char *print_size(struct arena *a, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    size_t unit = 0;
    for (; v >= 1000 && unit + 1 < ARRAY_LEN(units); unit++)
        v /= 1000;
    return arena_printf(a, unit == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[unit]);
}

void print_header_json(struct buf *out, const struct kv_header *h)
{
    buf_printf(out, "{\"cluster_id\":%llu,\"member_id\":%llu,\"revision\":%lld,\"raft_term\":%llu}",
               (unsigned long long)short_cluster_id(h), (unsigned long long)h->member_id, (long long)h->revision,
               (unsigned long long)h->term);
}

void print_header_fields(struct buf *out, const struct kv_header *h)
{
    buf_printf(out, "\"ClusterID\" : %llu\n\"MemberID\" : %llu\n\"Revision\" : %lld\n\"RaftTerm\" : %llu\n",
               (unsigned long long)short_cluster_id(h), (unsigned long long)h->member_id, (long long)h->revision,
               (unsigned long long)h->term);
}

void print_kv_json(struct buf *out, const struct kv *kv)
{
    buf_append_str(out, "{\"key\":\"");
    print_base64(out, kv->key);
    buf_append_char(out, '"');
    if (kv->create_revision != 0)
        buf_printf(out, ",\"create_revision\":%lld", (long long)kv->create_revision);
    if (kv->mod_revision != 0)
        buf_printf(out, ",\"mod_revision\":%lld", (long long)kv->mod_revision);
    if (kv->version != 0)
        buf_printf(out, ",\"version\":%lld", (long long)kv->version);
    if (kv->value.size != 0) {
        buf_append_str(out, ",\"value\":\"");
        print_base64(out, kv->value);
        buf_append_char(out, '"');
    }
    if (kv->lease != 0)
        buf_printf(out, ",\"lease\":%lld", (long long)kv->lease);
    buf_append_char(out, '}');
}

static void print_kvs_json(struct buf *out, const char *name, const struct kv *kvs, size_t n)
{
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        print_kv_json(out, &kvs[i]);
    }
    buf_append_char(out, ']');
}

void print_kv_fields(struct buf *out, const char *before, const struct kv *kv)
{
    buf_printf(out, "\"%sKey\" : ", before);
    print_quoted(out, kv->key);
    buf_printf(out, "\n\"%sCreateRevision\" : %lld\n\"%sModRevision\" : %lld\n\"%sVersion\" : %lld\n\"%sValue\" : ", before,
               (long long)kv->create_revision, before, (long long)kv->mod_revision, before, (long long)kv->version, before);
    print_quoted(out, kv->value);
    buf_printf(out, "\n\"%sLease\" : %lld\n", before, (long long)kv->lease);
}

void print_kv(struct rsctl *r, const struct kv *kv)
{
    if (!r->flags.value_only) {
        print_key(r, kv->key);
        buf_append_char(&r->out, '\n');
    }
    print_value(r, kv->value);
    buf_append_char(&r->out, '\n');
}

static void print_range_table(struct rsctl *r, const struct kv_range_result *range)
{
    static const char *const names[] = {"KEY", "CREATED", "MODIFIED", "VERSION", "LEASE", "BYTES"};
    struct print_table t = {.columns = ARRAY_LEN(names), .names = names};
    for (size_t i = 0; i < range->kv_count; i++) {
        const struct kv *kv = &range->kvs[i];
        struct arena a = {0};
        struct buf name = {0};
        if (r->flags.kind != NULL)
            rsctl_key_name(&name, kv->key);
        const char *cells[] = {
            arena_strdup(&a, r->flags.kind != NULL ? buf_slice(&name) : kv->key), arena_printf(&a, "%lld", (long long)kv->create_revision),
            arena_printf(&a, "%lld", (long long)kv->mod_revision), arena_printf(&a, "%lld", (long long)kv->version),
            arena_printf(&a, "%llx", (unsigned long long)kv->lease), arena_printf(&a, "%zu", kv->value.size)};
        print_table_add(&t, cells);
        arena_clear(&a);
        buf_release(&name);
    }
    print_table_out(&r->out, &t);
    print_table_release(&t);
}

/* The members of a range's object after its header. */
static void print_range_json(struct buf *out, const struct kv_range_result *range)
{
    if (range->kv_count > 0)
        print_kvs_json(out, "kvs", range->kvs, range->kv_count);
    if (range->more)
        buf_append_str(out, ",\"more\":true");
    if (range->count > 0)
        buf_printf(out, ",\"count\":%lld", (long long)range->count);
}

void print_range(struct rsctl *r, const struct kv_header *h, const struct kv_range_result *range)
{
    switch (r->format) {
    case RSCTL_LINES: /* watch's own */
    case RSCTL_SIMPLE:
        if (r->flags.count_only)
            buf_printf(&r->out, "%lld\n", (long long)range->count);
        for (size_t i = 0; i < range->kv_count; i++)
            print_kv(r, &range->kvs[i]);
        break;
    case RSCTL_JSON:
        buf_append_str(&r->out, "{\"header\":");
        print_header_json(&r->out, h);
        print_range_json(&r->out, range);
        buf_append_str(&r->out, "}\n");
        break;
    case RSCTL_FIELDS:
        print_header_fields(&r->out, h);
        for (size_t i = 0; i < range->kv_count; i++)
            print_kv_fields(&r->out, "", &range->kvs[i]);
        buf_printf(&r->out, "\"More\" : %s\n\"Count\" : %lld\n", range->more ? "true" : "false", (long long)range->count);
        break;
    case RSCTL_TABLE: print_range_table(r, range); break;
    }
}

void print_put(struct rsctl *r, const struct kv_header *h, const struct kv_op_result *result)
{
    switch (r->format) {
    case RSCTL_LINES: /* watch's own */
    case RSCTL_SIMPLE:
    case RSCTL_TABLE:
        buf_append_str(&r->out, "OK\n");
        if (result->put.has_prev)
            print_kv(r, &result->put.prev);
        break;
    case RSCTL_JSON:
        buf_append_str(&r->out, "{\"header\":");
        print_header_json(&r->out, h);
        if (result->put.has_prev) {
            buf_append_str(&r->out, ",\"prev_kv\":");
            print_kv_json(&r->out, &result->put.prev);
        }
        buf_append_str(&r->out, "}\n");
        break;
    case RSCTL_FIELDS:
        print_header_fields(&r->out, h);
        if (result->put.has_prev)
            print_kv_fields(&r->out, "Prev", &result->put.prev);
        break;
    }
}

void print_del(struct rsctl *r, const struct kv_header *h, const struct kv_op_result *result)
{
    switch (r->format) {
    case RSCTL_LINES: /* watch's own */
    case RSCTL_SIMPLE:
    case RSCTL_TABLE:
        buf_printf(&r->out, "%lld\n", (long long)result->delete.deleted);
        for (size_t i = 0; i < result->delete.prev_count; i++)
            print_kv(r, &result->delete.prevs[i]);
        break;
    case RSCTL_JSON:
        buf_append_str(&r->out, "{\"header\":");
        print_header_json(&r->out, h);
        buf_printf(&r->out, ",\"deleted\":%lld", (long long)result->delete.deleted);
        if (result->delete.prev_count > 0)
            print_kvs_json(&r->out, "prev_kvs", result->delete.prevs, result->delete.prev_count);
        buf_append_str(&r->out, "}\n");
        break;
    case RSCTL_FIELDS:
        print_header_fields(&r->out, h);
        buf_printf(&r->out, "\"Deleted\" : %lld\n", (long long)result->delete.deleted);
        for (size_t i = 0; i < result->delete.prev_count; i++)
            print_kv_fields(&r->out, "Prev", &result->delete.prevs[i]);
        break;
    }
}

static void print_op_json(struct buf *out, const struct kv_op_result *op)
{
    switch (op->kind) {
    case KV_OP_RANGE:
        buf_append_str(out, "{\"response_range\":{\"header\":{}");
        print_range_json(out, &op->range);
        break;
    case KV_OP_PUT:
        buf_append_str(out, "{\"response_put\":{\"header\":{}");
        if (op->put.has_prev) {
            buf_append_str(out, ",\"prev_kv\":");
            print_kv_json(out, &op->put.prev);
        }
        break;
    case KV_OP_DELETE:
        buf_printf(out, "{\"response_delete_range\":{\"header\":{},\"deleted\":%lld", (long long)op->delete.deleted);
        if (op->delete.prev_count > 0)
            print_kvs_json(out, "prev_kvs", op->delete.prevs, op->delete.prev_count);
        break;
    case KV_OP_TXN: buf_append_str(out, "{\"response_txn\":{"); break; /* the txn language has no nesting */
    }
    buf_append_str(out, "}}");
}

static void print_txn_json(struct rsctl *r, const struct kv_header *h, const struct kv_txn_result *txn)
{
    buf_append_str(&r->out, "{\"header\":");
    print_header_json(&r->out, h);
    buf_printf(&r->out, ",\"succeeded\":%s,\"responses\":[", txn->succeeded ? "true" : "false");
    for (size_t i = 0; i < txn->result_count; i++) {
        if (i > 0)
            buf_append_char(&r->out, ',');
        print_op_json(&r->out, &txn->results[i]);
    }
    buf_append_str(&r->out, "]}\n");
}

void print_txn(struct rsctl *r, const struct kv_header *h, const struct kv_txn_result *txn)
{
    if (r->format == RSCTL_JSON) {
        print_txn_json(r, h, txn);
        return;
    }
    if (r->format == RSCTL_FIELDS)
        buf_printf(&r->out, "\"Succeeded\" : %s\n", txn->succeeded ? "true" : "false");
    else
        buf_append_str(&r->out, txn->succeeded ? "SUCCESS\n" : "FAILURE\n");
    for (size_t i = 0; i < txn->result_count; i++) {
        const struct kv_op_result *op = &txn->results[i];
        buf_append_char(&r->out, '\n');
        if (op->kind == KV_OP_RANGE)
            print_range(r, h, &op->range);
        else if (op->kind == KV_OP_PUT)
            print_put(r, h, op);
        else if (op->kind == KV_OP_DELETE)
            print_del(r, h, op);
    }
}

/* --- tables --- */

void print_table_add(struct print_table *t, const char *const *cells)
{
    char **row = mem_zalloc(t->columns * sizeof row[0]);
    for (size_t i = 0; i < t->columns; i++)
        row[i] = mem_strdup(cells[i]);
    t->rows = mem_realloc(t->rows, (t->row_count + 1) * sizeof t->rows[0]);
    t->rows[t->row_count++] = row;
}

static void print_rule(struct buf *out, const struct print_table *t, const size_t *widths)
{
    for (size_t i = 0; i < t->columns; i++) {
        buf_append_char(out, '+');
        for (size_t j = 0; j < widths[i] + 2; j++)
            buf_append_char(out, '-');
    }
    buf_append_str(out, "+\n");
}

static void print_row(struct buf *out, const struct print_table *t, const size_t *widths, const char *const *cells)
{
    for (size_t i = 0; i < t->columns; i++)
        buf_printf(out, "| %*s ", (int)widths[i], cells[i]);
    buf_append_str(out, "|\n");
}

void print_table_out(struct buf *out, const struct print_table *t)
{
    size_t widths[PRINT_COLUMNS_MAX];
    ASSERT(t->columns <= PRINT_COLUMNS_MAX);
    for (size_t i = 0; i < t->columns; i++) {
        widths[i] = strlen(t->names[i]);
        for (size_t j = 0; j < t->row_count; j++)
            widths[i] = MAX(widths[i], strlen(t->rows[j][i]));
    }
    print_rule(out, t, widths);
    print_row(out, t, widths, t->names);
    print_rule(out, t, widths);
    for (size_t j = 0; j < t->row_count; j++)
        print_row(out, t, widths, (const char *const *)t->rows[j]);
    print_rule(out, t, widths);
}

void print_table_release(struct print_table *t)
{
    for (size_t j = 0; j < t->row_count; j++) {
        for (size_t i = 0; i < t->columns; i++)
            mem_free(t->rows[j][i]);
        mem_free(t->rows[j]);
    }
    mem_free(t->rows);
}
