/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LINGER_H
#define PATCHBAY_CONTROLPLANE_LINGER_H

/*
 * Streams that we end. Every TLS connection ends with close_notify (wire.md 1.2 rule 3): what waits is sent,
 * the alert behind it, then writing is shut down, and what the peer still says is read and discarded until
 * it closes or LINGER_MS have passed. Closing with unread bytes would make the kernel send RST, which can
 * overtake the alert (architecture.md 6.3).
 *
 * Bounded: when the list is full, the oldest is closed at once.
 *
 * Control thread only.
 */

#include <stdint.h>

struct event_base;
struct stream;

#define LINGER_MS 2000u

struct linger_counters {
	uint64_t started;
	uint64_t peer_closed; /* ended as they should: the peer closed too */
	uint64_t timed_out;   /* the peer had not closed after LINGER_MS */
	uint64_t cut;	      /* closed early, the list was full or the process ended */
	uint64_t failed;      /* the socket died first */
	uint64_t unsent;      /* of all these: closed before the alert had left */
};
extern struct linger_counters linger_counters;

/* -ENOMEM. */
int linger_init(struct event_base *base, unsigned max);
/*
 * Takes the stream (parked; close_notify is queued here unless it already is). done(arg) runs when it has
 * been closed, possibly inside this call; NULL if nobody cares.
 */
void linger_add(struct stream *stream, void (*done)(void *arg), void *arg);
unsigned linger_cnt(void);
/* Closes what is left. Idempotent. */
void linger_fini(void);

#endif
