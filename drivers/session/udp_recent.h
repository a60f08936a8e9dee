/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_UDP_RECENT_H
#define PATCHBAY_DRIVERS_SESSION_UDP_RECENT_H

/*
 * The datagrams of a session that came last, so that one that comes twice is dropped: networks double
 * datagrams, and eavesdroppers send them again.
 *
 * The protocol has no sequence number, and its clock lets any number of datagrams share a millisecond. All that
 * tells them apart is the nonce, of which a bounded memory can keep the newest only: a copy is found for sure if
 * it comes before the next few hundred datagrams, and after them until its tick leaves the window of
 * udp_path.h it passes. It is a frame that was once sent to us, unchanged, and moves neither address nor clock.
 */

#include <stdbool.h>
#include <stdint.h>

#define UDP_RECENT_SLOTS 512u

struct udp_recent {
	uint64_t slot[UDP_RECENT_SLOTS];
};

/* Notes the datagram; true if it has been seen. 0 is what plain datagrams have for an id: never seen. */
static inline bool udp_recent_seen(struct udp_recent *r, uint64_t id)
{
	/* Multiplied, because ids may count (then neighbours take neighbouring slots) or be random. */
	uint64_t *slot = &r->slot[id * UINT64_C(0x9e3779b97f4a7c15) >> 55];

	if (id == 0)
		return false;
	if (*slot == id)
		return true;
	*slot = id;
	return false;
}

#endif
