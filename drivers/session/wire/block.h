/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data phase's byte stream (wire.md 6.1-6.3): groups of blocks, one block one Ethernet frame, and
 * keep-alives between the groups. Both directions, both roles.
 *
 * Receive: block_rx_parse walks a contiguous span of plaintext (a TLS record, or what recv gave) and
 * fills an array of {pointer, length} into it: no copy, no call per block. What is incomplete at the
 * end of the span is not consumed; the caller moves it in front of the next bytes and calls again.
 * It is at most BLOCK_RX_PARTIAL_BYTES, so reserve that much before the place records are read to.
 * The state is the one number that survives a boundary: how many blocks of the group are to come.
 *
 *	leftover = 0
 *	loop:	n = read into base + leftover
 *		len = leftover + n, in = base
 *		do {
 *			block_rx_parse(&rx, in, len, spans, 64, &res)
 *			use spans, res.keepalive; in += res.consumed, len -= res.consumed
 *		} while (res.status == BLOCK_RX_AGAIN)
 *		memmove(base, in, len), leftover = len        (almost always 0 bytes)
 *
 * With compression each span is a zlib stream (6.4): inflate it and judge the frame's length there,
 * with block_frame_len_ok. Without, spans are frames of 14..1600 bytes and others are counted away.
 *
 * Transmit: header writers and sizes for a sender that builds groups in its own record buffer, and
 * block_tx_group, which does it for an array of frames.
 *
 * No state outside the arguments: owner worker, or anybody in tests.
 */
#ifndef DRIVERS_SESSION_WIRE_BLOCK_H
#define DRIVERS_SESSION_WIRE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/session/wire/be.h"

#define BLOCK_SIZE_MAX	       3200 /* wire.md 6.1; more closes the connection */
#define BLOCK_FRAME_MIN	       14
#define BLOCK_FRAME_MAX	       1600
#define BLOCK_KEEPALIVE_MAX    512	   /* to receive */
#define BLOCK_KEEPALIVE_SEND   511	   /* to send */
#define BLOCK_KEEPALIVE_MARK   0xffffffffu /* in place of a group's count */
#define BLOCK_GROUP_MAX	       128	   /* blocks a stock sender puts in a group */
#define BLOCK_GROUP_HEADER     4	   /* bytes: be32 count */
#define BLOCK_HEADER	       4	   /* bytes: be32 size */
#define BLOCK_KEEPALIVE_HEADER 8	   /* bytes: mark, be32 size */
/* Most bytes that block_rx_parse ever leaves unconsumed: a block header and all but one of its bytes. */
#define BLOCK_RX_PARTIAL_BYTES (BLOCK_HEADER + BLOCK_SIZE_MAX - 1)

struct block_span {
	const uint8_t *data;
	uint32_t len;
};

/* Per connection and direction. Zero it (or block_rx_init) at the start of the data phase. */
struct block_rx {
	uint32_t group_left; /* blocks of the current group still to come */
	bool compressed;     /* session mode: spans are zlib streams */
};

enum block_rx_status {
	BLOCK_RX_MORE,	/* everything complete was consumed; needs more bytes */
	BLOCK_RX_AGAIN, /* stopped early: array full or keep-alive met; call again with the rest */
	BLOCK_RX_BAD_BLOCK,	/* a block over 3200 bytes: close the connection */
	BLOCK_RX_BAD_KEEPALIVE, /* a keep-alive over 512 bytes: close the connection */
};

struct block_rx_result {
	enum block_rx_status status;
	uint32_t count;	 /* spans filled; valid with every status */
	size_t consumed; /* bytes; the error statuses point at the offending header */
	uint32_t empty;	 /* blocks of size 0 skipped */
	uint32_t too_short,
		too_long; /* frames outside 14..1600 bytes, dropped (uncompressed only) */
	/* Payload of the keep-alive that ended this call, .data NULL if none did. Handle it after
	 * the spans: it came behind them. */
	struct block_span keepalive;
};

static inline void block_rx_init(struct block_rx *rx, bool compressed)
{
	rx->group_left = 0;
	rx->compressed = compressed;
}

/**
 * Find the complete blocks of a span.
 * @param in     len bytes of plaintext, beginning where the last call stopped consuming.
 * @param spans  array of max >= 1 entries, filled with pointers into `in`.
 */
void block_rx_parse(struct block_rx *rx, const uint8_t *in, size_t len, struct block_span *spans,
	uint32_t max, struct block_rx_result *res);

/** True if the call saw a complete block or keep-alive, which is what keeps a connection alive
 * (wire.md 6.8); bytes of a partial one do not count. */
static inline bool block_rx_alive(const struct block_rx_result *res)
{
	return res->count || res->keepalive.data || res->empty || res->too_short || res->too_long;
}

/** Rule for frames, also after decompression (6.1). */
static inline bool block_frame_len_ok(uint32_t len)
{
	return len - BLOCK_FRAME_MIN <= BLOCK_FRAME_MAX - BLOCK_FRAME_MIN;
}

/**
 * UDP port a keep-alive's payload announces (wire.md 6.7: `NATT_MY_PORT` and be16), 0 if none.
 * The tag may follow a `NATT_MY_IP` and its 16 bytes.
 */
uint16_t block_keepalive_natt_port(const struct block_span *payload);

/* Transmit. Each writer returns the first byte behind what it wrote. */

static inline uint8_t *block_put_group(uint8_t *p, uint32_t count)
{
	be32_put(p, count);
	return p + BLOCK_GROUP_HEADER;
}

static inline uint8_t *block_put_size(uint8_t *p, uint32_t size_bytes)
{
	be32_put(p, size_bytes);
	return p + BLOCK_HEADER;
}

/** Header of a keep-alive; size_bytes (0..511) of random payload follow, from the caller. */
static inline uint8_t *block_put_keepalive(uint8_t *p, uint32_t size_bytes)
{
	be32_put(p, BLOCK_KEEPALIVE_MARK);
	be32_put(p + 4, size_bytes);
	return p + BLOCK_KEEPALIVE_HEADER;
}

/** Bytes of a group of `count` blocks holding `payload_bytes` in total. */
static inline size_t block_group_bytes(uint32_t count, size_t payload_bytes)
{
	return BLOCK_GROUP_HEADER + (size_t)count * BLOCK_HEADER + payload_bytes;
}

/**
 * Write one group with as many of the blocks, in order, as fit into the record under construction.
 * @param dst    cap bytes of the caller's record buffer.
 * @param taken  set to the number of blocks written.
 * @return bytes written; 0 if not even the first one fits (or count is 0).
 */
size_t block_tx_group(
	uint8_t *dst, size_t cap, const struct block_span *blocks, uint32_t count, uint32_t *taken);

#endif
