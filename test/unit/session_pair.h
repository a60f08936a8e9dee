/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_SESSION_PAIR_H
#define PATCHBAY_TEST_UNIT_SESSION_PAIR_H

/*
 * drivers/session with itself: the side that accepted and the side that dialled, each in a hub of its own
 * and on a worker of its own, as a cascade will be. Peers of the bed put frames into both hubs:
 *
 *	peer a -- hub one -- session (server) === 1..32 connections === session (client) -- hub two -- peer b
 *
 * Behind cmocka.h.
 */

#include "test/unit/session_bed.h"

struct session_udp_conf;

struct pair_mode {
	unsigned links;
	bool half_duplex, compress, raw, qos;
	/* Of the side that dialled: */
	uint32_t interval_ms, life_ms;
	const struct session_udp_conf *udp_server, *udp_client;
};

struct pair {
	struct pair_mode mode;
	struct hub *one, *two;
	struct bed_peer pa, pb;
	struct bed_session a, b, server, client;
	uint64_t next_id;
	uint32_t number; /* of the next frame */
};

#define PAIR_ROUND 300u /* frames each way of pair_exchange() */

/* A test that begins with nothing left of the one before, and gives up where that failed. */
#define PAIR_TEST(fn) cmocka_unit_test_setup(fn, pair_setup)
int pair_setup(void **state);

/* Sessions without connections yet. */
void pair_create(struct pair *p, const struct pair_mode *mode);
/* Opens a connection between the two and gives an end to each; the first of each opens the session. */
void pair_join(struct pair *p, bool first, enum session_direction direction);
/* All connections at once, and both hubs in use. */
void pair_open(struct pair *p, const struct pair_mode *mode);
void pair_close(struct pair *p);
/* ... with a server side, or a client side, that has ended already. */
void pair_close_hubs(struct pair *p);

void pair_wait_frames(struct bed_peer *peer, unsigned n);
/* Both hubs learn who is where. */
void pair_meet(struct pair *p);
/* PAIR_ROUND frames each way, complete and in order. */
void pair_exchange(struct pair *p);

#endif
