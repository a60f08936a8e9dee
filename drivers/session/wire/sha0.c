/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-0 and the protocol's password digests (wire.md 3.2.2). */
#include "drivers/session/wire/sha0.h"

#include <string.h>

#include "drivers/session/wire/be.h"

static inline uint32_t rol(uint32_t v, unsigned int n)
{
	return v << n | v >> (32 - n);
}

static void sha0_block(uint32_t h[5], const uint8_t *block)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	int t;

	for (t = 0; t < 16; t++)
		w[t] = be32_get(block + 4 * t);
	/* Here SHA-1 rotates left by one. */
	for (; t < 80; t++)
		w[t] = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16];

	for (t = 0; t < 80; t++) {
		uint32_t f, k, next;

		if (t < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (t < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (t < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		next = rol(a, 5) + f + e + k + w[t];
		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
	explicit_bzero(w, sizeof(w));
}

void sha0_init(struct sha0 *s)
{
	*s = (struct sha0){.h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

void sha0_update(struct sha0 *s, const void *data, size_t size_bytes)
{
	const uint8_t *p = data;
	size_t have = s->size_bytes % sizeof(s->block), n;

	s->size_bytes += size_bytes;
	while (size_bytes) {
		n = sizeof(s->block) - have;
		if (n > size_bytes)
			n = size_bytes;
		memcpy(s->block + have, p, n);
		p += n;
		size_bytes -= n;
		have += n;
		if (have == sizeof(s->block)) {
			sha0_block(s->h, s->block);
			have = 0;
		}
	}
}

void sha0_final(struct sha0 *s, uint8_t digest[SHA0_BYTES])
{
	static const uint8_t pad[64] = {0x80};
	uint8_t bits[8];
	int i;

	be64_put(bits, s->size_bytes * 8);
	/* 0x80, zeros up to 56 modulo 64, then the length. */
	sha0_update(s, pad, 1 + (64 + 55 - s->size_bytes % 64) % 64);
	sha0_update(s, bits, sizeof(bits));
	for (i = 0; i < 5; i++)
		be32_put(digest + 4 * i, s->h[i]);
	explicit_bzero(s, sizeof(*s));
}

void sha0_digest(const void *data, size_t size_bytes, uint8_t digest[SHA0_BYTES])
{
	struct sha0 s;

	sha0_init(&s);
	sha0_update(&s, data, size_bytes);
	sha0_final(&s, digest);
}

void sha0_password_hash(const char *password, const char *user, uint8_t hash[SHA0_BYTES])
{
	struct sha0 s;

	sha0_init(&s);
	sha0_update(&s, password, strlen(password));
	for (; *user; user++) {
		char c = *user;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		sha0_update(&s, &c, 1);
	}
	sha0_final(&s, hash);
}

void sha0_secure_password(const uint8_t hash[SHA0_BYTES], const uint8_t random[SHA0_BYTES],
	uint8_t secure[SHA0_BYTES])
{
	struct sha0 s;

	sha0_init(&s);
	sha0_update(&s, hash, SHA0_BYTES);
	sha0_update(&s, random, SHA0_BYTES);
	sha0_final(&s, secure);
}

bool sha0_equal(const void *a, const void *b, size_t size_bytes)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;
	size_t i;

	for (i = 0; i < size_bytes; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}
