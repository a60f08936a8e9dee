/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_THROTTLE_H
#define PATCHBAY_CONTROLPLANE_THROTTLE_H

/*
 * Guessing made slow: failed logins of users and administrators are counted per source, and per source and account.
 * Who has failed too often waits, longer each time, before his next attempt is even judged, so that many at once
 * are no faster than one after the other. Nobody can lock out somebody else: what is counted for an account is
 * counted for one source only. A source is an IPv4 address or an IPv6 /64 (source_limits.h).
 *
 *	failures   per account (and source): the first THROTTLE_FREE cost nothing, then 1, 2, 4 ... THROTTLE_MAX_MS
 *	           per source, all accounts together: the same from THROTTLE_SOURCE_FREE on
 *
 * A success forgets the account's failures, not the source's; but an account that has succeeded from a source and
 * not failed since does not wait for what others do there. Failures are forgotten THROTTLE_FORGET_MS after the last.
 * An account that does not exist is counted like any other. The table has THROTTLE_ENTRIES places; when it is full,
 * the one that was used longest ago is given away.
 *
 * Control thread only.
 */

#include <stdint.h>
#include <sys/socket.h>

#define THROTTLE_FREE	     3u
#define THROTTLE_SOURCE_FREE 50u
#define THROTTLE_STEP_MS     1000u
#define THROTTLE_MAX_MS	     8000u /* below what clients wait for an answer */
#define THROTTLE_FORGET_MS   600000u
#define THROTTLE_ENTRIES     8192u

struct throttle;

/* NULL with ENOMEM. */
struct throttle *throttle_create(void);
void throttle_destroy(struct throttle *t);

/*
 * How long an attempt at `account` ("hub/user" or whatever names it; case does not matter) from there has to wait
 * before it may be judged, in ms; 0: now. `now_ms` never goes back.
 */
uint32_t throttle_wait_ms(
	struct throttle *t, const struct sockaddr *peer, const char *account, uint64_t now_ms);
/* An attempt was judged. Returns how often this account has failed from there (0 after a success). */
uint32_t throttle_failed(
	struct throttle *t, const struct sockaddr *peer, const char *account, uint64_t now_ms);
void throttle_succeeded(
	struct throttle *t, const struct sockaddr *peer, const char *account, uint64_t now_ms);

#endif
