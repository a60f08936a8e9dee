/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls from a line of JSON to a line of JSON: envelope, arguments, every method's answer, slices. */

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

#include "controlplane/admin/base64.h"
#include "controlplane/admin/rpc.h"
#include "controlplane/listener.h"
#include "test/unit/admin_fakes.h"
#include "test/unit/certificates.h"

static const struct admin_caller server = {.server = true, .via = "test"};
static const struct admin_caller of_hub_a = {.hub_name = "a", .via = "test"};

static struct rpc rpc;
static struct evbuffer *buf;

/* Runs a line to its end with small slices; the answer, parsed. `after_step` may change the world. */
static json_t *call_as(const struct admin_caller *who, const char *line, void (*after_step)(int n))
{
	int rc = rpc_begin(&rpc, line, strlen(line), who, buf);
	json_t *answer;
	char *text;
	size_t len;

	for (int n = 0; rc != ADMIN_DONE; n++) {
		assert_true(n < 100000);
		if (rc == ADMIN_WAIT)
			fakes.clock_ms += 10;
		rc = rpc_step(&rpc, 3, SIZE_MAX);
		if (after_step != NULL)
			after_step(n);
	}
	text = evbuffer_readln(buf, &len, EVBUFFER_EOL_LF);
	assert_non_null(text);
	assert_int_equal(evbuffer_get_length(buf), 0);
	answer = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(answer);
	free(text);
	return answer;
}

static json_t *call(const char *method, const char *params)
{
	char line[512];

	snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
	return call_as(&server, line, NULL);
}

static json_t *result(json_t *answer)
{
	json_t *r = json_object_get(answer, "result");

	assert_non_null(r);
	assert_null(json_object_get(answer, "error"));
	return r;
}

static void assert_error(json_t *answer, int code, const char *field, const char *word)
{
	json_t *error = json_object_get(answer, "error");

	assert_null(json_object_get(answer, "result"));
	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	assert_non_null(strstr(json_string_value(json_object_get(error, "message")), word));
	if (field == NULL)
		assert_null(json_object_get(error, "data"));
	else
		assert_string_equal(
			json_string_value(json_object_get(json_object_get(error, "data"), "field")),
			field);
	json_decref(answer);
}

static const char *str(json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	assert_non_null(s);
	return s;
}

static json_int_t num(json_t *o, const char *name)
{
	assert_true(json_is_integer(json_object_get(o, name)));
	return json_integer_value(json_object_get(o, name));
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
	admin_fakes_free();
	return 0;
}

static void envelope_errors(void **)
{
	assert_error(call_as(&server, "garbage", NULL), -32700, NULL, "not JSON");
	assert_error(call_as(&server, "{\"a\":1,\"a\":2}", NULL), -32700, NULL, "not JSON");
	assert_error(call_as(&server, "[]", NULL), -32600, NULL, "batch");
	assert_error(call_as(&server, "{}", NULL), -32600, NULL, "id");
	assert_error(call_as(&server, "{\"jsonrpc\":\"2.0\",\"method\":\"EnumHub\"}", NULL), -32600,
		NULL, "id");
	assert_error(
		call_as(&server, "{\"id\":[],\"jsonrpc\":\"2.0\",\"method\":\"EnumHub\"}", NULL),
		-32600, NULL, "id");
	assert_error(call_as(&server, "{\"id\":1,\"method\":\"EnumHub\"}", NULL), -32600, NULL,
		"jsonrpc");
	assert_error(call_as(&server, "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":3}", NULL), -32600,
		NULL, "method");
	assert_error(call("EnumHub", "[]"), -32602, NULL, "object");
	assert_error(call("NoSuch", "{}"), 33, NULL, "no such method");
}

static void ids_are_echoed(void **)
{
	json_t *a;

	a = call_as(
		&server, "{\"jsonrpc\":\"2.0\",\"id\":\"x\\\"y\",\"method\":\"EnumHub\"}", NULL);
	assert_string_equal(str(a, "id"), "x\"y");
	json_decref(a);
	a = call_as(&server, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"EnumHub\"}", NULL);
	assert_true(json_is_null(json_object_get(a, "id")));
	result(a);
	json_decref(a);
	a = call_as(&server, "{\"jsonrpc\":\"2.0\",\"id\":-7,\"method\":\"enumhub\"}", NULL);
	assert_int_equal(num(a, "id"), -7);
	assert_string_equal(str(a, "jsonrpc"), "2.0");
	json_decref(a);
}

static void arguments_are_judged_by_the_table(void **)
{
	fake_hub("a");
	assert_error(call("EnumSession", "{}"), 38, "HubName_str", "missing");
	assert_error(call("EnumSession", "{\"HubName_str\":7}"), 38, "HubName_str", "string");
	assert_error(call("EnumSession", "{\"HubName_str\":\"\"}"), 38, "HubName_str", "empty");
	assert_error(
		call("EnumSession", "{\"HubName_str\":\"a\",\"Hub\":1}"), 38, "Hub", "no such");
	assert_error(call("EnumSession", "{\"HubName_str\":\"nope\"}"), 8, NULL, "nope");
	assert_error(call("DeleteMacTable", "{\"HubName_str\":\"a\",\"Key_u32\":0}"), 38, "Key_u32",
		"1 to 4294967295");
	assert_error(call("DeleteMacTable", "{\"HubName_str\":\"a\",\"Key_u32\":4294967296}"), 38,
		"Key_u32", "1 to");
	assert_error(call("DeleteMacTable", "{\"HubName_str\":\"a\",\"Key_u32\":-1}"), 38,
		"Key_u32", "negative");
	assert_error(call("DeleteMacTable", "{\"HubName_str\":\"a\",\"Key_u32\":1.5}"), 38,
		"Key_u32", "whole");
	assert_error(call("DeleteMacTable",
			     "{\"HubName_str\":\"a\",\"PatchbayMacAddress_bin\":\"AAAA\"}"),
		38, "PatchbayMacAddress_bin", "6 to 6");
	assert_error(
		call("DeleteMacTable", "{\"HubName_str\":\"a\",\"PatchbayMacAddress_bin\":\"A\"}"),
		38, "PatchbayMacAddress_bin", "Base64");
	assert_error(call("DeleteMacTable",
			     "{\"HubName_str\":\"a\",\"PatchbayMacAddress_bin\":\"AgAAAAAB\","
			     "\"PatchbayVlanId_u32\":4095}"),
		38, "PatchbayVlanId_u32", "0 to 4094");
	assert_error(call("DeleteMacTable", "{\"HubName_str\":\"a\"}"), 38, NULL, "give Key");
	assert_error(
		call("PatchbayGetStats", "{\"Sessions_bool\":1}"), 38, "Sessions_bool", "true");
}

static void hub_administrators_stay_in_their_hub(void **)
{
	json_t *a;

	fake_hub("a");
	fake_hub("b");
	a = call_as(&of_hub_a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"EnumHub\"}", NULL);
	assert_int_equal(json_array_size(json_object_get(result(a), "HubList")), 1);
	json_decref(a);
	a = call_as(&of_hub_a,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"GetHubStatus\",\"params\":{\"HubName_str\":"
		"\"A\"}}",
		NULL);
	result(a);
	json_decref(a);
	assert_error(
		call_as(&of_hub_a,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"GetHubStatus\",\"params\":{"
			"\"HubName_str\":\"b\"}}",
			NULL),
		52, NULL, "not yours");
	/* A hub that does not exist and one that is another's look the same. */
	assert_error(
		call_as(&of_hub_a,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"GetHubStatus\",\"params\":{"
			"\"HubName_str\":\"zz\"}}",
			NULL),
		52, NULL, "not yours");
	assert_error(call_as(&of_hub_a,
			     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"EnumConnection\"}", NULL),
		52, NULL, "administrator of the server");
}

/* One revocation with everything filled, key 1; one authority, key 2. */
static void fake_trust(struct directory_hub *hub)
{
	struct directory_crl crl = {
		.names = {"cn", "o", "ou", "c", "st", "l"},
		.serial = {7},
		.serial_bytes = 1,
		.has_md5 = true,
		.has_sha1 = true,
	};
	struct certificate ca;

	certificate_make(&ca, &(struct certificate_wish){.common_name = "CA", .ca = true});
	hub->trust = directory_trust_copy(NULL);
	assert_int_equal(directory_trust_add_crl(hub->trust, &crl), 0);
	assert_int_equal(directory_trust_add_ca(hub->trust, ca.der, ca.size), 0);
	certificate_free(&ca);
}

/* Whatever the table promises is put: completeness is asserted inside, so every method runs once. */
static void every_method_answers(void **)
{
	struct directory_hub *hub = fake_hub("a");
	struct vpn_session *vs = fake_session(hub, "SID-U-1", "u");
	unsigned cnt;
	const struct admin_method *const *m = admin_methods(&cnt);
	unsigned answered = 0;
	struct directory_user *user;
	struct directory_group *group;

	/* One name for all that is asked for by name. */
	assert_int_equal(directory_user_create(hub, "SID-U-1", &user), 0);
	assert_int_equal(directory_group_create(hub, "SID-U-1", &group), 0);
	user->use_policy = group->use_policy = true;
	fake_connection(vs);
	fake_connection(NULL);
	hub->hub->mac_cnt = 10;
	fake_trust(hub);
	for (unsigned i = 0; i < cnt; i++) {
		json_t *a;

		if (m[i]->effect != ADMIN_EFFECT_NONE)
			continue;
		if (strcmp(m[i]->name, "ReadLogFile") == 0) {
			/* There are no logs here. */
			assert_error(call(m[i]->name, "{\"FilePath_str\":\"server_log/vpn.log\"}"),
				29, NULL, "No such file");
			assert_error(call(m[i]->name, "{\"FilePath_str\":\"../../etc/passwd\"}"),
				29, NULL, "no log file");
			continue;
		}
		if (strcmp(m[i]->name, "GetCrl") == 0 || strcmp(m[i]->name, "GetCa") == 0)
			a = call(m[i]->name,
				strcmp(m[i]->name, "GetCrl") == 0
					? "{\"HubName_str\":\"a\",\"Key_u32\":1}"
					: "{\"HubName_str\":\"a\",\"Key_u32\":2}");
		else if (m[i]->role == ADMIN_ROLE_HUB)
			a = call(m[i]->name,
				admin_field_find(m[i]->request, "Name") != NULL
					? "{\"HubName_str\":\"a\",\"Name_str\":\"SID-U-1\"}"
					: "{\"HubName_str\":\"a\"}");
		else if (strcmp(m[i]->name, "GetConnectionInfo") == 0)
			a = call(m[i]->name, "{\"Name_str\":\"CID-1\"}");
		else
			a = call(m[i]->name, "{}");
		result(a);
		json_decref(a);
		answered++;
	}
	assert_true(answered >= 15);
}

static void values_in_json(void **)
{
	struct directory_hub *hub = fake_hub("a");
	struct vpn_session *vs =
		fake_session(hub, "SID-U-1", "\xff\"\\\x01\xe3\x81\x82\xed\xa0\x80");
	json_t *a;
	json_t *row;
	unsigned i;

	vs->session->counters.port.in.unicast_frames = 3;
	vs->session->counters.port.in.unicast_bytes = 300;
	vs->session->counters.port.out.broadcast_frames = 4;
	vs->session->counters.queued_frames = 5;
	vs->session->counters.last_rx_ms = fakes.clock_ms - 2500;
	for (i = 0; i < 16; i++)
		vs->unique_id[i] = (uint8_t)(i * 16);
	a = call("EnumSession", "{\"HubName_str\":\"a\"}");
	assert_string_equal(str(result(a), "HubName_str"), "a");
	row = json_array_get(json_object_get(result(a), "SessionList"), 0);
	assert_string_equal(str(row, "Name_str"), "SID-U-1");
	/* Bytes that are not UTF-8, a surrogate among them, are replaced one by one. */
	assert_string_equal(str(row, "Username_str"),
		"\xef\xbf\xbd\"\\\x01\xe3\x81\x82\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(str(row, "ClientIP_ip"), "192.0.2.1");
	assert_string_equal(str(row, "UniqueId_bin"), "ABAgMEBQYHCAkKCwwNDg8A==");
	assert_string_equal(str(row, "CreatedTime_dt"), "2023-11-14T22:13:20.000Z");
	assert_string_equal(str(row, "LastCommTime_dt"), "2023-11-14T22:14:57.500Z");
	assert_int_equal(num(row, "PacketNum_u64"), 7);
	assert_int_equal(num(row, "PatchbayQueuedFrames_u64"), 5);
	json_decref(a);

	/* hub.md 10: a session is seen from its client. */
	a = call("GetSessionStatus", "{\"HubName_str\":\"a\",\"Name_str\":\"sid-u-1\"}");
	assert_int_equal(num(result(a), "Send.UnicastCount_u64"), 3);
	assert_int_equal(num(result(a), "Recv.BroadcastCount_u64"), 4);
	assert_null(json_object_get(result(a), "SessionKey_bin"));
	json_decref(a);

	fake_connection(vs);
	a = call("EnumConnection", "{}");
	row = json_array_get(json_object_get(result(a), "ConnectionList"), 0);
	assert_string_equal(str(row, "Ip_ip"), "fd00::1");
	assert_int_equal(num(row, "Port_u32"), 50000);
	assert_string_equal(str(row, "PatchbayState_str"), "established");
	assert_string_equal(str(row, "PatchbaySessionName_str"), "SID-U-1");
	json_decref(a);

	a = call("EnumListener", "{}");
	row = json_array_get(json_object_get(result(a), "ListenerList"), 1);
	assert_true(json_is_true(json_object_get(row, "Errors_bool")));
	assert_string_equal(str(row, "PatchbayError_str"), strerror(EADDRINUSE));
	row = json_array_get(json_object_get(result(a), "ListenerList"), 2);
	assert_true(json_is_false(json_object_get(row, "Errors_bool")));
	json_decref(a);

	listener_counters.login_failed = 42;
	a = call("PatchbayGetListenerCounters", "{}");
	for (i = 0;; i++) {
		row = json_array_get(json_object_get(result(a), "CounterList"), i);
		assert_non_null(row);
		if (strcmp(str(row, "Name_str"), "login_failed") == 0)
			break;
	}
	assert_int_equal(num(row, "Value_u64"), 42);
	json_decref(a);
}

static void times_and_base64(void **)
{
	static const uint8_t bytes[] = {0, 255, 1, 254, 2};
	char text[BASE64_LEN(sizeof(bytes)) + 1];
	uint8_t back[9];
	int64_t ms;

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		base64_encode(bytes, n, text);
		assert_int_equal(strlen(text), BASE64_LEN(n));
		assert_int_equal(base64_decode(text, strlen(text), back), n);
		assert_memory_equal(back, bytes, n);
	}
	assert_int_equal(base64_decode("AA=A", 4, back), -1);
	assert_int_equal(base64_decode("A===", 4, back), -1);
	assert_int_equal(base64_decode("AB==", 4, back), -1); /* stray bits */
	assert_int_equal(base64_decode("AA==AAAA", 8, back), -1);
	assert_int_equal(base64_decode("AAA", 3, back), -1);
	assert_int_equal(base64_decode("AA-A", 4, back), -1);

	assert_true(json_time_parse("2023-11-14T22:14:57.500Z", &ms));
	assert_int_equal(ms, 1700000097500);
	assert_true(json_time_parse("2023-11-14T22:14:57", &ms));
	assert_int_equal(ms, 1700000097000);
	assert_false(json_time_parse("2023-11-14", &ms));
	assert_false(json_time_parse("2023-11-14T22:14:57+01:00", &ms));
	assert_false(json_time_parse("1969-11-14T22:14:57", &ms));
}

static struct vpn_session *victim;
static int victim_at;

static void remove_victim(int n)
{
	if (n == victim_at && victim != NULL) {
		fake_session_remove(victim);
		victim = NULL;
	}
}

static void sessions_that_go_while_they_are_listed(void **)
{
	struct directory_hub *hub = fake_hub("a");
	struct vpn_session *all[20];
	char name[32];

	/* Slices have three rows: the one that is next, one far ahead, one already told. */
	for (int round = 0; round < 3; round++) {
		static const int which[] = {3, 15, 1};
		json_t *a;

		for (int i = 0; i < 20; i++) {
			snprintf(name, sizeof(name), "SID-U-%d", i);
			all[i] = fake_session(hub, name, "u");
		}
		victim = all[which[round]];
		victim_at = 0;
		a = call_as(&server,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"EnumSession\",\"params\":{"
			"\"HubName_str\":\"a\"}}",
			remove_victim);
		assert_null(victim);
		assert_int_equal(json_array_size(json_object_get(result(a), "SessionList")),
			round == 2 ? 20 : 19);
		json_decref(a);
		for (int i = 0; i < 20; i++)
			if (i != which[round])
				fake_session_remove(all[i]);
	}
}

static void delete_session_answers_when_it_is_gone(void **)
{
	struct directory_hub *hub = fake_hub("a");
	json_t *a;

	victim = fake_session(hub, "SID-U-1", "u");
	victim_at = 5;
	a = call_as(&server,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"DeleteSession\",\"params\":{\"HubName_str\":"
		"\"a\",\"Name_str\":\"SID-U-1\"}}",
		remove_victim);
	assert_null(victim);
	assert_string_equal(str(result(a), "Name_str"), "SID-U-1");
	json_decref(a);
	assert_int_equal(fakes.session_deletes, 1);
	assert_int_equal(fakes.log_lines, 1);
	assert_non_null(strstr(fakes.log_line, "DeleteSession"));
	assert_error(call("DeleteSession", "{\"HubName_str\":\"a\",\"Name_str\":\"SID-U-1\"}"), 29,
		NULL, "SID-U-1");
	/* A worker that never ends it: the caller hears so instead of waiting for ever. */
	fake_session(hub, "SID-U-2", "u");
	assert_error(call("DeleteSession", "{\"HubName_str\":\"a\",\"Name_str\":\"SID-U-2\"}"), 23,
		NULL, "has not yet");
}

static void disconnect_connection_tries_again(void **)
{
	struct connection *c = fake_connection(NULL);
	char params[64];
	json_t *a;

	snprintf(params, sizeof(params), "{\"Name_str\":\"%s\"}", c->name);
	c->state = CONNECTION_CLOSING;
	a = call("DisconnectConnection", params);
	result(a);
	json_decref(a);
	fakes.connection_close_result = -EAGAIN;
	c->state = CONNECTION_ESTABLISHED;
	assert_error(call("DisconnectConnection", params), 23, NULL, "has not yet");
	assert_true(fakes.connection_closes > 100);
	fakes.connection_close_result = 0;
	assert_error(
		call("DisconnectConnection", "{\"Name_str\":\"CID-9999\"}"), 29, NULL, "CID-9999");
}

static void mac_entries_by_key_and_by_address(void **)
{
	struct directory_hub *hub = fake_hub("a");
	char params[96];
	json_t *a;
	json_t *row;

	fake_session(hub, "SID-U-1", "u")->session->port_idx = 1;
	hub->hub->mac_cnt = 500;
	a = call("EnumMacTable", "{\"HubName_str\":\"a\"}");
	assert_int_equal(json_array_size(json_object_get(result(a), "MacTable")), 500);
	row = json_array_get(json_object_get(result(a), "MacTable"), 499);
	assert_string_equal(str(row, "MacAddress_bin"), "AgAAAAHz");
	assert_string_equal(str(row, "SessionName_str"), "SID-U-1");
	/* Learned at 40 s, seen at 90 s of a clock that stands at 100 s. */
	assert_string_equal(str(row, "CreatedTime_dt"), "2023-11-14T22:14:00.000Z");
	assert_string_equal(str(row, "UpdatedTime_dt"), "2023-11-14T22:14:50.000Z");
	snprintf(params, sizeof(params), "{\"HubName_str\":\"a\",\"Key_u32\":%lld}",
		(long long)num(row, "Key_u32"));
	json_decref(a);
	a = call("DeleteMacTable", params);
	result(a);
	json_decref(a);
	assert_int_equal(hub->hub->deleted_mac, UINT64_C(0x0200000001f3));

	a = call("DeleteMacTable",
		"{\"HubName_str\":\"a\",\"PatchbayMacAddress_bin\":\"AgAAAAAH\",\"PatchbayVlanId_u32\":"
		"12}");
	result(a);
	json_decref(a);
	assert_int_equal(hub->hub->deleted_mac, UINT64_C(0x020000000007));
	assert_int_equal(hub->hub->deleted_vlan, 12);
	assert_error(call("DeleteMacTable",
			     "{\"HubName_str\":\"a\",\"PatchbayMacAddress_bin\":\"BgAAAAAH\"}"),
		29, NULL, "no such MAC");
}

static void books_at_every_level(void **)
{
	struct directory_hub *a_hub = fake_hub("a");
	struct directory_hub *b_hub = fake_hub("b");
	json_t *a;
	json_t *list;
	char name[32];

	fakes.lcore_cnt = 2;
	fakes.lcores[0].stats.in.unicast_frames = 10;
	fakes.lcores[1].stats.in.broadcast_frames = 5;
	fakes.lcores[1].stats.drop_out[STATS_DROP_OUT_RING_FULL] = 2;
	a_hub->hub->stats.switched = 9;
	for (int i = 0; i < 10; i++) {
		struct vpn_session *vs;

		snprintf(name, sizeof(name), "SID-U-%d", i);
		vs = fake_session(i < 7 ? a_hub : b_hub, name, "u");
		vs->worker = i % 2;
		vs->session->counters.queued_frames = 1;
		vs->session->counters.queued_bytes = 60;
	}
	a = call("PatchbayGetStats", "{\"Sessions_bool\":true}");
	list = json_object_get(result(a), "StatsList");
	assert_int_equal(json_array_size(list), 1 + 2 + 2 + 10);
	assert_string_equal(str(json_array_get(list, 0), "Level_str"), "total");
	assert_int_equal(num(json_array_get(list, 0), "In_u64"), 15);
	assert_int_equal(num(json_array_get(list, 0), "QueuedFrames_u64"), 10);
	assert_int_equal(num(json_array_get(list, 0), "DropOut.ring_full_u64"), 2);
	assert_string_equal(str(json_array_get(list, 2), "Name_str"), "1");
	assert_int_equal(num(json_array_get(list, 2), "QueuedFrames_u64"), 5);
	assert_int_equal(num(json_array_get(list, 2), "Recv.BroadcastCount_u64"), 5);
	assert_string_equal(str(json_array_get(list, 3), "Name_str"), "a");
	assert_int_equal(num(json_array_get(list, 3), "QueuedFrames_u64"), 7);
	assert_int_equal(num(json_array_get(list, 3), "Switched_u64"), 9);
	assert_int_equal(num(json_array_get(list, 4), "QueuedBytes_u64"), 180);
	assert_string_equal(str(json_array_get(list, 14), "HubName_str"), "b");
	json_decref(a);

	a = call("PatchbayGetStats", "{\"HubName_str\":\"b\",\"Sessions_bool\":true}");
	list = json_object_get(result(a), "StatsList");
	assert_int_equal(json_array_size(list), 1 + 3);
	assert_string_equal(str(json_array_get(list, 0), "Level_str"), "hub");
	json_decref(a);
	assert_error(call("PatchbayGetStats", "{\"HubName_str\":\"c\"}"), 8, NULL, "c");
}

static void move_frames(int)
{
	fakes.lcores[0].stats.switched++;
}

static void quiesce_waits_for_rest(void **)
{
	struct vpn_session *vs = fake_session(fake_hub("a"), "SID-U-1", "u");
	json_t *a = call("PatchbayQuiesce", "{}");

	assert_true(json_is_true(json_object_get(result(a), "Quiet_bool")));
	json_decref(a);
	vs->session->counters.queued_frames = 3;
	a = call("PatchbayQuiesce", "{\"TimeoutMs_u32\":50}");
	assert_true(json_is_false(json_object_get(result(a), "Quiet_bool")));
	assert_int_equal(num(result(a), "QueuedFrames_u64"), 3);
	json_decref(a);
	vs->session->counters.queued_frames = 0;
	fakes.quiet = false;
	a = call("PatchbayQuiesce", "{\"TimeoutMs_u32\":50}");
	assert_true(json_is_false(json_object_get(result(a), "Quiet_bool")));
	json_decref(a);
	/* Rings are empty at each look, but frames pass between them. */
	fakes.quiet = true;
	a = call_as(&server,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"PatchbayQuiesce\",\"params\":{\"TimeoutMs_"
		"u32\":100}}",
		move_frames);
	assert_true(json_is_false(json_object_get(result(a), "Quiet_bool")));
	json_decref(a);
}

static void the_table_tells_itself(void **)
{
	json_t *a = call("PatchbayEnumMethod", "{}");
	unsigned cnt;

	admin_methods(&cnt);
	assert_int_equal(json_array_size(json_object_get(result(a), "MethodList")), cnt);
	assert_int_equal(json_array_size(json_object_get(result(a), "FieldList")), 0);
	json_decref(a);
	a = call("PatchbayEnumMethod", "{\"Name_str\":\"deletemactable\"}");
	assert_int_equal(json_array_size(json_object_get(result(a), "MethodList")), 1);
	assert_int_equal(json_array_size(json_object_get(result(a), "FieldList")), 6);
	json_decref(a);
	assert_error(call("PatchbayEnumMethod", "{\"Name_str\":\"x\"}"), 29, NULL, "x");
}

/* A caller that leaves half way: nothing is lost (the sanitizer build sees to that). */
static void calls_can_be_broken_off(void **)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"PatchbayGetStats\"}";
	struct directory_hub *hub = fake_hub("a");
	char name[32];

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "SID-U-%d", i);
		fake_session(hub, name, "u");
	}
	assert_int_equal(rpc_begin(&rpc, line, strlen(line), &server, buf), ADMIN_MORE);
	assert_int_equal(rpc_step(&rpc, 1, SIZE_MAX), ADMIN_MORE);
	rpc_end(&rpc);
	rpc_end(&rpc);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(envelope_errors),
		T(ids_are_echoed),
		T(arguments_are_judged_by_the_table),
		T(hub_administrators_stay_in_their_hub),
		T(every_method_answers),
		T(values_in_json),
		T(times_and_base64),
		T(sessions_that_go_while_they_are_listed),
		T(delete_session_answers_when_it_is_gone),
		T(disconnect_connection_tries_again),
		T(mac_entries_by_key_and_by_address),
		T(books_at_every_level),
		T(quiesce_waits_for_rest),
		T(the_table_tells_itself),
		T(calls_can_be_broken_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
