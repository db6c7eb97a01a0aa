/* rsctl: a client of raftstore for people and scripts, in the manner of etcdctl. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/flags.h"
#include "common/tls.h"
#include "common/uv_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int run_version(struct rsctl *r)
{
    buf_printf(&r->out, "rsctl version: %s\nAPI version: %s\n", RSCTL_VERSION, RSCTL_API_VERSION);
    return RSCTL_OK;
}

static int run_shell(struct rsctl *r);

static int run_completion(struct rsctl *r);

static const struct rsctl_verb verbs[] = {
    {"get", "KEY [END]", "keys and their values", rsctl_get,
     "prefix from-key keys-only count-only print-value-only limit order sort-by rev consistency min-mod-rev max-mod-rev "
     "min-create-rev max-create-rev",
     "  rsctl get greeting\n  rsctl get --prefix --keys-only /registry/pods/\n  rsctl get greeting --rev 7 -w json\n"},
    {"put", "KEY [VALUE]", "sets a key; without VALUE its value is standard input", rsctl_put,
     "prev-kv ignore-value ignore-lease lease", "  rsctl put greeting hello\n  rsctl put big <file\n"},
    {"del", "KEY [END]", "removes keys", rsctl_del, "prefix from-key prev-kv range", "  rsctl del greeting\n  rsctl del --prefix old/\n"},
    {"txn", "", "compares, then one of two lists of operations, from standard input", rsctl_txn, "interactive",
     "  printf 'version(\"lock\") = \"0\"\\n\\nput lock me\\n\\nget lock\\n\\n' | rsctl txn\n"},
    {"watch", "KEY [END]", "prints changes as they happen", rsctl_watch, "prefix from-key rev prev-kv progress-notify print-value-only",
     "  rsctl watch --prefix /registry/pods/ -w lines\n  rsctl watch greeting --rev 7 -w json\n"},
    {"compact", "REVISION", "forgets history before a revision", rsctl_compact, "physical", "  rsctl compact 1000\n"},
    {"compaction", "REVISION", "the same", rsctl_compact, "physical", "  rsctl compaction 1000\n"},
    {"endpoint", "status|health|hashkv", "about each member in --endpoints", rsctl_endpoint, "", "  rsctl endpoint status -w table\n"},
    {"member", "list|add NAME|promote ID|remove ID|update ID", "the members of the cluster, and changes of them", rsctl_member,
     "consistency peer-urls client-urls learner force", "  rsctl member list\n  rsctl member add m4 --peer-urls 10.0.0.4:2380\n"},
    {"move-leader", "ID", "hands leadership to another voter", rsctl_move_leader, "", "  rsctl move-leader 00000000000000a2\n"},
    {"lease", "grant TTL|revoke ID|timetolive ID|keep-alive ID|list", "keys that go when nobody renews them", rsctl_lease, "keys once",
     "  rsctl lease grant 60\n  rsctl lease timetolive 32695410dcc0ca06 --keys\n"},
    {"snapshot", "save FILE|status FILE|verify FILE|restore FILE", "the whole store as a file, and a new cluster from it", rsctl_snapshot,
     "data-dir cluster-id member-id members clients bump-revision mark-compacted",
     "  rsctl snapshot save backup\n  rsctl snapshot status backup -w table\n"},
    {"recover", "", "a new cluster from the folder of one member, when the majority is lost for good", rsctl_recover,
     "data-dir cluster-id bump-revision mark-compacted dry-run",
     "  rsctl recover --data-dir /var/lib/m1 --dry-run\n  rsctl recover --data-dir /var/lib/m1\n"},
    {"tree", "[PREFIX]", "keys below /registry, or another prefix, as a tree: how many, how large", rsctl_tree, "depth rev",
     "  rsctl tree\n  rsctl tree /registry/pods --depth 2\n"},
    {"diff", "REVISION REVISION [PREFIX]", "what was added (+), removed (-) and changed (~) between two revisions", rsctl_diff, "",
     "  rsctl diff 1200 1300\n  rsctl diff 1200 1300 /registry/deployments -w json\n"},
    {"history", "KEY", "each version of a key that is still readable, and what changed", rsctl_history, "",
     "  rsctl history /registry/pods/default/web-0\n"},
    {"shell", "", "commands from standard input, one a line, over one connection", run_shell, "*", "  echo put a 1 | rsctl shell\n"},
    {"completion", "bash|zsh", "a script that completes commands and flags", run_completion, "", "  . <(rsctl completion bash)\n"},
    {"version", "", "of this client and its protocol", run_version, "", "  rsctl version\n"},
};

static const struct rsctl_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

#define SHELL_WORDS_MAX 16

/* One line: words between blanks, flags are those of the command line. */
static int run_line(struct rsctl *r, char *line)
{
    const char *words[SHELL_WORDS_MAX];
    size_t n = 0;
    char *save = NULL;
    for (char *word = strtok_r(line, " \t\n", &save); word != NULL && n < SHELL_WORDS_MAX; word = strtok_r(NULL, " \t\n", &save))
        words[n++] = word;
    const struct rsctl_verb *verb = n == 0 ? NULL : find_verb(words[0]);
    if (n == 0)
        return RSCTL_OK;
    if (verb == NULL || verb->run == run_shell)
        return rsctl_usage("unknown command \"%s\"", words[0]);
    r->arguments = words + 1;
    r->argument_count = n - 1;
    int code = verb->run(r);
    rsctl_flush(r);
    return code;
}

static int run_shell(struct rsctl *r)
{
    char *line = NULL;
    size_t capacity = 0;
    int code = RSCTL_OK;
    while (getline(&line, &capacity, stdin) > 0) {
        int one = run_line(r, line);
        code = one != RSCTL_OK ? one : code;
    }
    free(line);
    return code;
}

#define FLAGS_MAX 48

static void flag_table(struct rsctl_flags *f, struct flag out[FLAGS_MAX])
{
    const struct flag table[] = {
        {"endpoints", FLAG_TEXT, &f->endpoints, "members' client addresses: HOST:PORT,…", 0, "RSCTL_ENDPOINTS"},
        {"cacert", FLAG_TEXT, &f->ca, "certificate authority of the members", 0, "RSCTL_CACERT"},
        {"cert", FLAG_TEXT, &f->cert, "own certificate", 0, "RSCTL_CERT"},
        {"key", FLAG_TEXT, &f->key, "its key", 0, "RSCTL_KEY"},
        {"command-timeout", FLAG_MS, &f->timeout_ms, "for one request, with fail-over", 0, NULL},
        {"write-out", FLAG_TEXT, &f->write_out, "simple, json, fields or table; watch: also lines", 'w', NULL},
        {"hex", FLAG_BOOL, &f->hex, "print bytes as \\x..", 0, NULL},
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
        {"once", FLAG_BOOL, &f->once, "lease keep-alive: renew once and end", 0, NULL},
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
    _Static_assert(ARRAY_LEN(table) <= FLAGS_MAX, "the table fits");
    memcpy(out, table, sizeof table);
}

/* Is `name` among the words? */
static bool has_word(const char *words, const char *name)
{
    for (struct slice rest = slice_str(words); rest.size > 0;)
        if (slice_is(slice_cut(&rest, ' '), name))
            return true;
    return false;
}

static bool flag_applies(const struct rsctl_verb *verb, const char *name)
{
    return has_word("endpoints cacert cert key command-timeout write-out hex", name) || strcmp(verb->flags, "*") == 0 ||
           has_word(verb->flags, name);
}

/* The rows of `all` that the verb takes. */
static void flags_of(const struct rsctl_verb *verb, const struct flag *all, struct flag out[FLAGS_MAX])
{
    size_t n = 0;
    for (const struct flag *f = all; f->name != NULL; f++)
        if (flag_applies(verb, f->name))
            out[n++] = *f;
    out[n] = (struct flag){0};
}

static void print_verb_help(const struct rsctl_verb *verb, const struct flag *all)
{
    struct flag flags[FLAGS_MAX];
    struct buf text = {0}, usage = {0};
    flags_of(verb, all, flags);
    buf_printf(&usage, "Usage: rsctl %s%s%s [flags]\n\n%s\n\nExamples:\n%s", verb->name, verb->arguments[0] != '\0' ? " " : "",
               verb->arguments, verb->help, verb->examples);
    usage.data[--usage.size] = '\0';
    flags_help(flags, usage.data, &text);
    fwrite(text.data, 1, text.size, stdout);
    buf_release(&text);
    buf_release(&usage);
}

static void print_words(struct buf *out, const struct rsctl_verb *verb, const struct flag *all)
{
    for (const struct flag *f = all; f->name != NULL; f++)
        if (verb == NULL || flag_applies(verb, f->name))
            buf_printf(out, " --%s", f->name);
}

/* One function for both shells: zsh runs it through its bash compatibility. */
static int run_completion(struct rsctl *r)
{
    struct flag all[FLAGS_MAX];
    const char *shell = r->argument_count == 1 ? r->arguments[0] : "";
    bool zsh = strcmp(shell, "zsh") == 0;
    if (!zsh && strcmp(shell, "bash") != 0)
        return rsctl_usage("completion wants bash or zsh");
    flag_table(&r->flags, all);
    if (zsh)
        buf_append_str(&r->out, "autoload -U +X bashcompinit && bashcompinit\n");
    buf_append_str(&r->out, "_rsctl() {\n    local word verb= words i\n    word=${COMP_WORDS[COMP_CWORD]}\n"
                            "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n        ");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        buf_printf(&r->out, "%s%s", i == 0 ? "" : "|", verbs[i].name);
    buf_append_str(&r->out, ") verb=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n    case $verb in\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        buf_printf(&r->out, "    %s) words='", verbs[i].name);
        for (const char *c = verbs[i].arguments; *c != '\0'; c++) /* small words are to be typed as they stand, large ones are names */
            buf_append_char(&r->out, *c == '|' || *c == ' ' ? ' ' : (*c >= 'a' && *c <= 'z') || *c == '-' ? *c : ' ');
        print_words(&r->out, &verbs[i], all);
        buf_append_str(&r->out, "' ;;\n");
    }
    buf_append_str(&r->out, "    *) words='help");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        buf_printf(&r->out, " %s", verbs[i].name);
    print_words(&r->out, NULL, all);
    buf_append_str(&r->out, "' ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words --help\" -- \"$word\"))\n}\n"
                            "complete -o default -F _rsctl rsctl\n");
    return RSCTL_OK;
}

static void print_help(const struct flag *flags)
{
    struct flag common[FLAGS_MAX];
    struct buf text = {0}, usage = {0};
    flags_of(&(struct rsctl_verb){.name = "", .flags = ""}, flags, common);
    buf_append_str(&usage, "Usage: rsctl [flags] COMMAND [arguments]\n\nCommands; \"rsctl help COMMAND\" tells more:\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        buf_printf(&usage, "  %-13s%s\n", verbs[i].name, verbs[i].help);
    usage.data[--usage.size] = '\0';
    flags_help(common, usage.data, &text);
    fwrite(text.data, 1, text.size, stdout);
    buf_release(&text);
    buf_release(&usage);
}

int rsctl_usage(const char *format, ...)
{
    char text[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "rsctl: %s\n", text);
    return RSCTL_USAGE;
}

int rsctl_complain(int status, const char *message)
{
    fprintf(stderr, "rsctl: %s\n", message[0] != '\0' ? message : err_text(status));
    switch (status) {
    case ERR_TIMEOUT:
    case ERR_CONNECT:
    case ERR_TLS:
    case ERR_UNAVAILABLE: return RSCTL_CONNECTION;
    case ERR_INVALID: return RSCTL_INPUT;
    default: return RSCTL_ERROR;
    }
}

void rsctl_flush(struct rsctl *r)
{
    if (fwrite(r->out.data, 1, r->out.size, stdout) != r->out.size || fflush(stdout) != 0) {
        fprintf(stderr, "rsctl: cannot write to standard output\n");
        r->exit_code = RSCTL_ERROR;
    }
    buf_reset(&r->out);
}

bool rsctl_read_input(struct buf *out, size_t bytes_max)
{
    size_t n;
    do {
        buf_reserve(out, 64 * 1024);
        n = fread(out->data + out->size, 1, 64 * 1024, stdin);
        out->size += n;
        out->data[out->size] = '\0';
    } while (n > 0 && out->size <= bytes_max);
    return out->size <= bytes_max && !ferror(stdin);
}

struct store_client *rsctl_client(struct rsctl *r)
{
    struct store_client_options o = {.endpoints = r->endpoints, .endpoint_count = r->endpoint_count, .tls = r->tls};
    if (r->client == NULL)
        r->client = store_client_new(r->env, &o);
    return r->client;
}

static void call_done(struct store_call *call, int status, const struct err *why)
{
    struct rsctl_call *c = container_of(call, struct rsctl_call, call);
    c->done = true;
    c->status = status;
    if (why != NULL)
        c->why = *why;
    if (status == 0)
        c->print(c->r, call);
    uv_env_stop(c->r->uv);
}

void rsctl_call_init(struct rsctl_call *c, struct rsctl *r, void (*print)(struct rsctl *r, struct store_call *call))
{
    *c = (struct rsctl_call){.call = {.done = call_done}, .r = r, .print = print};
}

void rsctl_wait(struct rsctl_call *c)
{
    while (!c->done)
        uv_env_run(c->r->uv, NULL, NULL);
}

int rsctl_finish(struct rsctl_call *c)
{
    rsctl_wait(c);
    return c->status == 0 ? RSCTL_OK : rsctl_complain(c->status, c->why.message);
}

static int parse_format(struct rsctl *r, const struct rsctl_verb *verb)
{
    static const char *const names[] = {"simple", "json", "fields", "table", "lines"};
    size_t known = ARRAY_LEN(names) - (verb->run != rsctl_watch); /* lines are of events */
    for (size_t i = 0; i < known; i++)
        if (strcmp(r->flags.write_out, names[i]) == 0) {
            r->format = (enum rsctl_format)i;
            return RSCTL_OK;
        }
    return rsctl_usage("--write-out is \"%s\", but must be simple, json, fields or table", r->flags.write_out);
}

static int parse_endpoints(struct rsctl *r)
{
    char *text = r->endpoint_bytes = mem_strdup(r->flags.endpoints);
    for (char *next; text != NULL; text = next) {
        next = strchr(text, ',');
        if (next != NULL)
            *next++ = '\0';
        if (strncmp(text, "https://", 8) == 0)
            text += 8;
        if (strrchr(text, ':') == NULL)
            return rsctl_usage("endpoint \"%s\" is not HOST:PORT", text);
        if (r->endpoint_count == STORE_ENDPOINTS_MAX)
            return rsctl_usage("more than %d endpoints", STORE_ENDPOINTS_MAX);
        r->endpoints[r->endpoint_count++] = text;
    }
    return RSCTL_OK;
}

static int load_tls(struct rsctl *r)
{
    struct err err;
    if (r->flags.ca == NULL && r->flags.cert == NULL && r->flags.key == NULL)
        return RSCTL_OK;
    if (r->flags.ca == NULL || r->flags.cert == NULL || r->flags.key == NULL)
        return rsctl_usage("--cacert, --cert and --key (or RSCTL_CACERT, RSCTL_CERT and RSCTL_KEY) are wanted together");
    const struct tls_options o = {.certificate_file = r->flags.cert, .key_file = r->flags.key, .ca_file = r->flags.ca};
    return tls_new(&o, &r->tls, &err) == 0 ? RSCTL_OK : rsctl_complain(err.code, err.message);
}

static void client_closed(void *arg)
{
    struct rsctl *r = arg;
    r->client = NULL;
    uv_env_stop(r->uv);
}

static int run_verb(struct rsctl *r, const struct rsctl_verb *verb)
{
    int code = parse_format(r, verb);
    if (code == RSCTL_OK)
        code = parse_endpoints(r);
    if (code == RSCTL_OK)
        code = load_tls(r);
    r->uv = uv_env_new("rsctl", LOG_ERROR);
    r->env = uv_env_env(r->uv);
    if (code == RSCTL_OK)
        code = verb->run(r);
    if (r->client != NULL)
        store_client_close(r->client, client_closed, r);
    while (r->client != NULL)
        uv_env_run(r->uv, NULL, NULL);
    if (r->out.size > 0)
        rsctl_flush(r);
    uv_env_free(r->uv);
    tls_unref(r->tls);
    buf_release(&r->out);
    mem_free(r->endpoint_bytes);
    return code != RSCTL_OK ? code : r->exit_code;
}

static int read_lease(struct rsctl_flags *f)
{
    if (f->lease_text == NULL || rsctl_lease_id(f->lease_text, &f->lease))
        return RSCTL_OK;
    return rsctl_usage("--lease is \"%s\", but must be a lease's id: hexadecimal digits", f->lease_text);
}

int rsctl_parse_flags(struct rsctl_flags *f, int argc, char **argv, const char ***ret_arguments, size_t *ret_count)
{
    struct flag flags[FLAGS_MAX];
    struct flags_result parsed;
    struct err err;
    flag_table(f, flags);
    if (flags_parse(flags, argc, argv, NULL, &parsed, &err) != 0)
        return rsctl_usage("%s", err.message);
    *ret_arguments = parsed.arguments;
    *ret_count = parsed.argument_count;
    return read_lease(f);
}

/* The command that the line names, or its help. Flags are parsed again with those that it takes alone. */
static int run_command(struct rsctl *r, int argc, char **argv, const struct flag *all, const struct flags_result *parsed)
{
    bool help = strcmp(parsed->arguments[0], "help") == 0;
    const char *name = parsed->arguments[help ? 1 : 0];
    const struct rsctl_verb *verb = find_verb(name);
    struct flag own[FLAGS_MAX];
    struct flags_result again;
    struct err err;
    if (verb == NULL)
        return rsctl_usage("unknown command \"%s\"; rsctl --help lists the known ones", name);
    if (help || parsed->help) {
        print_verb_help(verb, all);
        return RSCTL_OK;
    }
    flags_of(verb, all, own);
    if (flags_parse(own, argc, argv, getenv, &again, &err) != 0)
        return rsctl_usage("%s: %.*s; \"rsctl help %s\" lists those that it takes", verb->name, (int)strcspn(err.message, ";"),
                           err.message, verb->name);
    flags_release(&again);
    r->arguments = parsed->arguments + 1;
    r->argument_count = parsed->argument_count - 1;
    return run_verb(r, verb);
}

int main(int argc, char **argv)
{
    struct rsctl r = {.flags = {.endpoints = "127.0.0.1:2379", .timeout_ms = 5000, .write_out = "simple", .consistency = "l",
                               .bump_revision = 1000000000, .mark_compacted = true}};
    struct flag flags[FLAGS_MAX];
    struct flags_result parsed;
    struct err err;
    flag_table(&r.flags, flags);
    if (flags_parse(flags, argc, argv, getenv, &parsed, &err) != 0)
        return rsctl_usage("%s", err.message);
    bool help = parsed.argument_count > 0 && strcmp(parsed.arguments[0], "help") == 0;
    if (parsed.argument_count == (help ? 1u : 0u)) {
        bool asked = parsed.help;
        print_help(flags);
        flags_release(&parsed);
        return help || asked ? RSCTL_OK : RSCTL_USAGE;
    }
    if (read_lease(&r.flags) != RSCTL_OK)
        return RSCTL_USAGE;
    int code = run_command(&r, argc, argv, flags, &parsed);
    flags_release(&parsed);
    return code;
}
