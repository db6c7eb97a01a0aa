/* rsctl's command line: its flags and whose they are, and the keys and ranges that they mean. Pure, but for the words of complaint. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/flags.h"
#include "common/mem.h"

#include <errno.h>
#include <stdlib.h>

void rsctl_flag_table(struct rsctl_flags *f, struct flag out[RSCTL_FLAGS_MAX])
{
    const struct flag table[] = {
        {"endpoints", FLAG_TEXT, &f->endpoints, "members' client addresses: HOST:PORT,…", 0, "RSCTL_ENDPOINTS"},
        {"cacert", FLAG_TEXT, &f->ca, "certificate authority of the members", 0, "RSCTL_CACERT"},
        {"cert", FLAG_TEXT, &f->cert, "own certificate", 0, "RSCTL_CERT"},
        {"key", FLAG_TEXT, &f->key, "its key", 0, "RSCTL_KEY"},
        {"command-timeout", FLAG_MS, &f->timeout_ms, "for one request, with fail-over", 0, NULL},
        {"write-out", FLAG_TEXT, &f->write_out, "the form of what is written; simple is the default, and lines that of watch on a terminal", 'w', NULL},
        {"hex", FLAG_BOOL, &f->hex, "print bytes as \\x..", 0, NULL},
        {"kind", FLAG_TEXT, &f->kind, "instead of a KEY: the Kubernetes object NAME of this kind (plural, singular or short), or all of them", 'k', NULL},
        {"namespace", FLAG_TEXT, &f->object_namespace, "with --kind: where it is (default)", 'n', NULL},
        {"all-namespaces", FLAG_BOOL, &f->all_namespaces, "with --kind: those of all namespaces", 'A', NULL},
        {"pretty", FLAG_BOOL, &f->pretty, "JSON values on several lines; on a terminal that is the default", 0, NULL},
        {"prefix", FLAG_BOOL, &f->prefix, "all keys that begin with KEY", 0, NULL},
        {"from-key", FLAG_BOOL, &f->from_key, "all keys from KEY on", 0, NULL},
        {"keys-only", FLAG_BOOL, &f->keys_only, "get: no values", 0, NULL},
        {"count-only", FLAG_BOOL, &f->count_only, "get: only how many", 0, NULL},
        {"print-value-only", FLAG_BOOL, &f->value_only, "get: only values", 0, NULL},
        {"limit", FLAG_INT, &f->limit, "get: at most so many", 0, NULL},
        {"order", FLAG_TEXT, &f->order, "get: ASCEND or DESCEND", 0, NULL},
        {"sort-by", FLAG_TEXT, &f->sort_by, "get: KEY, VERSION, CREATE, MODIFY or VALUE", 0, NULL},
        {"rev", FLAG_INT, &f->rev, "get, tree: as of this revision; watch: from it on", 0, NULL},
        {"consistency", FLAG_TEXT, &f->consistency, "get, member list: l (linearizable) or s (serializable)", 0, NULL},
        {"min-mod-rev", FLAG_INT, &f->min_mod, "get: least modification revision", 0, NULL},
        {"max-mod-rev", FLAG_INT, &f->max_mod, "get: greatest modification revision", 0, NULL},
        {"min-create-rev", FLAG_INT, &f->min_create, "get: least creation revision", 0, NULL},
        {"max-create-rev", FLAG_INT, &f->max_create, "get: greatest creation revision", 0, NULL},
        {"prev-kv", FLAG_BOOL, &f->prev_kv, "put, del, watch: what was there before", 0, NULL},
        {"ignore-value", FLAG_BOOL, &f->ignore_value, "put: keep the value", 0, NULL},
        {"ignore-lease", FLAG_BOOL, &f->ignore_lease, "put: keep the lease", 0, NULL},
        {"lease", FLAG_TEXT, &f->lease_text, "put: attach to this lease (hexadecimal)", 0, NULL},
        {"keys", FLAG_BOOL, &f->keys, "lease timetolive: show the attached keys", 0, NULL},
        {"once", FLAG_BOOL, &f->once, "lease keep-alive: renew once and end; top: print one view and end", 0, NULL},
        {"ttl", FLAG_INT, &f->ttl, "lock, elect: seconds after which it ends when this process does not say that it lives", 0, NULL},
        {"listen", FLAG_BOOL, &f->listen, "elect: print who leads, whenever that changes", 'l', NULL},
        {"load", FLAG_TEXT, &f->load, "check perf: s, m, l or xl: 50, 200, 500 or 1000 clients, 150, 1000, 8000 or 15000 puts a second", 0, NULL},
        {"check:prefix", FLAG_TEXT, &f->check_prefix, "check perf: where its keys stand; nothing else may stand there", 0, NULL},
        {"duration", FLAG_MS, &f->duration_ms, "check perf: 1s to 10m", 0, NULL},
        {"auto-compact", FLAG_BOOL, &f->auto_compact, "check perf: forget the history of its keys in the end", 0, NULL},
        {"interval", FLAG_MS, &f->interval_ms, "top: between two views", 0, NULL},
        {"peer-urls", FLAG_TEXT, &f->peer_urls, "member add, update: HOST:PORT for other members", 0, NULL},
        {"client-urls", FLAG_TEXT, &f->client_urls, "member add, update: HOST:PORT for clients", 0, NULL},
        {"learner", FLAG_BOOL, &f->learner, "member add: it stays a learner until it is promoted by hand", 0, NULL},
        {"force", FLAG_BOOL, &f->force, "member remove: also when too few voters that answer are left", 0, NULL},
        {"range", FLAG_BOOL, &f->range, "del: END is the end of a range (the default)", 0, NULL},
        {"interactive", FLAG_BOOL, &f->interactive, "txn: ask on a terminal", 'i', NULL},
        {"depth", FLAG_INT, &f->depth, "tree: so many levels; 0: all", 0, NULL},
        {"data-dir", FLAG_TEXT, &f->data_dir, "snapshot restore: the folder to make; recover: the one that is left", 0, NULL},
        {"cluster-id", FLAG_TEXT, &f->cluster_id, "snapshot restore, recover: of the new cluster; 32 hexadecimal digits", 0, NULL},
        {"member-id", FLAG_TEXT, &f->member_id, "snapshot restore: whose folder it is; 16 hexadecimal digits", 0, NULL},
        {"members", FLAG_TEXT, &f->members, "snapshot restore: of the new cluster: ID=HOST:PORT,…", 0, NULL},
        {"clients", FLAG_TEXT, &f->clients, "snapshot restore: their client addresses: ID=HOST:PORT,…", 0, NULL},
        {"bump-revision", FLAG_INT, &f->bump_revision, "snapshot restore, recover: revisions go on so much later", 0, NULL},
        {"mark-compacted", FLAG_BOOL, &f->mark_compacted, "snapshot restore, recover: forget the revisions before", 0, NULL},
        {"dry-run", FLAG_BOOL, &f->dry_run, "recover: only say what the folder holds", 0, NULL},
        {"progress-notify", FLAG_BOOL, &f->progress_notify, "watch: say how far it is when quiet", 0, NULL},
        {"physical", FLAG_BOOL, &f->physical, "compact: accepted; memory always goes in the background", 0, NULL},
        {0},
    };
    _Static_assert(ARRAY_LEN(table) <= RSCTL_FLAGS_MAX, "the table fits");
    memcpy(out, table, sizeof table);
}

bool rsctl_has_word(const char *words, const char *name)
{
    for (struct slice rest = slice_str(words); rest.size > 0;)
        if (slice_is(slice_cut(&rest, ' '), name))
            return true;
    return false;
}

bool rsctl_flag_applies(const struct rsctl_verb *verb, const char *name)
{
    return rsctl_has_word("endpoints cacert cert key command-timeout write-out hex", name) || (strcmp(verb->flags, "*") == 0 && strchr(name, ':') == NULL) ||
           rsctl_has_word(verb->flags, name);
}

/* "check:prefix" in the table is check's own --prefix. */
const char *rsctl_flag_name(const struct flag *f)
{
    const char *colon = strchr(f->name, ':');
    return colon == NULL ? f->name : colon + 1;
}

/* The rows of `all` that the verb takes. */
void rsctl_flags_of(const struct rsctl_verb *verb, const struct flag *all, struct flag out[RSCTL_FLAGS_MAX])
{
    size_t n = 0;
    for (const struct flag *f = all; f->name != NULL; f++) {
        if (!rsctl_flag_applies(verb, f->name))
            continue;
        out[n] = *f;
        out[n++].name = rsctl_flag_name(f);
    }
    out[n] = (struct flag){0};
}

int rsctl_read_lease(struct rsctl_flags *f)
{
    if (f->lease_text == NULL || rsctl_lease_id(f->lease_text, &f->lease))
        return RSCTL_OK;
    return rsctl_usage("--lease is \"%s\", but must be a lease's id: hexadecimal digits", f->lease_text);
}

int rsctl_parse_flags(struct rsctl_flags *f, int argc, char **argv, const char ***ret_arguments, size_t *ret_count)
{
    struct flag flags[RSCTL_FLAGS_MAX];
    struct flags_result parsed;
    struct err err;
    rsctl_flag_table(f, flags);
    if (flags_parse(flags, argc, argv, NULL, &parsed, &err) != 0)
        return rsctl_usage("%s", err.message);
    *ret_arguments = parsed.arguments;
    *ret_count = parsed.argument_count;
    return rsctl_read_lease(f);
}

/* Does the value of this flag stand in the next word? */
static bool takes_next(const struct flag *all, const char *word)
{
    if (strchr(word, '=') != NULL)
        return false;
    for (const struct flag *f = all; f->name != NULL; f++)
        if (word[1] == '-' ? strcmp(word + 2, rsctl_flag_name(f)) == 0 : f->letter != '\0' && word[1] == f->letter && word[2] == '\0')
            return f->type != FLAG_BOOL;
    return false;
}

/* Where the `nth` (from 0) word that is no flag stands, by the flags of a table; argc: there is none. */
int rsctl_find_word(const struct flag *all, int argc, char **argv, size_t nth)
{
    bool flags = true;
    for (int i = 1; i < argc; i++) {
        if (flags && strcmp(argv[i], "--") == 0)
            flags = false;
        else if (flags && argv[i][0] == '-' && argv[i][1] != '\0')
            i += takes_next(all, argv[i]);
        else if (nth-- == 0)
            return i;
    }
    return argc;
}

/* Flags are those of the verb alone. What follows its own words is not looked into: "--" is put before it. */
int rsctl_parse_command(const struct rsctl_verb *verb, const struct flag *all, int argc, char **argv, struct flags_result *ret)
{
    struct flag own[RSCTL_FLAGS_MAX];
    struct err err;
    char end[] = "--", **words = mem_zalloc((size_t)(argc + 2) * sizeof words[0]);
    rsctl_flags_of(verb, all, own);
    int cut = verb->own_words > 0 ? rsctl_find_word(own, argc, argv, verb->own_words) : argc, n = 0;
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        if (i == cut && !ended)
            words[n++] = end;
        words[n++] = argv[i];
        ended |= strcmp(argv[i], end) == 0;
    }
    int code = flags_parse(own, n, words, getenv, ret, &err);
    mem_free(words);
    if (code == 0)
        return RSCTL_OK;
    return rsctl_usage("%s: %.*s; \"rsctl help %s\" lists those that it takes", verb->name, (int)strcspn(err.message, ";"), err.message, verb->name);
}

/* --- keys --- */

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

int rsctl_serializable(const struct rsctl_flags *f, bool *ret)
{
    const char *text = f->consistency != NULL ? f->consistency : "l"; /* lines of a transaction have none */
    *ret = strcmp(text, "s") == 0;
    if (!*ret && strcmp(text, "l") != 0)
        return rsctl_usage("--consistency is \"%s\", but must be l or s", text);
    return RSCTL_OK;
}

int rsctl_range(const struct rsctl_flags *f, struct kv_span span, struct kv_range *ret)
{
    *ret = (struct kv_range){
        .span = span, .limit = f->limit, .revision = f->rev, .keys_only = f->keys_only, .count_only = f->count_only,
        .min_mod_revision = f->min_mod, .max_mod_revision = f->max_mod,
        .min_create_revision = f->min_create, .max_create_revision = f->max_create,
    };
    int code = rsctl_serializable(f, &ret->serializable);
    if (code != RSCTL_OK)
        return code;
    if (f->keys_only && f->count_only)
        return rsctl_usage("--keys-only and --count-only exclude each other");
    return parse_order(f, ret);
}

bool rsctl_number(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0' || *text == ' ' || *text == '+')
        return false;
    *ret = v;
    return true;
}

bool rsctl_lease_id(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long id = strtoull(text, &end, 16);
    if (errno != 0 || strspn(text, "0123456789abcdefABCDEF") != strlen(text) || *text == '\0' || id == 0 || id > INT64_MAX)
        return false;
    *ret = (int64_t)id;
    return true;
}
