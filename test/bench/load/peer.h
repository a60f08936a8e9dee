/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_PEER_H
#define PATCHBAY_TEST_BENCH_LOAD_PEER_H

/* A session of the load generator: its member connections, and which of them sends (wire.md 6.5). */

#include <stdbool.h>
#include <stdint.h>

#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/welcome.h"
#include "test/bench/load/load.h"

#define PEER_MEMBERS_MAX 32u
#define PEER_ECHOES_MAX	 4096u

struct member;
struct udp_link;

struct peer {
	uint32_t index;
	bool logged_in;
	bool compress, encrypt;
	unsigned granted; /* connections */
	uint8_t session_key[LOGIN_SECRET_BYTES];
	struct member *members[PEER_MEMBERS_MAX]; /* in order of joining */
	unsigned member_cnt;
	struct udp_link *udp; /* NULL: none */
	TAILQ_ENTRY(peer) entry;
	bool queued;	       /* in load->ready */
	uint64_t unblocked_ns; /* when a socket took bytes again after it did not */
	/* traffic's */
	bool announce;	/* its next frame tells the hub where it is */
	bool announced; /* session 0 has heard of it */
	struct flow flow;
	struct track track;  /* of the flow it sends; of the one it receives in one-to-all */
	struct track back;   /* of its echoes */
	struct echo *echoes; /* ring of PEER_ECHOES_MAX, made when needed */
	unsigned echo_first, echo_cnt;
};

/* Has it looked at in this turn. */
void peer_ready(struct load *l, struct peer *p);
/* Sends what it has, at most one send() here; queues itself again if there is more. */
void peer_flush(struct load *l, struct peer *p);
/* One of its connections has reached the data phase; takes the stream. `rest`: plaintext behind the answer. */
void peer_member(struct load *l, struct peer *p, struct stream *stream,
	enum wire_direction direction, const uint8_t *rest, size_t rest_bytes);
/* A connection has ended; frees it. */
void peer_member_ended(struct load *l, struct member *m, const char *why);
/* Keep-alives of connections that have been silent. */
void peer_keepalive(struct load *l, struct peer *p);
/* close_notify and close on all connections. */
void peer_close(struct load *l, struct peer *p);

#endif
