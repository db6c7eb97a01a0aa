/* The bounds of the store's front: sessions, connections, requests, answers. */
#ifndef RAFTSTORE_STORE_LIMITS_H
#define RAFTSTORE_STORE_LIMITS_H

#include "raftstore/kv.h"

/* sessions of clients, in the replicated state */
#define SESSIONS_MAX 16384
#define SESSION_WINDOW_MAX 8192              /* sequences between the oldest unacknowledged one and the newest */
#define SESSION_EXPIRY_MS (30u * 60 * 1000)  /* without a write, in cluster time */
#define SESSION_RESULT_BYTES_MAX (64u * 1024) /* a longer result is remembered only as having happened */
#define SESSION_BYTES_MAX (8u * 1024 * 1024) /* of all kept results; the longest unused sessions go first */

/* leases, in the replicated state */
#define LEASES_MAX 1000000
#define LEASE_TTL_MAX_S 9000000000ll        /* as etcd has it */
#define LEASE_EXPIRIES_PER_COMMAND 1024
#define LEASE_KEEPALIVES_PER_COMMAND 4096
#define LEASE_LIST_MAX 100000               /* of one answer */

/* frames */
#define STORE_FRAME_BYTES_MAX (KV_REQUEST_BYTES_MAX + 512u * 1024) /* keys and values of a request, and its numbers */
#define STORE_ANSWER_BYTES_MAX (64u * 1024 * 1024) /* of a transaction's answer, which is never cut into parts */
#define FLUSH_TURN_BYTES (256u * 1024)       /* of events, written to their watchers in one turn of the loop */
#define FLUSH_CONNECTION_BYTES 8192          /* what a write costs beside its bytes, as bytes */
#define STORE_PART_BYTES (256u * 1024)       /* of an answer in parts, and of a revision's events; one key-value at least */

/* entries */
#define ENTRY_BYTES_TARGET (64u * 1024)      /* writes are packed up to this; a longer one is its own entry */
#define PROPOSALS_MAX 256                    /* entries under way; more writes wait in the batch */

/* connections */
#define SERVER_CONNECTIONS_MAX 8192
#define CONNECTION_CALLS_MAX 8192            /* requests under way on one */
#define CONNECTION_WATCHES_MAX 16384
#define CONNECTION_PENDING_BYTES_MAX (64u * 1024 * 1024) /* unsent; then it is closed as too slow */
#define CONNECTION_PART_WINDOW (512u * 1024) /* answers in parts and catch-up go on below this much unsent */
#define SERVER_SILENCE_MS 30000              /* clients ping every second */
#define CATCH_UP_TURN_BYTES (256u * 1024)    /* of events for one watch per turn of the loop */

/* snapshots that clients read: each keeps the state as of its beginning in memory */
#define SERVER_SNAPSHOTS_MAX 2
#define SNAPSHOT_IDLE_MS 60000 /* without a request for the next part it ends */
/* compaction by itself */
#define COMPACT_INTERVAL_MS 500
#define COMPACT_SAMPLES 64                   /* of (time, revision), over twice the age that is kept */

/* room and reports */
#define SPACE_FLOOR_BYTES (256ull * 1024 * 1024) /* or a hundredth of a larger disk, and never more than a quarter of one */
#define SPACE_POLL_MS 1000
#define REPORT_MS 1000
#define CHECKPOINTS 4096                     /* entries whose state hash is kept for comparison */
#define SCRUB_EVERY_MS 60000                 /* from the beginning of one comparison of the state with its hashes to the next */
#define SCRUB_STEP_BYTES (256u * 1024)       /* of it per tick: a gigabyte takes about seven minutes, and a thousandth of a core */

/* writes waiting for their result, on any member */
#define WRITES_MAX 65536
#define WRITES_BYTES_MAX (64u * 1024 * 1024)
#define WRITE_PARKED_MS 3000  /* then: unavailable; the client may ask again under the same sequence, here or elsewhere */
#define LEADERLESS_MS 800     /* a member without a leader for so long sends its clients elsewhere: others may have one */
#define WRITE_RETRY_MS 1000                  /* a forwarded write without an answer is sent again */

#endif
