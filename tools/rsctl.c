/* rsctl: a client of raftstore for people and scripts, in the manner of etcdctl. */
#include "common/base.h"

#include "tools/rsctl.h"

#include "common/tls.h"
#include "common/uv_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int run_version(struct rsctl *r)
{
    if (r->argument_count > 0)
        return rsctl_usage("version takes no arguments, got \"%s\"", r->arguments[0]);
    if (r->format == RSCTL_JSON)
        buf_printf(&r->out, "{\"rsctlVersion\":\"%s\",\"apiVersion\":\"%s\"}\n", RSCTL_VERSION, RSCTL_API_VERSION);
    else
        buf_printf(&r->out, "rsctl version: %s\nAPI version: %s\n", RSCTL_VERSION, RSCTL_API_VERSION);
    return RSCTL_OK;
}

static int run_shell(struct rsctl *r);

const struct rsctl_verb rsctl_verbs[] = {
    {"get", "KEY [END]", "keys and their values", rsctl_get,
     "kind namespace all-namespaces pretty prefix from-key keys-only count-only print-value-only limit order sort-by rev consistency min-mod-rev max-mod-rev "
     "min-create-rev max-create-rev",
     "  rsctl get greeting\n  rsctl get --prefix --keys-only /registry/pods/\n  rsctl get greeting --rev 7 -w json\n"
     "  rsctl get -k pods -n default web-0\n  rsctl get -k deployments --all-namespaces --keys-only\n", "simple json fields table", 0},
    {"put", "KEY [VALUE]", "sets a key; without VALUE its value is standard input", rsctl_put,
     "prev-kv ignore-value ignore-lease lease", "  rsctl put greeting hello\n  rsctl put big <file\n", "simple json fields", 0},
    {"del", "KEY [END]", "removes keys", rsctl_del, "kind namespace prefix from-key prev-kv range", "  rsctl del greeting\n  rsctl del --prefix old/\n  rsctl del -k leases -n kube-node-lease n1\n", "simple json fields", 0},
    {"txn", "", "compares, then one of two lists of operations, from standard input", rsctl_txn, "interactive",
     "  printf 'version(\"lock\") = \"0\"\\n\\nput lock me\\n\\nget lock\\n\\n' | rsctl txn\n", "simple json fields", 0},
    {"watch", "KEY [END]", "prints changes as they happen", rsctl_watch, "kind namespace all-namespaces pretty prefix from-key rev prev-kv progress-notify print-value-only",
     "  rsctl watch --prefix /registry/pods/ -w lines\n  rsctl watch -k pods --all-namespaces\n  rsctl watch greeting --rev 7 -w json\n", "simple json fields lines", 0},
    {"compact", "REVISION", "forgets history before a revision", rsctl_compact, "physical", "  rsctl compact 1000\n", "simple json", 0},
    {"compaction", "REVISION", "the same", rsctl_compact, "physical", "  rsctl compaction 1000\n", "simple json", 0},
    {"endpoint", "status|health|hashkv", "about each member in --endpoints", rsctl_endpoint, "", "  rsctl endpoint status -w table\n", "simple json fields table", 0},
    {"member", "list|add NAME|promote ID|remove ID|update ID", "the members of the cluster, and changes of them", rsctl_member,
     "consistency peer-urls client-urls learner force", "  rsctl member list\n  rsctl member add m4 --peer-urls 10.0.0.4:2380\n", "simple json fields table", 0},
    {"move-leader", "ID", "hands leadership to another voter", rsctl_move_leader, "", "  rsctl move-leader 00000000000000a2\n", "simple json", 0},
    {"lease", "grant TTL|revoke ID|timetolive ID|keep-alive ID|list", "keys that go when nobody renews them", rsctl_lease, "keys once",
     "  rsctl lease grant 60\n  rsctl lease timetolive 32695410dcc0ca06 --keys\n", "simple json fields", 0},
    {"lock", "NAME [CMD…]", "holds a lock: while CMD runs, or until interrupted", rsctl_lock, "ttl",
     "  rsctl lock jobs/nightly ./nightly.sh --all\n  rsctl lock jobs/nightly --ttl 30\n", "simple json fields table", 2},
    {"elect", "NAME PROPOSAL", "stands for election and leads until interrupted, or listens who leads", rsctl_elect, "ttl listen",
     "  rsctl elect region/eu host-7\n  rsctl elect region/eu --listen\n", "simple json fields table", 0},
    {"check", "perf", "puts for a minute as a small, medium or large cluster's clients would, and judges the answers", rsctl_check,
     "load check:prefix duration auto-compact", "  rsctl check perf\n  rsctl check perf --load m --duration 30s --auto-compact\n", "simple json", 0},
    {"top", "", "members, their roles, lag and latency, as they change", rsctl_top, "interval once",
     "  rsctl top\n  rsctl top --once -w json\n", "simple json", 0},
    {"snapshot", "save FILE|status FILE|verify FILE|restore FILE", "the whole store as a file, and a new cluster from it", rsctl_snapshot,
     "data-dir cluster-id member-id members clients bump-revision mark-compacted",
     "  rsctl snapshot save backup\n  rsctl snapshot status backup -w table\n", "simple json fields table", 0},
    {"recover", "", "a new cluster from the folder of one member, when the majority is lost for good", rsctl_recover,
     "data-dir cluster-id bump-revision mark-compacted dry-run",
     "  rsctl recover --data-dir /var/lib/m1 --dry-run\n  rsctl recover --data-dir /var/lib/m1\n", "simple json", 0},
    {"tree", "[PREFIX]", "keys below /registry, or another prefix, as a tree: how many, how large", rsctl_tree, "depth rev",
     "  rsctl tree\n  rsctl tree /registry/pods --depth 2\n", "simple json", 0},
    {"diff", "REVISION REVISION [PREFIX]", "what was added (+), removed (-) and changed (~) between two revisions", rsctl_diff, "",
     "  rsctl diff 1200 1300\n  rsctl diff 1200 1300 /registry/deployments -w json\n", "simple json", 0},
    {"history", "KEY", "each version of a key that is still readable, and what changed", rsctl_history, "kind namespace",
     "  rsctl history /registry/pods/default/web-0\n  rsctl history -k deploy web\n", "simple json", 0},
    {"shell", "", "commands from standard input, one a line, over one connection", run_shell, "*", "  echo put a 1 | rsctl shell\n", "simple json fields table", 0},
    {"completion", "bash|zsh", "a script that completes commands and flags", rsctl_completion, "", "  . <(rsctl completion bash)\n", "simple", 0},
    {"version", "", "of this client and its protocol", run_version, "", "  rsctl version\n", "simple json", 0},
    {0},
};

static const struct rsctl_verb *find_verb(const char *name)
{
    for (const struct rsctl_verb *v = rsctl_verbs; v->name != NULL; v++)
        if (strcmp(v->name, name) == 0)
            return v;
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
    if (r->argument_count > 0)
        return rsctl_usage("shell takes no arguments, got \"%s\"", r->arguments[0]);
    while (getline(&line, &capacity, stdin) > 0) {
        int one = run_line(r, line);
        code = one != RSCTL_OK ? one : code;
    }
    free(line);
    return code;
}

static void print_verb_help(const struct rsctl_verb *verb, const struct flag *all)
{
    struct flag flags[RSCTL_FLAGS_MAX];
    struct buf text = {0}, usage = {0};
    rsctl_flags_of(verb, all, flags);
    buf_printf(&usage, "Usage: rsctl %s%s%s [flags]\n\n%s\n\nWrites (-w): %s\n\nExamples:\n%s", verb->name, verb->arguments[0] != '\0' ? " " : "",
               verb->arguments, verb->help, verb->formats, verb->examples);
    usage.data[--usage.size] = '\0';
    flags_help(flags, usage.data, &text);
    fwrite(text.data, 1, text.size, stdout);
    buf_release(&text);
    buf_release(&usage);
}

static void print_help(const struct flag *flags)
{
    struct flag common[RSCTL_FLAGS_MAX];
    struct buf text = {0}, usage = {0};
    rsctl_flags_of(&(struct rsctl_verb){.name = "", .flags = ""}, flags, common);
    buf_append_str(&usage, "Usage: rsctl [flags] COMMAND [arguments]\n\nCommands; \"rsctl help COMMAND\" tells more:\n");
    for (const struct rsctl_verb *v = rsctl_verbs; v->name != NULL; v++)
        buf_printf(&usage, "  %-13s%s\n", v->name, v->help);
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

int rsctl_exit_of(int status)
{
    switch (status) {
    case ERR_TIMEOUT:
    case ERR_CONNECT:
    case ERR_TLS:
    case ERR_UNAVAILABLE: return RSCTL_CONNECTION;
    case ERR_INVALID: return RSCTL_INPUT;
    default: return RSCTL_ERROR;
    }
}

int rsctl_complain(int status, const char *message)
{
    fprintf(stderr, "rsctl: %s\n", message[0] != '\0' ? message : err_text(status));
    return rsctl_exit_of(status);
}

void rsctl_flush(struct rsctl *r)
{
    if (r->out.size == 0)
        return; /* and no bytes either */
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

static void reached(struct rsctl *r, struct store_call *call)
{
    (void)r;
    (void)call;
}

int rsctl_reach(struct rsctl *r)
{
    struct rsctl_call c;
    rsctl_call_init(&c, r, reached);
    store_member_list(rsctl_client(r), &c.call, true, r->flags.timeout_ms); /* serializable: a watch needs no leader either */
    return rsctl_finish(&c);
}

/* A person who watches gets lines, unless the flags ask for what only the simple form has. */
static enum rsctl_format default_format(const struct rsctl *r, const struct rsctl_verb *verb)
{
    bool lines = verb->run == rsctl_watch && isatty(STDOUT_FILENO) && !r->flags.value_only && !r->flags.hex && !r->flags.prev_kv;
    return lines ? RSCTL_LINES : RSCTL_SIMPLE;
}

static int parse_format(struct rsctl *r, const struct rsctl_verb *verb)
{
    static const char *const names[] = {"simple", "json", "fields", "table", "lines"};
    if (r->flags.write_out == NULL) {
        r->format = default_format(r, verb);
        return RSCTL_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(r->flags.write_out, names[i]) == 0 && rsctl_has_word(verb->formats, names[i])) {
            r->format = (enum rsctl_format)i;
            return RSCTL_OK;
        }
    return rsctl_usage("--write-out is \"%s\", but %s writes %s", r->flags.write_out, verb->name, verb->formats);
}

/* An empty variable of the environment is as good as none. */
static bool given(const char *text) { return text != NULL && text[0] != '\0'; }

static int load_tls(struct rsctl *r)
{
    struct err err;
    bool ca = given(r->flags.ca), cert = given(r->flags.cert), key = given(r->flags.key);
    if (!ca && !cert && !key)
        return RSCTL_OK;
    if (!ca || !cert || !key)
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
        code = rsctl_parse_endpoints(r);
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
    arena_clear(&r->endpoint_names);
    return code != RSCTL_OK ? code : r->exit_code;
}

/* The command that the line names, or its help. */
static int run_command(struct rsctl *r, int argc, char **argv, const struct flag *all, const char *name, bool help)
{
    const struct rsctl_verb *verb = find_verb(name);
    struct flags_result parsed;
    if (verb == NULL)
        return rsctl_usage("unknown command \"%s\"; rsctl --help lists the known ones", name);
    int code = help ? RSCTL_OK : rsctl_parse_command(verb, all, argc, argv, &parsed);
    if (code != RSCTL_OK)
        return code;
    if (help || parsed.help) {
        print_verb_help(verb, all);
    } else {
        r->arguments = parsed.arguments + 1;
        r->argument_count = parsed.argument_count - 1;
        code = rsctl_read_lease(&r->flags);
        if (code == RSCTL_OK)
            code = run_verb(r, verb);
    }
    if (!help)
        flags_release(&parsed);
    return code;
}

/* A line without a command. */
static int run_bare(const struct flag *all, int argc, char **argv, bool asked)
{
    struct flag common[RSCTL_FLAGS_MAX];
    struct flags_result parsed;
    struct err err;
    rsctl_flags_of(&(struct rsctl_verb){.name = "", .flags = ""}, all, common);
    if (flags_parse(common, argc, argv, getenv, &parsed, &err) != 0)
        return rsctl_usage("%s", err.message);
    asked |= parsed.help;
    flags_release(&parsed);
    print_help(all);
    return asked ? RSCTL_OK : RSCTL_USAGE;
}

int main(int argc, char **argv)
{
    struct rsctl r = {.flags = {.endpoints = "127.0.0.1:2379", .timeout_ms = RSCTL_TIMEOUT_MS, .consistency = "l",
                               .bump_revision = 1000000000, .mark_compacted = true, .ttl = 10, .load = "s",
                               .check_prefix = "/rsctl-check-perf/", .duration_ms = 60000, .interval_ms = 1000,
                               .pretty = isatty(STDOUT_FILENO) == 1}};
    struct flag all[RSCTL_FLAGS_MAX];
    rsctl_flag_table(&r.flags, all);
    int at = rsctl_find_word(all, argc, argv, 0);
    bool help = at < argc && strcmp(argv[at], "help") == 0;
    if (help)
        at = rsctl_find_word(all, argc, argv, 1);
    return at == argc ? run_bare(all, argc, argv, help) : run_command(&r, argc, argv, all, argv[at], help);
}
