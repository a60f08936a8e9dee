/* SPDX-License-Identifier: BSD-3-Clause */
/* Payloads in words (packet_note.h). */

#include "controlplane/logs/packet_note.h"

#include <string.h>
#include <strings.h>

#include "controlplane/log.h"
#include "dataplane/byte_order.h"

#define DNS_BYTES	    12u
#define DNS_NAME_MAX	    255u
#define DNS_LABEL_MAX	    63u
#define BOOTP_FIXED	    28u
#define IKE_BYTES	    28u
#define HTTP_VALUE_MAX	    512u
#define TLS_HELLO_AT	    9u /* record and handshake header */
#define TLS_RANDOM_END	    (TLS_HELLO_AT + 34u)
#define TLS_EXT_SERVER_NAME 0u

static bool is_word(const char *value, size_t n)
{
	if (n == 0)
		return false;
	for (size_t at = 0; at < n;) {
		size_t one = log_shown_bytes((const unsigned char *)value + at, n - at);

		if (one == 0 || value[at] == ' ' || value[at] == '"' || value[at] == '\\')
			return false;
		at += one;
	}
	return true;
}

void note_put(struct text_line *note, const char *key, const char *value, size_t n)
{
	size_t before = note->len;

	text_printf(note, "%s%s=", before == 0 ? "" : " ", key);
	if (is_word(value, n))
		text_put(note, value, n);
	else
		text_quoted(note, value, n);
	if (note->cut)
		note->len = before;
}

static void put_number(struct text_line *note, const char *key, uint64_t n)
{
	text_printf(note, "%s%s=%llu", note->len == 0 ? "" : " ", key, (unsigned long long)n);
}

static void put_ip4(struct text_line *note, const char *key, const uint8_t *a)
{
	text_printf(
		note, "%s%s=%u.%u.%u.%u", note->len == 0 ? "" : " ", key, a[0], a[1], a[2], a[3]);
}

/* ---- DNS, DHCP, IKE --------------------------------------------------------------------------- */

void note_dns(struct text_line *note, const uint8_t *p, size_t n)
{
	char name[2 * DNS_NAME_MAX];
	size_t at = DNS_BYTES, len = 0;

	if (n < DNS_BYTES || be16(p + 4) == 0)
		return;
	while (at < n && p[at] != 0) {
		size_t label = p[at++];

		/* A first name has nothing to point to. */
		if (label > DNS_LABEL_MAX || label > n - at || len + 2 * label + 1 > sizeof(name) ||
			at - DNS_BYTES > DNS_NAME_MAX)
			return;
		if (len > 0)
			name[len++] = '.';
		for (size_t i = 0; i < label; i++, at++) {
			/* A dot within a label is no dot between two. */
			if (p[at] == '.')
				name[len++] = '\\';
			name[len++] = (char)p[at];
		}
	}
	if (at >= n || len == 0)
		return;
	if (is_word(name, len))
		text_put(note, name, len);
	else
		text_quoted(note, name, len);
}

void note_dhcp(struct text_line *note, const uint8_t *p, size_t n)
{
	if (n < BOOTP_FIXED)
		return;
	put_number(note, "TransactionId", be32(p + 4));
	put_ip4(note, "ClientIP", p + 12);
	put_ip4(note, "YourIP", p + 16);
	put_ip4(note, "ServerIP", p + 20);
	put_ip4(note, "RelayIP", p + 24);
}

static const char *ike_name(unsigned exchange)
{
	switch (exchange) {
	case 2:
		return "MainMode";
	case 4:
		return "AggressiveMode";
	case 34:
		return "IKE_SA_INIT";
	default:
		return NULL;
	}
}

const char *note_ike(struct text_line *note, const uint8_t *p, size_t n, bool nat)
{
	if (nat && n >= 4) {
		p += 4;
		n -= 4;
	}
	if (n < IKE_BYTES)
		return NULL;
	put_number(note, "InitiatorCookie", (uint64_t)be32(p) << 32 | be32(p + 4));
	put_number(note, "ResponderCookie", (uint64_t)be32(p + 8) << 32 | be32(p + 12));
	text_printf(note, " Version=0x%x ExchangeType=0x%x Flag=0x%x MessageId=%u MessageSize=%u",
		p[17], p[18], p[19], be32(p + 20), be32(p + 24));
	return ike_name(p[18]);
}

/* ---- HTTP ------------------------------------------------------------------------------------- */

struct part {
	const char *at;
	size_t n;
};

/* The next line of what is left, without its end. False: there is no whole one. */
static bool next_line(struct part *left, struct part *line)
{
	const char *end = memchr(left->at, '\n', left->n);

	if (end == NULL)
		return false;
	*line = (struct part){left->at, (size_t)(end - left->at)};
	left->n -= line->n + 1;
	left->at = end + 1;
	if (line->n > 0 && line->at[line->n - 1] == '\r')
		line->n--;
	return true;
}

/* Up to the blank. */
static struct part next_word(struct part *line)
{
	const char *blank = memchr(line->at, ' ', line->n);
	struct part word = {line->at, blank != NULL ? (size_t)(blank - line->at) : line->n};

	line->at += word.n;
	line->n -= word.n;
	if (line->n > 0) {
		line->at++;
		line->n--;
	}
	return word;
}

static bool header_is(const struct part *line, const char *name, struct part *value)
{
	size_t n = strlen(name);

	if (line->n <= n || strncasecmp(line->at, name, n) != 0 || line->at[n] != ':')
		return false;
	*value = (struct part){line->at + n + 1, line->n - n - 1};
	while (value->n > 0 && *value->at == ' ') {
		value->at++;
		value->n--;
	}
	return true;
}

static void put_part(struct text_line *note, const char *key, struct part v)
{
	if (v.n > 0)
		note_put(note, key, v.at, v.n < HTTP_VALUE_MAX ? v.n : HTTP_VALUE_MAX);
}

void note_http(struct text_line *note, const uint8_t *p, size_t n)
{
	struct part left = {(const char *)p, n}, line, method, target, version;
	struct part host = {0}, referer = {0}, agent = {0};
	char url[2 * HTTP_VALUE_MAX + 8];
	size_t len = 0;

	/* A first line that goes on in the next segment is shown as far as it is there. */
	if (!next_line(&left, &line))
		line = left;
	method = next_word(&line);
	target = next_word(&line);
	version = next_word(&line);
	while (next_line(&left, &line) && line.n > 0) {
		(void)(header_is(&line, "Host", &host) || header_is(&line, "Referer", &referer) ||
			header_is(&line, "User-Agent", &agent));
	}
	put_part(note, "HttpMethod", method);
	if (target.n > HTTP_VALUE_MAX)
		target.n = HTTP_VALUE_MAX;
	if (target.n > 0 && target.at[0] == '/' && host.n > 0) {
		if (host.n > HTTP_VALUE_MAX)
			host.n = HTTP_VALUE_MAX;
		memcpy(url, "http://", 7);
		memcpy(url + 7, host.at, host.n);
		len = 7 + host.n;
	}
	memcpy(url + len, target.at, target.n);
	put_part(note, "HttpUrl", (struct part){url, len + target.n});
	put_part(note, "HttpProtocol", version);
	put_part(note, "HttpReferer", referer);
	put_part(note, "HttpUserAgent", agent);
}

/* ---- TLS -------------------------------------------------------------------------------------- */

/* Behind a field with a length of `width` bytes at `at`; 0: it is not all there. */
static size_t behind(const uint8_t *p, size_t n, size_t at, unsigned width)
{
	size_t bytes;

	if (at == 0 || n < width || at > n - width)
		return 0;
	bytes = width == 1 ? p[at] : be16(p + at);
	return bytes > n - at - width ? 0 : at + width + bytes;
}

static void put_server_name(struct text_line *note, const uint8_t *p, size_t n)
{
	char url[300] = "https://";
	size_t bytes;

	/* List length, type of the name (0 = host), its length. */
	if (n < 5 || p[2] != 0)
		return;
	bytes = be16(p + 3);
	if (bytes == 0 || bytes > n - 5 || bytes > 255)
		return;
	memcpy(url + 8, p + 5, bytes);
	url[8 + bytes] = '/';
	note_put(note, "HttpMethod", "SSL_Connect", 11);
	note_put(note, "HttpUrl", url, 8 + bytes + 1);
}

void note_tls(struct text_line *note, const uint8_t *p, size_t n)
{
	size_t at = behind(p, n, TLS_RANDOM_END, 1); /* session id */

	at = behind(p, n, at, 2); /* cipher suites */
	at = behind(p, n, at, 1); /* compression */
	if (at == 0 || n - at < 2)
		return;
	at += 2; /* of all extensions together; each is checked by itself */
	while (n - at >= 4) {
		size_t type = be16(p + at), bytes = be16(p + at + 2);

		/* One that goes on in the next segment ends it. */
		if (bytes > n - at - 4)
			return;
		if (type == TLS_EXT_SERVER_NAME) {
			put_server_name(note, p + at + 4, bytes);
			return;
		}
		at += 4 + bytes;
	}
}
