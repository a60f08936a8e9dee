/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_UDP_AEAD_H
#define PATCHBAY_TEST_BENCH_LOAD_UDP_AEAD_H

/*
 * The generator's ChaCha20-Poly1305: libipsec-mb, the library behind the server's own, without DPDK around it. With
 * OpenSSL the generator, which has one core as the server has, took longer for a datagram than the server did, and
 * what was measured was a server that waits.
 */

#include <stdbool.h>
#include <stdint.h>

struct udp_aead;

/* With one of the key's 32 bytes; NULL: the library does not work here, OpenSSL has to do. */
struct udp_aead *udp_aead_create(const uint8_t *key);

#endif
