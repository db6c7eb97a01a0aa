/* rsctl: what its verbs share. One verb is one row in rsctl.c. */
#ifndef TOOLS_RSCTL_H
#define TOOLS_RSCTL_H

#include "common/base.h"
#include "common/buf.h"
#include "common/env.h"
#include "common/flags.h"
#include "common/mem.h"
#include "raftstore/client.h"

#define RSCTL_VERSION "0.1.0"
#define RSCTL_API_VERSION "1 (semantics of etcd v3)"

#define RSCTL_TIMEOUT_MS 5000 /* of a request, unless --command-timeout says another */

/* As etcdctl's. */
enum rsctl_exit { RSCTL_OK = 0, RSCTL_ERROR = 1, RSCTL_CONNECTION = 2, RSCTL_INPUT = 3, RSCTL_UNHEALTHY = 5, RSCTL_USAGE = 128 };
enum rsctl_format { RSCTL_SIMPLE, RSCTL_JSON, RSCTL_FIELDS, RSCTL_TABLE, RSCTL_LINES };

struct rsctl_flags {
    const char *endpoints, *ca, *cert, *key, *write_out, *order, *sort_by, *consistency, *peer_urls, *client_urls, *data_dir, *cluster_id, *member_id, *members, *clients, *load, *check_prefix, *kind, *object_namespace;
    unsigned timeout_ms, duration_ms, interval_ms;
    bool hex, prefix, from_key, keys_only, count_only, value_only, prev_kv, ignore_value, ignore_lease, progress_notify,
        interactive, range, physical, keys, once, learner, force, mark_compacted, listen, auto_compact, all_namespaces, pretty, dry_run;
    const char *lease_text; /* hexadecimal */
    int64_t limit, rev, lease, min_mod, max_mod, min_create, max_create, bump_revision, depth, ttl;
};

struct rsctl {
    struct rsctl_flags flags;
    enum rsctl_format format;
    const char **arguments; /* after the verb */
    size_t argument_count;
    struct uv_env *uv;
    struct env *env;
    struct tls *tls;
    struct arena endpoint_names; /* what `endpoints` borrows from */
    const char *endpoints[STORE_ENDPOINTS_MAX];
    size_t endpoint_count;
    struct store_client *client; /* to all endpoints; made when first wanted */
    struct buf out;              /* written to standard output at the end, and by rsctl_flush */
    int exit_code;
    struct store_member_request member; /* of the verb at work */
    void *verb_data;     /* of the verb at work */
    int64_t lease_ttl_s; /* of the lease kept alive; 0: it is gone */
};

struct rsctl_verb {
    const char *name, *arguments, *help;
    int (*run)(struct rsctl *r); /* an rsctl_exit */
    const char *flags;           /* beside those of every verb: names between blanks; "*": all */
    const char *examples;        /* lines */
    const char *formats;         /* of --write-out: names between blanks */
    size_t own_words;            /* after so many words, itself counted, the rest is not ours to read; 0: all is */
};

extern const struct rsctl_verb rsctl_verbs[]; /* ends with a NULL name */

int rsctl_get(struct rsctl *r);
int rsctl_put(struct rsctl *r);
int rsctl_del(struct rsctl *r);
int rsctl_txn(struct rsctl *r);
int rsctl_watch(struct rsctl *r);
int rsctl_compact(struct rsctl *r);
int rsctl_endpoint(struct rsctl *r);
int rsctl_member(struct rsctl *r);
int rsctl_move_leader(struct rsctl *r);
int rsctl_lease(struct rsctl *r);
int rsctl_lock(struct rsctl *r);
int rsctl_elect(struct rsctl *r);
int rsctl_check(struct rsctl *r);
int rsctl_top(struct rsctl *r);
int rsctl_snapshot(struct rsctl *r);
int rsctl_completion(struct rsctl *r);
int rsctl_recover(struct rsctl *r);
int rsctl_tree(struct rsctl *r);
int rsctl_diff(struct rsctl *r);
int rsctl_history(struct rsctl *r);
bool rsctl_number(const char *text, int64_t *ret); /* false: no decimal number of that size */
bool rsctl_lease_id(const char *text, int64_t *ret); /* false: no positive hexadecimal number */

/* A call and its wait. `print` runs in done, while the answer is there. */
struct rsctl_call {
    struct store_call call;
    struct rsctl *r;
    void (*print)(struct rsctl *r, struct store_call *call);
    bool done;
    int status;
    struct err why;
};
int rsctl_parse_endpoints(struct rsctl *r); /* rsctl_endpoints.c; an exit code */
struct store_client *rsctl_client(struct rsctl *r);
void rsctl_call_init(struct rsctl_call *c, struct rsctl *r, void (*print)(struct rsctl *r, struct store_call *call));
void rsctl_wait(struct rsctl_call *c);
int rsctl_finish(struct rsctl_call *c); /* waits; complains when it failed; an exit code */

int rsctl_reach(struct rsctl *r); /* does any endpoint answer in time? for what waits without bound after; complains; an exit code */

int rsctl_usage(const char *format, ...) PRINTF_ARGS(1, 2);     /* complains; RSCTL_USAGE */
int rsctl_exit_of(int status);                                 /* an ERR_* */
int rsctl_complain(int status, const char *message);            /* an exit code */
void rsctl_flush(struct rsctl *r);
bool rsctl_read_input(struct buf *out, size_t bytes_max);       /* standard input; false: more than that, or an error */

/* rsctl_flags.c */
#define RSCTL_FLAGS_MAX 64

void rsctl_flag_table(struct rsctl_flags *f, struct flag out[RSCTL_FLAGS_MAX]); /* of all verbs; a name VERB:NAME is that verb's own NAME */
bool rsctl_has_word(const char *words, const char *name); /* is it among them, between blanks? */
const char *rsctl_flag_name(const struct flag *f);
bool rsctl_flag_applies(const struct rsctl_verb *verb, const char *name);
void rsctl_flags_of(const struct rsctl_verb *verb, const struct flag *all, struct flag out[RSCTL_FLAGS_MAX]); /* the rows that the verb takes */
/* Where the `nth` (from 0) word that is no flag stands, by the flags of a table; argc: there is none. */
int rsctl_find_word(const struct flag *all, int argc, char **argv, size_t nth);
/* An rsctl_exit. Flags are those of the verb alone; what follows its own words is left as it is. */
int rsctl_parse_command(const struct rsctl_verb *verb, const struct flag *all, int argc, char **argv, struct flags_result *ret);
int rsctl_parse_flags(struct rsctl_flags *f, int argc, char **argv, const char ***ret_arguments, size_t *ret_count);
int rsctl_read_lease(struct rsctl_flags *f);
/* Key and optional end of the arguments, with --prefix and --from-key; `scratch` keeps the computed end. */
int rsctl_span(const struct rsctl_flags *f, const char *const *arguments, size_t n, struct buf *scratch, struct kv_span *ret);
int rsctl_serializable(const struct rsctl_flags *f, bool *ret); /* --consistency */
int rsctl_range(const struct rsctl_flags *f, struct kv_span span, struct kv_range *ret);

/* rsctl_print.c */
void print_header_json(struct buf *out, const struct kv_header *h);
void print_header_fields(struct buf *out, const struct kv_header *h);
const char *print_size(struct arena *a, uint64_t bytes); /* for people: 2.1 MB */
void print_base64(struct buf *out, struct slice bytes);
void print_quoted(struct buf *out, struct slice bytes); /* what is no plain ASCII as \x.. */
void print_key(struct rsctl *r, struct slice key);     /* with --kind as a name */
void print_value(struct rsctl *r, struct slice value); /* with --pretty JSON as people read it */
void print_kv(struct rsctl *r, const struct kv *kv);
void print_kv_fields(struct buf *out, const char *before, const struct kv *kv); /* before: of each name */
void print_kv_json(struct buf *out, const struct kv *kv);
void print_range(struct rsctl *r, const struct kv_header *h, const struct kv_range_result *range);
void print_put(struct rsctl *r, const struct kv_header *h, const struct kv_op_result *result);
void print_del(struct rsctl *r, const struct kv_header *h, const struct kv_op_result *result);
void print_txn(struct rsctl *r, const struct kv_header *h, const struct kv_txn_result *txn);

#define PRINT_COLUMNS_MAX 12
struct print_table {
    size_t columns;
    const char *const *names;
    char ***rows; /* owned; each cell allocated */
    size_t row_count;
};
void print_table_add(struct print_table *t, const char *const *cells);
void print_table_out(struct buf *out, const struct print_table *t);
void print_table_release(struct print_table *t);

#endif
