/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From "these frames go to this port" to tx_burst: too long ones out, mbufs for those who want mbufs,
 * plain bytes for all others. Shared by frames received here and frames from other workers.
 */

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "dataplane/hub_priv.h"

#define MASK_FOREACH(j, mask)         \
	for (uint64_t left_ = (mask); \
		left_ != 0 && ((j) = (unsigned)__builtin_ctzll(left_), true); left_ &= left_ - 1)

void burst_tx(struct burst *b, struct port *port, struct frame **frames, uint8_t *at, unsigned n,
	unsigned oversize, unsigned no_mbuf)
{
	struct frame edited[FRAME_BURST];

	if (unlikely(oversize + no_mbuf > 0)) {
		hub_count_copies(b->lc, port, oversize + no_mbuf);
		if (oversize > 0)
			hub_count_drop_out(b->lc, port, STATS_DROP_OUT_OVERSIZE, oversize);
		if (no_mbuf > 0)
			hub_count_drop_out(b->lc, port, STATS_DROP_OUT_NO_MBUF, no_mbuf);
	}
	if (unlikely(b->access_out != NULL) && n > 0) {
		n = burst_refuse(b, port, frames, at, n);
		n = burst_access(b, port, frames, at, n);
	}
	if (burst_has_egress(port))
		n = burst_egress(b, port, frames, at, n, edited);
	if (n > 0)
		port->ops->tx_burst(port, b->lc, frames, n);
}

/* ---- unicast ---------------------------------------------------------------------------------- */

/* Makes a frame that is consumed here fit the port; false = there is no mbuf for it. */
static inline bool fit(struct burst *b, const struct port *port, struct frame *f)
{
	if ((port->flags & PORT_F_MBUF) == 0) {
		burst_bury(b, f);
		return true;
	}
	if (f->m == NULL) {
		f->m = lcore_mbuf_copy(b->lc, f);
		if (f->m == NULL)
			return false;
		f->data = rte_pktmbuf_mtod(f->m, uint8_t *);
	}
	return true;
}

void burst_to_port(struct burst *b, struct port *port, uint64_t mask)
{
	struct frame *vec[FRAME_BURST];
	uint8_t at[FRAME_BURST];
	unsigned n = 0, oversize = 0, no_mbuf = 0, j;
	uint32_t max_len;

	if (b->untagged != 0 && !port_is_in_vlan(port, b->tag))
		burst_settle(b, mask);
	/* A tag that is neither in their bytes nor put there. */
	max_len = (b->untagged & mask) != 0 ? port->max_len : port_max_len(port);
	/* The usual case between two devices or two sessions: the whole burst as it stands. */
	if (mask == burst_all(b) && b->max_len <= max_len && b->access_out == NULL &&
		((port->flags & PORT_F_MBUF) != 0 ? !b->borrowed : !b->backed) &&
		(!burst_has_egress(port) || burst_passes(b, port))) {
		port->ops->tx_burst(port, b->lc, b->frame, b->n);
		return;
	}
	MASK_FOREACH(j, mask)
	{
		struct frame *f = b->frame[j];

		if (unlikely(f->len > max_len)) {
			burst_bury(b, f);
			oversize++;
		} else if (unlikely(!fit(b, port, f))) {
			no_mbuf++;
		} else {
			at[n] = (uint8_t)j;
			vec[n++] = f;
		}
	}
	burst_tx(b, port, vec, at, n, oversize, no_mbuf);
}

/* ---- floods ----------------------------------------------------------------------------------- */

/*
 * A flooded frame as ports without PORT_F_MBUF see it is the frame itself, its reference moved to
 * hold[j]; `backed` is what devices see. Both are shared by all receivers.
 */
struct flood_view {
	uint64_t mask;
	struct rte_mbuf **hold;
	struct frame backed[FRAME_BURST];
};

static void flood_member(struct burst *b, struct flood_view *v, struct port *port, uint64_t unicast)
{
	const uint32_t max_len = port_max_len(port);
	struct frame *vec[FRAME_BURST];
	uint8_t at[FRAME_BURST];
	unsigned n = 0, oversize = 0, no_mbuf = 0, j;
	bool device = (port->flags & PORT_F_MBUF) != 0;

	MASK_FOREACH(j, v->mask | unicast)
	{
		struct frame *f = b->frame[j];
		bool flooded = v->mask >> j & 1;

		if (unlikely(f->len > max_len)) {
			/* Of a flooded frame m is NULL by now: nothing is buried. */
			burst_bury(b, f);
			oversize++;
			continue;
		}
		if (!flooded) {
			if (unlikely(!fit(b, port, f))) {
				no_mbuf++;
				continue;
			}
		} else if (device) {
			if (unlikely(v->hold[j] == NULL)) {
				no_mbuf++;
				continue;
			}
			rte_mbuf_refcnt_update(v->hold[j], 1);
			f = &v->backed[j];
		}
		at[n] = (uint8_t)j;
		vec[n++] = f;
	}
	burst_tx(b, port, vec, at, n, oversize, no_mbuf);
}

/*
 * More of this hub's floods wait for its sessions on this worker than its share of the quota allows (hub.md 3,
 * below step 24). Devices get theirs all the same: nothing waits for them here.
 */
static bool is_over_quota(const struct burst *b, const struct port *port)
{
	return unlikely(b->local->flood_waiting > b->options->flood_share) &&
		(port->flags & PORT_F_FLOOD_QUOTA) != 0;
}

/* A session that was silent for longer than the hub's option allows gets no floods (hub.md 3 step 23). */
static bool is_dormant(const struct burst *b, const struct port *port)
{
	uint32_t limit_s = b->options->options.dormant_s;

	return unlikely(limit_s != 0) && (port->flags & PORT_F_FLOOD_QUOTA) != 0 &&
		b->lc->now_s - port->last_in_s > limit_s;
}

/* Only what is for this port alone. */
static void flood_withheld(struct burst *b, struct flood_view *v, struct port *port,
	uint64_t unicast, enum stats_drop_out reason)
{
	uint64_t flood = v->mask;
	unsigned n = (unsigned)__builtin_popcountll(flood);

	hub_count_copies(b->lc, port, n);
	hub_count_drop_out(b->lc, port, reason, n);
	if (unicast == 0) {
		/* What waits there too long goes, or one who does not read would keep floods from all. */
		if (reason == STATS_DROP_OUT_FLOOD_QUOTA)
			port->ops->tx_burst(port, b->lc, NULL, 0);
		return;
	}
	v->mask = 0;
	flood_member(b, v, port, unicast);
	v->mask = flood;
}

void burst_flood(struct burst *b, uint64_t flood, struct burst_groups *groups, uint32_t skip_idx,
	struct rte_mbuf **hold)
{
	struct flood_view v;
	struct port *port;
	unsigned j;

	v.mask = flood;
	v.hold = hold;
	MASK_FOREACH(j, flood)
	{
		struct frame *f = b->frame[j];

		hold[j] = f->m;
		f->m = NULL;
		f->flags |= FRAME_F_FLOOD;
		if (b->local->devices == 0)
			continue;
		if (hold[j] == NULL)
			hold[j] = lcore_mbuf_copy(b->lc, f);
		if (hold[j] != NULL)
			v.backed[j] = (struct frame){
				.data = rte_pktmbuf_mtod(hold[j], uint8_t *),
				.m = hold[j],
				.len = f->len,
				.flags = f->flags,
			};
	}
	for (port = TAILQ_FIRST(&b->local->members); port != NULL; port = b->local->walk_next) {
		struct burst_group *g = NULL;
		uint64_t unicast = 0;

		b->local->walk_next = TAILQ_NEXT(port, member);
		if (port->idx == skip_idx)
			continue;
		if (groups != NULL && groups->n > 0)
			g = burst_group_find(groups, port->idx << PORT_GEN_BITS | port->gen);
		if (g != NULL) {
			unicast = g->mask;
			g->mask = 0;
		}
		if (is_dormant(b, port))
			flood_withheld(b, &v, port, unicast, STATS_DROP_OUT_DORMANT);
		else if (is_over_quota(b, port))
			flood_withheld(b, &v, port, unicast, STATS_DROP_OUT_FLOOD_QUOTA);
		else
			flood_member(b, &v, port, unicast);
	}
	b->local->walk_next = NULL;
}

void burst_end(struct burst *b)
{
	if (b->dead_cnt > 0)
		rte_pktmbuf_free_bulk(b->dead, b->dead_cnt);
}
