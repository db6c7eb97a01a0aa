/* Who the owner of a data folder is, when that is not what the command line says: the file `identity`. A member that joined,
 * or that lost its log and came back, has a member id of its own making; the id of the command line names the folder only.
 * Beside it stands `members`, the last configuration seen, to find the others by when the log can no longer be read.
 * Layouts in docs/formats.md. */
#ifndef RAFTSTORE_IDENTITY_H
#define RAFTSTORE_IDENTITY_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/member.h"

#define IDENTITY_NAME "identity"
#define IDENTITY_PART "identity.part"
#define MEMBERS_NAME "members"
#define MEMBERS_PART "members.part"
#define DAMAGED_PREFIX "damaged-" /* damaged-<n>-<name>: set aside, never read, never removed by us */
#define DAMAGED_MAX 3             /* times; then a person must look */

struct identity {
    uint8_t cluster_id[16];
    uint64_t member_id;
    uint64_t replaces;  /* the id that this folder had before; 0: none */
    uint64_t named_id;  /* of the command line; 0: it named none */
    uint8_t damaged;    /* times that the folder's log was set aside */
    bool setting_aside; /* files without the prefix are of the member before */
};

/* 1: read; 0: there is none. ERR_CORRUPT, ERR_FORMAT, ERR_IO. */
int identity_load(struct disk *disk, struct identity *ret, struct err *reterr);
/* The configuration last saved; none when it is missing or damaged: it is a hint. */
void identity_members_load(struct disk *disk, struct configuration *ret);
/* Is there a log or a snapshot? */
int identity_has_state(struct disk *disk, bool *ret, struct err *reterr);

/* Replaces a file as a whole, durably: another name, synced, renamed. Embedded in the caller's struct, which stays until done. */
struct file_save {
    struct disk *disk;
    const char *name, *part;
    struct buf bytes; /* released before done */
    struct disk_job job;
    void (*done)(struct file_save *s, int status, const struct err *why);
};
void identity_save(struct file_save *s, struct disk *disk, const struct identity *identity);
void identity_members_save(struct file_save *s, struct disk *disk, const struct configuration *c);

#endif
