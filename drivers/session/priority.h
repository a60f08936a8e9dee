/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_PRIORITY_H
#define PATCHBAY_DRIVERS_SESSION_PRIORITY_H

/* Which frames go first in a session with priority ("QoS", wire.md 6.5). Nothing marks them on the wire. */

#include <stdbool.h>

#include "dataplane/frame.h"

#define PRIORITY_IPV4_AT       14u /* behind an Ethernet header without tag */
#define PRIORITY_IPV4_BYTES    20u
#define PRIORITY_ICMP_MAX      128u /* bytes of the frame */
#define PRIORITY_TOS_ROUTINE   0x00u
#define PRIORITY_TOS_BULK      0x08u /* "maximise throughput" */
#define PRIORITY_ETHERTYPE_IP4 0x0800u
#define PRIORITY_PROTOCOL_ICMP 1u

/* IPv4 that asks for something, and short ICMP: echo must not wait behind a download. Pure. */
static inline bool frame_has_priority(const struct frame *f)
{
	const uint8_t *ip = f->data + PRIORITY_IPV4_AT;

	if (f->len < PRIORITY_IPV4_AT + PRIORITY_IPV4_BYTES ||
		frame_ethertype(f) != PRIORITY_ETHERTYPE_IP4)
		return false;
	if (ip[1] != PRIORITY_TOS_ROUTINE && ip[1] != PRIORITY_TOS_BULK)
		return true;
	return ip[9] == PRIORITY_PROTOCOL_ICMP && f->len <= PRIORITY_ICMP_MAX;
}

#endif
