/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session's way out without sockets: connections join, leave and fill up, frames are staged, taken over
 * the chosen connection, dropped and grow old, in any order. Checked against a slow model: the choice is
 * that of wire.md 6.5 said in other words, each lane gives back what was put into it, in order, and counts
 * of frames and bytes are right at every moment; and the rules of the side that dialled ask for nothing that
 * the set has no room for, end nobody who is not in it, and never want to be asked again at once. First byte: bit 0 qos, bit 1 frame by frame, bits 2-7
 * granted. Then one byte of operation and one of argument each.
 */
#include <string.h>

#include "drivers/session/connection_growth.h"
#include "drivers/session/connection_set.h"
#include "drivers/session/staging.h"
#include "drivers/session/wire/block.h"
#include "test/fuzz/require.h"

#define POOL_CHUNKS 24u
#define HARD_BYTES  (12u * STAGING_CHUNK_BYTES)
#define AGE_MS	    1000u
#define FRAMES_MAX  65536u

static struct connection_set set;
static struct connection_member members[CONNECTION_SET_MAX + 2];
static bool joined[CONNECTION_SET_MAX + 2];
static unsigned order[CONNECTION_SET_MAX + 2]; /* the model: indexes in order of joining */
static unsigned order_cnt;

static struct connection_growth growth;
static struct staging_pool pool;
static struct staging st;
static uint64_t now_ms;
/* The model of a lane: numbers of frames that wait, and when the last of them came. */
static struct lane {
	uint32_t number[FRAMES_MAX];
	unsigned from, to;
} lanes[LANES];
static uint32_t next_number;

static unsigned senders(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < order_cnt; i++)
		n += members[order[i]].may_send;
	return n;
}

static void join(unsigned arg)
{
	unsigned i = arg % (CONNECTION_SET_MAX + 2);
	bool room = order_cnt <= set.granted && order_cnt < CONNECTION_SET_MAX;

	if (joined[i])
		return;
	REQUIRE(connection_set_admits(&set) == room);
	if (!room)
		return;
	connection_member_init(&members[i], (enum session_direction)(arg % 3), arg & 64);
	if (senders() == 0 && members[i].may_send)
		staging_connected(&st, now_ms);
	members[i].joined_ms = now_ms;
	connection_growth_answered(&growth);
	connection_set_join(&set, &members[i]);
	joined[i] = true;
	order[order_cnt++] = i;
}

static void leave(unsigned arg)
{
	unsigned i = arg % (CONNECTION_SET_MAX + 2), at = 0;

	REQUIRE(connection_set_leave(&set, &members[i]) == joined[i]);
	if (!joined[i])
		return;
	joined[i] = false;
	while (order[at] != i)
		at++;
	order_cnt--;
	memmove(&order[at], &order[at + 1], (order_cnt - at) * sizeof(order[0]));
}

static const struct connection_member *model_choice(enum connection_lane lane)
{
	const struct connection_member *own = NULL, *best = NULL;

	for (unsigned i = 0; set.qos && senders() > 1 && i < order_cnt; i++) {
		if (members[order[i]].may_send)
			own = &members[order[i]];
	}
	if (lane == LANE_PRIORITY && own != NULL && !own->blocked)
		return own;
	for (unsigned i = order_cnt; i-- > 0;) {
		const struct connection_member *m = &members[order[i]];

		if (m->may_send && !m->blocked && m != own &&
			(best == NULL || m->lateness < best->lateness))
			best = m;
	}
	return best;
}

static void put(enum connection_lane lane, unsigned arg)
{
	static uint8_t buf[FRAME_MAX_BYTES];
	unsigned len = FRAME_MIN_BYTES + 6 + arg * 25 % (FRAME_MAX_BYTES - FRAME_MIN_BYTES - 6);
	struct frame f = {.data = buf, .len = (uint16_t)len, .flags = arg & 1 ? FRAME_F_FLOOD : 0};
	struct lane *l = &lanes[lane];
	unsigned why;

	if (l->to == FRAMES_MAX)
		return;
	memcpy(buf + 14, &next_number, sizeof(next_number));
	why = staging_put(&st, &pool, lane, &f, senders() != 0, now_ms);
	if (why == STAGING_TAKEN)
		l->number[l->to++] = next_number++;
	else
		REQUIRE(why == STATS_DROP_OUT_STAGING_FLOOD || why == STATS_DROP_OUT_STAGING_FULL ||
			why == STATS_DROP_OUT_STAGING_POOL || why == STATS_DROP_OUT_NO_CONNECTION);
	REQUIRE(why != STATS_DROP_OUT_STAGING_FLOOD || f.flags != 0);
}

/* The next frame in the lane must be this one. */
static void given(enum connection_lane lane, const uint8_t *frame)
{
	struct lane *l = &lanes[lane];
	uint32_t number;

	memcpy(&number, frame + 14, sizeof(number));
	REQUIRE(l->from < l->to && l->number[l->from] == number);
	l->from++;
}

static void take_chunk(enum connection_lane lane, const struct staging_chunk *c)
{
	struct block_span spans[16];
	struct block_rx_result res;
	struct block_rx rx;
	size_t at = 0;

	block_rx_init(&rx, false);
	do {
		block_rx_parse(&rx, c->data + at, c->bytes - at, spans, 16, &res);
		for (unsigned i = 0; i < res.count; i++)
			given(lane, spans[i].data);
		at += res.consumed;
	} while (res.status == BLOCK_RX_AGAIN);
	REQUIRE(res.status == BLOCK_RX_MORE && at == c->bytes && rx.group_left == 0);
	staging_pop(&st, &pool, lane);
}

static void take_frames(enum connection_lane lane, const struct staging_chunk *c, unsigned arg)
{
	uint32_t at = c->taken, frames = 0;

	for (; frames <= arg % 64 && at < c->bytes; frames++) {
		given(lane, c->data + at + BLOCK_HEADER);
		at += BLOCK_HEADER + be32_get(c->data + at);
	}
	staging_take(&st, &pool, lane, at, frames);
}

static void transmit(enum connection_lane lane, unsigned arg)
{
	struct connection_member *m = connection_set_choose(&set, lane);
	struct staging_chunk *c = staging_peek(&st, lane);

	REQUIRE(m == model_choice(lane));
	REQUIRE((c == NULL) == staging_lane_is_empty(&st, lane));
	if (m == NULL || c == NULL)
		return;
	REQUIRE(m->may_send && !m->blocked && c->bytes <= STAGING_CHUNK_BYTES);
	if (st.by_frame)
		take_frames(lane, c, arg);
	else
		take_chunk(lane, c);
	connection_member_wrote(m, arg & 1);
}

/* Only from the head of a lane, and no more than it says. */
static void grow_old(unsigned arg)
{
	unsigned waited = st.frames, dropped, left[LANES] = {0};

	now_ms += arg * 10;
	dropped = senders() != 0 ? staging_expire(&st, &pool, now_ms) : 0;
	REQUIRE(waited - dropped == st.frames);
	for (enum connection_lane lane = 0; lane < LANES; lane++) {
		for (struct staging_chunk *c = st.lanes[lane].head; c != NULL; c = c->next)
			left[lane] += c->frames;
		REQUIRE(left[lane] <= lanes[lane].to - lanes[lane].from);
		lanes[lane].from = lanes[lane].to - left[lane];
	}
}

/* As often as there is something to do, and no more than the set has members and room. */
static void grow(void)
{
	unsigned steps = set.cnt + growth.under_way + set.granted + 2;
	struct connection_next next;

	while ((next = connection_growth_next(&growth, &set, now_ms)).step != CONNECTION_WAIT) {
		REQUIRE(steps-- > 0);
		if (next.step == CONNECTION_END) {
			unsigned i = (unsigned)(next.member - members);

			REQUIRE(i < CONNECTION_SET_MAX + 2 && joined[i]);
			leave(i);
			continue;
		}
		REQUIRE(set.cnt + growth.under_way <= set.granted && connection_set_admits(&set));
		REQUIRE(now_ms >= growth.attempt_ms + growth.interval_ms);
		connection_growth_dialled(&growth, now_ms);
	}
	REQUIRE(next.at_ms > now_ms);
}

static void check(void)
{
	REQUIRE(set.cnt == order_cnt && set.sender_cnt == senders());
	for (unsigned i = 0; i < order_cnt; i++)
		REQUIRE(set.members[i] == &members[order[i]]);
	REQUIRE(st.frames == lanes[0].to - lanes[0].from + lanes[1].to - lanes[1].from);
	REQUIRE(st.bytes <= HARD_BYTES + LANES * BLOCK_GROUP_HEADER * 64 &&
		pool.used <= POOL_CHUNKS);
	REQUIRE((st.frames == 0) == staging_is_empty(&st) && (pool.used == 0) == (st.frames == 0));
	REQUIRE(st.frames != 0 || st.bytes == 0);
}

static void operate(unsigned op, unsigned arg)
{
	struct connection_member *m = &members[arg % (CONNECTION_SET_MAX + 2)];

	switch (op % 8) {
	case 0:
		join(arg);
		break;
	case 1:
		leave(arg);
		break;
	case 2: /* the socket takes more, not yet all */
		m->blocked = false;
		break;
	case 3:
		transmit(op & 8 ? LANE_PRIORITY : LANE_NORMAL, arg);
		break;
	case 4:
		grow_old(arg);
		grow();
		break;
	default:
		for (unsigned i = 0; i <= op >> 4; i++)
			put(op & 8 ? LANE_PRIORITY : LANE_NORMAL, arg);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (pool.chunks == NULL)
		REQUIRE(staging_pool_init(&pool, POOL_CHUNKS * STAGING_CHUNK_BYTES) == 0);
	memset(joined, 0, sizeof(joined));
	for (enum connection_lane lane = 0; lane < LANES; lane++)
		lanes[lane].from = lanes[lane].to = 0;
	order_cnt = 0;
	now_ms = 0;
	connection_set_init(&set, data[0] >> 2, data[0] & 1);
	connection_growth_init(&growth, 100, (data[0] >> 4) * 500u, data[0] & 4, 0);
	staging_init(&st, HARD_BYTES, AGE_MS);
	if (data[0] & 2)
		staging_by_frame(&st);
	for (size_t i = 1; i + 1 < size; i += 2) {
		operate(data[i], data[i + 1]);
		check();
	}
	REQUIRE(staging_clear(&st, &pool) ==
		lanes[0].to - lanes[0].from + lanes[1].to - lanes[1].from);
	REQUIRE(pool.used == 0 && st.bytes == 0 && st.frames == 0);
	return 0;
}
