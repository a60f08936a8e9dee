/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums that were left to hardware which is not there (bridge_priv.h, hub.md 3.1 step 6). */

#include <string.h>

#include "dataplane/byte_order.h"
#include "dataplane/inet_sum.h"
#include "drivers/bridge/bridge_priv.h"

#define ETHERTYPE_IP4  0x0800u
#define ETHERTYPE_IP6  0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define PROTO_TCP      6u
#define PROTO_UDP      17u

/* `pseudo` is the sum of addresses; protocol and length come on top. */
static bool complete_l4(uint8_t *l4, uint32_t len, uint32_t proto, uint64_t addresses)
{
	uint32_t at = proto == PROTO_TCP ? 16 : 6;
	uint32_t now, done;

	if (len < (proto == PROTO_TCP ? 20u : 8u))
		return false;
	now = be16(l4 + at);
	if (now != inet_fold(addresses + proto + len) || (proto == PROTO_UDP && now == 0))
		return false;
	/* The field holds the pseudo header's sum, so that the sum over all has it in. */
	done = ~inet_fold(inet_sum(l4, len)) & 0xffff;
	if (proto == PROTO_UDP && done == 0)
		done = 0xffff;
	put_be16(l4 + at, done);
	return done != now;
}

static bool complete_ip4(uint8_t *ip, uint32_t len)
{
	uint32_t header, total;
	bool changed = false;

	if (len < 20 || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15u) * 4;
	total = be16(ip + 2);
	if (header < 20 || total < header || total > len)
		return false;
	if (be16(ip + 10) == 0) {
		put_be16(ip + 10, ~inet_fold(inet_sum(ip, header)) & 0xffff);
		changed = be16(ip + 10) != 0;
	}
	/* A fragment has no checksum of its own. */
	if ((be16(ip + 6) & 0x3fff) != 0 || (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP))
		return changed;
	return complete_l4(ip + header, total - header, ip[9], inet_sum(ip + 12, 8)) || changed;
}

static bool complete_ip6(uint8_t *ip, uint32_t len)
{
	uint32_t payload;

	if (len < 40 || ip[0] >> 4 != 6)
		return false;
	payload = be16(ip + 4);
	if (payload > len - 40 || (ip[6] != PROTO_TCP && ip[6] != PROTO_UDP))
		return false;
	return complete_l4(ip + 40, payload, ip[6], inet_sum(ip + 8, 32));
}

/* EtherType behind at most one tag, and where what it speaks of begins; 0: no frame. */
static uint32_t payload_type(const uint8_t *frame, uint32_t len, uint32_t *at)
{
	uint32_t type;

	*at = 14;
	if (len < *at)
		return 0;
	type = be16(frame + 12);
	if (type == ETHERTYPE_VLAN && len >= 18) {
		type = be16(frame + 16);
		*at = 18;
	}
	return type;
}

bool checksum_is_super(const uint8_t *frame, uint32_t len)
{
	uint32_t at, type = payload_type(frame, len, &at), proto;

	if (type == ETHERTYPE_IP4 && len >= at + 20)
		proto = frame[at + 9];
	else if (type == ETHERTYPE_IP6 && len >= at + 40)
		proto = frame[at + 6];
	else
		return false;
	return proto == PROTO_TCP || proto == PROTO_UDP;
}

bool checksum_complete(uint8_t *frame, uint32_t len)
{
	uint32_t at, type = payload_type(frame, len, &at);

	if (type == ETHERTYPE_IP4)
		return complete_ip4(frame + at, len - at);
	return type == ETHERTYPE_IP6 && complete_ip6(frame + at, len - at);
}
