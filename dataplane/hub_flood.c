/* SPDX-License-Identifier: BSD-3-Clause */
/* What is tested about frames that are about to be flooded: storms and loops (reference/hub.md 7). */

#include <rte_branch_prediction.h>

#include "dataplane/hub_input_priv.h"
#include "dataplane/storm.h"

/* The addresses that make a storm's key: ARP's destination is nobody's. */
static bool passes(
	struct input *in, struct storm *storm, const struct storm_limit *limit, unsigned j)
{
	static const uint8_t none[16];
	const struct frame_class *c = burst_class(&in->b, j);

	return storm_pass(storm, limit, in->keys[2 * j] & FDB_MAC_MASK, c->src,
		(c->classes & FRAME_ARP) != 0 ? none : c->dst, in->b.lc->now_ms);
}

/* This worker's: where several receive for a port, one key's frames may come to each of them. */
static struct storm_limit storm_share(const struct input *in)
{
	struct storm_limit limit = in->b.options->storm;

	limit.threshold /= in->b.rules->parts;
	limit.threshold += limit.threshold == 0;
	return limit;
}

uint64_t input_storm(struct input *in, uint64_t flood)
{
	struct storm_limit limit;
	struct storm *storm;
	uint64_t dropped = 0;

	if (in->b.rules == NULL || (in->b.rules->policy.flags & POLICY_F_STORM) == 0)
		return 0;
	limit = storm_share(in);
	storm = &port_part(in->port, in->b.lc)->storm;
	for (; flood != 0; flood &= flood - 1) {
		unsigned j = (unsigned)__builtin_ctzll(flood);

		if (passes(in, storm, &limit, j))
			continue;
		notice_violation(in->b.lc, in->port, STATS_DROP_IN_STORM, burst_class(&in->b, j),
			in->keys[2 * j]);
		input_drop(in, in->b.frame[j], STATS_DROP_IN_STORM);
		dropped |= UINT64_C(1) << j;
	}
	return dropped;
}

/* ---- loops ------------------------------------------------------------------------------------ */

#define LOOP_BACK_MS   50u /* a frame that comes back within this time went round */
#define LOOP_WINDOW_MS 1000u
#define LOOP_FRAMES    16u /* that many a window are a loop, fewer may be a host that moved */
#define LOOP_BYTES     64u

static uint64_t mark_of(const struct frame *f)
{
	uint64_t h = f->len, word;
	uint32_t at = 0;

	for (; at + 8 <= f->len && at < LOOP_BYTES; at += 8) {
		memcpy(&word, f->data + at, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

/* The port that sent this frame a moment ago, 0: nobody else. Remembered from now on. */
static uint32_t seen_from(struct burst *b, unsigned j, uint32_t idx)
{
	uint64_t mark = mark_of(b->frame[j]);
	struct loop_record *r = &b->local->loop.record[mark % HUB_LOOP_RECORDS];
	uint32_t now_ms = (uint32_t)b->lc->now_ms;

	if (r->mark == mark && r->port_idx != idx && now_ms - r->at_ms <= LOOP_BACK_MS)
		return r->port_idx;
	*r = (struct loop_record){.mark = mark, .port_idx = idx, .at_ms = now_ms};
	return 0;
}

static void loop_block(struct input *in, struct port *other)
{
	struct port *young = in->port;

	if (other != NULL && other->joined_ms > young->joined_ms)
		young = other;
	atomic_store_explicit(&young->blocked_until_s,
		in->b.lc->now_s + in->b.options->options.loop_block_s, memory_order_relaxed);
	notice_loop(in->b.lc, NOTICE_BLOCKED, young,
		young == in->port && other != NULL ? other->idx : in->port->idx, 0);
}

static void loop_found(struct input *in, unsigned j, uint32_t other_idx)
{
	struct loop_guard *g = &in->b.local->loop;
	uint32_t now_ms = (uint32_t)in->b.lc->now_ms;
	struct port *other;

	if (now_ms - g->since_ms >= LOOP_WINDOW_MS) {
		g->since_ms = now_ms;
		g->returned = 0;
		g->told = false;
	}
	if (++g->returned < LOOP_FRAMES || g->told)
		return;
	g->told = true;
	other = atomic_load_explicit(&port_table[other_idx].port, memory_order_acquire);
	if (other != NULL && other->hub != in->b.hub)
		other = NULL;
	notice_loop(in->b.lc, NOTICE_LOOP, in->port, other_idx, in->keys[2 * j] & FDB_MAC_MASK);
	if (in->b.options->options.loop_guard == HUB_LOOP_BLOCK)
		loop_block(in, other);
}

void input_loop(struct input *in, uint64_t flood)
{
	for (; flood != 0; flood &= flood - 1) {
		unsigned j = (unsigned)__builtin_ctzll(flood);
		uint32_t other = seen_from(&in->b, j, in->port->idx);

		if (unlikely(other != 0))
			loop_found(in, j, other);
	}
}

void burst_flooded(struct burst *b, uint64_t flood, uint32_t idx)
{
	if (b->options->options.loop_guard == HUB_LOOP_OFF)
		return;
	for (; flood != 0; flood &= flood - 1)
		seen_from(b, (unsigned)__builtin_ctzll(flood), idx);
}
