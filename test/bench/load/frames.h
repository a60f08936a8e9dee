/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_FRAMES_H
#define PATCHBAY_TEST_BENCH_LOAD_FRAMES_H

/*
 * The test frames: Ethernet, IPv4, UDP as a host would send them (a hub that looks into packets pays for it),
 * then a stamp that says whose frame it is and when it was due, then filling.
 */

#include <stdbool.h>
#include <stdint.h>

#include "test/bench/load/options.h"

#define FRAMES_HEADER_BYTES 42u /* Ethernet, IPv4 without options, UDP */

enum stamp_kind {
	STAMP_DATA = 1,
	STAMP_ECHO = 2,	    /* on its way back; `from` is still the one that sent it first */
	STAMP_ANNOUNCE = 3, /* so that the hub learns the sender's address */
};

/* In the byte order of this machine: we read nobody's but our own. */
struct stamp {
	uint32_t run;  /* tells our frames from those of an earlier run and of others */
	uint32_t from; /* session, and above STAMP_KIND_SHIFT the kind */
	uint32_t seq;
	uint32_t due_low, due_high; /* ns of CLOCK_MONOTONIC */
} __attribute__((packed));

#define STAMP_KIND_SHIFT 28u
#define STAMP_FROM_MASK	 ((1u << STAMP_KIND_SHIFT) - 1u)

static_assert(FRAMES_HEADER_BYTES + sizeof(struct stamp) <= OPTIONS_SIZE_MIN, "the shortest frame");

/* Prepares filling; `run` goes into each stamp and into the addresses. */
void frames_init(enum load_fill fill, uint32_t run);
/* The MAC of a session: locally administered, different in each run. */
void frames_mac(uint32_t session, uint8_t mac[6]);
/*
 * Writes a frame of `size` bytes. `to` is the receiving session, FRAMES_TO_ALL for a broadcast. `sender` is
 * the session whose addresses are in it.
 */
#define FRAMES_TO_ALL UINT32_MAX
void frames_write(uint8_t *at, unsigned size, uint32_t sender, uint32_t to, enum stamp_kind kind,
	uint32_t from, uint32_t seq, uint64_t due_ns);
/* False if the frame is not one of ours (ARP probes of the hub, strangers). */
bool frames_read(const uint8_t *frame, unsigned size, struct stamp *stamp);

static inline enum stamp_kind stamp_kind(const struct stamp *s)
{
	return (enum stamp_kind)(s->from >> STAMP_KIND_SHIFT);
}

static inline uint32_t stamp_from(const struct stamp *s)
{
	return s->from & STAMP_FROM_MASK;
}

static inline uint64_t stamp_due_ns(const struct stamp *s)
{
	return (uint64_t)s->due_high << 32 | s->due_low;
}

#endif
