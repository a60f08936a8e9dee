/* SPDX-License-Identifier: BSD-3-Clause */
/* See sha1.h. */

#include "dataplane/sha1.h"

#include <string.h>

#define BLOCK	   64u
#define ROTL(x, n) ((x) << (n) | (x) >> (32 - (n)))

static void block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned t = 0; t < 16; t++)
		w[t] = (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 |
			(uint32_t)p[4 * t + 2] << 8 | p[4 * t + 3];
	for (unsigned t = 16; t < 80; t++) {
		uint32_t x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16];

		w[t] = ROTL(x, 1);
	}
	for (unsigned t = 0; t < 80; t++) {
		uint32_t f = t < 20 ? (b & c) | (~b & d)
			: t < 40    ? b ^ c ^ d
			: t < 60    ? (b & c) | (b & d) | (c & d)
				    : b ^ c ^ d;
		uint32_t k = t < 20 ? 0x5a827999
			: t < 40    ? 0x6ed9eba1
			: t < 60    ? 0x8f1bbcdc
				    : 0xca62c1d6;
		uint32_t next = ROTL(a, 5) + f + e + k + w[t];

		e = d;
		d = c;
		c = ROTL(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void sha1(const void *data, size_t size, uint8_t digest[SHA1_BYTES])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	const uint8_t *p = data;
	uint8_t tail[2 * BLOCK] = {0};
	size_t left = size, end;

	for (; left >= BLOCK; left -= BLOCK, p += BLOCK)
		block(h, p);
	memcpy(tail, p, left);
	tail[left] = 0x80;
	end = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
	for (unsigned i = 0; i < 8; i++)
		tail[end - 1 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
	for (size_t at = 0; at < end; at += BLOCK)
		block(h, tail + at);
	for (unsigned i = 0; i < SHA1_BYTES; i++)
		digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
