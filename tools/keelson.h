/* The launcher's parts. A cluster lives in one folder; everything about it that does not change while it runs is planned
 * purely (keelson_plan.c) and kept in cluster.json. */
#ifndef TOOLS_KEELSON_H
#define TOOLS_KEELSON_H

#include "common/base.h"
#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"

#define KEELSON_MASTERS_MAX 5
#define KEELSON_NODES_MAX 64
#define KEELSON_MEMBERS_MAX (KEELSON_MASTERS_MAX + KEELSON_NODES_MAX + 1)
#define KEELSON_DNS_ADDRESS "10.96.0.10" /* the Service kube-system/kube-dns, answered by every node's netproxy */
#define KEELSON_PROCESSES_MAX 4 /* of one member */
#define KEELSON_ARGS_MAX 64

enum member_kind { MEMBER_MASTER, MEMBER_NODE, MEMBER_BALANCE };

struct member {
    enum member_kind kind;
    unsigned number;         /* from 1 */
    char name[32];           /* "master-1" */
    char address[32];        /* "172.30.7.11" */
    char store_id[17];       /* of masters: 16 hex digits */
    unsigned port_base;      /* without root: first of its ports; else 0 */
};

struct cluster {
    char folder[512];        /* absolute */
    char programs[512];      /* folder of the binaries */
    char images[512];        /* OCI layout with the demo images */
    char tag[8];             /* six hex digits from the folder's name */
    char id[33];             /* of the store */
    char store_roles[1024];  /* more --roles of the store, for clients that are no part of the cluster; "" for none */
    char store_arguments[256]; /* more words of the stores' command lines, spaces between them; "" for none */
    bool networked;          /* own network namespaces; else loopback ports */
    unsigned subnet;         /* x of 172.30.x.0/24 */
    struct member members[KEELSON_MEMBERS_MAX]; /* masters, nodes, balance */
    size_t member_count;
    unsigned masters, nodes;
    bool exists;             /* it has run before: a store whose folder is empty has lost it. Not in cluster.json */
};

struct process_plan {
    const char *name; /* "apiserver" */
    char *argv[KEELSON_ARGS_MAX];
    size_t argc;
};

/* --- keelson_plan.c: pure --- */
void plan_tag(const char *folder, char tag[8]);
/* The first free x at or after one derived from `tag`, where `routes` is the text of the machine's routes and addresses.
 * ERR_NO_SPACE when all are taken. */
int plan_subnet(const char *tag, struct slice routes, unsigned *ret, struct err *reterr);
/* Fills members and addresses; `ids` gives random numbers for store identities, one per master and two for the cluster. */
int plan_members(struct cluster *c, unsigned masters, unsigned nodes, const uint64_t *ids, struct err *reterr);
const struct member *plan_find(const struct cluster *c, const char *name); /* NULL when there is none */
/* The processes of a member, in the order of their start; release each with plan_release. */
size_t plan_processes(const struct cluster *c, const struct member *m, struct process_plan ret[KEELSON_PROCESSES_MAX]);
void plan_release(struct process_plan *p);
void plan_netns(const struct cluster *c, const struct member *m, char *text, size_t size);
void plan_veth(const struct cluster *c, const struct member *m, char *text, size_t size);
void plan_bridge(const struct cluster *c, char *text, size_t size);
void plan_cgroup(const struct cluster *c, const struct member *m, char *text, size_t size); /* m NULL: of all */
void plan_endpoint(const struct cluster *c, char *text, size_t size); /* "host:port" people and kubeconfig use */
void plan_print(const struct cluster *c, struct buf *out);            /* cluster.json */
int plan_parse(struct slice text, struct cluster *c, struct err *reterr); /* ERR_CORRUPT */
void plan_kubeconfig(const struct cluster *c, struct slice ca, struct slice cert, struct slice key, struct buf *out);
void plan_rsctl_env(const struct cluster *c, struct buf *out);

/* --- keelson_host.c: processes, namespaces, files --- */
enum process_state { PROCESS_STOPPED, PROCESS_RUNNING, PROCESS_DIED };
int host_run(struct err *reterr, const char *program, ...); /* waits; arguments end with NULL; ERR_IO with its last words */
int host_output(struct buf *out, struct err *reterr, const char *program, ...);
int file_write(const char *path, struct slice content, unsigned mode, struct err *reterr);
int file_read(const char *path, struct buf *out, struct err *reterr);
int folder_make(const char *path, unsigned mode, struct err *reterr);
int cluster_load(const char *folder, struct cluster *ret, struct err *reterr); /* ERR_NOT_FOUND: no cluster there */
int cluster_lock(const char *folder, struct err *reterr);                      /* until the process ends */
int network_make(const struct cluster *c, struct err *reterr);
void network_remove(const struct cluster *c);
int process_start(const struct cluster *c, const struct member *m, const struct process_plan *p, struct err *reterr);
enum process_state process_state(const struct cluster *c, const struct member *m, const char *process, int *ret_pid);
void process_forget(const struct cluster *c, const struct member *m, const char *process);
/* Ends the processes of a member; everything of it, containers included, when `all`. Waits for their end, at most 10 s,
 * then KILL. ERR_TIMEOUT names what does not end. */
int member_end(const struct cluster *c, const struct member *m, int signal, bool all, struct err *reterr);
int member_start(const struct cluster *c, const struct member *m, struct err *reterr); /* what does not run yet */
void cgroups_remove(const struct cluster *c);
/* What of the cluster is still there, one line each; empty when nothing is. */
void leftovers(const struct cluster *c, struct buf *out);
void log_tail(const struct cluster *c, const struct member *m, const char *process, unsigned lines, struct buf *out);

/* --- verbs, one file each: exit codes --- */
struct keelson_args {
    int argc;
    char **argv; /* argv[0] is the verb */
};
int keelson_up(struct keelson_args a);
int keelson_down(struct keelson_args a);
int keelson_status(struct keelson_args a);
int keelson_start(struct keelson_args a);
int keelson_stop(struct keelson_args a);
int keelson_kill(struct keelson_args a);
int keelson_balance(struct keelson_args a);

int complain(const struct err *err); /* "keelson: …" on standard error; 1 */
/* --dir and one argument; exit code < 0: go on. */
int cluster_args(struct keelson_args a, const char *usage, struct cluster *ret, const char **ret_argument);

#endif
