/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory's rules: groups, policies, options and source addresses, in memory and as text. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/directory.h"
#include "test/unit/said.h"

static int load(const char *text, struct said *said)
{
	said_write(said, text);
	return directory_load(said_path, said_hear, said);
}

/* In a hub of its own. */
static int load_hub(const char *members, struct said *said)
{
	char text[4096];

	snprintf(text, sizeof(text), "hubs = ( { name = \"A\"; %s } );", members);
	return load(text, said);
}

static void test_round_trip(void **)
{
	struct directory_hub *hub;
	struct directory_group *group;
	struct directory_user *user;
	struct said said;
	char *first, *second;
	size_t size, again;

	directory_clear();
	assert_int_equal(directory_hub_create("A", &hub), 0);
	hub->ext_options[HUB_EXT_FilterBPDU] = 1;
	hub->ext_options[HUB_EXT_NoMacAddressLog] = 0;
	hub->ext_options[HUB_EXT_FloodingSendQueueBufferQuota] = 4000000000u;
	hub->admin_options[HUB_ADMIN_max_users] = 7;
	hub->admin_options[HUB_ADMIN_deny_bridge] = 1;
	hub->sources = calloc(3, sizeof(*hub->sources));
	hub->source_cnt = 3;
	assert_true(directory_source_parse("10.0.0.0/255.0.255.0", &hub->sources[0]));
	hub->sources[0].priority = 4000000000u;
	assert_true(directory_source_parse("fd00::1234/8", &hub->sources[1]));
	hub->sources[1].deny = true;
	assert_true(directory_source_parse("192.0.2.7", &hub->sources[2]));
	directory_sources_sort(hub->sources, 3);
	assert_int_equal(directory_group_create(hub, "staff \"1\"", &group), 0);
	group->use_policy = true;
	group->policy.max_upload_bps = 4294967295u;
	group->policy.no_bridge = 1;
	assert_int_equal(directory_group_create(hub, "empty", &group), 0);
	assert_int_equal(directory_user_create(hub, "u", &user), 0);
	directory_user_join(user, directory_group_find(hub, "STAFF \"1\""));
	assert_int_equal(directory_user_create(hub, "v", &user), 0);
	user->use_policy = true; /* and nothing in it differs from the default policy */

	first = directory_serialise(&size);
	directory_clear();
	assert_int_equal(load(first, &said), 0);
	assert_string_equal(said.text, "");
	second = directory_serialise(&again);
	assert_string_equal(first, second);

	hub = directory_hub_find("a");
	assert_int_equal(hub->ext_options[HUB_EXT_FilterBPDU], 1);
	assert_int_equal(hub->ext_options[HUB_EXT_NoMacAddressLog], 0);
	assert_int_equal(hub->ext_options[HUB_EXT_FloodingSendQueueBufferQuota], 4000000000u);
	assert_int_equal(hub->ext_options[HUB_EXT_VlanTypeId], 33024);
	assert_int_equal(hub->admin_options[HUB_ADMIN_max_users], 7);
	assert_int_equal(hub->group_cnt, 2);
	group = directory_group_find(hub, "staff \"1\"");
	assert_int_equal(group->user_cnt, 1);
	user = directory_user_find(hub, "U");
	assert_ptr_equal(user->group, group);
	assert_false(user->use_policy);
	assert_int_equal(directory_user_policy(user)->max_upload_bps, 4294967295u);
	user = directory_user_find(hub, "V");
	assert_true(user->use_policy);
	assert_int_equal(hub->source_cnt, 3);
	assert_int_equal(hub->sources[2].priority, 4000000000u);
	free(first);
	free(second);
	directory_clear();
}

/* policy.md 1: the user's as a whole, else the group's as a whole, else the default one. */
static void test_which_policy(void **)
{
	struct directory_hub *hub;
	struct directory_group *group;
	struct directory_user *user;

	directory_clear();
	assert_int_equal(directory_hub_create("A", &hub), 0);
	assert_int_equal(directory_group_create(hub, "g", &group), 0);
	assert_int_equal(directory_user_create(hub, "u", &user), 0);
	assert_int_equal(directory_user_policy(user)->max_connection, 32);
	directory_user_join(user, group);
	group->policy.max_mac = 9;
	assert_int_equal(directory_user_policy(user)->max_mac, 0);
	group->use_policy = true;
	assert_int_equal(directory_user_policy(user)->max_mac, 9);
	user->use_policy = true;
	user->policy.max_ip = 5;
	assert_int_equal(directory_user_policy(user)->max_ip, 5);
	assert_int_equal(directory_user_policy(user)->max_mac, 0);
	directory_user_join(user, NULL);
	assert_int_equal(group->user_cnt, 0);
	directory_clear();
}

static void test_bad_input(void **)
{
	static const struct {
		const char *members, *says;
	} rows[] = {
		{"options = { NoSuch = 1; };", "options.NoSuch: unknown key"},
		{"options = { FilterIPv4 = 2; };",
			"options.FilterIPv4: is an integer, should be true or false"},
		{"options = { VlanTypeId = 5; };",
			"options.VlanTypeId: is 5, should be from 1536 to 65535"},
		{"options = ( );", "options: should be a group"},
		{"admin_options = { max_users = -1; };",
			"admin_options.max_users: is -1, should be from 0 to 4294967295"},
		{"sources = ( { address = \"10.0.0\"; } );", "sources[0].address: is \"10.0.0\""},
		{"sources = ( { address = \"10.0.0.0/33\"; } );", "should be an address"},
		{"sources = ( { deny = true; } );", "address is missing"},
		{"groups = ( { name = \"g\"; }, { name = \"G\"; } );",
			"groups[1].name: is \"G\", which an earlier group"},
		{"groups = ( { name = \"g\"; policy = { MaxMac = 65536; }; } );",
			"groups[0].policy.MaxMac: is 65536, should be from 1 to 65535"},
		{"groups = ( { name = \"g\"; policy = { TimeOut = 4; }; } );",
			"groups[0].policy.TimeOut: is 4, should be from 5 to 60"},
		{"groups = ( { name = \"g\"; policy = { TimeOut = 0; }; } );",
			"groups[0].policy.TimeOut: is 0, should be from 5 to 60"},
		{"groups = ( { name = \"g\"; policy = { Access = 1; }; } );",
			"should be true or false"},
		{"groups = ( { name = \"g\"; policy = { Excess = true; }; } );",
			"groups[0].policy.Excess: unknown key"},
		{"users = ( { name = \"u\"; auth = \"anonymous\"; group = \"g\"; } );",
			"users[0].group: is \"g\", should be a group of this hub"},
	};
	struct said said;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(load_hub(rows[i].members, &said), -EINVAL);
		if (strstr(said.text, rows[i].says) == NULL)
			fail_msg("%s\nsays: %snot: %s", rows[i].members, said.text, rows[i].says);
	}
	/* 0 stands for "no limit" where that is the default. */
	assert_int_equal(
		load_hub("groups = ( { name = \"g\"; policy = { MaxMac = 0; }; } );", &said), 0);
	directory_clear();
}

static struct sockaddr_storage peer(const char *text)
{
	struct sockaddr_storage ss = {.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};

	assert_int_equal(
		inet_pton(ss.ss_family, text,
			ss.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&ss)->sin_addr
						: (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr),
		1);
	return ss;
}

/* libconfig compares each member of a group with all before it: 60 000 of them would take half a minute. */
static void test_many_members(void **)
{
	struct directory_rules rules;
	struct said said = {};
	char *text = malloc(1u << 20), *end = text;

	assert_non_null(text);
	end += sprintf(end, "{ ");
	for (unsigned i = 0; i < 60000; i++)
		end += sprintf(end, "a%u = 1; ", i);
	strcpy(end, "}");
	assert_int_equal(directory_rules_parse(text, said_hear, &said, &rules), -EINVAL);
	assert_non_null(strstr(said.text, "more than 32 members"));
	memset(text, '{', 1000);
	text[1000] = '\0';
	memset(&said, 0, sizeof(said));
	assert_int_equal(directory_rules_parse(text, said_hear, &said, &rules), -EINVAL);
	assert_non_null(strstr(said.text, "nested deeper"));
	/* What stands in a string or a comment is none, and many groups are no large one. */
	end = text;
	for (unsigned i = 0; i < 1000; i++)
		end += sprintf(end,
			"%s{ note = \"{ \\\" = = = = = = = = = = = = = = = = = = = = =\"; priority = %u; }",
			i > 0 ? ",\n# = = = = = = = = = = = = = = = {\n// = { {\n/* = = { { */ "
			      : "",
			i);
	memset(&said, 0, sizeof(said));
	if (directory_rules_parse(text, said_hear, &said, &rules) != 0)
		fail_msg("%s", said.text);
	assert_int_equal(rules.cnt, 1000);
	directory_rules_clear(&rules);
	free(text);
}

static double sort_seconds(struct directory_rules *rules)
{
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	assert_int_equal(directory_rules_sort(rules), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* As many rules as there may be, with ids that lie `step` apart. */
static double sort_many(uint32_t step)
{
	struct directory_rules rules = {.cnt = ACCESS_RULES_MAX, .room = ACCESS_RULES_MAX};
	double seconds;

	rules.rule = calloc(rules.cnt, sizeof(struct directory_rule *));
	assert_non_null(rules.rule);
	for (uint32_t i = 0; i < rules.cnt; i++) {
		rules.rule[i] = directory_rule_new();
		assert_non_null(rules.rule[i]);
		rules.rule[i]->priority = i + 1;
		rules.rule[i]->id = DIRECTORY_RULE_ID_MIN + i * step;
	}
	seconds = sort_seconds(&rules);
	for (uint32_t i = 0; i < rules.cnt; i++)
		assert_int_equal(rules.rule[i]->id, DIRECTORY_RULE_ID_MIN + i * step);
	directory_rules_clear(&rules);
	return seconds;
}

/* A hub's administrator chooses ids, and the control thread sorts them: no choice costs much more than another. */
static void test_ids_of_a_kind(void **)
{
	double plain = sort_many(1);

	for (unsigned shift = 8; shift <= 16; shift += 4)
		assert_true(sort_many(1u << shift) < 12 * plain + 0.02);
}

/* Ids that are taken, beside rules without any that say the same: each gets its own, and the same ones again. */
static void test_ids_are_found(void **)
{
	enum {
		N = 600
	};
	uint32_t ids[N] = {0}, first = 0;

	for (unsigned round = 0; round < 3; round++) {
		struct directory_rules rules = {.cnt = N, .room = N};

		rules.rule = calloc(N, sizeof(struct directory_rule *));
		assert_non_null(rules.rule);
		for (uint32_t i = 0; i < N; i++) {
			rules.rule[i] = directory_rule_new();
			assert_non_null(rules.rule[i]);
			/* Those that bring one stand where the others would have gone. */
			if (round > 0 && i % 3 == 0)
				rules.rule[i]->id = (first + i) | DIRECTORY_RULE_ID_MIN;
		}
		(void)sort_seconds(&rules);
		for (uint32_t i = 1; i < N; i++)
			assert_true(rules.rule[i - 1]->id < rules.rule[i]->id);
		if (round == 0)
			first = rules.rule[0]->id;
		for (uint32_t i = 0; round > 0 && i < N; i++) {
			assert_true(round == 1 || ids[i] == rules.rule[i]->id);
			ids[i] = rules.rule[i]->id;
		}
		directory_rules_clear(&rules);
	}
}

static void test_sources(void **)
{
	static const struct {
		const char *peer;
		bool allowed;
	} rows[] = {
		{"192.0.2.1", false},	     /* 20 before 30 */
		{"192.0.2.7", true},	     /* 10 before 20 */
		{"192.0.3.1", true},	     /* nothing matches */
		{"::ffff:192.0.2.1", false}, /* IPv4 through an IPv6 socket */
		{"fd00::1", false},
		{"fd01::1", true},
		{"10.1.9.1", false}, /* a mask that is no prefix */
		{"10.1.8.1", true},
		{"2001:db8::1", true},
	};
	struct said said;
	struct directory_hub *hub;

	assert_int_equal(load_hub("sources = ( { priority = 30; address = \"192.0.2.0/24\"; },"
				  " { priority = 20; deny = true; address = \"192.0.2.99/24\"; },"
				  " { priority = 10; address = \"192.0.2.7\"; },"
				  " { deny = true; address = \"fd00::/16\"; },"
				  " { deny = true; address = \"10.0.9.0/255.0.255.0\"; } );",
				 &said),
		0);
	hub = directory_hub_find("A");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage ss = peer(rows[i].peer);

		if (directory_source_allows(hub, &ss) != rows[i].allowed)
			fail_msg("%s", rows[i].peer);
	}
	directory_clear();
}

static void test_source_text(void **)
{
	static const char *const same[] = {"0.0.0.0/0", "10.0.0.0/8", "10.1.2.3", "::/0",
		"fd00::/8", "2001:db8::1", "10.0.9.0/255.0.255.0", "128.0.0.0/1"};
	static const char *const wrong[] = {"", "/", "10.0.0.0/", "10.0.0.0/33", "::/129",
		"10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/ffff::", "host", "10.0.0.1 ", "1.2.3.4.5"};
	struct directory_source s = {0};
	char text[DIRECTORY_SOURCE_TEXT];

	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(directory_source_parse(same[i], &s));
		directory_source_text(&s, text);
		assert_string_equal(text, same[i]);
	}
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (directory_source_parse(wrong[i], &s))
			fail_msg("%s", wrong[i]);
}

/* Many users come and go by name; taken ones are not found, put back ones are. */
static void test_take_and_put(void **)
{
	enum {
		USERS = 500
	};
	static struct directory_user *users[USERS];
	struct directory_hub *hub;
	struct directory_group *group;
	char name[16];

	directory_clear();
	assert_int_equal(directory_hub_create("A", &hub), 0);
	assert_int_equal(directory_group_create(hub, "g", &group), 0);
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		assert_int_equal(directory_user_create(hub, name, &users[i]), 0);
		directory_user_join(users[i], group);
	}
	for (unsigned i = 0; i < USERS; i += 3)
		directory_user_take(hub, users[i]);
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "U%u", i);
		assert_ptr_equal(directory_user_find(hub, name), i % 3 == 0 ? NULL : users[i]);
	}
	assert_int_equal(group->user_cnt, USERS - (USERS + 2) / 3);
	for (unsigned i = 0; i < USERS; i += 3)
		directory_user_put(hub, users[i]);
	assert_int_equal(group->user_cnt, USERS);
	assert_int_equal(hub->user_cnt, USERS);
	hub->admin_options[HUB_ADMIN_max_users] = USERS;
	assert_int_equal(directory_user_create(hub, "one more", &users[0]), -ENOSPC);
	assert_int_equal(directory_user_create(hub, "u1", &users[0]), -EEXIST);
	directory_hub_take(hub);
	assert_null(directory_hub_find("A"));
	directory_hub_put(hub);
	assert_ptr_equal(directory_hub_find("A"), hub);
	directory_clear();
}

#define ROOT TEST_DATA_DIR "/../../.."

static char *file_text(const char *name)
{
	FILE *f = fopen(name, "r");
	char *text = calloc(1, 262144);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 262143, f) > 0);
	fclose(f);
	return text;
}

static void in_manual(const char *man, const char *name, uint32_t min, uint32_t max, uint32_t def)
{
	char line[256];

	if (min == 0 && max == 1)
		snprintf(line, sizeof(line), "\\fB%s\\fR (boolean, default %s)", name,
			def ? "true" : "false");
	else
		snprintf(line, sizeof(line), "\\fB%s\\fR (integer, %u .. %u", name, min, max);
	if (strstr(man, line) == NULL)
		fail_msg("directory.cfg.5 has no \"%s\"", line);
}

/* What an option does not do yet, and that alone, is said in its paragraph. */
static void option_in_manual(const char *man, const struct option_key *key)
{
	char line[128];
	const char *at, *end, *not_yet;

	in_manual(man, key->name, key->min, key->max, key->def);
	snprintf(line, sizeof(line), "\\fB%s\\fR (", key->name);
	at = strstr(man, line);
	end = strstr(at, "\n.TP");
	not_yet = strstr(at, "Not in force yet.");
	if ((not_yet != NULL && (end == NULL || not_yet < end)) != (key->effect == OPTION_KEPT))
		fail_msg("directory.cfg.5: is %s in force?", key->name);
}

/* The manual has every key with its range, and the sample loads. */
static void test_manual(void **)
{
	char *man = file_text(ROOT "/config/directory.cfg.5");
	struct said said = {};

	for (unsigned i = 0; i < POLICY_KEY_COUNT; i++)
		in_manual(man, policy_keys[i].key, policy_keys[i].min, policy_keys[i].max,
			policy_keys[i].def);
	for (unsigned i = 0; i < HUB_EXT_CNT; i++)
		option_in_manual(man, &hub_ext_keys[i]);
	for (unsigned i = 0; i < HUB_ADMIN_CNT; i++)
		option_in_manual(man, &hub_admin_keys[i]);
	free(man);
	assert_int_equal(directory_load(ROOT "/config/directory.cfg.sample", said_hear, &said), 0);
	assert_string_equal(said.text, "");
	directory_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_which_policy),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_many_members),
		cmocka_unit_test(test_ids_of_a_kind),
		cmocka_unit_test(test_ids_are_found),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_source_text),
		cmocka_unit_test(test_take_and_put),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, said_setup, said_teardown);
}
