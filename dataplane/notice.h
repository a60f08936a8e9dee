/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_NOTICE_H
#define PATCHBAY_DATAPLANE_NOTICE_H

/*
 * What workers have to tell people: rules that somebody broke, MAC addresses that came or moved, leases, loops.
 *
 * A worker writes no log. It puts a record on a ring of its own, at most NOTICE_PER_SECOND of them a second
 * and never more than the ring holds; what does not fit is a number. The counters (stats.h) count every
 * frame; a notice names an example. The control thread takes the records, says them its own way, and adds
 * how many it did not hear of.
 *
 * Nobody hides the others: of one port and one reason a second has NOTICE_PER_REASON violations, and the last
 * NOTICE_LOOPS places, of the second and of the ring, are for loops, which come with a storm of violations and may
 * have taken a port out of its hub.
 */

#include <stdint.h>

#include "dataplane/stats.h"

#define NOTICE_RING	  256u
#define NOTICE_PER_SECOND 64u
#define NOTICE_PER_REASON 8u
#define NOTICE_LOOPS	  8u

struct lcore;
struct port;
struct frame_class;

enum notice_kind {
	NOTICE_VIOLATION, /* a frame was dropped: `reason` */
	NOTICE_LOOP,	  /* frames of `other_idx` came back on `port_idx` */
	NOTICE_BLOCKED,	  /* and `port_idx` is out of the hub for a time */
	NOTICE_LEARNED,	  /* `mac` is new on `port_idx` */
	NOTICE_MOVED,	  /* `mac` was on `other_idx`, is on `port_idx` */
	NOTICE_LEASE, /* `mac` on `port_idx` (0: not known) got the address `src` from `dst` on `other_idx` */
	NOTICE_CNT
};

struct notice {
	enum notice_kind kind;
	enum stats_drop_in reason;
	uint64_t at_ms; /* lcore_clock_ms() */
	uint32_t port_idx, other_idx;
	uint16_t port_gen, vlan;
	uint64_t mac;	 /* source, as frame_mac() */
	uint8_t src[16]; /* IPv4 as ::ffff:a.b.c.d; zero: none */
	uint8_t dst[16];
};

/* A dropped frame of `port` with the key of its source. Worker. `c` may be NULL. */
void notice_violation(struct lcore *lc, const struct port *port, enum stats_drop_in reason,
	const struct frame_class *c, uint64_t key);
/* Worker. `port` is the one the notice is about. */
void notice_loop(struct lcore *lc, enum notice_kind kind, const struct port *port,
	uint32_t other_idx, uint64_t mac);

/*
 * A station that came or moved, with its key, or a lease that c's frame tells of (`port`: the client's, may be NULL; `other`:
 * where the frame came from). At most half of a second's notices are such, so that they hide no broken rule. Worker.
 */
void notice_station(struct lcore *lc, enum notice_kind kind, const struct port *port,
	uint32_t other_idx, uint64_t key);
void notice_lease(struct lcore *lc, const struct port *port, const struct port *other,
	const struct frame_class *c, uint64_t key);

/*
 * Takes up to `max` notices of a worker, oldest first; returns how many. *lost: the number that found no
 * room since start. Control thread.
 */
unsigned notice_take(unsigned worker, struct notice *out, unsigned max, uint64_t *lost);

/* How many notices of a worker went untold, as *lost above. Any thread. */
uint64_t notice_lost(unsigned worker);

#endif
