/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_UDP_RECENT_H
#define PATCHBAY_DRIVERS_SESSION_UDP_RECENT_H

/*
 * The datagrams of a session that came last, so that one that comes twice is dropped: networks double
 * datagrams, and eavesdroppers send them again.
 *
 * The protocol has no sequence number, and its clock lets any number of datagrams share a millisecond. All that
 * tells them apart is the nonce, of which a bounded memory can keep the newest only. A copy is found unless eight others of
 * its set have come in between: of copies behind a hundred other datagrams one in 5 000 is missed, behind 256 one in 20
 * (nonces are random), and until its tick leaves the window of udp_path.h such a copy passes. It is a frame that was once
 * sent to us, unchanged, and moves neither address nor clock.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define UDP_RECENT_SETS_LOG2 6u
#define UDP_RECENT_WAYS	     8u /* of a set: one line of memory a datagram */

struct udp_recent {
	uint64_t id[1u << UDP_RECENT_SETS_LOG2][UDP_RECENT_WAYS]; /* newest first */
};

/* Notes the datagram; true if it has been seen. 0 is what plain datagrams have for an id: never seen. */
static inline bool udp_recent_seen(struct udp_recent *r, uint64_t id)
{
	/* Multiplied, because ids may count (then neighbours take neighbouring sets) or be random. */
	uint64_t *set = r->id[id * UINT64_C(0x9e3779b97f4a7c15) >> (64 - UDP_RECENT_SETS_LOG2)];

	if (id == 0)
		return false;
	for (unsigned i = 0; i < UDP_RECENT_WAYS; i++) {
		if (set[i] == id)
			return true;
	}
	memmove(&set[1], set, (UDP_RECENT_WAYS - 1) * sizeof(*set));
	set[0] = id;
	return false;
}

#endif
