/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_CONNECTION_SET_H
#define PATCHBAY_DRIVERS_SESSION_CONNECTION_SET_H

/*
 * The connections of a session as a set: how many may join, which way each carries data, and over which one
 * the next frames leave (wire.md 5.3, 5.4, 6.5). Rules alone: no sockets, no worker, no clock, so that they
 * can be tested and fuzzed bare, and both roles use them.
 *
 * The choice. A connection that could not write all it had is *late*; the least late one is taken, of equals
 * the one that joined last. So a session at ease uses one connection, which keeps the order of its frames,
 * and moves to others only under back-pressure. With `qos`, of two or more connections that may send the
 * youngest carries priority frames alone. Two liberties that a sender has (6.5, last paragraph): one whose
 * socket is full is not chosen at all, because what waits in staging can still go elsewhere or be dropped;
 * and priority frames take the way of the others while their own is full.
 *
 * Owner worker only, apart from connection_direction().
 */

#include <stdbool.h>
#include <stdint.h>

#include "drivers/session/session.h"

#define CONNECTION_SET_MAX 33u /* 32, and the one more that is tolerated (wire.md 5.4) */

/* What the rules know of a connection; stands in it. */
struct connection_member {
	bool may_send;	  /* its direction lets us */
	bool may_receive; /* ... and lets the peer */
	bool blocked;	  /* socket full: nothing more is encrypted for it */
	uint32_t lateness;
	uint64_t joined_ms; /* set by who lets it join; connection_growth.h */
};

struct connection_set {
	uint8_t granted; /* 1..32 connections that the peer was told */
	bool qos;	 /* one of them for priority frames */
	unsigned cnt;
	unsigned sender_cnt;				       /* those of them that may send */
	struct connection_member *members[CONNECTION_SET_MAX]; /* in order of joining */
};

enum connection_lane {
	LANE_NORMAL,
	LANE_PRIORITY,
	LANES
};

void connection_set_init(struct connection_set *set, uint8_t granted, bool qos);

/* Which ways a connection of this direction carries data for us; `client`: we dialled. */
void connection_member_init(
	struct connection_member *m, enum session_direction direction, bool client);

/* False when the set holds granted + 1 already: the peer may replace one we do not know to be dead. */
bool connection_set_admits(const struct connection_set *set);
/* Puts an admitted one behind all others. */
void connection_set_join(struct connection_set *set, struct connection_member *m);
/* Takes it out; false if it was not in. */
bool connection_set_leave(struct connection_set *set, const struct connection_member *m);

/* The connection for the next frames of a lane; NULL: none that may send has room. */
struct connection_member *connection_set_choose(
	const struct connection_set *set, enum connection_lane lane);
/* What a write told: `left` bytes did not go, or 0. */
void connection_member_wrote(struct connection_member *m, bool left);

/*
 * Direction for the next connection of a half-duplex session, from what its present ones have: 2, 1, 1, 2, 1,
 * 2, ... in order of joining, and the missing one first after a loss. Server only. Any thread.
 */
static inline enum session_direction connection_direction(uint32_t to_client, uint32_t others)
{
	return to_client > others ? SESSION_CLIENT_TO_SERVER : SESSION_SERVER_TO_CLIENT;
}

#endif
