/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests before the signature: every row of wire.md 1.6, the signatures of 1.5, the probe of 1.4. */
#include "drivers/session/wire/preamble.h"

#include <stdio.h>
#include <string.h>

#include "test/unit/vector.h"

static struct http_parser parser;

static const struct http_head *head(const char *request_line, const char *more)
{
	char text[600];
	size_t n;

	snprintf(text, sizeof(text), "%s\r\n%s\r\n", request_line, more);
	http_parser_init(&parser);
	assert_int_equal(http_parse_head(&parser, text, strlen(text), &n), HTTP_HEAD_DONE);
	return &parser.head;
}

/* Judge a whole request on a fresh connection. */
static enum preamble_answer judge(
	const char *request_line, const char *more, const void *body, uint32_t body_len)
{
	struct preamble p = {0};
	const struct http_head *h = head(request_line, more);
	uint32_t need;
	enum preamble_answer a = preamble_head(&p, h, &need);
	struct vector exact;

	if (a != PREAMBLE_NEED_BODY) {
		assert_int_equal(need, 0);
		return a;
	}
	assert_int_equal(need, body_len);
	exact = vector_copy(body, body_len);
	a = preamble_body(h, exact.data, need);
	assert_int_not_equal(a, PREAMBLE_NEED_BODY);
	vector_free(&exact);
	return a;
}

static enum preamble_answer judge_post(const char *target, const void *body, uint32_t body_len)
{
	char line[200], more[100];

	snprintf(line, sizeof(line), "POST %s HTTP/1.1", target);
	snprintf(more, sizeof(more), "Content-Length: %u\r\n", body_len);
	return judge(line, more, body, body_len);
}

static void test_get(void **)
{
	assert_int_equal(judge("GET / HTTP/1.1", "", NULL, 0), PREAMBLE_PROBE_PAGE);
	assert_int_equal(judge("HEAD / HTTP/1.1", "", NULL, 0), PREAMBLE_PROBE_PAGE);
	assert_int_equal(judge("get / HTTP/1.0", "", NULL, 0), PREAMBLE_PROBE_PAGE);
	assert_int_equal(judge("GET /index.html HTTP/1.1", "", NULL, 0), PREAMBLE_NOT_FOUND);
	assert_int_equal(
		judge("HEAD /vpnsvc/connect.cgi HTTP/1.1", "", NULL, 0), PREAMBLE_NOT_FOUND);
	/* A small body of such a request is gathered and ignored, a large one ends it. */
	assert_int_equal(judge("GET / HTTP/1.1", "Content-Length: 10\r\n", "VPNCONNECT", 10),
		PREAMBLE_PROBE_PAGE);
	assert_int_equal(judge("GET / HTTP/1.1", "Content-Length: 3412\r\n", NULL, 0),
		PREAMBLE_FORBIDDEN_CLOSE);
}

static void test_other_methods(void **)
{
	assert_int_equal(judge("PUT / HTTP/1.1", "", NULL, 0), PREAMBLE_NOT_IMPLEMENTED);
	assert_int_equal(judge("OPTIONS /x HTTP/1.1", "", NULL, 0), PREAMBLE_NOT_IMPLEMENTED);
	assert_int_equal(judge("PUT /vpnsvc/connect.cgi HTTP/1.1", "Content-Length: 10\r\n",
				 "VPNCONNECT", 10),
		PREAMBLE_NOT_IMPLEMENTED);
}

static void test_post_lengths(void **)
{
	static const uint32_t refused[] = {0, 1, 9, 11, 1410, 3412, 65536};
	static const uint8_t zeros[3500];

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(judge_post("/vpnsvc/connect.cgi", zeros, refused[i]),
			PREAMBLE_FORBIDDEN_CLOSE);
		assert_int_equal(judge_post("/x", zeros, refused[i]), PREAMBLE_FORBIDDEN_CLOSE);
	}
	assert_int_equal(judge("POST /x HTTP/1.1", "", NULL, 0), PREAMBLE_FORBIDDEN_CLOSE);
	assert_int_equal(judge("POST /x HTTP/1.1", "Content-Length: 4294967306\r\n", NULL, 0),
		PREAMBLE_FORBIDDEN_CLOSE);
	assert_int_equal(judge_post("/x", "VPNCONNECT", 10), PREAMBLE_NOT_FOUND);
	assert_int_equal(judge_post("/x", zeros, 1411), PREAMBLE_NOT_FOUND);
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", "VPNCONNECt", 10), PREAMBLE_FORBIDDEN);
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", zeros, 1411), PREAMBLE_FORBIDDEN);
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", zeros, 3411), PREAMBLE_FORBIDDEN);
}

static void test_short_signature(void **)
{
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", "VPNCONNECT", 10), PREAMBLE_SIGNATURE);
	assert_int_equal(judge_post("/VPNSVC/Connect.CGI", "VPNCONNECT", 10), PREAMBLE_SIGNATURE);
	/* Version and all other headers are ignored. */
	assert_int_equal(
		judge("pOST /vpnsvc/connect.cgi ANY/9",
			"Content-Type: text/plain\r\nContent-Length: 10\r\n", "VPNCONNECT", 10),
		PREAMBLE_SIGNATURE);
}

static void test_captured_signature(void **)
{
	struct vector v = vector_load("signature_short.hex");
	struct preamble p = {0};
	uint32_t need;
	size_t n;

	http_parser_init(&parser);
	assert_int_equal(http_parse_head(&parser, v.data, v.size_bytes, &n), HTTP_HEAD_DONE);
	assert_int_equal(preamble_head(&p, &parser.head, &need), PREAMBLE_NEED_BODY);
	assert_int_equal(n + need, v.size_bytes);
	assert_int_equal(preamble_body(&parser.head, v.data + n, need), PREAMBLE_SIGNATURE);
	vector_free(&v);
}

static void test_watermark(void **)
{
	struct vector mark = vector_load("watermark.hex");
	uint8_t body[PREAMBLE_BODY_MAX + 1];

	assert_int_equal(mark.size_bytes, PREAMBLE_MARK_BYTES);
	memset(body, 0x5a, sizeof(body));
	memcpy(body, mark.data, mark.size_bytes);
	assert_true(preamble_is_watermark(mark.data));
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", body, 1411), PREAMBLE_SIGNATURE);
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", body, 2399), PREAMBLE_SIGNATURE);
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", body, 3411), PREAMBLE_SIGNATURE);
	assert_int_equal(judge_post("/vpnsvc/connect.cgi", body, 3412), PREAMBLE_FORBIDDEN_CLOSE);
	/* One bit anywhere, first and last byte included, is not the watermark. */
	for (size_t i = 0; i < PREAMBLE_MARK_BYTES; i += 10) {
		body[i] ^= 1;
		assert_int_equal(judge_post("/vpnsvc/connect.cgi", body, 1500), PREAMBLE_FORBIDDEN);
		body[i] ^= 1;
	}
	vector_free(&mark);
}

/* 18 other requests are answered and the signature is still taken as the 19th ... */
static void test_eighteen_and_signature(void **)
{
	struct preamble p = {0};
	uint32_t need;

	for (int i = 0; i < 18; i++)
		assert_int_equal(
			preamble_head(&p, head("GET /x HTTP/1.1", ""), &need), PREAMBLE_NOT_FOUND);
	assert_int_equal(
		preamble_head(&p,
			head("POST /vpnsvc/connect.cgi HTTP/1.1", "Content-Length: 10\r\n"), &need),
		PREAMBLE_NEED_BODY);
	assert_int_equal(
		preamble_body(&parser.head, (const uint8_t *)"VPNCONNECT", 10), PREAMBLE_SIGNATURE);
}

/* ... and the 20th request closes, signature or not, for good. */
static void test_twentieth_closes(void **)
{
	for (int signature = 0; signature < 2; signature++) {
		struct preamble p = {0};
		uint32_t need;

		for (int i = 0; i < 19; i++)
			assert_int_equal(preamble_head(&p, head("GET / HTTP/1.1", ""), &need),
				PREAMBLE_PROBE_PAGE);
		for (int again = 0; again < 3; again++) {
			const struct http_head *h = signature
				? head("POST /vpnsvc/connect.cgi HTTP/1.1",
					  "Content-Length: 10\r\n")
				: head("GET / HTTP/1.1", "");

			assert_int_equal(preamble_head(&p, h, &need), PREAMBLE_CLOSE);
			assert_int_equal(need, 0);
		}
	}
}

static void test_replies(void **)
{
	static const struct {
		enum preamble_answer answer;
		const char *status;
		bool closes;
	} cases[] = {
		{PREAMBLE_PROBE_PAGE, "200", false},
		{PREAMBLE_FORBIDDEN, "403", false},
		{PREAMBLE_FORBIDDEN_CLOSE, "403", true},
		{PREAMBLE_NOT_FOUND, "404", false},
		{PREAMBLE_NOT_IMPLEMENTED, "501", false},
		{PREAMBLE_CLOSE, NULL, true},
		{PREAMBLE_SIGNATURE, NULL, false},
		{PREAMBLE_NEED_BODY, NULL, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytebuf b;
		size_t n;

		bytebuf_init(&b, 4096);
		preamble_reply(&b, cases[i].answer, 1);
		assert_int_equal(b.error, 0);
		assert_int_equal(preamble_closes(cases[i].answer), cases[i].closes);
		assert_string_not_equal(preamble_answer_name(cases[i].answer), "unknown");
		if (!cases[i].status) {
			assert_int_equal(b.len, 0);
		} else {
			http_parser_init(&parser);
			assert_int_equal(
				http_parse_head(&parser, b.data, b.len, &n), HTTP_HEAD_DONE);
			assert_string_equal(parser.head.second, cases[i].status);
			assert_int_equal(parser.head.content_length, b.len - n);
			assert_int_equal(preamble_probe_passed(b.data + n, b.len - n),
				cases[i].answer == PREAMBLE_PROBE_PAGE);
		}
		bytebuf_free(&b);
	}
	assert_string_equal(preamble_answer_name((enum preamble_answer)99), "unknown");
}

/* The tag counts only if it lies within the first 1023 bytes; its case does not matter. */
static void test_probe_tag_place(void **)
{
	static uint8_t body[2000];
	const char *lower = "9c37197ca7c2428388c2e6e59b829b30";

	for (size_t at = 985; at <= 995; at++) {
		memset(body, ' ', sizeof(body));
		memcpy(body + at, lower, 32);
		assert_int_equal(preamble_probe_passed(body, sizeof(body)), at + 32 <= 1023);
	}
	memcpy(body, lower, 32);
	assert_true(preamble_probe_passed(body, 32));
	assert_false(preamble_probe_passed(body, 31));
	assert_false(preamble_probe_passed(body, 0));
}

static void test_probe_request(void **)
{
	struct preamble p = {0};
	struct bytebuf b;
	uint32_t need;
	size_t n;

	bytebuf_init(&b, 4096);
	preamble_build_probe(&b, "10.0.0.1");
	http_parser_init(&parser);
	assert_int_equal(http_parse_head(&parser, b.data, b.len, &n), HTTP_HEAD_DONE);
	assert_int_equal(n, b.len);
	assert_int_equal(preamble_head(&p, &parser.head, &need), PREAMBLE_PROBE_PAGE);
	bytebuf_free(&b);
}

static void test_captured_probe(void **)
{
	struct vector v = vector_load("probe_request.hex");
	struct preamble p = {0};
	uint32_t need;
	size_t n;

	http_parser_init(&parser);
	assert_int_equal(http_parse_head(&parser, v.data, v.size_bytes, &n), HTTP_HEAD_DONE);
	assert_int_equal(preamble_head(&p, &parser.head, &need), PREAMBLE_PROBE_PAGE);
	vector_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_other_methods),
		cmocka_unit_test(test_post_lengths),
		cmocka_unit_test(test_short_signature),
		cmocka_unit_test(test_captured_signature),
		cmocka_unit_test(test_watermark),
		cmocka_unit_test(test_eighteen_and_signature),
		cmocka_unit_test(test_twentieth_closes),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_probe_tag_place),
		cmocka_unit_test(test_probe_request),
		cmocka_unit_test(test_captured_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
