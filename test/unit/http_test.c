/* SPDX-License-Identifier: BSD-3-Clause */
/* HTTP heads: captured messages, every rule of wire.md 1.3 and 1.7, any split. */
#include "drivers/session/wire/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/vector.h"

static struct http_parser parser;

/* Parse in reads of `chunk` bytes, each in memory of exactly that size. */
static enum http_event parse_chunks(const void *bytes, size_t len, size_t chunk, size_t *head_bytes)
{
	const uint8_t *in = bytes;
	enum http_event ev = HTTP_MORE;
	size_t consumed;

	*head_bytes = 0;
	http_parser_init(&parser);
	while (ev == HTTP_MORE && len) {
		size_t n = chunk < len ? chunk : len;
		struct vector part = vector_copy(in, n);

		ev = http_parse_head(&parser, part.data, n, &consumed);
		assert_true(consumed <= n);
		assert_true(ev != HTTP_MORE || consumed == n);
		*head_bytes += consumed;
		in += n;
		len -= n;
		vector_free(&part);
	}
	return ev;
}

static enum http_event parse_text(const char *text)
{
	size_t head_bytes;

	return parse_chunks(text, strlen(text), strlen(text), &head_bytes);
}

static void test_captured(void **)
{
	static const struct {
		const char *file;
		const char *first, *second, *third, *type;
		uint32_t headers;
		uint64_t length;
	} cases[] = {
		{"probe_request.hex", "GET", "/", "HTTP/1.1", "", 8, 0},
		{"signature_head.hex", "POST", "/vpnsvc/connect.cgi", "HTTP/1.1", "image/jpeg", 4,
			2399},
		{"signature_short.hex", "POST", "/vpnsvc/connect.cgi", "HTTP/1.1", "image/jpeg", 4,
			10},
		{"hello_response.hex", "HTTP/1.1", "200", "OK", "application/octet-stream", 5, 369},
		{"login_request.hex", "POST", "/vpnsvc/vpn.cgi", "HTTP/1.1",
			"application/octet-stream", 6, 3764},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vector v = vector_load(cases[i].file);
		/* Cut into two reads at every byte of the head, and dribbled. */
		for (size_t chunk = 1; chunk <= v.size_bytes && chunk < 400; chunk++) {
			size_t head_bytes;
			uint64_t body;

			assert_int_equal(parse_chunks(v.data, v.size_bytes, chunk, &head_bytes),
				HTTP_HEAD_DONE);
			assert_string_equal(parser.head.first, cases[i].first);
			assert_string_equal(parser.head.second, cases[i].second);
			assert_string_equal(parser.head.third, cases[i].third);
			assert_string_equal(parser.head.content_type, cases[i].type);
			assert_int_equal(parser.head.headers, cases[i].headers);
			assert_int_equal(parser.head.content_length, cases[i].length);
			assert_memory_equal(v.data + head_bytes - 4, "\r\n\r\n", 4);
			body = v.size_bytes - head_bytes;
			if (strcmp(cases[i].file, "signature_head.hex"))
				assert_int_equal(body, cases[i].length);
		}
		vector_free(&v);
	}
}

static void test_truncated(void **)
{
	struct vector v = vector_load("probe_request.hex");
	size_t head_bytes;

	for (size_t len = 0; len < v.size_bytes; len++)
		assert_int_equal(parse_chunks(v.data, len, len ? len : 1, &head_bytes), HTTP_MORE);
	vector_free(&v);
}

static void test_header_events(void **)
{
	const char *text = "GET /x HTTP/1.0\n A-b :\t v w \t\nC:d:e\r\n\nrest";
	size_t n, at = 0, len = strlen(text);

	http_parser_init(&parser);
	assert_int_equal(http_parse(&parser, text, len, &n), HTTP_HEADER);
	assert_string_equal(parser.name, "A-b");
	assert_string_equal(parser.value, "v w");
	at += n;
	assert_int_equal(http_parse(&parser, text + at, len - at, &n), HTTP_HEADER);
	assert_string_equal(parser.name, "C");
	assert_string_equal(parser.value, "d:e");
	at += n;
	assert_int_equal(http_parse(&parser, text + at, len - at, &n), HTTP_HEAD_DONE);
	at += n;
	assert_string_equal(text + at, "rest");
	/* Done stays done and takes nothing of the body. */
	assert_int_equal(http_parse(&parser, text + at, len - at, &n), HTTP_HEAD_DONE);
	assert_int_equal(n, 0);
	assert_int_equal(parser.head.headers, 2);
}

static void test_first_line(void **)
{
	assert_int_equal(parse_text("GET /\r\n\r\n"), HTTP_BAD);
	assert_int_equal(parse_text("\r\n\r\n"), HTTP_BAD);
	assert_int_equal(parse_text("GET\n"), HTTP_BAD);
	assert_int_equal(parse_text("GET  /   HTTP/1.1 and more\n\n"), HTTP_HEAD_DONE);
	assert_string_equal(parser.head.third, "HTTP/1.1");
	/* Bytes of a TLS or VPN data phase. */
	assert_int_equal(parse_text("\x16\x03\x01\x02\n"), HTTP_BAD);
}

static void test_bad_headers(void **)
{
	assert_int_equal(parse_text("GET / HTTP/1.1\r\nno colon\r\n"), HTTP_BAD);
	assert_int_equal(parse_text("GET / HTTP/1.1\r\nEmpty:\r\n"), HTTP_BAD);
	assert_int_equal(parse_text("GET / HTTP/1.1\r\nBlank: \t \r\n"), HTTP_BAD);
	assert_int_equal(parse_text("GET / HTTP/1.1\r\n: no name\r\n"), HTTP_BAD);
	assert_int_equal(parse_text("GET / HTTP/1.1\r\n \r\n"), HTTP_BAD);
	/* Bad stays bad. */
	assert_int_equal(parse_text("GET\nGET / HTTP/1.1\n\n"), HTTP_BAD);
	{
		size_t n;

		assert_int_equal(http_parse(&parser, "GET / HTTP/1.1\n\n", 16, &n), HTTP_BAD);
		assert_int_equal(n, 0);
	}
}

static void test_nul_byte(void **)
{
	static const char text[] = "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n";
	size_t n;

	assert_int_equal(parse_chunks(text, sizeof(text) - 1, 1000, &n), HTTP_BAD);
}

static void test_names_ignore_case(void **)
{
	assert_int_equal(parse_text("POST /a HTTP/1.1\ncontent-LENGTH: 12\nCONTENT-type: X/y\n\n"),
		HTTP_HEAD_DONE);
	assert_int_equal(parser.head.content_length, 12);
	assert_string_equal(parser.head.content_type, "X/y");
}

static void test_content_length(void **)
{
	assert_int_equal(parse_text("A b c\nContent-Length: 12x\n\n"), HTTP_BAD);
	assert_int_equal(parse_text("A b c\nContent-Length: -1\n\n"), HTTP_BAD);
	assert_int_equal(parse_text("A b c\nContent-Length: 0x10\n\n"), HTTP_BAD);
	assert_int_equal(parse_text("A b c\nContent-Length: 1\nContent-Length: 2\n\n"), HTTP_BAD);
	assert_int_equal(
		parse_text("A b c\nContent-Length: 2\nContent-Length: 2\n\n"), HTTP_HEAD_DONE);
	assert_int_equal(parser.head.content_length, 2);
	assert_int_equal(parse_text("A b c\n\n"), HTTP_HEAD_DONE);
	assert_int_equal(parser.head.content_length, 0);
	assert_false(parser.head.has_content_length);
	assert_int_equal(
		parse_text("A b c\nContent-Length: 99999999999999999999999\n\n"), HTTP_HEAD_DONE);
	assert_true(parser.head.content_length == UINT64_MAX);
	assert_int_equal(
		parse_text("A b c\nContent-Length: 18446744073709551615999\n\n"), HTTP_HEAD_DONE);
	assert_true(parser.head.content_length == UINT64_MAX);
	/* No chunked encoding: the header means nothing. */
	assert_int_equal(parse_text("A b c\nTransfer-Encoding: chunked\n\n"), HTTP_HEAD_DONE);
	assert_int_equal(parser.head.content_length, 0);
}

/* A line of 4096 bytes passes, with CR or without; 4097 do not, and are refused before their LF. */
static void test_line_bound(void **)
{
	static char text[6000];
	size_t n;

	for (int extra = 0; extra < 2; extra++)
		for (int cr = 0; cr < 2; cr++)
			for (size_t chunk = 1; chunk < 6000; chunk += 1999) {
				int at = snprintf(text, sizeof(text), "GET / HTTP/1.1\nA: ");

				memset(text + at, 'v', HTTP_LINE_MAX - 3 + extra);
				at += HTTP_LINE_MAX - 3 + extra;
				at += snprintf(
					text + at, sizeof(text) - at, "%s\n\n", cr ? "\r" : "");
				assert_int_equal(parse_chunks(text, (size_t)at, chunk, &n),
					extra ? HTTP_BAD : HTTP_HEAD_DONE);
			}
	memset(text, 'x', sizeof(text));
	assert_int_equal(parse_chunks(text, HTTP_LINE_MAX + 1, 100, &n), HTTP_MORE);
	assert_int_equal(parse_chunks(text, HTTP_LINE_MAX + 2, 100, &n), HTTP_BAD);
}

static void test_128_headers(void **)
{
	static char text[8192];
	int at;

	/* The 128th counts, the 129th does not, and may even be malformed. */
	for (int before = 127; before <= 128; before++) {
		at = snprintf(text, sizeof(text), "GET / HTTP/1.1\n");
		for (int i = 0; i < before; i++)
			at += snprintf(text + at, sizeof(text) - at, "H%d: x\n", i);
		at += snprintf(text + at, sizeof(text) - at, "Content-Length: 5\n");
		snprintf(text + at, sizeof(text) - at, "%s\n", before == 128 ? "no colon\n" : "");
		assert_int_equal(parse_text(text), HTTP_HEAD_DONE);
		assert_int_equal(parser.head.content_length, before == 127 ? 5 : 0);
	}
}

/* An endless head ends. */
static void test_head_bound(void **)
{
	static char text[HTTP_HEAD_MAX + 64];
	size_t n;
	int at = snprintf(text, sizeof(text), "GET / HTTP/1.1\n");

	while (at + 6 <= HTTP_HEAD_MAX)
		at += snprintf(text + at, sizeof(text) - at, "A: bc\n");
	assert_int_equal(parse_chunks(text, (size_t)at, (size_t)at, &n), HTTP_MORE);
	at += snprintf(text + at, sizeof(text) - at, "A: bc\nA: bc\n");
	assert_int_equal(parse_chunks(text, (size_t)at, (size_t)at, &n), HTTP_BAD);
	assert_int_equal(parse_chunks(text, (size_t)at, 100, &n), HTTP_BAD);
}

/* Tokens longer than what is kept are cut and equal nothing known. */
static void test_long_tokens(void **)
{
	static char text[4000];

	snprintf(text, sizeof(text), "POST%0100d /vpnsvc/vpn.cgi%02000d HTTP/1.1%0100d\n\n", 0, 0,
		0);
	assert_int_equal(parse_text(text), HTTP_HEAD_DONE);
	assert_int_equal(strlen(parser.head.first), sizeof(parser.head.first) - 1);
	assert_int_equal(strlen(parser.head.second), sizeof(parser.head.second) - 1);
	assert_int_equal(strlen(parser.head.third), sizeof(parser.head.third) - 1);
	assert_false(http_request_is(&parser.head, "POST", HTTP_TARGET_PACK));
}

static int64_t check_request(const char *first_line, const char *type, const char *length)
{
	char text[400];

	snprintf(text, sizeof(text), "%s\r\nContent-Type: %s\r\nContent-Length: %s\r\n\r\n",
		first_line, type, length);
	assert_int_equal(parse_text(text), HTTP_HEAD_DONE);
	return http_check_pack_request(&parser.head);
}

static void test_pack_request(void **)
{
	const char *line = "POST /vpnsvc/vpn.cgi HTTP/1.1", *type = "application/octet-stream";

	assert_int_equal(check_request(line, type, "65536"), 65536);
	assert_int_equal(check_request(line, type, "1"), 1);
	assert_int_equal(
		check_request("post /VPNSVC/vpn.CGI http/1.1", "Application/Octet-Stream", "7"), 7);
	assert_int_equal(check_request(line, type, "65537"), -EPROTO);
	assert_int_equal(check_request(line, type, "0"), -EPROTO);
	assert_int_equal(check_request(line, "text/plain", "1"), -EPROTO);
	assert_int_equal(check_request("PUT /vpnsvc/vpn.cgi HTTP/1.1", type, "1"), -EPROTO);
	assert_int_equal(check_request("POST /vpnsvc/vpn HTTP/1.1", type, "1"), -EPROTO);
	assert_int_equal(check_request("POST /vpnsvc/vpn.cgi HTTP/1.0", type, "1"), -EPROTO);
	assert_int_equal(parse_text("POST /vpnsvc/vpn.cgi HTTP/1.1\r\nContent-Type: "
				    "application/octet-stream\r\n\r\n"),
		HTTP_HEAD_DONE);
	assert_int_equal(http_check_pack_request(&parser.head), -EPROTO);
}

static int64_t check_response(const char *first_line, const char *type, const char *length)
{
	check_request(first_line, type, length);
	return http_check_pack_response(&parser.head, 1 << 20);
}

static void test_pack_response(void **)
{
	const char *type = "application/octet-stream";

	assert_int_equal(check_response("HTTP/1.1 200 OK", type, "1"), 1);
	assert_int_equal(check_response("HTTP/1.1 200 Fine by me", type, "1048576"), 1048576);
	assert_int_equal(check_response("HTTP/1.1 200 OK", type, "1048577"), -EPROTO);
	assert_int_equal(check_response("HTTP/1.1 200 OK", type, "0"), -EPROTO);
	assert_int_equal(check_response("HTTP/1.1 403 OK", type, "1"), -EPROTO);
	assert_int_equal(check_response("HTTP/1.0 200 OK", type, "1"), -EPROTO);
	assert_int_equal(check_response("HTTP/1.1 200 OK", "text/html", "1"), -EPROTO);
	/* The caller's bound never lifts the protocol's. */
	check_request("HTTP/1.1 200 OK", type, "536870912");
	assert_int_equal(http_check_pack_response(&parser.head, UINT64_MAX), 536870912);
	check_request("HTTP/1.1 200 OK", type, "536870913");
	assert_int_equal(http_check_pack_response(&parser.head, UINT64_MAX), -EPROTO);
}

static void assert_built(const struct bytebuf *b, const char *want)
{
	assert_int_equal(b->error, 0);
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(b->data, want, b->len);
}

static void test_builders(void **)
{
	struct bytebuf b;

	bytebuf_init(&b, 4096);
	/* Sun, 06 Nov 1994 08:49:37 GMT, the example of the RFC. */
	http_build_pack_response(&b, "PACK", 4, 784111777);
	assert_built(&b,
		"HTTP/1.1 200 OK\r\n"
		"Connection: Keep-Alive\r\n"
		"Content-Length: 4\r\n"
		"Content-Type: application/octet-stream\r\n"
		"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Keep-Alive: timeout=15; max=19\r\n"
		"\r\n"
		"PACK");
	bytebuf_reset(&b);
	http_build_pack_request(&b, "10.77.0.1", "PACK", 4, 0);
	assert_built(&b,
		"POST /vpnsvc/vpn.cgi HTTP/1.1\r\n"
		"Connection: Keep-Alive\r\n"
		"Content-Length: 4\r\n"
		"Content-Type: application/octet-stream\r\n"
		"Host: 10.77.0.1\r\n"
		"Keep-Alive: timeout=15; max=19\r\n"
		"\r\n"
		"PACK");
	bytebuf_reset(&b);
	/* No host, no header: an empty value would make stock close. */
	http_build_signature(&b, "");
	assert_built(&b,
		"POST /vpnsvc/connect.cgi HTTP/1.1\r\n"
		"Connection: Keep-Alive\r\n"
		"Content-Length: 10\r\n"
		"Content-Type: image/jpeg\r\n"
		"\r\n"
		"VPNCONNECT");
	bytebuf_reset(&b);
	http_build_page(&b, 404, "Not Found", "<p>", 0);
	assert_built(&b,
		"HTTP/1.1 404 Not Found\r\n"
		"Connection: Keep-Alive\r\n"
		"Content-Length: 3\r\n"
		"Content-Type: text/html; charset=iso-8859-1\r\n"
		"Keep-Alive: timeout=15; max=19\r\n"
		"\r\n"
		"<p>");
	bytebuf_free(&b);
}

/* What one role builds the other accepts. */
static void test_roles_agree(void **)
{
	struct bytebuf b;
	size_t head_bytes;

	bytebuf_init(&b, 4096);
	http_build_pack_request(&b, "host", "PACK", 4, 784111777);
	assert_int_equal(parse_chunks(b.data, b.len, 7, &head_bytes), HTTP_HEAD_DONE);
	assert_int_equal(http_check_pack_request(&parser.head), 4);
	assert_memory_equal(b.data + head_bytes, "PACK", 4);
	bytebuf_reset(&b);
	http_build_pack_response(&b, "PACK", 4, 784111777);
	assert_int_equal(parse_chunks(b.data, b.len, 7, &head_bytes), HTTP_HEAD_DONE);
	assert_int_equal(http_check_pack_response(&parser.head, 4), 4);
	bytebuf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_header_events),
		cmocka_unit_test(test_first_line),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_names_ignore_case),
		cmocka_unit_test(test_content_length),
		cmocka_unit_test(test_line_bound),
		cmocka_unit_test(test_128_headers),
		cmocka_unit_test(test_head_bound),
		cmocka_unit_test(test_long_tokens),
		cmocka_unit_test(test_pack_request),
		cmocka_unit_test(test_pack_response),
		cmocka_unit_test(test_builders),
		cmocka_unit_test(test_roles_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
