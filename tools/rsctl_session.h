/* A lease kept alive and a place in the queue for a name: what lock and elect share. The recipe is etcd's (clientv3/concurrency): a contender's
 * key is NAME/<its lease in hexadecimal>; the key of the least create revision holds the name, and each waits for the deletion of the one that
 * came right before it, so that an end wakes one contender and not all. */
#ifndef TOOLS_RSCTL_SESSION_H
#define TOOLS_RSCTL_SESSION_H

#include "tools/rsctl.h"

#include "common/uv_env.h"

#define SESSION_TTL_MAX_S 86400

struct session {
    struct rsctl *r;
    const char *what, *name; /* for messages: "lock", the name */
    struct buf prefix, key;  /* NAME/ and NAME/LEASE */
    struct slice prefix_end; /* borrows end_bytes */
    struct buf end_bytes;
    int64_t lease;
    uint64_t ttl_ms;
    int64_t create_revision; /* of our key, which numbers the holders: for fencing; 0: there is none */
    bool opened, lost;       /* lost: the lease was not renewed in time, or is gone */
    unsigned signals;        /* that came so far */
    void (*on_change)(struct session *s); /* a signal came, or it was lost; may be NULL */
    struct timer renew, expiry;
    struct store_call keepalive;
    bool renewing;
    uint64_t asked_ms; /* when that was sent */
    int64_t read_revision; /* of the state in which `ahead` was read */
    struct buf ahead;                      /* its key; empty: nobody */
    bool there, print;                     /* our key, when it was read; write it */
};

/* Grants the lease and keeps it alive. `name` is borrowed until session_close. An exit code; also after a failure session_close is due. */
int session_open(struct session *s, struct rsctl *r, const char *what, const char *name, int64_t ttl_s);
/* Queues up with `value` and waits until the name is ours; `print`: then writes the key as get does. RSCTL_ERROR when interrupted or lost, which is said. */
int session_acquire(struct session *s, struct slice value, bool print);
/* Runs the loop for a while; signals are counted. */
void session_run(struct session *s);
bool session_ended(const struct session *s); /* a signal came, or it was lost */
int session_complain_lost(const struct session *s); /* says so; RSCTL_ERROR */
/* Revokes the lease, and so gives up the key, unless it is lost. An exit code. */
int session_close(struct session *s);

#endif
