/* SPDX-License-Identifier: BSD-3-Clause */
/* HTTP head parser (wire.md 1.3) and the checks of 1.7. */
#include "drivers/session/wire/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

void http_parser_init(struct http_parser *p)
{
	memset(&p->head, 0, sizeof(p->head));
	p->name = NULL;
	p->value = NULL;
	p->state = HTTP_PARSER_FIRST_LINE;
	p->head_bytes = 0;
	p->line_len = 0;
}

static enum http_event http_bad(struct http_parser *p)
{
	p->state = HTTP_PARSER_BAD;
	return HTTP_BAD;
}

static void copy_cut(char *dst, size_t size, const char *src, size_t len)
{
	size_t n = len < size ? len : size - 1;

	memcpy(dst, src, n);
	dst[n] = 0;
}

static enum http_event http_first_line(struct http_parser *p)
{
	struct http_head *h = &p->head;
	char *const dst[] = {h->first, h->second, h->third};
	const size_t size[] = {sizeof(h->first), sizeof(h->second), sizeof(h->third)};
	const char *s = p->line;
	size_t n;
	int i;

	for (i = 0; i < 3; i++) {
		s += strspn(s, " ");
		n = strcspn(s, " ");
		if (!n)
			return http_bad(p);
		copy_cut(dst[i], size[i], s, n);
		s += n;
	}
	p->state = HTTP_PARSER_HEADERS;
	return HTTP_MORE;
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	return s;
}

/* Decimal digits only: a length that two parsers could read differently is malformed. */
static bool parse_length(const char *s, uint64_t *v)
{
	*v = 0;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		if (*v > (UINT64_MAX - 9) / 10)
			*v = UINT64_MAX;
		else
			*v = *v * 10 + (uint64_t)(*s - '0');
	}
	return true;
}

static enum http_event http_header_line(struct http_parser *p)
{
	struct http_head *h = &p->head;
	char *colon;
	uint64_t length;

	if (!p->line_len) {
		p->state = HTTP_PARSER_DONE;
		return HTTP_HEAD_DONE;
	}
	if (h->headers++ >= HTTP_HEADERS_MAX)
		return HTTP_MORE;
	colon = strchr(p->line, ':');
	if (!colon)
		return http_bad(p);
	*colon = 0;
	p->name = trim(p->line);
	p->value = trim(colon + 1);
	if (!*p->name || !*p->value)
		return http_bad(p);
	if (!strcasecmp(p->name, "Content-Length")) {
		if (!parse_length(p->value, &length) ||
			(h->has_content_length && h->content_length != length))
			return http_bad(p);
		h->content_length = length;
		h->has_content_length = true;
	} else if (!strcasecmp(p->name, "Content-Type")) {
		copy_cut(h->content_type, sizeof(h->content_type), p->value, strlen(p->value));
	}
	return HTTP_HEADER;
}

/* The line is complete, LF already gone. */
static enum http_event http_line(struct http_parser *p)
{
	if (p->line_len && p->line[p->line_len - 1] == '\r')
		p->line_len--;
	p->line[p->line_len] = 0;
	/* A NUL would make the rest invisible to a peer that handles lines as C strings. */
	if (p->line_len > HTTP_LINE_MAX || strlen(p->line) != p->line_len)
		return http_bad(p);
	if (p->state == HTTP_PARSER_FIRST_LINE)
		return http_first_line(p);
	return http_header_line(p);
}

enum http_event http_parse(struct http_parser *p, const void *in, size_t len, size_t *consumed)
{
	const char *s = in;
	enum http_event ev;

	*consumed = 0;
	if (p->state == HTTP_PARSER_BAD)
		return HTTP_BAD;
	if (p->state == HTTP_PARSER_DONE)
		return HTTP_HEAD_DONE;
	while (len) {
		const char *lf = memchr(s, '\n', len);
		size_t n = lf ? (size_t)(lf - s) : len;
		size_t taken = lf ? n + 1 : n;

		/* One byte more than the longest line, for the CR that may end it. */
		if (n > HTTP_LINE_MAX + 1 - p->line_len || taken > HTTP_HEAD_MAX - p->head_bytes)
			return http_bad(p);
		memcpy(p->line + p->line_len, s, n);
		p->line_len += (uint32_t)n;
		p->head_bytes += (uint32_t)taken;
		*consumed += taken;
		s += taken;
		len -= taken;
		if (!lf)
			return HTTP_MORE;
		ev = http_line(p);
		p->line_len = 0;
		if (ev != HTTP_MORE)
			return ev;
	}
	return HTTP_MORE;
}

enum http_event http_parse_head(struct http_parser *p, const void *in, size_t len, size_t *consumed)
{
	const uint8_t *s = in;
	enum http_event ev;
	size_t n, total = 0;

	do {
		ev = http_parse(p, s + total, len - total, &n);
		total += n;
	} while (ev == HTTP_HEADER);
	*consumed = total;
	return ev;
}

bool http_request_is(const struct http_head *h, const char *method, const char *target)
{
	return !strcasecmp(h->first, method) && !strcasecmp(h->second, target);
}

static int64_t check_pack_body(const struct http_head *h, uint64_t max_bytes)
{
	if (strcasecmp(h->content_type, HTTP_TYPE_PACK) || h->content_length < 1 ||
		h->content_length > max_bytes)
		return -EPROTO;
	return (int64_t)h->content_length;
}

int64_t http_check_pack_request(const struct http_head *h)
{
	if (!http_request_is(h, "POST", HTTP_TARGET_PACK) || strcasecmp(h->third, "HTTP/1.1"))
		return -EPROTO;
	return check_pack_body(h, HTTP_PACK_TO_SERVER);
}

int64_t http_check_pack_response(const struct http_head *h, uint64_t max_bytes)
{
	if (strcasecmp(h->first, "HTTP/1.1") || strcmp(h->second, "200"))
		return -EPROTO;
	return check_pack_body(
		h, max_bytes < HTTP_PACK_TO_CLIENT ? max_bytes : HTTP_PACK_TO_CLIENT);
}
