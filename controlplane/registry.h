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

struct stream;
struct vpn_session;

enum connection_state {
	CONNECTION_HANDSHAKE,	/* TLS */
	CONNECTION_NEGOTIATING, /* HTTP preamble to login */
	CONNECTION_ESTABLISHED, /* member of a session, owned by its worker */
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
	char client_product[256];    /* client_str, as told by the peer */
	uint32_t client_version;
	uint32_t client_build;
	TAILQ_ENTRY(connection) entry;	       /* all */
	TAILQ_ENTRY(connection) session_entry; /* of its session */
};
TAILQ_HEAD(connections, connection);

struct vpn_session {
	char name[300]; /* SID-<USER>-<n> */
	uint8_t key[REGISTRY_KEY_BYTES];
	uint32_t key32;
	struct directory_hub *hub;
	char user[DIRECTORY_NAME_BYTES];
	struct session *session; /* NULL once it has ended */
	unsigned worker;
	uint8_t max_connections; /* granted */
	uint32_t timeout_ms;
	bool bridge_mode;
	bool monitor_mode;
	bool encrypt;
	bool compress;
	bool half_duplex;
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
	uint32_t tls_version; /* of the first connection, SSL_version() */
	char tls_cipher[64];
	bool ending;
	TAILQ_ENTRY(vpn_session) entry;
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

#endif
