/* What the driver's files share; private to them (and to simulations that look inside). */
#ifndef RAFTSTORE_DRIVER_PARTS_H
#define RAFTSTORE_DRIVER_PARTS_H

#include "raftstore/driver.h"
#include "raftstore/peer_wire.h"
#include "raftstore/snapfile.h"
#include "raftstore/wal.h"

#define DRIVER_SUBMIT_ENTRIES_MAX 4096                    /* of one turn */
#define DRIVER_SUBMIT_BYTES_MAX (4u * 1024 * 1024)
#define DRIVER_UNCOMMITTED_BYTES_MAX (64ull * 1024 * 1024) /* submitted and not applied */
#define DRIVER_QUEUE_BYTES_MAX (64ull * 1024 * 1024)       /* proposed and not submitted */
#define DRIVER_APPLY_ENTRIES_MAX 512                      /* of one turn */
#define DRIVER_APPLY_BYTES_MAX (1024u * 1024)
#define DRIVER_READS_MAX 65536
#define DRIVER_READ_TIMEOUT_MS 2000
#define DRIVER_PULSE_MS 50
#define DRIVER_SEND_WINDOW 4                              /* pieces of a snapshot under way */
#define DRIVER_SEND_REPEAT_MS 500
#define DRIVER_SEND_GIVE_UP_MS 60000
#define DRIVER_INCOMING_JOBS_MAX 8
#define WAL_OVERHEAD_BYTES 32                             /* of an entry in the log, beside its data */

/* Messages that may not leave before a term or vote is durable (R5). */
struct driver_write {
    struct wal_append append;
    struct list link; /* of driver.writes: the log does not call back after its close */
    struct driver *driver;
    bool barrier, has_entries;
    struct message *held;
    size_t held_count, held_capacity;
};

/* A snapshot on its way to a follower. */
struct snapshot_send {
    struct list link;
    uint64_t to;
    struct snapfile_info info;
    char name[SNAPFILE_NAME_MAX];
    uint64_t acked, sent, progress_ms;
    struct driver *driver;
    struct disk_job job; /* reads the next piece */
    char *piece;
    bool reading, ended; /* ended while reading: the job's end frees it */
};

/* A snapshot coming in.
 *
 *           offer            all bytes written          verified, core agrees     renamed, log reset, restored
 *   IDLE ─────────▶ STAGING ───────────────────▶ VERIFY ────────────────────▶ INSTALL ──────────────────▶ IDLE
 *                      └──────── damaged, refused, another snapshot ◀──┘ */
enum incoming_state { INCOMING_IDLE, INCOMING_STAGING, INCOMING_VERIFY, INCOMING_INSTALL };

struct incoming {
    enum incoming_state state;
    uint64_t from, term, index, index_term, configuration_index, file_id, file_bytes;
    uint64_t next, written; /* bytes handed to the disk; bytes it has taken */
    uint64_t epoch;         /* of this transfer: late completions of another one are ignored */
    unsigned jobs;
    struct snapfile_reader *reader;
    void *restore;
    struct disk_job work; /* reads on, on the bulk thread: `reader` and `restore` are its while it is under way */
    bool work_over;       /* it has read all */
    struct wal_append reset;
    char name[SNAPFILE_NAME_MAX];
};

/* What a leader knows of another member in its term. */
struct contact {
    uint64_t member;         /* 0: not used */
    uint64_t told_commit;    /* the commit index that it was sent */
    uint64_t answered_round; /* of reads */
    uint64_t heard_ms;
    uint64_t round_index, round_began_ms; /* of replication */
    uint64_t rest_index, rest_last; /* driver_append.c: sent up to rest_index, to be sent up to rest_last; equal: nothing left */
    bool in_sync;            /* the last round took less than an election timeout */
};

struct driver_transfer {
    uint64_t to, term, deadline_ms; /* to 0: none */
    bool told;
};

struct driver {
    struct env *env;
    struct driver_options options;
    struct machine machine;
    struct transport transport;
    struct wal *wal;
    struct consensus *consensus;
    bool failed, closing;
    unsigned jobs; /* of the disk, and writers, that closing waits for */
    void (*closed)(void *arg);
    void *closed_arg;
    struct deferred turn, apply_turn, announce_turn, append_turn, close_turn;
    struct timer tick, pulse;

    struct list writes;
    struct list queue, waiting; /* proposals: of the coming turn; submitted, in index order */
    uint64_t queue_bytes, waiting_bytes;
    uint64_t lead_term;         /* in which `waiting` was submitted */
    uint64_t lead_began_ms;
    struct driver_write *barrier; /* newest term or vote that is not durable */
    struct entry *entries;      /* scratch */
    size_t entry_capacity;
    struct buf out;
    uint64_t average_bytes;     /* of an entry, smoothed (R11) */
    uint64_t contacts_term;     /* of `contacts` */
    struct contact contacts[2 * CONSENSUS_MEMBERS_MAX]; /* committed and newest configuration */
    struct driver_transfer transfer;
    struct { struct proposal proposal; bool busy; } keeping; /* the change that nobody asked for */
    uint64_t configuration_version; /* last told of */

    uint64_t applied, applied_term;
    enum role last_role;
    uint64_t last_leader, last_term;

    struct snapfile_info snapshot; /* newest one; index 0: none */
    struct snapfile_writer *writer;
    uint64_t writer_began_ms;
    uint64_t bytes_since_snapshot, snapshot_retry_bytes;
    struct list sends;
    struct incoming incoming;

    struct list reads_new, reads_round, reads_proved, reads_forwarded;
    size_t read_count;
    uint64_t round;                /* newest one begun */
    uint64_t forward_id;
};

uint64_t driver_now_ms(struct driver *d);
void driver_fail(struct driver *d, const struct err *why);
void driver_settle(struct driver *d); /* goes on with closing when nothing is under way */
void driver_carry_out(struct driver *d, struct consensus_update *u);
bool driver_send(struct driver *d, uint64_t to, const struct peer_message *m, bool bulk); /* false: dropped */

/* driver_append.c */
void driver_append(struct driver *d, const struct message *m); /* sends an append of the core's; we lead in its term */
void driver_append_turn(struct deferred *deferred);

/* Commits to followers at once (announce.c). */
void announce_commit(struct deferred *deferred);
void announce_sent(struct driver *d, uint64_t to, uint64_t commit); /* an append has told `to` so much */
void driver_pulse_start(struct driver *d);
void driver_entries_reserve(struct driver *d, size_t n); /* room in d->entries */

/* driver_member.c */
struct contact *driver_contact(struct driver *d, uint64_t member); /* of this term; NULL: no member */
void driver_heard(struct driver *d, uint64_t member);              /* an answer to an append came */
void driver_transfer_turn(struct driver *d);
void driver_follow_configuration(struct driver *d);
bool driver_keep(struct driver *d); /* leader: what it does by itself; true while the pulse must go on for it */

/* driver_snapshot.c */
void driver_snapshot_send_end(struct driver *d, struct snapshot_send *s);
int driver_snapshot_load(struct driver *d, struct err *reterr);      /* at start: finds and restores the newest one */
void driver_snapshot_consider(struct driver *d);                     /* takes one when it is time */
void driver_snapshot_send(struct driver *d, const struct message *m); /* the core wants `m->to` to get one */
void driver_snapshot_piece(struct driver *d, uint64_t from, const struct peer_message *m);
void driver_snapshot_ack(struct driver *d, uint64_t from, const struct peer_message *m);
void driver_snapshot_install(struct driver *d, const struct consensus_update *u);
void driver_snapshot_pulse(struct driver *d, uint64_t now_ms);
void driver_snapshot_follow(struct driver *d);                       /* leadership was lost: sends end */
void driver_snapshot_close(struct driver *d);
void driver_snapshot_release(struct driver *d);

/* read_index.c */
void read_index_init(struct driver *d);
void read_index_turn(struct driver *d);
void read_index_applied(struct driver *d);
void read_index_message(struct driver *d, uint64_t from, const struct peer_message *m);
void read_index_pulse(struct driver *d, uint64_t now_ms);
void read_index_fail(struct driver *d, int status); /* all that are not proved */
void read_index_close(struct driver *d);
bool read_index_waiting(const struct driver *d);

#endif
