/* SPDX-License-Identifier: BSD-3-Clause */
/* What an access rule can ask of a frame, as seven words (access_priv.h). */

#include <string.h>

#include "dataplane/access_priv.h"
#include "dataplane/byte_order.h"

#define PROTO_ICMP  1u
#define PROTO_TCP   6u
#define PROTO_UDP   17u
#define PROTO_ICMP6 58u
#define TCP_SYN	    0x02u
#define TCP_ACK	    0x10u
#define TCP_BYTES   20u
#define UDP_BYTES   8u
#define ICMP_BYTES  4u

/* Of the usual frame: EtherType, IPv4 header without options, the layer above. */
#define IP_AT	 14u
#define L4_AT	 34u
#define FLAGS_AT 13u /* of TCP, behind its begin */

static_assert(sizeof(struct access_key) == 72, "words, then what rte_acl alone reads");
static_assert(offsetof(struct access_key, src_who) == 8 * ACCESS_KEY_WORDS);

static uint8_t protocol_bit(uint32_t protocol)
{
	switch (protocol) {
	case PROTO_TCP:
		return ACCESS_L4_IS_TCP;
	case PROTO_UDP:
		return ACCESS_L4_IS_UDP;
	case PROTO_ICMP:
		return ACCESS_L4_IS_ICMP;
	case PROTO_ICMP6:
		return ACCESS_L4_IS_ICMP6;
	default:
		return 0;
	}
}

uint8_t access_protocol_bit(uint8_t protocol)
{
	return protocol_bit(protocol);
}

/* All but what opens a connection. */
static uint8_t tcp_bits(uint32_t flags)
{
	return ACCESS_L4_PORTS | ACCESS_L4_TCP |
		((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN ? 0 : ACCESS_L4_ESTABLISHED);
}

static void put_l4(const uint8_t *data, const struct frame_class *c, struct access_key *key)
{
	key->protocol = c->proto;
	key->l4 = protocol_bit(c->proto);
	if (c->l4_at == 0 || (c->proto != PROTO_TCP && c->proto != PROTO_UDP))
		return;
	key->l4 |= c->proto == PROTO_TCP ? tcp_bits(c->tcp_flags) : ACCESS_L4_PORTS;
	memcpy(key->ports, data + c->l4_at, 4);
}

static bool is_nobody(const uint8_t *ip4)
{
	uint32_t a;

	memcpy(&a, ip4, 4);
	return a == 0 || a == UINT32_MAX;
}

static enum access_kind arp_key(const struct frame_class *c, bool arp, struct access_key *key)
{
	if (!arp || (c->classes & FRAME_ARP) == 0 || is_nobody(c->src + 12) ||
		is_nobody(c->dst + 12))
		return ACCESS_KIND_EXEMPT;
	memcpy(key->address, c->src + 12, 4);
	memcpy(key->address + 4, c->dst + 12, 4);
	return ACCESS_KIND_IPV4;
}

enum access_kind access_key_of(
	const uint8_t *data, const struct frame_class *c, bool arp, struct access_key *key)
{
	enum access_kind kind = ACCESS_KIND_OTHER;

	if ((c->classes & FRAME_MALFORMED) != 0)
		return ACCESS_KIND_MALFORMED;
	memset(key, 0, sizeof(*key));
	memcpy(key->macs, data, sizeof(key->macs));
	switch (c->l3) {
	case FRAME_L3_ARP:
		kind = arp_key(c, arp, key);
		break;
	case FRAME_L3_IPV4:
		kind = ACCESS_KIND_IPV4;
		memcpy(key->address, c->src + 12, 4);
		memcpy(key->address + 4, c->dst + 12, 4);
		put_l4(data, c, key);
		break;
	case FRAME_L3_IPV6:
		kind = ACCESS_KIND_IPV6;
		memcpy(key->address, c->src, 16);
		memcpy(key->address + 16, c->dst, 16);
		put_l4(data, c, key);
		break;
	default:
		break;
	}
	key->kind = (uint8_t)kind;
	return kind;
}

bool access_key_fast(const uint8_t *data, uint32_t len, struct access_key *key)
{
	uint32_t total, l4_bytes, protocol;
	uint8_t l4;

	if (len < L4_AT || data[12] != 0x08 || data[13] != 0x00 || data[IP_AT] != 0x45 ||
		(be16(data + IP_AT + 6) & 0x1fff) != 0)
		return false;
	total = be16(data + IP_AT + 2);
	if (total > len - IP_AT || total < L4_AT - IP_AT)
		return false;
	l4_bytes = total - (L4_AT - IP_AT);
	protocol = data[IP_AT + 9];
	switch (protocol) {
	case PROTO_TCP:
		if (l4_bytes < TCP_BYTES)
			return false;
		l4 = ACCESS_L4_IS_TCP | tcp_bits(data[L4_AT + FLAGS_AT]);
		break;
	case PROTO_UDP:
		if (l4_bytes < UDP_BYTES)
			return false;
		l4 = ACCESS_L4_IS_UDP | ACCESS_L4_PORTS;
		break;
	default:
		return false;
	}
	key->word[0] = 0;
	key->kind = ACCESS_KIND_IPV4;
	key->protocol = (uint8_t)protocol;
	key->l4 = l4;
	memcpy(key->ports, data + L4_AT, 4);
	memcpy(&key->word[1], data + IP_AT + 12, 8);
	key->word[2] = 0;
	key->word[3] = 0;
	key->word[4] = 0;
	memcpy(key->macs, data, sizeof(key->macs));
	memset(key->src_lists, 0, sizeof(*key) - offsetof(struct access_key, src_lists));
	return true;
}
