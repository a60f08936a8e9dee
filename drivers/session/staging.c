/* SPDX-License-Identifier: BSD-3-Clause */
/* See staging.h: the bounded queue of a session, in wire format. */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "drivers/session/staging.h"
#include "drivers/session/stream.h"
#include "drivers/session/wire/block.h"

static_assert(STAGING_CHUNK_BYTES == STREAM_RECORD_BYTES, "a chunk is one TLS record");

int staging_pool_init(struct staging_pool *pool, uint64_t bytes)
{
	uint64_t cnt = bytes / STAGING_CHUNK_BYTES;
	void *mem;

	if (cnt < 2)
		cnt = 2;
	if (cnt > UINT32_MAX)
		return -ENOMEM;
	/* Not touched until used: an appliance with two sessions pays for two chunks. */
	mem = mmap(NULL, cnt * sizeof(struct staging_chunk), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		return -ENOMEM;
	*pool = (struct staging_pool){.chunks = mem, .cnt = (uint32_t)cnt};
	return 0;
}

void staging_pool_fini(struct staging_pool *pool)
{
	if (pool->chunks != NULL)
		munmap(pool->chunks, pool->cnt * sizeof(struct staging_chunk));
	*pool = (struct staging_pool){0};
}

static struct staging_chunk *chunk_get(struct staging_pool *pool)
{
	struct staging_chunk *c = pool->free;

	if (c != NULL)
		pool->free = c->next;
	else if (pool->touched < pool->cnt)
		c = &pool->chunks[pool->touched++];
	else
		return NULL;
	pool->used++;
	c->next = NULL;
	c->bytes = BLOCK_GROUP_HEADER;
	c->taken = BLOCK_GROUP_HEADER;
	c->group_at = 0;
	c->group_frames = 0;
	c->frames = 0;
	c->flood_bytes = 0;
	c->traffic = (struct stats_traffic){0};
	return c;
}

static void chunk_put(struct staging_pool *pool, struct staging_chunk *c)
{
	c->next = pool->free;
	pool->free = c;
	pool->used--;
}

void staging_init(struct staging *st, uint32_t hard_bytes, uint32_t age_ms)
{
	*st = (struct staging){
		.hard_bytes = hard_bytes != 0 ? hard_bytes : STAGING_HARD_DEFAULT,
		.age_ms = age_ms,
	};
	st->soft_bytes = st->hard_bytes / 2;
}

void staging_by_frame(struct staging *st)
{
	st->by_frame = true;
}

static void group_close(struct staging_chunk *c)
{
	block_put_group(c->data + c->group_at, c->group_frames);
}

/* A chunk in which `need` more bytes fit, with an open group that takes one more block. */
static struct staging_chunk *tail_for(
	struct staging *st, struct staging_pool *pool, struct staging_queue *q, uint32_t need)
{
	struct staging_chunk *c = q->tail;

	if (c != NULL && (st->by_frame || c->group_frames < STAGING_GROUP_FRAMES) &&
		c->bytes + need <= STAGING_CHUNK_BYTES)
		return c;
	if (c != NULL && !st->by_frame &&
		c->bytes + BLOCK_GROUP_HEADER + need <= STAGING_CHUNK_BYTES) {
		group_close(c);
		c->group_at = c->bytes;
		c->group_frames = 0;
		c->bytes += BLOCK_GROUP_HEADER;
		st->bytes += BLOCK_GROUP_HEADER;
		return c;
	}
	/*
	 * No queue may grow beyond what is left for all others: otherwise a few dozen peers that do not read
	 * would hold the whole pool, and everybody else on this worker lose every frame.
	 */
	if (st->bytes > (uint64_t)(pool->cnt - pool->used) * STAGING_CHUNK_BYTES)
		return NULL;
	c = chunk_get(pool);
	if (c == NULL)
		return NULL;
	if (q->tail != NULL)
		q->tail->next = c;
	else
		q->head = c;
	q->tail = c;
	st->bytes += BLOCK_GROUP_HEADER;
	return c;
}

/* What a lane may fill: the last eighth belongs to frames that go first, where there are any. */
static uint32_t lane_bound(const struct staging *st, enum connection_lane lane)
{
	return lane == LANE_NORMAL && st->has_priority ? st->hard_bytes - st->hard_bytes / 8
						       : st->hard_bytes;
}

unsigned staging_put(struct staging *st, struct staging_pool *pool, enum connection_lane lane,
	const struct frame *f, bool connected, uint64_t now_ms)
{
	const uint32_t need = BLOCK_HEADER + f->len;
	struct staging_chunk *c;

	if (f->flags & FRAME_F_FLOOD && st->bytes + need > st->soft_bytes)
		return STATS_DROP_OUT_STAGING_FLOOD;
	if (st->bytes + need > lane_bound(st, lane))
		return STATS_DROP_OUT_STAGING_FULL;
	if (!connected && st->frames >= STAGING_FRAMES_ALONE)
		return STATS_DROP_OUT_NO_CONNECTION;
	c = tail_for(st, pool, &st->lanes[lane], need);
	if (c == NULL)
		return STATS_DROP_OUT_STAGING_POOL;
	memcpy(block_put_size(c->data + c->bytes, f->len), f->data, f->len);
	c->bytes += need;
	c->group_frames++;
	c->frames++;
	c->newest_ms = now_ms;
	if (frame_is_broadcast(f)) {
		c->traffic.broadcast_frames++;
		c->traffic.broadcast_bytes += f->len;
	} else {
		c->traffic.unicast_frames++;
		c->traffic.unicast_bytes += f->len;
	}
	if (f->flags & FRAME_F_FLOOD) {
		c->flood_bytes += need;
		st->flood_bytes += need;
	}
	st->bytes += need;
	st->frames++;
	st->has_priority |= lane == LANE_PRIORITY;
	return STAGING_TAKEN;
}

void staging_connected(struct staging *st, uint64_t now_ms)
{
	st->since_ms = now_ms;
}

struct staging_chunk *staging_peek(struct staging *st, enum connection_lane lane)
{
	struct staging_chunk *c = st->lanes[lane].head;

	/* Idempotent: a frame that comes later is counted by the next peek. */
	if (c != NULL)
		group_close(c);
	return c;
}

void staging_pop(struct staging *st, struct staging_pool *pool, enum connection_lane lane)
{
	struct staging_queue *q = &st->lanes[lane];
	struct staging_chunk *c = q->head;

	q->head = c->next;
	if (q->head == NULL)
		q->tail = NULL;
	st->bytes -= c->bytes;
	st->flood_bytes -= c->flood_bytes;
	st->frames -= c->frames;
	chunk_put(pool, c);
}

void staging_take(struct staging *st, struct staging_pool *pool, enum connection_lane lane,
	uint32_t to, uint32_t frames)
{
	struct staging_chunk *c = st->lanes[lane].head;

	/* Its bytes are given back with the chunk: little is wrong, and that for less than a turn. */
	c->taken = to;
	c->frames -= frames;
	st->frames -= frames;
	if (to == c->bytes)
		staging_pop(st, pool, lane);
}

unsigned staging_expire(struct staging *st, struct staging_pool *pool, uint64_t now_ms)
{
	unsigned frames = st->frames;

	if (st->age_ms == 0 || now_ms - st->since_ms <= st->age_ms)
		return 0;
	for (enum connection_lane lane = 0; lane < LANES; lane++) {
		while (st->lanes[lane].head != NULL &&
			now_ms - st->lanes[lane].head->newest_ms > st->age_ms)
			staging_pop(st, pool, lane);
	}
	return frames - st->frames;
}

unsigned staging_clear(struct staging *st, struct staging_pool *pool)
{
	unsigned frames = st->frames;

	for (enum connection_lane lane = 0; lane < LANES; lane++) {
		while (st->lanes[lane].head != NULL)
			staging_pop(st, pool, lane);
	}
	return frames;
}
