/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of logs: what anybody may choose - names, URLs, bytes of a frame - is escaped so that a parser gets back
 * exactly that and nothing else, and stays readable in any script.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/logs/log_text.h"
#include "controlplane/logs/packet_note.h"
#include "controlplane/logs/packet_text.h"
#include "dataplane/packet_log_priv.h"
#include "test/unit/rule_frames.h"

static char bytes[PACKET_TEXT_MAX];
static struct text_line l;

static void begin(size_t size)
{
	text_begin(&l, bytes, size);
}

static void expect(const char *want)
{
	if (l.len != strlen(want) || memcmp(l.text, want, l.len) != 0)
		fail_msg("got  %.*s\nwant %s", (int)l.len, l.text, want);
}

/* ---- escaping --------------------------------------------------------------------------------- */

static const struct {
	const char *value, *quoted, *json, *column;
} rows[] = {
	{"bob", "\"bob\"", "\"bob\"", "bob"},
	{"", "\"\"", "\"\"", "-"},
	{"-", "\"-\"", "\"-\"", "\"-\""},
	{"a,b", "\"a,b\"", "\"a,b\"", "\"a,b\""},
	{"a\"b", "\"a\\\"b\"", "\"a\\\"b\"", "\"a\"\"b\""},
	{"a\\b", "\"a\\\\b\"", "\"a\\\\b\"", "\"a\\\\b\""},
	{"x\" ip=1.2.3.4 y=\"", "\"x\\\" ip=1.2.3.4 y=\\\"\"", "\"x\\\" ip=1.2.3.4 y=\\\"\"",
		"\"x\"\" ip=1.2.3.4 y=\"\"\""},
	{"a\r\nb", "\"a\\r\\nb\"", "\"a\\r\\nb\"", "\"a\\r\\nb\""},
	{"a\tb", "\"a\\tb\"", "\"a\\tb\"", "\"a\\tb\""},
	{"\x1b[2J\x7f", "\"\\x1b[2J\\x7f\"", "\"\\u001b[2J\\u007f\"", "\"\\x1b[2J\\x7f\""},
	{"\xc2\x85", "\"\\xc2\\x85\"", "\"\\u00c2\\u0085\"", "\"\\xc2\\x85\""},
	{"利用者", "\"利用者\"", "\"利用者\"", "利用者"},
	{"\xe5\x88", "\"\\xe5\\x88\"", "\"\\u00e5\\u0088\"", "\"\\xe5\\x88\""},
	{"\xe2\x80\xae"
	 "evil",
		"\"\\xe2\\x80\\xaeevil\"", "\"\\u00e2\\u0080\\u00aeevil\"",
		"\"\\xe2\\x80\\xaeevil\""},
	{" a", "\" a\"", "\" a\"", "\" a\""},
};

static void test_escaping(void **)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].value);

		begin(sizeof(bytes));
		text_quoted(&l, rows[i].value, n);
		expect(rows[i].quoted);
		begin(sizeof(bytes));
		text_json(&l, rows[i].value, n);
		expect(rows[i].json);
		begin(sizeof(bytes));
		text_column(&l, rows[i].value, n);
		expect(rows[i].column);
	}
}

/* Whatever the bytes: one line, and the three forms end where they should. */
static void test_random_bytes(void **)
{
	srand48(6);
	for (unsigned round = 0; round < 20000; round++) {
		char value[24];
		size_t n = (size_t)lrand48() % sizeof(value) + 1;

		for (size_t i = 0; i < n; i++)
			value[i] = (char)(lrand48() % 3 == 0 ? "\",\\\n\r -="[lrand48() % 8]
							     : lrand48());
		begin(sizeof(bytes));
		text_quoted(&l, value, n);
		text_json(&l, value, n);
		text_column(&l, value, n);
		assert_null(memchr(l.text, '\n', l.len));
		assert_null(memchr(l.text, '\r', l.len));
		assert_null(memchr(l.text, 0x1b, l.len));
		assert_null(memchr(l.text, '\0', l.len));
		/* A quoted one ends at its only bare quote. */
		begin(sizeof(bytes));
		text_quoted(&l, value, n);
		for (size_t i = 1; i + 1 < l.len; i++) {
			if (l.text[i] == '\\')
				i++;
			else
				assert_int_not_equal(l.text[i], '"');
		}
		/* A column in quotes has only pairs of them; one without has no comma. */
		begin(sizeof(bytes));
		text_column(&l, value, n);
		if (l.text[0] != '"') {
			assert_null(memchr(l.text, ',', l.len));
			continue;
		}
		for (size_t i = 1; i + 1 < l.len; i++) {
			if (l.text[i] == '"')
				assert_int_equal(l.text[++i], '"');
		}
	}
}

static void test_bound(void **)
{
	begin(10);
	text_put(&l, "12345", 5);
	text_quoted(&l, "abcdef", 6);
	assert_true(l.cut);
	expect("12345");
	text_put(&l, "x", 1); /* nothing behind what is missing */
	expect("12345");
}

static void test_event(void **)
{
	const struct log_field fields[] = {LOG_WORD("ip", "192.0.2.1"),
		LOG_TEXT("user", "a\"\nlogin accepted ip=1"), LOG_TEXT("hub", NULL),
		LOG_NUMBER("error", 9), LOG_END};

	begin(sizeof(bytes));
	text_event(&l, false, "login refused", fields);
	expect("login refused ip=192.0.2.1 user=\"a\\\"\\nlogin accepted ip=1\" error=9");
	begin(sizeof(bytes));
	text_event(&l, true, "login refused", fields);
	expect("\"event\":\"login refused\",\"ip\":\"192.0.2.1\","
	       "\"user\":\"a\\\"\\nlogin accepted ip=1\",\"error\":9");
	/* No half field. */
	begin(40);
	text_event(&l, false, "login refused", fields);
	expect("login refused ip=192.0.2.1");
}

/* ---- notes ------------------------------------------------------------------------------------ */

static void note(void (*fn)(struct text_line *, const uint8_t *, size_t), const char *p, size_t n,
	const char *want)
{
	/* Of its own size, so that a byte too far is seen by the sanitizer. */
	uint8_t *copy = malloc(n + (n == 0));

	assert_non_null(copy);
	memcpy(copy, p, n);
	begin(sizeof(bytes));
	fn(&l, copy, n);
	expect(want);
	free(copy);
}
#define NOTE(fn, p, want) note(fn, p, sizeof(p) - 1, want)

static void test_dns(void **)
{
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1", "www.example");
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\3a b\0\0\1\0\1", "\"a b\"");
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\3a.b\1c\0\0\1\0\1", "\"a\\\\.b.c\"");
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\2\n\"\0\0\1\0\1", "\"\\n\\\"\"");
	/* Cut off, a pointer, no question, the root. */
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\3ww", "");
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\3www", "");
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", "");
	NOTE(note_dns, "\0\1\1\0\0\0\0\0\0\0\0\0\3www\0", "");
	NOTE(note_dns, "\0\1\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1", "");
	NOTE(note_dns, "\0\1", "");
}

static void test_http(void **)
{
	NOTE(note_http,
		"GET /x HTTP/1.1\r\nHost: h\r\nUser-Agent: A (b)\r\nReferer: http://r/\r\n\r\nHost: no",
		"HttpMethod=GET HttpUrl=http://h/x HttpProtocol=HTTP/1.1 HttpReferer=http://r/ "
		"HttpUserAgent=\"A (b)\"");
	/* Nobody makes a key of his own. */
	NOTE(note_http, "GET /x\" HttpMethod=\"y HTTP/1.1\nhost:h\n\n",
		"HttpMethod=GET HttpUrl=\"http://h/x\\\"\" HttpProtocol=\"HttpMethod=\\\"y\"");
	NOTE(note_http, "GET /half", "HttpMethod=GET HttpUrl=/half");
	NOTE(note_http, "", "");
}

static void test_tls(void **)
{
	static const char hello[] = "\x16\3\1\0\x48\1\0\0\x44\3\3"
				    "01234567890123456789012345678901"
				    "\0"
				    "\0\2\x13\1"
				    "\1\0"
				    "\0\x15"
				    "\0\x2b\0\1\0"
				    "\0\0\0\x0c\0\x0a\0\0\7a.b.c.d";
	size_t n = sizeof(hello) - 1;

	note(note_tls, hello, n, "HttpMethod=SSL_Connect HttpUrl=https://a.b.c.d/");
	for (size_t cut = 0; cut < n; cut++)
		note(note_tls, hello, cut, "");
}

/* ---- lines ------------------------------------------------------------------------------------ */

static struct packet_record *make(enum rule_frame kind, uint8_t how)
{
	static uint8_t room[sizeof(struct packet_record) + RULE_FRAME_BYTES]
		__attribute__((aligned(16)));
	struct rule_frame_of of = {
		.dst = UINT64_C(0x02000000000b), .src = UINT64_C(0x02000000000a), .host = 5};
	struct packet_record *rec = (struct packet_record *)(void *)room;
	struct frame_class cls;
	struct packet_look look;
	uint32_t len = rule_frame_write(kind, &of, rec->data);

	frame_classify(rec->data, len, &cls);
	packet_log_look(rec->data, len, &cls, true, &look);
	*rec = (struct packet_record){.frame_len = (uint16_t)len,
		.captured = (uint16_t)(how == PACKET_LOG_FULL ? len : look.capture),
		.kinds = (uint8_t)look.kinds,
		.how = how};
	rule_frame_write(kind, &of, rec->data);
	return rec;
}

static void line(bool json, enum rule_frame kind, uint8_t how, const char *from, const char *to)
{
	begin(sizeof(bytes));
	packet_text(&l, json, make(kind, how),
		&(struct packet_names){
			.hub = "HUB", .from = from, .to = to, .from_ip = "192.0.2.1"},
		&(struct packet_time){"2026-11-26", "13:57:27.904", "2026-11-26T13:57:27.904Z"});
	assert_false(l.cut);
}

static void test_line(void **)
{
	line(false, RF_ARP, PACKET_LOG_HEADER, "SID-A-1", NULL);
	assert_non_null(strstr(bytes,
		"2026-11-26,13:57:27.904,SID-A-1,-,02000000000A,02000000000B,"
		"0x0806,"));
	assert_non_null(strstr(bytes, ",ARPv4,Request,-,-,-,-,-,-,Who has "));
	/* Twenty columns, whoever is called what. */
	line(false, RF_TCP4_SYN, PACKET_LOG_HEADER, "SID-A,\"B\n-1", "SID-利用者-2");
	assert_non_null(strstr(bytes, ",\"SID-A,\"\"B\\n-1\",SID-利用者-2,"));
	assert_non_null(strstr(bytes, ",TCP_CONNECTv4,SYN,"));
	line(true, RF_UDP4, PACKET_LOG_FULL, "SID-\"A\n-1", "SID-利用者-2");
	assert_non_null(strstr(bytes, "\"source_session\":\"SID-\\\"A\\n-1\""));
	assert_non_null(strstr(bytes, "\"destination_session\":\"SID-利用者-2\""));
	assert_non_null(strstr(bytes, "\"data\":\"02000000000B02000000000A0800"));
	assert_null(memchr(bytes, '\n', l.len));
}

/* Any frame of any length, cut anywhere: a line, and no byte beyond what was captured. */
static void test_any_frame(void **)
{
	srand48(7);
	for (unsigned round = 0; round < 30000; round++) {
		struct packet_record *rec = make((enum rule_frame)(lrand48() % RF_CNT),
			lrand48() % 2 == 0 ? PACKET_LOG_HEADER : PACKET_LOG_FULL);
		struct packet_record *own;

		for (unsigned k = 0; k < 3; k++)
			rec->data[12 + lrand48() % (rec->captured - 12)] = (uint8_t)lrand48();
		if (round % 2 == 0)
			rec->captured = (uint16_t)(14 + lrand48() % (rec->captured - 13));
		own = malloc(sizeof(*own) + rec->captured);
		assert_non_null(own);
		memcpy(own, rec, sizeof(*own) + rec->captured);
		/* What the worker would have said. */
		if (round % 3 != 0) {
			struct frame_class cls;
			struct packet_look look;

			frame_classify(own->data, own->captured, &cls);
			packet_log_look(own->data, own->captured, &cls, true, &look);
			own->kinds = (uint8_t)look.kinds;
		}
		begin(sizeof(bytes));
		packet_text(&l, round % 5 == 0, own, &(struct packet_names){0},
			&(struct packet_time){"d", "c", "j"});
		assert_null(memchr(l.text, '\n', l.len));
		free(own);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_any_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
