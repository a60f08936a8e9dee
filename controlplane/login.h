/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGIN_H
#define PATCHBAY_CONTROLPLANE_LOGIN_H

/*
 * Who may in, and with what: the checks of reference/policy.md section 7 in their order, the values granted
 * (wire.md 4.2), and the hand-over to a worker (architecture.md 6.2).
 *
 * login_decide() decides and does nothing else; login_open() reserves what the welcome will promise.
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "controlplane/auth/auth.h"
#include "drivers/session/wire/login.h"
#include "drivers/session/wire/welcome.h"

struct config;
struct connection;
struct directory_hub;
struct directory_user;
struct ssl_st;
struct sockaddr_storage;
struct vpn_session;

/* What the decision needs to know beside the request and the directory. */
struct login_facts {
	struct auth_facts auth; /* the hello's 20 bytes, and what others were asked */
	const struct sockaddr_storage *peer;
	bool same_host;		  /* the peer's address is one of ours (wire.md 4.2.1) */
	int64_t now_ms;		  /* since 1970 */
	uint32_t sessions;	  /* on this server */
	uint32_t sessions_max;	  /* of this server */
	uint32_t connections_max; /* per session, of this server: 1..32 */
};

struct login_verdict {
	enum auth_need need; /* not nothing: nothing is decided, somebody has to be asked first */
	char radius_name[RADIUS_TEXT_MAX + 1]; /* about whom */
	bool undecided;	       /* refused, but not for what the peer is: nobody could be asked */
	enum wire_error error; /* WIRE_ERROR_OK: the rest is filled in */
	const char *reason;    /* for the log: a constant word, never told to the peer */
	struct directory_hub *hub; /* also with an error, as far as found */
	struct directory_user
		*user;	    /* likewise, once authenticated, maybe `*`; NULL with `administrator` */
	bool administrator; /* of the hub, by its password */
	const char *
		user_name; /* as the session is named; points to the request, the user or a constant */
	bool same_host;
	int64_t expires_ms;	   /* of the account, 0 = never */
	bool no_save_password;	   /* for the error PACK, wire.md 4.3 */
	struct policy_wire policy; /* the session's own copy, adjusted (policy.md 1) */
	bool bridge_mode;
	bool monitor_mode;
	bool udp_allowed; /* by the hub: the answer to an offer comes with login_open() */
	/* Granted: max_connection, timeout, modes. Names and keys come with login_open(). */
	struct welcome welcome;
};

/* Reads the directory, changes nothing. Writes the whole verdict. */
void login_decide(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts);

/*
 * Makes the session of an accepted login: name, keys, worker, its place in the registry, the driver's
 * reservations (session_create()). Fills v->welcome. WIRE_ERROR_OK and *out; WIRE_ERROR_TOO_MANY_SESSIONS
 * when worker or port table are full; WIRE_ERROR_INTERNAL without memory or randomness; v->reason says so.
 * Undo: registry_session_abandon().
 */
enum wire_error login_open(struct login_verdict *v, const struct login_request *r,
	const struct connection *c, const struct ssl_st *ssl, const struct config *config,
	struct vpn_session **out);

/* True if both ends of a connection are this host: equal addresses, or loopback. */
bool login_same_host(const struct sockaddr_storage *peer, const struct sockaddr_storage *local);

#endif
