/* down, status, start, stop, kill. */
#include "common/base.h"
#include "tools/keelson.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/mem.h"

int cluster_args(struct keelson_args a, const char *usage, struct cluster *ret, const char **ret_argument)
{
    const char *folder = ".cluster";
    const struct flag flags[] = {{.name = "dir", .type = FLAG_TEXT, .target = &folder, .help = "folder of the cluster"}, {0}};
    struct flags_result result;
    struct err err;
    size_t want = ret_argument == NULL ? 0 : 1;
    if (flags_parse(flags, a.argc, a.argv, NULL, &result, &err) < 0)
        return complain(&err) + 1;
    bool fits = result.argument_count == want;
    if (fits && want == 1)
        *ret_argument = result.arguments[0];
    flags_release(&result);
    if (!fits) {
        (void)fprintf(stderr, "keelson: usage: keelson %s\n", usage);
        return 2;
    }
    int rv = cluster_load(folder, ret, &err);
    return rv < 0 ? complain(&err) : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* What was made by this program; the folder itself only when nothing else is in it. */
static void files_remove(const struct cluster *c)
{
    static const char *const names[] = {"pki", "data", "pids", "logs", "admin.kubeconfig", "rsctl.env", "nemesis", ".lock", "cluster.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = mem_printf("%s/%s", c->folder, names[i]);
        (void)nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT); /* absent is as good */
        mem_free(path);
    }
    (void)rmdir(c->folder);
}

int keelson_down(struct keelson_args a)
{
    struct cluster c = {0};
    struct err err;
    struct buf left = {0};
    int rv = cluster_args(a, "down [--dir .cluster]", &c, NULL);
    if (rv >= 0)
        return rv;
    if (c.networked && geteuid() != 0) {
        (void)fprintf(stderr, "keelson: the cluster in %s was started by root: run keelson down as root\n", c.folder);
        return 1;
    }
    if (cluster_lock(c.folder, &err) < 0)
        return complain(&err);
    for (size_t i = c.member_count; i > 0; i--) /* nodes before masters: agents need not notice */
        if (c.members[i - 1].kind == MEMBER_NODE && member_end(&c, &c.members[i - 1], SIGKILL, true, &err) < 0)
            (void)complain(&err);
    for (size_t i = c.member_count; i > 0; i--)
        if (c.members[i - 1].kind != MEMBER_NODE && member_end(&c, &c.members[i - 1], SIGTERM, true, &err) < 0)
            (void)complain(&err);
    network_remove(&c);
    cgroups_remove(&c);
    leftovers(&c, &left);
    if (left.size > 0) {
        (void)fprintf(stderr, "keelson: still there, try again:\n%s", left.data);
        buf_release(&left);
        return 1;
    }
    files_remove(&c);
    (void)printf("cluster in %s is down; nothing is left\n", c.folder);
    return 0;
}

int keelson_status(struct keelson_args a)
{
    static const char *const texts[] = {"stopped", "running", "DIED"};
    struct cluster c = {0};
    char endpoint[64];
    bool died = false;
    int rv = cluster_args(a, "status [--dir .cluster]", &c, NULL);
    if (rv >= 0)
        return rv;
    plan_endpoint(&c, endpoint, sizeof endpoint);
    (void)printf("cluster %s, https://%s, %u masters, %u nodes\n", c.folder, endpoint, c.masters, c.nodes);
    (void)printf("%-12s %-16s %-12s %-8s %s\n", "MEMBER", "ADDRESS", "PROCESS", "STATE", "PID");
    for (size_t i = 0; i < c.member_count; i++) {
        struct process_plan plans[KEELSON_PROCESSES_MAX];
        size_t count = plan_processes(&c, &c.members[i], plans);
        for (size_t j = 0; j < count; j++) {
            int pid = 0;
            enum process_state state = process_state(&c, &c.members[i], plans[j].name, &pid);
            char number[16] = "-";
            if (state == PROCESS_RUNNING)
                (void)snprintf(number, sizeof number, "%d", pid);
            died |= state == PROCESS_DIED;
            (void)printf("%-12s %-16s %-12s %-8s %s\n", c.members[i].name, c.members[i].address, plans[j].name, texts[state], number);
            plan_release(&plans[j]);
        }
    }
    if (died)
        (void)printf("a process has died: its last words are in %s/logs; keelson start MEMBER starts it again\n", c.folder);
    return died ? 3 : 0;
}

static int with_member(struct keelson_args a, const char *usage, struct cluster *c, const struct member **ret)
{
    const char *name = NULL;
    struct err err;
    int rv = cluster_args(a, usage, c, &name);
    if (rv >= 0)
        return rv;
    *ret = plan_find(c, name);
    if (*ret == NULL) {
        (void)fprintf(stderr, "keelson: the cluster has no %s: it has master-1 to master-%u, node-1 to node-%u, balance\n", name,
                      c->masters, c->nodes);
        return 1;
    }
    if (c->networked && geteuid() != 0) {
        (void)fprintf(stderr, "keelson: the cluster was started by root: run this as root\n");
        return 1;
    }
    return cluster_lock(c->folder, &err) < 0 ? complain(&err) : -1;
}

int keelson_start(struct keelson_args a)
{
    struct cluster c = {0};
    const struct member *m;
    struct err err;
    int rv = with_member(a, "start master-N|node-N|balance [--dir .cluster]", &c, &m);
    if (rv >= 0)
        return rv;
    c.exists = true;
    if (member_start(&c, m, &err) < 0)
        return complain(&err);
    (void)printf("%s is started\n", m->name);
    return 0;
}

static int end_verb(struct keelson_args a, const char *usage, int signal, bool all, const char *said)
{
    struct cluster c = {0};
    const struct member *m;
    struct err err;
    int rv = with_member(a, usage, &c, &m);
    if (rv >= 0)
        return rv;
    if (member_end(&c, m, signal, all, &err) < 0)
        return complain(&err);
    (void)printf("%s is %s\n", m->name, said);
    return 0;
}

int keelson_stop(struct keelson_args a)
{
    return end_verb(a, "stop master-N|node-N|balance [--dir .cluster]", SIGTERM, false, "stopped");
}

int keelson_kill(struct keelson_args a)
{
    return end_verb(a, "kill master-N|node-N|balance [--dir .cluster]", SIGKILL, true, "killed");
}
