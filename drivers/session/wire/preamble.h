/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a server does with the HTTP requests that come before the signature (wire.md 1.4-1.6): the
 * probe of racing clients, the signature itself, and browsers and scanners.
 *
 * Use: parse a head with http.h; ask preamble_head. It either decides at once or says how many body
 * bytes (at most 3411, or 65536 of a call) to gather for preamble_body, which then decides. Then append the reply of
 * preamble_reply and do what preamble_closes says. One `struct preamble` per connection counts the
 * requests: 18 others are answered, the signature is still accepted as the 19th, the 20th request
 * closes.
 *
 * Pure but for one call of OpenSSL's SHA-256 over 1411 bytes in preamble_watermark.c.
 */
#ifndef DRIVERS_SESSION_WIRE_PREAMBLE_H
#define DRIVERS_SESSION_WIRE_PREAMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "drivers/session/wire/bytebuf.h"
#include "drivers/session/wire/http.h"

#define PREAMBLE_REQUESTS_MAX 19 /* wire.md 1.6 */
#define PREAMBLE_SHORT	      "VPNCONNECT"
#define PREAMBLE_SHORT_BYTES  10
#define PREAMBLE_MARK_BYTES   1411 /* wire.md 1.5: the fixed image */
#define PREAMBLE_BODY_MAX     3411 /* image and up to 2000 random bytes */
/* A page whose first 1023 bytes contain this tells a client that the port speaks the protocol (1.4). */
#define PREAMBLE_TAG "9C37197CA7C2428388C2E6E59B829B30"

/* Bytes of a call's body, and where calls go to (1.6). */
#define PREAMBLE_API_MAX 65536

enum preamble_answer {
	PREAMBLE_NEED_BODY,	  /* gather the body, then preamble_body */
	PREAMBLE_SIGNATURE,	  /* a VPN peer: send the hello */
	PREAMBLE_PROBE_PAGE,	  /* 200 with the tag; stays open */
	PREAMBLE_FORBIDDEN,	  /* 403; stays open */
	PREAMBLE_FORBIDDEN_CLOSE, /* 403, then close */
	PREAMBLE_NOT_FOUND,	  /* 404; stays open */
	PREAMBLE_NOT_IMPLEMENTED, /* 501; stays open */
	PREAMBLE_API,		  /* a call of the JSON API, for the caller to answer; stays open */
	PREAMBLE_CLOSE,		  /* close without reply */
};

struct preamble {
	uint32_t requests; /* heads judged so far */
};

/**
 * Judge a complete request head and count it.
 * @param body_bytes  set to the body's length if the answer is PREAMBLE_NEED_BODY, else 0.
 */
enum preamble_answer preamble_head(
	struct preamble *p, const struct http_head *h, uint32_t *body_bytes);

/** Judge the request whose head gave PREAMBLE_NEED_BODY, with its whole body. Never returns
 * PREAMBLE_NEED_BODY. */
enum preamble_answer preamble_body(const struct http_head *h, const uint8_t *body, uint32_t len);

/** True for POST to /api or /api/, whatever stands behind a question mark. */
bool preamble_is_api(const struct http_head *h);

/** True if the connection ends after the answer was sent. */
bool preamble_closes(enum preamble_answer a);

/** Append the reply; nothing for NEED_BODY, SIGNATURE and CLOSE. date as in http.h. */
void preamble_reply(struct bytebuf *b, enum preamble_answer a, time_t date);

/** Short name for logs and counters, a constant. */
const char *preamble_answer_name(enum preamble_answer a);

/** True if the SHA-256 of the 1411 bytes is the image's (1.5). */
bool preamble_is_watermark(const uint8_t mark[PREAMBLE_MARK_BYTES]);

/** Client: the probe request of 1.4. host is the server's address in text form. */
void preamble_build_probe(struct bytebuf *b, const char *host);

/** Client: does the probe reply's body carry the tag within its first 1023 bytes? */
bool preamble_probe_passed(const uint8_t *body, size_t len);

#endif
