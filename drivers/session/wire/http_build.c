/* SPDX-License-Identifier: BSD-3-Clause */
/* HTTP messages out, both roles (wire.md 1.5-1.7). Headers sorted by name as stock peers emit them. */
#include <string.h>

#include "drivers/session/wire/http.h"

/* Not strftime: names must be English whatever the locale. */
static void build_date(struct bytebuf *b, time_t date)
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;

	if (!date || !gmtime_r(&date, &tm))
		return;
	bytebuf_printf(b, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday],
		tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* A header with an empty value makes stock close: leave it out (1.3). */
static void build_host(struct bytebuf *b, const char *host)
{
	if (!host || !*host)
		return;
	bytebuf_append_text(b, "Host: ");
	bytebuf_append_text(b, host);
	bytebuf_append_text(b, "\r\n");
}

static void build_entity(struct bytebuf *b, const char *type, size_t size_bytes)
{
	bytebuf_printf(b, "Connection: Keep-Alive\r\nContent-Length: %zu\r\nContent-Type: %s\r\n",
		size_bytes, type);
}

void http_build_page(
	struct bytebuf *b, unsigned int status, const char *reason, const char *html, time_t date)
{
	bytebuf_printf(b, "HTTP/1.1 %u %s\r\n", status, reason);
	build_entity(b, "text/html; charset=iso-8859-1", strlen(html));
	build_date(b, date);
	bytebuf_append_text(b, "Keep-Alive: timeout=15; max=19\r\n\r\n");
	bytebuf_append_text(b, html);
}

void http_build_pack_response(struct bytebuf *b, const void *pack, size_t size_bytes, time_t date)
{
	bytebuf_append_text(b, "HTTP/1.1 200 OK\r\n");
	build_entity(b, HTTP_TYPE_PACK, size_bytes);
	build_date(b, date);
	bytebuf_append_text(b, "Keep-Alive: timeout=15; max=19\r\n\r\n");
	bytebuf_append(b, pack, size_bytes);
}

void http_build_pack_request(
	struct bytebuf *b, const char *host, const void *pack, size_t size_bytes, time_t date)
{
	bytebuf_append_text(b, "POST " HTTP_TARGET_PACK " HTTP/1.1\r\n");
	build_entity(b, HTTP_TYPE_PACK, size_bytes);
	build_date(b, date);
	build_host(b, host);
	bytebuf_append_text(b, "Keep-Alive: timeout=15; max=19\r\n\r\n");
	bytebuf_append(b, pack, size_bytes);
}

void http_build_signature(struct bytebuf *b, const char *host)
{
	static const char body[] = "VPNCONNECT";

	bytebuf_append_text(b, "POST " HTTP_TARGET_CONNECT " HTTP/1.1\r\n");
	build_entity(b, "image/jpeg", sizeof(body) - 1);
	build_host(b, host);
	bytebuf_append_text(b, "\r\n");
	bytebuf_append(b, body, sizeof(body) - 1);
}
