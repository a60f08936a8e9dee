/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a server grants at login (wire.md 4.1, 4.2, 4.5), written by a server and read by a client.
 */
#ifndef DRIVERS_SESSION_WIRE_WELCOME_H
#define DRIVERS_SESSION_WIRE_WELCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/session/wire/login.h"
#include "drivers/session/wire/pack.h"
#include "drivers/session/wire/policy_wire.h"
#include "drivers/session/wire/wire_error.h"

#define WELCOME_CONNECTIONS_MAX 32 /* wire.md 12 */
#define WELCOME_TIMEOUT_MIN_MS	5000
#define WELCOME_TIMEOUT_MAX_MS	60000
#define WELCOME_TIMEOUT_STD_MS	20000
#define WELCOME_TIMEOUT_NONE_MS 30000 /* a server that says none (wire.md 12: fallback) */
#define REDIRECT_PORTS_MAX	128   /* wire.md 4.5 */

/* The server's answer to an offer of UDP acceleration (wire.md 7.2); use false: refused, the rest is zero. */
struct welcome_udp {
	bool use;
	bool use_encryption; /* as the session */
	bool hmac, fast_detect;
	uint32_t version; /* 1 or 2 */
	struct pack_ip server_ip;
	uint32_t server_port;	/* not 0 */
	uint32_t server_cookie; /* in the client's datagrams; not 0 */
	uint32_t client_cookie; /* in the server's; neither 0 nor the other */
	uint8_t server_key[20];
	uint8_t server_key_v2[128];
};

struct welcome {
	char session_name[LOGIN_NAME_LEN + 1];
	char connection_name[LOGIN_NAME_LEN + 1];
	uint32_t max_connection; /* granted */
	bool use_encrypt, use_compress, half_connection, qos;
	uint32_t timeout_ms; /* WELCOME_TIMEOUT_MIN_MS .. _MAX_MS, whatever the server said */
	uint8_t session_key[LOGIN_SECRET_BYTES];
	uint32_t session_key_32; /* unused over TCP */
	struct policy_wire policy;
	uint32_t vlan_id;	    /* 0 none */
	bool no_save_password_hint; /* client side: policy.NoSavePassword or the error PACK's flag */
	bool suppress_update_notification; /* clients tell nobody of newer versions */
	struct welcome_udp udp;
	struct pack_span msg; /* UTF-8 message for the user; points elsewhere, may be empty */
};

struct redirect {
	struct pack_ip ip;
	uint16_t ports[REDIRECT_PORTS_MAX];
	uint32_t port_count; /* >= 1 */
	uint8_t ticket[LOGIN_SECRET_BYTES];
	struct pack_span cert; /* DER; points into the body (client) or is the caller's (server) */
	struct pack_span msg;
};

/**
 * Server: derive the granted values (wire.md 4.2) into max_connection, timeout_ms and the four modes
 * of *w, from the wish and the session's effective policy.
 * @param connections_cap  what this server allows at most (1..32).
 * @param monitor          the session is a mirror port, which gets no priority connection.
 * @param hub_allows_qos   hub option.
 * Modes that raise max_connection (half duplex, qos) do so after the cap, as the protocol demands.
 */
void welcome_grant(struct welcome *w, const struct login_request *r,
	const struct policy_wire *policy, uint32_t connections_cap, bool monitor,
	bool hub_allows_qos);

/** Server: add the welcome's elements. The caller adds the padding. */
void welcome_pack(const struct welcome *w, struct pack_writer *pw);

/** Server (cluster controller): add the redirect's elements. */
void redirect_pack(const struct redirect *r, struct pack_writer *pw);

enum login_reply {
	LOGIN_REPLY_WELCOME,  /* *w is filled */
	LOGIN_REPLY_REDIRECT, /* *r is filled */
	LOGIN_REPLY_ERROR,    /* *error is set */
	LOGIN_REPLY_SKIP,     /* a server's unsolicited no-op: wait on, at most 30 times (1.7) */
};

/**
 * Client: read the answer to a login. A welcome without names or session key, or a redirect without
 * port, ticket or certificate, is LOGIN_REPLY_ERROR with WIRE_ERROR_PROTOCOL.
 * @param w, r, error  all written as far as the kind says; r may be NULL if the caller cannot
 *                     follow a redirect (then such an answer is WIRE_ERROR_PROTOCOL).
 */
enum login_reply login_reply_unpack(
	const struct pack *p, struct welcome *w, struct redirect *r, uint32_t *error);

/** Client: limit the granted number of connections by the own setting (wire.md 4.1), at least 2 in
 * half duplex. @param own_max 1..32. */
void welcome_limit(struct welcome *w, uint32_t own_max);

#endif
