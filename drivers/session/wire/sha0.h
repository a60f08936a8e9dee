/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SHA-0, the 1993 hash, and the two password digests the protocol makes of it (wire.md 3.2.2).
 * No library ships SHA-0 any more: it is SHA-1 without the rotation in the message schedule.
 * It is broken as a hash and used here only because peers expect it.
 *
 * Pure functions, any thread.
 */
#ifndef DRIVERS_SESSION_WIRE_SHA0_H
#define DRIVERS_SESSION_WIRE_SHA0_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA0_BYTES 20

struct sha0 {
	uint32_t h[5];
	uint64_t size_bytes; /* input so far */
	uint8_t block[64];
};

void sha0_init(struct sha0 *s);
void sha0_update(struct sha0 *s, const void *data, size_t size_bytes);

/** Write the digest and wipe the state; sha0_init starts anew. */
void sha0_final(struct sha0 *s, uint8_t digest[SHA0_BYTES]);

/** One-shot form of the three above. */
void sha0_digest(const void *data, size_t size_bytes, uint8_t digest[SHA0_BYTES]);

/**
 * What a server stores for a user: SHA0(password || UPPER(user)), where UPPER maps ASCII a-z only
 * and nothing separates the two. An empty user gives the administrator's form SHA0(password)
 * (wire.md 9). Both strings are NUL-terminated UTF-8 and taken byte for byte.
 */
void sha0_password_hash(const char *password, const char *user, uint8_t hash[SHA0_BYTES]);

/** What a client sends: SHA0(hash || random), with the 20 random bytes of this connection's hello. */
void sha0_secure_password(const uint8_t hash[SHA0_BYTES], const uint8_t random[SHA0_BYTES],
	uint8_t secure[SHA0_BYTES]);

/** Compare two secrets in time that depends on size_bytes alone. */
bool sha0_equal(const void *a, const void *b, size_t size_bytes);

#endif
