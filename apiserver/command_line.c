#include "common/base.h"

#include "apiserver/command_line.h"
#include "apiserver/limits.h"
#include "common/flags.h"

#include <stdio.h>

#define FLAGS_MAX 20

/* The table points into `o`, which holds the defaults. */
static void table(struct command_line *o, struct flag out[FLAGS_MAX])
{
    o->listen = "127.0.0.1:6443";
    o->log_level = "info";
    o->service_repair_interval = REPAIR_MS;
    o->service_account_issuer = "https://kubernetes.default.svc.cluster.local";
    const struct flag flags[] = {
        {.name = "listen", .type = FLAG_TEXT, .target = &o->listen, .help = "numeric HOST:PORT to serve on"},
        {.name = "advertise",
         .type = FLAG_TEXT,
         .target = &o->advertise,
         .help = "HOST:PORT that others reach this replica by"},
        {.name = "store", .type = FLAG_TEXT, .target = &o->store, .help = "endpoints of the store, HOST:PORT,…"},
        {.name = "store-ca",
         .type = FLAG_TEXT,
         .target = &o->store_ca,
         .help = "CA of the store (PEM); none: plain TCP"},
        {.name = "store-cert", .type = FLAG_TEXT, .target = &o->store_cert, .help = "client certificate for the store"},
        {.name = "store-key", .type = FLAG_TEXT, .target = &o->store_key, .help = "its key"},
        {.name = "tls-cert",
         .type = FLAG_TEXT,
         .target = &o->tls_cert,
         .help = "serving certificate; none: plain HTTP"},
        {.name = "tls-key", .type = FLAG_TEXT, .target = &o->tls_key, .help = "its key"},
        {.name = "client-ca",
         .type = FLAG_TEXT,
         .target = &o->client_ca,
         .help = "CA that client certificates chain to"},
        {.name = "kubelet-ca",
         .type = FLAG_TEXT,
         .target = &o->kubelet_ca,
         .help = "CA of the node agents; none: plain HTTP"},
        {.name = "kubelet-cert",
         .type = FLAG_TEXT,
         .target = &o->kubelet_cert,
         .help = "client certificate for node agents"},
        {.name = "kubelet-key", .type = FLAG_TEXT, .target = &o->kubelet_key, .help = "its key"},
        {.name = "service-account-key-file",
         .type = FLAG_TEXT,
         .target = &o->service_account_key_file,
         .help = "private key (PEM, P-256 or RSA) of the tokens of service accounts; none: no tokens"},
        {.name = "service-account-issuer",
         .type = FLAG_TEXT,
         .target = &o->service_account_issuer,
         .help = "issuer of those tokens"},
        {.name = "service-repair-interval",
         .type = FLAG_MS,
         .target = &o->service_repair_interval,
         .help = "between two comparisons of Services with the addresses and node ports they hold"},
        {.name = "log-level", .type = FLAG_TEXT, .target = &o->log_level, .help = "debug, info, warn or error"},
        {.name = NULL},
    };
    _Static_assert(ARRAY_LEN(flags) <= FLAGS_MAX, "the table fits");
    memcpy(out, flags, sizeof flags);
}

static int split_endpoints(struct command_line *o, struct err *reterr)
{
    if (o->store == NULL || strlen(o->store) >= sizeof o->endpoint_text)
        return err_set(reterr, ERR_BAD_REQUEST, "--store wants the store's endpoints: HOST:PORT,HOST:PORT,…");
    memcpy(o->endpoint_text, o->store, strlen(o->store) + 1);
    for (char *rest = o->endpoint_text, *one; (one = strsep(&rest, ",")) != NULL;) {
        if (o->endpoint_count == STORE_ENDPOINTS_MAX || *one == '\0')
            return err_set(reterr, ERR_BAD_REQUEST, "--store: 1 to %d endpoints, none of them empty",
                           STORE_ENDPOINTS_MAX);
        o->endpoints[o->endpoint_count++] = one;
    }
    return 0;
}

int command_line_parse(int argc, char **argv, struct command_line *ret, bool *ret_help, struct err *reterr)
{
    struct flag flags[FLAGS_MAX];
    struct flags_result given = {0};
    *ret = (struct command_line){.listen = NULL};
    table(ret, flags);
    int code = flags_parse(flags, argc, argv, NULL, &given, reterr);
    *ret_help = code == 0 && given.help;
    if (code == 0 && given.argument_count > 0)
        code = err_set(reterr, ERR_BAD_REQUEST, "unexpected argument \"%s\"; see --help", given.arguments[0]);
    flags_release(&given);
    if (code != 0 || *ret_help)
        return code;
    if (log_level_parse(ret->log_level, &ret->level) != 0)
        return err_set(reterr, ERR_BAD_REQUEST, "--log-level: debug, info, warn or error");
    return split_endpoints(ret, reterr);
}

void command_line_help(void)
{
    struct command_line defaults = {.listen = NULL};
    struct flag flags[FLAGS_MAX];
    struct buf help = {0};
    table(&defaults, flags);
    flags_help(
        flags,
        "apiserver: the Kubernetes API over the store\nusage: apiserver --listen HOST:PORT --store HOST:PORT,… [flags]",
        &help);
    (void)fwrite(help.data, 1, help.size, stdout); /* a closed terminal is not our concern */
    buf_release(&help);
}
