/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Users, groups, hubs, options and sources through the administration, as its caller sees them: with the real
 * directory, and a disk that answers as the test says.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <jansson.h>

#include "controlplane/admin/admin.h"
#include "controlplane/admin/base64.h"
#include "controlplane/admin/rpc.h"
#include "controlplane/directory_change.h"
#include "controlplane/store.h"
#include "drivers/session/wire/sha0.h"
#include "test/unit/admin_fakes.h"

static json_t *answer; /* of the last call */

/* Calls `method` with params (without the braces); the error's code, 0 = it went well. */
static json_int_t call_as(const struct admin_caller *caller, const char *method, const char *params)
{
	struct evbuffer *buf = evbuffer_new();
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	char line[8192];
	char *text;
	int rc, n;

	n = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s}}", method, params);
	rc = rpc_begin(rpc, line, (size_t)n, caller, buf);
	for (unsigned i = 0; rc != ADMIN_DONE && i < 1000; i++)
		rc = rpc_step(rpc, 1000, 1 << 20);
	assert_int_equal(rc, ADMIN_DONE);
	evbuffer_add(buf, "", 1);
	text = (char *)evbuffer_pullup(buf, -1);
	json_decref(answer);
	answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	evbuffer_free(buf);
	free(rpc);
	return json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static json_int_t call(const char *method, const char *params)
{
	static const struct admin_caller root = {.server = true, .via = "test"};

	return call_as(&root, method, params);
}

static json_t *result(const char *name)
{
	return json_object_get(json_object_get(answer, "result"), name);
}

static const char *message(void)
{
	const char *s =
		json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

	return s == NULL ? "" : s;
}

static int setup(void **)
{
	admin_fakes_reset();
	fake_hub("H");
	return 0;
}

static int teardown(void **)
{
	json_decref(answer);
	answer = NULL;
	admin_fakes_free();
	return 0;
}

static void user_lives(void **)
{
	struct directory_hub *hub = directory_hub_find("H");
	struct directory_user *user;
	uint8_t hash[SHA0_BYTES];
	char *text;
	char *params;

	assert_int_equal(
		call("CreateUser",
			"\"HubName_str\":\"h\",\"Name_str\":\"bob\",\"AuthType_u32\":1,"
			"\"Auth_Password_str\":\"pw\",\"Realname_utf\":\"B\","
			"\"ExpireTime_dt\":\"2030-01-01T00:00:00Z\",\"UsePolicy_bool\":true,"
			"\"policy:MaxMac_u32\":9,\"policy:Access_bool\":false"),
		0);
	assert_int_equal(fakes.saves, 1);
	user = directory_user_find(hub, "BOB");
	sha0_password_hash("pw", "bob", hash);
	assert_memory_equal(user->hashed_password, hash, sizeof(hash));
	assert_true(user->use_policy);
	assert_int_equal(user->policy.max_mac, 9);
	assert_int_equal(user->policy.access, 0);
	assert_int_equal(user->policy.timeout_s, 20); /* not given: the default */
	assert_int_equal(user->expires_ms, 1893456000000);
	assert_int_equal(call("CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"BOB\""), 66);

	/* What is answered may be sent back, and says nothing of the password. */
	assert_int_equal(call("GetUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\""), 0);
	assert_string_equal(
		json_string_value(result("HashedKey_bin")), "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	text = json_dumps(json_object_get(answer, "result"), JSON_COMPACT);
	params = text + 1;
	params[strlen(params) - 1] = '\0';
	assert_int_equal(call("SetUser", params), 0);
	free(text);
	user = directory_user_find(hub, "bob");
	assert_memory_equal(user->hashed_password, hash, sizeof(hash));
	assert_int_equal(user->policy.max_mac, 9);
	assert_string_equal(user->real_name, "B");

	/* The whole record is replaced. */
	assert_int_equal(
		call("SetUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\",\"AuthType_u32\":1"),
		0);
	user = directory_user_find(hub, "bob");
	assert_false(user->use_policy);
	assert_string_equal(user->real_name, "");
	assert_int_equal(user->expires_ms, 0);
	assert_memory_equal(user->hashed_password, hash, sizeof(hash));
	assert_int_equal(call("EnumUser", "\"HubName_str\":\"H\""), 0);
	assert_int_equal(json_array_size(result("UserList")), 1);
	assert_int_equal(call("DeleteUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\""), 0);
	assert_null(directory_user_find(hub, "bob"));
	assert_int_equal(call("DeleteUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\""), 29);
}

/* Each is refused with its code, names what is wrong, and changes nothing. */
static void what_is_refused(void **)
{
	static const struct {
		const char *method, *params;
		json_int_t code;
		const char *says;
	} rows[] = {
		{"CreateUser", "\"Name_str\":\"administrator\"", 38, "Name_str: is reserved"},
		{"CreateUser", "\"Name_str\":\"*\"", 38, "Name_str"},
		{"CreateUser", "\"Name_str\":\"u\",\"AuthType_u32\":1", 38,
			"Auth_Password_str: is missing"},
		{"CreateUser", "\"Name_str\":\"u\",\"AuthType_u32\":5", 7, "type 5"},
		{"CreateUser", "\"Name_str\":\"u\",\"AuthType_u32\":2", 38, "UserX"},
		{"CreateUser", "\"Name_str\":\"*\",\"AuthType_u32\":3", 38, "Name"},
		{"AddCa", "\"Cert_bin\":\"MIIB\"", 38, "Cert"},
		{"AddCrl", "\"CommonName_utf\":\"\"", 38, "revoke everything"},
		{"DelCrl", "\"Key_u32\":1", 29, "no revocation 1"},
		{"DeleteCa", "\"Key_u32\":1", 29, "no authority 1"},
		{"SetHubRadius", "\"RadiusServerName_str\":\"a\"", 38, "RadiusSecret"},
		{"SetHubRadius",
			"\"RadiusServerName_str\":\"a b c d e f g h i\",\"RadiusSecret_str\":\"s\"",
			38, "at most 8"},
		{"CreateUser", "\"Name_str\":\"u\",\"GroupName_str\":\"none\"", 65,
			"no group none"},
		{"CreateUser", "\"Name_str\":\"u\",\"policy:MaxConnection_u32\":33", 38,
			"policy:MaxConnection_u32: must be 1 to 32"},
		{"CreateUser", "\"Name_str\":\"u\",\"policy:TimeOut_u32\":0", 38,
			"policy:TimeOut_u32: must be 5 to 60"},
		{"CreateUser", "\"Name_str\":\"u\",\"policy:MaxMac_u32\":65536", 38,
			"policy:MaxMac_u32: must be 0 to 65535"},
		{"CreateUser", "\"Name_str\":\"u\",\"policy:Nonsense_u32\":1", 38,
			"policy:Nonsense_u32"},
		{"SetUser", "\"Name_str\":\"u\"", 29, "no user u"},
		{"CreateGroup", "\"Name_str\":\"\"", 38, "Name_str"},
		{"SetGroup", "\"Name_str\":\"g\"", 29, "no group g"},
		{"SetHub", "\"MaxSession_u32\":100001", 38, "MaxSession_u32: must be 0 to 100000"},
		{"SetHub", "\"HubType_u32\":1", 33, ""},
		{"SetHubExtOptions",
			"\"AdminOptionList\":[{\"Name_str\":\"NoSuch\",\"Value_u32\":1}]", 38,
			"NoSuch: there is no such option"},
		{"SetHubExtOptions",
			"\"AdminOptionList\":[{\"Name_str\":\"vlantypeid\",\"Value_u32\":5}]", 38,
			"VlanTypeId: is 5, must be 1536 to 65535"},
		{"SetHubExtOptions", "\"AdminOptionList\":[{\"Name_str\":\"FilterIPv4\"}]", 38,
			"AdminOptionList[0].Value: is missing"},
		{"SetHubExtOptions",
			"\"AdminOptionList\":[{\"Name_str\":\"FilterIPv4\",\"Value_u32\":1,\"x\":1}]",
			38, "AdminOptionList[0].x: a record has no such field"},
		{"SetHubExtOptions", "\"AdminOptionList\":{}", 38, "must be a list"},
		{"SetHubExtOptions", "\"AdminOptionList\":[1]", 38, "must be a list of objects"},
		{"PatchbayReplaceAccess", "\"Rules_str\":\"{ priority = x; }\"", 38,
			"Rules_str: rules:1: syntax error"},
		{"PatchbayReplaceAccess", "\"Rules_str\":\"{ prio = 1; }\"", 38, "unknown key"},
		{"SetAcList", "\"ACList\":[{\"IpAddress_ip\":\"10.0.0\"}]", 38,
			"ACList[0].IpAddress"},
		{"SetAcList",
			"\"ACList\":[{\"IpAddress_ip\":\"10.0.0.0\",\"Masked_bool\":true,\"SubnetMask_ip\":\"ff00::\"}]",
			38, "not of one family"},
	};
	struct directory_hub *hub = directory_hub_find("H");

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char params[512];
		json_int_t code;

		snprintf(params, sizeof(params), "\"HubName_str\":\"H\",%s", rows[i].params);
		code = call(rows[i].method, params);
		if (code != rows[i].code || strstr(message(), rows[i].says) == NULL)
			fail_msg("%s %s: %lld %s", rows[i].method, rows[i].params, (long long)code,
				message());
	}
	assert_int_equal(call("CreateHub", "\"HubName_str\":\".x\""), 38);
	assert_int_equal(call("CreateHub", "\"HubName_str\":\"h\""), 57);
	assert_int_equal(fakes.saves, 0);
	assert_int_equal(hub->user_cnt, 0);
	hub->admin_options[HUB_ADMIN_max_users] = 1;
	hub->admin_options[HUB_ADMIN_max_groups] = 1;
	assert_int_equal(call("CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"a\""), 0);
	assert_int_equal(call("CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"b\""), 63);
	assert_int_equal(call("CreateGroup", "\"HubName_str\":\"H\",\"Name_str\":\"a\""), 0);
	assert_int_equal(call("CreateGroup", "\"HubName_str\":\"H\",\"Name_str\":\"b\""), 64);
}

/* A disk that is full: the answer says so, and everything is as it was. */
static void what_is_not_saved_is_taken_back(void **)
{
	static const char *const changes[][2] = {
		{"CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"new\""},
		{"SetUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\",\"Note_utf\":\"other\""},
		{"DeleteUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\""},
		{"CreateGroup", "\"HubName_str\":\"H\",\"Name_str\":\"new\""},
		{"SetGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\",\"Note_utf\":\"other\""},
		{"DeleteGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\""},
		{"CreateHub", "\"HubName_str\":\"NEW\""},
		{"SetHub", "\"HubName_str\":\"H\",\"MaxSession_u32\":7"},
		{"SetHubOnline", "\"HubName_str\":\"H\",\"Online_bool\":false"},
		{"DeleteHub", "\"HubName_str\":\"H\""},
		{"SetHubExtOptions",
			"\"HubName_str\":\"H\",\"AdminOptionList\":[{\"Name_str\":\"FilterIPv4\",\"Value_u32\":1}]"},
		{"SetAcList", "\"HubName_str\":\"H\",\"ACList\":[]"},
	};
	struct directory_hub *hub = directory_hub_find("H");
	struct directory_user *bob;

	assert_int_equal(call("CreateGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\""), 0);
	assert_int_equal(
		call("CreateUser",
			"\"HubName_str\":\"H\",\"Name_str\":\"bob\",\"GroupName_str\":\"g\","
			"\"Note_utf\":\"n\""),
		0);
	assert_int_equal(
		call("SetAcList",
			"\"HubName_str\":\"H\",\"ACList\":[{\"IpAddress_ip\":\"10.0.0.1\"}]"),
		0);
	fakes.save_error = -ENOSPC;
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (call(changes[i][0], changes[i][1]) != 23 ||
			strstr(message(), "No space") == NULL)
			fail_msg("%s: %s", changes[i][0], message());
		assert_ptr_equal(directory_hub_find("H"), hub);
		assert_null(directory_hub_find("NEW"));
		assert_false(hub->changing);
		assert_true(hub->online);
		assert_int_equal(hub->max_sessions, 0);
		assert_int_equal(hub->ext_options[HUB_EXT_FilterIPv4], 0);
		assert_int_equal(hub->source_cnt, 1);
		assert_int_equal(hub->user_cnt, 1);
		assert_int_equal(hub->group_cnt, 1);
		bob = directory_user_find(hub, "bob");
		assert_non_null(bob);
		assert_string_equal(bob->note, "n");
		assert_ptr_equal(bob->group, directory_group_find(hub, "g"));
		assert_int_equal(bob->group->user_cnt, 1);
		assert_string_equal(bob->group->note, "");
	}
	fakes.save_error = 0;
	assert_int_equal(call("DeleteGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\""), 0);
	assert_null(directory_user_find(hub, "bob")->group);
}

/* What was made of a request that has to wait is made anew (leaks are the sanitizers' to find). */
static void a_change_begins_again(void **)
{
	static const char *const changes[][2] = {
		{"CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\",\"Note_utf\":\"n\""},
		{"SetUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\",\"Note_utf\":\"o\""},
		{"CreateGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\",\"Note_utf\":\"n\""},
		{"SetGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\",\"Note_utf\":\"o\""},
		{"SetAcList", "\"HubName_str\":\"H\",\"ACList\":[{\"IpAddress_ip\":\"10.0.0.1\"}]"},
		{"DeleteGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\""},
		{"DeleteUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\""},
		{"AddAccess", "\"HubName_str\":\"H\",\"Priority_u32\":7"},
		{"DeleteAccess", "\"HubName_str\":\"H\",\"Id_u32\":1"},
		{"SetAccessList", "\"HubName_str\":\"H\",\"AccessList\":[{\"Priority_u32\":9}]"},
		{"PatchbayReplaceAccess",
			"\"HubName_str\":\"H\",\"Rules_str\":\"{ priority = 3; }, { drop = true; }\""},
		{"CreateHub", "\"HubName_str\":\"NEW\""},
		{"DeleteHub", "\"HubName_str\":\"NEW\""},
	};

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		fakes.busy = 1;
		fakes.busy_next = false;
		if (call(changes[i][0], changes[i][1]) != 0)
			fail_msg("%s: %s", changes[i][0], message());
		assert_int_equal(fakes.busy, 0);
	}
}

/* A hub that is being deleted comes back if the disk refuses: until then nobody else gets its name. */
static void a_name_is_free_when_its_hub_is_gone(void **)
{
	struct directory_hub *hub = directory_hub_find("H");
	struct directory_change *gone, *made = NULL;
	struct store_request *held = NULL;
	struct directory_settings s = {0};
	int error;

	fakes.held = &held;
	assert_int_equal(directory_change_hub_delete(hub, &gone), 0);
	assert_non_null(held);
	assert_null(directory_hub_find("H"));
	assert_int_equal(directory_change_hub_create("h", &s, 100, &made), -EBUSY);
	held->done(held, -ENOSPC);
	assert_ptr_equal(directory_hub_find("H"), hub);
	assert_true(directory_change_done(gone, &error));
	assert_int_equal(error, -ENOSPC);
	directory_change_forget(gone);
	assert_int_equal(directory_change_hub_create("h", &s, 100, &made), -EEXIST);
	assert_int_equal(directory_change_hub_delete(hub, &gone), 0);
	directory_change_forget(gone);
	assert_int_equal(directory_change_hub_create("h", &s, 100, &made), 0);
	directory_change_forget(made);
}

/* What a secret is stands in front of its string, and not in the string before it. */
static void secrets_are_masked(void **)
{
	unsigned char text[256];
	const char *data;
	long size;

	fakes.config = "password_hash = \"0123\"; note = \"\\\"a secret = \"; secret = \"x\\\"y\"; "
		       "realm = \"r\";\n";
	assert_int_equal(call("GetConfig", ""), 0);
	data = json_string_value(result("FileData_bin"));
	assert_non_null(data);
	size = base64_decode(data, strlen(data), text);
	assert_in_range(size, 1, sizeof(text) - 1);
	text[size] = '\0';
	assert_string_equal(text,
		"password_hash = \"kept\"; note = \"\\\"a secret = \"; secret = \"kept\"; "
		"realm = \"r\";\n");
}

/* Steps one call as a caller that takes everything at once does; the most bytes that one step made. */
static size_t config_steps(struct rpc *rpc, struct evbuffer *buf, int rc)
{
	size_t most = 0, had;

	for (unsigned i = 0; rc != ADMIN_DONE; i++) {
		assert_true(i < 10000);
		had = evbuffer_get_length(buf);
		rc = rpc_step(rpc, ADMIN_SLICE_ROWS, SIZE_MAX);
		if (evbuffer_get_length(buf) - had > most)
			most = evbuffer_get_length(buf) - had;
	}
	return most;
}

/*
 * A long directory is not given out in one go, many callers do not make many of them, and one that leaves, at whatever
 * moment, leaves nothing behind.
 */
static void a_long_config_in_slices(void **)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"GetConfig\"}";
	static const struct admin_caller root = {.server = true, .via = "test"};
	struct rpc *calls = calloc(6, sizeof(*calls));
	struct evbuffer *buf = evbuffer_new();
	const size_t size = 4000000;
	char *config = malloc(size + 1);
	struct store_text *given[6];

	memset(config, 'x', size);
	config[size] = '\0';
	fakes.config = config;
	fakes.text_later = true;
	for (unsigned i = 0; i < 6; i++) {
		fakes.text = NULL;
		assert_int_equal(
			rpc_begin(&calls[i], line, sizeof(line) - 1, &root, buf), ADMIN_MORE);
		assert_int_equal(rpc_step(&calls[i], ADMIN_SLICE_ROWS, SIZE_MAX), ADMIN_WAIT);
		given[i] = fakes.text;
		assert_true((given[i] != NULL) == (i < 4));
	}
	/* One leaves before its text is there, one when it is: the places of both are free again. */
	rpc_end(&calls[0]);
	fakes.text = given[0];
	fake_text_read();
	fakes.text = given[1];
	fake_text_read();
	assert_int_equal(rpc_step(&calls[1], ADMIN_SLICE_ROWS, SIZE_MAX), ADMIN_MORE);
	rpc_end(&calls[1]);
	for (unsigned i = 4; i < 6; i++) {
		assert_int_equal(rpc_step(&calls[i], ADMIN_SLICE_ROWS, SIZE_MAX), ADMIN_WAIT);
		given[i] = fakes.text;
		assert_non_null(given[i]);
	}
	evbuffer_drain(buf, evbuffer_get_length(buf));
	for (unsigned i = 2; i < 6; i++) {
		fakes.text = given[i];
		fake_text_read();
		assert_in_range(
			config_steps(&calls[i], buf, ADMIN_MORE), 1000, 2 * ADMIN_OUTPUT_MAX);
		assert_in_range(evbuffer_get_length(buf), BASE64_LEN(size), BASE64_LEN(size) + 200);
		evbuffer_drain(buf, evbuffer_get_length(buf));
	}
	/* A caller who takes nothing makes us hold no more of it than any list does. */
	fakes.text_later = false;
	assert_int_equal(rpc_begin(&calls[0], line, sizeof(line) - 1, &root, buf), ADMIN_MORE);
	for (unsigned i = 0; i < 100; i++)
		assert_int_not_equal(
			rpc_step(&calls[0], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), ADMIN_DONE);
	assert_in_range(evbuffer_get_length(buf), ADMIN_OUTPUT_MAX, 2 * ADMIN_OUTPUT_MAX);
	rpc_end(&calls[0]);
	fakes.config = NULL;
	free(config);
	free(calls);
	evbuffer_free(buf);

	fakes.text_error = -ESTALE;
	assert_int_equal(call("GetConfig", ""), 23);
	assert_non_null(strstr(message(), "store reload"));
	fakes.text_error = -EFBIG;
	assert_int_equal(call("GetConfig", ""), 23);
	assert_non_null(strstr(message(), "too large"));
}

/*
 * Four who fetch a byte at a time do not keep everybody else away: after a minute, and only if somebody waits, the one
 * that has had most time is told so behind what it has got.
 */
static void a_slow_reader_is_given_up(void **)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"GetConfig\"}";
	static const struct admin_caller root = {.server = true, .via = "test"};
	struct rpc *calls = calloc(5, sizeof(*calls));
	const size_t size = 1000000;
	char *config = malloc(size + 1);
	struct evbuffer *buf[5];
	json_t *given;

	memset(config, 'x', size);
	config[size] = '\0';
	fakes.config = config;
	for (unsigned i = 0; i < 5; i++) {
		buf[i] = evbuffer_new();
		assert_int_equal(
			rpc_begin(&calls[i], line, sizeof(line) - 1, &root, buf[i]), ADMIN_MORE);
		assert_int_equal(
			rpc_step(&calls[i], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), ADMIN_WAIT);
		if (i < 4)
			assert_int_equal(rpc_step(&calls[i], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX),
				ADMIN_MORE);
		fakes.clock_ms += i < 4 ? 1000 : 0;
	}
	fakes.clock_ms += 55999;
	fakes.log_lines = 0;
	assert_int_equal(rpc_step(&calls[4], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), ADMIN_WAIT);
	assert_int_equal(rpc_step(&calls[0], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), ADMIN_MORE);
	assert_int_equal(fakes.log_lines, 0);
	fakes.clock_ms++;
	assert_int_equal(rpc_step(&calls[4], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), ADMIN_WAIT);
	assert_int_equal(fakes.log_lines, 1);
	assert_non_null(strstr(fakes.log_line, "test: GetConfig given up"));
	(void)config_steps(&calls[4], buf[4], ADMIN_MORE);
	/* The others have theirs as if nothing had been. */
	for (unsigned i = 1; i < 5; i++) {
		if (i < 4)
			(void)config_steps(&calls[i], buf[i], ADMIN_MORE);
		assert_in_range(
			evbuffer_get_length(buf[i]), BASE64_LEN(size), BASE64_LEN(size) + 200);
	}
	assert_int_equal(rpc_step(&calls[0], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), ADMIN_DONE);
	given = json_loadb((const char *)evbuffer_pullup(buf[0], -1), evbuffer_get_length(buf[0]),
		JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(given);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(given, "error"), "code")), 23);
	assert_non_null(strstr(
		json_string_value(json_object_get(json_object_get(given, "error"), "message")),
		"not fetched within 60 seconds"));
	json_decref(given);
	/* All places are free, and each is one: four have a text, the fifth waits. */
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(
			rpc_begin(&calls[i], line, sizeof(line) - 1, &root, buf[i]), ADMIN_MORE);
		assert_int_equal(
			rpc_step(&calls[i], ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), ADMIN_WAIT);
		assert_int_equal(rpc_step(&calls[i], ADMIN_SLICE_ROWS, SIZE_MAX),
			i < 4 ? ADMIN_MORE : ADMIN_WAIT);
	}
	for (unsigned i = 0; i < 5; i++) {
		rpc_end(&calls[i]);
		evbuffer_free(buf[i]);
	}
	fakes.config = NULL;
	free(config);
	free(calls);
}

/* A change holds from the next login on: running sessions are told, or ended on demand. */
static void running_sessions(void **)
{
	struct directory_hub *hub = directory_hub_find("H");
	struct vpn_session *vs;

	assert_int_equal(call("CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"bob\""), 0);
	vs = fake_session(hub, "SID-BOB-1", "bob");
	assert_int_equal(call("SetUser", "\"HubName_str\":\"H\",\"Name_str\":\"BOB\""), 0);
	assert_int_equal(json_integer_value(result("PatchbaySessions_u32")), 1);
	assert_false(vs->ending);
	assert_int_equal(
		call("SetUser",
			"\"HubName_str\":\"H\",\"Name_str\":\"bob\",\"PatchbayEndSessions_bool\":true"),
		0);
	assert_int_equal(json_integer_value(result("PatchbaySessions_u32")), 0);
	assert_true(vs->ending);
}

static void hub_settings(void **)
{
	struct directory_hub *hub;

	assert_int_equal(
		call("CreateHub",
			"\"HubName_str\":\"NEW\",\"MaxSession_u32\":5,"
			"\"AdminPasswordPlainText_str\":\"hp\",\"PatchbayMaxMacTables_u32\":100"),
		0);
	hub = directory_hub_find("new");
	assert_true(hub->online);
	assert_int_equal(hub->max_macs, 100);
	assert_true(hub->admin.set);
	/* Only what is given is changed; the password stays. */
	assert_int_equal(call("SetHub", "\"HubName_str\":\"new\",\"NoEnum_bool\":true"), 0);
	assert_int_equal(hub->max_sessions, 5);
	assert_true(hub->no_enum && hub->online && hub->admin.set);
	assert_int_equal(
		call("SetHub", "\"HubName_str\":\"new\",\"PatchbayMaxMacTables_u32\":101"), 38);
	assert_int_equal(call("SetHubOnline", "\"HubName_str\":\"new\",\"Online_bool\":false"), 0);
	assert_false(hub->online);
	assert_int_equal(call("GetHub", "\"HubName_str\":\"new\""), 0);
	assert_true(json_is_false(result("Online_bool")));
	assert_string_equal(
		json_string_value(result("SecurePassword_bin")), "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	assert_int_equal(call("DeleteHub", "\"HubName_str\":\"NEW\""), 0);
	assert_null(directory_hub_find("NEW"));
	assert_int_equal(call("DeleteHub", "\"HubName_str\":\"NEW\""), 8);
	assert_true(fakes.applied >= 2);
}

static void sources_and_options(void **)
{
	struct directory_hub *hub = directory_hub_find("H");

	assert_int_equal(
		call("SetAcList",
			"\"HubName_str\":\"H\",\"ACList\":["
			"{\"IpAddress_ip\":\"10.1.2.3\",\"Masked_bool\":true,\"SubnetMask_ip\":\"255.0.0.0\","
			"\"Priority_u32\":20,\"Deny_bool\":true},"
			"{\"IpAddress_ip\":\"fd00::1\",\"Priority_u32\":10}]"),
		0);
	assert_int_equal(hub->source_cnt, 2);
	assert_true(hub->sources[0].ipv6);
	assert_int_equal(json_integer_value(result("NumItem_u32")), 2);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(result("ACList"), 1), "PatchbayNetwork_str")),
		"10.0.0.0/8");
	assert_int_equal(call("SetHubAdminOptions",
				 "\"HubName_str\":\"H\",\"AdminOptionList\":["
				 "{\"Name_str\":\"max_users\",\"Value_u32\":9},"
				 "{\"Name_str\":\"DENY_BRIDGE\",\"Value_u32\":1}]"),
		0);
	assert_int_equal(hub->admin_options[HUB_ADMIN_max_users], 9);
	assert_int_equal(hub->admin_options[HUB_ADMIN_deny_bridge], 1);
	assert_int_equal(call("GetHubExtOptions", "\"HubName_str\":\"H\""), 0);
	assert_int_equal(json_array_size(result("AdminOptionList")), HUB_EXT_CNT);
	assert_int_equal(call("PatchbayEnumPolicy", ""), 0);
	assert_int_equal(json_array_size(result("PolicyList")), 38);
}

/* A hub's administrator is fenced in by its admin options. */
/* Whoever may name the servers must not get out of them what they are not his to know. */
static void radius_secrets_stay_with_their_servers(void **)
{
	static const struct admin_caller of_hub = {.hub_name = "H", .via = "test"};
	struct directory_hub *hub = directory_hub_find("H");
	static const char *const elsewhere[] = {
		"\"HubName_str\":\"H\",\"RadiusServerName_str\":\"192.0.2.9\"",
		"\"HubName_str\":\"H\",\"RadiusServerName_str\":\"192.0.2.1,192.0.2.9\"",
		"\"HubName_str\":\"H\",\"RadiusServerName_str\":\"192.0.2.1\",\"RadiusPort_u32\":1645",
	};

	assert_int_equal(call_as(&of_hub, "SetHubRadius",
				 "\"HubName_str\":\"H\",\"RadiusServerName_str\":\"192.0.2.1\","
				 "\"RadiusPort_u32\":1812,\"RadiusSecret_str\":\"s3\""),
		0);
	for (unsigned i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		assert_int_equal(call_as(&of_hub, "SetHubRadius", elsewhere[i]), 38);
		assert_non_null(strstr(message(), "given anew"));
		assert_int_equal(call("SetHubRadius", elsewhere[i]), 38);
		assert_string_equal(hub->radius.servers, "192.0.2.1");
		assert_int_equal(hub->radius.port, 1812);
		assert_string_equal(hub->radius.secret, "s3");
	}
	/* What was read may be written back, and the rest be changed. */
	assert_int_equal(call_as(&of_hub, "SetHubRadius",
				 "\"HubName_str\":\"H\",\"RadiusServerName_str\":\"192.0.2.1\","
				 "\"RadiusPort_u32\":1812,\"RadiusSecret_str\":\"\","
				 "\"PatchbayRealm_str\":\"lab\""),
		0);
	assert_string_equal(hub->radius.secret, "s3");
	assert_string_equal(hub->radius.realm, "lab");
	assert_int_equal(call_as(&of_hub, "SetHubRadius",
				 "\"HubName_str\":\"H\",\"RadiusServerName_str\":\"192.0.2.9\","
				 "\"RadiusSecret_str\":\"t4\""),
		0);
	assert_string_equal(hub->radius.servers, "192.0.2.9");
	assert_string_equal(hub->radius.secret, "t4");
}

/* Frames that wait are counted by workers, for all hubs together. */
static void a_hub_hears_nothing_of_others(void **)
{
	static const struct admin_caller of_hub = {.hub_name = "H", .via = "test"};

	assert_int_equal(call("EnumAccess", "\"HubName_str\":\"H\""), 0);
	assert_int_equal(json_integer_value(result("PatchbayParked_u64")), 7);
	assert_int_equal(json_integer_value(result("PatchbayParkRefused_u64")), 3);
	assert_int_equal(call_as(&of_hub, "EnumAccess", "\"HubName_str\":\"H\""), 0);
	assert_int_equal(json_integer_value(result("PatchbayParked_u64")), 0);
	assert_int_equal(json_integer_value(result("PatchbayParkRefused_u64")), 0);
}

static void fenced_in(void **)
{
	static const struct admin_caller caller = {.hub_name = "H", .via = "test"};
	struct directory_hub *hub = directory_hub_find("H");

	assert_int_equal(
		call_as(&caller, "CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"a\""), 0);
	assert_int_equal(call_as(&caller, "CreateHub", "\"HubName_str\":\"X\""), 52);
	hub->admin_options[HUB_ADMIN_no_change_users] = 1;
	hub->admin_options[HUB_ADMIN_no_change_groups] = 1;
	hub->admin_options[HUB_ADMIN_no_offline] = 1;
	hub->admin_options[HUB_ADMIN_no_change_access_control_list] = 1;
	hub->admin_options[HUB_ADMIN_no_change_admin_password] = 1;
	hub->admin_options[HUB_ADMIN_deny_hub_admin_change_ext_option] = 1;
	assert_int_equal(
		call_as(&caller, "CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"b\""), 52);
	assert_int_equal(
		call_as(&caller, "DeleteUser", "\"HubName_str\":\"H\",\"Name_str\":\"a\""), 52);
	assert_int_equal(
		call_as(&caller, "CreateGroup", "\"HubName_str\":\"H\",\"Name_str\":\"g\""), 52);
	assert_int_equal(
		call_as(&caller, "SetHubOnline", "\"HubName_str\":\"H\",\"Online_bool\":false"),
		52);
	/* This part is left out without a word. */
	assert_int_equal(
		call_as(&caller, "SetHub", "\"HubName_str\":\"H\",\"Online_bool\":false"), 0);
	assert_true(hub->online);
	assert_int_equal(call_as(&caller, "SetHub",
				 "\"HubName_str\":\"H\",\"AdminPasswordPlainText_str\":\"x\""),
		52);
	assert_int_equal(call_as(&caller, "SetAcList", "\"HubName_str\":\"H\""), 52);
	assert_int_equal(call_as(&caller, "SetHubExtOptions", "\"HubName_str\":\"H\""), 52);
	assert_int_equal(call_as(&caller, "SetHubAdminOptions", "\"HubName_str\":\"H\""), 52);
	hub->admin_options[HUB_ADMIN_allow_hub_admin_change_option] = 1;
	assert_int_equal(call_as(&caller, "SetHubAdminOptions", "\"HubName_str\":\"H\""), 0);
	assert_int_equal(call("CreateUser", "\"HubName_str\":\"H\",\"Name_str\":\"b\""), 0);
}

static void ip_table(void **)
{
	char params[128];
	json_int_t key;

	fake_session(directory_hub_find("H"), "SID-U-1", "u");
	assert_int_equal(call("EnumIpTable", "\"HubName_str\":\"H\""), 0);
	assert_int_equal(json_array_size(result("IpTable")), 3);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(result("IpTable"), 1), "IpAddress_ip")),
		"192.0.2.2");
	assert_true(json_is_true(
		json_object_get(json_array_get(result("IpTable"), 1), "DhcpAllocated_bool")));
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(result("IpTable"), 2), "IpAddress_ip")),
		"fd00::1");
	key = json_integer_value(json_object_get(json_array_get(result("IpTable"), 2), "Key_u32"));
	snprintf(params, sizeof(params), "\"HubName_str\":\"H\",\"Key_u32\":%lld", (long long)key);
	assert_int_equal(call("DeleteIpTable", params), 0);
	assert_int_equal(fakes.deleted_ip[0], 0xfd);
	assert_int_equal(
		call("DeleteIpTable", "\"HubName_str\":\"H\",\"PatchbayIp_ip\":\"192.0.2.2\""), 0);
	assert_int_equal(fakes.deleted_ip[15], 2);
	assert_int_equal(
		call("DeleteIpTable", "\"HubName_str\":\"H\",\"PatchbayIp_ip\":\"192.0.2.3\""), 29);
	assert_int_equal(call("DeleteIpTable", "\"HubName_str\":\"H\""), 38);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(user_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_saved_is_taken_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_begins_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_name_is_free_when_its_hub_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(secrets_are_masked, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_config_in_slices, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_reader_is_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(running_sessions, setup, teardown),
		cmocka_unit_test_setup_teardown(hub_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(sources_and_options, setup, teardown),
		cmocka_unit_test_setup_teardown(
			radius_secrets_stay_with_their_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hub_hears_nothing_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(fenced_in, setup, teardown),
		cmocka_unit_test_setup_teardown(ip_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
