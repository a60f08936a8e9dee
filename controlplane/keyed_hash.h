/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_KEYED_HASH_H
#define PATCHBAY_CONTROLPLANE_KEYED_HASH_H

/*
 * SipHash-2-4 (Aumasson, Bernstein 2012) for tables whose keys a peer chooses: without the process's
 * random key nobody can aim at one bucket.
 */

#include <stddef.h>
#include <stdint.h>

struct keyed_hash {
	uint64_t k0, k1;
};

/* A fresh random key. -EIO if there is no randomness. */
int keyed_hash_init(struct keyed_hash *h);
uint64_t keyed_hash(const struct keyed_hash *h, const void *data, size_t size_bytes);

#endif
