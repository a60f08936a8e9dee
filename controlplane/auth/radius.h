/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_AUTH_RADIUS_H
#define PATCHBAY_CONTROLPLANE_AUTH_RADIUS_H

/*
 * Asking RADIUS servers (reference/auth.md 5) without waiting for them. One request is one login: it goes to the first
 * server of the hub's list, after the retry interval to the next, and so on around, until one of them answers rightly or
 * the time is over. Each server of a request has a UDP socket of its own that is connected, so that the kernel lets in
 * nothing from anybody else; whatever comes in and is not right (radius_packet.h) is counted and does nothing, so that
 * a forged refusal shuts nobody out. A right answer of a server that was asked earlier counts as well.
 *
 * Bounded: RADIUS_REQUESTS_MAX at a time, of one hub RADIUS_REQUESTS_HUB, so that a hub whose servers are dead leaves
 * the others theirs.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/auth/radius_packet.h"
#include "controlplane/directory.h"

struct event_base;
struct radius_request;

#define RADIUS_REQUESTS_MAX 256u
#define RADIUS_REQUESTS_HUB 64u

enum radius_result {
	RADIUS_ACCEPTED,
	RADIUS_REJECTED,
	RADIUS_SILENT, /* nobody has answered in time, or no server has an address */
};

struct radius_answer {
	enum radius_result result;
	uint16_t vlan; /* accepted: 1..4095, 0 none */
	bool unsigned_seen; /* silent: but for replies without a Message-Authenticator, which must have one */
};

#define RADIUS_COUNTER_LIST(X)                                                                   \
	X(radius_asked, "RADIUS: logins asked about")                                            \
	X(radius_sent, "RADIUS: requests sent, repeated ones included")                          \
	X(radius_accepted, "RADIUS: accepted")                                                   \
	X(radius_rejected, "RADIUS: rejected")                                                   \
	X(radius_silent, "RADIUS: nobody answered in time")                                      \
	X(radius_busy, "RADIUS: not asked, too many logins wait already")                        \
	X(radius_malformed, "RADIUS: replies that are none")                                     \
	X(radius_foreign, "RADIUS: replies with an identifier that was not sent")                \
	X(radius_forged,                                                                         \
		"RADIUS: replies whose authenticator is wrong: forged, or the secret differs")   \
	X(radius_unsigned, "RADIUS: replies without a Message-Authenticator, which is required") \
	X(radius_unreachable, "RADIUS: requests that could not be sent")

struct radius_counters {
#define X(name, text) uint64_t name;
	RADIUS_COUNTER_LIST(X)
#undef X
};
extern struct radius_counters radius_counters;

void radius_init(struct event_base *base);
/* No request is left: their owners have cancelled them. */
void radius_fini(void);

/*
 * Asks with the hub's settings, which are copied (ask->secret is not looked at). done() is called once, later, unless the
 * request is cancelled before; the request is gone then. NULL with EBUSY (bounds), EINVAL (a name or password that does
 * not fit), ENOENT (the hub has no server), ENOMEM, EIO.
 */
struct radius_request *radius_ask(const struct directory_hub *hub, const struct radius_ask *ask,
	void (*done)(void *ctx, const struct radius_answer *answer), void *ctx);
/* NULL is fine. */
void radius_cancel(struct radius_request *request);
unsigned radius_request_cnt(void);

#endif
