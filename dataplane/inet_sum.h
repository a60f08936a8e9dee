/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_INET_SUM_H
#define PATCHBAY_DATAPLANE_INET_SUM_H

/*
 * The checksum of IP, TCP, UDP and ICMPv6 (RFC 1071), of bytes that whoever asks has checked to be there: sums of parts
 * add up, are folded at the end, and the field is the complement of that. Pure.
 */

#include <stdint.h>

#include "dataplane/byte_order.h"

/* Sum of big-endian words; an odd byte at the end counts as the upper half of one. */
static inline uint64_t inet_sum(const uint8_t *p, uint32_t bytes)
{
	uint64_t s = 0;

	for (; bytes >= 2; p += 2, bytes -= 2)
		s += be16(p);
	return bytes != 0 ? s + ((uint32_t)p[0] << 8) : s;
}

/* In 16 bits. */
static inline uint32_t inet_fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

#endif
