/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4, written from its paper (https://www.aumasson.jp/siphash/siphash.pdf) and checked against the
 * vector of its appendix A in test/unit/source_limits_test.c.
 */

#include <errno.h>
#include <string.h>

#include <openssl/rand.h>

#include "controlplane/keyed_hash.h"

static inline uint64_t rotl(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static inline void rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

static inline uint64_t le64_get(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

int keyed_hash_init(struct keyed_hash *h)
{
	return RAND_bytes((unsigned char *)h, sizeof(*h)) == 1 ? 0 : -EIO;
}

uint64_t keyed_hash(const struct keyed_hash *h, const void *data, size_t size_bytes)
{
	const uint8_t *p = data;
	uint64_t v[4] = {
		h->k0 ^ 0x736f6d6570736575ull,
		h->k1 ^ 0x646f72616e646f6dull,
		h->k0 ^ 0x6c7967656e657261ull,
		h->k1 ^ 0x7465646279746573ull,
	};
	uint64_t m;
	size_t left = size_bytes;

	for (; left >= 8; p += 8, left -= 8) {
		m = le64_get(p, 8);
		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	m = le64_get(p, left) | (uint64_t)size_bytes << 56;
	v[3] ^= m;
	rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
