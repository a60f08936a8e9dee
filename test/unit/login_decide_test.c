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
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "controlplane/bridges.h"
#include "controlplane/directory.h"
#include "controlplane/login.h"
#include "controlplane/registry.h"
#include "dataplane/lcore.h"
#include "drivers/session/session_udp.h"
#include "drivers/session/wire/sha0.h"

static struct directory_hub *hub;
static struct directory_user *alice, *guest;
static struct directory_group *staff;
static const uint8_t random20[20] = {1, 2, 3};
static uint32_t user_sessions, bridges;
static const uint8_t *asked_installation;

/* login_open() is not called here. */
unsigned lcore_count(void)
{
	return 1;
}

uint32_t registry_worker_sessions(unsigned)
{
	return 0;
}

uint16_t session_udp_port(unsigned, unsigned)
{
	return 0;
}

int registry_session_add(struct vpn_session *, struct session_conf *)
{
	return -1;
}

uint32_t registry_user_sessions(
	const struct directory_hub *, const char *, const uint8_t *installation)
{
	asked_installation = installation;
	return user_sessions;
}

unsigned bridges_up(const struct directory_hub *)
{
	return bridges;
}

/* In the order of the checks (policy.md 7); of two that fail the earlier one answers. */
enum fault {
	NO_HUB,
	SOURCE,
	OFFLINE,
	AUTH_TYPE, /* type and password are one check, and the type is looked at first */
	WRONG_PASSWORD,
	EMPTY_PASSWORD,
	OLD_CLIENT,
	CLIENT_ID,
	EXPIRED,
	NO_ACCESS,
	MONITOR,
	BRIDGE,
	MULTI_LOGINS,
	HUB_FULL,
	SERVER_FULL,
	FAULTS,
};

static const uint32_t codes[FAULTS] = {
	[NO_HUB] = WIRE_ERROR_HUB_NOT_FOUND,
	[SOURCE] = WIRE_ERROR_ADDRESS_DENIED,
	[OFFLINE] = WIRE_ERROR_HUB_OFFLINE,
	[AUTH_TYPE] = WIRE_ERROR_AUTH_TYPE,
	[WRONG_PASSWORD] = WIRE_ERROR_AUTH_FAILED,
	[EMPTY_PASSWORD] = WIRE_ERROR_EMPTY_PASSWORD,
	[OLD_CLIENT] = WIRE_ERROR_CLIENT_TOO_OLD,
	[CLIENT_ID] = WIRE_ERROR_CLIENT_ID,
	[EXPIRED] = WIRE_ERROR_ACCESS_DENIED,
	[NO_ACCESS] = WIRE_ERROR_ACCESS_DENIED,
	[MONITOR] = WIRE_ERROR_MONITOR_DENIED,
	[BRIDGE] = WIRE_ERROR_BRIDGE_DENIED,
	[MULTI_LOGINS] = WIRE_ERROR_TOO_MANY_LOGINS,
	[HUB_FULL] = WIRE_ERROR_TOO_MANY_SESSIONS,
	[SERVER_FULL] = WIRE_ERROR_TOO_MANY_SESSIONS,
};

static const struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr = {0x010200c0}};

static struct login_facts facts_usual(void)
{
	return (struct login_facts){
		.auth.random = random20,
		.peer = (const struct sockaddr_storage *)&source,
		.now_ms = 1000000,
		.sessions = 9,
		.sessions_max = 10,
		.connections_max = 32,
	};
}

#define HAS(fault) ((faults & 1u << (fault)) != 0)

static void decide(struct login_verdict *v, struct login_request *r, unsigned faults)
{
	static struct directory_source deny;
	struct login_facts facts = facts_usual();
	const char *password = HAS(EMPTY_PASSWORD) ? "" : "pw";
	uint8_t hash[SHA0_BYTES];

	directory_clear();
	assert_int_equal(directory_hub_create("HUB", &hub), 0);
	assert_int_equal(directory_group_create(hub, "staff", &staff), 0);
	assert_int_equal(directory_user_create(hub, "alice", &alice), 0);
	assert_int_equal(directory_user_create(hub, "guest", &guest), 0);
	directory_user_set_password(alice, password);
	alice->expires_ms = HAS(EXPIRED) ? 1000000 : 1000001;
	hub->online = !HAS(OFFLINE);
	hub->max_sessions = 5;
	hub->session_cnt = HAS(HUB_FULL) ? 3 : 2;
	bridges = 2;
	facts.sessions = HAS(SERVER_FULL) ? 10 : 9;
	hub->admin_options[HUB_ADMIN_deny_empty_password] = HAS(EMPTY_PASSWORD);
	hub->ext_options[HUB_EXT_ClientMinimumRequiredBuild] = HAS(OLD_CLIENT) ? 9001 : 9000;
	hub->ext_options[HUB_EXT_RequiredClientId] = HAS(CLIENT_ID) ? 6 : 5;
	hub->source_cnt = 0;
	if (HAS(SOURCE)) {
		assert_true(directory_source_parse("192.0.2.0/24", &deny));
		deny.deny = true;
		hub->sources = malloc(sizeof(deny));
		*hub->sources = deny;
		hub->source_cnt = 1;
	}
	alice->use_policy = true;
	alice->policy.access = !HAS(NO_ACCESS);
	alice->policy.monitor_port = !HAS(MONITOR);
	alice->policy.no_bridge = 1;
	alice->policy.no_routing = HAS(BRIDGE);
	alice->policy.multi_logins = 2;
	user_sessions = HAS(MULTI_LOGINS) ? 2 : 1;
	r->require_monitor_mode = r->require_bridge_routing_mode = true;
	if (HAS(NO_HUB))
		strcpy(r->hubname, "other");
	if (HAS(AUTH_TYPE))
		r->authtype = 99;
	sha0_password_hash(HAS(WRONG_PASSWORD) ? "pW" : password, "ALICE", hash);
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
		.client = {.name = "A VPN Client", .build = 9000},
		.client_id = 5,
	};
}

static void first_failing_check_answers(void **)
{
	struct login_verdict v;

	for (unsigned faults = 0; faults < 1u << FAULTS; faults++) {
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

	struct login_facts facts = facts_usual();

	strcpy(r.username, "GUEST");
	r.has_secure_password = false;
	decide(&v, &r, 1u << AUTH_TYPE | 1u << WRONG_PASSWORD);
	r.authtype = 99;
	r.require_monitor_mode = false;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	assert_ptr_equal(v.user, guest);
}

static void passwords(void **)
{
	const struct login_facts facts = facts_usual();
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
	struct login_facts facts = facts_usual();
	struct login_verdict v;

	r.use_compress = r.half_connection = r.qos = true;
	r.use_encrypt = false;
	decide(&v, &r, 0);
	alice->use_policy = false;
	r.require_monitor_mode = r.require_bridge_routing_mode = false;
	login_decide(&v, &r, &facts);
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
	hub->require_encryption = true;
	login_decide(&v, &r, &facts);
	assert_true(v.welcome.use_encrypt);
	hub->require_encryption = false;
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

/* policy.md 1: user's, else group's, else default; as a whole. */
static void which_policy(void **)
{
	struct login_facts facts = facts_usual();
	struct login_request r = request();
	struct login_verdict v;

	decide(&v, &r, 0);
	r.require_monitor_mode = r.require_bridge_routing_mode = false;
	directory_user_join(alice, staff);
	staff->use_policy = true;
	staff->policy.max_mac = 10;
	staff->policy.timeout_s = 7;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.policy.max_mac, 0);
	alice->use_policy = false;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.policy.max_mac, 10);
	assert_int_equal(v.welcome.timeout_ms, 7000);
	assert_int_equal(v.welcome.policy.max_mac, 10);
	staff->policy.access = 0;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_ACCESS_DENIED);
	staff->policy.no_save_password = 1;
	login_decide(&v, &r, &facts);
	assert_true(v.no_save_password);
	staff->use_policy = false;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	assert_int_equal(v.welcome.timeout_ms, 20000);
}

/* policy.md 1, last paragraph. */
static void what_is_adjusted(void **)
{
	struct login_facts facts = facts_usual();
	struct login_request r = request();
	struct login_verdict v;

	decide(&v, &r, 0);
	r.require_monitor_mode = false;
	alice->policy.no_bridge = 0;
	alice->policy.max_upload_bps = 5000;
	alice->policy.max_connection = alice->policy.timeout_s = 0;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.policy.max_connection, 32);
	assert_int_equal(v.policy.timeout_s, 20);
	assert_int_equal(v.policy.monitor_port, 0);
	assert_int_equal(v.policy.no_bridge + v.policy.no_routing, 0);

	hub->admin_options[HUB_ADMIN_max_bitrates_upload] = 4000;
	hub->admin_options[HUB_ADMIN_max_bitrates_download] = 3000;
	hub->admin_options[HUB_ADMIN_deny_qos] = 1;
	hub->admin_options[HUB_ADMIN_deny_routing] = 1;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.policy.max_upload_bps, 4000);
	assert_int_equal(v.policy.max_download_bps, 3000);
	assert_int_equal(v.policy.no_qos, 1);
	assert_int_equal(v.policy.no_bridge, 0);
	assert_int_equal(v.policy.no_routing, 1);
	alice->policy.max_upload_bps = 3999;
	facts.same_host = true;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.policy.max_upload_bps, 3999);
	assert_int_equal(v.policy.no_routing, 0);
	/* The directory's own is as it was. */
	assert_int_equal(alice->policy.monitor_port, 1);
}

static void who_counts(void **)
{
	struct login_facts facts = facts_usual();
	struct login_request r = request();
	struct login_verdict v;

	/* The hub's own bound on MultiLogins, where the policy has none or a larger one. */
	decide(&v, &r, 1u << MULTI_LOGINS);
	assert_int_equal(v.error, WIRE_ERROR_TOO_MANY_LOGINS);
	assert_null(asked_installation);
	r.node.has_unique_id = true;
	alice->policy.multi_logins = 0;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	hub->admin_options[HUB_ADMIN_max_multilogins_per_user] = 2;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_TOO_MANY_LOGINS);
	assert_ptr_equal(asked_installation, r.node.unique_id);
	hub->admin_options[HUB_ADMIN_max_multilogins_per_user] = 3;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);

	/* 2 sessions, 1 of them may bridge, and 2 local bridges, which may. */
	hub->max_sessions = 0;
	hub->bridge_mode_cnt = 1;
	hub->admin_options[HUB_ADMIN_max_sessions] = 4;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_TOO_MANY_SESSIONS);
	hub->admin_options[HUB_ADMIN_max_sessions] = 5;
	hub->admin_options[HUB_ADMIN_max_sessions_bridge] = 3;
	hub->admin_options[HUB_ADMIN_max_sessions_client] = 2;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	hub->admin_options[HUB_ADMIN_max_sessions_client_bridge_apply] = 1;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_TOO_MANY_SESSIONS);
	r.require_bridge_routing_mode = false;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	hub->admin_options[HUB_ADMIN_max_sessions_client] = 1;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_TOO_MANY_SESSIONS);
}

static void without_password(void **)
{
	struct login_facts facts = facts_usual();
	struct login_request r = request();
	struct login_verdict v;

	decide(&v, &r, 1u << EMPTY_PASSWORD);
	assert_int_equal(v.error, WIRE_ERROR_EMPTY_PASSWORD);
	facts.same_host = true;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	facts.same_host = false;
	r.require_monitor_mode = false;
	strcpy(r.username, "guest");
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_EMPTY_PASSWORD);
	hub->admin_options[HUB_ADMIN_deny_empty_password] = 0;
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
}

static void only_clients_are_asked(void **)
{
	struct login_facts facts = facts_usual();
	struct login_request r = request();
	struct login_verdict v;

	decide(&v, &r, 1u << OLD_CLIENT | 1u << CLIENT_ID);
	strcpy(r.client.name, "A VPN Bridge");
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
}

/* The hub's password opens the hub to its administrator, who may monitor; no password, no administrator. */
static void hub_administrator(void **)
{
	struct login_facts facts = facts_usual();
	struct login_request r = request();
	struct login_verdict v;
	uint8_t hash[SHA0_BYTES];

	decide(&v, &r, 0);
	strcpy(r.username, "Administrator");
	sha0_password_hash("", "ADMINISTRATOR", hash);
	sha0_secure_password(hash, random20, r.secure_password);
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_EMPTY_PASSWORD);
	directory_admin_set_password(&hub->admin, "hubpw");
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_AUTH_FAILED);
	sha0_password_hash("hubpw", "ADMINISTRATOR", hash);
	sha0_secure_password(hash, random20, r.secure_password);
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_OK);
	assert_true(v.administrator);
	assert_null(v.user);
	assert_string_equal(v.user_name, "administrator");
	assert_int_equal(v.policy.monitor_port, 1);
	assert_int_equal(v.policy.no_broadcast_limiter, 1);
	/* A tool that sets the one hash and not the other leaves nothing that zeros would open. */
	directory_admin_set_hashes(&hub->admin, hash, NULL);
	memset(hash, 0, sizeof(hash));
	sha0_secure_password(hash, random20, r.secure_password);
	login_decide(&v, &r, &facts);
	assert_int_equal(v.error, WIRE_ERROR_AUTH_FAILED);
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
		cmocka_unit_test(which_policy),
		cmocka_unit_test(what_is_adjusted),
		cmocka_unit_test(who_counts),
		cmocka_unit_test(without_password),
		cmocka_unit_test(only_clients_are_asked),
		cmocka_unit_test(hub_administrator),
		cmocka_unit_test(same_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
