/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_FRAME_CLASS_H
#define PATCHBAY_DATAPLANE_FRAME_CLASS_H

/*
 * What a frame is, as far as some rule asks: a set of classes in one word, and the addresses.
 *
 * A rule is a mask of classes ("drop a frame of any of these"), so that testing all rules of a port costs
 * one AND per frame, whatever their number. Which rule it was follows from the lowest bit of the
 * intersection: the order of the bits is the order of the tests in reference/policy.md 3, then that of the
 * hub's own filters (reference/hub.md 3 step 13).
 *
 * The parser is pure and bounded: it reads frame bytes below `len` only, looks through one VLAN tag
 * (hub.md 9 recommends that; the original takes a tagged frame for non-IP), through up to FRAME_CLASS_WRAPPERS
 * tags of VLAN 0 and LLC/SNAP headers before and behind it, since hosts do (what they let a sender past is VU#855201),
 * at layer 4 in the first fragment only, and at no more than FRAME_CLASS_EXTENSIONS extension headers of IPv6. What it cannot see it does
 * not guess; what is cut off within a header is FRAME_MALFORMED (hub.md 3 step 5), and so is a chain
 * of extension headers, or of tags of VLAN 0, that does not end. Measured with Debian's server: an IPv4 header length below 20 or beyond the
 * packet's end and a version that is not 4 are an unknown payload and no error; total length below 20 (but not 0) and
 * IPv6 with another version are.
 */

#include <stdint.h>

#include "dataplane/frame.h"

#define FRAME_CLASS_EXTENSIONS 8u
#define FRAME_CLASS_WRAPPERS   4u

/* Tested by policies, in this order. */
#define FRAME_TCP4_ANSWER  (UINT64_C(1) << 0) /* IPv4 TCP with SYN and ACK: some server answers */
#define FRAME_TCP6_ANSWER  (UINT64_C(1) << 1)
#define FRAME_GROUP_OTHER  (UINT64_C(1) << 2) /* I/G bit, and none of ARP, DHCP, ICMPv6, DHCPv6 */
#define FRAME_IPV4	   (UINT64_C(1) << 3) /* EtherType 0x0800 and 0x0806 */
#define FRAME_IPV6	   (UINT64_C(1) << 4) /* 0x86dd */
#define FRAME_NON_IP	   (UINT64_C(1) << 5) /* neither */
#define FRAME_DHCP4	   (UINT64_C(1) << 6) /* UDP ports 67 and 68 */
#define FRAME_DHCP6	   (UINT64_C(1) << 7) /* UDPv6 to port 546 or 547 */
#define FRAME_DHCP4_SERVER (UINT64_C(1) << 8) /* op = reply, or not in this fragment */
#define FRAME_DHCP6_SERVER (UINT64_C(1) << 9) /* to 546 or from 547 */
#define FRAME_RS	   (UINT64_C(1) << 10)
#define FRAME_RA	   (UINT64_C(1) << 11)
/* Tested by hubs alone. */
#define FRAME_PPPOE (UINT64_C(1) << 12) /* 0x8863, 0x8864 */
#define FRAME_OSPF  (UINT64_C(1) << 13) /* IP protocol 89 */
#define FRAME_BPDU  (UINT64_C(1) << 14) /* to 01-80-C2-00-00-00, LLC 42-42-03 */
/* Never a rule by itself. */
#define FRAME_MALFORMED	  (UINT64_C(1) << 16)
#define FRAME_ARP	  (UINT64_C(1) << 17) /* Ethernet (or IEEE 802) and IPv4 inside */
#define FRAME_UNMETERED	  (UINT64_C(1) << 18) /* bandwidth limits let it pass (policy.md 5) */
#define FRAME_SOURCE4	  (UINT64_C(1) << 19) /* src[] is an IPv4 source the IP table looks at */
#define FRAME_SOURCE6	  (UINT64_C(1) << 20)
#define FRAME_DHCP4_ACK	  (UINT64_C(1) << 21) /* lease[]: yiaddr; client: chaddr */
#define FRAME_DHCP6_LEASE (UINT64_C(1) << 22) /* lease[]: the first address a Reply assigns */
#define FRAME_ADVERTISED  (UINT64_C(1) << 23) /* lease[]: target of a neighbour advertisement */
#define FRAME_TAGGED	  (UINT64_C(1) << 24)
#define FRAME_TCP_SYN	  (UINT64_C(1) << 25)
#define FRAME_BROADCAST	  (UINT64_C(1) << 26) /* I/G bit of the destination */
#define FRAME_ICMP6	  (UINT64_C(1) << 27)
#define FRAME_PACKET \
	(UINT64_C(1) << 28) /* IPv4 or IPv6 with a header that makes sense: proto is set */
#define FRAME_FRAGMENT (UINT64_C(1) << 29) /* of a packet, and not the first: there is no layer 4 */
/*
 * IPv4 TCP from its ninth byte on. Behind a first fragment with a whole header it can only be there to write over that
 * one's flags, where a host puts the two together (RFC 1858, RFC 3128). Of IPv6 hosts discard what overlaps (RFC 5722).
 */
#define FRAME_TCP4_OVERLAP (UINT64_C(1) << 30)

/* What stands behind Ethernet and tags, if it can be read; an IPv4 header that makes no sense is none. */
enum frame_l3 {
	FRAME_L3_NONE,
	FRAME_L3_ARP, /* any ARP; FRAME_ARP: Ethernet and IPv4 inside */
	FRAME_L3_IPV4,
	FRAME_L3_IPV6,
};

/*
 * All that most frames are: untagged unicast with TCP or UDP over IPv4, without options, from somebody's address, no
 * first or last segment of a connection, no DHCP.
 */
#define FRAME_USUAL	   (FRAME_IPV4 | FRAME_PACKET | FRAME_SOURCE4)
#define FRAME_USUAL_SRC_AT 26u /* where their source address stands */

struct frame_class {
	uint64_t classes;
	uint16_t l3_at;	   /* behind Ethernet, tags and LLC */
	uint16_t l4_at;	   /* 0: there is none to be seen */
	uint16_t vlan;	   /* of the tag that is looked through, 0 = none */
	uint8_t proto;	   /* of what the packet carries; of IPv6 behind its extension headers */
	uint8_t l3;	   /* enum frame_l3 */
	uint8_t tcp_flags; /* l4_at says whether it is there */
	/* 16 bytes each; IPv4 as ::ffff:a.b.c.d. Of ARP: sender, target. Zero where there is none. */
	uint8_t src[16] __attribute__((aligned(8)));
	uint8_t dst[16] __attribute__((aligned(8)));
	uint8_t lease[16] __attribute__((aligned(8)));
	uint64_t client; /* MAC, as frame_mac() */
};

/* Fills *out for a frame of FRAME_MIN_BYTES or more. Pure. Any thread. */
void frame_classify(const uint8_t *data, uint32_t len, struct frame_class *out);
/* Which of n frames, FRAME_BURST at most, are FRAME_USUAL and no more. Adds up their lengths, of all n. Pure. */
uint64_t frame_usual(struct frame *const *frames, unsigned n, uint32_t *bytes);

#endif
