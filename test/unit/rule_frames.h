/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_RULE_FRAMES_H
#define PATCHBAY_TEST_UNIT_RULE_FRAMES_H

/* One frame of each kind that some rule of policy.md or hub.md looks for. */

#include <stdbool.h>
#include <stdint.h>

#define RULE_FRAME_BYTES 400u

enum rule_frame {
	RF_TCP4_SYN,
	RF_TCP4_ANSWER,
	RF_TCP4_DATA,
	RF_TCP6_ANSWER,
	RF_TCP6_DATA,
	RF_UDP4,
	RF_UDP6,
	RF_ICMP4,
	RF_ARP,
	RF_DHCP4_DISCOVER,
	RF_DHCP4_ACK,
	RF_DHCP6_SOLICIT,
	RF_DHCP6_REPLY,
	RF_RS,
	RF_RA,
	RF_NS,
	RF_NA,
	RF_MLD, /* ICMPv6 behind a hop-by-hop header */
	RF_OSPF,
	RF_PPPOE,
	RF_BPDU,
	RF_IPX,
	RF_CNT
};

extern const char *const rule_frame_name[RF_CNT];

/* IPv4 source 10.0.0.`host` and IPv6 source fe80::`host`; destinations end in 99. DHCP: lease for `host`. */
struct rule_frame_of {
	uint64_t dst, src; /* MACs */
	uint16_t vlan;	   /* 0: untagged */
	uint8_t host;
};

/* Writes it to `out` (RULE_FRAME_BYTES); returns its length. */
uint32_t rule_frame_write(enum rule_frame kind, const struct rule_frame_of *of, uint8_t *out);

/* Checksum of an ICMPv6 packet at `ip6` (40-byte header, nothing between); 0 when it is right. */
uint16_t rule_frame_icmp6_sum(const uint8_t *ip6);

#endif
