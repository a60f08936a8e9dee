/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_STAGING_H
#define PATCHBAY_DRIVERS_SESSION_STAGING_H

/*
 * Where frames wait for their session's sockets: as plaintext, already in wire format, in chunks that
 * each are exactly one TLS record.
 *
 * A frame is copied once, from the source's plaintext into the chunk, behind its be32 size. A chunk holds
 * one or more complete groups (wire.md 6.1): their counts are patched when the chunk is taken. So to send
 * is to encrypt the chunk as it stands. A chunk is filled until the next frame does not fit, or until the
 * turn's flush takes it: small turns make small records by themselves.
 *
 * This is the only place where frames towards a session are dropped (architecture.md 3), by these rules
 * in this order: above the soft bound the copies of floods; above the hard bound everything; without a
 * connection everything beyond STAGING_FRAMES_ALONE frames (wire.md 6.3); and what would make the queue
 * longer than the rest of the worker's pool of chunks. So peers that do not read cannot use the pool up:
 * n of them leave about one part in n + 1 of it. All bounds count bytes in wire format.
 *
 * Owner worker only, apart from what the header of the function says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/frame.h"
#include "dataplane/stats.h"

#define STAGING_CHUNK_BYTES  16384u /* plaintext of a full TLS record (STREAM_RECORD_BYTES) */
#define STAGING_GROUP_FRAMES 256u /* blocks in a group; receivers take 300 and more (wire.md 6.1) */
#define STAGING_HARD_DEFAULT 2560000u /* bytes per session, as the original keeps (wire.md 6.3) */
#define STAGING_FRAMES_ALONE 1024u    /* frames that wait while a session has no connection */

/* What staging_put() answers when the frame was taken: not a reason to drop. */
#define STAGING_TAKEN ((unsigned)STATS_DROP_OUT_CNT)

struct staging_chunk {
	struct staging_chunk *next;
	uint32_t bytes;	       /* used in data[] */
	uint32_t taken;	       /* of them; see staging_take() */
	uint32_t group_at;     /* where the open group's count stands */
	uint32_t group_frames; /* in the open group */
	uint32_t frames;       /* in the chunk, not taken */
	struct stats_traffic traffic;
	uint8_t data[STAGING_CHUNK_BYTES] __attribute__((aligned(64)));
};

/* A worker's chunks: address space reserved at once, memory touched as needed and reused hot. */
struct staging_pool {
	struct staging_chunk *chunks;
	struct staging_chunk *free;
	uint32_t cnt;
	uint32_t touched; /* chunks[touched..] have never been used */
	uint32_t used;
};

struct staging {
	struct staging_chunk *head;
	struct staging_chunk *tail;
	uint32_t bytes; /* in wire format, group headers included */
	uint32_t frames;
	uint32_t soft_bytes;
	uint32_t hard_bytes;
	bool by_frame; /* frames are taken one by one: a chunk is one group, however long */
};

/* Reserves room for `bytes` worth of chunks (at least two chunks). 0 or -ENOMEM. Any thread. */
int staging_pool_init(struct staging_pool *pool, uint64_t bytes);
void staging_pool_fini(struct staging_pool *pool);

/* hard_bytes 0 = STAGING_HARD_DEFAULT. The soft bound is half of it. Any thread. */
void staging_init(struct staging *st, uint32_t hard_bytes);
/*
 * For a session that compresses: frames wait uncompressed, so that none is compressed in vain, and are taken
 * out by staging_take() instead of whole chunks. While it is empty.
 */
void staging_by_frame(struct staging *st);

/*
 * Copies a frame of FRAME_MIN_BYTES..FRAME_MAX_BYTES to the end of the queue. `connected`: the session has a
 * connection at all. STAGING_TAKEN or the enum stats_drop_out reason why not.
 */
unsigned staging_put(
	struct staging *st, struct staging_pool *pool, const struct frame *f, bool connected);

/* The oldest chunk, closed and ready to be written as one record; it stays in the queue. NULL: empty. */
struct staging_chunk *staging_peek(struct staging *st);
/* Takes the oldest chunk, which was peeked, out and gives it back to the pool. */
void staging_pop(struct staging *st, struct staging_pool *pool);
/*
 * The same for its first frames only: those up to byte `to` of its data, `frames` in number. A chunk begins
 * with 4 bytes of no meaning here, then come be32 sizes and frames; chunk->taken says where to go on.
 */
void staging_take(struct staging *st, struct staging_pool *pool, uint32_t to, uint32_t frames);
/* Gives everything back; returns the number of frames that waited. */
unsigned staging_clear(struct staging *st, struct staging_pool *pool);

static inline bool staging_is_empty(const struct staging *st)
{
	return st->head == NULL;
}

#endif
