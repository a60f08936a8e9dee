/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compressed blocks (wire.md 6.4): each is one complete zlib stream that holds one frame, independent of
 * all others.
 *
 * A state for each direction is made once and reset for each block, so nothing is allocated per frame. A
 * worker has one for all its sessions. Level 1 and a window that just holds a frame: more effort finds
 * little more in 1500 bytes, and resetting the big tables would cost more than the compression of a small
 * frame. Receivers take any level and any window up to 32 KiB.
 *
 * One thread at a time.
 */
#ifndef DRIVERS_SESSION_WIRE_ZBLOCK_H
#define DRIVERS_SESSION_WIRE_ZBLOCK_H

#include <stdint.h>

#include "drivers/session/wire/block.h"

/* What a frame that cannot be compressed may grow by: headers of stream and stored block, checksum. */
#define ZBLOCK_GROWTH 16u
/* Room that zblock_inflate() wants: the longest frame, and a byte that tells it from a longer one. */
#define ZBLOCK_INFLATED_BYTES (BLOCK_FRAME_MAX + 1u)

struct zblock;

/* NULL without memory. */
struct zblock *zblock_create(void);
void zblock_destroy(struct zblock *z);

/**
 * Compress a frame of 1..BLOCK_FRAME_MAX bytes.
 * @param out  room for len + ZBLOCK_GROWTH bytes.
 * @return bytes written, at most that; never fails (what deflate cannot shrink is stored).
 */
uint32_t zblock_deflate(struct zblock *z, const uint8_t *frame, uint32_t len, uint8_t *out);

/**
 * Inflate a block. Bytes behind the end of the stream are ignored.
 * @param out  ZBLOCK_INFLATED_BYTES.
 * @return length of what it holds, 0..BLOCK_FRAME_MAX (the caller judges the rest, 6.1); -EMSGSIZE when it
 *         holds more than a frame, of which no more was made than fits; -EBADMSG when it is no zlib stream.
 */
int zblock_inflate(struct zblock *z, const uint8_t *in, uint32_t len, uint8_t *out);

#endif
