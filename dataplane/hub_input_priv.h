/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_HUB_INPUT_PRIV_H
#define PATCHBAY_DATAPLANE_HUB_INPUT_PRIV_H

/* A burst that a port received, on its way through hub_input(): shared by the files of its steps. */

#include "dataplane/hub_priv.h"
#include "dataplane/notice.h"

/* Source and destination of one frame side by side in keys[]. */
typedef uint64_t key_pair __attribute__((vector_size(16), aligned(8), may_alias));

struct input {
	struct burst b;
	struct port *port;
	uint64_t broadcast;		/* mask: I/G bit of the destination */
	uint64_t cut;			/* mask: headers may be cut off; until input_headers() */
	uint64_t keys[2 * FRAME_BURST]; /* source, destination, source, ... of b.frame[] */
	uint64_t values[2 * FRAME_BURST] __attribute__((aligned(16)));
	struct burst_groups groups;
	struct stats_traffic in;
	uint64_t stale;	   /* mask: the source is new, or was elsewhere */
	uint64_t again;	   /* mask: the source's first frame in this quantum of the MAC table */
	uint64_t answers;  /* mask: to the hub itself, dropped already */
	uint64_t unlogged; /* mask: dropped by the log, their bytes still there */
	uint64_t recent;   /* the port's and this second's part of what input_ip() remembers */
	unsigned dropped;
	unsigned parked; /* not counted as received yet: they come again */
	bool resumed;	 /* they were parked */
	uint32_t drop[STATS_DROP_IN_CNT];
};

/* What has one known destination. */
static inline uint64_t input_grouped(const struct input *in)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < in->groups.n; i++)
		mask |= in->groups.group[i].mask;
	return mask;
}

static inline void input_drop(struct input *in, struct frame *f, enum stats_drop_in reason)
{
	burst_bury(&in->b, f);
	in->drop[reason]++;
	in->dropped++;
}

/* ---- hub_admit.c ---- */

/*
 * Fills in->b.frame[] with what the hub takes of n <= FRAME_BURST frames, their keys, and in->broadcast and in->cut; counts
 * all n as received, and drops what is no frame.
 */
void input_admit(struct input *in, struct frame *frames, unsigned n);

/* ---- hub_filter.c ---- */

/* Some rule of the port or the hub looks at what comes in, or changes it. */
static inline bool input_has_filter(const struct input *in)
{
	return (in->b.rules != NULL && in->b.rules->looks_in) || in->b.options->looks_in;
}

/*
 * Packets with a header that is cut off go nowhere, whether or not a rule asks (hub.md 3 step 5): parses those in
 * in->cut, which is few or an attack. What was dropped is no longer in b.frame[].
 */
void input_headers(struct input *in);
/* Edits, then tests; what was dropped is no longer in b.frame[]. For the whole burst, before lookup. */
void input_filter(struct input *in);
/* The address to learn of a BPDU is its bridge's (hub.md 3 step 8). Before input_filter(). */
void input_bpdu(struct input *in);

/* ---- hub_access.c ---- */

/* Frames in `removed` are no longer in the burst; those behind move up, with all that is known of them. */
void input_compact(struct input *in, uint64_t removed);

/* The first pass of the access list. What was dropped or parked is no longer in b.frame[]. */
void input_access(struct input *in, const struct access_set *set);
/* Frames that the list has passed already, after their delay (hub_park.c). */
void input_again(struct input *in);
/* Frame j counts as received when it comes again. */
void input_unreceive(struct input *in, unsigned j);
/* The rest of the way of frames that were parked; as hub_input(). */
void hub_input_again(struct lcore *lc, struct port *port, struct frame *frames, unsigned n);

/* ---- hub_ip.c ---- */

#define INPUT_LEASE_S 15u /* as long a DHCP client waits before it asks again (RFC 2131) */

/* Some client of the hub asked a DHCP server a little while ago. */
static inline bool input_awaits_lease(const struct input *in)
{
	uint32_t asked_s = atomic_load_explicit(&in->b.hub->dhcp_asked_s, memory_order_relaxed);

	return asked_s != 0 && asked_s + INPUT_LEASE_S > in->b.lc->now_s;
}

/* Some frame of the burst has an address that is to be looked at. */
static inline bool input_has_ip(const struct input *in)
{
	return (in->stale | in->again | in->broadcast | in->answers) != 0 ||
		(in->b.rules != NULL && in->b.rules->looks_ip) || input_awaits_lease(in);
}

/*
 * Learns and judges the source addresses of the frames in `live`, which is what is switched or flooded.
 * Returns those that were refused: dropped here, and taken out of the groups.
 */
uint64_t input_ip(struct input *in, uint64_t live);

/* ---- hub_flood.c ---- */

/* Which frames of `flood` may not be flooded: they are dropped here (hub.md 3 step 20). */
uint64_t input_storm(struct input *in, uint64_t flood);

/*
 * The loop guard: remembers the frames in `flood`, and counts those that another port sent a moment ago. At a
 * rate it tells, and by option blocks the younger of the two ports for a time.
 */
void input_loop(struct input *in, uint64_t flood);

/* ---- hub_log.c ---- */

/*
 * Records for the packet log of what the hub wants to know of; only if it wants any. Returns those that are more
 * than it may be: dropped here, and taken out of the groups (hub.md 3, MaxLoggedPacketsPerMinute).
 */
uint64_t input_log(struct input *in, uint64_t flood);

/* ---- hub_mirror.c ---- */

/*
 * Copies of the frames in `flood`, in the groups and in in->unlogged for every mirror of the hub: mirrors are fed before
 * the log has its say. Consumes nothing.
 */
void input_mirror(struct input *in, uint64_t flood);

#endif
