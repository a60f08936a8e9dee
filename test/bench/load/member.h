/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_MEMBER_H
#define PATCHBAY_TEST_BENCH_LOAD_MEMBER_H

/* A TCP connection of a session in its data phase. */

#include <stdbool.h>
#include <stdint.h>

#include "test/bench/load/load.h"

struct member {
	struct watch watch;
	struct peer *peer;
	struct stream *stream;
	struct block_rx rx;
	uint8_t *carry; /* partial block, NULL: none */
	uint32_t carry_bytes;
	uint32_t lateness; /* wire.md 6.5 */
	bool blocked;	   /* the socket is full */
	bool may_send;
	uint64_t sent_ns;
};

/* Takes the stream. `rest` is plaintext that was read with the answer. Exits without memory. */
struct member *member_create(struct load *l, struct peer *p, struct stream *stream, bool may_send);
/* Parses `len` bytes of plaintext that stand behind BLOCK_RX_PARTIAL_BYTES of room; false: ended. */
bool member_plain(struct load *l, struct member *m, uint8_t *in, size_t len);
/* Encrypts up to two records of the session's frames and sends them; false: ended. */
bool member_transmit(struct load *l, struct member *m);
/* A keep-alive (wire.md 6.7), if nothing was sent for a while; false: ended. */
bool member_keepalive(struct load *l, struct member *m);
void member_destroy(struct load *l, struct member *m);

#endif
