/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_FRAME_H
#define PATCHBAY_DATAPLANE_FRAME_H

/*
 * What travels through a hub: an Ethernet frame without FCS.
 *
 * A frame is either *borrowed* (m == NULL: the bytes stand in somebody's buffer, for instance the
 * plaintext of a TLS record, and are valid only until the function they were passed to returns) or
 * *backed* by an mbuf. Between two sessions of one worker a frame is borrowed all the way: one copy
 * from decrypted plaintext into the receiver's staging, and no mbuf at all. An mbuf is made only where
 * a frame has to outlive the call: on the way to another worker or to a device.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct rte_mbuf;

#define FRAME_MIN_BYTES 14u   /* destination, source, EtherType (reference/hub.md 2) */
#define FRAME_MAX_BYTES 1600u /* towards and from a session (wire.md 6.1) */
#define FRAME_JUMBO_MAX 9216u /* what other ports may be configured for at most (port.h, max_len) */
#define FRAME_BURST	64u   /* most frames in one call */

struct frame {
	uint8_t *data;	    /* first byte of the destination MAC; read-only if the mbuf is shared */
	struct rte_mbuf *m; /* NULL: borrowed. Else the reference travels with the frame, the mbuf
			     * has one segment, data == rte_pktmbuf_mtod(m), len == m->data_len */
	uint16_t len;	    /* bytes, linear in `data` */
	uint16_t flags;	    /* FRAME_F_* */
	uint32_t source; /* the hub's own: port index it came from, behind a ring; 0 = not said */
};

#define FRAME_F_FLOOD (1u << 0) /* this copy is part of a flood: the first to go under pressure */

/* MAC address as the low 48 bits of a host integer: first byte on the wire in bits 40..47. */
static inline uint64_t frame_mac(const uint8_t *p)
{
	uint64_t hi = 0;
	uint16_t lo;
	uint32_t hi32;

	memcpy(&hi32, p, 4);
	memcpy(&lo, p + 4, 2);
	hi = (uint64_t)__builtin_bswap32(hi32) << 16;
	return hi | __builtin_bswap16(lo);
}

/* The other way. */
static inline void frame_mac_put(uint8_t *p, uint64_t mac)
{
	for (unsigned i = 0; i < 6; i++)
		p[i] = (uint8_t)(mac >> (40 - 8 * i));
}

static inline uint64_t frame_dst(const struct frame *f)
{
	return frame_mac(f->data);
}

static inline uint64_t frame_src(const struct frame *f)
{
	return frame_mac(f->data + 6);
}

/* I/G bit of the destination: broadcast and multicast alike (reference/hub.md 3.1). */
static inline bool frame_is_broadcast(const struct frame *f)
{
	return f->data[0] & 1;
}

/* EtherType at offset 12, host order; FRAME_MIN_BYTES guarantees it is there. */
static inline uint16_t frame_ethertype(const struct frame *f)
{
	return (uint16_t)(f->data[12] << 8 | f->data[13]);
}

#endif
