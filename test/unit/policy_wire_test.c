/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy table and its PACK form (policy.md 2, 6). */
#include "drivers/session/wire/policy_wire.h"

#include <errno.h>
#include <string.h>

#include "drivers/session/wire/pack.h"
#include "test/unit/vector.h"

static struct pack_element index_login[PACK_LOGIN_ELEMENTS];

static void parse(struct pack *p, const struct bytebuf *b)
{
	assert_int_equal(pack_parse(p, b->data, b->len, &pack_limits_login, index_login,
				 PACK_LOGIN_ELEMENTS),
		0);
}

/* Spot values typed from the document, not from the table. */
static void test_table(void **)
{
	assert_string_equal(policy_keys[0].key, "Access");
	assert_int_equal(policy_keys[0].def, 1);
	assert_string_equal(policy_keys[13].key, "MaxConnection");
	assert_int_equal(policy_keys[13].max, 32);
	assert_string_equal(policy_keys[14].key, "TimeOut");
	assert_int_equal(policy_keys[14].min, 5);
	assert_int_equal(policy_keys[14].max, 60);
	assert_int_equal(policy_keys[14].def, 20);
	assert_string_equal(policy_keys[POLICY_VERSION3_FROM].key, "RSandRAFilter");
	assert_string_equal(policy_keys[37].key, "VLanId");
	assert_int_equal(policy_keys[37].max, 4095);
	assert_int_equal(policy_keys[18].max, UINT32_MAX);
	for (int id = 0; id < POLICY_KEY_COUNT; id++) {
		assert_non_null(policy_keys[id].key);
		if (policy_keys[id].kind == POLICY_BOOL)
			assert_int_equal(policy_keys[id].max, 1);
		assert_int_equal(policy_value_check(id, policy_keys[id].def), 0);
	}
	/* The keys marked (C) in the document. */
	for (int id = 0; id < POLICY_KEY_COUNT; id++) {
		static const int not_cascade[] = {0, 4, 5, 12, 13, 14, 19, 20, 21, 26, 30, 31, 36};
		bool expect = true;

		for (size_t i = 0; i < sizeof(not_cascade) / sizeof(not_cascade[0]); i++)
			expect = expect && not_cascade[i] != id;
		assert_int_equal(policy_keys[id].cascade, expect);
	}
}

static void test_default(void **)
{
	struct policy_wire p;

	memset(&p, 0xff, sizeof(p));
	policy_wire_default(&p);
	for (int id = 0; id < POLICY_KEY_COUNT; id++)
		assert_int_equal(policy_wire_get(&p, id),
			id == POLICY_ID_Access			? 1
				: id == POLICY_ID_MaxConnection ? 32
				: id == POLICY_ID_TimeOut	? 20
								: 0);
	assert_int_equal(p.timeout_s, 20);
}

static void test_find(void **)
{
	assert_int_equal(policy_key_find("MaxMac"), 15);
	assert_int_equal(policy_key_find("maxmac"), 15);
	assert_int_equal(policy_key_find("NoIPv6DefaultRouterInRA"), 35);
	assert_int_equal(policy_key_find("NoIPv6DefaultRouterInRAWhenIPv6"), 36);
	assert_int_equal(policy_key_find("Ver3"), -ENOENT);
	assert_int_equal(policy_key_find(""), -ENOENT);
}

static void test_set_range(void **)
{
	struct policy_wire p;

	policy_wire_default(&p);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_VLanId, 4095), 0);
	assert_int_equal(p.vlan_id, 4095);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_VLanId, 4096), -ERANGE);
	assert_int_equal(p.vlan_id, 4095);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_VLanId, 0), 0);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_TimeOut, 4), -ERANGE);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_TimeOut, 61), -ERANGE);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_NoBridge, 2), -ERANGE);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_NoBridge, 1), 0);
	assert_int_equal(p.no_bridge, 1);
	assert_int_equal(policy_wire_set(&p, POLICY_ID_MaxUpload, UINT32_MAX), 0);
	assert_int_equal(policy_wire_set(&p, POLICY_KEY_COUNT, 1), -ENOENT);
}

/* Every key travels to the field it belongs to. */
static void test_pack_round(void **)
{
	for (int id = 0; id < POLICY_KEY_COUNT; id++) {
		struct policy_wire out = {0}, in;
		struct pack_writer w;
		struct bytebuf b;
		struct pack p;

		assert_int_equal(policy_wire_set(&out, id, policy_keys[id].max), 0);
		memset(&in, 0xee, sizeof(in));
		bytebuf_init(&b, 8192);
		pack_writer_init(&w, &b);
		policy_wire_pack(&out, &w);
		assert_int_equal(pack_writer_finish(&w), 0);
		parse(&p, &b);
		assert_int_equal(p.count, POLICY_KEY_COUNT + 1);
		assert_int_equal(pack_get_int(&p, "policy:Ver3"), 1);
		policy_wire_unpack(&in, &p);
		assert_memory_equal(&in, &out, sizeof(in));
		bytebuf_free(&b);
	}
}

/* Without Ver3 the later keys stay, earlier absent ones become 0, booleans 0 or 1. */
static void test_unpack_version2(void **)
{
	struct policy_wire in;
	struct pack_writer w;
	struct bytebuf b;
	struct pack p;

	memset(&in, 0, sizeof(in));
	in.vlan_id = 9;
	in.max_mac = 9;
	bytebuf_init(&b, 8192);
	pack_writer_init(&w, &b);
	pack_add_int(&w, "policy:Access", 77);
	pack_add_int(&w, "policy:VLanId", 5);
	assert_int_equal(pack_writer_finish(&w), 0);
	parse(&p, &b);
	policy_wire_unpack(&in, &p);
	assert_int_equal(in.access, 1);
	assert_int_equal(in.max_mac, 0);
	assert_int_equal(in.vlan_id, 9);
	bytebuf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_set_range),
		cmocka_unit_test(test_pack_round),
		cmocka_unit_test(test_unpack_version2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
