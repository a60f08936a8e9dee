/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGIN_UDP_H
#define PATCHBAY_CONTROLPLANE_LOGIN_UDP_H

/*
 * UDP acceleration in the login (wire.md 7.2): what becomes of a client's offer. Everything behind the login is
 * the driver's (drivers/session/session_udp.h). Control thread only.
 */

#include <stdbool.h>

#include "drivers/session/session_udp.h"
#include "drivers/session/wire/login.h"
#include "drivers/session/wire/welcome.h"

struct config;
struct connection;

/*
 * Answers the offer of a session whose worker and other modes are decided: fills w->udp with fresh keys and
 * cookies, and *conf for session_create(). False, and nothing in the welcome, if the client did not offer it
 * or offered what cannot be used, the configuration forbids it, the worker has no socket of the connection's
 * address family, or there is no randomness: the session is then one of TCP alone. *conf holds keys: wipe it.
 */
bool login_udp_grant(struct welcome *w, const struct login_request *r, const struct connection *c,
	const struct config *config, unsigned worker, struct session_udp_conf *conf);

#endif
