/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_SOURCE_LIMITS_H
#define PATCHBAY_CONTROLPLANE_SOURCE_LIMITS_H

/*
 * Budgets of peers that nobody knows yet: how many connections may stand between accept and login, and how
 * many TLS handshakes may keep a helper's CPU busy, in total and per source. A source is an IPv4 address or
 * an IPv6 /64, since whoever has one address of a /64 has them all; IPv4-mapped addresses count as IPv4.
 *
 * The table holds one entry per source that has a connection right now, so it never has more entries than
 * the total allows and is allocated once. A keyed hash finds them: peers choose their addresses.
 *
 * Control thread only.
 */

#include <sys/socket.h>

struct limits;
struct limits_source; /* one source; lives while it has connections */

struct limits_conf {
	unsigned connections; /* unestablished, in total */
	unsigned connections_per_source;
	unsigned handshakes; /* at or before a helper, in total */
	unsigned handshakes_per_source;
};

enum limits_verdict {
	LIMITS_OK,
	LIMITS_TOTAL,  /* the total is reached */
	LIMITS_SOURCE, /* this source has its share */
};

/* NULL with ENOMEM. */
struct limits *limits_create(const struct limits_conf *conf);
void limits_destroy(struct limits *l);

/* Counts a connection in; *source is the handle for the other calls (valid with LIMITS_OK only). */
enum limits_verdict limits_connection_begin(
	struct limits *l, const struct sockaddr *peer, struct limits_source **source);
/* Counts it out: at login or at its end. The handle is dead then. */
void limits_connection_end(struct limits *l, struct limits_source *source);

/* Counts a handshake step in, resp. out, while its connection is counted in. */
enum limits_verdict limits_handshake_begin(struct limits *l, struct limits_source *source);
void limits_handshake_end(struct limits *l, struct limits_source *source);

unsigned limits_connections(const struct limits *l);
unsigned limits_handshakes(const struct limits *l);
unsigned limits_sources(const struct limits *l);

#endif
