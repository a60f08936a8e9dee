/* SPDX-License-Identifier: BSD-3-Clause */
/* What a frame is (frame_class.h): one pass over its headers, pure and bounded. */

#include "dataplane/frame_class.h"

#include <stdbool.h>

#include "dataplane/byte_order.h"

#define ETHERTYPE_IPV4	   0x0800u
#define ETHERTYPE_ARP	   0x0806u
#define ETHERTYPE_VLAN	   0x8100u
#define ETHERTYPE_IPV6	   0x86ddu
#define ETHERTYPE_PPPOE	   0x8863u /* discovery; 0x8864: session */
#define ETHERTYPE_SERVICE  0x88a8u /* 802.1ad */
#define ETHERTYPE_LEAST	   0x0600u /* below: a length, and LLC behind it */
#define ETHERNET_BYTES	   14u
#define TAG_BYTES	   4u
#define SNAP_BYTES	   8u /* LLC, organisation, EtherType */
#define ARP_BYTES	   28u
#define IPV4_BYTES	   20u
#define IPV6_BYTES	   40u
#define TCP_BYTES	   20u
#define UDP_BYTES	   8u
#define ICMP_BYTES	   4u
#define NA_BYTES	   24u
#define PROTO_HOP_BY_HOP   0u
#define PROTO_ICMP	   1u
#define PROTO_TCP	   6u
#define PROTO_UDP	   17u
#define PROTO_ROUTING	   43u
#define PROTO_FRAGMENT	   44u
#define PROTO_AH	   51u
#define PROTO_ICMP6	   58u
#define PROTO_DESTINATION  60u
#define PROTO_OSPF	   89u
#define PROTO_MOBILITY	   135u
#define TCP_FLAGS_AT	   13u
#define TCP_FIN		   0x01u
#define TCP_SYN		   0x02u
#define TCP_RST		   0x04u
#define TCP_ACK		   0x10u
#define ICMP6_RS	   133u
#define ICMP6_RA	   134u
#define ICMP6_NA	   136u
#define BOOTP_BYTES	   240u /* up to and with the magic cookie */
#define BOOTP_REPLY	   2u
#define DHCP_OPTION_PAD	   0u
#define DHCP_OPTION_TYPE   53u
#define DHCP_OPTION_END	   255u
#define DHCP_ACK	   5u
#define DHCP6_REPLY	   7u
#define DHCP6_IA_NA	   3u
#define DHCP6_IAADDR	   5u
#define DHCP6_IA_NA_HEADER 12u

/* The frame under the eye: `end` is where the packet in it ends, at most its length. */
struct view {
	const uint8_t *p;
	uint32_t end;
	struct frame_class *c;
};

static bool has(const struct view *v, uint32_t at, uint32_t bytes)
{
	return at <= v->end && v->end - at >= bytes;
}

static void put4(uint8_t *to, const uint8_t *from)
{
	to[10] = 0xff;
	to[11] = 0xff;
	memcpy(to + 12, from, 4);
}

/* An IPv4 address that belongs to somebody. */
static bool is_host4(const uint8_t *a)
{
	uint32_t v = be32(a);

	return v != 0 && v != UINT32_MAX;
}

/*
 * Not multicast, not ::, not ::1. Nor ::ffff:a.b.c.d: no host has that, and in the IP table it is IPv4's, so that a
 * DHCPv6 server could say whose an IPv4 address is.
 */
static bool is_host6(const uint8_t *a)
{
	uint64_t hi, lo;

	memcpy(&hi, a, 8);
	memcpy(&lo, a + 8, 8);
	lo = __builtin_bswap64(lo);
	return a[0] != 0xff && (hi != 0 || (lo > 1 && lo >> 32 != 0xffff));
}

/* ---- DHCP ------------------------------------------------------------------------------------- */

/* Value of the message type option, 0 if it is not there. */
static uint32_t dhcp4_type(const struct view *v, uint32_t at)
{
	while (has(v, at, 1) && v->p[at] != DHCP_OPTION_END) {
		uint32_t bytes;

		if (v->p[at] == DHCP_OPTION_PAD) {
			at++;
			continue;
		}
		if (!has(v, at, 2))
			return 0;
		bytes = v->p[at + 1];
		if (v->p[at] == DHCP_OPTION_TYPE)
			return bytes == 1 && has(v, at, 3) ? v->p[at + 2] : 0;
		at += 2 + bytes;
	}
	return 0;
}

static void dhcp4(struct view *v, uint32_t at)
{
	static const uint8_t ethernet[] = {1, 6}, cookie[] = {0x63, 0x82, 0x53, 0x63};
	const uint8_t *p = v->p + at;

	v->c->classes |= FRAME_DHCP4;
	/* A first fragment may end before it says; a whole message never does. */
	if (!has(v, at, 1) || p[0] == BOOTP_REPLY)
		v->c->classes |= FRAME_DHCP4_SERVER;
	/* Only what really is DHCP goes past the bandwidth limit. */
	if (!has(v, at, BOOTP_BYTES) || memcmp(p + BOOTP_BYTES - 4, cookie, 4) != 0)
		return;
	v->c->classes |= FRAME_UNMETERED;
	if (p[0] != BOOTP_REPLY || memcmp(p + 1, ethernet, 2) != 0 || !is_host4(p + 16) ||
		dhcp4_type(v, at + BOOTP_BYTES) != DHCP_ACK)
		return;
	v->c->classes |= FRAME_DHCP4_ACK;
	put4(v->c->lease, p + 16);
	v->c->client = frame_mac(p + 28);
}

/* The first option `want` in at..end; 0: there is none. *bytes: of its value. */
static uint32_t dhcp6_option(
	const struct view *v, uint32_t at, uint32_t end, uint32_t want, uint32_t *bytes)
{
	while (at + 4 <= end) {
		*bytes = be16(v->p + at + 2);
		if (*bytes > end - at - 4)
			return 0;
		if (be16(v->p + at) == want)
			return at + 4;
		at += 4 + *bytes;
	}
	return 0;
}

static void dhcp6(struct view *v, uint32_t from, uint32_t to, uint32_t at)
{
	uint32_t ia, addr, bytes;

	v->c->classes |= FRAME_DHCP6 | FRAME_UNMETERED;
	if (to == 546 || from == 547)
		v->c->classes |= FRAME_DHCP6_SERVER;
	if (to != 546 || !has(v, at, 4) || v->p[at] != DHCP6_REPLY)
		return;
	ia = dhcp6_option(v, at + 4, v->end, DHCP6_IA_NA, &bytes);
	if (ia == 0 || bytes < DHCP6_IA_NA_HEADER)
		return;
	addr = dhcp6_option(v, ia + DHCP6_IA_NA_HEADER, ia + bytes, DHCP6_IAADDR, &bytes);
	if (addr == 0 || bytes < 24 || !is_host6(v->p + addr))
		return;
	v->c->classes |= FRAME_DHCP6_LEASE;
	memcpy(v->c->lease, v->p + addr, 16);
	/* The reply goes to the client itself; one for a relay is sent to port 547. */
	v->c->client = frame_mac(v->p);
}

/* ---- layer 4 ---------------------------------------------------------------------------------- */

static void tcp(struct view *v, uint32_t at, uint64_t answer)
{
	uint32_t flags;

	if (!has(v, at, TCP_BYTES)) {
		v->c->classes |= FRAME_MALFORMED;
		return;
	}
	v->c->l4_at = (uint16_t)at;
	flags = v->p[at + TCP_FLAGS_AT];
	v->c->tcp_flags = (uint8_t)flags;
	if ((flags & (TCP_SYN | TCP_FIN | TCP_RST)) != 0)
		v->c->classes |= FRAME_UNMETERED;
	if ((flags & TCP_SYN) != 0)
		v->c->classes |= FRAME_TCP_SYN | ((flags & TCP_ACK) != 0 ? answer : 0);
}

static void udp(struct view *v, uint32_t at, bool ipv6)
{
	uint32_t from, to;

	if (!has(v, at, UDP_BYTES)) {
		v->c->classes |= FRAME_MALFORMED;
		return;
	}
	v->c->l4_at = (uint16_t)at;
	from = be16(v->p + at);
	to = be16(v->p + at + 2);
	if (ipv6) {
		if (to == 546 || to == 547)
			dhcp6(v, from, to, at + UDP_BYTES);
		else if (from == 547)
			v->c->classes |= FRAME_DHCP6_SERVER;
	} else if (to == 67 || to == 68) {
		dhcp4(v, at + UDP_BYTES);
	}
}

static void icmp(struct view *v, uint32_t at)
{
	v->c->classes |= FRAME_UNMETERED;
	if (has(v, at, ICMP_BYTES))
		v->c->l4_at = (uint16_t)at;
	else
		v->c->classes |= FRAME_MALFORMED;
}

static void icmp6(struct view *v, uint32_t at)
{
	icmp(v, at);
	v->c->classes |= FRAME_ICMP6;
	if (v->c->l4_at == 0)
		return;
	switch (v->p[at]) {
	case ICMP6_RS:
		v->c->classes |= FRAME_RS;
		break;
	case ICMP6_RA:
		v->c->classes |= FRAME_RA;
		break;
	case ICMP6_NA:
		if (has(v, at, NA_BYTES) && is_host6(v->p + at + 8)) {
			v->c->classes |= FRAME_ADVERTISED;
			memcpy(v->c->lease, v->p + at + 8, 16);
		}
		break;
	}
}

/* ---- layer 3 ---------------------------------------------------------------------------------- */

static void arp(struct view *v, uint32_t at)
{
	static const uint8_t mac_ipv4[] = {0x08, 0x00, 6, 4};
	const uint8_t *p = v->p + at;
	uint32_t hardware;

	v->c->classes |= FRAME_IPV4 | FRAME_UNMETERED;
	v->c->l3 = FRAME_L3_ARP;
	if (!has(v, at, ARP_BYTES)) {
		v->c->classes |= FRAME_MALFORMED;
		return;
	}
	/* Linux takes 6, which is IEEE 802, for Ethernet as well: a filter must not know less than hosts do. */
	hardware = be16(p);
	if ((hardware != 1 && hardware != 6) || memcmp(p + 2, mac_ipv4, sizeof(mac_ipv4)) != 0)
		return;
	v->c->classes |= FRAME_ARP;
	put4(v->c->src, p + 14);
	put4(v->c->dst, p + 24);
	if (is_host4(p + 14))
		v->c->classes |= FRAME_SOURCE4;
}

static void ipv4(struct view *v, uint32_t at)
{
	const uint8_t *p = v->p + at;
	uint32_t header, total;

	v->c->classes |= FRAME_IPV4;
	if (!has(v, at, IPV4_BYTES)) {
		v->c->classes |= FRAME_MALFORMED;
		return;
	}
	header = (p[0] & 0x0fu) * 4;
	if (p[0] >> 4 != 4 || header < IPV4_BYTES)
		return;
	total = be16(p + 2);
	if (total != 0 && total < v->end - at)
		v->end = at + total;
	if (!has(v, at, IPV4_BYTES)) {
		v->c->classes |= FRAME_MALFORMED;
		return;
	}
	if (!has(v, at, header))
		return;
	v->c->l3 = FRAME_L3_IPV4;
	put4(v->c->src, p + 12);
	put4(v->c->dst, p + 16);
	v->c->proto = p[9];
	v->c->classes |= FRAME_PACKET;
	if (p[9] == PROTO_OSPF)
		v->c->classes |= FRAME_OSPF;
	/* Of fragments only the first has a header behind this one. */
	if ((be16(p + 6) & 0x1fff) == 0) {
		if (p[9] == PROTO_TCP)
			tcp(v, at + header, FRAME_TCP4_ANSWER);
		else if (p[9] == PROTO_UDP)
			udp(v, at + header, false);
		else if (p[9] == PROTO_ICMP)
			icmp(v, at + header);
	} else {
		v->c->classes |= FRAME_FRAGMENT;
		if (p[9] == PROTO_TCP && (be16(p + 6) & 0x1fff) == TCP_FLAGS_AT / 8)
			v->c->classes |= FRAME_TCP4_OVERLAP;
	}
	if ((v->c->classes & FRAME_DHCP4) == 0 && is_host4(p + 12))
		v->c->classes |= FRAME_SOURCE4;
}

/*
 * Where the upper layer begins, its protocol in *proto; 0: it is not in this fragment, or the chain of headers
 * does not end within the packet or within FRAME_CLASS_EXTENSIONS. That is malformed: who could hide what a
 * packet is behind headers would pass every filter.
 */
static uint32_t ipv6_upper(struct view *v, uint32_t at, uint32_t *proto)
{
	for (unsigned i = 0; i <= FRAME_CLASS_EXTENSIONS; i++) {
		bool fragment = *proto == PROTO_FRAGMENT;
		uint32_t bytes;

		switch (*proto) {
		case PROTO_HOP_BY_HOP:
		case PROTO_ROUTING:
		case PROTO_FRAGMENT:
		case PROTO_AH:
		case PROTO_DESTINATION:
		case PROTO_MOBILITY:
			break;
		default:
			return at;
		}
		if (!has(v, at, 8))
			break;
		if (fragment && (be16(v->p + at + 2) & 0xfff8) != 0) {
			*proto = v->p[at];
			v->c->classes |= FRAME_FRAGMENT;
			return 0;
		}
		bytes = fragment	     ? 8
			: *proto == PROTO_AH ? (v->p[at + 1] + 2u) * 4
					     : (v->p[at + 1] + 1u) * 8;
		*proto = v->p[at];
		at += bytes;
	}
	v->c->classes |= FRAME_MALFORMED;
	return 0;
}

static void ipv6(struct view *v, uint32_t at)
{
	const uint8_t *p = v->p + at;
	uint32_t payload, upper, proto;

	v->c->classes |= FRAME_IPV6;
	if (!has(v, at, IPV6_BYTES) || p[0] >> 4 != 6) {
		v->c->classes |= FRAME_MALFORMED;
		return;
	}
	payload = be16(p + 4);
	if (payload != 0 && payload < v->end - at - IPV6_BYTES)
		v->end = at + IPV6_BYTES + payload;
	v->c->l3 = FRAME_L3_IPV6;
	memcpy(v->c->src, p + 8, 16);
	memcpy(v->c->dst, p + 24, 16);
	if (is_host6(p + 8))
		v->c->classes |= FRAME_SOURCE6;
	v->c->classes |= FRAME_PACKET;
	proto = p[6];
	upper = ipv6_upper(v, at + IPV6_BYTES, &proto);
	v->c->proto = (uint8_t)proto;
	if (upper == 0)
		return;
	if (proto == PROTO_TCP)
		tcp(v, upper, FRAME_TCP6_ANSWER);
	else if (proto == PROTO_UDP)
		udp(v, upper, true);
	else if (proto == PROTO_ICMP6)
		icmp6(v, upper);
	else if (proto == PROTO_OSPF)
		v->c->classes |= FRAME_OSPF;
}

/* ---- layer 2 ---------------------------------------------------------------------------------- */

static bool is_bpdu(const uint8_t *p, uint32_t len)
{
	static const uint8_t to[] = {0x01, 0x80, 0xc2, 0, 0, 0}, llc[] = {0x42, 0x42, 0x03};

	return len >= ETHERNET_BYTES + sizeof(llc) && memcmp(p, to, sizeof(to)) == 0 &&
		memcmp(p + ETHERNET_BYTES, llc, sizeof(llc)) == 0;
}

static bool is_wrapper(uint32_t type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_SERVICE || type < ETHERTYPE_LEAST;
}

/* LLC that stands for an EtherType: of RFC 1042, or the one that bridges to 802.11 take for it. */
static bool is_snap(const uint8_t *p)
{
	static const uint8_t llc[] = {0xaa, 0xaa, 0x03, 0, 0};

	return memcmp(p, llc, sizeof(llc)) == 0 && (p[5] == 0 || p[5] == 0xf8);
}

/*
 * Where begins what the frame carries, and its EtherType. A host takes off tags of VLAN 0, which say a priority alone,
 * one after the other and of either EtherType, and some take LLC/SNAP off: what they find then is what rules are
 * about. One tag of 802.1Q may name a VLAN, also behind such (Linux looks for its device there); a further one that does,
 * and a provider's, is where looking ends.
 */
static uint32_t unwrap(const uint8_t *data, uint32_t len, uint32_t *type, struct frame_class *c)
{
	uint32_t at = ETHERNET_BYTES;
	unsigned wrappers = 0;

	while (is_wrapper(*type)) {
		bool first = *type == ETHERTYPE_VLAN && (c->classes & FRAME_TAGGED) == 0;
		bool llc = *type < ETHERTYPE_LEAST;
		uint32_t bytes = llc ? SNAP_BYTES : TAG_BYTES;
		uint32_t vlan = 0;

		if (len < at + bytes || (llc && !is_snap(data + at)))
			break;
		if (!llc)
			vlan = be16(data + at) & 0x0fff;
		if (vlan != 0 && (*type != ETHERTYPE_VLAN || c->vlan != 0))
			break;
		if (!first && wrappers++ == FRAME_CLASS_WRAPPERS) {
			c->classes |= FRAME_MALFORMED;
			break;
		}
		if (!llc)
			c->classes |= FRAME_TAGGED;
		if (vlan != 0)
			c->vlan = (uint16_t)vlan;
		at += bytes;
		*type = be16(data + at - 2);
	}
	return at;
}

/* What arp_dhcp_only lets pass besides unicast; any ARP, also one that is not for Ethernet. */
static bool is_housekeeping(uint64_t classes, uint32_t type)
{
	return type == ETHERTYPE_ARP || (classes & (FRAME_DHCP4 | FRAME_DHCP6 | FRAME_ICMP6)) != 0;
}

/* ---- the usual frame -------------------------------------------------------------------------- */

#define PLAIN_TCP_AT (ETHERNET_BYTES + IPV4_BYTES)
#define PLAIN_BYTES  (PLAIN_TCP_AT + TCP_BYTES)
/* The upper half of ::ffff:0:0 as it is loaded from memory, and four bytes likewise. */
#define MAPPED4 UINT64_C(0x00000000ffff0000)

static uint64_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The same words made of bytes, lowest address first. */
#define BYTES8(a, b, c, d, e, f, g, h)                                                    \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 | \
		(uint64_t)(e) << 32 | (uint64_t)(f) << 40 | (uint64_t)(g) << 48 |         \
		(uint64_t)(h) << 56)

/*
 * By the first 48 bytes, without a branch on them (what one frame is says nothing about the next) and mostly without
 * turning bytes round.
 */
static inline bool is_usual(const uint8_t *data)
{
	/* EtherType, version and header length; fragment and protocol; port 67 or 68 less 67. */
	uint64_t head = load64(data + 12) & BYTES8(0xff, 0xff, 0xff, 0, 0, 0, 0, 0);
	uint64_t carried = load64(data + 20) & BYTES8(0x1f, 0xff, 0, 0xff, 0, 0, 0, 0);
	uint32_t port =
		(uint32_t)(load32(data + PLAIN_TCP_AT) >> 16) - BYTES8(0, 67, 0, 0, 0, 0, 0, 0);
	bool host = load32(data + FRAME_USUAL_SRC_AT) - 1 < UINT32_MAX - 1;
	bool whole = be16(data + 16) >= IPV4_BYTES + TCP_BYTES;
	bool tcp = (carried == BYTES8(0, 0, 0, PROTO_TCP, 0, 0, 0, 0)) &
		((data[PLAIN_TCP_AT + 13] & (TCP_SYN | TCP_FIN | TCP_RST)) == 0);
	bool udp = (carried == BYTES8(0, 0, 0, PROTO_UDP, 0, 0, 0, 0)) &
		((port & ~(uint32_t)BYTES8(0, 1, 0, 0, 0, 0, 0, 0)) != 0);

	return (head == BYTES8(0x08, 0x00, 0x45, 0, 0, 0, 0, 0)) & ((data[0] & 1) == 0) & whole &
		host & (tcp | udp);
}

uint64_t frame_usual(struct frame *const *frames, unsigned n, uint32_t *bytes)
{
	uint64_t usual = 0;
	uint32_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = frames[i];

		sum += f->len;
		if (f->len >= PLAIN_BYTES)
			usual |= (uint64_t)is_usual(f->data) << i;
	}
	*bytes = sum;
	return usual;
}

/* Says the same of those as the long way, in a third of the time; false: take that one. */
static inline bool plain(const uint8_t *data, uint32_t len, struct frame_class *out)
{
	uint64_t src, dst;

	if (len < PLAIN_BYTES || !is_usual(data))
		return false;
	src = load32(data + 26) << 32 | MAPPED4;
	dst = load32(data + 30) << 32 | MAPPED4;
	*out = (struct frame_class){
		.classes = FRAME_USUAL,
		.l3_at = ETHERNET_BYTES,
		.l4_at = PLAIN_TCP_AT,
		.l3 = FRAME_L3_IPV4,
		.proto = data[23],
		.tcp_flags = data[23] == PROTO_TCP ? data[PLAIN_TCP_AT + 13] : 0,
	};
	memcpy(out->src + 8, &src, 8);
	memcpy(out->dst + 8, &dst, 8);
	return true;
}

static void classify(const uint8_t *data, uint32_t len, struct frame_class *out)
{
	struct view v = {.p = data, .end = len, .c = out};
	uint32_t at, type = be16(data + 12);

	*out = (struct frame_class){.classes = (data[0] & 1) != 0 ? FRAME_BROADCAST : 0};
	at = unwrap(data, len, &type, out);
	out->l3_at = (uint16_t)at;
	switch (type) {
	case ETHERTYPE_IPV4:
		ipv4(&v, at);
		break;
	case ETHERTYPE_IPV6:
		ipv6(&v, at);
		break;
	case ETHERTYPE_ARP:
		arp(&v, at);
		break;
	case ETHERTYPE_PPPOE:
	case ETHERTYPE_PPPOE + 1:
		out->classes |= FRAME_NON_IP | FRAME_PPPOE;
		break;
	default:
		out->classes |= FRAME_NON_IP;
		if (is_bpdu(data, len))
			out->classes |= FRAME_BPDU;
	}
	if ((out->classes & FRAME_BROADCAST) != 0 && !is_housekeeping(out->classes, type))
		out->classes |= FRAME_GROUP_OTHER;
}

void frame_classify(const uint8_t *data, uint32_t len, struct frame_class *out)
{
	if (!plain(data, len, out))
		classify(data, len, out);
}
