/* SPDX-License-Identifier: BSD-3-Clause */
/* Classifier of requests before the signature (wire.md 1.4-1.6). */
#include "drivers/session/wire/preamble.h"

#include <string.h>
#include <strings.h>

#define TAG_WITHIN 1023 /* wire.md 1.4 */

static bool is_get_or_head(const struct http_head *h)
{
	return !strcasecmp(h->first, "GET") || !strcasecmp(h->first, "HEAD");
}

static bool is_signature_length(uint64_t n)
{
	return n == PREAMBLE_SHORT_BYTES || (n >= PREAMBLE_MARK_BYTES && n <= PREAMBLE_BODY_MAX);
}

bool preamble_is_api(const struct http_head *h)
{
	const char *rest;

	if (strcasecmp(h->first, "POST") || strncasecmp(h->second, "/api", 4))
		return false;
	rest = h->second + 4;
	rest += *rest == '/';
	return !*rest || *rest == '?';
}

/* The answer to anything that is not a POST, which no body changes. */
static enum preamble_answer answer_other(const struct http_head *h)
{
	if (!is_get_or_head(h))
		return PREAMBLE_NOT_IMPLEMENTED;
	return strcmp(h->second, "/") ? PREAMBLE_NOT_FOUND : PREAMBLE_PROBE_PAGE;
}

enum preamble_answer preamble_head(
	struct preamble *p, const struct http_head *h, uint32_t *body_bytes)
{
	bool post = !strcasecmp(h->first, "POST");

	*body_bytes = 0;
	if (p->requests >= PREAMBLE_REQUESTS_MAX)
		return PREAMBLE_CLOSE;
	p->requests++;
	if (preamble_is_api(h) && h->content_length >= 1 && h->content_length <= PREAMBLE_API_MAX) {
		*body_bytes = (uint32_t)h->content_length;
		return PREAMBLE_NEED_BODY;
	}
	if (post && !is_signature_length(h->content_length))
		return PREAMBLE_FORBIDDEN_CLOSE;
	if (!h->content_length)
		return answer_other(h);
	/* A body that others than POST bring is gathered and forgotten, if it is small. */
	if (h->content_length > PREAMBLE_BODY_MAX)
		return PREAMBLE_FORBIDDEN_CLOSE;
	*body_bytes = (uint32_t)h->content_length;
	return PREAMBLE_NEED_BODY;
}

enum preamble_answer preamble_body(const struct http_head *h, const uint8_t *body, uint32_t len)
{
	if (strcasecmp(h->first, "POST"))
		return answer_other(h);
	if (preamble_is_api(h))
		return PREAMBLE_API;
	if (strcasecmp(h->second, HTTP_TARGET_CONNECT))
		return PREAMBLE_NOT_FOUND;
	if (len == PREAMBLE_SHORT_BYTES && !memcmp(body, PREAMBLE_SHORT, len))
		return PREAMBLE_SIGNATURE;
	if (len >= PREAMBLE_MARK_BYTES && len <= PREAMBLE_BODY_MAX && preamble_is_watermark(body))
		return PREAMBLE_SIGNATURE;
	return PREAMBLE_FORBIDDEN;
}

bool preamble_closes(enum preamble_answer a)
{
	return a == PREAMBLE_FORBIDDEN_CLOSE || a == PREAMBLE_CLOSE;
}

void preamble_reply(struct bytebuf *b, enum preamble_answer a, time_t date)
{
	switch (a) {
	case PREAMBLE_NEED_BODY:
	case PREAMBLE_SIGNATURE:
	case PREAMBLE_API:
	case PREAMBLE_CLOSE:
		return;
	case PREAMBLE_PROBE_PAGE:
		http_build_page(b, 200, "OK",
			"<!-- " PREAMBLE_TAG " -->\n"
			"<!DOCTYPE html><html><head><title>Patchbay</title></head>\n"
			"<body><p>Nothing to see here.</p></body></html>\n",
			date);
		return;
	case PREAMBLE_FORBIDDEN:
	case PREAMBLE_FORBIDDEN_CLOSE:
		http_build_page(b, 403, "Forbidden",
			"<html><head><title>403 Forbidden</title></head>\n"
			"<body><h1>Forbidden</h1></body></html>\n",
			date);
		return;
	case PREAMBLE_NOT_FOUND:
		http_build_page(b, 404, "Not Found",
			"<html><head><title>404 Not Found</title></head>\n"
			"<body><h1>Not Found</h1></body></html>\n",
			date);
		return;
	case PREAMBLE_NOT_IMPLEMENTED:
		http_build_page(b, 501, "Method Not Implemented",
			"<html><head><title>501 Method Not Implemented</title></head>\n"
			"<body><h1>Method Not Implemented</h1></body></html>\n",
			date);
		return;
	}
}

const char *preamble_answer_name(enum preamble_answer a)
{
	static const char *const names[] = {
		[PREAMBLE_NEED_BODY] = "need-body",
		[PREAMBLE_SIGNATURE] = "signature",
		[PREAMBLE_PROBE_PAGE] = "probe-page",
		[PREAMBLE_FORBIDDEN] = "forbidden",
		[PREAMBLE_FORBIDDEN_CLOSE] = "forbidden-close",
		[PREAMBLE_NOT_FOUND] = "not-found",
		[PREAMBLE_NOT_IMPLEMENTED] = "not-implemented",
		[PREAMBLE_API] = "api",
		[PREAMBLE_CLOSE] = "close",
	};

	return (unsigned int)a < sizeof(names) / sizeof(names[0]) ? names[a] : "unknown";
}

void preamble_build_probe(struct bytebuf *b, const char *host)
{
	bytebuf_append_text(b, "GET / HTTP/1.1\r\nX-VPN: 1\r\n");
	if (host && *host) {
		bytebuf_append_text(b, "Host: ");
		bytebuf_append_text(b, host);
		bytebuf_append_text(b, "\r\n");
	}
	bytebuf_append_text(b,
		"Keep-Alive: timeout=15; max=19\r\n"
		"Connection: Keep-Alive\r\n"
		"Pragma: no-cache\r\n"
		"Cache-Control: no-cache\r\n"
		"\r\n");
}

bool preamble_probe_passed(const uint8_t *body, size_t len)
{
	const size_t tag_len = sizeof(PREAMBLE_TAG) - 1;
	size_t i;

	if (len > TAG_WITHIN)
		len = TAG_WITHIN;
	for (i = 0; i + tag_len <= len; i++)
		if (!strncasecmp((const char *)body + i, PREAMBLE_TAG, tag_len))
			return true;
	return false;
}
