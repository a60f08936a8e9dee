/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of a hub that another worker received, on the worker that may transmit them. */

#include <rte_mbuf.h>

#include "dataplane/hub_priv.h"

void burst_from_relay(struct burst *b, struct lcore *lc, struct hub *hub, struct frame *frames,
	struct rte_mbuf **m, unsigned n)
{
	burst_begin(b, lc, hub);
	b->n = n;
	b->max_len = 0;
	b->backed = true;
	b->borrowed = false;
	for (unsigned i = 0; i < n; i++) {
		frames[i] = (struct frame){
			.data = rte_pktmbuf_mtod(m[i], uint8_t *),
			.m = m[i],
			.len = m[i]->data_len,
			.source = m[i]->port,
		};
		b->judged |= (uint64_t)(m[i]->hash.usr & HUB_MBUF_JUDGED) << i;
		b->frame[i] = &frames[i];
		if (frames[i].len > b->max_len)
			b->max_len = frames[i].len;
	}
}

void hub_relay_unicast(struct lcore *lc, struct hub *hub, uint32_t idx, uint16_t gen,
	struct rte_mbuf **m, unsigned n)
{
	struct frame frames[FRAME_BURST];
	struct port *port = port_get(idx, gen);
	struct burst b;

	if (port == NULL || port->hub != hub || port->tx_lcore[lc->index] != lc->index) {
		hub_count_lost(lc, hub, STATS_DROP_OUT_PORT_GONE, n);
		rte_pktmbuf_free_bulk(m, n);
		return;
	}
	burst_from_relay(&b, lc, hub, frames, m, n);
	burst_to_port(&b, port, burst_all(&b));
	burst_end(&b);
}

void hub_relay_flood(
	struct lcore *lc, struct hub *hub, uint32_t source_idx, struct rte_mbuf **m, unsigned n)
{
	struct frame frames[FRAME_BURST];
	struct rte_mbuf *hold[FRAME_BURST];
	struct burst b;

	burst_from_relay(&b, lc, hub, frames, m, n);
	for (unsigned i = 0; i < n; i++)
		frames[i].source = source_idx;
	burst_flooded(&b, burst_all(&b), source_idx);
	burst_flood(&b, burst_all(&b), NULL, source_idx, hold);
	rte_pktmbuf_free_bulk(hold, n);
}
