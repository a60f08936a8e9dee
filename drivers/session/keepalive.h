/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_KEEPALIVE_H
#define PATCHBAY_DRIVERS_SESSION_KEEPALIVE_H

/* When the next keep-alive is due, apart from everything that sends it, so that the rule can be tested. */

#include <stdint.h>

/*
 * Interval since the last keep-alive or data on a connection (wire.md 6.7), from 32 random bits: a random
 * part of half the time-out, at least a fifth of it. Pure.
 */
static inline uint32_t keepalive_interval_ms(uint32_t timeout_ms, uint32_t random)
{
	uint32_t half = timeout_ms / 2;
	uint32_t r = half != 0 ? random % half : 0;

	return r > timeout_ms / 5 ? r : timeout_ms / 5;
}

#endif
