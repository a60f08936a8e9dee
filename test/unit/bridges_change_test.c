/* SPDX-License-Identifier: BSD-3-Clause */
/* Adding and deleting bridges while the disk has not answered (controlplane/bridges.h), which the test does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "controlplane/bridges.h"
#include "controlplane/store.h"

static struct store_request *waiting;
static bool frozen;

bool store_frozen(void)
{
	return frozen;
}

void store_change(struct store_request *request, const struct directory_object *, unsigned)
{
	assert_null(waiting);
	waiting = request;
}

int bridges_begin(const struct directory_bridge *)
{
	return 0;
}

void bridges_end(const struct directory_bridge *)
{
}

bool bridges_alive(const struct directory_bridge *)
{
	return false;
}

static void disk_says(int error)
{
	struct store_request *request = waiting;

	assert_non_null(request);
	waiting = NULL;
	request->done(request, error);
}

static int add(const char *device, bool tap, const char *name, struct bridges_change **out)
{
	struct directory_bridge wanted = {.hub = "DEFAULT", .tap = tap};

	strcpy(wanted.device, device);
	strcpy(wanted.name, name);
	return bridges_add(&wanted, out);
}

static unsigned bridges(void)
{
	const struct directory_bridge *b;
	unsigned cnt = 0;

	TAILQ_FOREACH (b, directory_bridges(), entry)
		cnt++;
	return cnt;
}

static int end(struct bridges_change *c)
{
	int error;

	assert_true(bridges_change_done(c, &error));
	bridges_change_forget(c);
	return error;
}

/* One that leaves may come back: what takes its device or name meanwhile would be there beside it. */
static void what_leaves_is_not_free(void **)
{
	struct bridges_change *first, *leaves, *other;

	assert_int_equal(add("lan", true, "office", &first), 0);
	disk_says(0);
	assert_int_equal(end(first), 0);

	assert_int_equal(bridges_delete("DEFAULT", "office", &leaves), 0);
	assert_int_equal(bridges(), 0);
	assert_int_equal(add("LAN", true, "other", &other), -EBUSY);
	assert_int_equal(add("wan", true, "Office", &other), -EBUSY);
	disk_says(-ENOSPC);
	assert_int_equal(end(leaves), -ENOSPC);
	assert_int_equal(bridges(), 1);
	assert_int_equal(add("LAN", true, "other", &other), -EEXIST);

	assert_int_equal(bridges_delete("default", "LAN", &leaves), 0);
	bridges_change_forget(leaves);
	assert_int_equal(add("lan", true, "office", &other), -EBUSY);
	disk_says(0);
	assert_int_equal(add("lan", true, "office", &other), 0);
	disk_says(0);
	assert_int_equal(end(other), 0);
	assert_int_equal(bridges(), 1);
	directory_clear();
}

/* Added and deleted in one breath: the second waits for the disk's word on the first, so that refusing both leaves nothing. */
static void what_comes_is_not_deleted_yet(void **)
{
	struct bridges_change *comes, *leaves;

	assert_int_equal(add("lan", true, "office", &comes), 0);
	assert_int_equal(bridges_delete("DEFAULT", "office", &leaves), -EBUSY);
	disk_says(-ENOSPC);
	assert_int_equal(end(comes), -ENOSPC);
	assert_int_equal(bridges_delete("DEFAULT", "office", &leaves), -ENOENT);
	assert_int_equal(bridges(), 0);

	assert_int_equal(add("lan", true, "office", &comes), 0);
	bridges_change_forget(comes);
	disk_says(0);
	assert_int_equal(bridges_delete("DEFAULT", "office", &leaves), 0);
	disk_says(-ENOSPC);
	assert_int_equal(end(leaves), -ENOSPC);
	assert_int_equal(bridges(), 1);
	directory_clear();
}

/* Who waited for another change must not come in while the directory is read anew: what is read would undo it. */
static void nothing_begins_while_it_is_frozen(void **)
{
	struct bridges_change *comes, *leaves;

	assert_int_equal(add("lan", true, "office", &comes), 0);
	assert_int_equal(bridges_delete("DEFAULT", "office", &leaves), -EBUSY);
	frozen = true;
	disk_says(0);
	assert_int_equal(end(comes), 0);
	assert_int_equal(bridges_delete("DEFAULT", "office", &leaves), -EBUSY);
	assert_int_equal(add("wan", true, "street", &comes), -EBUSY);
	assert_int_equal(bridges(), 1);
	frozen = false;
	assert_int_equal(bridges_delete("DEFAULT", "office", &leaves), 0);
	disk_says(0);
	assert_int_equal(end(leaves), 0);
	directory_clear();
}

/* Devices and names of others, and those of other hubs, are nobody's. */
static void what_stays_is_free(void **)
{
	struct directory_bridge elsewhere = {
		.hub = "SECOND", .device = "lan", .name = "office", .tap = true};
	struct bridges_change *first, *leaves, *other;

	assert_int_equal(add("lan", true, "office", &first), 0);
	disk_says(0);
	assert_int_equal(end(first), 0);
	assert_int_equal(bridges_delete("DEFAULT", "lan", &leaves), 0);
	disk_says(-EIO);
	assert_int_equal(end(leaves), -EIO);

	assert_int_equal(add("wan", true, "street", &other), 0);
	disk_says(0);
	assert_int_equal(end(other), 0);
	assert_int_equal(bridges_add(&elsewhere, &other), 0);
	disk_says(0);
	assert_int_equal(end(other), 0);
	assert_int_equal(bridges(), 3);
	directory_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_leaves_is_not_free),
		cmocka_unit_test(what_stays_is_free),
		cmocka_unit_test(what_comes_is_not_deleted_yet),
		cmocka_unit_test(nothing_begins_while_it_is_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
