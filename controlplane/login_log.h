/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGIN_LOG_H
#define PATCHBAY_CONTROLPLANE_LOGIN_LOG_H

/*
 * The security lines of the log: who came, from where, to which hub, with what result. One line per event,
 * key=value, in an order that stays: what we know first, what the peer claims last and in quotes, so that
 * no user name can pass for another field. Never a credential.
 *
 *	login accepted ip=192.0.2.1 port=49152 listener=443 hub="DEFAULT" session="SID-U-1" ...
 *	login refused ip=192.0.2.1 port=49152 listener=443 error=9 reason=password ... user="u"
 *	admin accepted ip=192.0.2.1 ... kind=rpc hub="" client="..."
 *	login refused ip=192.0.2.1 ... error=12 reason=password kind=rpc hub="" client="..."
 */

#include "drivers/session/wire/login.h"

struct connection;
struct login_verdict;
struct session_counters;
struct vpn_session;

void login_log_accepted(const struct connection *c, const struct vpn_session *vs);
void login_log_refused(
	const struct connection *c, const struct login_request *r, const struct login_verdict *v);
/*
 * An administrator came ("rpc": vpncmd's, "api": JSON), or was refused: in the latter case with the same words as a
 * user, so that one rule of a tool like fail2ban finds both.
 */
void login_log_admin(const struct connection *c, const char *kind, const char *hub,
	const struct product *client, enum wire_error error, const char *reason);
/* A user changed the own password, or was refused. */
void login_log_password(
	const struct connection *c, const struct login_request *r, enum wire_error error);
void login_log_joined(const struct connection *c, const struct vpn_session *vs);
/* `vs` may be NULL: no such session. */
void login_log_not_joined(
	const struct connection *c, const struct vpn_session *vs, enum wire_error error);
void login_log_left(const struct connection *c, const struct vpn_session *vs, const char *why);
void login_log_ended(
	const struct vpn_session *vs, const char *why, const struct session_counters *final);

#endif
