/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory on disk under bad luck: the process is killed before and after every system call of a save,
 * every one of them fails, the disk is full. The journal: store_journal_test.c.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/directory.h"
#include "controlplane/store.h"
#include "test/unit/store_bed.h"

static void test_versions(void **)
{
	bed_begin();
	for (unsigned i = 1; i <= 13; i++) {
		char name[8];

		snprintf(name, sizeof(name), "u%u", i);
		bed_add_user(name);
		assert_int_equal(store_save_now(), 0);
	}
	assert_int_equal(bed_users_in("directory.cfg"), 13);
	assert_int_equal(bed_users_in("directory.cfg.1"), 12);
	assert_int_equal(bed_users_in("directory.cfg.10"), 3);
	assert_false(bed_there("directory.cfg.11"));
	assert_false(bed_there("directory.cfg.new"));
}

/* Saves once more in a child that has bad luck at `at`; true if it was killed. */
static bool save_in_child(enum luck kind, unsigned at)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		bed_add_user("fresh");
		luck_step = 0;
		luck_at = at;
		luck = kind;
		_exit(store_save_now() == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* At least so many earlier versions, each older than the one before it. */
static void check_versions(unsigned younger, unsigned at_least)
{
	unsigned found = 0;

	for (unsigned v = 1; v <= STORE_VERSIONS; v++) {
		char name[32];
		unsigned cnt;

		snprintf(name, sizeof(name), "directory.cfg.%u", v);
		cnt = bed_users_in(name);
		if (cnt == 0)
			continue;
		/* Equal: a save that was cut off and repeated. */
		assert_true(cnt <= younger);
		younger = cnt;
		found++;
	}
	assert_true(found >= at_least);
}

static void killed(enum luck kind)
{
	unsigned moments = 0, old = 0, fresh = 0;

	for (unsigned at = 1;; at++) {
		unsigned cnt;
		bool was_killed;

		bed_begin();
		/* Not yet all versions, then all. */
		for (unsigned i = 1; i <= 3 + at % 2 * 10; i++) {
			char name[8];

			snprintf(name, sizeof(name), "u%u", i);
			bed_add_user(name);
			assert_int_equal(store_save_now(), 0);
		}
		cnt = bed_users();
		was_killed = save_in_child(kind, at);
		/* Three deaths in a row at the same place push out no version. */
		for (unsigned i = 0; was_killed && i < 2; i++)
			save_in_child(kind, at);
		/* What a start finds. */
		assert_int_equal(store_load(bed_deaf, NULL), 0);
		assert_true(bed_users() == cnt || bed_users() == cnt + 1);
		old += bed_users() == cnt;
		fresh += bed_users() == cnt + 1;
		check_versions(bed_users(), at % 2 != 0 ? STORE_VERSIONS - 1 : 2);
		/* And it goes on from there. */
		assert_int_equal(store_load(bed_deaf, NULL), 0);
		bed_add_user("later");
		assert_int_equal(store_save_now(), 0);
		assert_int_equal(store_load(bed_deaf, NULL), 0);
		assert_non_null(directory_user_find(directory_hub_find("A"), "later"));
		if (!was_killed)
			break;
		moments++;
	}
	assert_true(moments >= 9);
	assert_true(old >= 5 && fresh >= 2);
}

static void test_killed_before(void **)
{
	killed(KILLED_BEFORE);
}

static void test_killed_after(void **)
{
	killed(KILLED_AFTER);
}

/* Refused with a reason, and the old file is what it was; once all is well the same save succeeds. */
static void test_every_step_fails(void **)
{
	unsigned refused = 0;

	for (unsigned at = 1; at < 100; at++) {
		int rc;

		bed_begin();
		for (unsigned i = 1; i <= 7; i++) {
			char name[8];

			snprintf(name, sizeof(name), "u%u", i);
			bed_add_user(name);
			assert_int_equal(store_save_now(), 0);
		}
		bed_add_user("fresh");
		luck_step = 0;
		luck_at = at;
		luck = FAILS;
		rc = store_save_now();
		luck = GOOD;
		assert_true(rc == 0 || rc == -ENOSPC);
		refused += rc < 0;
		assert_int_equal(bed_users_in("directory.cfg"), rc == 0 ? 8 : 7);
		/* A failing unlink of a leftover is all that may leave one. */
		if (luck_step < at)
			break;
		assert_int_equal(store_load(bed_deaf, NULL), 0);
		assert_int_equal(store_save_now(), 0);
		assert_false(bed_there("directory.cfg.new"));
	}
	assert_true(refused >= 8);
}

static void test_disk_full(void **)
{
	struct rlimit old, tiny = {100, RLIM_INFINITY};

	bed_begin();
	bed_add_user("one");
	assert_int_equal(store_save_now(), 0);
	bed_add_user("two");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tiny.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
	assert_int_equal(store_save_now(), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(bed_there("directory.cfg.new"));
	assert_int_equal(bed_users_in("directory.cfg"), 1);
}

static void test_broken_is_never_overwritten(void **)
{
	struct directory_hub *hub;
	char text[64] = "";
	FILE *f;

	bed_begin();
	bed_add_user("one");
	assert_int_equal(store_save_now(), 0);
	bed_add_user("two");
	assert_int_equal(store_save_now(), 0);
	bed_add_user("three");
	assert_int_equal(store_save_now(), 0);
	bed_put("directory.cfg", "hubs = (");
	bed_put("directory.cfg.1", "hubs = 3;");
	bed_told[0] = '\0';
	assert_int_equal(store_load(bed_hear, NULL), -EINVAL);
	assert_non_null(strstr(bed_told, "directory.cfg:1: syntax error"));
	assert_non_null(strstr(bed_told, "would load is "));
	assert_non_null(strstr(bed_told, "directory.cfg.2"));
	/* Nothing is in memory, and nothing goes to the disk. */
	assert_null(directory_hub_find("A"));
	assert_int_equal(directory_hub_create("A", &hub), 0);
	assert_int_equal(store_save_now(), -EPERM);
	f = fopen(bed_path("directory.cfg"), "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, "hubs = (");

	directory_clear();
	unlink(bed_path("directory.cfg"));
	bed_told[0] = '\0';
	assert_int_equal(store_load(bed_hear, NULL), -EINVAL);
	assert_non_null(strstr(bed_told, "is missing"));
	assert_non_null(strstr(bed_told, "directory.cfg.2"));
	assert_int_equal(store_save_now(), -EPERM);
	bed_put("directory.cfg.2", "nonsense");
	bed_told[0] = '\0';
	assert_int_equal(store_load(bed_hear, NULL), -EINVAL);
	assert_non_null(strstr(bed_told, "no earlier version would load"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_killed_before),
		cmocka_unit_test(test_killed_after),
		cmocka_unit_test(test_every_step_fails),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_broken_is_never_overwritten),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
