/* SPDX-License-Identifier: BSD-3-Clause */
/* See mss.h: finding the option, and changing it without reading the payload (RFC 1624). */

#include "dataplane/mss.h"

#include <stddef.h>

#include "dataplane/byte_order.h"

#define ETHERTYPE_IP4  0x0800u
#define ETHERTYPE_IP6  0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define PROTO_TCP      6u
#define TCP_MIN_BYTES  20u
#define TCP_SYN	       0x02u
#define OPTION_END     0u
#define OPTION_NOP     1u
#define OPTION_MSS     2u
#define OPTION_MSS_LEN 4u
#define TAG_BYTES      4u

/* Offset of the TCP header of a SYN, 0 if it is none. All of the header's first 20 bytes are there. */
static uint32_t syn_at(const uint8_t *data, uint32_t len, bool *tagged)
{
	uint32_t at = 14, type, tcp;

	if (len < at + TCP_MIN_BYTES)
		return 0;
	type = be16(data + 12);
	*tagged = type == ETHERTYPE_VLAN;
	if (*tagged) {
		type = be16(data + 16);
		at += TAG_BYTES;
	}
	if (type == ETHERTYPE_IP4) {
		if (len < at + 20 || data[at] >> 4 != 4 || data[at + 9] != PROTO_TCP)
			return 0;
		/* Behind the first fragment there is no TCP header. */
		if ((be16(data + at + 6) & 0x1fff) != 0 || (data[at] & 15) < 5)
			return 0;
		tcp = at + (data[at] & 15u) * 4;
	} else if (type == ETHERTYPE_IP6) {
		if (len < at + 40 || data[at] >> 4 != 6 || data[at + 6] != PROTO_TCP)
			return 0;
		tcp = at + 40;
	} else {
		return 0;
	}
	if (len < tcp + TCP_MIN_BYTES || (data[tcp + 13] & TCP_SYN) == 0)
		return 0;
	return tcp;
}

bool mss_is_syn(const uint8_t *data, uint32_t len)
{
	bool tagged;

	return syn_at(data, len, &tagged) != 0;
}

/* Offset of the option's value in the TCP header, 0 if there is none. */
static uint32_t option_at(const uint8_t *tcp, uint32_t header)
{
	uint32_t at = TCP_MIN_BYTES;

	while (at < header && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 2 > header || tcp[at + 1] < 2 || at + tcp[at + 1] > header)
			return 0;
		if (tcp[at] == OPTION_MSS)
			return tcp[at + 1] == OPTION_MSS_LEN ? at + 2 : 0;
		at += tcp[at + 1];
	}
	return 0;
}

bool mss_clamp(uint8_t *data, uint32_t len, uint32_t mss)
{
	uint32_t at, header, value, old, new, sum;
	bool tagged;
	uint8_t *tcp;

	at = syn_at(data, len, &tagged);
	if (at == 0 || mss == 0)
		return false;
	tcp = data + at;
	header = (tcp[12] >> 4) * 4u;
	if (header < TCP_MIN_BYTES || at + header > len)
		return false;
	value = option_at(tcp, header);
	if (value == 0)
		return false;
	if (tagged)
		mss = mss > TAG_BYTES ? mss - TAG_BYTES : 1;
	old = be16(tcp + value);
	if (old <= mss)
		return false;
	new = mss;
	put_be16(tcp + value, new);
	/* Behind an odd number of NOPs it stands across two words of the sum: the same with bytes swapped. */
	if (value % 2 != 0) {
		old = (old << 8 | old >> 8) & 0xffff;
		new = (new << 8 | new >> 8) & 0xffff;
	}
	sum = (~be16(tcp + 16) & 0xffff) + (~old & 0xffff) + new;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(tcp + 16, ~sum & 0xffff);
	return true;
}
