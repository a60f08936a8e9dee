/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_TRAFFIC_H
#define PATCHBAY_TEST_BENCH_LOAD_TRAFFIC_H

/* Who sends what to whom and when, and what became of it. */

#include <stdbool.h>
#include <stdint.h>

#include "test/bench/load/histogram.h"

struct load;
struct peer;

/* The frames one session sends. Every session has at most one such flow, to one session or to all. */
struct flow {
	bool sends;
	bool open;	    /* without a rate: the window has room for at least half of itself */
	unsigned position;  /* among those that send */
	uint32_t to;	    /* session, FRAMES_TO_ALL */
	uint32_t seq;	    /* frames built so far */
	uint32_t due_cnt;   /* with a rate: frames that have become due */
	uint32_t receivers; /* copies of each that should arrive */
	uint64_t arrived;   /* copies */
	uint64_t
		given_up; /* copies that were missing for so long that the window no longer counts them */
	uint64_t arrived_ns; /* when the last one came */
};

/* What one receiver has seen of one flow. */
struct track {
	uint32_t next;	  /* highest number seen and one */
	uint64_t window;  /* bit n: next - 1 - n has arrived */
	uint64_t arrived; /* different ones */
	uint64_t
		measured; /* of them while it was measured; before its end: those before its beginning */
	uint64_t reordered;
	uint64_t duplicated;
};

/* A frame that is to go back. */
struct echo {
	uint32_t from, seq;
	uint64_t due_ns;
	uint32_t size;
};

/* Sums over all sessions since the beginning. */
struct traffic_sums {
	uint64_t frames; /* delivered */
	uint64_t bytes;	 /* of them, Ethernet without FCS */
	uint64_t sent;
	uint64_t compressed_bytes; /* what the sent ones became */
	uint64_t uncompressed_bytes;
};

struct traffic {
	bool running; /* new frames become due, resp. windows are refilled */
	unsigned window;
	double interval_ns; /* with a rate: frame k of all together is due at start + k * interval */
	uint64_t start_ns;
	uint64_t due_cnt;  /* of all flows together */
	unsigned *senders; /* indices of the sessions that send */
	unsigned sender_cnt;
	unsigned announced; /* sessions of which session 0 has heard */
	bool first_heard;   /* session 1 has heard session 0 */
	uint64_t foreign;   /* frames that are not ours */
	uint64_t misrouted; /* frames for somebody else that are no flood of the beginning */
	uint64_t corrupt;   /* blocks that do not inflate, datagrams that do not open */
	uint64_t by_udp;    /* frames that came as datagrams */
	uint64_t echo_full; /* frames not sent back because too many waited */
	struct traffic_sums sums;
	bool measuring;
	struct histogram latency;  /* from due to arrival, resp. back */
	struct histogram own_late; /* from due to written, while no socket held it back */
};

/* Makes the flows of the pattern. Exits without memory. */
void traffic_init(struct load *l);
void traffic_start(struct load *l);
/* What arrives from now on, or up to now, is what is measured. */
void traffic_measure(struct load *l, bool on);
/* With a rate: marks what has become due. */
void traffic_pace(struct load *l);
/* Every now and then: gives up copies that have been missing for long, so that windows do not close for good. */
void traffic_sweep(struct load *l);
/*
 * Builds the next frames of a session as groups of blocks, up to `room` bytes; returns the bytes, 0 if it has
 * nothing to send now.
 */
size_t traffic_fill(struct load *l, struct peer *p, uint8_t *at, size_t room);
/* The same for one frame alone; its length, 0: none. */
unsigned traffic_next(struct load *l, struct peer *p, uint8_t *frame);
/* Whether the two above would give something. */
bool traffic_waits(const struct load *l, const struct peer *p);
/* A frame has arrived at a session. */
void traffic_arrived(struct load *l, struct peer *p, const uint8_t *frame, unsigned size);
/* True when nothing more is to be expected: all that was sent has arrived. */
bool traffic_complete(const struct load *l);

#endif
