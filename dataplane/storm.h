/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_STORM_H
#define PATCHBAY_DATAPLANE_STORM_H

/*
 * The limiter of broadcast storms (reference/hub.md 7): of the frames of one port that would be flooded, at
 * most `threshold` a second for each (source MAC, source address, destination address).
 *
 * A leaky bucket per key, into which dropped frames go too: below the threshold nothing is lost, bursts
 * of a second's worth pass, and who stays above it is cut off entirely until he slows down, as the original
 * does after some doublings. It starts to leak at once, so that half a second after a storm all is well.
 *
 * Bounded: STORM_RECORDS keys per port and worker; a new one takes the place of the one that was quiet
 * longest. Who changes his addresses with each frame is not limited by this, in the original neither: each
 * key has its own allowance.
 *
 * One thread. All zero is a new limiter.
 */

#include <stdbool.h>
#include <stdint.h>

#define STORM_RECORDS 64u

struct storm_record {
	uint32_t level; /* in 1/1000 frame */
	uint32_t at_ms;
};

struct storm {
	/* Fingerprints: of the whole key; of MAC and source; of MAC and destination. 0 = free. */
	uint64_t key[STORM_RECORDS];
	uint64_t by_src[STORM_RECORDS];
	uint64_t by_dst[STORM_RECORDS];
	struct storm_record record[STORM_RECORDS];
	unsigned last; /* matched last */
};

struct storm_limit {
	uint32_t threshold; /* frames a second, at least 1 */
	bool strict;	    /* one address in common is enough */
};

/* May this frame be flooded? `src`, `dst`: 16 bytes each, zero where there is none. */
bool storm_pass(struct storm *s, const struct storm_limit *limit, uint64_t mac, const uint8_t *src,
	const uint8_t *dst, uint64_t now_ms);

#endif
