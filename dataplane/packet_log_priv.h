/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_PACKET_LOG_PRIV_H
#define PATCHBAY_DATAPLANE_PACKET_LOG_PRIV_H

/* What a frame is for the packet log; the ring's writing end. hub_log.c and its tests. */

#include <stdatomic.h>
#include <string.h>

#include "dataplane/frame_class.h"
#include "dataplane/packet_log.h"
#include "dataplane/port.h"

#define PACKET_AHEAD 768u /* bytes: some eight records of headers */

/* One worker's ring. */
struct packet_ring {
	/* Worker. */
	uint64_t head;	    /* where the next record goes; counts bytes, never wraps */
	uint64_t tail_seen; /* of the reader, at the last look */
	uint32_t size;	    /* a power of two */
	uint8_t *bytes;
	_Atomic uint64_t published; /* = head, between two bursts; reader reads */
	_Atomic uint64_t lost;	    /* anybody reads */
	/* Reader. */
	uint64_t cursor __attribute__((aligned(64)));
	_Atomic uint64_t tail; /* worker reads */
} __attribute__((aligned(64)));

extern _Atomic(struct packet_ring *) packet_rings; /* [LCORE_MAX]; NULL until packet_log_open() */

/* Longest record: the head of a jumbo frame and all of it. */
#define PACKET_RECORD_MAX (sizeof(struct packet_record) + FRAME_JUMBO_MAX)

/* `captured` of what is nothing but room at the end of the ring; 16 bytes at least. */
#define PACKET_PADDING 0xffffu

/*
 * Room for a record with `captured` bytes behind it, or NULL. It is in the ring with the next publish. The cost of
 * the check is a subtraction; the reader's line is looked at only when the ring seems full.
 */
static inline struct packet_record *packet_ring_reserve(struct packet_ring *r, uint32_t captured)
{
	uint32_t bytes = (uint32_t)(sizeof(struct packet_record) + captured + 15) & ~15u;
	uint32_t at = (uint32_t)r->head & (r->size - 1), pad = 0;
	struct packet_record *rec;

	if (at + bytes > r->size)
		pad = r->size - at;
	if (r->head + pad + bytes - r->tail_seen > r->size) {
		/* Acquire pairs with packet_log_release(): what stood there has been read. */
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		if (r->head + pad + bytes - r->tail_seen > r->size)
			return NULL;
	}
	rec = (struct packet_record *)(void *)(r->bytes + at);
	if (pad != 0) {
		rec->bytes = pad;
		rec->captured = PACKET_PADDING;
		r->head += pad;
		rec = (struct packet_record *)(void *)r->bytes;
	}
	rec->bytes = bytes;
	r->head += bytes;
	/* The reader had these lines last; they are fetched for writing while some frames are looked at. */
	at = (uint32_t)(r->head + PACKET_AHEAD) & (r->size - 1);
	__builtin_prefetch(r->bytes + at, 1);
	__builtin_prefetch(r->bytes + ((at + 64) & (r->size - 1)), 1);
	return rec;
}

static inline void packet_ring_publish(struct packet_ring *r)
{
	atomic_store_explicit(&r->published, r->head, memory_order_release);
}

/*
 * Kinds contain each other, as Debian's server has it: who logs all UDP logs DHCP, who logs IP logs TCP, who logs
 * Ethernet logs everything.
 */
#define PACKET_KINDS_ETHER   (1u << PACKET_LOG_ETHERNET)
#define PACKET_KINDS_ARP     (1u << PACKET_LOG_ARP | PACKET_KINDS_ETHER)
#define PACKET_KINDS_IP	     (1u << PACKET_LOG_IP | PACKET_KINDS_ETHER)
#define PACKET_KINDS_ICMP    (1u << PACKET_LOG_ICMP | PACKET_KINDS_IP)
#define PACKET_KINDS_UDP     (1u << PACKET_LOG_UDP | PACKET_KINDS_IP)
#define PACKET_KINDS_DHCP    (1u << PACKET_LOG_DHCP | PACKET_KINDS_UDP)
#define PACKET_KINDS_TCP     (1u << PACKET_LOG_TCP | PACKET_KINDS_IP)
#define PACKET_KINDS_CONNECT (1u << PACKET_LOG_CONNECTION | PACKET_KINDS_TCP)

/* What the packet log makes of a frame. */
struct packet_look {
	unsigned kinds;	  /* bits */
	uint32_t capture; /* bytes that its line needs */
};

/* Pure. `c` is the frame's class; with `http` requests tell what a connection is for. */
void packet_log_look(const uint8_t *data, uint32_t len, const struct frame_class *c, bool http,
	struct packet_look *out);

#endif
