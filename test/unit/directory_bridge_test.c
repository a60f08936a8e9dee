/* SPDX-License-Identifier: BSD-3-Clause */
/* Local bridges in the directory: what may be added, what a file may say, and that nothing is lost on the way. */

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
#include "test/unit/said.h"

static struct said said;

static int load(const char *text)
{
	said_write(&said, text);
	return directory_load(said_path, said_hear, &said);
}

static struct directory_bridge *add(const char *hub, const char *device, bool tap, const char *name)
{
	struct directory_bridge *b = NULL;

	assert_int_equal(directory_bridge_create(hub, device, tap, name, &b), 0);
	return b;
}

static void test_round_trip(void **)
{
	struct directory_bridge *b;
	char *text;
	size_t size;

	directory_clear();
	b = add("DEFAULT", "Lan", true, "lan-side");
	b->limit_broadcast = true;
	b = add("NOT YET", "net_vhost0,iface=/run/a\"\\c.sock", false, "net_vhost0");
	b->monitor = true;
	b->keep_offloads = true;
	b->max_frame = 9000;
	text = directory_serialise(&size);
	assert_non_null(text);
	assert_int_equal(load(text), 0);
	free(text);
	b = directory_bridge_find("default", "lan");
	assert_non_null(b);
	assert_string_equal(b->hub, "DEFAULT");
	assert_string_equal(b->device, "Lan");
	assert_string_equal(b->name, "lan-side");
	assert_true(b->tap && b->limit_broadcast && !b->monitor && !b->keep_offloads);
	assert_int_equal(b->max_frame, DIRECTORY_FRAME_MIN);
	assert_ptr_equal(directory_bridge_find("DEFAULT", "LAN-SIDE"), b);
	b = directory_bridge_find("NOT YET", "net_vhost0");
	assert_non_null(b);
	assert_true(!b->tap && !b->limit_broadcast && b->monitor && b->keep_offloads);
	assert_int_equal(b->max_frame, 9000);
	/* Without bridges nothing of them stands in the file. */
	directory_clear();
	text = directory_serialise(&size);
	assert_null(strstr(text, "bridges"));
	assert_int_equal(load(text), 0);
	free(text);
	assert_true(TAILQ_EMPTY(directory_bridges()));
}

static void test_names(void **)
{
	struct directory_bridge *b;
	char device[DIRECTORY_DEVICE_BYTES + 1];

	directory_clear();
	add("H", "a", true, "one");
	/* The same device or name in one hub; case counts in devargs only. */
	assert_int_equal(directory_bridge_create("h", "A", true, "two", &b), -EEXIST);
	assert_int_equal(directory_bridge_create("H", "b", true, "ONE", &b), -EEXIST);
	add("H", "net_null0", false, "n0");
	assert_int_equal(directory_bridge_create("H", "net_null0", false, "n1", &b), -EEXIST);
	/* In another hub it is another. */
	add("G", "a", true, "one");
	assert_null(directory_bridge_find("F", "a"));

	assert_int_equal(directory_bridge_create("H", "elevenchars", true, "x", &b), 0);
	assert_int_equal(directory_bridge_create("H", "twelve_chars", true, "y", &b), -EINVAL);
	assert_int_equal(directory_bridge_create("H", "a/b", true, "y", &b), -EINVAL);
	assert_int_equal(directory_bridge_create("H", "", true, "y", &b), -EINVAL);
	assert_int_equal(directory_bridge_create("H", "net null", false, "y", &b), -EINVAL);
	assert_int_equal(directory_bridge_create("H", "net_null\n", false, "y", &b), -EINVAL);
	assert_int_equal(directory_bridge_create("H", "net_null9", false, "y y", &b), -EINVAL);
	assert_int_equal(directory_bridge_create("H", "net_null9", false, "", &b), -EINVAL);
	assert_int_equal(directory_bridge_create("H/", "net_null9", false, "y", &b), -EINVAL);
	/* Which port of a NIC is an address; what a virtual device makes of its mac= is its own matter. */
	assert_int_equal(
		directory_bridge_create("H", "0000:03:00.0,mac=eth1", false, "p0", &b), -EINVAL);
	assert_int_equal(directory_bridge_create(
				 "H", "pci:03:00.0,x=1,mac=02:00:00:00:00:0g", false, "p0", &b),
		-EINVAL);
	assert_int_equal(directory_bridge_create(
				 "H", "0000:03:00.0,mac=02:00:00:00:00:011", false, "p0", &b),
		-EINVAL);
	add("H", "0000:03:00.0,mac=02:00:00:00:00:01", false, "p1");
	add("H", "0000:03:00.0,mac=02:00:00:00:00:0A,x=1", false, "p2");
	add("H", "net_tap0,mac=fixed", false, "p3");
	memset(device, 'd', sizeof(device) - 1);
	device[DIRECTORY_DEVICE_BYTES] = '\0';
	assert_int_equal(directory_bridge_create("H", device, false, "long", &b), -EINVAL);
	device[DIRECTORY_DEVICE_BYTES - 1] = '\0';
	assert_int_equal(directory_bridge_create("H", device, false, "long", &b), 0);
}

static void test_default_name(void **)
{
	char name[DIRECTORY_BRIDGE_NAME_BYTES], device[200];

	directory_bridge_default_name("net_vhost0,iface=/a,queues=2", name);
	assert_string_equal(name, "net_vhost0");
	directory_bridge_default_name("0000:03:00.0", name);
	assert_string_equal(name, "0000:03:00.0");
	memset(device, 'x', sizeof(device) - 1);
	device[sizeof(device) - 1] = '\0';
	directory_bridge_default_name(device, name);
	assert_int_equal(strlen(name), DIRECTORY_BRIDGE_NAME_BYTES - 1);
}

static void test_take_and_put(void **)
{
	struct directory_bridge *b, *other;

	directory_clear();
	b = add("H", "a", true, "a");
	directory_bridge_take(b);
	assert_null(directory_bridge_find("H", "a"));
	other = add("H", "a", true, "a");
	directory_bridge_take(other);
	free(other);
	directory_bridge_put(b);
	assert_ptr_equal(directory_bridge_find("H", "a"), b);
	for (unsigned i = 1; i < DIRECTORY_BRIDGES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "b%u", i);
		add("H", name, true, name);
	}
	assert_int_equal(directory_bridge_create("H", "more", true, "more", &other), -ENOSPC);
}

static void test_wrong(void **)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{"bridges = 1;", "bridges"},
		{"bridges = ( 1 );", "should be a group"},
		{"bridges = ( { hub = \"H\"; } );", "either tap or device"},
		{"bridges = ( { tap = \"a\"; } );", "should have hub"},
		{"bridges = ( { hub = \"H\"; tap = \"a\"; device = \"b\"; } );",
			"either tap or device"},
		{"bridges = ( { hub = \"H\"; tap = \"a\"; colour = 1; } );", "colour"},
		{"bridges = ( { hub = \"H\"; tap = \"far_too_long_a_name\"; } );", "1 to 11"},
		{"bridges = ( { hub = \"/\"; tap = \"a\"; } );", "hub"},
		{"bridges = ( { hub = \"H\"; tap = \"a\"; monitor = 1; } );", "monitor"},
		{"bridges = ( { hub = \"H\"; tap = \"a\"; }, { hub = \"h\"; tap = \"A\"; } );",
			"earlier bridge"},
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "hubs = ( );\n%s\n", wrong[i].text);
		assert_int_equal(load(text), -EINVAL);
		if (strstr(said.text, ":2") == NULL || strstr(said.text, wrong[i].says) == NULL)
			fail_msg("%s: said %s", wrong[i].text, said.text);
	}
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
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_default_name),
		cmocka_unit_test(test_take_and_put),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, said_setup, teardown);
}
