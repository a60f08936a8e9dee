/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies for mirrors: sessions in monitoring mode, and bridges that only watch (reference/hub.md 8).
 *
 * A mirror is fed behind all tests of the sender's side and before those of the receiver's (hub.md 3 step
 * 21). It must cost nobody anything: what it does not take is dropped at its own queue, and its share of
 * a ring between two workers ends where the ring is half full, so that the hub's own frames find room.
 */

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/hub_input_priv.h"

/* As this mirror wants it, in *view; false: there is no mbuf for it. The frame itself is not touched. */
static bool mirror_view(
	struct burst *b, const struct port *port, const struct frame *f, struct frame *view)
{
	*view = (struct frame){.data = f->data, .len = f->len};
	if ((port->flags & PORT_F_MBUF) == 0)
		return true;
	if (f->m != NULL) {
		rte_mbuf_refcnt_update(f->m, 1);
		view->m = f->m;
		return true;
	}
	view->m = lcore_mbuf_copy(b->lc, f);
	if (view->m == NULL)
		return false;
	view->data = rte_pktmbuf_mtod(view->m, uint8_t *);
	return true;
}

static void mirror_feed(struct burst *b, struct port *port, uint64_t mask)
{
	const uint32_t max_len = port_max_len(port);
	struct frame view[FRAME_BURST], *vec[FRAME_BURST];
	uint8_t at[FRAME_BURST];
	unsigned n = 0, oversize = 0, no_mbuf = 0;

	for (; mask != 0; mask &= mask - 1) {
		unsigned j = (unsigned)__builtin_ctzll(mask);
		const struct frame *f = b->frame[j];

		if (unlikely(f->len > max_len)) {
			oversize++;
		} else if (unlikely(!mirror_view(b, port, f, &view[n]))) {
			no_mbuf++;
		} else {
			at[n] = (uint8_t)j;
			vec[n] = &view[n];
			n++;
		}
	}
	burst_tx(b, port, vec, at, n, oversize, no_mbuf);
}

void burst_mirror(struct burst *b, uint64_t mask)
{
	struct port *port;

	for (port = TAILQ_FIRST(&b->local->mirrors); port != NULL; port = b->local->walk_next) {
		b->local->walk_next = TAILQ_NEXT(port, member);
		mirror_feed(b, port, mask);
	}
	b->local->walk_next = NULL;
}

/* Less than half of the ring to that worker is taken. */
static bool has_room(const struct lcore *lc, unsigned to)
{
	const struct rte_ring *ring = lc->out[to].ring;

	return rte_ring_count(ring) + lc->out[to].n < rte_ring_get_capacity(ring) / 2;
}

static void mirror_relay(struct input *in, uint64_t mask, uint64_t workers)
{
	struct burst *b = &in->b;
	unsigned cnt = (unsigned)__builtin_popcountll(workers);

	for (; mask != 0; mask &= mask - 1) {
		unsigned j = (unsigned)__builtin_ctzll(mask);
		const struct frame *f = b->frame[j];
		struct rte_mbuf *m = f->m;

		if (m == NULL)
			m = lcore_mbuf_copy(b->lc, f);
		else
			rte_mbuf_refcnt_update(m, 1);
		if (unlikely(m == NULL)) {
			hub_count_lost(b->lc, b->hub, STATS_DROP_OUT_NO_MBUF, cnt);
			continue;
		}
		m->port = (uint16_t)in->port->idx;
		burst_judged_put(b, j, m);
		if (cnt > 1)
			rte_mbuf_refcnt_update(m, (int16_t)(cnt - 1));
		for (uint64_t left = workers; left != 0; left &= left - 1)
			lcore_relay_push(b->lc, (unsigned)__builtin_ctzll(left), m, RELAY_MIRROR,
				b->hub->ref);
	}
}

void input_mirror(struct input *in, uint64_t flood)
{
	struct burst *b = &in->b;
	uint64_t self = UINT64_C(1) << b->lc->index, open = 0;
	uint64_t mask = flood | input_grouped(in) | in->unlogged;
	uint64_t workers = atomic_load_explicit(&b->hub->mirror_workers, memory_order_relaxed);

	if (mask == 0)
		return;
	burst_settle(b, mask);
	if ((workers & self) != 0)
		burst_mirror(b, mask);
	for (workers &= ~self; workers != 0; workers &= workers - 1) {
		unsigned to = (unsigned)__builtin_ctzll(workers);

		if (likely(has_room(b->lc, to)))
			open |= UINT64_C(1) << to;
		else
			hub_count_lost(b->lc, b->hub, STATS_DROP_OUT_RING_FULL,
				(unsigned)__builtin_popcountll(mask));
	}
	if (open != 0)
		mirror_relay(in, mask, open);
}

void hub_relay_mirror(struct lcore *lc, struct hub *hub, struct rte_mbuf **m, unsigned n)
{
	struct frame frames[FRAME_BURST];
	struct burst b;

	burst_from_relay(&b, lc, hub, frames, m, n);
	if (TAILQ_EMPTY(&b.local->mirrors))
		hub_count_lost(lc, hub, STATS_DROP_OUT_PORT_GONE, n);
	else
		burst_mirror(&b, burst_all(&b));
	rte_pktmbuf_free_bulk(m, n);
}
