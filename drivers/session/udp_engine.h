/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_UDP_ENGINE_H
#define PATCHBAY_DRIVERS_SESSION_UDP_ENGINE_H

/*
 * ChaCha20-Poly1305 of UDP acceleration by DPDK's CPU crypto (its driver crypto_aesni_mb, which computes on the
 * calling lcore, no queue and no other thread).
 *
 * OpenSSL sets its cipher up anew for each datagram, which costs more than the cipher does on short ones: measured
 * on a Xeon with AVX-512 for a datagram of 90 / 1386 bytes 1.2 / 1.6 us, here 0.45 / 0.9 us. Where the driver is
 * not installed or refuses, OpenSSL computes; nobody but the clock can tell.
 */

#include <stdbool.h>
#include <stdint.h>

struct udp_aead;

/**
 * Finds the driver. After the EAL has started, before sessions. Control thread.
 * @return 0, -ENODEV: not installed, else what the driver said; udp_engine_create() then returns NULL.
 */
int udp_engine_open(void);
/** Control thread, workers stopped. Engines that still exist must not be used any more, only destroyed. */
void udp_engine_close(void);

/**
 * An engine for udp_seal_set_aead(): one key, one way. Control thread, which also destroys it; run() on one thread.
 * @param key  UDP_PACKET_KEY_V2 bytes; not kept outside the driver's memory, which is wiped with the engine.
 * @return NULL: not open, or out of memory. OpenSSL's may then stay.
 */
struct udp_aead *udp_engine_create(const uint8_t *key, bool sealing);

/** Who computes, for the log: the driver's name, or "OpenSSL". */
const char *udp_engine_name(void);

#endif
