/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames for the tests of rules (rule_frames.h). */

#include "test/unit/rule_frames.h"

#include <string.h>

const char *const rule_frame_name[RF_CNT] = {
	[RF_TCP4_SYN] = "tcp4 syn",
	[RF_TCP4_ANSWER] = "tcp4 syn+ack",
	[RF_TCP4_DATA] = "tcp4 data",
	[RF_TCP6_ANSWER] = "tcp6 syn+ack",
	[RF_TCP6_DATA] = "tcp6 data",
	[RF_UDP4] = "udp4",
	[RF_UDP6] = "udp6",
	[RF_ICMP4] = "icmp4",
	[RF_ARP] = "arp",
	[RF_DHCP4_DISCOVER] = "dhcp4 discover",
	[RF_DHCP4_ACK] = "dhcp4 ack",
	[RF_DHCP6_SOLICIT] = "dhcp6 solicit",
	[RF_DHCP6_REPLY] = "dhcp6 reply",
	[RF_RS] = "rs",
	[RF_RA] = "ra",
	[RF_NS] = "ns",
	[RF_NA] = "na",
	[RF_MLD] = "mld",
	[RF_OSPF] = "ospf",
	[RF_PPPOE] = "pppoe",
	[RF_BPDU] = "bpdu",
	[RF_IPX] = "ipx",
};

struct writer {
	uint8_t *p;
	uint32_t len;
};

static void put(struct writer *w, const void *bytes, uint32_t n)
{
	memcpy(w->p + w->len, bytes, n);
	w->len += n;
}

static void fill(struct writer *w, uint32_t n)
{
	memset(w->p + w->len, 0, n);
	w->len += n;
}

static void put16(struct writer *w, uint32_t v)
{
	put(w, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_mac(struct writer *w, uint64_t mac)
{
	for (unsigned i = 0; i < 6; i++)
		w->p[w->len++] = (uint8_t)(mac >> (40 - 8 * i));
}

static void ip4(struct writer *w, uint8_t proto, uint32_t payload, uint8_t host)
{
	put16(w, 0x4500);
	put16(w, 20 + payload);
	fill(w, 4);
	put(w, (uint8_t[]){64, proto, 0, 0, 10, 0, 0, host, 10, 0, 0, 99}, 12);
}

static void ip6(struct writer *w, uint8_t next, uint32_t payload, uint8_t host)
{
	put(w, (uint8_t[]){0x60, 0, 0, 0}, 4);
	put16(w, payload);
	put(w, (uint8_t[]){next, 255, 0xfe, 0x80}, 4);
	fill(w, 13);
	put(w, (uint8_t[]){host, 0xfe, 0x80}, 3);
	fill(w, 13);
	put(w, (uint8_t[]){99}, 1);
}

static void tcp(struct writer *w, uint8_t flags)
{
	put16(w, 49152);
	put16(w, 80);
	fill(w, 8);
	put(w, (uint8_t[]){0x50, flags, 0xff, 0xff}, 4);
	fill(w, 4);
}

static void udp(struct writer *w, uint16_t from, uint16_t to, uint32_t payload)
{
	put16(w, from);
	put16(w, to);
	put16(w, 8 + payload);
	put16(w, 0);
}

static void bootp(struct writer *w, uint8_t op, uint8_t type, const struct rule_frame_of *of)
{
	static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};

	put(w, (uint8_t[]){op, 1, 6, 0}, 4);
	fill(w, 12);
	put(w, (uint8_t[]){10, 0, 0, op == 2 ? of->host : 0}, 4);
	fill(w, 8);
	put_mac(w, op == 2 ? of->dst : of->src);
	fill(w, 10 + 192);
	put(w, cookie, 4);
	/* Type, router, end. */
	put(w, (uint8_t[]){53, 1, type, 3, 4, 10, 0, 0, 1, 255}, 10);
}

#define BOOTP 250u

static void dhcp6_reply(struct writer *w, uint8_t host)
{
	put(w, (uint8_t[]){7, 1, 2, 3}, 4);
	put16(w, 1); /* client identifier, of 4 bytes */
	put16(w, 4);
	fill(w, 4);
	put16(w, 3); /* IA_NA: 12 bytes and an address of 24 */
	put16(w, 12 + 28);
	fill(w, 12);
	put16(w, 5);
	put16(w, 24);
	put(w, (uint8_t[]){0xfd, 0}, 2);
	fill(w, 13);
	put(w, &host, 1);
	fill(w, 8);
}

#define DHCP6_REPLY 56u

static uint32_t sum16(const uint8_t *p, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return sum;
}

uint16_t rule_frame_icmp6_sum(const uint8_t *at)
{
	uint32_t payload = (uint32_t)(at[4] << 8 | at[5]);
	uint32_t sum = sum16(at + 8, 32) + payload + 58 + sum16(at + 40, payload);

	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void icmp6(struct writer *w, uint8_t type, uint32_t bytes, uint8_t host)
{
	uint8_t *at = w->p + w->len;
	uint16_t sum;

	ip6(w, 58, bytes, host);
	put(w, (uint8_t[]){type, 0, 0, 0}, 4);
	fill(w, bytes - 4);
	if (type == 134)
		at[46] = 7; /* router lifetime 1800 s and a bit */
	if (type == 135 || type == 136) {
		at[48] = 0xfe;
		at[49] = 0x80;
		at[63] = host;
	}
	sum = rule_frame_icmp6_sum(at);
	at[42] = (uint8_t)(sum >> 8);
	at[43] = (uint8_t)sum;
}

static void layer3(struct writer *w, enum rule_frame kind, const struct rule_frame_of *of)
{
	switch (kind) {
	case RF_TCP4_SYN:
	case RF_TCP4_ANSWER:
	case RF_TCP4_DATA:
		ip4(w, 6, 20, of->host);
		tcp(w, kind == RF_TCP4_SYN ? 0x02 : kind == RF_TCP4_ANSWER ? 0x12 : 0x18);
		break;
	case RF_TCP6_ANSWER:
	case RF_TCP6_DATA:
		ip6(w, 6, 20, of->host);
		tcp(w, kind == RF_TCP6_ANSWER ? 0x12 : 0x18);
		break;
	case RF_UDP4:
		ip4(w, 17, 20, of->host);
		udp(w, 5000, 5001, 12);
		fill(w, 12);
		break;
	case RF_UDP6:
		ip6(w, 17, 20, of->host);
		udp(w, 5000, 5001, 12);
		fill(w, 12);
		break;
	case RF_ICMP4:
		ip4(w, 1, 8, of->host);
		put(w, (uint8_t[]){8, 0, 0, 0, 0, 0, 0, 0}, 8);
		break;
	case RF_ARP:
		put(w, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
		put_mac(w, of->src);
		put(w, (uint8_t[]){10, 0, 0, of->host}, 4);
		fill(w, 6);
		put(w, (uint8_t[]){10, 0, 0, 99}, 4);
		break;
	case RF_DHCP4_DISCOVER:
		ip4(w, 17, 8 + BOOTP, 0);
		udp(w, 68, 67, BOOTP);
		bootp(w, 1, 1, of);
		break;
	case RF_DHCP4_ACK:
		ip4(w, 17, 8 + BOOTP, 1);
		udp(w, 67, 68, BOOTP);
		bootp(w, 2, 5, of);
		break;
	case RF_DHCP6_SOLICIT:
		ip6(w, 17, 12, of->host);
		udp(w, 546, 547, 4);
		put(w, (uint8_t[]){1, 1, 2, 3}, 4);
		break;
	case RF_DHCP6_REPLY:
		ip6(w, 17, 8 + DHCP6_REPLY, 1);
		udp(w, 547, 546, DHCP6_REPLY);
		dhcp6_reply(w, of->host);
		break;
	case RF_RS:
		icmp6(w, 133, 8, of->host);
		break;
	case RF_RA:
		icmp6(w, 134, 16, of->host);
		break;
	case RF_NS:
		icmp6(w, 135, 24, of->host);
		break;
	case RF_NA:
		icmp6(w, 136, 24, of->host);
		break;
	case RF_MLD:
		ip6(w, 0, 8 + 28, of->host);
		put(w, (uint8_t[]){58, 0, 5, 2, 0, 0, 1, 0, 143}, 9);
		fill(w, 27);
		break;
	case RF_OSPF:
		ip4(w, 89, 24, of->host);
		fill(w, 24);
		break;
	case RF_BPDU:
		put(w, (uint8_t[]){0x42, 0x42, 0x03, 0, 0, 0, 0, 0}, 8);
		fill(w, 12);
		put(w, (uint8_t[]){0x80, 0, 2, 0xb0, 0, 0, 0, of->host}, 8);
		fill(w, 10);
		break;
	case RF_PPPOE:
	case RF_IPX:
		fill(w, 46);
		break;
	case RF_CNT:
		break;
	}
}

static uint32_t ethertype(enum rule_frame kind)
{
	switch (kind) {
	case RF_ARP:
		return 0x0806;
	case RF_PPPOE:
		return 0x8864;
	case RF_BPDU:
		return 38;
	case RF_IPX:
		return 0x8137;
	case RF_TCP6_ANSWER:
	case RF_TCP6_DATA:
	case RF_UDP6:
	case RF_DHCP6_SOLICIT:
	case RF_DHCP6_REPLY:
	case RF_RS:
	case RF_RA:
	case RF_NS:
	case RF_NA:
	case RF_MLD:
		return 0x86dd;
	default:
		return 0x0800;
	}
}

uint32_t rule_frame_write(enum rule_frame kind, const struct rule_frame_of *of, uint8_t *out)
{
	struct writer w = {.p = out};

	put_mac(&w, of->dst);
	put_mac(&w, of->src);
	if (of->vlan != 0) {
		put16(&w, 0x8100);
		put16(&w, of->vlan);
	}
	put16(&w, ethertype(kind));
	layer3(&w, kind, of);
	return w.len;
}
