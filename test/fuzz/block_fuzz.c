/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data-phase codec: any stream, in one span, dribbled byte by byte, and in pieces, must give the
 * same blocks, keep-alives, counters and end; and what was received can be sent and received again.
 * First byte: bit 0 compressed, bits 1-3 size of the span array, bits 4-7 size of the pieces.
 */
#include <string.h>

#include "drivers/session/wire/block.h"
#include "drivers/session/wire/zblock.h"
#include "test/fuzz/require.h"

/* A running hash over everything heard, so that long streams compare cheaply. */
struct heard {
	uint64_t hash;
	uint64_t blocks, keepalives, empty, too_short, too_long;
	enum block_rx_status status;
	uint32_t group_left;
	size_t consumed;
};

static void mix(struct heard *h, const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		h->hash = (h->hash ^ p[i]) * 0x100000001b3;
}

/* A block holds at most a frame, whatever it claims; what it holds can be sent and received again. */
static void inflate_block(const struct block_span *s)
{
	static struct zblock *z;
	uint8_t *frame = malloc(ZBLOCK_INFLATED_BYTES);
	uint8_t *block = malloc(BLOCK_FRAME_MAX + ZBLOCK_GROWTH);
	uint8_t again[ZBLOCK_INFLATED_BYTES];
	uint32_t n;
	int len;

	if (!z)
		z = zblock_create();
	REQUIRE(z && frame && block);
	len = zblock_inflate(z, s->data, s->len, frame);
	REQUIRE(len <= BLOCK_FRAME_MAX);
	if (len > 0) {
		n = zblock_deflate(z, frame, (uint32_t)len, block);
		REQUIRE(n <= (uint32_t)len + ZBLOCK_GROWTH);
		REQUIRE(zblock_inflate(z, block, n, again) == len);
		REQUIRE(!memcmp(frame, again, (size_t)len));
	}
	free(block);
	free(frame);
}

static void hear(struct heard *h, uint8_t kind, const struct block_span *s)
{
	mix(h, &kind, 1);
	mix(h, &s->len, sizeof(s->len));
	mix(h, s->data, s->len);
}

/* One call's worth: takes what [at, end) allows. Returns true if it wants to be called again. */
static bool step(struct block_rx *rx, const uint8_t *at, size_t len, uint32_t max, struct heard *h)
{
	struct block_span spans[64];
	struct block_rx_result res;

	block_rx_parse(rx, at, len, spans, max, &res);
	REQUIRE(res.count <= max && res.consumed <= len);
	for (uint32_t i = 0; i < res.count; i++) {
		REQUIRE(spans[i].data >= at && spans[i].len >= 1);
		REQUIRE(spans[i].data + spans[i].len <= at + res.consumed);
		REQUIRE(spans[i].len <= BLOCK_SIZE_MAX);
		REQUIRE(rx->compressed || block_frame_len_ok(spans[i].len));
		hear(h, 'b', &spans[i]);
	}
	if (res.keepalive.data) {
		REQUIRE(res.status == BLOCK_RX_AGAIN);
		REQUIRE(res.keepalive.len <= BLOCK_KEEPALIVE_MAX);
		hear(h, 'k', &res.keepalive);
		block_keepalive_natt_port(&res.keepalive);
		h->keepalives++;
	}
	h->blocks += res.count;
	h->empty += res.empty;
	h->too_short += res.too_short;
	h->too_long += res.too_long;
	h->consumed += res.consumed;
	h->status = res.status;
	h->group_left = rx->group_left;
	if (res.status == BLOCK_RX_MORE)
		REQUIRE(len - res.consumed <= BLOCK_RX_PARTIAL_BYTES);
	return res.status == BLOCK_RX_AGAIN;
}

/* Bytes become available `piece` at a time; each piece with its leftover in exact memory. */
static void receive(const uint8_t *in, size_t size, size_t piece, uint32_t max, bool compressed,
	struct heard *h)
{
	struct block_rx rx;
	size_t end = 0;

	*h = (struct heard){.hash = 0xcbf29ce484222325};
	block_rx_init(&rx, compressed);
	while (end < size && h->status <= BLOCK_RX_AGAIN) {
		size_t start = h->consumed, at;
		uint8_t *copy;

		end = size - end < piece ? size : end + piece;
		copy = malloc(end - start);
		REQUIRE(copy);
		memcpy(copy, in + start, end - start);
		do {
			at = h->consumed - start;
		} while (step(&rx, copy + at, end - start - at, max, h));
		free(copy);
	}
}

/* The same a byte at a time, in place: an exact copy for each byte would take the most of the time. */
static void dribble(const uint8_t *in, size_t size, uint32_t max, bool compressed, struct heard *h)
{
	struct block_rx rx;
	size_t end;

	*h = (struct heard){.hash = 0xcbf29ce484222325};
	block_rx_init(&rx, compressed);
	for (end = 1; end <= size && h->status <= BLOCK_RX_AGAIN; end++)
		while (step(&rx, in + h->consumed, end - h->consumed, max, h))
			;
}

static void require_same(const struct heard *a, const struct heard *b)
{
	REQUIRE(a->hash == b->hash && a->status == b->status && a->consumed == b->consumed);
	REQUIRE(a->blocks == b->blocks && a->keepalives == b->keepalives);
	REQUIRE(a->empty == b->empty && a->group_left == b->group_left);
	REQUIRE(a->too_short == b->too_short && a->too_long == b->too_long);
}

/* Send the blocks of the first span array again. */
static void send_again(const uint8_t *in, size_t size, bool compressed)
{
	static uint8_t out[1 << 16];
	struct block_span spans[16], again[16];
	struct block_rx_result res, res2;
	struct block_rx rx;
	uint32_t taken;
	size_t n;

	block_rx_init(&rx, compressed);
	block_rx_parse(&rx, in, size, spans, 16, &res);
	n = block_tx_group(out, sizeof(out), spans, res.count, &taken);
	REQUIRE(taken == res.count);
	block_rx_init(&rx, compressed);
	block_rx_parse(&rx, out, n, again, 16, &res2);
	REQUIRE(res2.consumed == n && res2.count == res.count && rx.group_left == 0);
	for (uint32_t i = 0; i < res.count; i++) {
		REQUIRE(again[i].len == spans[i].len);
		REQUIRE(!memcmp(again[i].data, spans[i].data, spans[i].len));
	}
	/* A record that is one byte too small holds one block less. */
	if (n) {
		REQUIRE(block_tx_group(out, n - 1, spans, res.count, &taken) < n);
		REQUIRE(taken == res.count - 1);
	}
}

static void inflate_blocks(const uint8_t *in, size_t size)
{
	struct block_span spans[16];
	struct block_rx_result res;
	struct block_rx rx;

	block_rx_init(&rx, true);
	block_rx_parse(&rx, in, size, spans, 16, &res);
	for (uint32_t i = 0; i < res.count; i++)
		inflate_block(&spans[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard whole, dribbled, pieces;
	bool compressed;
	uint32_t max;
	size_t piece;

	if (!size)
		return 0;
	compressed = data[0] & 1;
	max = 1u << (data[0] >> 1 & 7);
	if (max > 64)
		max = 64;
	piece = 2 + (size_t)(data[0] >> 4) * 97;
	data++;
	size--;
	receive(data, size, size, 64, compressed, &whole);
	dribble(data, size, max, compressed, &dribbled);
	receive(data, size, piece, max, compressed, &pieces);
	require_same(&whole, &dribbled);
	require_same(&whole, &pieces);
	send_again(data, size, compressed);
	if (compressed)
		inflate_blocks(data, size);
	return 0;
}
