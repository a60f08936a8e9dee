/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_TRAFFIC_TOTALS_H
#define PATCHBAY_CONTROLPLANE_TRAFFIC_TOTALS_H

/*
 * How much users, groups and hubs have sent and received (reference/hub.md 10), over all their sessions.
 *
 * The totals of a user and a group stand in their records (directory.h, `traffic`). The data path counts per port, so
 * each session knows how much of its port's counters has gone into those records, and folding adds what came since:
 * at its end, and before anybody reads. By names as at login: who was made anew under an old name goes on with
 * what the running sessions of that name send, as their policy does.
 *
 * A hub's are its data path's, which has bridges too, on top of what it had before this daemon started
 * (`traffic_before`: counters.h, which keeps totals over restarts, sets it before the first session, as it does `traffic`
 * of users and groups). When something came last from a peer of a hub (`last_comm_ms`) is found by the way.
 *
 * Control thread only.
 */

#include "dataplane/stats.h"

struct directory_hub;
struct session_counters;
struct vpn_session;

/* Viewpoint of the hub: `in` is what came from the peers. To administrators a user's `in` is Send (hub.md 10). */
struct traffic_totals {
	struct stats_traffic in;
	struct stats_traffic out;
};

/*
 * Brings the totals of all users and groups (NULL), or of those of a hub, up to this moment. Costs a look at the counters of
 * each session there.
 */
void traffic_fold(const struct directory_hub *hub);
/* The same of one session that ends, with its last counters. */
void traffic_fold_final(struct vpn_session *vs, const struct session_counters *final);
/* Of a hub that was started, up to this moment. */
void traffic_of_hub(const struct directory_hub *hub, struct traffic_totals *out);

#endif
