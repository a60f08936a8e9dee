/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_BYTE_ORDER_H
#define PATCHBAY_DATAPLANE_BYTE_ORDER_H

/*
 * Numbers of frames, big-endian and at any alignment, for whoever has checked that their bytes are there. 32 bits wide,
 * so that sums of them stay what they are. The protocol of sessions, which knows nothing of ours, has its own
 * (drivers/session/wire/be.h). Pure.
 */

#include <stdint.h>

static inline uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

/* The lower 16 bits of v. */
static inline void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v);
}

#endif
