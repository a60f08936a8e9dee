/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_AUTH_RADIUS_PACKET_H
#define PATCHBAY_CONTROLPLANE_AUTH_RADIUS_PACKET_H

/*
 * RADIUS packets (RFC 2865, 2868, 2869; reference/auth.md 5): the one request that we send, PAP, and what may come
 * back. A reply is believed when its identifier is the request's, its Response Authenticator and, where it has one or
 * must have one, its Message-Authenticator are right: without the latter, whoever sees the request can turn a refusal
 * into an acceptance (CVE-2024-3596). The source address is the socket's business (radius.c: it is connected).
 *
 * MS-CHAPv2, which PPP clients would need, is not here: peers of this protocol send the password itself, inside TLS.
 *
 * Pure; any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RADIUS_PACKET_MAX	   4096u
#define RADIUS_AUTHENTICATOR_BYTES 16u
#define RADIUS_PASSWORD_MAX	   128u
#define RADIUS_TEXT_MAX		   253u /* of an attribute */

enum radius_code {
	RADIUS_ACCESS_REQUEST = 1,
	RADIUS_ACCESS_ACCEPT = 2,
	RADIUS_ACCESS_REJECT = 3,
	RADIUS_ACCESS_CHALLENGE = 11, /* asks for more than a password: a refusal to us */
};

/* All texts are at most RADIUS_TEXT_MAX bytes, the password RADIUS_PASSWORD_MAX. */
struct radius_ask {
	const char *name;
	const char *password;
	const char *secret;
	const char *nas_identifier;
	const char *called;  /* hub */
	const char *calling; /* the client's address */
};

/* Size, or -EINVAL: a text is too long, or the name is empty. `out` has room for RADIUS_PACKET_MAX. */
long radius_request_build(uint8_t *out, const struct radius_ask *ask, uint8_t identifier,
	const uint8_t authenticator[RADIUS_AUTHENTICATOR_BYTES]);

enum radius_judgement {
	RADIUS_REPLY_RIGHT,
	RADIUS_REPLY_MALFORMED,
	RADIUS_REPLY_FOREIGN, /* another identifier: to another request, or guessed */
	RADIUS_REPLY_FORGED, /* an authenticator is wrong: not from who knows the secret, or not to this request */
	RADIUS_REPLY_UNSIGNED,	/* no Message-Authenticator, and one is wanted */
	RADIUS_REPLY_UNEXPECTED /* a packet that answers no Access-Request */
};

struct radius_reply {
	enum radius_code code; /* accept, reject or challenge */
	uint16_t vlan;	       /* of Tunnel-Private-Group-ID, 1..4095; 0: none that is a number */
};

enum radius_judgement radius_reply_parse(const uint8_t *bytes, size_t size, uint8_t identifier,
	const uint8_t authenticator[RADIUS_AUTHENTICATOR_BYTES], const char *secret,
	bool signed_only, struct radius_reply *out);

#endif
