/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The door of the hub (reference/hub.md 3, steps 1, 4, 7, 10): which of the frames that a port received are frames at
 * all, where they end, and the keys of their source and destination. Every frame passes here and most are alike: those
 * are told by a few compares on their first bytes, and the rest takes the long way.
 */

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "dataplane/byte_order.h"
#include "dataplane/hub_input_priv.h"

#define ETHERTYPE_VLAN	0x8100u
#define ETHERTYPE_IPV4	0x0800u
#define ETHERTYPE_IPV6	0x86ddu
#define ETHERTYPE_ARP	0x0806u
#define VLAN_BYTES	4u /* what was parked may have got its tag already */
#define IPV4_HEADER_MIN 20u
#define IPV6_HEADER	40u
#define ARP_BYTES	28u
#define TCP_HEADER_MIN	20u /* and no header of UDP or ICMP that anybody asks for is longer */

/*
 * Length without what stands behind the end of the IP packet, also inside one tag (hub.md 3 step 4). A
 * length field of 0 says nothing (segmentation offload, jumbograms); one that no header could have is left
 * to whoever parses the packet.
 */
static inline uint32_t trimmed_len(const uint8_t *data, uint32_t len, uint32_t type)
{
	uint32_t at = FRAME_MIN_BYTES, said, end;

	if (type == ETHERTYPE_VLAN && len >= at + 4) {
		type = be16(data + at + 2);
		at += 4;
	}
	if (type == ETHERTYPE_IPV4 && len >= at + IPV4_HEADER_MIN) {
		said = be16(data + at + 2);
		end = said < IPV4_HEADER_MIN ? len : at + said;
	} else if (type == ETHERTYPE_IPV6 && len >= at + IPV6_HEADER) {
		said = be16(data + at + 4);
		end = said == 0 ? len : at + IPV6_HEADER + said;
	} else {
		return len;
	}
	return end < len ? end : len;
}

/* The new length of a frame, and of its mbuf if that is nobody else's (a shared one stays as it is). */
static uint32_t trim(struct frame *f, uint32_t len)
{
	if (f->m != NULL) {
		if (rte_mbuf_refcnt_read(f->m) != 1 || f->m->nb_segs != 1)
			return f->len;
		f->m->data_len = (uint16_t)len;
		f->m->pkt_len = len;
	}
	f->len = (uint16_t)len;
	return len;
}

/* A frame that is dropped before it gets a key. */
static void reject(struct input *in, struct frame *f, bool broadcast, enum stats_drop_in reason)
{
	if (broadcast) {
		in->in.broadcast_frames++;
		in->in.broadcast_bytes += f->len;
	}
	input_drop(in, f, reason);
}

/* Broadcasts are counted from the mask afterwards: there are few. */
static void count_in(struct input *in, unsigned n, uint64_t bytes)
{
	for (uint64_t left = in->broadcast; left != 0; left &= left - 1) {
		in->in.broadcast_frames++;
		in->in.broadcast_bytes += in->b.frame[__builtin_ctzll(left)]->len;
	}
	in->in.unicast_frames = n - in->in.broadcast_frames;
	in->in.unicast_bytes = bytes - in->in.broadcast_bytes;
}

/* First 16 bytes of a frame, and the two keys that are in them. */
typedef uint8_t header __attribute__((vector_size(16), aligned(1), may_alias));

/* Source and destination as they stand in keys[], without a VLAN. */
static inline key_pair keys_of(const uint8_t *data)
{
	const header h = *(const header *)data, zero = {0};

	/* Low byte first: a MAC is read from its end. */
	return (key_pair)__builtin_shufflevector(
		       h, zero, 11, 10, 9, 8, 7, 6, 16, 16, 5, 4, 3, 2, 1, 0, 16, 16) |
		(key_pair){FDB_KEY_VALID, FDB_KEY_VALID};
}

/* From here on three compares say that an untagged packet of IPv4 ends where its frame does, or is none. */
#define PLAIN_MIN (FRAME_MIN_BYTES + IPV4_HEADER_MIN + TCP_HEADER_MIN)

/* No tag, nothing to trim, no header cut off, by the first 18 bytes; what is not plain may be so all the same. */
static inline bool is_plain(const uint8_t *data, uint32_t len)
{
	uint32_t type = be16(data + 12), said = be16(data + 16);

	return type == ETHERTYPE_IPV4 ? data[14] == 0x45 && said >= len - FRAME_MIN_BYTES
				      : type != ETHERTYPE_VLAN && type != ETHERTYPE_IPV6;
}

/*
 * Whether a packet could have a header that is cut off (frame_class.h), by its first bytes. No: the headers of all
 * that anybody asks for are there. Yes: somebody has to parse it.
 */
static bool may_be_cut(const uint8_t *data, uint32_t len, uint32_t type)
{
	uint32_t at = FRAME_MIN_BYTES, rest, said;
	const uint8_t *p;

	if (type == ETHERTYPE_VLAN && len >= at + 4) {
		type = be16(data + at + 2);
		at += 4;
	}
	p = data + at;
	rest = len - at;
	switch (type) {
	case ETHERTYPE_IPV4:
		if (rest < IPV4_HEADER_MIN + TCP_HEADER_MIN || p[0] != 0x45)
			return true;
		said = be16(p + 2);
		return said != 0 && said < IPV4_HEADER_MIN + TCP_HEADER_MIN;
	case ETHERTYPE_IPV6:
		/* 6: TCP, 17: UDP, 58: ICMP. Behind any other there may be a chain. */
		if (rest < IPV6_HEADER + TCP_HEADER_MIN || p[0] >> 4 != 6 ||
			(p[6] != 6 && p[6] != 17 && p[6] != 58))
			return true;
		said = be16(p + 4);
		return said != 0 && said < TCP_HEADER_MIN;
	case ETHERTYPE_ARP:
		return rest < ARP_BYTES;
	default:
		return false;
	}
}

/* Length, tag and trimming of any frame, and whether to look at its headers. False: it was dropped. */
static bool admit_odd(struct input *in, struct frame *f, uint64_t *tag, bool *cut)
{
	uint32_t len = f->len, type, end;

	*tag = FDB_KEY_VALID;
	if (len < FRAME_MIN_BYTES || len > in->port->max_len + (in->resumed ? VLAN_BYTES : 0)) {
		reject(in, f, len >= FRAME_MIN_BYTES && frame_is_broadcast(f),
			len < FRAME_MIN_BYTES ? STATS_DROP_IN_SHORT : STATS_DROP_IN_LONG);
		return false;
	}
	type = frame_ethertype(f);
	end = trimmed_len(f->data, len, type);
	if (end != len)
		len = trim(f, end);
	if (type == ETHERTYPE_VLAN && len >= FRAME_MIN_BYTES + 2)
		*tag |= (uint64_t)(be16(f->data + 14) & 0xfff) << FDB_VLAN_SHIFT;
	*cut = may_be_cut(f->data, len, type);
	return true;
}

void input_admit(struct input *in, struct frame *frames, unsigned n)
{
	struct burst *b = &in->b;
	/* One compare for both ends: below the minimum wraps to a large number. */
	const uint32_t span = in->port->max_len < PLAIN_MIN ? 0 : in->port->max_len - PLAIN_MIN + 1;
	uint64_t broadcast = 0, cut = 0, bytes = 0;
	unsigned k = 0, borrowed = 0;
	uint32_t max_len = 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &frames[i];
		uint64_t src, dst, tag;

		if (likely(f->len - PLAIN_MIN < span && is_plain(f->data, f->len))) {
			key_pair keys = keys_of(f->data);

			src = keys[0] & FDB_MAC_MASK;
			dst = keys[1] & FDB_MAC_MASK;
			/* A broadcast is looked up too and the answer not used: rarer than a branch here is dear. */
			*(key_pair *)&in->keys[2 * k] = keys;
		} else {
			bool look;

			if (unlikely(!admit_odd(in, f, &tag, &look))) {
				bytes += f->len;
				continue;
			}
			cut |= (uint64_t)look << k;
			src = frame_src(f);
			dst = frame_dst(f);
			in->keys[2 * k] = tag | src;
			in->keys[2 * k + 1] = tag | dst;
		}
		bytes += f->len;
		/* All zero wraps, all ones is the largest: one compare again. */
		if (unlikely(src - 1 >= UINT64_C(0xfffffffffffe) || src == dst)) {
			reject(in, f, frame_is_broadcast(f), STATS_DROP_IN_BAD_SOURCE);
			cut &= (UINT64_C(1) << k) - 1; /* the place is the next one's */
			continue;
		}
		broadcast |= (dst >> 40 & 1) << k;
		max_len = f->len > max_len ? f->len : max_len;
		borrowed += f->m == NULL;
		b->frame[k++] = f;
	}
	b->n = k;
	b->max_len = max_len;
	b->backed = borrowed < k;
	b->borrowed = borrowed > 0;
	in->broadcast = broadcast;
	in->cut = cut;
	count_in(in, n, bytes);
}
