/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's one message after the hello (wire.md 3.2-3.5, 5.1, 9): which method, who, with what
 * credential, and what kind of session. A server parses it; our cascades and client build it.
 *
 * The struct owns all its texts; `cert`, `sign` and `ntlm` point into the PACK's body and live as
 * long as it does. It holds secrets: wipe it (explicit_bzero) when the decision is made.
 */
#ifndef DRIVERS_SESSION_WIRE_LOGIN_H
#define DRIVERS_SESSION_WIRE_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/session/wire/hello.h"
#include "drivers/session/wire/pack.h"
#include "drivers/session/wire/wire_error.h"

#define LOGIN_NAME_LEN	   255	  /* wire.md 12: user, hub, password */
#define LOGIN_METHOD_MAX   511	  /* wire.md 12 */
#define LOGIN_CERT_MAX	   100000 /* wire.md 3.2.4 */
#define LOGIN_SIGN_MAX	   512
#define LOGIN_SECRET_BYTES 20 /* random, keys, hashes, tickets */
#define LOGIN_NOOP_MAX	   30 /* wire.md 1.7: per awaited message */

enum login_method {
	LOGIN_METHOD_UNKNOWN,
	LOGIN_METHOD_NOOP, /* no method but `noop`: see noop in the struct and reply.h */
	LOGIN_METHOD_LOGIN,
	LOGIN_METHOD_ADDITIONAL_CONNECT,
	LOGIN_METHOD_ENUM_HUB,
	LOGIN_METHOD_PASSWORD,
	LOGIN_METHOD_ADMIN,
	LOGIN_METHOD_FARM_CONNECT,
};

/* Values of `authtype` (wire.md 3.2.1); any other is answered with error 7, but only after hub and
 * anonymous user were looked at. */
enum login_authtype {
	LOGIN_AUTH_ANONYMOUS = 0,
	LOGIN_AUTH_PASSWORD = 1,
	LOGIN_AUTH_PLAIN_PASSWORD = 2,
	LOGIN_AUTH_CERT = 3,
	LOGIN_AUTH_TICKET = 99,
};

/* A client's offer of UDP acceleration (wire.md 7.2). */
struct login_udp_offer {
	bool use; /* false: the rest is zero */
	bool hmac, fast_detect;
	bool has_key, has_key_v2;
	uint32_t version;     /* 1 */
	uint32_t max_version; /* 1 if absent */
	struct pack_ip client_ip;
	uint32_t client_port;
	uint8_t client_key[20];
	uint8_t client_key_v2[128];
};

/* What a client says about its host; shown to administrators, never believed (wire.md 3.2.6). */
struct login_node {
	char client_product[64];
	char client_os[64];
	char client_os_version[128];
	char client_os_product_id[64];
	char client_host[64];
	char server_host[64];
	char proxy_host[64];
	struct pack_ip client_ip;
	uint32_t client_port;  /* host order: the wire's byte swap is undone */
	uint8_t unique_id[16]; /* `UniqueId`, counts for MultiLogins */
	bool has_unique_id;
};

struct login_request {
	enum login_method method;
	struct product client; /* client_str, client_ver, client_build */
	uint32_t noop;	       /* LOGIN_METHOD_NOOP: 1 wants an answer, 2 does not */

	/* login, password, admin */
	char hubname[LOGIN_NAME_LEN + 1];
	char username[LOGIN_NAME_LEN + 1];

	/* login: authtype as sent, and those credentials that came with the right size */
	uint32_t authtype;
	bool has_secure_password;
	bool has_ticket;
	bool has_plain_password;
	uint8_t secure_password[LOGIN_SECRET_BYTES]; /* also admin */
	uint8_t ticket[LOGIN_SECRET_BYTES];
	char plain_password[LOGIN_NAME_LEN + 1];
	struct pack_span cert; /* 1..100000 bytes, .data NULL if absent or ill-sized */
	struct pack_span sign; /* 1..512 bytes, likewise */

	/* login: session options */
	uint32_t protocol;
	uint32_t client_id;
	uint32_t max_connection; /* as sent */
	bool use_encrypt, use_compress, half_connection, qos;
	bool require_bridge_routing_mode, require_monitor_mode;
	bool has_unique_id;
	uint8_t unique_id[LOGIN_SECRET_BYTES]; /* `unique_id`: equal to the server's = local */
	uint32_t adjust_mss;		       /* bytes, 0 none */
	struct login_udp_offer udp;
	struct login_node node;

	/* additional_connect */
	uint8_t session_key[LOGIN_SECRET_BYTES];

	/* password */
	uint8_t secure_old_password[LOGIN_SECRET_BYTES];
	uint8_t new_password[LOGIN_SECRET_BYTES];
	struct pack_span ntlm; /* 16 bytes or .data NULL */

	/* admin */
	bool accept_empty_password;
};

/**
 * Server: read the client's message.
 *
 * The whole struct is written. A login with missing or ill-sized credential is not an error here
 * but a has_ flag that is false, since an anonymous user gets in with any (wire.md 3.2.1).
 *
 * @return WIRE_ERROR_OK; WIRE_ERROR_PROTOCOL for an unknown or missing method, a name over 255
 *         bytes, or a session key or password hash that is not 20 bytes; or the code of the
 *         `error` element if the client sent one. Any code ends the connection.
 */
enum wire_error login_request_unpack(struct login_request *r, const struct pack *p);

/** Client: add the elements of r->method with its version fields: the smallest PACK of wire.md
 * 3.2.6, options that are not zero, the UDP offer, and of the node information what is not
 * empty. Methods UNKNOWN and FARM_CONNECT add nothing. */
void login_request_pack(const struct login_request *r, struct pack_writer *w);

/** True if the product string marks a bridge or server, which get bridge mode (wire.md 3.1). */
bool product_is_bridge(const struct product *c);

/** True if the product string marks a client, which must be new enough (wire.md 3.1). */
bool product_is_client(const struct product *c);

/**
 * True if the client skips no-ops that it has not asked for (wire.md 1.7): releases of 2025 and later. Stock
 * 5.01 (9674) takes either kind for a protocol error (measured), so that it has to wait in silence.
 */
bool product_skips_noops(const struct product *c);

const char *login_method_name(enum login_method m);

#endif
