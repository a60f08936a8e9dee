/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_CONNECTION_GROWTH_H
#define PATCHBAY_DRIVERS_SESSION_CONNECTION_GROWTH_H

/*
 * When the side that dialled opens another connection of a session, and when it ends one (wire.md 5.2, 5.3, 5.5).
 * Rules alone, as in connection_set.h: no sockets, no worker, no clock of their own.
 *
 * - As long as there are fewer than were granted, one attempt in each interval; the session itself counts as the
 *   first. A lost connection is missed at once.
 * - A connection that has a life ends when that is over, the oldest first. Its successor is dialled ahead of
 *   that, which the one more that every server tolerates (5.4) has room for, and nothing ends before it has
 *   come; only when nobody comes for as long again, it ends all the same.
 * - Half duplex: the server gives a new connection the direction that is missing. Where that would be another
 *   one than that of the connection that ends, because of that very connection, it has to end first.
 * - Half duplex with all connections in one direction: the youngest ends, so that another gets the other one.
 *
 * Owner worker only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "drivers/session/connection_set.h"

#define CONNECTION_GROWTH_AHEAD_MS \
	5000u /* for TCP, TLS and the server's answer, beside the interval */

struct connection_growth {
	uint32_t interval_ms; /* between attempts; 0: no attempt is ever made, nothing ends */
	uint32_t life_ms;     /* of each connection; 0: for ever */
	bool half_duplex;
	unsigned under_way;  /* attempts whose end is not known */
	uint64_t attempt_ms; /* when the last one began */
};

enum connection_step {
	CONNECTION_WAIT, /* until at_ms, or until something comes or goes */
	CONNECTION_DIAL, /* say so by connection_growth_dialled() */
	CONNECTION_END,	 /* `member` */
};

struct connection_next {
	enum connection_step step;
	struct connection_member *member;
	uint64_t at_ms; /* UINT64_MAX: never */
};

/* A session that begins now. */
void connection_growth_init(struct connection_growth *g, uint32_t interval_ms, uint32_t life_ms,
	bool half_duplex, uint64_t now_ms);
/* What is to be done now. Pure. */
struct connection_next connection_growth_next(
	const struct connection_growth *g, const struct connection_set *set, uint64_t now_ms);
/* An attempt has begun; one has ended, well or not. */
void connection_growth_dialled(struct connection_growth *g, uint64_t now_ms);
void connection_growth_answered(struct connection_growth *g);

#endif
