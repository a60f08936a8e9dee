/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls from PACK to PACK: envelope, arguments as tools send them, columns, and what answers may hold. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/pack_rpc.h"
#include "controlplane/listener.h"
#include "drivers/session/wire/be.h"
#include "drivers/session/wire/wire_error.h"
#include "test/unit/admin_fakes.h"

#define ANSWER_MAX (80u << 20)

static const struct admin_caller server = {.server = true, .via = "test"};
static const struct admin_caller of_hub_a = {.hub_name = "a", .via = "test"};

static struct pack_rpc rpc;
static struct evbuffer *buf;
static struct bytebuf request;
static struct pack_writer w;

static struct pack answer; /* of the last call */
static struct pack_element answer_index[1024];
static uint8_t *answer_bytes;

static void begin(const char *method)
{
	bytebuf_free(&request);
	bytebuf_init(&request, PACK_IN_BYTES + 100);
	pack_writer_init(&w, &request);
	pack_add_str(&w, "function_name", method);
}

static int start(struct pack_rpc *r, const struct admin_caller *who)
{
	uint8_t *body;

	assert_int_equal(pack_writer_finish(&w), 0);
	body = malloc(request.len + 1);
	memcpy(body, request.data, request.len);
	body[request.len] = 0xff; /* only what pack_in puts there may end a string */
	return pack_rpc_begin(r, body, request.len, who, buf);
}

/* Parses what is in `buf`, which must be one answer with its size. */
static void parse_answer(void)
{
	static const struct pack_limits limits = {ANSWER_MAX, 1024, 64 * PACK_VALUES_MAX};
	size_t len = evbuffer_get_length(buf);
	uint8_t size[4];

	assert_int_equal(evbuffer_remove(buf, size, 4), 4);
	assert_int_equal(be32_get(size), len - 4);
	free(answer_bytes);
	answer_bytes = malloc(len - 4);
	assert_int_equal(evbuffer_remove(buf, answer_bytes, len - 4), len - 4);
	assert_int_equal(
		pack_parse(&answer, answer_bytes, len - 4, &limits, answer_index, 1024), 0);
	assert_int_equal(answer.size_bytes, len - 4);
}

/* Runs the request to its end in small slices; the error code of the answer. */
static uint32_t call_as(const struct admin_caller *who)
{
	int rc = start(&rpc, who);

	for (int n = 0; rc != ADMIN_DONE; n++) {
		assert_true(n < 200000 && (rc == ADMIN_MORE || rc == ADMIN_WAIT));
		if (rc == ADMIN_WAIT)
			fakes.clock_ms += 10;
		assert_int_equal(evbuffer_get_length(buf), 0);
		rc = pack_rpc_step(&rpc, 3, buf);
	}
	parse_answer();
	pack_rpc_end(&rpc);
	return pack_get_int(&answer, "error");
}

static uint32_t call(void)
{
	return call_as(&server);
}

static void assert_str(const char *name, uint32_t i, const char *expected)
{
	struct pack_span s = pack_get_str_at(&answer, name, i);

	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.data, expected, s.len);
}

static int setup(void **)
{
	admin_fakes_reset();
	buf = evbuffer_new();
	return 0;
}

static int teardown(void **)
{
	evbuffer_free(buf);
	bytebuf_free(&request);
	free(answer_bytes);
	answer_bytes = NULL;
	admin_fakes_free();
	return 0;
}

/* ---- envelope -------------------------------------------------------------------------------- */

static void unknown_methods_are_33(void **)
{
	char longest[300];

	begin("NoSuchMethod");
	assert_int_equal(call(), 33);
	assert_int_equal(answer.count, 1);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	begin(longest);
	assert_int_equal(call(), 33);
	begin("");
	assert_int_equal(call(), 33);
	/* Case does not matter. */
	begin("enumLISTENER");
	assert_int_equal(call(), 0);
}

static void what_is_no_pack_is_not_answered(void **)
{
	static const uint8_t bytes[] = {0, 0, 0, 2, 0, 0, 0, 1};
	uint8_t *body;

	for (size_t size = 0; size <= sizeof(bytes); size++) {
		body = malloc(size + 1);
		memcpy(body, bytes, size);
		assert_int_equal(pack_rpc_begin(&rpc, body, size, &server, buf), -EBADMSG);
		assert_int_equal(evbuffer_get_length(buf), 0);
	}
	pack_rpc_end(&rpc);
}

static void roles(void **)
{
	fake_hub("a");
	fake_hub("b");
	begin("EnumConnection");
	assert_int_equal(call_as(&of_hub_a), 52);
	begin("GetHubStatus");
	pack_add_str(&w, "HubName", "b");
	assert_int_equal(call_as(&of_hub_a), 52);
	begin("GetHubStatus");
	pack_add_str(&w, "HubName", "A");
	assert_int_equal(call_as(&of_hub_a), 0);
	begin("GetHubStatus");
	assert_int_equal(call_as(&of_hub_a), 38);
	begin("GetHubStatus");
	pack_add_str(&w, "HubName", "c");
	assert_int_equal(call(), 8);
	begin("EnumHub");
	assert_int_equal(call_as(&of_hub_a), 0);
	assert_int_equal(pack_count(&answer, "HubName", PACK_STR), 1);
	assert_int_equal(pack_get_int(&answer, "NumItem"), 1);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void arguments_are_checked(void **)
{
	char longest[300];

	fake_hub("a");
	/* The wrong type is absent, absent is empty, empty is 38. */
	begin("GetHubStatus");
	pack_add_unistr(&w, "HubName", "a");
	assert_int_equal(call(), 38);
	begin("GetHubStatus");
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	pack_add_str(&w, "HubName", longest);
	assert_int_equal(call(), 38);
	begin("GetHubStatus");
	pack_add_str(&w, "HubName", "\xff\xfe");
	assert_int_equal(call(), 38);
	/* What the method does not know is not looked at. */
	begin("GetHubStatus");
	pack_add_str(&w, "HubName", "a");
	pack_add_int(&w, "Strange", 1);
	pack_add_data(&w, "pencore", "xx", 2);
	assert_int_equal(call(), 0);
	/* The last string of a request ends where it ends, whatever stands behind. */
	begin("GetHubStatus");
	pack_add_str(&w, "HubName", "a");
	assert_int_equal(call(), 0);
	assert_str("HubName", 0, "a");
}

/* A tool cannot leave an argument out; it sends it empty. */
static void empty_is_absent_where_it_must_not_be_empty(void **)
{
	struct directory_hub *hub = fake_hub("a");

	hub->hub->mac_cnt = 3;
	begin("DeleteMacTable");
	pack_add_str(&w, "HubName", "a");
	pack_add_int(&w, "Key", 0);
	pack_add_data(&w, "PatchbayMacAddress", "", 0);
	assert_int_equal(call(), 38);
	begin("DeleteMacTable");
	pack_add_str(&w, "HubName", "a");
	pack_add_int(&w, "Key", 0);
	pack_add_data(&w, "PatchbayMacAddress", "\x02\0\0\0\0\1", 6);
	assert_int_equal(call(), 0);
	assert_int_equal(hub->hub->deleted_mac, UINT64_C(0x020000000001));
}

/* ---- answers --------------------------------------------------------------------------------- */

static void lists_are_columns(void **)
{
	begin("EnumListener");
	assert_int_equal(call(), 0);
	assert_int_equal(pack_count(&answer, "Ports", PACK_INT), 3);
	assert_int_equal(pack_get_int_at(&answer, "Ports", 1), 992);
	assert_int_equal(pack_get_int_at(&answer, "Enables", 0), 1);
	assert_int_equal(pack_get_int_at(&answer, "Errors", 0), 0);
	assert_int_equal(pack_get_int_at(&answer, "Errors", 1), 1);
	assert_int_equal(pack_get_int_at(&answer, "Enables", 2), 0);
	assert_int_equal(pack_get_int64_at(&answer, "PatchbayAccepted", 0), 7);
	assert_int_equal(pack_get_int(&answer, "NumItem"), 3);
	assert_int_equal(pack_count(&answer, "error", PACK_INT), 0);
}

static void an_empty_list_has_no_columns(void **)
{
	fake_hub("a");
	begin("EnumSession");
	pack_add_str(&w, "HubName", "a");
	assert_int_equal(call(), 0);
	assert_str("HubName", 0, "a");
	assert_int_equal(pack_get_int(&answer, "NumItem"), 0);
	assert_int_equal(answer.count, 2);
}

static void addresses_are_four_elements(void **)
{
	struct directory_hub *hub = fake_hub("a");
	struct pack_ip ip;

	fake_session(hub, "SID-U-1", "u");
	begin("EnumSession");
	pack_add_str(&w, "HubName", "a");
	assert_int_equal(call(), 0);
	assert_int_equal(pack_get_ip_at(&answer, "ClientIP", 0, &ip), 0);
	assert_false(ip.is_ipv6);
	assert_memory_equal(ip.addr, "\xc0\0\2\1", 4);
	assert_int_equal(pack_get_int(&answer, "ClientIP"), 0x010200c0);
	assert_int_equal(pack_get_data(&answer, "ClientIP@ipv6_array").len, 16);
	assert_int_equal(pack_count(&answer, "ClientIP@ipv6_scope_id", PACK_INT), 1);

	fake_connection(NULL);
	begin("EnumConnection");
	assert_int_equal(call(), 0);
	assert_int_equal(pack_get_ip_at(&answer, "Ip", 0, &ip), 0);
	assert_true(ip.is_ipv6);
	assert_int_equal(ip.addr[0], 0xfd);
	assert_int_equal(ip.addr[15], 1);
}

static void traffic_is_eight_elements(void **)
{
	struct directory_hub *hub = fake_hub("a");

	fake_hub("b");
	hub->hub->stats.in.unicast_bytes = 1234567890123;
	hub->hub->stats.out.broadcast_frames = 7;
	begin("EnumHub");
	assert_int_equal(call(), 0);
	assert_int_equal(pack_count(&answer, "Ex.Recv.UnicastBytes", PACK_INT64), 2);
	assert_int_equal(pack_get_int64_at(&answer, "Ex.Recv.UnicastBytes", 0), 1234567890123);
	assert_int_equal(pack_get_int64_at(&answer, "Ex.Send.BroadcastCount", 0), 7);
	assert_int_equal(pack_get_int64_at(&answer, "Ex.Send.BroadcastCount", 1), 0);
	begin("GetHubStatus");
	pack_add_str(&w, "HubName", "a");
	assert_int_equal(call(), 0);
	assert_int_equal(pack_get_int64(&answer, "Recv.UnicastBytes"), 1234567890123);
}

static void text_is_utf8_byte_for_byte(void **)
{
	struct directory_hub *hub = fake_hub("a");

	fake_session(hub, "SID-利用者-1", "利用者");
	fake_session(hub, "SID-X-2", "bad\xff!");
	begin("EnumSession");
	pack_add_str(&w, "HubName", "a");
	assert_int_equal(call(), 0);
	assert_str("Name", 0, "SID-利用者-1");
	assert_str("Username", 0, "利用者");
	assert_str("Username", 1, "bad\xef\xbf\xbd!");
}

/* Every method's names fit what a PACK may have, once made into elements. */
static void element_names_are_unique_and_short(void **)
{
	const struct admin_method *const *methods;
	unsigned cnt;

	methods = admin_methods(&cnt);
	for (unsigned i = 0; i < cnt; i++) {
		for (const struct admin_field *f = methods[i]->response; f->name != NULL; f++) {
			for (const struct admin_field *r = f->rows; r != NULL && r->name != NULL;
				r++)
				assert_true(strlen(r->name) + sizeof("@ipv6_scope_id") <=
						PACK_NAME_MAX ||
					r->type != ADMIN_TYPE_IP);
			assert_true(strlen(f->name) <= PACK_NAME_MAX);
		}
	}
}

/* ---- long lists ------------------------------------------------------------------------------ */

static uint32_t mac_list(struct pack_rpc *r, unsigned steps_max, int *rc)
{
	unsigned n = 0;

	while ((*rc == ADMIN_MORE || *rc == ADMIN_WAIT) && n < steps_max) {
		*rc = pack_rpc_step(r, 64, buf);
		n++;
	}
	return n;
}

static void mac_request(void)
{
	begin("EnumMacTable");
	pack_add_str(&w, "HubName", "a");
}

/* The protocol's arrays have an end; what does not fit is left out and said. */
static void a_list_longer_than_an_array_is_cut(void **)
{
	struct directory_hub *hub = fake_hub("a");
	int rc;

	hub->hub->mac_cnt = PACK_VALUES_MAX + 1000;
	mac_request();
	rc = start(&rpc, &server);
	mac_list(&rpc, UINT32_MAX, &rc);
	assert_int_equal(rc, ADMIN_DONE);
	parse_answer();
	pack_rpc_end(&rpc);
	assert_int_equal(pack_get_int(&answer, "NumItem"), PACK_VALUES_MAX);
	assert_int_equal(pack_count(&answer, "MacAddress", PACK_DATA), PACK_VALUES_MAX);
	assert_non_null(strstr(fakes.log_line, "1000 rows"));
}

/* Only so many may hold a long answer at a time; the others wait, and get theirs afterwards. */
static void long_answers_wait_for_each_other(void **)
{
	static struct pack_rpc callers[PACK_RPC_BIG_MAX + 1];
	struct pack_rpc *late = &callers[PACK_RPC_BIG_MAX];
	struct directory_hub *hub = fake_hub("a");
	int rcs[PACK_RPC_BIG_MAX + 1];

	hub->hub->mac_cnt = 20000;
	for (unsigned i = 0; i <= PACK_RPC_BIG_MAX; i++) {
		mac_request();
		rcs[i] = start(&callers[i], &server);
		/* As far as holding more than a small answer, but not to the end. */
		mac_list(&callers[i], 200, &rcs[i]);
		assert_int_equal(rcs[i], i < PACK_RPC_BIG_MAX ? ADMIN_MORE : ADMIN_WAIT);
	}
	assert_true(late->out.held < PACK_RPC_SMALL + 65536);
	mac_list(&callers[0], UINT32_MAX, &rcs[0]);
	assert_int_equal(rcs[0], ADMIN_DONE);
	/* Made, but not taken by its caller yet: the place is still its own. */
	mac_list(late, 1, &rcs[PACK_RPC_BIG_MAX]);
	assert_int_equal(rcs[PACK_RPC_BIG_MAX], ADMIN_WAIT);
	parse_answer();
	pack_rpc_sent(&callers[0]);
	mac_list(late, UINT32_MAX, &rcs[PACK_RPC_BIG_MAX]);
	assert_int_equal(rcs[PACK_RPC_BIG_MAX], ADMIN_DONE);
	parse_answer();
	assert_int_equal(pack_get_int(&answer, "NumItem"), 20000);
	/* A caller that leaves half way gives its place back too. */
	for (unsigned i = 0; i <= PACK_RPC_BIG_MAX; i++)
		pack_rpc_end(&callers[i]);
	mac_request();
	assert_int_equal(call(), 0);
}

/* ---- methods of tools ------------------------------------------------------------------------ */

static void listeners_change(void **)
{
	fakes.change_waits = 3;
	begin("CreateListener");
	pack_add_int(&w, "Port", 5555);
	pack_add_bool(&w, "Enable", true);
	assert_int_equal(call(), 0);
	assert_int_equal(fakes.listener_action, SERVER_LISTENER_ADD);
	assert_int_equal(fakes.listener_port, 5555);
	assert_true(fakes.listener_enabled);
	assert_int_equal(fakes.changes_forgotten, 1);
	begin("CreateListener");
	pack_add_int(&w, "Port", 443);
	assert_int_equal(call(), 54);
	begin("EnableListener");
	pack_add_int(&w, "Port", 992);
	pack_add_bool(&w, "Enable", false);
	fakes.change_waits = 0;
	assert_int_equal(call(), 0);
	assert_false(fakes.listener_enabled);
	begin("DeleteListener");
	pack_add_int(&w, "Port", 444);
	assert_int_equal(call(), 53);
	for (uint32_t port = 0; port <= 65536; port += 65536) {
		begin("CreateListener");
		pack_add_int(&w, "Port", port);
		assert_int_equal(call(), 38);
	}
	/* The disk refuses. */
	fakes.change_error = -ENOSPC;
	fakes.change_waits = 0;
	begin("DeleteListener");
	pack_add_int(&w, "Port", 443);
	assert_int_equal(call(), 23);
	begin("DeleteListener");
	pack_add_int(&w, "Port", 443);
	assert_int_equal(call_as(&of_hub_a), 52);
}

static void the_password(void **)
{
	static const struct admin_caller far = {.server = true, .remote = true, .via = "test"};
	static const uint8_t empty[20];

	begin("SetServerPassword");
	pack_add_data(&w, "HashedPassword", "12345678901234567890", 20);
	pack_add_str(&w, "PlainTextPassword", "");
	assert_int_equal(call_as(&far), 0);
	assert_memory_equal(fakes.admin.hash, "12345678901234567890", 20);
	assert_int_equal(answer.count, 0);
	begin("SetServerPassword");
	pack_add_data(&w, "HashedPassword", empty, 20);
	fakes.change_waits = 0;
	assert_int_equal(call_as(&far), 38);
	assert_true(fakes.admin.set);
	begin("SetServerPassword");
	pack_add_str(&w, "PlainTextPassword", "clear");
	fakes.change_waits = 0;
	assert_int_equal(call_as(&far), 0);
	assert_string_equal(fakes.admin.hash, "clear");
	begin("SetServerPassword");
	assert_int_equal(call(), 38);
	begin("SetServerPassword");
	pack_add_data(&w, "HashedPassword", "short", 5);
	assert_int_equal(call(), 38);
	begin("SetServerPassword");
	pack_add_str(&w, "PlainTextPassword", "x");
	assert_int_equal(call_as(&of_hub_a), 52);
	/* From here it may be taken away. */
	begin("SetServerPassword");
	pack_add_data(&w, "HashedPassword", empty, 20);
	fakes.change_waits = 0;
	assert_int_equal(call(), 0);
	assert_false(fakes.admin.set);
}

static void caps_are_elements_and_a_list(void **)
{
	begin("GetCaps");
	assert_int_equal(call_as(&of_hub_a), 0);
	assert_int_equal(pack_get_int(&answer, "caps_b_local_bridge"), 1);
	assert_int_equal(pack_get_int(&answer, "caps_i_max_sessions"), 4096);
	assert_int_equal(pack_count(&answer, "CapsName", PACK_STR),
		pack_count(&answer, "CapsValue", PACK_INT));
}

static void test_sends_back(void **)
{
	begin("Test");
	pack_add_int(&w, "IntValue", 4000000000u);
	pack_add_int64(&w, "Int64Value", INT64_MAX);
	pack_add_str(&w, "StrValue", "x");
	pack_add_unistr(&w, "UniStrValue", "日本語");
	assert_int_equal(call(), 0);
	assert_int_equal(pack_get_int(&answer, "IntValue"), 4000000000u);
	assert_int_equal(pack_get_int64(&answer, "Int64Value"), INT64_MAX);
	assert_str("StrValue", 0, "4000000000");
	assert_int_equal(pack_get_unistr(&answer, "UniStrValue").len, 9);
	assert_memory_equal(pack_get_unistr(&answer, "UniStrValue").data, "日本語", 9);
}

static void changes_are_logged(void **)
{
	struct directory_hub *hub = fake_hub("a");

	hub->hub->mac_cnt = 1;
	begin("DeleteMacTable");
	pack_add_str(&w, "HubName", "a");
	pack_add_data(&w, "PatchbayMacAddress", "\x02\0\0\0\0\0", 6);
	assert_int_equal(call(), 0);
	assert_non_null(strstr(fakes.log_line, "test: DeleteMacTable hub \"a\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unknown_methods_are_33, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_pack_is_not_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(roles, setup, teardown),
		cmocka_unit_test_setup_teardown(arguments_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(
			empty_is_absent_where_it_must_not_be_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_are_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_list_has_no_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_are_four_elements, setup, teardown),
		cmocka_unit_test_setup_teardown(traffic_is_eight_elements, setup, teardown),
		cmocka_unit_test_setup_teardown(text_is_utf8_byte_for_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(
			element_names_are_unique_and_short, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_list_longer_than_an_array_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(long_answers_wait_for_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(listeners_change, setup, teardown),
		cmocka_unit_test_setup_teardown(the_password, setup, teardown),
		cmocka_unit_test_setup_teardown(caps_are_elements_and_a_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sends_back, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_logged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
