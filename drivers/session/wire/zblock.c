/* SPDX-License-Identifier: BSD-3-Clause */
/* See zblock.h. */
#include "drivers/session/wire/zblock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

/* A window of 2 KiB holds a frame; a memory level of 5 buffers all its symbols, so it is one block. */
#define WINDOW_BITS  11
#define MEMORY_LEVEL 5

static_assert(1u << WINDOW_BITS >= BLOCK_FRAME_MAX, "a frame fits the window");
static_assert(BLOCK_FRAME_MAX + ZBLOCK_GROWTH <= BLOCK_SIZE_MAX, "any frame fits a block");

struct zblock {
	z_stream tx;
	z_stream rx;
};

struct zblock *zblock_create(void)
{
	struct zblock *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	if (deflateInit2(&z->tx, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return NULL;
	}
	if (inflateInit(&z->rx) != Z_OK) {
		(void)deflateEnd(&z->tx);
		free(z);
		return NULL;
	}
	return z;
}

void zblock_destroy(struct zblock *z)
{
	if (z == NULL)
		return;
	(void)deflateEnd(&z->tx);
	(void)inflateEnd(&z->rx);
	free(z);
}

/* One stored block by hand (RFC 1950, RFC 1951 3.2.4): 11 bytes more than the frame. */
static uint32_t store(const uint8_t *frame, uint32_t len, uint8_t *out)
{
	static const uint8_t head[] = {0x78, 0x01, 0x01};

	memcpy(out, head, sizeof(head));
	out[3] = (uint8_t)len;
	out[4] = (uint8_t)(len >> 8);
	out[5] = (uint8_t)~out[3];
	out[6] = (uint8_t)~out[4];
	memcpy(out + 7, frame, len);
	be32_put(out + 7 + len, (uint32_t)adler32(1, frame, len));
	return len + 11;
}

uint32_t zblock_deflate(struct zblock *z, const uint8_t *frame, uint32_t len, uint8_t *out)
{
	/* zlib's own interface lacks a const. */
	z->tx.next_in = (Bytef *)(uintptr_t)frame;
	z->tx.avail_in = len;
	z->tx.next_out = out;
	z->tx.avail_out = len + ZBLOCK_GROWTH;
	if (deflateReset(&z->tx) != Z_OK || deflate(&z->tx, Z_FINISH) != Z_STREAM_END)
		return store(frame, len, out);
	return len + ZBLOCK_GROWTH - z->tx.avail_out;
}

int zblock_inflate(struct zblock *z, const uint8_t *in, uint32_t len, uint8_t *out)
{
	int ret;

	z->rx.next_in = (Bytef *)(uintptr_t)in;
	z->rx.avail_in = len;
	z->rx.next_out = out;
	z->rx.avail_out = ZBLOCK_INFLATED_BYTES;
	if (inflateReset(&z->rx) != Z_OK)
		return -EBADMSG;
	ret = inflate(&z->rx, Z_FINISH);
	if (z->rx.avail_out == 0)
		return -EMSGSIZE;
	return ret == Z_STREAM_END ? (int)(ZBLOCK_INFLATED_BYTES - z->rx.avail_out) : -EBADMSG;
}
