/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A DPDK device as a port of its hub, on the workers: mbufs go through as they are, without a copy. What is
 * changed on the way is what has to be (architecture.md 6.10), and only in an mbuf that is nobody else's.
 */

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/hub.h"
#include "drivers/bridge/bridge_priv.h"

#define PREFETCH_DISTANCE 4u

/* Received with work left to do; requests for offloads that a sender made are not ours to keep. */
#define ODD_FLAGS (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_TX_OFFLOAD_MASK)

static bool is_private(const struct rte_mbuf *m)
{
	return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* A copy that is ours alone, of all segments; frees the other. NULL: there is no mbuf. */
static struct rte_mbuf *replace(struct lcore *lc, const struct bridge *b, struct rte_mbuf *m)
{
	const struct frame f = {.data = rte_pktmbuf_mtod(m, uint8_t *), .len = m->data_len};
	struct rte_mempool *pool = b->copies ? lcore_pool(lc) : b->pool;
	/* A jumbo frame has a pool of its own. */
	struct rte_mbuf *copy = b->copies && m->nb_segs == 1
		? lcore_mbuf_copy(lc, &f)
		: rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);

	rte_pktmbuf_free(m);
	return copy;
}

/*
 * Makes it one segment, puts a stripped VLAN tag back, completes checksums. NULL if that cannot be done: it is
 * freed, and counted as too long, which is what keeps a chain from becoming one segment, or as what it is.
 */
static struct rte_mbuf *reshape(struct lcore *lc, struct bridge *b, struct rte_mbuf *m)
{
	enum stats_drop_in reason;

	if (b->copies || !is_private(m)) {
		/* Not for want of an mbuf: there is no buffer for such a copy. */
		if (unlikely(m->pkt_len > b->port.max_len))
			goto too_long;
		m = replace(lc, b, m);
		if (unlikely(m == NULL)) {
			hub_count_drop_in(lc, &b->port, STATS_DROP_IN_NO_MBUF, 1);
			return NULL;
		}
	}
	if (m->nb_segs > 1 && (m->pkt_len > UINT16_MAX || rte_pktmbuf_linearize(m) != 0))
		goto too_long;
	if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0 && rte_vlan_insert(&m) != 0)
		goto too_long;
	m->ol_flags &= ~ODD_FLAGS;
	if (!b->repair)
		return m;
	if (unlikely(m->data_len > b->port.max_len))
		goto too_long;
	checksum_complete(rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	return m;

too_long:
	reason = b->repair && checksum_is_super(rte_pktmbuf_mtod(m, uint8_t *), m->data_len)
		? STATS_DROP_IN_SUPER
		: STATS_DROP_IN_LONG;
	hub_count_drop_in(lc, &b->port, reason, 1);
	rte_pktmbuf_free(m);
	return NULL;
}

unsigned ethdev_poll(struct lcore *lc, struct lcore_poll *p)
{
	const struct bridge_rx *rx = container_of(p, struct bridge_rx, poll);
	struct bridge *b = rx->bridge;
	struct rte_mbuf *mbufs[FRAME_BURST];
	struct frame frames[FRAME_BURST];
	unsigned n = rte_eth_rx_burst(b->device_id, rx->queue, mbufs, FRAME_BURST);
	const bool each = b->repair || b->lent;
	unsigned k = 0;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];

		if (i + PREFETCH_DISTANCE < n)
			rte_prefetch0(mbufs[i + PREFETCH_DISTANCE]);
		if (unlikely(m->nb_segs > 1 || (m->ol_flags & ODD_FLAGS) != 0 || each)) {
			m = reshape(lc, b, m);
			if (m == NULL)
				continue;
		}
		/* hub_input() reads the first line of each when it has got them all. */
		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		frames[k++] = (struct frame){
			.data = rte_pktmbuf_mtod(m, uint8_t *), .m = m, .len = m->data_len};
	}
	if (k > 0)
		hub_input(lc, &b->port, frames, k);
	return n;
}

/* ---- out ------------------------------------------------------------------------------------- */

/* The frame with zeros up to 60 bytes. Takes the reference; NULL: no mbuf, the reference is gone. */
static struct rte_mbuf *pad(struct lcore *lc, const struct frame *f)
{
	struct rte_mbuf *m = f->m;
	uint16_t missing = (uint16_t)(BRIDGE_FRAME_MIN - f->len);
	char *tail;

	if (!is_private(m) || rte_pktmbuf_tailroom(m) < missing) {
		m = lcore_mbuf_copy(lc, f);
		rte_pktmbuf_free(f->m);
		if (m == NULL)
			return NULL;
	}
	tail = rte_pktmbuf_append(m, missing);
	memset(tail, 0, missing);
	return m;
}

static struct stats_traffic count(const uint16_t *lens, uint64_t broadcast, unsigned n)
{
	struct stats_traffic t = {0};

	for (unsigned i = 0; i < n; i++) {
		uint64_t group = broadcast >> i & 1;

		t.broadcast_frames += group;
		t.broadcast_bytes += lens[i] & -group;
		t.unicast_bytes += lens[i] & (group - 1);
	}
	t.unicast_frames = n - t.broadcast_frames;
	return t;
}

static void ethdev_tx_burst(
	struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	struct bridge *b = container_of(port, struct bridge, port);
	struct rte_mbuf *mbufs[FRAME_BURST];
	uint16_t lens[FRAME_BURST];
	uint64_t broadcast = 0, bytes = 0;
	struct stats_traffic sent;
	unsigned k = 0, taken = 0;

	/* Before it goes: what is sent may be free, and somebody else's, when the call returns. */
	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = frames[i];
		struct rte_mbuf *m = f->m;

		if (unlikely(f->len < BRIDGE_FRAME_MIN)) {
			m = pad(lc, f);
			if (m == NULL)
				continue;
		}
		broadcast |= (uint64_t)frame_is_broadcast(f) << k;
		bytes += f->len;
		lens[k] = f->len;
		mbufs[k++] = m;
	}
	if (likely(k > 0))
		taken = rte_eth_tx_burst(
			b->device_id, b->local[lcore_index(lc)].tx_queue, mbufs, (uint16_t)k);
	if (likely(taken == k && broadcast == 0))
		sent = (struct stats_traffic){.unicast_frames = k, .unicast_bytes = bytes};
	else
		sent = count(lens, broadcast, taken);
	hub_count_copies(lc, port, n);
	hub_count_sent(lc, port, &sent);
	if (unlikely(k < n))
		hub_count_drop_out(lc, port, STATS_DROP_OUT_NO_MBUF, n - k);
	if (unlikely(taken < k)) {
		rte_pktmbuf_free_bulk(mbufs + taken, k - taken);
		hub_count_drop_out(lc, port, STATS_DROP_OUT_DEVICE, k - taken);
	}
}

const struct port_ops ethdev_port_ops = {
	.kind = "bridge",
	.tx_burst = ethdev_tx_burst,
};
