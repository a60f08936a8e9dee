/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_HUB_H
#define PATCHBAY_DATAPLANE_HUB_H

/*
 * A hub: one layer-2 broadcast domain (reference/hub.md 1). Ports join it, frames enter through
 * hub_input() and leave through port_ops.tx_burst().
 *
 * Members of a hub may live on any worker. Each worker keeps the list of its own members, touched by
 * nobody else; all that is shared is one word that says which workers have any. A unicast frame whose
 * port transmits on this worker never crosses a ring. A flood gives one mbuf reference to each other
 * worker that has members, which fans it out to its own: cost between cores grows with workers, not with
 * members.
 *
 * The name, users and settings of a hub are the control plane's business (controlplane/directory.h).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/fdb.h"
#include "dataplane/frame.h"
#include "dataplane/iptable.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"

struct hub_conf {
	uint32_t max_macs;  /* bound of the MAC table, default 65536 */
	uint32_t mac_age_s; /* default 600 */
	uint32_t max_ips;   /* bound of the IP table, default 65536 */
	uint64_t
		probe_mac; /* source of the hub's own probes (hub.md 5.4), as frame_mac(); 0 = none */
};

struct hub;

/* NULL with errno. Control thread, after lcore_init(). The hub starts offline. */
struct hub *hub_create(const struct hub_conf *conf);
/*
 * Starts the end of a hub that has no members: done(arg) runs on the control thread after a grace period,
 * the hub is freed by then. -EBUSY while ports are joined. The caller knows that no join is under way
 * and that every port of the hub has been released or never will be. Control thread.
 */
int hub_destroy(struct hub *hub, void (*done)(void *arg), void *arg);

/* Offline: frames in are dropped as hub_down. (Ending sessions is the control plane's part.) */
void hub_set_online(struct hub *hub, bool online);
bool hub_online(const struct hub *hub);

/* Makes the port reachable: publishes it, adds it to its worker's members. Home worker. */
void hub_port_join(struct lcore *lc, struct port *port);
/* Takes it away and makes its MAC entries dead in the same moment. Home worker. Idempotent. */
void hub_port_leave(struct lcore *lc, struct port *port);

/*
 * Frames received on `port`, in order. Worker that owns the receive queue. n <= FRAME_BURST. Consumes
 * backed frames' references; borrowed bytes are read until it returns, never written, never kept. The
 * structs in frames[] are used as scratch space. Never from within a tx_burst (port.h). It begins by reading the
 * first 34 bytes of each: a driver whose frames may be far away prefetches them while it gathers the burst.
 */
void hub_input(struct lcore *lc, struct port *port, struct frame *frames, unsigned n);

/* Counts a frame in that was dropped before it became a frame (malformed block): books stay balanced. */
void hub_count_drop_in(struct lcore *lc, struct port *port, enum stats_drop_in reason, unsigned n);

/*
 * For drivers, from tx_burst and later: copies given, sent, dropped; on port, hub and lcore level. Also
 * after hub_port_leave(), until the port goes back to the control thread. Once per burst, not per frame.
 */
void hub_count_copies(struct lcore *lc, struct port *port, unsigned n);
void hub_count_sent(struct lcore *lc, struct port *port, const struct stats_traffic *t);
void hub_count_drop_out(
	struct lcore *lc, struct port *port, enum stats_drop_out reason, unsigned n);

/*
 * For drivers of ports with PORT_F_FLOOD_QUOTA: `more` bytes of floods wait in the port's queue than when it last
 * said so, less than 0: fewer. Each worker adds up its own and compares with its share of the hub's quota
 * (hub_options.h), so that no line is shared. Home worker; the last call, with all that is left, may come
 * behind hub_port_leave().
 */
void hub_flood_waiting(struct lcore *lc, struct port *port, int64_t more);

/* Arrivals from other workers' rings (called by the lcore loop only). */
void hub_relay_unicast(struct lcore *lc, struct hub *hub, uint32_t idx, uint16_t gen,
	struct rte_mbuf **m, unsigned n);
void hub_relay_flood(
	struct lcore *lc, struct hub *hub, uint32_t source_idx, struct rte_mbuf **m, unsigned n);
void hub_relay_mirror(struct lcore *lc, struct hub *hub, struct rte_mbuf **m, unsigned n);

/* ---- control thread ---- */

struct fdb *hub_fdb(struct hub *hub);
/* Deletes one MAC now (admin). -ENOENT. */
int hub_mac_delete(struct hub *hub, uint64_t mac, uint16_t vlan);
/* Sum over workers. */
void hub_stats(const struct hub *hub, struct stats_block *out);
/* Ports joined at this moment (sum over workers). */
unsigned hub_members(const struct hub *hub);
/*
 * fn() runs when some hub's MAC table has no room for new addresses, at once and then again when that
 * has passed and come back: hub_housekeep() what fdb_growing() says. Before lcore_start().
 */
void hub_on_pressure(void (*fn)(void));
/* IP table: as iptable_list() and iptable_delete(); counters by hub_iptable(). */
size_t hub_ip_list(const struct hub *hub, uint64_t *cursor, struct iptable_entry *out, size_t max);
int hub_ip_delete(struct hub *hub, const uint8_t addr[16], uint16_t vlan);
const struct iptable *hub_iptable(const struct hub *hub);
/*
 * One slice of housekeeping: MAC table (fdb_sweep) and port_table_swept(), IP table, probes (hub.md 5.4). About
 * once a second.
 */
void hub_housekeep(struct hub *hub, unsigned slots);

#endif
