/* Snapshot files: the pieces of a machine's state, LZ4 with a checksum each, between a header that says of which cluster,
 * entry and configuration, and a footer that proves the whole. Layout in docs/formats.md.
 *
 * A file gets its final name only when it is whole and synced. Pieces are read from the pin, compressed and written on the
 * disk's bulk thread, a few at a time in whole blocks, so that neither the loop nor the log waits. */
#ifndef RAFTSTORE_SNAPFILE_H
#define RAFTSTORE_SNAPFILE_H

#include "common/base.h"
#include "common/env.h"
#include "raftstore/consensus.h"
#include "raftstore/machine.h"

#define SNAPFILE_FORMAT 2
#define SNAPFILE_NAME_MAX 48
#define SNAPFILE_PATH_MAX 256 /* of a file that a user named; terminated */
#define SNAPFILE_SYNC_BYTES (64u * 1024 * 1024)      /* written and not synced, at most: a bound where a disk takes no direct writes */
#define SNAPFILE_PIECE_BYTES_MAX (4u * 1024 * 1024)  /* of one machine piece */
#define SNAPFILE_INCOMING "snapshot.incoming"       /* being received */
#define SNAPFILE_PART "snapshot.part"               /* being written */

struct snapfile_info {
    uint8_t cluster_id[16];
    uint64_t file_id; /* random: names the bytes, for resumed transfers */
    uint64_t index, term, configuration_index;
    struct configuration configuration;
    uint64_t hash;        /* of the machine's state; known after the footer */
    uint64_t state_bytes; /* before compression; known after the footer */
    uint64_t file_bytes;
};

void snapfile_name(uint64_t index, uint64_t term, char name[SNAPFILE_NAME_MAX]);
bool snapfile_parse_name(const char *name, uint64_t *ret_index, uint64_t *ret_term);

/* The bytes of a file, piece by piece, for whoever wants them: the writer below, and clients that save a snapshot. */
struct snapfile_maker {
    struct machine machine;
    struct snapfile_info info; /* hash of the state as of the beginning; state_bytes grows */
    void *pin;
    struct buf piece, packed;
    uint64_t pieces;
    uint32_t crc; /* over the headers of the pieces */
    bool begun, last;
};
void snapfile_maker_begin(struct snapfile_maker *m, struct env *env, struct machine machine, const struct snapfile_info *info); /* pins */
/* Appends what comes next, about a mebibyte; sets m->last with the footer. On any thread, one call at a time; the errors of
 * the machine's read. */
int snapfile_make(struct snapfile_maker *m, struct buf *out, struct err *reterr);
void snapfile_maker_end(struct snapfile_maker *m); /* unpins */

/* Writes the machine's state as of now to SNAPFILE_PART and renames it. One at a time. `done` is never called inside the
 * call; on an error nothing is left under a final name. */
struct snapfile_writer;
struct snapfile_writer *snapfile_write(struct env *env, struct machine machine, const struct snapfile_info *info,
                                       void (*done)(void *arg, int status, const struct snapfile_info *info,
                                                    const struct err *why),
                                       void *arg);
void snapfile_cancel(struct snapfile_writer *w); /* done follows with ERR_CANCELED */

/* Reads and verifies; `cluster_id` NULL: any. ERR_CORRUPT, ERR_FORMAT, ERR_IDENTITY (another cluster's), ERR_IO; the message names the file. */
struct snapfile_reader;
int snapfile_open(struct env *env, const char *name, const uint8_t cluster_id[16], struct snapfile_reader **ret,
                  struct err *reterr);
/* 1: the next piece, borrowed until the next call; 0: that was all, and the footer proved the whole. */
int snapfile_next(struct snapfile_reader *r, struct slice *ret_piece, struct err *reterr);
/* Reads all of it into a machine, which is untouched on an error. ERR_CORRUPT also when the state has another hash than the
 * one it was written with; then the machine must not be used. */
int snapfile_restore(struct snapfile_reader *r, struct machine machine, struct err *reterr);
/* After the footer: the machine's state is what it was when the snapshot was made, or nobody may go on with it. ERR_CORRUPT. */
int snapfile_check_state(const struct snapfile_reader *r, struct machine machine, struct err *reterr);
const struct snapfile_info *snapfile_info(const struct snapfile_reader *r);
void snapfile_close(struct snapfile_reader *r);

#endif
