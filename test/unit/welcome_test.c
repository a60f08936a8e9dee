/* SPDX-License-Identifier: BSD-3-Clause */
/* Welcome, redirect and the granted values (wire.md 4.1, 4.2, 4.5). */
#include "drivers/session/wire/welcome.h"

#include <string.h>

#include "drivers/session/wire/reply.h"
#include "test/unit/vector.h"

static struct pack_element index_login[PACK_LOGIN_ELEMENTS];
static struct bytebuf buf;
static struct pack_writer writer;
static struct pack pack;

static struct pack_writer *begin(void)
{
	bytebuf_free(&buf);
	bytebuf_init(&buf, 1 << 20);
	pack_writer_init(&writer, &buf);
	return &writer;
}

static const struct pack *parse(const void *data, size_t size_bytes)
{
	assert_int_equal(pack_parse(&pack, data, size_bytes, &pack_limits_login, index_login,
				 PACK_LOGIN_ELEMENTS),
		0);
	return &pack;
}

static const struct pack *end(void)
{
	assert_int_equal(pack_writer_finish(&writer), 0);
	return parse(buf.data, buf.len);
}

static int teardown(void **)
{
	bytebuf_free(&buf);
	return 0;
}

static void test_captured(void **)
{
	struct vector v = vector_load_body("welcome_response.hex");
	struct policy_wire standard;
	struct welcome w;
	uint32_t error;

	assert_int_equal(login_reply_unpack(parse(v.data, v.size_bytes), &w, NULL, &error),
		LOGIN_REPLY_WELCOME);
	assert_int_equal(error, 0);
	assert_string_equal(w.session_name, "SID-ALICE-112");
	assert_string_equal(w.connection_name, "CID-331");
	assert_int_equal(w.max_connection, 2);
	assert_true(w.use_encrypt);
	assert_false(w.use_compress || w.half_connection || w.qos);
	assert_int_equal(w.timeout_ms, 20000);
	assert_int_equal(w.session_key_32, 0xf4d25b1d);
	assert_int_equal(w.vlan_id, 0);
	assert_int_equal(w.msg.len, 0);
	/* The stock server's default policy in client mode: ours, and no bridge, no routing. */
	policy_wire_default(&standard);
	standard.no_bridge = 1;
	standard.no_routing = 1;
	assert_memory_equal(&w.policy, &standard, sizeof(standard));
	vector_free(&v);
}

/* Ours has every element the stock server sends (but for the padding), of the same type. */
static void test_same_elements_as_stock(void **)
{
	static struct pack_element index_stock[PACK_LOGIN_ELEMENTS];
	struct vector v = vector_load_body("welcome_response.hex");
	struct welcome w = {.session_name = "s", .connection_name = "c"};
	const struct pack *ours;
	struct pack stock;
	char name[64];

	assert_int_equal(pack_parse(&stock, v.data, v.size_bytes, &pack_limits_login, index_stock,
				 PACK_LOGIN_ELEMENTS),
		0);
	welcome_pack(&w, begin());
	ours = end();
	for (uint32_t i = 0; i < stock.count; i++) {
		const struct pack_element *e = &stock.elements[i];

		memcpy(name, stock.data + e->name_at, e->name_len);
		name[e->name_len] = 0;
		if (strcmp(name, "pencore"))
			assert_int_equal(pack_count(ours, name, e->type), 1);
	}
	assert_int_equal(ours->count, stock.count - 1);
	vector_free(&v);
}

static void test_roles(void **)
{
	struct welcome in,
		out = {.session_name = "SID-BOB-1",
			.connection_name = "CID-1",
			.max_connection = 32,
			.use_encrypt = true,
			.use_compress = true,
			.half_connection = true,
			.qos = true,
			.timeout_ms = 5000,
			.session_key = {1, 2, 3},
			.session_key_32 = 7,
			.vlan_id = 12,
			.msg = {(const uint8_t *)"hello", 5}};
	uint32_t error;

	policy_wire_default(&out.policy);
	out.policy.no_save_password = 1;
	out.policy.vlan_id = 12;
	welcome_pack(&out, begin());
	assert_int_equal(login_reply_unpack(end(), &in, NULL, &error), LOGIN_REPLY_WELCOME);
	assert_int_equal(in.msg.len, 5);
	assert_memory_equal(in.msg.data, "hello", 5);
	assert_string_equal(in.session_name, out.session_name);
	assert_string_equal(in.connection_name, out.connection_name);
	assert_int_equal(in.max_connection, 32);
	assert_true(in.use_encrypt && in.use_compress && in.half_connection && in.qos);
	assert_int_equal(in.timeout_ms, 5000);
	assert_memory_equal(in.session_key, out.session_key, 20);
	assert_int_equal(in.session_key_32, 7);
	assert_int_equal(in.vlan_id, 12);
	assert_true(in.no_save_password_hint);
	assert_memory_equal(&in.policy, &out.policy, sizeof(in.policy));
}

static void test_malformed_welcome(void **)
{
	/* Each of the three required elements missing or ill-sized in turn. */
	for (int missing = 0; missing < 5; missing++) {
		struct welcome w;
		uint32_t error;
		static const uint8_t key[20];

		begin();
		if (missing != 0)
			pack_add_str(&writer, "session_name", "s");
		if (missing != 1)
			pack_add_str(&writer, "connection_name", "c");
		if (missing != 2)
			pack_add_data(&writer, "session_key", key, missing == 3 ? 19 : 20);
		assert_int_equal(login_reply_unpack(end(), &w, NULL, &error),
			missing == 4 ? LOGIN_REPLY_WELCOME : LOGIN_REPLY_ERROR);
		assert_int_equal(error, missing == 4 ? 0 : WIRE_ERROR_PROTOCOL);
	}
}

static void test_error_and_noop(void **)
{
	struct vector v = vector_load_body("error_response.hex");
	struct welcome w;
	uint32_t error;

	assert_int_equal(login_reply_unpack(parse(v.data, v.size_bytes), &w, NULL, &error),
		LOGIN_REPLY_ERROR);
	assert_int_equal(error, 9);
	assert_false(w.no_save_password_hint);
	vector_free(&v);
	reply_error_pack(begin(), 20, true);
	assert_int_equal(login_reply_unpack(end(), &w, NULL, &error), LOGIN_REPLY_ERROR);
	assert_int_equal(error, 20);
	assert_true(w.no_save_password_hint);
	begin();
	pack_add_int(&writer, "noop", 2);
	assert_int_equal(login_reply_unpack(end(), &w, NULL, &error), LOGIN_REPLY_SKIP);
}

static void test_redirect(void **)
{
	static const uint8_t cert[10] = {0x30};
	struct redirect in,
		out = {.ip = {.addr = {192, 0, 2, 7}},
			.ports = {5555, 443},
			.port_count = 2,
			.ticket = {9},
			.cert = {cert, 10}};
	struct welcome w;
	uint32_t error;

	redirect_pack(&out, begin());
	assert_int_equal(login_reply_unpack(end(), &w, &in, &error), LOGIN_REPLY_REDIRECT);
	assert_int_equal(error, 0);
	assert_false(in.ip.is_ipv6);
	assert_memory_equal(in.ip.addr, out.ip.addr, 16);
	assert_int_equal(in.port_count, 2);
	assert_int_equal(in.ports[1], 443);
	assert_memory_equal(in.ticket, out.ticket, 20);
	assert_int_equal(in.cert.len, 10);

	/* A caller that cannot follow one. */
	assert_int_equal(login_reply_unpack(&pack, &w, NULL, &error), LOGIN_REPLY_ERROR);
	assert_int_equal(error, WIRE_ERROR_PROTOCOL);
}

static void test_malformed_redirect(void **)
{
	for (int fault = 0; fault < 8; fault++) {
		static const uint8_t bytes[20];
		const struct pack_ip ip = {.addr = {1, 2, 3, 4}};
		uint32_t ports = fault == 5 ? 128 : fault == 6 ? 129 : 1;
		struct redirect r;
		struct welcome w;
		uint32_t error;
		bool good = fault == 5 || fault == 7;

		begin();
		pack_add_int(&writer, "Redirect", 1);
		if (fault != 0)
			pack_add_ip(&writer, "Ip", &ip);
		if (fault != 1) {
			pack_begin_array(&writer, "Port", PACK_INT, ports);
			for (uint32_t i = 0; i < ports; i++)
				pack_value_int(&writer, fault == 2 ? 65536 : 443);
		}
		if (fault != 3)
			pack_add_data(&writer, "Ticket", bytes, 20);
		if (fault != 4)
			pack_add_data(&writer, "Cert", bytes, 20);
		assert_int_equal(login_reply_unpack(end(), &w, &r, &error),
			good ? LOGIN_REPLY_REDIRECT : LOGIN_REPLY_ERROR);
		assert_int_equal(error, good ? 0 : WIRE_ERROR_PROTOCOL);
	}
}

/* The measured cases of 4.2, and what else the formulas say. */
static void test_grant_connections(void **)
{
	static const struct {
		uint32_t wish, policy_max, cap;
		bool half, qos, monitor;
		uint32_t granted;
		bool half_granted, qos_granted;
	} cases[] = {
		{100, 32, 32, false, false, false, 32, false, false},
		{0, 32, 32, false, false, false, 1, false, false},
		{1, 32, 32, true, false, false, 2, true, false},
		{1, 32, 32, false, true, false, 2, false, true},
		{1, 32, 32, true, true, false, 4, true, true},
		{8, 0, 32, false, false, false, 8, false, false},
		{8, 3, 32, false, false, false, 3, false, false},
		{8, 1, 32, true, true, false, 4, true, true},
		{8, 32, 4, false, false, false, 4, false, false},
		{100, 1000, 1000, false, false, false, 32, false, false},
		{8, 32, 8, false, true, true, 8, false, false},
		/* A server that grants one connection can grant neither of these modes. */
		{8, 32, 1, true, true, false, 1, false, false},
		{8, 32, 0, true, true, false, 1, false, false},
		{8, 32, 2, true, true, false, 2, true, false},
		{UINT32_MAX, UINT32_MAX, 32, false, false, false, 32, false, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct login_request r = {.max_connection = cases[i].wish,
			.half_connection = cases[i].half,
			.qos = cases[i].qos};
		struct policy_wire policy;
		struct welcome w = {0};

		policy_wire_default(&policy);
		policy.max_connection = cases[i].policy_max;
		welcome_grant(&w, &r, &policy, cases[i].cap, cases[i].monitor, true);
		assert_int_equal(w.max_connection, cases[i].granted);
		assert_int_equal(w.half_connection, cases[i].half_granted);
		assert_int_equal(w.qos, cases[i].qos_granted);
	}
}

static void test_grant_modes(void **)
{
	for (int bits = 0; bits < 32; bits++) {
		struct login_request r = {.max_connection = 8,
			.use_encrypt = bits & 1,
			.use_compress = bits & 2,
			.qos = bits & 4};
		struct policy_wire policy;
		struct welcome w = {0};

		policy_wire_default(&policy);
		policy.no_qos = !!(bits & 8);
		welcome_grant(&w, &r, &policy, 32, false, bits & 16);
		assert_int_equal(w.use_encrypt, r.use_encrypt);
		assert_int_equal(w.use_compress, r.use_compress);
		assert_int_equal(w.qos, (bits & 4) && !(bits & 8) && (bits & 16));
	}
}

static void test_grant_timeout(void **)
{
	static const struct {
		uint32_t policy_s, ms;
	} cases[] = {{0, 20000}, {1, 5000}, {5, 5000}, {20, 20000}, {60, 60000}, {61, 60000},
		{4294968, 60000}, {UINT32_MAX, 60000}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct login_request r = {0};
		struct policy_wire policy;
		struct welcome w = {0};

		policy_wire_default(&policy);
		policy.timeout_s = cases[i].policy_s;
		welcome_grant(&w, &r, &policy, 32, false, true);
		assert_int_equal(w.timeout_ms, cases[i].ms);
	}
}

/* What a server says of the time-out is held to what one may grant, and none is the document's fallback. */
static void test_client_timeout(void **)
{
	static const struct {
		uint32_t said, ms;
	} cases[] = {{0, 30000}, {1, 5000}, {4999, 5000}, {5000, 5000}, {20000, 20000},
		{60000, 60000}, {60001, 60000}, {0x80000000, 60000}, {UINT32_MAX, 60000}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct welcome in,
			out = {.session_name = "s",
				.connection_name = "c",
				.timeout_ms = cases[i].said};
		uint32_t error;

		welcome_pack(&out, begin());
		assert_int_equal(login_reply_unpack(end(), &in, NULL, &error), LOGIN_REPLY_WELCOME);
		assert_int_equal(in.timeout_ms, cases[i].ms);
	}
}

static void test_client_limit(void **)
{
	static const struct {
		uint32_t granted, own;
		bool half, qos;
		uint32_t want;
	} cases[] = {
		{32, 8, false, false, 8},
		{4, 8, false, false, 4},
		{0, 8, false, false, 1},
		{100, 100, false, false, 32},
		{2, 1, true, false, 2},
		{2, 1, false, true, 2},
		{4, 1, true, true, 4},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct welcome w = {.max_connection = cases[i].granted,
			.half_connection = cases[i].half,
			.qos = cases[i].qos};

		welcome_limit(&w, cases[i].own);
		assert_int_equal(w.max_connection, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_same_elements_as_stock),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_malformed_welcome),
		cmocka_unit_test(test_error_and_noop),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_malformed_redirect),
		cmocka_unit_test(test_grant_connections),
		cmocka_unit_test(test_grant_modes),
		cmocka_unit_test(test_grant_timeout),
		cmocka_unit_test(test_client_timeout),
		cmocka_unit_test(test_client_limit),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
