/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The HTTP-like framing that carries everything before the data phase (wire.md 1.3, 1.7): heads of
 * requests and responses in, both in both roles, and the same out.
 *
 * The parser takes bytes as they come, keeps one line and what a head must be judged by, allocates
 * nothing and never looks at a body: after HTTP_HEAD_DONE the caller gathers `content_length` bytes
 * under its own limit and calls http_parser_init for the next head. What stock peers close a
 * connection for is HTTP_BAD here, to be answered by closing without a reply.
 *
 * No state outside the arguments: any thread.
 */
#ifndef DRIVERS_SESSION_WIRE_HTTP_H
#define DRIVERS_SESSION_WIRE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "drivers/session/wire/bytebuf.h"

#define HTTP_LINE_MAX	    4096	 /* wire.md 1.3: bytes of a line without its CR LF */
#define HTTP_HEADERS_MAX    128		 /* wire.md 1.3: later ones are ignored */
#define HTTP_HEAD_MAX	    65536	 /* ours: bytes of a whole head, ends an endless one */
#define HTTP_PACK_TO_SERVER 65536	 /* wire.md 1.7: bytes of a PACK body to a server */
#define HTTP_PACK_TO_CLIENT (512u << 20) /* wire.md 1.7 */
#define HTTP_TARGET_CONNECT "/vpnsvc/connect.cgi"
#define HTTP_TARGET_PACK    "/vpnsvc/vpn.cgi"
#define HTTP_TYPE_PACK	    "application/octet-stream"

/*
 * What is kept of a head. The first line's tokens are method, target, version in a request and
 * version, status, reason in a response; all NUL-terminated, cut if longer, which never makes them
 * equal to something known. Further tokens are dropped.
 */
struct http_head {
	char first[32];
	char second[512];
	char third[32];
	char content_type[64];
	uint64_t content_length; /* 0 if missing; saturates */
	bool has_content_length;
	uint32_t headers; /* header lines seen, ignored ones included */
};

enum http_event {
	HTTP_MORE,	/* all bytes taken, the head goes on */
	HTTP_HEADER,	/* one header is in parser->name, ->value until the next call */
	HTTP_HEAD_DONE, /* the empty line was taken; parser->head is complete */
	HTTP_BAD,	/* malformed: close without reply; every further call says the same */
};

/* About 5 KiB; belongs to one connection. Fields other than head, name, value are private. */
struct http_parser {
	struct http_head head;
	const char *name;  /* HTTP_HEADER: as sent, blanks trimmed */
	const char *value; /* HTTP_HEADER: never empty, blanks trimmed */
	enum {
		HTTP_PARSER_FIRST_LINE,
		HTTP_PARSER_HEADERS,
		HTTP_PARSER_DONE,
		HTTP_PARSER_BAD,
	} state;
	uint32_t head_bytes;
	uint32_t line_len;
	char line[HTTP_LINE_MAX + 2]; /* a CR may follow the 4096th byte; and a NUL */
};

void http_parser_init(struct http_parser *p);

/**
 * Take bytes up to the next event.
 * @param in        len bytes, may be 0.
 * @param consumed  set to the bytes taken; after HTTP_HEAD_DONE the rest is the body.
 */
enum http_event http_parse(struct http_parser *p, const void *in, size_t len, size_t *consumed);

/** http_parse without the HTTP_HEADER events, for callers that need only `head`. */
enum http_event http_parse_head(
	struct http_parser *p, const void *in, size_t len, size_t *consumed);

/** True if the head is a request of that method and target, ASCII case ignored (1.5). */
bool http_request_is(const struct http_head *h, const char *method, const char *target);

/**
 * The server's test of a PACK request (1.7): POST, /vpnsvc/vpn.cgi, HTTP/1.1, content type, all
 * ignoring case, and 1..65536 bytes.
 * @return body bytes, or -EPROTO: answer error PACK 3 and close.
 */
int64_t http_check_pack_request(const struct http_head *h);

/**
 * The client's test of a response that carries a PACK: HTTP/1.1 200, content type, 1 byte up to
 * max_bytes (at most HTTP_PACK_TO_CLIENT; a client expecting a hello gives less).
 * @return body bytes, or -EPROTO: abandon the connection.
 */
int64_t http_check_pack_response(const struct http_head *h, uint64_t max_bytes);

/* Builders append to a bytebuf and leave errors there. `date` is the time for a Date header in
 * GMT (RFC 1123), or 0 for none: it is informative only (1.7). */

/** A response with text/html body, "Connection: Keep-Alive" and "Keep-Alive: timeout=15; max=19". */
void http_build_page(
	struct bytebuf *b, unsigned int status, const char *reason, const char *html, time_t date);

/** A "200 OK" response around a finished PACK. */
void http_build_pack_response(struct bytebuf *b, const void *pack, size_t size_bytes, time_t date);

/** A request around a finished PACK. host is the Host header's value, NULL for none. */
void http_build_pack_request(
	struct bytebuf *b, const char *host, const void *pack, size_t size_bytes, time_t date);

/** The signature upload in its short form, `VPNCONNECT` (1.5). host may be NULL. */
void http_build_signature(struct bytebuf *b, const char *host);

#endif
