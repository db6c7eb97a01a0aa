#include "common/base.h"
#include "nodeagent/pod_etc.h"

#include "common/mem.h"

/* A bounded set of words in the order they came. */
struct words {
    struct slice words[RESOLVER_SEARCHES_MAX];
    size_t count, max, bytes;
    bool cut;
};

struct resolver {
    struct words servers, searches, options;
    struct arena arena;
};

static bool is_word(struct slice word)
{
    for (size_t i = 0; i < word.size; i++)
        if ((unsigned char)word.data[i] <= ' ' || word.data[i] == '#')
            return false;
    return word.size > 0;
}

static void add(struct words *w, struct slice word)
{
    if (!is_word(word))
        return;
    for (size_t i = 0; i < w->count; i++)
        if (slice_equal(w->words[i], word))
            return;
    if (w->count == w->max || w->bytes + word.size + 1 > RESOLVER_SEARCH_BYTES_MAX) {
        w->cut = true;
        return;
    }
    w->words[w->count++] = word;
    w->bytes += word.size + 1;
}

/* "ndots:5" takes the place of "ndots:1". */
static void add_option(struct resolver *r, struct slice option)
{
    size_t name = slice_find(option, ':');
    for (size_t i = 0; i < r->options.count; i++)
        if (slice_find(r->options.words[i], ':') == name && memcmp(r->options.words[i].data, option.data, name) == 0) {
            r->options.words[i] = option;
            return;
        }
    add(&r->options, option);
}

/* The next word of a line; empty at its end. */
static struct slice next_word(struct slice *line)
{
    while (line->size > 0 && (line->data[0] == ' ' || line->data[0] == '\t'))
        *line = slice_from(*line, 1);
    size_t n = 0;
    while (n < line->size && line->data[n] != ' ' && line->data[n] != '\t' && line->data[n] != '\r')
        n++;
    struct slice word = slice_of(line->data, n);
    *line = slice_from(*line, n);
    return word;
}

static void read_node_file(struct resolver *r, struct slice file, bool searches_only)
{
    while (file.size > 0) {
        struct slice line = slice_cut(&file, '\n'), key = next_word(&line), word;
        while ((word = next_word(&line)).size > 0) {
            if (slice_is(key, "search"))
                add(&r->searches, word);
            else if (slice_is(key, "nameserver") && !searches_only)
                add(&r->servers, word);
            else if (slice_is(key, "options") && !searches_only)
                add_option(r, word);
        }
    }
}

static void read_config(struct resolver *r, const struct json *config)
{
    struct json_iterator at = json_iterate(json_get(config, "nameservers"));
    while (json_next(&at))
        add(&r->servers, json_string(at.value));
    at = json_iterate(json_get(config, "searches"));
    while (json_next(&at))
        add(&r->searches, json_string(at.value));
    at = json_iterate(json_get(config, "options"));
    while (json_next(&at)) {
        struct slice name = json_string(json_get(at.value, "name")), value = json_string(json_get(at.value, "value"));
        if (is_word(name))
            add_option(r, value.size == 0 ? name : slice_str(arena_printf(&r->arena, "%.*s:%.*s", SLICE_ARGS(name), SLICE_ARGS(value))));
    }
}

static void use_cluster(struct resolver *r, const struct pod_etc_options *o)
{
    add(&r->servers, slice_str(o->cluster_dns));
    add(&r->searches, slice_str(arena_printf(&r->arena, "%s.svc.%s", o->pod->namespace, o->cluster_domain)));
    add(&r->searches, slice_str(arena_printf(&r->arena, "svc.%s", o->cluster_domain)));
    add(&r->searches, slice_str(o->cluster_domain));
    add_option(r, SLICE("ndots:5"));
    read_node_file(r, o->node_file, true);
}

static void print(const struct resolver *r, struct buf *out)
{
    for (size_t i = 0; i < r->servers.count; i++)
        buf_printf(out, "nameserver %.*s\n", SLICE_ARGS(r->servers.words[i]));
    for (size_t i = 0; i < r->searches.count; i++)
        buf_printf(out, "%s%.*s%s", i == 0 ? "search " : " ", SLICE_ARGS(r->searches.words[i]), i + 1 == r->searches.count ? "\n" : "");
    for (size_t i = 0; i < r->options.count; i++)
        buf_printf(out, "%s%.*s%s", i == 0 ? "options " : " ", SLICE_ARGS(r->options.words[i]), i + 1 == r->options.count ? "\n" : "");
}

const char *pod_resolver_build(const struct pod_etc_options *o, struct buf *out)
{
    struct resolver r = {.servers.max = RESOLVER_SERVERS_MAX, .searches.max = RESOLVER_SEARCHES_MAX, .options.max = RESOLVER_OPTIONS_MAX};
    struct slice policy = json_string_at(o->pod->tree, "spec.dnsPolicy");
    bool none = slice_is(policy, "None"), plain = slice_is(policy, "Default");
    bool cluster = !none && !plain && (!o->pod->host_network || slice_is(policy, "ClusterFirstWithHostNet"));
    bool has_dns = o->cluster_dns != NULL && *o->cluster_dns != '\0';
    if (cluster && has_dns)
        use_cluster(&r, o);
    else if (!none)
        read_node_file(&r, o->node_file, false);
    read_config(&r, json_at(o->pod->tree, "spec.dnsConfig"));
    print(&r, out);
    bool cut = r.servers.cut || r.searches.cut || r.options.cut;
    arena_clear(&r.arena);
    return cut ? "Nameserver, search path or option limits were exceeded, some have been omitted" : NULL;
}

void pod_hosts_build(const struct pod_etc_options *o, struct buf *out)
{
    const struct pod *p = o->pod;
    struct slice subdomain = json_string_at(p->tree, "spec.subdomain");
    if (p->host_network) {
        buf_append_str(out, "# Kubernetes-managed hosts file (host network).\n");
        buf_append_slice(out, o->node_file);
    } else {
        buf_append_str(out, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        buf_printf(out, "%s\t", o->address);
        if (is_word(subdomain))
            buf_printf(out, "%s.%.*s.%s.svc.%s\t", p->hostname, SLICE_ARGS(subdomain), p->namespace, o->cluster_domain);
        buf_printf(out, "%s\n", p->hostname);
    }
    const struct json *aliases = json_at(p->tree, "spec.hostAliases");
    if (json_size(aliases) > 0)
        buf_append_str(out, "\n# Entries added by HostAliases.\n");
    struct json_iterator at = json_iterate(aliases);
    while (json_next(&at)) {
        struct slice ip = json_string_at(at.value, "ip");
        struct json_iterator name = json_iterate(json_get(at.value, "hostnames"));
        if (!is_word(ip))
            continue;
        buf_append_slice(out, ip);
        while (json_next(&name))
            if (is_word(json_string(name.value)))
                buf_printf(out, "\t%.*s", SLICE_ARGS(json_string(name.value)));
        buf_append_char(out, '\n');
    }
}
