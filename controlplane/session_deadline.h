/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_SESSION_DEADLINE_H
#define PATCHBAY_CONTROLPLANE_SESSION_DEADLINE_H

/*
 * Sessions that end by the calendar: policy AutoDisconnect (seconds after login) and the expiry of the account,
 * both as they stood at login. A stock client obeys AutoDisconnect by itself and then does not come back; the
 * server's own deadline comes a little later, so that this stays so, and holds for clients that do not obey.
 *
 * Control thread.
 */

struct event_base;
struct vpn_session;

#define SESSION_DEADLINE_GRACE_MS 3000u

/* `base` outlives all sessions. */
void session_deadline_init(struct event_base *base);
/* When the session is open. Without memory for a timer it has no deadline, which is logged. */
void session_deadline_start(struct vpn_session *vs);
/* Idempotent. */
void session_deadline_stop(struct vpn_session *vs);

#endif
