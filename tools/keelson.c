/* keelson: starts, stops and looks at a cluster on this machine. One row per verb. */
#include "common/base.h"
#include "tools/keelson.h"

#include <stdio.h>

#include "common/flags.h"

struct verb {
    const char *name;
    int (*run)(struct keelson_args a);
    const char *usage;
};

static const struct verb verbs[] = {
    {"up", keelson_up, "up [--masters 3] [--nodes 2] [--dir .cluster]   start a cluster and wait until it is Ready"},
    {"down", keelson_down, "down [--dir .cluster]                            end it and leave nothing behind"},
    {"status", keelson_status, "status [--dir .cluster]                          what runs, what died; exit code 3 if something died"},
    {"start", keelson_start, "start master-N|node-N|balance [--dir .cluster]   start what of it does not run"},
    {"stop", keelson_stop, "stop master-N|node-N|balance [--dir .cluster]    end its processes; containers of a node run on"},
    {"kill", keelson_kill, "kill master-N|node-N|balance [--dir .cluster]    kill -9 everything of it, containers too"},
    {"balance", keelson_balance, "balance --listen A:P --targets A:P,… --ca F --cert F --key F   the relay in front of the masters"},
};

static void usage(FILE *to)
{
    (void)fprintf(to, "keelson: a Kubernetes-compatible cluster on this machine\n\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        (void)fprintf(to, "  keelson %s\n", verbs[i].usage);
}

int main(int argc, char **argv)
{
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0);
    if (argc < 2 || help) {
        usage(help ? stdout : stderr);
        return help ? 0 : 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        for (int j = 2; j < argc; j++)
            if (strcmp(argv[j], "--help") == 0 || strcmp(argv[j], "-h") == 0) {
                (void)printf("usage: keelson %s\n", verbs[i].usage);
                return 0;
            }
        return verbs[i].run((struct keelson_args){argc - 1, argv + 1});
    }
    (void)fprintf(stderr, "keelson: unknown command %s: see keelson --help\n", argv[1]);
    return 2;
}
