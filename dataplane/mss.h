/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_MSS_H
#define PATCHBAY_DATAPLANE_MSS_H

/*
 * The MSS option of TCP SYN segments that cross a hub (reference/hub.md 3.1 step 2, wire.md 7.6): lowered
 * where what carries the frames onward has less room than an Ethernet, so that hosts make segments that fit
 * instead of ones that have to be fragmented.
 *
 * Pure functions over the bytes of a frame. Any thread.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * True if the frame may hold a TCP SYN, at the price of a few loads: few frames do, and only those have to be
 * copied where the bytes are not the caller's to change.
 */
bool mss_is_syn(const uint8_t *data, uint32_t len);

/*
 * Lowers the MSS option to `mss` bytes, or to 4 less behind an 802.1Q tag, and mends the TCP checksum. Knows
 * IPv4 (unfragmented, or first fragments) and IPv6 without extension headers, behind at most one tag.
 * Returns whether it changed anything. Never raises an MSS; what is not such a SYN, or is malformed, is left
 * as it is. `mss` 0 changes nothing. The checksum has to be a complete one: the old one is adjusted, so that
 * what was wrong before stays wrong.
 */
bool mss_clamp(uint8_t *data, uint32_t len, uint32_t mss);

#endif
