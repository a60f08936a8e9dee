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
 * A queue has two lanes: frames that go first (wire.md 6.5) and all others; each keeps its order.
 *
 * This is the only place where frames towards a session are dropped (architecture.md 3), by these rules
 * in this order: above the soft bound the copies of floods; above the hard bound everything, of which the
 * last eighth is kept for the lane that goes first, once there was a frame for it; without a
 * connection everything beyond STAGING_FRAMES_ALONE frames (wire.md 6.3); and what would make the queue
 * longer than the rest of the worker's pool of chunks. So peers that do not read cannot use the pool up:
 * n of them leave about one part in n + 1 of it. All bounds count bytes in wire format and both lanes.
 *
 * And by age: a frame that waited for longer than age_ms while there was a connection is too late for
 * whoever sent it, since TCP inside has sent it again, and would only delay what comes behind it. So the
 * queue of a slow peer is as long as it can send in that time, and not the hard bound divided by its rate.
 * What waited for a connection is not late by that: its time begins when there is one again.
 *
 * Owner worker only, apart from what the header of the function says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/frame.h"
#include "dataplane/stats.h"
#include "drivers/session/connection_set.h"

#define STAGING_CHUNK_BYTES  16384u /* plaintext of a full TLS record (STREAM_RECORD_BYTES) */
#define STAGING_GROUP_FRAMES 256u /* blocks in a group; receivers take 300 and more (wire.md 6.1) */
#define STAGING_HARD_DEFAULT 2560000u /* bytes per session, as the original keeps (wire.md 6.3) */
#define STAGING_FRAMES_ALONE 1024u    /* frames that wait while a session has no connection */
/*
 * Longer than the pauses that TCP makes of itself for a lost segment (200 ms, doubled twice), so that a
 * path that stumbles loses nothing; as long as the least time after which TCP inside gives a segment up.
 */
#define STAGING_AGE_MS_DEFAULT 1000u

/* What staging_put() answers when the frame was taken: not a reason to drop. */
#define STAGING_TAKEN ((unsigned)STATS_DROP_OUT_CNT)

struct staging_chunk {
	struct staging_chunk *next;
	uint32_t bytes;	       /* used in data[] */
	uint32_t taken;	       /* of them; see staging_take() */
	uint32_t group_at;     /* where the open group's count stands */
	uint32_t group_frames; /* in the open group */
	uint32_t frames;       /* in the chunk, not taken */
	uint32_t flood_bytes;  /* of data[]: copies of floods */
	uint64_t newest_ms;    /* when its last frame came */
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

struct staging_queue {
	struct staging_chunk *head;
	struct staging_chunk *tail;
};

struct staging {
	struct staging_queue lanes[LANES];
	uint32_t bytes;	      /* in wire format, group headers included; all lanes */
	uint32_t flood_bytes; /* of them: copies of floods, for the hub's quota */
	uint32_t frames;
	uint32_t soft_bytes;
	uint32_t hard_bytes;
	uint32_t age_ms;   /* 0: frames wait for ever */
	bool by_frame;	   /* frames are taken one by one: a chunk is one group, however long */
	bool has_priority; /* a frame went into LANE_PRIORITY once */
	uint64_t since_ms; /* nothing is older than this: when there was a connection again */
};

/* Reserves room for `bytes` worth of chunks (at least two chunks). 0 or -ENOMEM. Any thread. */
int staging_pool_init(struct staging_pool *pool, uint64_t bytes);
void staging_pool_fini(struct staging_pool *pool);

/* hard_bytes 0 = STAGING_HARD_DEFAULT. The soft bound is half of it. Any thread. */
void staging_init(struct staging *st, uint32_t hard_bytes, uint32_t age_ms);
/*
 * For a session that compresses: frames wait uncompressed, so that none is compressed in vain, and are taken
 * out by staging_take() instead of whole chunks. While it is empty.
 */
void staging_by_frame(struct staging *st);

/*
 * Copies a frame of FRAME_MIN_BYTES..FRAME_MAX_BYTES to the end of a lane. `connected`: the session has a
 * connection that may send. STAGING_TAKEN or the enum stats_drop_out reason why not.
 */
unsigned staging_put(struct staging *st, struct staging_pool *pool, enum connection_lane lane,
	const struct frame *f, bool connected, uint64_t now_ms);

/* There is a connection again: what waited without one is as if it came now. */
void staging_connected(struct staging *st, uint64_t now_ms);
/* Drops the chunks that are too old; returns the number of frames. Costs two looks when there is none. */
unsigned staging_expire(struct staging *st, struct staging_pool *pool, uint64_t now_ms);

/* The oldest chunk of a lane, closed and ready to be written as one record; it stays. NULL: empty. */
struct staging_chunk *staging_peek(struct staging *st, enum connection_lane lane);
/* Takes the oldest chunk, which was peeked, out and gives it back to the pool. */
void staging_pop(struct staging *st, struct staging_pool *pool, enum connection_lane lane);
/*
 * The same for its first frames only: those up to byte `to` of its data, `frames` in number. A chunk begins
 * with 4 bytes of no meaning here, then come be32 sizes and frames; chunk->taken says where to go on.
 */
void staging_take(struct staging *st, struct staging_pool *pool, enum connection_lane lane,
	uint32_t to, uint32_t frames);
/* Gives everything back; returns the number of frames that waited. */
unsigned staging_clear(struct staging *st, struct staging_pool *pool);

static inline bool staging_lane_is_empty(const struct staging *st, enum connection_lane lane)
{
	return st->lanes[lane].head == NULL;
}

static inline bool staging_is_empty(const struct staging *st)
{
	return staging_lane_is_empty(st, LANE_NORMAL) && staging_lane_is_empty(st, LANE_PRIORITY);
}

#endif
