/* SPDX-License-Identifier: BSD-3-Clause */
/* PACK reader and writer: captured messages and every rule of wire.md 2. */
#include "drivers/session/wire/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/session/wire/be.h"
#include "test/unit/vector.h"

static struct pack_element index_login[PACK_LOGIN_ELEMENTS];

static int parse(struct pack *p, const struct vector *v)
{
	return pack_parse(
		p, v->data, v->size_bytes, &pack_limits_login, index_login, PACK_LOGIN_ELEMENTS);
}

static int parse_hex(const char *hex)
{
	struct vector v = vector_hex(hex);
	struct pack p;
	int ret = parse(&p, &v);

	vector_free(&v);
	return ret;
}

static void assert_span(struct pack_span s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.data, want, s.len);
}

static void test_example(void **)
{
	struct vector v = vector_hex("00000001 00000006 6572726f72 00000000 00000001 00000009");
	struct pack p;

	assert_int_equal(parse(&p, &v), 0);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.size_bytes, v.size_bytes);
	assert_int_equal(pack_get_int(&p, "error"), 9);
	assert_int_equal(pack_get_int(&p, "ERROR"), 9);
	assert_true(pack_get_bool(&p, "error"));
	vector_free(&v);
}

static void test_captured(void **)
{
	static const char *const files[] = {"hello_response.hex", "login_request.hex",
		"welcome_response.hex", "additional_request.hex", "additional_response.hex",
		"error_response.hex"};
	static const uint32_t counts[] = {5, 78, 55, 6, 3, 3};
	struct pack p;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct vector v = vector_load_body(files[i]);

		assert_int_equal(parse(&p, &v), 0);
		assert_int_equal(p.count, counts[i]);
		assert_int_equal(p.size_bytes, v.size_bytes);
		assert_int_equal(pack_count(&p, "pencore", PACK_DATA), 1);
		vector_free(&v);
	}
}

/* Every truncation of a real message is malformed, none is read past its end. */
static void test_truncated(void **)
{
	struct vector v = vector_load_body("login_request.hex"), part;
	struct pack p;

	for (size_t len = 0; len < v.size_bytes; len++) {
		part = vector_copy(v.data, len);
		assert_int_equal(parse(&p, &part), -EBADMSG);
		vector_free(&part);
	}
	vector_free(&v);
}

static void test_trailing_bytes(void **)
{
	struct vector v = vector_load_body("error_response.hex");
	struct vector more = vector_copy(NULL, v.size_bytes + 7);
	struct pack p;

	memcpy(more.data, v.data, v.size_bytes);
	memset(more.data + v.size_bytes, 0xff, 7);
	assert_int_equal(parse(&p, &more), 0);
	assert_int_equal(p.size_bytes, v.size_bytes);
	assert_int_equal(pack_get_int(&p, "error"), 9);
	vector_free(&v);
	vector_free(&more);
}

static void test_empty_pack(void **)
{
	assert_int_equal(parse_hex("00000000"), 0);
	assert_int_equal(parse_hex("000000"), -EBADMSG);
	assert_int_equal(parse_hex(""), -EBADMSG);
}

static void test_duplicate_names(void **)
{
	/* "ab" and "aB", and the same with an element between. */
	assert_int_equal(parse_hex("00000002 00000003 6162 00000000 00000001 00000001"
				   "00000003 6142 00000000 00000001 00000002"),
		-EBADMSG);
	assert_int_equal(parse_hex("00000003 00000003 6162 00000000 00000001 00000001"
				   "00000002 7a 00000000 00000001 00000002"
				   "00000003 4142 00000002 00000001 00000000"),
		-EBADMSG);
	/* Equal but for length, and for a character whose ASCII case bit is no letter's. */
	assert_int_equal(parse_hex("00000002 00000003 6162 00000000 00000001 00000001"
				   "00000002 61 00000000 00000001 00000002"),
		0);
	assert_int_equal(parse_hex("00000002 00000002 5b 00000000 00000001 00000001"
				   "00000002 7b 00000000 00000001 00000002"),
		0);
}

static void test_name_length(void **)
{
	char hex[400], name[132];

	assert_int_equal(parse_hex("00000001 00000000 00000000 00000001 00000001"), -EBADMSG);
	assert_int_equal(parse_hex("00000001 00000001 00000000 00000001 00000001"), -EBADMSG);
	for (int n = 62; n <= 65; n++) {
		memset(name, 'a', sizeof(name));
		name[0] = 0;
		for (int i = 0; i < n; i++)
			snprintf(name + 2 * i, 3, "61");
		snprintf(hex, sizeof(hex), "00000001%08x%s000000000000000100000001", n + 1, name);
		assert_int_equal(parse_hex(hex), n <= 63 ? 0 : -EBADMSG);
	}
	/* A NUL inside a name. */
	assert_int_equal(
		parse_hex("00000001 00000004 610062 00000000 00000001 00000001"), -EBADMSG);
}

static void test_types_and_counts(void **)
{
	/* Would be well-formed as a number and as something with a length. */
	assert_int_equal(parse_hex("00000001 00000002 61 00000005 00000001 00000000"), -EBADMSG);
	assert_int_equal(parse_hex("00000001 00000002 61 00000000 00000000"), -EBADMSG);
	assert_int_equal(parse_hex("00000001 00000002 61 00000004 00000001 0000000000000001"), 0);
	assert_int_equal(
		parse_hex("00000001 00000002 61 00000004 00000001 00000000000001"), -EBADMSG);
	/* A length that points far outside, in each type with lengths. */
	assert_int_equal(parse_hex("00000001 00000002 61 00000001 00000001 ffffffff 00"), -EBADMSG);
	assert_int_equal(parse_hex("00000001 00000002 61 00000002 00000001 fffffffc 00"), -EBADMSG);
	assert_int_equal(parse_hex("00000001 00000002 61 00000003 00000001 00000002 00"), -EBADMSG);
	/* More values than bytes: int count times 4 must not wrap. */
	assert_int_equal(parse_hex("00000001 00000002 61 00000000 00000400 00000001"), -EBADMSG);
	assert_int_equal(parse_hex("00000001 00000002 61 00000000 40000001 00000001"), -E2BIG);
	assert_int_equal(parse_hex("00000001 00000002 61 00000001 00000400"), -EBADMSG);
}

static void test_limits(void **)
{
	struct pack_limits limits = {.max_bytes = 1000, .max_elements = 2, .max_values = 3};
	struct pack_element index[2];
	struct bytebuf b;
	struct pack_writer w;
	struct pack p;

	bytebuf_init(&b, 4096);
	pack_writer_init(&w, &b);
	pack_add_int(&w, "a", 1);
	pack_begin_array(&w, "b", PACK_INT, 2);
	pack_value_int(&w, 2);
	pack_value_int(&w, 3);
	assert_int_equal(pack_writer_finish(&w), 0);
	assert_int_equal(pack_parse(&p, b.data, b.len, &limits, index, 2), 0);
	assert_int_equal(pack_parse(&p, b.data, b.len, &limits, index, 1), -E2BIG);
	limits.max_elements = 1;
	assert_int_equal(pack_parse(&p, b.data, b.len, &limits, index, 2), -E2BIG);
	limits.max_elements = 2;
	limits.max_values = 2;
	assert_int_equal(pack_parse(&p, b.data, b.len, &limits, index, 2), -E2BIG);
	limits.max_values = 3;
	limits.max_bytes = b.len;
	assert_int_equal(pack_parse(&p, b.data, b.len, &limits, index, 2), 0);
	limits.max_bytes = b.len - 1;
	assert_int_equal(pack_parse(&p, b.data, b.len, &limits, index, 2), -E2BIG);
	bytebuf_free(&b);
}

/* The format's own bounds hold whatever the caller allows. */
static void test_format_bounds(void **)
{
	const struct pack_limits wide = {
		.max_bytes = SIZE_MAX, .max_elements = UINT32_MAX, .max_values = UINT32_MAX};
	struct vector v = vector_hex("00040001");
	struct pack_element index[1];
	struct pack p;

	assert_int_equal(pack_parse(&p, v.data, v.size_bytes, &wide, index, UINT32_MAX), -E2BIG);
	vector_free(&v);
	v = vector_hex("00000001 00000002 61 00000000 00040001");
	assert_int_equal(pack_parse(&p, v.data, v.size_bytes, &wide, index, 1), -E2BIG);
	vector_free(&v);
	v = vector_hex("00000001 00000002 61 00000000 00040000");
	assert_int_equal(pack_parse(&p, v.data, v.size_bytes, &wide, index, 1), -EBADMSG);
	vector_free(&v);
}

static void test_wrong_type_is_absent(void **)
{
	struct bytebuf b;
	struct pack_writer w;
	struct pack p;
	struct vector v;
	uint8_t data[4];

	bytebuf_init(&b, 4096);
	pack_writer_init(&w, &b);
	pack_add_int(&w, "int", 7);
	pack_add_str(&w, "str", "text");
	pack_add_data(&w, "data", "\1\2\3", 3);
	pack_add_data(&w, "none", NULL, 0);
	assert_int_equal(pack_writer_finish(&w), 0);
	v = vector_copy(b.data, b.len);
	assert_int_equal(parse(&p, &v), 0);
	assert_int_equal(pack_get_int64(&p, "int"), 0);
	assert_int_equal(pack_get_int(&p, "str"), 0);
	assert_span(pack_get_unistr(&p, "str"), "");
	assert_span(pack_get_str(&p, "data"), "");
	assert_null(pack_get_data(&p, "str").data);
	assert_null(pack_get_data(&p, "absent").data);
	assert_non_null(pack_get_data(&p, "none").data);
	assert_int_equal(pack_get_data(&p, "none").len, 0);
	assert_int_equal(pack_count(&p, "int", PACK_STR), 0);
	assert_int_equal(pack_count(&p, "int", PACK_INT), 1);
	assert_int_equal(pack_get_int_at(&p, "int", 1), 0);
	assert_int_equal(pack_copy_data(&p, "data", data, 3), 0);
	assert_int_equal(pack_copy_data(&p, "data", data, 4), -EMSGSIZE);
	assert_int_equal(pack_copy_data(&p, "absent", data, 4), -ENOENT);
	vector_free(&v);
	bytebuf_free(&b);
}

static void test_strings(void **)
{
	/* str "ab\0c", unistr "x" with its NUL, unistr without one, unistr of no bytes. */
	struct vector v = vector_hex("00000004"
				     "00000002 61 00000002 00000001 00000004 61620063"
				     "00000002 62 00000003 00000001 00000002 7800"
				     "00000002 63 00000003 00000001 00000001 79"
				     "00000002 64 00000003 00000001 00000000");
	struct pack p;
	char text[3];

	assert_int_equal(parse(&p, &v), 0);
	assert_span(pack_get_str(&p, "a"), "ab");
	assert_span(pack_get_unistr(&p, "b"), "x");
	assert_span(pack_get_unistr(&p, "c"), "y");
	assert_span(pack_get_unistr(&p, "d"), "");
	assert_int_equal(pack_copy_str(&p, "a", text, 3), 0);
	assert_string_equal(text, "ab");
	assert_int_equal(pack_copy_str(&p, "a", text, 2), -EMSGSIZE);
	assert_string_equal(text, "");
	pack_copy_str_cut(&p, "a", text, 2);
	assert_string_equal(text, "a");
	assert_int_equal(pack_copy_str(&p, "absent", text, 3), 0);
	assert_string_equal(text, "");
	vector_free(&v);
}

static void test_arrays(void **)
{
	struct bytebuf b;
	struct pack_writer w;
	struct pack_iter it;
	struct pack_span s;
	struct pack p;
	struct vector v;

	bytebuf_init(&b, 4096);
	pack_writer_init(&w, &b);
	pack_begin_array(&w, "names", PACK_STR, 3);
	pack_value_str(&w, "one");
	pack_value_str(&w, "");
	pack_value_str(&w, "three");
	pack_begin_array(&w, "big", PACK_INT64, 2);
	pack_value_int64(&w, 1);
	pack_value_int64(&w, 0x0102030405060708);
	pack_begin_array(&w, "uni", PACK_UNISTR, 2);
	pack_value_unistr(&w, "\xc3\xa4");
	pack_value_unistr(&w, "b");
	/* The trailing NUL is on the wire and counted. */
	assert_memory_equal(b.data + b.len - 6, "\0\0\0\2b\0", 6);
	pack_begin_array(&w, "empty", PACK_INT, 0);
	pack_add_int(&w, "last", 5);
	assert_int_equal(pack_writer_finish(&w), 0);
	v = vector_copy(b.data, b.len);
	assert_int_equal(parse(&p, &v), 0);
	assert_int_equal(p.count, 4);
	assert_int_equal(pack_count(&p, "names", PACK_STR), 3);
	assert_span(pack_get_str_at(&p, "names", 0), "one");
	assert_span(pack_get_str_at(&p, "names", 1), "");
	assert_span(pack_get_str_at(&p, "names", 2), "three");
	assert_span(pack_get_str_at(&p, "names", 3), "");
	assert_int_equal(pack_get_int64_at(&p, "big", 1), 0x0102030405060708);
	assert_int_equal(pack_get_int64_at(&p, "big", 2), 0);
	assert_span(pack_get_unistr_at(&p, "uni", 1), "b");
	assert_int_equal(pack_count(&p, "empty", PACK_INT), 0);
	it = pack_iter_start(&p, "names", PACK_STR);
	assert_true(pack_iter_next(&it, &s));
	assert_span(s, "one");
	assert_true(pack_iter_next(&it, &s));
	assert_true(pack_iter_next(&it, &s));
	assert_span(s, "three");
	assert_false(pack_iter_next(&it, &s));
	assert_span(s, "");
	/* Numbers have no spans to walk. */
	it = pack_iter_start(&p, "big", PACK_INT64);
	assert_false(pack_iter_next(&it, &s));
	vector_free(&v);
	bytebuf_free(&b);
}

static void test_ip(void **)
{
	const struct pack_ip v4 = {.addr = {10, 77, 0, 1}};
	const struct pack_ip v6 = {.is_ipv6 = true, .addr = {0xfe, 0x80, [15] = 9}, .scope_id = 3};
	static const uint8_t on_wire[] = {0x01, 0x00, 0x4d, 0x0a};
	struct pack_ip ip;
	struct bytebuf b;
	struct pack_writer w;
	struct pack p;
	struct vector v;

	bytebuf_init(&b, 4096);
	pack_writer_init(&w, &b);
	pack_add_ip(&w, "A", &v4);
	assert_memory_equal(b.data + b.len - 4, on_wire, 4);
	pack_add_ip(&w, "B", &v6);
	pack_add_bool(&w, "C@ipv6_bool", true); /* no array */
	pack_add_bool(&w, "D@ipv6_bool", true); /* ill-sized array */
	pack_add_data(&w, "D@ipv6_array", "x", 1);
	pack_add_int(&w, "E", 0x01004d0a); /* the plain element alone will do */
	pack_add_bool(&w, "F@ipv6_bool", false);
	assert_int_equal(pack_writer_finish(&w), 0);
	v = vector_copy(b.data, b.len);
	assert_int_equal(parse(&p, &v), 0);
	assert_int_equal(pack_get_ip(&p, "A", &ip), 0);
	assert_false(ip.is_ipv6);
	assert_int_equal(ip.scope_id, 0);
	assert_memory_equal(ip.addr, v4.addr, 16);
	assert_int_equal(pack_get_ip(&p, "B", &ip), 0);
	assert_true(ip.is_ipv6);
	assert_int_equal(ip.scope_id, 3);
	assert_memory_equal(ip.addr, v6.addr, 16);
	assert_int_equal(pack_get_int(&p, "B"), 0xfe0200c0);
	assert_int_equal(pack_get_ip(&p, "C", &ip), -ENOENT);
	assert_int_equal(pack_get_ip(&p, "D", &ip), -ENOENT);
	assert_int_equal(pack_get_ip(&p, "E", &ip), 0);
	assert_false(ip.is_ipv6);
	assert_int_equal(ip.scope_id, 0);
	assert_memory_equal(ip.addr, v4.addr, 16);
	assert_int_equal(pack_get_ip(&p, "F", &ip), -ENOENT);
	assert_int_equal(pack_get_ip(&p, "Z", &ip), -ENOENT);
	assert_int_equal(pack_get_ip_at(&p, "A", 1, &ip), -ENOENT);
	vector_free(&v);
	bytebuf_free(&b);
}

static void test_captured_ip(void **)
{
	struct vector v = vector_load_body("login_request.hex");
	static const uint8_t client[] = {10, 77, 0, 2};
	struct pack_ip ip;
	struct pack p;

	assert_int_equal(parse(&p, &v), 0);
	assert_int_equal(pack_get_ip(&p, "ClientIpAddress", &ip), 0);
	assert_false(ip.is_ipv6);
	assert_memory_equal(ip.addr, client, 4);
	vector_free(&v);
}

static void test_writer_drops_duplicates(void **)
{
	struct bytebuf b;
	struct pack_writer w;
	struct pack p;
	struct vector v;

	bytebuf_init(&b, 4096);
	pack_writer_init(&w, &b);
	pack_add_str(&w, "hubname", "first");
	pack_add_str(&w, "HubName", "second");
	pack_begin_array(&w, "HUBNAME", PACK_INT, 2);
	pack_value_int(&w, 1);
	pack_value_int(&w, 2);
	pack_add_int(&w, "hubnam", 1);
	assert_int_equal(pack_writer_finish(&w), 0);
	v = vector_copy(b.data, b.len);
	assert_int_equal(parse(&p, &v), 0);
	assert_int_equal(p.count, 2);
	assert_span(pack_get_str(&p, "hubname"), "first");
	assert_int_equal(pack_get_int(&p, "hubnam"), 1);
	vector_free(&v);
	bytebuf_free(&b);
}

/* Each misuse is caught by finish. */
static void test_writer_misuse(void **)
{
	char name[65];
	struct bytebuf b;
	struct pack_writer w;

	memset(name, 'n', 64);
	name[64] = 0;
	for (int i = 0; i < 7; i++) {
		int want = -EINVAL;

		bytebuf_init(&b, 1 << 20);
		pack_writer_init(&w, &b);
		switch (i) {
		case 0:
			pack_add_int(&w, "", 1);
			break;
		case 1:
			pack_add_int(&w, name, 1);
			break;
		case 2:
			pack_begin_array(&w, "a", PACK_INT, 2);
			pack_value_int(&w, 1);
			break;
		case 3:
			pack_begin_array(&w, "a", PACK_INT, 1);
			pack_value_str(&w, "x");
			break;
		case 4:
			pack_value_int(&w, 1);
			break;
		case 5:
			pack_add_int(&w, name + 1, 1);
			want = 0;
			break;
		case 6:
			for (int n = 0; n <= PACK_WRITER_ELEMENTS; n++) {
				snprintf(name, sizeof(name), "e%d", n);
				pack_add_int(&w, name, 1);
			}
			want = -E2BIG;
			break;
		}
		assert_int_equal(pack_writer_finish(&w), want);
		bytebuf_free(&b);
	}
}

static void test_writer_small_span(void **)
{
	uint8_t span[64];
	struct bytebuf b;
	struct pack_writer w;

	for (size_t size = 0; size < sizeof(span); size++) {
		struct vector exact = vector_copy(span, size);

		bytebuf_init_fixed(&b, exact.data, size);
		pack_writer_init(&w, &b);
		pack_add_str(&w, "name", "value of twenty byte");
		pack_add_int(&w, "i", 1);
		assert_int_equal(pack_writer_finish(&w), size < 61 ? -EMSGSIZE : 0);
		vector_free(&exact);
	}
}

/* A message may start behind other bytes of the buffer. */
static void test_writer_behind_text(void **)
{
	struct bytebuf b;
	struct pack_writer w;
	struct pack p;

	bytebuf_init(&b, 4096);
	bytebuf_append_text(&b, "head");
	pack_writer_init(&w, &b);
	pack_add_int(&w, "a", 1);
	pack_add_int(&w, "A", 2);
	pack_add_padding(&w, b.data, 4);
	assert_int_equal(pack_writer_finish(&w), 0);
	assert_int_equal(pack_parse(&p, b.data + 4, b.len - 4, &pack_limits_login, index_login,
				 PACK_LOGIN_ELEMENTS),
		0);
	assert_int_equal(p.count, 2);
	assert_int_equal(pack_get_int(&p, "a"), 1);
	bytebuf_free(&b);
}

static void test_padding_is_cut(void **)
{
	uint8_t random[1200] = {0};
	struct bytebuf b;
	struct pack_writer w;
	struct pack p;

	bytebuf_init(&b, 4096);
	pack_writer_init(&w, &b);
	pack_add_padding(&w, random, sizeof(random));
	assert_int_equal(pack_writer_finish(&w), 0);
	assert_int_equal(
		pack_parse(&p, b.data, b.len, &pack_limits_login, index_login, PACK_LOGIN_ELEMENTS),
		0);
	assert_int_equal(pack_get_data(&p, "pencore").len, 999);
	bytebuf_free(&b);
}

/* The largest body an administrator can send, made of the smallest elements. */
static void test_largest_body(void **)
{
	static struct pack_element index[PACK_INDEX_FOR_BYTES(65536)];
	struct bytebuf b;
	struct pack p;
	uint32_t n = 0;

	bytebuf_init(&b, 65536);
	bytebuf_append_be32(&b, 0);
	/* Names of one byte first, then of two: 255 less one case of each letter and the NUL. */
	for (uint32_t first = 1; first < 256 && b.len + 17 <= 65536; first++) {
		if (first >= 'A' && first <= 'Z')
			continue;
		bytebuf_append_be32(&b, 2);
		*bytebuf_extend(&b, 1) = (uint8_t)first;
		bytebuf_append_be32(&b, PACK_INT);
		bytebuf_append_be32(&b, 1);
		bytebuf_append_be32(&b, n++);
	}
	for (uint32_t name = 0x2020; b.len + 18 <= 65536; name++) {
		if (!(name & 0xff) || ((name & 0xff) >= 'A' && (name & 0xff) <= 'Z') ||
			(name >> 8 >= 'A' && name >> 8 <= 'Z'))
			continue;
		bytebuf_append_be32(&b, 3);
		be16_put(bytebuf_extend(&b, 2), (uint16_t)name);
		bytebuf_append_be32(&b, PACK_INT);
		bytebuf_append_be32(&b, 1);
		bytebuf_append_be32(&b, n++);
	}
	assert_int_equal(b.error, 0);
	be32_put(b.data, n);
	assert_int_equal(pack_parse(&p, b.data, b.len, &pack_limits_admin, index,
				 PACK_INDEX_FOR_BYTES(65536)),
		0);
	assert_int_equal(p.count, n);
	assert_true(n > 3600);
	bytebuf_free(&b);
}

/* 200 000 elements whose names differ in their last bytes only, in an order that is neither up nor
 * down: with a duplicate test of n squared steps this runs into the test's time limit. */
static void test_many_elements(void **)
{
	const struct pack_limits wide = {
		.max_bytes = 1 << 24, .max_elements = PACK_ELEMENTS_MAX, .max_values = 1 << 20};
	const uint32_t n = 200000, element_bytes = 22;
	struct pack_element *index = calloc(n, sizeof(*index));
	struct bytebuf b;
	struct pack p;
	char name[16];

	assert_non_null(index);
	bytebuf_init(&b, 1 << 24);
	bytebuf_append_be32(&b, n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t v = (uint32_t)((uint64_t)i * 7919 % n);

		snprintf(name, sizeof(name), "%06u", v);
		bytebuf_append_be32(&b, 7);
		bytebuf_append(&b, name, 6);
		bytebuf_append_be32(&b, PACK_INT);
		bytebuf_append_be32(&b, 1);
		bytebuf_append_be32(&b, v);
	}
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, 4 + n * element_bytes);
	assert_int_equal(pack_parse(&p, b.data, b.len, &wide, index, n), 0);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%06u", i);
		assert_int_equal(pack_count(&p, name, PACK_INT), 1);
		assert_int_equal(pack_get_int(&p, name), i);
	}
	/* And the one duplicate among them is found. */
	memcpy(b.data + 4 + 4, b.data + 4 + element_bytes * 17777 + 4, 6);
	assert_int_equal(pack_parse(&p, b.data, b.len, &wide, index, n), -EBADMSG);
	bytebuf_free(&b);
	free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_trailing_bytes),
		cmocka_unit_test(test_empty_pack),
		cmocka_unit_test(test_duplicate_names),
		cmocka_unit_test(test_name_length),
		cmocka_unit_test(test_types_and_counts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_format_bounds),
		cmocka_unit_test(test_wrong_type_is_absent),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_ip),
		cmocka_unit_test(test_captured_ip),
		cmocka_unit_test(test_writer_drops_duplicates),
		cmocka_unit_test(test_writer_misuse),
		cmocka_unit_test(test_writer_small_span),
		cmocka_unit_test(test_writer_behind_text),
		cmocka_unit_test(test_padding_is_cut),
		cmocka_unit_test(test_largest_body),
		cmocka_unit_test(test_many_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
