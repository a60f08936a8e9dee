/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory: names, index, strict reading, and text that reads back as what it was written from. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/directory.h"
#include "drivers/session/wire/sha0.h"
#include "test/unit/said.h"

static int load(const char *text, struct said *said)
{
	said_write(said, text);
	return directory_load(said_path, said_hear, said);
}

static struct directory_user *user(struct directory_hub *hub, const char *name)
{
	struct directory_user *u = NULL;

	assert_int_equal(directory_user_create(hub, name, &u), 0);
	return u;
}

static void replace(char **text, const char *by)
{
	free(*text);
	*text = strdup(by);
}

static void test_round_trip(void **)
{
	struct directory_hub *hub;
	struct directory_user *u;
	struct said said;
	char *first, *second, wrong[DIRECTORY_MANAGED_TEXT], line[DIRECTORY_MANAGED_LINE];
	size_t size, again;

	directory_clear();
	assert_int_equal(directory_hub_create("DEFAULT", &hub), 0);
	u = user(hub, "利用者 \"\\引用\\\" 表");
	directory_user_set_password(u, "pass");
	replace(&u->real_name, "山田 太郎 \"');@include \"x\"");
	replace(&u->note,
		"line\n\ttab \\n # not a comment /* nor this */\n@include \"/etc/passwd\"\n");
	u->expires_ms = 1900000000123;
	user(hub, "guest");
	assert_int_equal(directory_hub_create("second (2)", &hub), 0);
	hub->online = false;
	hub->no_enum = true;
	hub->require_encryption = true;
	hub->max_sessions = 12;
	hub->max_macs = 4000000;
	assert_true(directory_managed_line_parse(
		"198.51.100.7/24, 2001:db8::1/32 192.0.2.1,0.0.0.0/0,::ffff:10.1.2.3/104",
		&hub->managed, wrong));

	first = directory_serialise(&size);
	assert_non_null(first);
	assert_int_equal(strlen(first), size);
	directory_clear();
	assert_int_equal(load(first, &said), 0);
	assert_string_equal(said.text, "");
	second = directory_serialise(&again);
	assert_string_equal(first, second);

	hub = directory_hub_find("default");
	assert_non_null(hub);
	assert_int_equal(hub->user_cnt, 2);
	u = directory_user_find(hub, "利用者 \"\\引用\\\" 表");
	assert_non_null(u);
	assert_string_equal(u->real_name, "山田 太郎 \"');@include \"x\"");
	assert_true(strstr(u->note, "\n@include") != NULL);
	assert_int_equal(u->expires_ms, 1900000000123);
	assert_int_equal(u->auth, DIRECTORY_AUTH_PASSWORD);
	hub = directory_hub_find("SECOND (2)");
	assert_non_null(hub);
	assert_false(hub->online);
	assert_true(hub->no_enum);
	assert_true(hub->require_encryption);
	assert_int_equal(hub->max_sessions, 12);
	assert_int_equal(hub->max_macs, 4000000);
	directory_managed_line(&hub->managed, line);
	assert_string_equal(line, "198.51.100.0/24,2001:db8::/32,192.0.2.1,0.0.0.0/0,10.0.0.0/8");
	free(first);
	free(second);
	directory_clear();
}

/* A person may write the password itself; the hash replaces it at the next save. */
static void test_clear_password(void **)
{
	uint8_t hash[SHA0_BYTES];
	struct directory_user *u;
	struct said said;
	size_t size;
	char *text;

	assert_int_equal(load("hubs = ( { name = \"A\"; users = ( { name = \"Bob\"; "
			      "auth = \"password\"; password = \"geheim-17\"; } ); } );",
				 &said),
		0);
	u = directory_user_find(directory_hub_find("a"), "BOB");
	assert_non_null(u);
	sha0_password_hash("geheim-17", "bob", hash);
	assert_memory_equal(u->hashed_password, hash, sizeof(hash));
	text = directory_serialise(&size);
	assert_null(strstr(text, "geheim-17"));
	assert_non_null(strstr(text, "password_hash"));
	free(text);
}

static void test_names(void **)
{
	static const char *const bad_users[] = {"", "link", "LINK", "cascade", "SecureNat",
		"LOCALBRIDGE", "local bridge", "Administrator", "L3SW_x", "l3sw_", "a\nb", "\x7f",
		"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe3\x81"};
	static const char *const good_users[] = {
		"a", "L3SW", "linker", "a b", "ü", "用", "x@y", "\"", "\\"};
	static const char *const bad_hubs[] = {
		"", ".a", "a.", " a", "a ", "a/b", "a\"b", "ü", "a\tb"};
	static const char *const good_hubs[] = {"A", "my hub-1_(x).y", "0"};
	struct directory_hub *hub, *h;
	struct directory_user *u;
	char longest[300];

	directory_clear();
	assert_int_equal(directory_hub_create("H", &hub), 0);
	for (unsigned i = 0; i < sizeof(bad_users) / sizeof(bad_users[0]); i++)
		assert_int_equal(directory_user_create(hub, bad_users[i], &u), -EINVAL);
	for (unsigned i = 0; i < sizeof(good_users) / sizeof(good_users[0]); i++)
		assert_int_equal(directory_user_create(hub, good_users[i], &u), 0);
	for (unsigned i = 0; i < sizeof(bad_hubs) / sizeof(bad_hubs[0]); i++)
		assert_int_equal(directory_hub_create(bad_hubs[i], &h), -EINVAL);
	for (unsigned i = 0; i < sizeof(good_hubs) / sizeof(good_hubs[0]); i++)
		assert_int_equal(directory_hub_create(good_hubs[i], &h), 0);
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	assert_int_equal(directory_user_create(hub, longest, &u), -EINVAL);
	assert_int_equal(directory_hub_create(longest, &h), -EINVAL);
	longest[255] = '\0';
	assert_int_equal(directory_user_create(hub, longest, &u), 0);
	assert_int_equal(directory_hub_create(longest, &h), 0);
	assert_int_equal(directory_user_create(hub, "A", &u), -EEXIST);
	assert_int_equal(directory_hub_create("h", &h), -EEXIST);
	directory_clear();
}

#define USER(fields) "hubs = ( { name = \"A\"; users = ( {\n" fields "\n} ); } );"
#define HUB(fields)  "hubs = ( {\n" fields "\n} );"
#define HASH	     "password_hash = \"0123456789abcdef0123456789ABCDEF01234567\";"

static const struct {
	const char *text;
	const char *where;
	const char *what;
} wrong[] = {
	{"", ": hubs is missing", ""},
	{"hubs = 3;", ":1: hubs: ", "list"},
	{"hubs = ( 3 );", ":1: hubs[0]: ", "group"},
	{"hubs = (); users = ();", ":1: users: ", "unknown key"},
	{"version = 2; hubs = ();", ":1: version: ", "from 1 to 1"},
	{HUB("online = true;"), ":1: hubs[0]: ", "name is missing"},
	{HUB("name = 3;"), ":2: hubs[0].name: ", "string"},
	{HUB("name = \"a.\";"), ":2: hubs[0].name: ", "dot"},
	{HUB("name = \"A\"; online = 1;"), ":2: hubs[0].online: ", "true or false"},
	{HUB("name = \"A\"; max_sessions = -1;"), ":2: hubs[0].max_sessions: ", "from 0"},
	{HUB("name = \"A\"; message = \"a\\x07\";"), ":2: hubs[0].message: ", "control"},
	{HUB("name = \"A\"; managed = (\"10.0.0.0/33\");"), ":2: hubs[0].managed[0]: ", "0 to 32"},
	{HUB("name = \"A\"; managed = (\"fd00::/129\");"), ":2: hubs[0].managed[0]: ", "0 to 128"},
	{HUB("name = \"A\"; managed = (\"::/80\");"), ":2: hubs[0].managed[0]: ", "all of IPv4"},
	{HUB("name = \"A\"; managed = (\"::8000:0:0/81\");"),
		":2: hubs[0].managed[0]: ", "all of IPv4"},
	{HUB("name = \"A\"; managed = [\"x\"];"), ":2: hubs[0].managed[0]: ", "\"x\""},
	{HUB("name = \"A\"; managed = (1);"), ":2: hubs[0].managed[0]: ", "network"},
	{HUB("name = \"A\"; managed = \"10.0.0.0/8\";"), ":2: hubs[0].managed: ", "list"},
	{HUB("name = \"A\"; max_macs = 3;"), ":2: hubs[0].max_macs: ", "from 16"},
	{HUB("name = \"A\"; max_macs = 16777217;"), ":2: hubs[0].max_macs: ", "16777216"},
	{HUB("name = \"A\"; created = \"2026-13-01T00:00:00Z\";"), ":2: hubs[0].created: ", "time"},
	{HUB("name = \"A\"; created = \"2026-11-23\";"), ":2: hubs[0].created: ", "time"},
	{HUB("name = \"A\"; usres = ();"), ":2: hubs[0].usres: ", "unknown key"},
	{HUB("name = \"A\"; }, { name = \"a\";"), ":2: hubs[1].name: ", "earlier hub"},
	{USER("auth = \"anonymous\";"), "hubs[0].users[0]: ", "name is missing"},
	{USER("name = \"Link\"; auth = \"anonymous\";"), ":2: hubs[0].users[0].name: ", "reserved"},
	{USER("name = \"*\"; auth = \"anonymous\";"), ":2: hubs[0].users[0].name: ", "external"},
	{USER("name = \"b\xff\"; auth = \"anonymous\";"), ":2: hubs[0].users[0].name: ", "UTF-8"},
	{USER("name = \"b\";"), "hubs[0].users[0]: ", "auth is missing"},
	{USER("name = \"b\"; auth = \"magic\";"), ":2: hubs[0].users[0].auth: ", "anonymous"},
	{USER("name = \"b\"; auth = \"password\";"), "hubs[0].users[0]: ", "either"},
	{USER("name = \"b\"; auth = \"anonymous\"; " HASH),
		":2: hubs[0].users[0].auth: ", "no password"},
	{USER("name = \"b\"; auth = \"password\"; password = \"x\"; " HASH),
		"hubs[0].users[0]: ", "either"},
	{USER("name = \"b\"; auth = \"password\"; password_hash = \"01\";"),
		":2: hubs[0].users[0].password_hash: ", "40 hex"},
	{USER("name = \"b\"; auth = \"anonymous\"; expires = 5;"),
		":2: hubs[0].users[0].expires: ", "string"},
	{USER("name = \"b\"; auth = \"anonymous\"; expires = \"soon\";"),
		":2: hubs[0].users[0].expires: ", "time"},
	{USER("name = \"b\"; auth = \"anonymous\"; note = \"\\x01\";"),
		":2: hubs[0].users[0].note: ", "UTF-8"},
	{USER("name = \"b\"; auth = \"anonymous\"; nose = \"\";"),
		":2: hubs[0].users[0].nose: ", "unknown"},
	{USER("name = \"b\"; auth = \"anonymous\"; }, { name = \"B\"; auth = \"anonymous\";"),
		":2: hubs[0].users[1].name: ", "earlier user"},
	{"hubs = ( {", ":1: ", "syntax error"},
};

static void test_wrong(void **)
{
	struct said said;

	assert_int_equal(load(HUB("name = \"KEEP\";"), &said), 0);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(load(wrong[i].text, &said), -EINVAL);
		if (said.lines != 1 || strncmp(said.text, said_path, strlen(said_path)) != 0 ||
			strstr(said.text, wrong[i].where) == NULL ||
			strstr(said.text, wrong[i].what) == NULL)
			fail_msg("%s\nshould say %s ... %s, says\n%s", wrong[i].text,
				wrong[i].where, wrong[i].what, said.text);
		assert_null(strstr(said.text, "0123456789"));
		/* What was loaded before is still there. */
		assert_non_null(directory_hub_find("KEEP"));
	}
	/* In one element all mistakes are told, also when its name is one of them. */
	assert_int_equal(load("hubs = ( { name = \".\"; online = 2; users = ( { name = \"link\";\n"
			      "auth = \"x\"; created = \"y\"; note = 3; } ); } );",
				 &said),
		-EINVAL);
	assert_int_equal(said.lines, 6);
	directory_clear();
}

static void test_many(void **)
{
	struct directory_hub *hub;
	struct directory_user *u;
	struct said said;
	struct timespec a, b;
	size_t size;
	char *text;
	double ms;

	directory_clear();
	assert_int_equal(directory_hub_create("BIG", &hub), 0);
	for (unsigned i = 0; i < DIRECTORY_USERS_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "User%u", i);
		user(hub, name);
	}
	assert_int_equal(directory_user_create(hub, "onemore", &u), -ENOSPC);
	text = directory_serialise(&size);
	assert_int_equal(load(text, &said), 0);
	free(text);
	hub = directory_hub_find("big");
	assert_int_equal(hub->user_cnt, DIRECTORY_USERS_MAX);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (unsigned i = 0; i < DIRECTORY_USERS_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "uSER%u", i);
		u = directory_user_find(hub, name);
		assert_non_null(u);
		assert_int_equal(strcmp(u->name + 4, name + 4), 0);
		name[0] = 'x';
		assert_null(directory_user_find(hub, name));
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	/* A walk of the list would take 10^8 comparisons, some seconds. */
	assert_true(ms < 500);
	directory_clear();
}

static int teardown(void **)
{
	directory_clear();
	return said_teardown(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_clear_password),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, said_setup, teardown);
}
