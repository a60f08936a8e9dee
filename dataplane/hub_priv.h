/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_HUB_PRIV_H
#define PATCHBAY_DATAPLANE_HUB_PRIV_H

/*
 * What hub.c, hub_input.c, hub_deliver.c, hub_relay.c, the port table and the rings between workers know
 * of a hub, and nobody else.
 */

#include <assert.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "dataplane/access_priv.h"
#include "dataplane/frame_class.h"
#include "dataplane/grace.h"
#include "dataplane/hub.h"
#include "dataplane/hub_options.h"
#include "dataplane/lcore_priv.h"
#include "dataplane/port_rules_priv.h"
#include "dataplane/ration.h"

#define HUB_MAX 65536u /* hub table slots: index and generation fit one word of a relay */

struct iptable;
struct probe_batch;

TAILQ_HEAD(port_list, port);

#define HUB_LOOP_RECORDS 64u

/* A frame that was flooded a moment ago, and whose it was. */
struct loop_record {
	uint64_t mark; /* fingerprint of the frame, its source MAC included */
	uint32_t port_idx;
	uint32_t at_ms;
};

/* The loop guard (hub_flood.c). Every worker sees every flood of the hub, so each has its own. */
struct loop_guard {
	struct loop_record record[HUB_LOOP_RECORDS];
	uint32_t since_ms; /* of this count */
	uint32_t returned; /* frames that came back */
	bool told;
};

/* One worker's part of a hub: written by that worker alone. */
struct hub_local {
	struct stats_block stats;
	struct port_list members; /* flood targets: home is this worker */
	struct port_list mirrors; /* PORT_F_MIRROR: no floods (hub.md 8) */
	struct port *walk_next;	  /* where a flood under way goes on; moved by hub_port_leave() */
	unsigned devices;	  /* members with PORT_F_MBUF */
	uint64_t flood_waiting;	  /* bytes of floods in the queues of this worker's ports */
	struct loop_guard loop;
	struct ration tries;	 /* of large ports, for a place in a full MAC table (hub_input.c) */
	uint64_t redirects_ms;	 /* hub_redirect.c: in this millisecond ... */
	uint32_t redirects;	 /* ... so many requests may still be answered */
	_Atomic uint32_t joined; /* members and mirrors; worker writes, control reads */
	_Atomic uint64_t
		unlogged; /* packet records that found no room; worker writes, control reads */
} __attribute__((aligned(64)));

/* Indices of ports that have left, until the MAC table is swept of them. Control thread (port.c). */
struct port_quarantine {
	uint32_t first, last; /* chain in order of release; 0 = empty */
	uint32_t fresh;	      /* from here on: released since port_table_swept() looked */
};

struct hub {
	/* Read for every burst; changes with the first join and the last leave on a worker. */
	struct fdb *fdb;
	uint32_t ref;	    /* index | generation << 16: how relays name this hub */
	uint64_t probe_mac; /* hub_conf */
	_Atomic bool online;
	_Atomic uint64_t workers;	     /* bit per worker that has members (not mirrors) */
	_Atomic uint64_t mirror_workers;     /* the same for mirrors */
	_Atomic(struct hub_rules *) rules;   /* never NULL; control thread publishes */
	_Atomic(struct access_set *) access; /* NULL: no list; control thread publishes */
	struct iptable *ips;
	_Atomic uint32_t dhcp_asked_s; /* when some client last asked a DHCP server; any worker */
	/* Control thread. */
	struct access_hits *access_hits; /* made with the first list */
	struct port_quarantine quarantine __attribute__((aligned(64)));
	struct probe_batch *probes[LCORE_MAX]; /* by worker; made when first needed */
	uint64_t probe_cursor;		       /* in the IP table; UINT64_MAX: between two rounds */
	uint64_t probe_due_ms;
	struct grace_node grace;
	void (*done)(void *arg);
	void *done_arg;
	unsigned locals;
	struct hub_local local[];
};

/* Options as the data path uses them: one immutable object, replaced as a whole (hub_options.c). */
struct hub_rules {
	struct hub_options options;
	uint64_t in_classes; /* FRAME_*: no frame of these enters the hub */
	uint16_t mss;	     /* 0: no clamp */
	bool looks_in;	     /* some option looks at every frame that comes in */
	bool no_ips;	     /* there is no IP table */
	struct storm_limit storm;
	uint64_t flood_share; /* of the flood quota: one worker's; UINT64_MAX: none */
	bool logs;	      /* the packet log takes some frames */
	bool log_plain;	      /* and IPv4 among them without a second look */
	uint8_t log_how[256]; /* by kinds of a frame (packet_log.h) */
	struct grace_node grace;
};

/* Good until the turn ends. Worker, online; or the control thread. */
static inline const struct hub_rules *hub_rules(const struct hub *hub)
{
	/* Pairs with the release in hub_set_options(). */
	return atomic_load_explicit(&hub->rules, memory_order_acquire);
}

/* The access list. As hub_rules(). */
static inline const struct access_set *hub_access(const struct hub *hub)
{
	/* Pairs with the release in hub_set_access(). */
	return atomic_load_explicit(&hub->access, memory_order_acquire);
}

static inline const struct access_set *hub_access_out(const struct hub *hub)
{
	const struct access_set *set = hub_access(hub);

	return set != NULL && set->split != ACCESS_ORDER_END ? set : NULL;
}

static inline bool hub_has_mirrors(const struct hub *hub)
{
	return atomic_load_explicit(&hub->mirror_workers, memory_order_relaxed) != 0;
}

/*
 * The hub a relay names, or NULL if it is gone. Worker, online: the pointer is good until the turn ends,
 * because hub_destroy() takes it out of the table before its grace period.
 */
struct hub *hub_by_ref(uint32_t ref);

/* The MAC table has refused a new address for want of room: its sweeper should not wait. Worker. */
void hub_press(struct lcore *lc, struct hub *hub);

struct port_quarantine *hub_quarantine(const struct hub *hub);

/* A hand-over that failed: one copy and one drop each, on hub and lcore level (stats.h). */
void hub_count_lost(struct lcore *lc, struct hub *hub, enum stats_drop_out reason, unsigned n);

/* ---- delivery: shared by frames that came in here and frames from other workers ----------------- */

/*
 * A burst on its way through the pipeline, on the worker's stack. `frame[j]` are the n frames that are
 * still under way, in order of arrival; a set of them is a 64-bit mask.
 */
struct burst {
	struct lcore *lc;
	struct hub *hub;
	struct hub_local *local;
	const struct hub_rules *options;
	const struct port *source;	/* NULL: the frames' mbufs say (burst_source()) */
	const struct port_rules *rules; /* of the source, on its own worker; NULL: none */
	uint64_t classified;		/* frames whose class stands in lc->scratch */
	uint64_t
		usual; /* frames that are FRAME_USUAL, which is not written down before somebody asks */
	uint64_t keyed;			     /* the same for keys of access rules */
	uint64_t judged;		     /* an access rule has decided, or none applies */
	const struct access_set *access_out; /* rules that name receivers; NULL: there are none */
	uint64_t any; /* all their classes, and perhaps those of frames dropped since */
	/*
	 * Frames that carry the VLAN `tag` of the port they came from, but not in their bytes yet: a receiver in
	 * the same VLAN takes them as they are, and for anybody else burst_settle() writes it. Their classes say
	 * what the bytes are, and that VLAN.
	 */
	uint64_t untagged;
	uint16_t tag;
	unsigned n;
	uint32_t max_len; /* longest frame, or more */
	uint32_t bytes;	  /* of all n; 0: not known */
	bool backed;	  /* some frame has an mbuf */
	bool borrowed;	  /* some frame has none */
	unsigned dead_cnt;
	struct frame *frame[FRAME_BURST];
	/* References to free when all is delivered, one of each frame at most. */
	struct rte_mbuf *dead[FRAME_BURST];
};

static_assert(FRAME_BURST == 64, "masks over a burst are 64-bit words");

static inline uint64_t burst_all(const struct burst *b)
{
	return b->n == FRAME_BURST ? UINT64_MAX : (UINT64_C(1) << b->n) - 1;
}

/* Longest frame that may be edited: those of sessions, and a tag. */
#define HUB_SCRATCH_BYTES (FRAME_MAX_BYTES + 4u)

#define HUB_RECENT 8192u

/* What a worker has once for all its hubs: above the line kept, below for one burst at a time. */
struct hub_scratch {
	uint64_t secret[3];
	uint64_t recent[HUB_RECENT]; /* source addresses allowed a moment ago (hub_ip.c) */
	struct frame_class cls[FRAME_BURST];
	struct access_key key[FRAME_BURST];
	struct access_columns columns;
	/* Private copies of frames: changed for all receivers, and for the one that is served now. */
	uint8_t in[FRAME_BURST][HUB_SCRATCH_BYTES] __attribute__((aligned(64)));
	uint8_t out[FRAME_BURST][HUB_SCRATCH_BYTES];
};

void burst_classify(struct burst *b, unsigned j);
/* All of them; the usual ones only as far as b->usual and b->any say it. */
void burst_classify_all(struct burst *b);

/* Writes the tag into those frames of `mask` that still lack theirs. Before bytes go where they may be read. */
void burst_settle_now(struct burst *b, uint64_t mask);

static inline void burst_settle(struct burst *b, uint64_t mask)
{
	if (unlikely((b->untagged & mask) != 0))
		burst_settle_now(b, b->untagged & mask);
}

/* What frame j is; parsed once however often somebody asks. */
static inline const struct frame_class *burst_class(struct burst *b, unsigned j)
{
	if ((b->classified >> j & 1) == 0)
		burst_classify(b, j);
	return &b->lc->scratch->cls[j];
}

/* An empty burst that came from no port. */
static inline void burst_begin(struct burst *b, struct lcore *lc, struct hub *hub)
{
	b->lc = lc;
	b->hub = hub;
	b->local = &hub->local[lc->index];
	b->options = hub_rules(hub);
	b->source = NULL;
	b->rules = NULL;
	b->classified = 0;
	b->usual = 0;
	b->bytes = 0;
	b->keyed = 0;
	b->judged = 0;
	b->access_out = hub_access_out(hub);
	b->any = 0;
	b->untagged = 0;
	b->n = 0;
	b->dead_cnt = 0;
}

/* The burst no longer needs frame j's mbuf: freed at the end, in bulk. */
static inline void burst_bury(struct burst *b, struct frame *f)
{
	if (f->m != NULL) {
		b->dead[b->dead_cnt++] = f->m;
		f->m = NULL;
	}
}

/* The frames of one destination port within a burst. */
struct burst_group {
	uint64_t mask;
	uint32_t port; /* idx << PORT_GEN_BITS | gen, as in a MAC entry */
};

/* Groups of a burst, found by a small hash over the port index. */
struct burst_groups {
	unsigned n;
	uint8_t slot[FRAME_BURST]; /* group number + 1, open addressing */
	struct burst_group group[FRAME_BURST];
};

static inline struct burst_group *burst_group_find(struct burst_groups *gs, uint32_t port)
{
	for (unsigned i = (port >> PORT_GEN_BITS) % FRAME_BURST, k = 0; k < FRAME_BURST; k++) {
		unsigned at = gs->slot[(i + k) % FRAME_BURST];

		if (at == 0)
			return NULL;
		if (gs->group[at - 1].port == port)
			return &gs->group[at - 1];
	}
	return NULL;
}

/* Never full: a burst has no more groups than frames, and there are as many slots. */
static inline struct burst_group *burst_group_get(struct burst_groups *gs, uint32_t port)
{
	unsigned i = (port >> PORT_GEN_BITS) % FRAME_BURST;

	while (gs->slot[i] != 0) {
		struct burst_group *g = &gs->group[gs->slot[i] - 1];

		if (g->port == port)
			return g;
		i = (i + 1) % FRAME_BURST;
	}
	gs->group[gs->n] = (struct burst_group){.port = port};
	gs->slot[i] = (uint8_t)++gs->n;
	return &gs->group[gs->n - 1];
}

/* Unicast: the frames in `mask` to one port that transmits on this worker. Consumes them. */
void burst_to_port(struct burst *b, struct port *port, uint64_t mask);

/*
 * Floods to this worker's members except `skip_idx`, merged in order with the unicast frames of the
 * groups that go to one of them; a group served here gets mask 0. hold[j] takes over frame j's mbuf (it
 * is made if some device needs one) and the caller disposes of it.
 */
void burst_flood(struct burst *b, uint64_t flood, struct burst_groups *groups, uint32_t skip_idx,
	struct rte_mbuf **hold);

/*
 * The last step: egress tests and a tx_burst for n frames of one port, of which frames[i] is frame at[i] of the
 * burst; and the books for those that were too long for it or found no mbuf.
 */
void burst_tx(struct burst *b, struct port *port, struct frame **frames, uint8_t *at, unsigned n,
	unsigned oversize, unsigned no_mbuf);

/* ---- access.c, hub_access.c ---- */

/* What the hub has of a list goes with it: no worker knows the hub any more. Control thread. */
void hub_access_end(struct hub *hub);
/*
 * The second pass for n copies to `port` (as burst_egress()); b->access_out is not NULL. What is dropped is freed and
 * counted. Returns how many are left in vec[] and at[].
 */
unsigned burst_access(
	struct burst *b, struct port *port, struct frame **vec, uint8_t *at, unsigned n);
/* Between workers the mbuf says whether a rule has decided. */
#define HUB_MBUF_JUDGED 1u
static inline void burst_judged_put(const struct burst *b, unsigned j, struct rte_mbuf *m)
{
	m->hash.usr = (b->judged >> j & 1) != 0 ? HUB_MBUF_JUDGED : 0;
}

/* ---- hub_flood.c ---- */

/* The frames in `flood` came from another worker's port `idx`: the loop guard remembers them. */
void burst_flooded(struct burst *b, uint64_t flood, uint32_t idx);

/* ---- hub_probe.c ---- */

/* Addresses of the hub's probes, from their MAC. Pure. */
void hub_probe_ip4(uint64_t mac, uint8_t ip4[4]);
void hub_probe_ip6(uint64_t mac, uint8_t ip6[16]);
/* One slice of a round, or nothing if none is due. Control thread. */
void hub_probe(struct hub *hub, uint64_t now_ms);
/* Frees what probing needs; false: a worker still has a batch, ask again later. Control thread. */
bool hub_probes_end(struct hub *hub);

/* ---- hub_egress.c ---- */

/* Something looks at what goes to this port, or it is blocked. */
static inline bool burst_has_egress(const struct port *port)
{
	return (port->rules != NULL && (port->rules->looks_out || port->rules->looks_out_ip6)) ||
		atomic_load_explicit(&port->blocked_until_s, memory_order_relaxed) != 0;
}

/* Longest frame that may become one for this port: a tag comes off. */
static inline uint32_t port_max_len(const struct port *port)
{
	return port->max_len + (port->rules != NULL ? port->rules->tag_bytes : 0);
}

/* What carries this tag goes to the port, without the tag. */
static inline bool port_is_in_vlan(const struct port *port, uint16_t vlan)
{
	return port->rules != NULL && port->rules->policy.vlan == vlan;
}

/* The loop guard has taken the port out of the hub for a time. */
static inline bool port_is_blocked(const struct port *port, const struct lcore *lc)
{
	return atomic_load_explicit(&port->blocked_until_s, memory_order_relaxed) > lc->now_s;
}

/*
 * Tests n copies for `port` (vec[i] is frame at[i] of the burst, its reference the port's) and replaces those
 * that have to be changed by private copies in edited[]. What is dropped is freed and counted. Returns how
 * many are left in vec[].
 */
unsigned burst_egress(struct burst *b, struct port *port, struct frame **vec, const uint8_t *at,
	unsigned n, struct frame *edited);

/*
 * Of the same tests those that come before the access list, of n copies to `port` (as burst_egress()), so that a rule has
 * no hit for what the policy refuses. What is dropped is freed and counted. Returns how many are left in vec[] and at[].
 */
unsigned burst_refuse(
	struct burst *b, struct port *port, struct frame **vec, uint8_t *at, unsigned n);

/*
 * Whether all frames of the burst may go to `port` as they are; false: look at each. True counts them against its
 * bandwidth.
 */
bool burst_passes(struct burst *b, const struct port *port);

/*
 * Whether the policy of `port` keeps frame j from it, whatever limits say: the packet log does not have it then.
 * On any worker.
 */
bool burst_is_refused(struct burst *b, const struct port *port, unsigned j);

/*
 * A burst of frames that came over a ring. `frames` gives the structs a place; all mbufs are linear, as
 * frame.h demands of their makers.
 */
void burst_from_relay(struct burst *b, struct lcore *lc, struct hub *hub, struct frame *frames,
	struct rte_mbuf **m, unsigned n);

/* The frames in `mask` to this worker's mirrors. Nothing is consumed: their references stay. */
void burst_mirror(struct burst *b, uint64_t mask);

/* Frees what was buried. */
void burst_end(struct burst *b);

#endif
