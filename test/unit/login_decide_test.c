/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The login decision as a table (reference/policy.md section 7): each check by itself, and that the earlier
 * of two failing checks gives the answer, so that a stranger never learns what only members may know.
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "controlplane/directory.h"
#include "controlplane/login.h"
#include "controlplane/registry.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/sha0.h"

static struct directory_hub hub;
static struct directory_user alice, guest;
static const uint8_t random20[20] = {1, 2, 3};

/* A directory of one hub and two users. */
struct directory_hub *directory_hub_find(const char *name)
{
	return strcasecmp(name, hub.name) == 0 ? &hub : NULL;
}

struct directory_user *directory_user_find(struct directory_hub *, const char *name)
{
	if (strcasecmp(name, "alice") == 0)
		return &alice;
	return strcasecmp(name, "guest") == 0 ? &guest : NULL;
}

/* login_open() is not called here. */
unsigned lcore_count(void)
{
	return 1;
}

uint32_t registry_worker_sessions(unsigned)
{
	return 0;
}

int registry_session_add(struct vpn_session *, struct session_conf *)
{
	return -1;
}

enum fault {
	NO_HUB = 1 << 0,
	OFFLINE = 1 << 1,
	AUTH_TYPE = 1 << 2,
	WRONG_PASSWORD = 1 << 3,
	EXPIRED = 1 << 4,
	MONITOR = 1 << 5,
	HUB_FULL = 1 << 6,
	SERVER_FULL = 1 << 7,
	FAULTS = 1 << 8,
};

/* In the order of the checks; type and password are one check, and the type is looked at first. */
static const uint32_t codes[] = {
	WIRE_ERROR_HUB_NOT_FOUND,
	WIRE_ERROR_HUB_OFFLINE,
	WIRE_ERROR_AUTH_TYPE,
	WIRE_ERROR_AUTH_FAILED,
	WIRE_ERROR_ACCESS_DENIED,
	WIRE_ERROR_MONITOR_DENIED,
	WIRE_ERROR_TOO_MANY_SESSIONS,
	WIRE_ERROR_TOO_MANY_SESSIONS,
};

static void decide(struct login_verdict *v, struct login_request *r, unsigned faults)
{
	const struct login_facts facts = {
		.random = random20,
		.now_ms = 1000000,
		.sessions = faults & SERVER_FULL ? 10 : 9,
		.sessions_max = 10,
		.connections_max = 32,
	};
	uint8_t hash[SHA0_BYTES];

	hub = (struct directory_hub){
		.name = "HUB",
		.online = !(faults & OFFLINE),
		.max_sessions = 3,
		.session_cnt = faults & HUB_FULL ? 3 : 2,
	};
	alice = (struct directory_user){
		.name = "alice",
		.auth = DIRECTORY_AUTH_PASSWORD,
		.expires_ms = faults & EXPIRED ? 1000000 : 1000001,
	};
	sha0_password_hash("pw", "alice", alice.hashed_password);
	guest = (struct directory_user){.name = "guest", .auth = DIRECTORY_AUTH_ANONYMOUS};
	if (faults & NO_HUB)
		strcpy(r->hubname, "other");
	if (faults & AUTH_TYPE)
		r->authtype = 99;
	if (faults & MONITOR)
		r->require_monitor_mode = true;
	sha0_password_hash(faults & WRONG_PASSWORD ? "pW" : "pw", "ALICE", hash);
	sha0_secure_password(hash, random20, r->secure_password);
	login_decide(v, r, &facts);
}

static struct login_request request(void)
{
	return (struct login_request){
		.method = LOGIN_METHOD_LOGIN,
		.hubname = "hub",
		.username = "Alice",
		.authtype = LOGIN_AUTH_PASSWORD,
		.has_secure_password = true,
		.max_connection = 32,
		.client = {.name = "A VPN Client"},
	};
}

static void first_failing_check_answers(void **)
{
	struct login_verdict v;

	for (unsigned faults = 0; faults < FAULTS; faults++) {
		struct login_request r = request();
		uint32_t expected = faults == 0 ? WIRE_ERROR_OK : codes[__builtin_ctz(faults)];

		decide(&v, &r, faults);
		if (v.error != expected)
			fail_msg("faults %#x: %u, not %u", faults, v.error, expected);
		assert_non_null(v.reason);
	}
}

static void anonymous_comes_first(void **)
{
	struct login_request r = request();
	struct login_verdict v;

	strcpy(r.username, "GUEST");
	r.has_secure_password = false;
	decide(&v, &r, AUTH_TYPE | WRONG_PASSWORD);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	assert_ptr_equal(v.user, &guest);
}

static void passwords(void **)
{
	static const struct login_facts facts = {
		.random = random20, .now_ms = 1, .sessions_max = 10, .connections_max = 32};
	static const uint8_t zero[SHA0_BYTES];
	struct login_request r;
	struct login_verdict v;

	r = request();
	r.has_secure_password = false; /* absent or not 20 bytes */
	decide(&v, &r, 0);
	assert_int_equal(v.error, WIRE_ERROR_AUTH_FAILED);

	r = request();
	r.authtype = LOGIN_AUTH_PLAIN_PASSWORD;
	decide(&v, &r, 0);
	assert_int_equal(v.error, WIRE_ERROR_AUTH_FAILED);
	r.has_plain_password = true;
	strcpy(r.plain_password, "pw");
	decide(&v, &r, 0);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	strcpy(r.plain_password, "PW");
	decide(&v, &r, 0);
	assert_int_equal(v.error, WIRE_ERROR_AUTH_FAILED);

	/* Not even the hash that an unknown user is compared with opens anything. */
	r = request();
	strcpy(r.username, "nobody");
	sha0_secure_password(zero, random20, r.secure_password);
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_AUTH_FAILED);
}

static void what_is_granted(void **)
{
	struct login_request r = request();
	struct login_facts facts = {
		.random = random20, .now_ms = 1, .sessions_max = 10, .connections_max = 32};
	struct login_verdict v;

	r.use_compress = r.half_connection = r.qos = true;
	r.use_encrypt = false;
	decide(&v, &r, 0);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	assert_false(v.welcome.use_encrypt);
	assert_true(v.welcome.qos); /* NoQoS and the rest of wire.md 4.2: welcome_test.c */
	assert_true(v.welcome.use_compress);
	assert_true(v.welcome.half_connection);
	assert_int_equal(v.welcome.max_connection, 32);
	assert_int_equal(v.welcome.timeout_ms, 20000);
	assert_false(v.bridge_mode);
	assert_int_equal(v.welcome.policy.no_bridge + v.welcome.policy.no_routing, 2);
	assert_int_equal(v.welcome.policy.max_connection, 32);

	/* No encryption only where the hub allows it; encryption for who wants it. */
	hub.require_encryption = true;
	login_decide(&v, &r, &facts);
	assert_true(v.welcome.use_encrypt);
	hub.require_encryption = false;
	r.use_encrypt = true;
	login_decide(&v, &r, &facts);
	assert_true(v.welcome.use_encrypt);

	/* Connections: the wish, the server's own limit, never none (wire.md 4.2). */
	r.max_connection = 8;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.welcome.max_connection, 8);
	facts.connections_max = 5;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.welcome.max_connection, 5);
	r.max_connection = 0;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.welcome.max_connection, 4); /* half duplex and priority */
	r.qos = false;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.welcome.max_connection, 2); /* half duplex */
	facts.connections_max = 32;

	/* Bridge mode: asked for, or said by the product's name (wire.md 3.1); same host: always. */
	r.require_bridge_routing_mode = true;
	login_decide(&v, &r, &facts);
	assert_true(v.bridge_mode);
	assert_int_equal(v.welcome.policy.no_bridge + v.welcome.policy.no_routing, 0);
	r.require_bridge_routing_mode = false;
	strcpy(r.client.name, "Some VPN SERVER (Cascade Mode)");
	login_decide(&v, &r, &facts);
	assert_true(v.bridge_mode);
	assert_int_equal(v.welcome.policy.no_bridge, 0);
	strcpy(r.client.name, "Some VPN Client");
	facts.same_host = true;
	login_decide(&v, &r, &facts);
	assert_false(v.bridge_mode);
	assert_int_equal(v.welcome.policy.no_bridge + v.welcome.policy.no_routing, 0);
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
	void *where = &v4->sin_addr;

	ss.ss_family = AF_INET;
	if (strchr(text, ':') != NULL) {
		ss.ss_family = AF_INET6;
		where = &v6->sin6_addr;
	}
	assert_int_equal(inet_pton(ss.ss_family, text, where), 1);
	return ss;
}

static void same_host(void **)
{
	static const struct {
		const char *peer, *local;
		bool same;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"127.0.0.2", "127.0.0.1", true},
		{"::1", "::1", true},
		{"fd77::1", "fd77::2", false},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage peer = address(rows[i].peer),
					local = address(rows[i].local);

		assert_int_equal(login_same_host(&peer, &local), rows[i].same);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_failing_check_answers),
		cmocka_unit_test(anonymous_comes_first),
		cmocka_unit_test(passwords),
		cmocka_unit_test(what_is_granted),
		cmocka_unit_test(same_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
