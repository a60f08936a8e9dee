/* SPDX-License-Identifier: BSD-3-Clause */
/* Administrators' passwords, listeners and the syslog server in the directory: round trip, and what a file may say. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/directory.h"
#include "drivers/session/wire/sha0.h"
#include "test/unit/said.h"

static struct said said;

static int load(const char *text)
{
	said_write(&said, text);
	return directory_load(said_path, said_hear, &said);
}

static void test_round_trip(void **)
{
	struct directory_listener l = {.port = 5555, .enabled = true};
	struct directory_admin admin;
	struct directory_hub *hub;
	uint8_t hash[SHA0_BYTES];
	size_t size;
	char *text;

	directory_clear();
	assert_false(directory_server_admin()->set);
	directory_admin_set_password(&admin, "サーバー");
	directory_server_set_admin(&admin);
	assert_int_equal(directory_hub_create("H", &hub), 0);
	directory_admin_set_password(&hub->admin, "hubpw");
	assert_int_equal(directory_hub_create("G", &hub), 0);
	directory_admin_set_hashes(&hub->admin, (const uint8_t *)"12345678901234567890", NULL);
	assert_int_equal(directory_listener_set(5555, &l), 0);
	l = (struct directory_listener){.port = 443, .removed = true};
	assert_int_equal(directory_listener_set(443, &l), 0);

	text = directory_serialise(&size);
	assert_null(strstr(text, "hubpw"));
	assert_int_equal(load(text), 0);
	assert_string_equal(said.text, "");
	free(text);
	sha0_password_hash("サーバー", "", hash);
	assert_true(directory_server_admin()->set);
	assert_memory_equal(directory_server_admin()->hash, hash, sizeof(hash));
	hub = directory_hub_find("H");
	assert_true(hub->admin.set);
	sha0_password_hash("hubpw", "administrator", hash);
	assert_memory_equal(hub->admin.vpn_hash, hash, sizeof(hash));
	hub = directory_hub_find("G");
	assert_true(hub->admin.set);
	assert_memory_equal(hub->admin.hash, "12345678901234567890", 20);
	assert_true(directory_listener_get(1, &l));
	assert_int_equal(l.port, 443);
	assert_true(l.removed);
	assert_true(directory_listener_get(0, &l));
	assert_true(l.enabled && !l.removed);
	assert_false(directory_listener_get(2, &l));

	assert_int_equal(directory_listener_set(5555, NULL), 0);
	assert_int_equal(directory_listener_set(1, NULL), 0);
	assert_true(directory_listener_get(0, &l));
	assert_int_equal(l.port, 443);
	assert_false(directory_listener_get(1, &l));
}

/* The hash of nothing is no password, whoever brings it. */
static void test_empty_password(void **)
{
	static const char text[] = "hubs = ( { name = \"H\"; admin_password = \"\"; } );\n"
				   "admin_password_hash = "
				   "\"f96cea198ad1dd5617ac084a3d92c6107708c0ef\";\n";

	assert_int_equal(load(text), 0);
	assert_false(directory_server_admin()->set);
	assert_false(directory_hub_find("H")->admin.set);
}

static void test_clear_password(void **)
{
	uint8_t hash[SHA0_BYTES];
	size_t size;
	char *text;

	assert_int_equal(load("hubs = ( );\nadmin_password = \"secret\";\n"), 0);
	sha0_password_hash("secret", "", hash);
	assert_memory_equal(directory_server_admin()->hash, hash, sizeof(hash));
	text = directory_serialise(&size);
	assert_null(strstr(text, "secret"));
	free(text);
}

static void test_too_many_listeners(void **)
{
	struct directory_listener l = {.enabled = true};

	directory_clear();
	for (unsigned i = 1; i <= DIRECTORY_LISTENERS_MAX; i++) {
		l.port = (uint16_t)i;
		assert_int_equal(directory_listener_set(l.port, &l), 0);
	}
	l.port = 60000;
	assert_int_equal(directory_listener_set(l.port, &l), -ENOSPC);
	l.port = 1;
	assert_int_equal(directory_listener_set(l.port, &l), 0);
}

static void test_syslog(void **)
{
	const struct directory_syslog *got;
	size_t size;
	char *text;

	assert_int_equal(load("hubs = ( );\n"), 0);
	assert_false(directory_server_syslog()->set);
	assert_int_equal(
		load("hubs = ( );\nsyslog = { lines = \"security\"; host = \"log\\\"s\"; };\n"), 0);
	text = directory_serialise(&size);
	assert_int_equal(load("hubs = ( );\n"), 0);
	assert_false(directory_server_syslog()->set);
	assert_int_equal(load(text), 0);
	free(text);
	got = directory_server_syslog();
	assert_true(got->set);
	assert_int_equal(got->lines, 2);
	assert_int_equal(got->port, 514);
	assert_string_equal(got->host, "log\"s");
	/* Switched off is an entry, too: above patchbay.cfg. */
	assert_int_equal(load("hubs = ( );\nsyslog = { lines = \"off\"; };\n"), 0);
	assert_true(directory_server_syslog()->set);
	assert_int_equal(directory_server_syslog()->lines, 0);
}

static void test_wrong(void **)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{"admin_password_hash = \"12\";", "40 hexadecimal"},
		{"admin_password = 5;", "admin_password"},
		{"admin_password = \"a\"; admin_password_hash = "
		 "\"f96cea198ad1dd5617ac084a3d92c6107708c0ee\";",
			"beside a hash"},
		{"admin_vpn_hash = \"f96cea198ad1dd5617ac084a3d92c6107708c0ee\";", "unknown"},
		{"listeners = ( 5 );", "group"},
		{"listeners = ( { enabled = true; } );", "port is missing"},
		{"listeners = ( { port = 0; } );", "port"},
		{"listeners = ( { port = 5; bind = \"x\"; } );", "bind"},
		{"listeners = ( { port = 5; }, { port = 5; removed = true; } );", "earlier"},
		{"syslog = 5;", "group"},
		{"syslog = { host = \"h\"; };", "lines"},
		{"syslog = { lines = \"some\"; host = \"h\"; };", "lines"},
		{"syslog = { lines = \"packet\"; };", "host"},
		{"syslog = { lines = \"packet\"; host = \"h\"; port = 0; };", "port"},
		{"syslog = { lines = \"packet\"; host = \"h\"; tls = true; };", "tls"},
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "hubs = ( );\n%s\n", wrong[i].text);
		assert_int_equal(load(text), -EINVAL);
		if (strstr(said.text, ":2") == NULL || strstr(said.text, wrong[i].says) == NULL)
			fail_msg("%s: said %s", wrong[i].text, said.text);
	}
	assert_int_equal(load("hubs = ( { name = \"H\";\nadmin_vpn_hash = "
			      "\"f96cea198ad1dd5617ac084a3d92c6107708c0ee\"; } );\n"),
		-EINVAL);
	assert_non_null(strstr(said.text, "without admin_password_hash"));
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
		cmocka_unit_test(test_empty_password),
		cmocka_unit_test(test_clear_password),
		cmocka_unit_test(test_too_many_listeners),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, said_setup, teardown);
}
