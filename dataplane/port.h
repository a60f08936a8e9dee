/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_PORT_H
#define PATCHBAY_DATAPLANE_PORT_H

/*
 * The contract behind which every driver stands.
 *
 * Everything that plugs into a hub is a port: a VPN session, a cascade, a local bridge, SecureNAT, a
 * layer-3 switch interface. The hub knows ports and frames and never asks what a port is, apart from
 * the flags declared here.
 *
 * Life: the control thread calls port_reserve() (an index in the port table, invisible), fills the
 * struct in, and sends it to the home worker, which calls hub_port_join() (hub.h): from then on frames
 * reach it. The home worker calls hub_port_leave() to end it: the generation of the index moves on, so
 * that every MAC entry that names the port is dead at once (no walk), and in-flight relays that name it
 * are dropped as `port_gone`. The object itself goes back to the control thread, which frees it after a
 * grace period; port_release() makes the index reusable once the hub's MAC sweeper has passed it.
 *
 * Reference and thread rules: `struct port` is embedded in the driver's own object. Fields above the
 * line are written before publication and read by every worker; below it, only the home worker writes.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dataplane/access.h"
#include "dataplane/frame.h"
#include "dataplane/stats.h"

#define PORT_MAX      65536u /* port table slots; index 0 is never used */
#define PORT_GEN_BITS 12u    /* generation as stored in a MAC entry (fdb.h) */
#define LCORE_MAX     64u    /* workers; a hub's set of workers is one 64-bit word */

struct hub;
struct lcore;
struct port;
struct port_rules;

/* What the hub has to know about a port. */
#define PORT_F_RECEIVE_ONLY (1u << 0) /* monitoring: injects nothing, is never learned on */
#define PORT_F_MIRROR	    (1u << 1) /* gets a copy of every frame of the hub, no floods */
#define PORT_F_FLOOD_QUOTA  (1u << 2) /* floods to it count against the flood quota */
#define PORT_F_CHECK_MAC    (1u << 3) /* refuse a MAC seen elsewhere within 13 s (hub.md 4) */
#define PORT_F_MBUF	    (1u << 4) /* a device: wants mbufs, see tx_burst */
#define PORT_F_CHECK_LAN    (1u << 5) /* so, unless DisableCheckMacOnLocalBridge */

struct port_ops {
	const char *kind; /* "session", "bridge", ... in lists */
	/*
	 * Delivers copies. Called on a worker for which tx_lcore[] names itself, inside the turn.
	 * n <= FRAME_BURST; 0, with PORT_F_FLOOD_QUOTA: a chance to drop what waits too long, and say so
	 * (hub_flood_waiting()). What it is given depends on the port's flags:
	 *   PORT_F_MBUF      every frame is backed and its reference now belongs to the port: it
	 *                    sends the mbuf or frees it. The mbuf may be shared (a flood): with
	 *                    rte_mbuf_refcnt_read(m) > 1 its bytes are read-only.
	 *   without          every frame is borrowed (m == NULL): the bytes must be copied or
	 *                    written out before returning.
	 * The frame structs themselves are shared between receivers: never written. No frame is longer
	 * than max_len (the hub drops those as oversize). Counts all n as copies and each one as sent
	 * or as a drop, with hub_count_*(), now or when it leaves the port's own queue. Never blocks,
	 * never calls hub_input(): what has to answer queues it and adds a task (lcore.h). It may make
	 * its own port leave the hub.
	 */
	void (*tx_burst)(
		struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n);
};

struct port {
	const struct port_ops *ops;
	struct hub *hub;
	uint32_t idx;	/* 1 .. PORT_MAX-1 */
	uint16_t gen;	/* generation under which this port was reserved */
	uint16_t home;	/* worker index: owner, and the one that fans floods out to it */
	uint32_t flags; /* PORT_F_* */
	/* Longest frame in and out, bytes: FRAME_MAX_BYTES for sessions, else .. FRAME_JUMBO_MAX. */
	uint32_t max_len;
	/* MAC addresses that may stand behind it; frames of further ones are dropped. 0 = any number. */
	uint32_t max_macs;
	/* For each worker: the worker that can transmit on this port for it (itself, or by ring). */
	uint8_t tx_lcore[LCORE_MAX];
	/* One block per worker that may touch the port; sessions: only stats[home] is non-NULL. */
	struct stats_block *stats[LCORE_MAX];
	struct port_rules *rules; /* what it may do (port_rules.h); NULL: everything */
	struct access_party
		party; /* who it is to access rules; port_rules_set() fills it in, too */
	/* "user|session|address" of a user's session, for redirections that say so; NULL: none. The driver's. */
	const char *who;
	/* lcore_now_s() until which the loop guard keeps it out, 0 = it is free. Any worker; rare. */
	_Atomic uint32_t blocked_until_s;
	_Atomic uint32_t
		ip_cnt[2]; /* entries of the IP table that name it: IPv4, IPv6 (iptable.h) */
	_Atomic uint32_t log_minute_s,
		log_cnt; /* frames logged, and since when, if there is a limit (hub_log.c); any worker, once a burst */
	uint64_t joined_ms; /* when it joined: of two ports in a loop the younger is blocked */

	/* ---- home worker only ---- */
	TAILQ_ENTRY(port) member __attribute__((aligned(64))); /* the worker's list in the hub */
	bool joined;
	uint32_t last_in_s; /* when it last sent something, while the hub asks (dormant_s) */
};

/*
 * Port table: one process-wide array, read by workers under QSBR.
 */
struct port_slot {
	_Atomic(struct port *) port; /* NULL unless joined. Writer: home worker */
};

extern struct port_slot port_table[PORT_MAX];

/*
 * Current generation per index, PORT_GEN_BITS wide, indexed like port_table; an array of its own
 * because fdb.h reads it per lookup (dense: 32 ports share a cache line). Writer: home worker.
 */
extern _Atomic uint16_t port_gens[PORT_MAX];

/*
 * Takes a free index and stamps idx and gen into `port`. The port stays invisible until it joins.
 * Control thread. -ENOSPC when all indices are in use or waiting for a sweep.
 */
int port_reserve(struct port *port);

/*
 * Gives the index back. The caller says that a grace period has passed since the port left its hub (or
 * that it never joined, then the index is free at once). port->hub must still exist. The index is handed
 * out again only after two more full passes over the MAC table it was learned in (port_table_swept()).
 * Control thread.
 */
void port_release(struct port *port);

/* Told by the hub's sweeper: `hub`'s table has completed `passes` full passes. Control thread. */
void port_table_swept(const struct hub *hub, uint64_t passes);

/* Forgets quarantined indices of a hub that no longer exists (its table is gone). Control thread. */
void port_table_hub_gone(const struct hub *hub);

/* Joined port at `idx` if its generation is still `gen`, else NULL. Worker (online reader). */
static inline struct port *port_get(uint32_t idx, uint16_t gen)
{
	/* Pairs with the release store in hub_port_join(): a port seen here is completely filled in. */
	struct port *p = atomic_load_explicit(&port_table[idx].port, memory_order_acquire);

	return p != NULL && p->gen == gen ? p : NULL;
}

#endif
