/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens to frames that a port received: a pipeline over the whole burst (reference/hub.md 3).
 *
 *   admit     sanity, trimming, keys of both addresses (hub_admit.c)          steps 1, 4, 7, 10
 *   headers   packets whose headers are cut off (hub_filter.c)               step 5
 *   filter    tags and tests of the port's policy and the hub (hub_filter.c) steps 2, 3, 5, 11 to 13
 *   access    the access list, if there is one (hub_access.c)                steps 14, 15
 *   lookup    all keys in one bulk call
 *   learn     only sources that are unknown, elsewhere, or not fresh any more steps 16, 17
 *   classify  own port: drop; known port: its group; else: flood             step 18
 *   ip        addresses: learn, and judge if the policy says so (hub_ip.c)    step 19
 *   flood     storms, loops (hub_flood.c)                                     step 20
 *   log       records of what the packet log asks for (hub_log.c)             step 22, 23
 *   mirror    copies for monitors (hub_mirror.c)                              step 21
 *   dispatch  one tx_burst for each port on this worker, a relay for others  steps 22 to 24
 *   account   once, on port, hub and lcore
 *
 * Between two frames of one source to one receiver order is kept, also when a flood stands between
 * unicast frames: a receiver's frames are merged in order of arrival into one burst.
 *
 * What no rule asks for costs a test per burst.
 */

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "dataplane/hub_input_priv.h"

#define MAC_EXCLUSIVE_S 13u /* reference/hub.md 2 */

/* ---- survey ----------------------------------------------------------------------------------- */

/*
 * Settles the usual burst between two ports at one instruction or two per frame: every source fresh,
 * one destination for all. What it says is only ever "look closer".
 */
struct survey {
	bool fresh;    /* no source has to be learned */
	bool together; /* all destinations are on one port, or all unknown */
};

/* Source and destination of one frame side by side, as they stand in values[]. */
typedef uint64_t pair __attribute__((vector_size(16), may_alias));

static struct survey survey(const struct input *in)
{
	const pair *v = (const pair *)in->values;
	uint64_t fresh = (uint64_t)in->b.lc->now_s << 32 |
		(uint64_t)in->port->idx << PORT_GEN_BITS | in->port->gen;
	pair want = {fresh, in->values[1]}, odd = {0, 0};

	/* Minus as in fdb_is_fresh(). */
	for (unsigned j = 0; j < in->b.n; j++)
		odd |= want - v[j];
	return (struct survey){
		.fresh = odd[0] == 0 ||
			(odd[0] & ~fdb_late_bits(fdb_quantum_s(in->b.hub->fdb))) == 0,
		/* Index and generation only: each entry was refreshed in a second of its own. */
		.together = (uint32_t)odd[1] == 0,
	};
}

/* ---- learn ------------------------------------------------------------------------------------ */

/* Somebody else's MAC, used by him less than 13 s ago (hub.md 4), or perhaps less than that. */
static bool conflicts(const struct port *port, uint64_t seen, uint32_t now_s, uint32_t quantum_s)
{
	/* A sum, not a difference: the other worker's clock may be ahead of ours by a turn. */
	return seen != 0 && fdb_value_port(seen) != port->idx &&
		fdb_value_updated_s(seen) + quantum_s - 1 + MAC_EXCLUSIVE_S > now_s;
}

static bool checks_mac(const struct burst *b, const struct port *port)
{
	return (port->flags & PORT_F_CHECK_MAC) != 0 ||
		((port->flags & PORT_F_CHECK_LAN) != 0 &&
			!b->options->options.disable_check_mac_on_local_bridge);
}

/* The hub's own address, from which and to which nothing passes (hub.md 3 steps 16, 22). */
static bool is_probe(const struct hub *hub, uint64_t key)
{
	return (key & FDB_MAC_MASK) == hub->probe_mac;
}

static void refuse(struct input *in, unsigned j, enum stats_drop_in reason)
{
	notice_violation(in->b.lc, in->port, reason, burst_class(&in->b, j), in->keys[2 * j]);
	input_drop(in, in->b.frame[j], reason);
}

/* The port's terms, with what is left of its part of this worker's tries in this hub and millisecond. */
static struct fdb_terms terms_of(struct input *in)
{
	return (struct fdb_terms){
		.limit = in->port->max_macs,
		.tries = ration_get(&in->b.local->tries, in->port->idx, in->b.lc->now_ms),
	};
}

/*
 * No more new addresses of this port are tried in this millisecond. One that may have only so many is asked for each:
 * what is over its limit is refused, and does not pass unlearned.
 */
static bool tries_spent(const struct input *in, const struct fdb_terms *terms)
{
	return terms->tries == 0 && terms->limit == 0 &&
		fdb_is_large(in->b.hub->fdb, in->port->idx);
}

/* Returns the mask of frames that learning refused. */
static uint64_t learn(struct input *in)
{
	struct burst *b = &in->b;
	struct port *port = in->port;
	uint32_t now_s = b->lc->now_s, quantum_s = fdb_quantum_s(b->hub->fdb);
	struct fdb_terms terms = terms_of(in);
	uint32_t tries = terms.tries;
	bool spent = tries_spent(in, &terms), press = false;
	uint64_t refused = 0, last = 0;
	unsigned rationed = 0;

	for (unsigned j = 0; j < b->n; j++) {
		uint64_t key = in->keys[2 * j], seen = in->values[2 * j];

		if (likely(fdb_is_fresh(seen, port->idx, port->gen, now_s, quantum_s)))
			continue;
		/* Never learned, so it always comes by here. */
		if (unlikely(is_probe(b->hub, key))) {
			input_drop(in, b->frame[j], STATS_DROP_IN_PROBE_MAC);
			refused |= UINT64_C(1) << j;
			continue;
		}
		/* Goes on unlearned, and nothing is looked up for its sake. */
		if (seen == 0 && spent) {
			rationed++;
			continue;
		}
		if (checks_mac(&in->b, port) && conflicts(port, seen, now_s, quantum_s)) {
			refuse(in, j, STATS_DROP_IN_MAC_CONFLICT);
			refused |= UINT64_C(1) << j;
			continue;
		}
		/* A new station's first burst is often all its own. */
		if (key == last)
			continue;
		last = key;
		if ((uint32_t)seen == ((uint32_t)port->idx << PORT_GEN_BITS | port->gen))
			in->again |= UINT64_C(1) << j;
		else
			in->stale |= UINT64_C(1) << j;
		switch (fdb_learn_on_terms(
			b->hub->fdb, key, seen, port->idx, port->gen, now_s, &terms)) {
		case FDB_OVER_LIMIT:
			refuse(in, j, STATS_DROP_IN_MAC_LIMIT);
			refused |= UINT64_C(1) << j;
			last = 0;
			break;
		case FDB_FULL:
			press = true;
			spent = tries_spent(in, &terms);
			break;
		case FDB_LEARNED:
			press = true;
			if (unlikely(b->options->options.tells_macs))
				notice_station(b->lc, NOTICE_LEARNED, port, 0, key);
			break;
		case FDB_MOVED:
			/* Somebody roams, or there is a loop, or a thief: always told. */
			notice_station(b->lc, NOTICE_MOVED, port, fdb_value_port(seen), key);
			break;
		default:
			break;
		}
	}
	if (press)
		hub_press(b->lc, b->hub);
	ration_use(&b->local->tries, port->idx, tries - terms.tries, rationed > 0);
	if (rationed > 0)
		fdb_count_rationed(b->hub->fdb, rationed);
	return refused;
}

/* ---- classify --------------------------------------------------------------------------------- */

/* All on one known port that is not the source's own: one group. */
static bool classify_together(struct input *in, uint64_t live)
{
	uint32_t dst = (uint32_t)in->values[1];

	if (in->broadcast != 0 || dst == 0 || dst >> PORT_GEN_BITS == in->port->idx)
		return false;
	in->groups.n = 1;
	in->groups.group[0] = (struct burst_group){.mask = live, .port = dst};
	return true;
}

/* Groups what has one known destination; returns the mask of what is flooded. */
static uint64_t classify(struct input *in, uint64_t live)
{
	struct burst *b = &in->b;
	uint64_t flood = live & in->broadcast;
	uint64_t unicast = live & ~in->broadcast;
	struct burst_group *group = NULL;
	uint32_t last = 0; /* never a port: index 0 is not used */

	in->groups.n = 0;
	memset(in->groups.slot, 0, sizeof(in->groups.slot));
	for (unsigned j = 0; j < b->n; j++) {
		uint64_t bit = UINT64_C(1) << j;
		uint32_t dst;

		if ((unicast & bit) == 0)
			continue;
		dst = (uint32_t)in->values[2 * j + 1]; /* index and generation, fdb.h */
		if (dst == 0) {
			if (unlikely(is_probe(b->hub, in->keys[2 * j + 1]))) {
				input_drop(in, b->frame[j], STATS_DROP_IN_PROBE_MAC);
				in->answers |= bit;
			} else {
				flood |= bit;
			}
			continue;
		}
		if (dst != last) {
			if (dst >> PORT_GEN_BITS == in->port->idx) {
				input_drop(in, b->frame[j], STATS_DROP_IN_OWN_PORT);
				continue;
			}
			group = burst_group_get(&in->groups, dst);
			last = dst;
		}
		group->mask |= bit;
	}
	return flood;
}

/* ---- dispatch --------------------------------------------------------------------------------- */

struct remote {
	uint64_t mask;		    /* unicast frames for other workers */
	uint8_t to[FRAME_BURST];    /* which */
	uint32_t port[FRAME_BURST]; /* index and generation */
};

static void group_gone(struct burst *b, struct burst_group *g)
{
	hub_count_lost(
		b->lc, b->hub, STATS_DROP_OUT_PORT_GONE, (unsigned)__builtin_popcountll(g->mask));
	for (uint64_t left = g->mask; left != 0; left &= left - 1)
		burst_bury(b, b->frame[__builtin_ctzll(left)]);
	g->mask = 0;
}

/*
 * The port behind a group if it transmits on this worker; else the group is emptied: into `remote`, or
 * as port_gone. A port of another hub cannot stand in this hub's table; that it is checked all the same
 * keeps hubs apart even if the table were wrong.
 */
static struct port *group_port(struct burst *b, struct burst_group *g, struct remote *remote)
{
	struct port *port =
		port_get(g->port >> PORT_GEN_BITS, g->port & ((1u << PORT_GEN_BITS) - 1));
	unsigned to;

	if (unlikely(port == NULL || port->hub != b->hub)) {
		group_gone(b, g);
		return NULL;
	}
	to = port->tx_lcore[b->lc->index];
	if (to == b->lc->index)
		return port;
	for (uint64_t left = g->mask; left != 0; left &= left - 1) {
		unsigned j = (unsigned)__builtin_ctzll(left);

		remote->to[j] = (uint8_t)to;
		remote->port[j] = g->port;
	}
	remote->mask |= g->mask;
	g->mask = 0;
	return NULL;
}

/* One flooded frame to each of `workers`. Takes the reference over. */
static void relay_flood(struct input *in, uint64_t workers, unsigned j, struct rte_mbuf *m)
{
	struct burst *b = &in->b;
	struct frame *f = b->frame[j];
	unsigned cnt = (unsigned)__builtin_popcountll(workers);

	if (m == NULL)
		m = lcore_mbuf_copy(b->lc, f);
	if (unlikely(m == NULL)) {
		hub_count_lost(b->lc, b->hub, STATS_DROP_OUT_NO_MBUF, cnt);
		return;
	}
	burst_judged_put(b, j, m);
	if (cnt > 1)
		rte_mbuf_refcnt_update(m, (int16_t)(cnt - 1));
	for (; workers != 0; workers &= workers - 1)
		lcore_relay_push(b->lc, (unsigned)__builtin_ctzll(workers), m,
			RELAY_FLOOD | in->port->idx << PORT_GEN_BITS, b->hub->ref);
}

/* What leaves this worker, in order of arrival. */
static void relay(struct input *in, const struct remote *remote, uint64_t flood, uint64_t workers,
	struct rte_mbuf **hold)
{
	struct burst *b = &in->b;

	for (uint64_t left = remote->mask | flood; left != 0; left &= left - 1) {
		unsigned j = (unsigned)__builtin_ctzll(left);
		struct frame *f = b->frame[j];
		struct rte_mbuf *m;

		if ((flood >> j & 1) != 0) {
			relay_flood(in, workers, j, hold[j]);
			continue;
		}
		m = f->m != NULL ? f->m : lcore_mbuf_copy(b->lc, f);
		if (unlikely(m == NULL)) {
			hub_count_lost(b->lc, b->hub, STATS_DROP_OUT_NO_MBUF, 1);
			continue;
		}
		m->port = (uint16_t)in->port->idx; /* hub_priv.h: burst.source */
		burst_judged_put(b, j, m);
		lcore_relay_push(b->lc, remote->to[j], m, remote->port[j], b->hub->ref);
	}
}

/*
 * Nobody else gets what was flooded: its references go, and nothing is left of it. They are not b->dead's: a frame that
 * was edited has one there already.
 */
static uint64_t flood_done(uint64_t flood, struct rte_mbuf **hold)
{
	unsigned n = 0;

	for (; flood != 0; flood &= flood - 1) {
		struct rte_mbuf *m = hold[__builtin_ctzll(flood)];

		if (m != NULL)
			hold[n++] = m;
	}
	if (n > 0)
		rte_pktmbuf_free_bulk(hold, n);
	return 0;
}

static void dispatch(struct input *in, uint64_t flood)
{
	struct burst *b = &in->b;
	struct port *port[FRAME_BURST];
	struct rte_mbuf *hold[FRAME_BURST];
	struct remote remote;
	uint64_t workers = 0;

	remote.mask = 0;
	for (unsigned i = 0; i < in->groups.n; i++)
		port[i] = group_port(b, &in->groups.group[i], &remote);
	burst_settle(b, flood != 0 ? flood | remote.mask | input_grouped(in) : remote.mask);
	if (flood != 0) {
		workers = atomic_load_explicit(&b->hub->workers, memory_order_relaxed) &
			~(UINT64_C(1) << b->lc->index);
		burst_flood(b, flood, &in->groups, in->port->idx, hold);
	}
	for (unsigned i = 0; i < in->groups.n; i++) {
		if (in->groups.group[i].mask != 0)
			burst_to_port(b, port[i], in->groups.group[i].mask);
	}
	if (workers == 0)
		flood = flood_done(flood, hold);
	if ((remote.mask | flood) != 0)
		relay(in, &remote, flood, workers, hold);
}

/* ---- account ---------------------------------------------------------------------------------- */

static void account(struct input *in, unsigned switched, unsigned flooded)
{
	struct burst *b = &in->b;
	struct stats_block *level[] = {
		in->port->stats[b->lc->index], &b->local->stats, &b->lc->stats};

	for (unsigned i = 0; i < 3; i++) {
		struct stats_block *s = level[i];

		if (unlikely(s == NULL))
			continue;
		stats_traffic_add(&s->in, &in->in);
		s->switched += switched;
		s->flooded += flooded;
		if (unlikely(in->dropped > 0)) {
			for (unsigned r = 0; r < STATS_DROP_IN_CNT; r++)
				s->drop_in[r] += in->drop[r];
		}
	}
}

static void drop_all(struct input *in, enum stats_drop_in reason)
{
	for (unsigned j = 0; j < in->b.n; j++)
		input_drop(in, in->b.frame[j], reason);
	in->b.n = 0;
}

/* Between sanity and lookup: what rules say about frames that come in. Not for those that were parked. */
static void inspect(struct input *in)
{
	const struct access_set *set = hub_access(in->b.hub);

	if (unlikely(in->resumed)) {
		input_again(in);
		return;
	}
	if (unlikely(in->cut != 0))
		input_headers(in);
	if (unlikely(input_has_filter(in)) && in->b.n > 0)
		input_filter(in);
	if (unlikely(set != NULL) && in->b.n > 0) {
		/* The list goes by the bytes, and may park the frame. */
		burst_settle(&in->b, burst_all(&in->b));
		input_access(in, set);
	}
}

static void run(struct lcore *lc, struct port *port, struct frame *frames, unsigned n, bool resumed)
{
	struct input in;
	struct burst *b = &in.b;
	struct survey seen;
	uint64_t live, flood;
	unsigned entered, flooded;

	b->lc = lc;
	b->hub = port->hub;
	b->local = &port->hub->local[lc->index];
	b->options = hub_rules(b->hub);
	b->source = port;
	b->rules = port->rules;
	b->classified = 0;
	b->usual = 0;
	b->bytes = 0;
	b->keyed = 0;
	b->judged = 0;
	b->access_out = NULL;
	b->any = 0;
	b->untagged = 0;
	b->dead_cnt = 0;
	in.port = port;
	in.resumed = resumed;
	in.groups.n = 0; /* mirrors look at it even if nothing is left to classify */
	in.stale = 0;
	in.again = 0;
	in.answers = 0;
	in.unlogged = 0;
	in.dropped = 0;
	in.parked = 0;
	memset(in.drop, 0, sizeof(in.drop));
	memset(&in.in, 0, sizeof(in.in));

	if (unlikely(b->options->options.dormant_s != 0) && lc->index == port->home)
		port->last_in_s = lc->now_s;
	input_admit(&in, frames, n);
	if (unlikely((port->flags & PORT_F_RECEIVE_ONLY) != 0))
		drop_all(&in, STATS_DROP_IN_RECEIVE_ONLY);
	else if (unlikely(!hub_online(b->hub)))
		drop_all(&in, STATS_DROP_IN_HUB_DOWN);
	else if (unlikely(port_is_blocked(port, lc)))
		drop_all(&in, STATS_DROP_IN_LOOP);
	if (in.broadcast != 0 && b->n > 0)
		input_bpdu(&in);
	if (b->n > 0)
		inspect(&in);
	flood = 0;
	if (likely(b->n > 0)) {
		fdb_lookup_bulk(b->hub->fdb, in.keys, 2 * b->n, in.values);
		seen = survey(&in);
		live = burst_all(b);
		if (unlikely(!seen.fresh))
			live &= ~learn(&in);
		if (!seen.together || !classify_together(&in, live))
			flood = classify(&in, live);
		if (unlikely(input_has_ip(&in)))
			flood &= ~input_ip(&in, flood | input_grouped(&in));
		if (unlikely(flood != 0)) {
			burst_settle(b, flood);
			flood &= ~input_storm(&in, flood);
			if (b->options->options.loop_guard != HUB_LOOP_OFF)
				input_loop(&in, flood);
		}
		if (unlikely(b->options->logs)) {
			burst_settle(b, burst_all(b));
			flood &= ~input_log(&in, flood);
		}
	}
	entered = n - in.dropped - in.parked;
	flooded = (unsigned)__builtin_popcountll(flood);
	/* Before dispatch: a tx_burst that looks at the counters finds the frames it is given. */
	account(&in, entered - flooded, flooded);
	if (unlikely(hub_has_mirrors(b->hub)))
		input_mirror(&in, flood);
	if (entered > 0)
		dispatch(&in, flood);
	burst_end(b);
}

void hub_input(struct lcore *lc, struct port *port, struct frame *frames, unsigned n)
{
	run(lc, port, frames, n, false);
}

void hub_input_again(struct lcore *lc, struct port *port, struct frame *frames, unsigned n)
{
	run(lc, port, frames, n, true);
}
