/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/session/staging: what is put in comes out of the receiver's own block parser, in order, in
 * chunks of at most one TLS record; and the bounds drop what they say, in the order they say.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/session/keepalive.h"
#include "drivers/session/priority.h"
#include "drivers/session/staging.h"
#include "drivers/session/wire/block.h"

#define POOL_BYTES   (8u << 20)
#define SLOW_READERS 64u
#define AGE_MS	     1000u

static struct staging_pool pool;
static struct staging st;
static uint64_t now_ms;

static int setup(void **)
{
	staging_init(&st, 0, AGE_MS);
	now_ms = 5000;
	return staging_pool_init(&pool, POOL_BYTES);
}

static int teardown(void **)
{
	(void)staging_clear(&st, &pool);
	/* Nothing may be left behind, whatever the test did. */
	assert_int_equal(pool.used, 0);
	assert_int_equal(st.bytes, 0);
	assert_int_equal(st.frames, 0);
	staging_pool_fini(&pool);
	return 0;
}

/* A frame whose number and length can be checked at the other end. */
static struct frame make_frame(uint8_t *buf, unsigned number, unsigned len, unsigned flags)
{
	memset(buf, (int)(number & 0xff), len);
	buf[0] = number % 3 == 0 ? 0xff : 0x02; /* every third one to a group address */
	memcpy(buf + 6, &number, sizeof(number));
	return (struct frame){.data = buf, .len = (uint16_t)len, .flags = (uint16_t)flags};
}

static unsigned put(unsigned number, unsigned len, unsigned flags, bool connected)
{
	uint8_t buf[FRAME_MAX_BYTES];
	struct frame f = make_frame(buf, number, len, flags);

	return staging_put(&st, &pool, LANE_NORMAL, &f, connected, now_ms);
}

/* Decodes all chunks as one stream and checks frames first..first+cnt-1 with len_of(). */
static void drain_and_check(unsigned cnt, unsigned (*len_of)(unsigned))
{
	struct block_rx rx;
	struct block_rx_result res;
	struct block_span spans[64];
	struct staging_chunk *chunk;
	struct stats_traffic traffic = {0};
	uint8_t expect[FRAME_MAX_BYTES];
	uint64_t bytes = 0;
	unsigned number = 0;

	block_rx_init(&rx, false);
	while ((chunk = staging_peek(&st, LANE_NORMAL)) != NULL) {
		const uint8_t *in = chunk->data;
		size_t left = chunk->bytes;

		assert_true(left > 4 && left <= STAGING_CHUNK_BYTES);
		do {
			block_rx_parse(&rx, in, left, spans, 64, &res);
			for (unsigned i = 0; i < res.count; i++, number++) {
				(void)make_frame(expect, number, len_of(number), 0);
				assert_int_equal(spans[i].len, len_of(number));
				assert_memory_equal(spans[i].data, expect, spans[i].len);
				bytes += spans[i].len;
			}
			in += res.consumed;
			left -= res.consumed;
		} while (res.status == BLOCK_RX_AGAIN);
		assert_int_equal(res.status, BLOCK_RX_MORE);
		/* A chunk stands by itself: no block and no group goes on in the next one. */
		assert_int_equal(left, 0);
		assert_int_equal(rx.group_left, 0);
		traffic.unicast_frames += chunk->traffic.unicast_frames;
		traffic.unicast_bytes += chunk->traffic.unicast_bytes;
		traffic.broadcast_frames += chunk->traffic.broadcast_frames;
		traffic.broadcast_bytes += chunk->traffic.broadcast_bytes;
		staging_pop(&st, &pool, LANE_NORMAL);
	}
	assert_int_equal(number, cnt);
	assert_int_equal(traffic.broadcast_frames, (cnt + 2) / 3);
	assert_int_equal(traffic.unicast_frames, cnt - (cnt + 2) / 3);
	assert_int_equal(traffic.unicast_bytes + traffic.broadcast_bytes, bytes);
	assert_true(staging_is_empty(&st));
}

static unsigned len_mixed(unsigned number)
{
	return FRAME_MIN_BYTES + number * 37 % (FRAME_MAX_BYTES - FRAME_MIN_BYTES + 1);
}

static unsigned len_min(unsigned)
{
	return FRAME_MIN_BYTES;
}

static unsigned len_full(unsigned)
{
	return 1514;
}

static void mixed_frames_come_back(void **)
{
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(put(i, len_mixed(i), 0, true), STAGING_TAKEN);
	drain_and_check(500, len_mixed);
}

/* 900 of the smallest fit in a record: they become several groups in one chunk. */
static void groups_stay_small(void **)
{
	struct staging_chunk *chunk;
	unsigned per_chunk = 0;

	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(put(i, FRAME_MIN_BYTES, 0, true), STAGING_TAKEN);
	chunk = staging_peek(&st, LANE_NORMAL);
	per_chunk = chunk->frames;
	assert_in_range(per_chunk, 890, 910);
	assert_int_equal(be32_get(chunk->data), STAGING_GROUP_FRAMES);
	drain_and_check(2000, len_min);
}

/* Ten frames of 1514 bytes are what a record takes: the record is full to within one frame. */
static void chunk_is_filled(void **)
{
	for (unsigned i = 0; i < 11; i++)
		assert_int_equal(put(i, 1514, 0, true), STAGING_TAKEN);
	assert_int_equal(staging_peek(&st, LANE_NORMAL)->frames, 10);
	assert_int_equal(be32_get(staging_peek(&st, LANE_NORMAL)->data), 10);
	drain_and_check(11, len_full);
}

/* Frames that come after a peek which was not followed by a pop (socket full) are not lost. */
static void peek_is_idempotent(void **)
{
	assert_int_equal(put(0, 1514, 0, true), STAGING_TAKEN);
	assert_int_equal(staging_peek(&st, LANE_NORMAL)->frames, 1);
	assert_int_equal(put(1, 1514, 0, true), STAGING_TAKEN);
	drain_and_check(2, len_full);
}

static void floods_go_first(void **)
{
	unsigned taken = 0, floods, all, left;

	while (put(taken, 1514, FRAME_F_FLOOD, true) == STAGING_TAKEN)
		taken++;
	floods = taken;
	assert_in_range(st.bytes, STAGING_HARD_DEFAULT / 2 - 1600, STAGING_HARD_DEFAULT / 2);
	assert_int_equal(put(taken, 1514, FRAME_F_FLOOD, true), STATS_DROP_OUT_STAGING_FLOOD);
	/* Known destinations still get in, up to the hard bound. */
	while (put(taken, 1514, 0, true) == STAGING_TAKEN)
		taken++;
	all = taken;
	assert_true(all > 2 * floods - 4);
	assert_in_range(st.bytes, STAGING_HARD_DEFAULT - 1600, STAGING_HARD_DEFAULT);
	assert_int_equal(put(taken, 1514, 0, true), STATS_DROP_OUT_STAGING_FULL);
	assert_int_equal(put(taken, 1514, FRAME_F_FLOOD, true), STATS_DROP_OUT_STAGING_FLOOD);
	/* A small one fits where a large one did not. */
	if (st.bytes + 4 + FRAME_MIN_BYTES <= STAGING_HARD_DEFAULT)
		assert_int_equal(put(taken, FRAME_MIN_BYTES, 0, true), STAGING_TAKEN);
	/* Room again after one record left. */
	staging_peek(&st, LANE_NORMAL);
	staging_pop(&st, &pool, LANE_NORMAL);
	assert_int_equal(put(taken, 1514, 0, true), STAGING_TAKEN);
	left = st.frames;
	assert_in_range(left, all - 10 + 1, all - 10 + 2);
	assert_int_equal(staging_clear(&st, &pool), left);
}

static void without_connection_by_count(void **)
{
	for (unsigned i = 0; i < STAGING_FRAMES_ALONE; i++)
		assert_int_equal(put(i, 60, 0, false), STAGING_TAKEN);
	assert_int_equal(put(0, 60, 0, false), STATS_DROP_OUT_NO_CONNECTION);
	assert_int_equal(put(0, 60, 0, true), STAGING_TAKEN);
	assert_int_equal(staging_clear(&st, &pool), STAGING_FRAMES_ALONE + 1);
}

static void pool_is_a_bound(void **)
{
	struct staging_pool small;
	struct staging a, b, c;
	uint8_t buf[FRAME_MAX_BYTES];
	struct frame f = make_frame(buf, 1, 1514, 0);
	unsigned n = 0;

	assert_int_equal(staging_pool_init(&small, 3 * STAGING_CHUNK_BYTES), 0);
	staging_init(&a, 0, 0);
	staging_init(&b, 0, 0);
	/* Two chunks of three, then its own reason: the third is for the others. */
	while (staging_put(&a, &small, LANE_NORMAL, &f, true, 0) == STAGING_TAKEN)
		n++;
	assert_int_equal(n, 20);
	assert_int_equal(
		staging_put(&a, &small, LANE_NORMAL, &f, true, 0), STATS_DROP_OUT_STAGING_POOL);
	assert_int_equal(staging_put(&b, &small, LANE_NORMAL, &f, true, 0), STAGING_TAKEN);
	/* Used up for everybody. */
	staging_init(&c, 0, 0);
	assert_int_equal(
		staging_put(&c, &small, LANE_NORMAL, &f, true, 0), STATS_DROP_OUT_STAGING_POOL);
	staging_peek(&a, LANE_NORMAL);
	staging_pop(&a, &small, LANE_NORMAL);
	assert_int_equal(staging_put(&c, &small, LANE_NORMAL, &f, true, 0), STAGING_TAKEN);
	assert_int_equal(staging_clear(&a, &small), 10);
	assert_int_equal(staging_clear(&b, &small), 1);
	assert_int_equal(staging_clear(&c, &small), 1);
	assert_int_equal(small.used, 0);
	staging_pool_fini(&small);
}

/* Peers that do not read could hold the pool many times over; one that does still gets its frames. */
static void slow_readers_leave_room(void **)
{
	static struct staging slow[SLOW_READERS];
	uint8_t buf[FRAME_MAX_BYTES];
	struct frame f = make_frame(buf, 1, 1514, 0);
	unsigned n = 0;

	static_assert((uint64_t)SLOW_READERS * STAGING_HARD_DEFAULT > 4 * POOL_BYTES);
	for (unsigned i = 0; i < SLOW_READERS; i++)
		staging_init(&slow[i], 0, 0);
	for (unsigned i = 0; i < SLOW_READERS * STAGING_HARD_DEFAULT / f.len; i++)
		(void)staging_put(&slow[i % SLOW_READERS], &pool, LANE_NORMAL, &f, true, 0);
	while (staging_put(&st, &pool, LANE_NORMAL, &f, true, 0) == STAGING_TAKEN)
		n++;
	assert_true(n >= 20);
	for (unsigned i = 0; i < SLOW_READERS; i++)
		(void)staging_clear(&slow[i], &pool);
}

/* What the hub's quota counts: floods alone, until the chunk they stand in is taken. */
static void floods_are_counted(void **)
{
	const uint32_t one = BLOCK_HEADER + 1000;

	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(put(i, 1000, i % 2 == 0 ? FRAME_F_FLOOD : 0, true), STAGING_TAKEN);
	assert_int_equal(st.flood_bytes, 10 * one);
	/* Sixteen frames to a chunk. */
	(void)staging_peek(&st, LANE_NORMAL);
	staging_pop(&st, &pool, LANE_NORMAL);
	assert_int_equal(st.flood_bytes, 2 * one);
	/* What was refused does not count. */
	while (put(0, 1000, FRAME_F_FLOOD, true) == STAGING_TAKEN)
		;
	assert_in_range(
		st.flood_bytes, STAGING_HARD_DEFAULT / 2 - 10 * one, STAGING_HARD_DEFAULT / 2);
	(void)staging_clear(&st, &pool);
	assert_int_equal(st.flood_bytes, 0);
	/* A chunk whose memory was used before begins with none. */
	assert_int_equal(put(0, 1000, 0, true), STAGING_TAKEN);
	assert_int_equal(st.flood_bytes, 0);
}

static void keepalive_interval_bounds(void **)
{
	uint32_t low = 0, seed = 12345;

	for (unsigned i = 0; i < 100000; i++) {
		uint32_t ms;

		seed = seed * 1664525 + 1013904223;
		ms = keepalive_interval_ms(20000, seed);
		assert_in_range(ms, 4000, 9999);
		low += ms == 4000;
	}
	/* r is uniform in [0, 10 s): two fifths of the draws fall below a fifth of the time-out. */
	assert_in_range(low, 39000, 41500);
	assert_int_equal(keepalive_interval_ms(20000, 9999), 9999);
	assert_int_equal(keepalive_interval_ms(20000, 10000), 4000);
	assert_int_equal(keepalive_interval_ms(0, 77), 0);
	assert_int_equal(keepalive_interval_ms(1, 77), 0);
}

/* Taken frame by frame: one group however long, frames that come meanwhile go behind, the books are right. */
static void frames_are_taken_one_by_one(void **)
{
	unsigned number = 0, staged = 0;
	struct staging_chunk *chunk;

	staging_by_frame(&st);
	for (; staged < 1500; staged++)
		assert_int_equal(put(staged, 20 + staged % 50, 0, true), STAGING_TAKEN);
	while ((chunk = staging_peek(&st, LANE_NORMAL)) != NULL) {
		uint32_t to = chunk->taken, frames = 0;

		assert_true(chunk->group_at == 0);
		/* Seven at a time, the rest of a chunk at its end. */
		for (; frames < 7 && to < chunk->bytes; frames++, number++) {
			assert_int_equal(be32_get(chunk->data + to), 20 + number % 50);
			to += BLOCK_HEADER + 20 + number % 50;
		}
		assert_true(to <= chunk->bytes);
		staging_take(&st, &pool, LANE_NORMAL, to, frames);
		assert_int_equal(st.frames, staged - number);
		if (staged < 2000) {
			assert_int_equal(put(staged, 20 + staged % 50, 0, true), STAGING_TAKEN);
			staged++;
		}
	}
	assert_int_equal(number, staged);
	/* What is left of a chunk counts at the end. */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(put(i, 60, 0, true), STAGING_TAKEN);
	staging_take(&st, &pool, LANE_NORMAL, BLOCK_GROUP_HEADER + 4 * (BLOCK_HEADER + 60), 4);
	assert_int_equal(staging_clear(&st, &pool), 6);
}

static unsigned put_first(unsigned number, unsigned len)
{
	uint8_t buf[FRAME_MAX_BYTES];
	struct frame f = make_frame(buf, number, len, 0);

	return staging_put(&st, &pool, LANE_PRIORITY, &f, true, now_ms);
}

/* Each lane keeps its order, and the last eighth of the bytes is for the one that goes first. */
static void lanes(void **)
{
	unsigned normal = 0, first = 0;

	assert_int_equal(put_first(0, 100), STAGING_TAKEN);
	while (put(normal, 1514, 0, true) == STAGING_TAKEN)
		normal++;
	assert_in_range(
		st.bytes, STAGING_HARD_DEFAULT / 8 * 7 - 1600, STAGING_HARD_DEFAULT / 8 * 7);
	assert_int_equal(put(normal, 1514, 0, true), STATS_DROP_OUT_STAGING_FULL);
	while (put_first(++first, 100) == STAGING_TAKEN)
		;
	assert_in_range(st.bytes, STAGING_HARD_DEFAULT - 200, STAGING_HARD_DEFAULT);
	assert_int_equal(st.frames, normal + first);
	for (unsigned number = 0; number < first;) {
		struct staging_chunk *c = staging_peek(&st, LANE_PRIORITY);
		uint32_t at = BLOCK_GROUP_HEADER, got;

		memcpy(&got, c->data + at + BLOCK_HEADER + 6, sizeof(got));
		assert_int_equal(got, number);
		number += c->frames;
		staging_pop(&st, &pool, LANE_PRIORITY);
	}
	assert_true(staging_lane_is_empty(&st, LANE_PRIORITY));
	assert_false(staging_is_empty(&st));
	assert_int_equal(st.frames, normal);
	drain_and_check(normal, len_full);
}

/* Too old is a chunk whose last frame is; what waited without a connection is not. */
static void old_frames_go(void **)
{
	for (unsigned i = 0; i < 25; i++) /* two full chunks and a half */
		assert_int_equal(put(i, 1514, 0, true), STAGING_TAKEN);
	assert_int_equal(put_first(0, 60), STAGING_TAKEN);
	now_ms += AGE_MS;
	assert_int_equal(staging_expire(&st, &pool, now_ms), 0);
	assert_int_equal(put(25, 1514, 0, true), STAGING_TAKEN); /* keeps its chunk */
	now_ms += 1;
	assert_int_equal(staging_expire(&st, &pool, now_ms), 20 + 1);
	assert_int_equal(st.frames, 6);
	assert_true(staging_lane_is_empty(&st, LANE_PRIORITY));
	now_ms += 10 * AGE_MS;
	staging_connected(&st, now_ms);
	now_ms += AGE_MS;
	assert_int_equal(staging_expire(&st, &pool, now_ms), 0);
	now_ms += 1;
	assert_int_equal(staging_expire(&st, &pool, now_ms), 6);
	assert_true(staging_is_empty(&st));
	/* Where it is switched off they stay. */
	st.age_ms = 0;
	assert_int_equal(put(0, 1514, 0, true), STAGING_TAKEN);
	now_ms += 1000 * AGE_MS;
	assert_int_equal(staging_expire(&st, &pool, now_ms), 0);
	drain_and_check(1, len_full);
}

/* The same where frames are taken one by one: what was taken of a chunk is not dropped again. */
static void old_rest_of_a_chunk(void **)
{
	staging_by_frame(&st);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(put(i, 60, 0, true), STAGING_TAKEN);
	(void)staging_peek(&st, LANE_NORMAL);
	staging_take(&st, &pool, LANE_NORMAL, BLOCK_GROUP_HEADER + 4 * (BLOCK_HEADER + 60), 4);
	now_ms += AGE_MS + 1;
	assert_int_equal(staging_expire(&st, &pool, now_ms), 6);
}

static bool first(unsigned len, uint16_t ethertype, uint8_t tos, uint8_t protocol)
{
	uint8_t buf[FRAME_MAX_BYTES] = {0};
	struct frame f = {.data = buf, .len = (uint16_t)len};

	buf[12] = (uint8_t)(ethertype >> 8);
	buf[13] = (uint8_t)ethertype;
	buf[14] = 0x45;
	buf[15] = tos;
	buf[23] = protocol;
	return frame_has_priority(&f);
}

/* The table of wire.md 6.5. */
static void which_frames_go_first(void **)
{
	assert_false(first(60, 0x0800, 0x00, 6));
	assert_false(first(60, 0x0800, 0x08, 6));
	assert_true(first(60, 0x0800, 0xb8, 17));  /* expedited forwarding */
	assert_true(first(1514, 0x0800, 0x10, 6)); /* low delay */
	assert_true(first(1514, 0x0800, 0x01, 6));
	assert_true(first(34, 0x0800, 0x00, 1));
	assert_true(first(98, 0x0800, 0x00, 1)); /* ping */
	assert_true(first(128, 0x0800, 0x08, 1));
	assert_false(first(129, 0x0800, 0x00, 1));
	assert_false(first(33, 0x0800, 0xb8, 1));
	assert_false(first(14, 0x0800, 0xb8, 1));
	assert_false(first(60, 0x86dd, 0xb8, 1));
	assert_false(first(60, 0x8100, 0xb8, 1));
	assert_false(first(60, 0x0806, 0xb8, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mixed_frames_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(groups_stay_small, setup, teardown),
		cmocka_unit_test_setup_teardown(chunk_is_filled, setup, teardown),
		cmocka_unit_test_setup_teardown(peek_is_idempotent, setup, teardown),
		cmocka_unit_test_setup_teardown(floods_go_first, setup, teardown),
		cmocka_unit_test_setup_teardown(without_connection_by_count, setup, teardown),
		cmocka_unit_test_setup_teardown(pool_is_a_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_readers_leave_room, setup, teardown),
		cmocka_unit_test_setup_teardown(floods_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(frames_are_taken_one_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(old_frames_go, setup, teardown),
		cmocka_unit_test_setup_teardown(old_rest_of_a_chunk, setup, teardown),
		cmocka_unit_test(which_frames_go_first),
		cmocka_unit_test(keepalive_interval_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
