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

/* Names stand in CLI and metrics with "linger_" before them. */
#define LINGER_COUNTER_LIST(X)                                                                 \
	X(started, "connections that we ended")                                                \
	X(peer_closed, "of these: the peer closed too, as it should")                          \
	X(timed_out, "of these: closed after two seconds, the peer had not")                   \
	X(cut, "of these: closed early, the list was full, memory short or the process ended") \
	X(failed, "of these: the socket died first")                                           \
	X(unsent, "of these: closed before the alert had left")

struct linger_counters {
#define X(name, text) uint64_t name;
	LINGER_COUNTER_LIST(X)
#undef X
};
extern struct linger_counters linger_counters; /* writer: control thread */

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
