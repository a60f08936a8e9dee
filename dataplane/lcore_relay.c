/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between workers: one single-producer single-consumer ring for each ordered pair, so that no tail
 * is shared, order per sender is kept and a full ring hurts one pair only.
 *
 * An item names its hub and port by index and generation, not by pointer: it may outlive both. The
 * receiver looks them up when it takes the item out; a hub or port that is gone makes it `port_gone`.
 */

#include <errno.h>
#include <stdio.h>

#include <rte_branch_prediction.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "dataplane/hub_priv.h"
#include "dataplane/lcore_priv.h"

/* Near the one that takes out. */
static struct rte_ring *ring_make(unsigned from, unsigned to, unsigned size)
{
	const unsigned flags = RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ;
	int near = lcore_near(lcore_table[to]->socket);
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "relay_%u_%u", from, to);
	r = rte_ring_create_elem(name, sizeof(struct relay_item), size, near, flags);
	if (r != NULL || near == SOCKET_ID_ANY)
		return r;
	r = rte_ring_create_elem(name, sizeof(struct relay_item), size, SOCKET_ID_ANY, flags);
	if (r != NULL)
		lcore_went_far(near);
	return r;
}

int lcore_relay_init(unsigned ring_size)
{
	for (unsigned i = 0; i < lcore_cnt; i++) {
		struct lcore *lc = lcore_table[i];

		lc->out = lcore_zalloc("relay_out", lcore_cnt * sizeof(*lc->out), lc->socket);
		lc->in = lcore_zalloc("relay_in", lcore_cnt * sizeof(*lc->in), lc->socket);
		if (lc->out == NULL || lc->in == NULL)
			return -ENOMEM;
	}
	for (unsigned from = 0; from < lcore_cnt; from++) {
		for (unsigned to = 0; to < lcore_cnt; to++) {
			struct rte_ring *r;

			if (from == to)
				continue;
			r = ring_make(from, to, ring_size);
			if (r == NULL)
				return -ENOMEM;
			lcore_table[from]->out[to].ring = r;
			lcore_table[to]->in[from] = r;
		}
	}
	return 0;
}

void lcore_relay_fini(void)
{
	for (unsigned i = 0; i < lcore_cnt; i++) {
		struct lcore *lc = lcore_table[i];

		for (unsigned k = 0; lc->out != NULL && k < lcore_cnt; k++) {
			struct relay_out *o = &lc->out[k];
			struct relay_item item;

			for (unsigned n = 0; n < o->n; n++)
				rte_pktmbuf_free(o->item[n].m);
			while (o->ring != NULL &&
				rte_ring_dequeue_elem(o->ring, &item, sizeof(item)) == 0)
				rte_pktmbuf_free(item.m);
			rte_ring_free(o->ring);
		}
		rte_free(lc->out);
		rte_free(lc->in);
		lc->out = NULL;
		lc->in = NULL;
	}
}

/* ---- sending ---------------------------------------------------------------------------------- */

/* Freed and counted; a hub that has gone meanwhile is counted on the lcore alone. */
static void relay_lose(
	struct lcore *lc, const struct relay_item *item, unsigned n, enum stats_drop_out reason)
{
	for (unsigned i = 0; i < n; i++) {
		hub_count_lost(lc, hub_by_ref(item[i].hub), reason, 1);
		rte_pktmbuf_free(item[i].m);
	}
}

void lcore_relay_send(struct lcore *lc, unsigned to)
{
	struct relay_out *o = &lc->out[to];
	unsigned sent =
		rte_ring_sp_enqueue_burst_elem(o->ring, o->item, sizeof(o->item[0]), o->n, NULL);

	if (likely(sent > 0))
		doorbell_ring(&lcore_table[to]->bell);
	if (unlikely(sent < o->n)) {
		relay_lose(lc, o->item + sent, o->n - sent, STATS_DROP_OUT_RING_FULL);
		SEEN_ADD(lc, relays_done, o->n - sent);
	}
	o->n = 0;
	lc->relay_mask &= ~(UINT64_C(1) << to);
}

void lcore_relay_flush(struct lcore *lc)
{
	while (lc->relay_mask != 0)
		lcore_relay_send(lc, (unsigned)__builtin_ctzll(lc->relay_mask));
}

/* ---- receiving -------------------------------------------------------------------------------- */

bool lcore_relay_waiting(const struct lcore *lc)
{
	for (unsigned i = 0; i < lcore_cnt; i++) {
		if (i != lc->index && !rte_ring_empty(lc->in[i]))
			return true;
	}
	return false;
}

/* Items that follow each other to the same port, or from the same source as floods, make one burst. */
static void relay_dispatch(struct lcore *lc, const struct relay_item *item, unsigned n)
{
	struct rte_mbuf *m[LCORE_RELAY_BATCH];

	for (unsigned i = 0, run; i < n; i += run) {
		uint32_t port = item[i].port;
		struct hub *hub = hub_by_ref(item[i].hub);

		for (run = 0; i + run < n && item[i + run].port == port &&
			item[i + run].hub == item[i].hub;
			run++)
			m[run] = item[i + run].m;
		if (unlikely(hub == NULL))
			relay_lose(lc, item + i, run, STATS_DROP_OUT_PORT_GONE);
		else if ((port & RELAY_MIRROR) != 0)
			hub_relay_mirror(lc, hub, m, run);
		else if ((port & RELAY_FLOOD) != 0)
			hub_relay_flood(lc, hub, (port & ~RELAY_FLOOD) >> PORT_GEN_BITS, m, run);
		else
			hub_relay_unicast(lc, hub, port >> PORT_GEN_BITS,
				port & ((1u << PORT_GEN_BITS) - 1), m, run);
	}
}

static_assert(LCORE_RELAY_BATCH <= FRAME_BURST, "a run is one burst");

/* Returns what was taken, a batch at most. */
static unsigned ring_run(struct lcore *lc, struct rte_ring *ring)
{
	struct relay_item item[LCORE_RELAY_BATCH];
	unsigned n = rte_ring_sc_dequeue_burst_elem(
		ring, item, sizeof(item[0]), LCORE_RELAY_BATCH, NULL);

	if (n == 0)
		return 0;
	for (unsigned k = 0; k < n; k++)
		rte_prefetch0(rte_pktmbuf_mtod(item[k].m, const void *));
	relay_dispatch(lc, item, n);
	/* Behind the delivery: lcore_quiet() reads it with acquire. */
	__atomic_store_n(&lc->seen.relays_done, lc->seen.relays_done + n, __ATOMIC_RELEASE);
	return n;
}

/*
 * A batch from each ring for each socket served in this turn: both are about 64 KiB, so a worker with many
 * busy sockets of its own does not starve what others have for it. At least one; a busy sender waits for
 * its next turn, not the others for it.
 */
unsigned lcore_relay_run(struct lcore *lc, unsigned sockets)
{
	unsigned total = 0;

	for (unsigned i = 0; i < lcore_cnt; i++) {
		unsigned batches = sockets > 1 ? sockets : 1, n;

		if (i == lc->index || rte_ring_empty(lc->in[i]))
			continue;
		do {
			n = ring_run(lc, lc->in[i]);
			total += n;
		} while (n == LCORE_RELAY_BATCH && --batches > 0);
	}
	return total;
}
