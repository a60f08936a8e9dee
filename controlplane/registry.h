/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_REGISTRY_H
#define PATCHBAY_CONTROLPLANE_REGISTRY_H

/*
 * What the control plane knows of connections and sessions.
 *
 * A *connection* is one accepted TCP connection from accept to close: CID-n, where from, through which
 * listener, state negotiating or established. A *VPN session* is what login made: SID-<USER>-<n>, its key,
 * its hub and user, its connections; the data path's half is drivers/session. Sessions are found by key
 * (wire.md 5.4) among all hubs.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "controlplane/directory.h"
#include "drivers/session/session.h"

#define REGISTRY_KEY_BYTES 20u

struct negotiation;
struct stream;
struct vpn_session;

enum connection_state {
	CONNECTION_HANDSHAKE,	/* TLS */
	CONNECTION_NEGOTIATING, /* HTTP preamble to login */
	CONNECTION_ESTABLISHED, /* member of a session, owned by its worker */
	CONNECTION_ADMIN,	/* an administrator's (admin/remote.h) */
	CONNECTION_CLOSING,	/* close_notify sent, lingering */
};

struct connection {
	uint64_t id;   /* n of CID-n, server-wide, never reused */
	char name[32]; /* "CID-<n>" */
	enum connection_state state;
	struct sockaddr_storage peer;
	struct sockaddr_storage local;
	uint16_t listener_port;
	int64_t connected_ms;	     /* since 1970 */
	int64_t established_ms;	     /* 0 while negotiating */
	struct vpn_session *session; /* when established */
	enum session_direction direction;
	char client_product[256]; /* client_str, as told by the peer */
	uint32_t client_version;
	uint32_t client_build;
	struct negotiation
		*negotiation; /* until it is established, an administrator's or closing */
	/* ADMIN: who has it, and how it is ended politely; it may be gone when that returns. */
	void *holder;
	void (*close)(struct connection *c);
	struct limits_source *budget;  /* closing before login: negotiation_budget_return() */
	TAILQ_ENTRY(connection) entry; /* all */
	TAILQ_ENTRY(connection) session_entry; /* of its session */
};
TAILQ_HEAD(connections, connection);

struct vpn_session {
	char name[300]; /* SID-<USER>-<n> */
	uint8_t key[REGISTRY_KEY_BYTES];
	uint32_t key32;
	struct directory_hub *hub;
	char user[DIRECTORY_NAME_BYTES];
	char group[DIRECTORY_NAME_BYTES]; /* of the user at login; "": none */
	struct policy_wire policy;	  /* the session's own, for life (login_policy.h) */
	bool same_host;
	bool has_installation;	  /* the next is set */
	uint8_t installation[16]; /* what tells this client's installation from others */
	int64_t expires_ms;	  /* of the account, as at login; 0 = never */
	struct event *deadline;	  /* session_deadline.h */
	uint64_t opened_ms;	  /* on the monotonic clock */
	struct session *session;  /* NULL once it has ended */
	unsigned worker;
	uint8_t max_connections; /* granted */
	uint32_t timeout_ms;
	bool bridge_mode;
	bool monitor_mode;
	bool encrypt;
	bool compress;
	bool half_duplex;
	bool qos;
	uint8_t unique_id[20];
	int64_t created_ms;
	char client_product[256];
	char client_host[64];
	uint32_t client_version;
	uint32_t client_build;
	struct sockaddr_storage peer; /* of the first connection */
	uint16_t listener_port;
	struct connections connections;
	uint32_t connection_cnt;
	int tls_version; /* of the first connection, SSL_version() */
	char tls_cipher[64];
	struct traffic_totals folded; /* of its port's counters: in the totals already */
	uint32_t tls_epoch;	      /* which certificate it was shown: server_tls.h */
	bool ending;
	bool abandoned;
	/* Indexes; registry's own. */
	TAILQ_ENTRY(vpn_session) entry;
	LIST_ENTRY(vpn_session) key_entry;
	LIST_ENTRY(vpn_session) name_entry;
};
TAILQ_HEAD(vpn_sessions, vpn_session);

const struct connections *registry_connections(void);
const struct vpn_sessions *registry_sessions(void);
uint32_t registry_session_cnt(void);
struct connection *registry_connection_find(const char *name);
struct vpn_session *registry_session_find(const struct directory_hub *hub, const char *name);
/* By all 20 bytes, indexed by a keyed hash; constant work whatever an attacker sends. */
struct vpn_session *registry_session_by_key(const uint8_t key[REGISTRY_KEY_BYTES]);
/* The session that owns a port (for MAC lists); NULL if it has gone. */
struct vpn_session *registry_session_by_port(uint32_t port_idx);

/*
 * Ends a connection with close_notify, whatever its state (established: its worker does it; the session
 * goes on). -ENOENT.
 */
int registry_connection_close(const char *name);
/* Ends a session: its connections are closed, later additional_connect gets error 13. -ENOENT. */
int registry_session_delete(const struct directory_hub *hub, const char *name);
/*
 * Sessions of a user that count for MultiLogins (policy.md 4): those that have a connection, unless they are of
 * the same installation (16 bytes, NULL = unknown).
 */
uint32_t registry_user_sessions(
	const struct directory_hub *hub, const char *user, const uint8_t *installation);
/*
 * Sessions of `hub` that have not been told to end; of this user, of this group, where these are not NULL. With
 * `end` they are told so, for the reason `why`. How many there were.
 */
uint32_t registry_sessions_of(const struct directory_hub *hub, const char *user, const char *group,
	bool end, enum session_end why);
/* Sessions of a worker, for choosing the one with the fewest. */
uint32_t registry_worker_sessions(unsigned worker);

/* ---- for the way in (access.h) only --------------------------------------------------------- */

struct config;
struct session_conf;

/* -ENOMEM, -EIO. */
int registry_init(const struct config *config);
/* Forgets everything; sessions must have ended or their workers stopped. */
void registry_fini(void);

/* A new connection in state HANDSHAKE with its CID. NULL with ENOMEM. */
struct connection *registry_connection_add(
	const struct sockaddr *peer, const struct sockaddr *local, uint16_t listener_port);
/* Removes and frees it; NULL is fine. */
void registry_connection_remove(struct connection *c);
/* The stream goes to linger.h, the connection is CLOSING meanwhile and then removed. */
void registry_connection_linger(struct connection *c, struct stream *stream);

/*
 * Enters a session of `hub` under the name, key and worker that the caller filled in, with the callbacks of
 * the driver bound to it: conf->cb and conf->ctx are set here, then session_create(). Takes the object on
 * success. -errno of session_create().
 */
int registry_session_add(struct vpn_session *vs, struct session_conf *conf);
/* Undoes it, when the welcome could not be written. Frees it. */
void registry_session_abandon(struct vpn_session *vs);
/* Hands the first connection's stream over, which opens the session: established. */
void registry_session_open(struct vpn_session *vs, struct connection *c, struct stream *stream);
/* Which way the next connection of the session is to carry data (wire.md 5.3). */
enum session_direction registry_session_direction(const struct vpn_session *vs);
/* Hands another connection over, into a place from session_reserve(), with the direction it was told. */
void registry_session_join(struct vpn_session *vs, struct connection *c,
	struct session_connection *place, struct stream *stream, enum session_direction direction);

/* Ends all sessions, and all connections before login. The answers come by and by. */
void registry_shutdown(void);
/* No connection and no session left. */
bool registry_quiet(void);

#endif
