/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ACCESS_H
#define PATCHBAY_CONTROLPLANE_ACCESS_H

/*
 * The way in, from accept() to the worker that owns the session, and the way out:
 *
 *	listener -> limits -> handshake -> negotiation -> login -> drivers/session
 *	 accept     budgets   TLS, on      HTTP, hello    who,     data phase, on
 *	                      helpers      PACKs          granted  a worker
 *
 *	registry: who is here       linger: streams that we end (close_notify, then patience)
 *
 * This file brings the pieces up and down in the right order. All of it on the control thread.
 */

#include <stdbool.h>

struct config;
struct event_base;

/*
 * TLS context, handshake helpers, registry, linger list; no listener yet (listener_start()). After
 * lcore_init() and slow_init(); the certificate is in the state directory. `config` and `base` must outlive
 * access_fini(). -errno; what is wrong with the certificate or the ciphers has been logged.
 */
int access_init(struct event_base *base, const struct config *config);

/*
 * Begins the orderly end (architecture.md 6.3): listeners stop, negotiations and sessions are ended with
 * close_notify. Returns at once; the loop must run on until access_quiet() or until the caller's patience
 * (3 s) ends.
 */
void access_shutdown(void);
/* True when no connection, no session and no lingering stream is left. */
bool access_quiet(void);

/* Closes what is left, joins the helpers, frees. After lcore_stop(), so that no worker holds a stream. */
void access_fini(void);

#endif
