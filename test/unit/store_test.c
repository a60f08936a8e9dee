/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory on disk under bad luck: the process is killed before and after every system call of a save,
 * every one of them fails, the disk is full. System calls of store.c are taken over here: the definitions
 * below stand before libc's.
 */

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/log.h"
#include "controlplane/slow.h"
#include "controlplane/store.h"

enum luck {
	GOOD,
	KILLED_BEFORE,
	KILLED_AFTER,
	FAILS, /* with ENOSPC */
};

static enum luck luck;
static _Atomic unsigned step, bad_step, renames;
static char dir[] = "/tmp/patchbay-store-test.XXXXXX";
static struct event_base *base;

struct event_base *control_base(void)
{
	return base;
}

static bool fails(void)
{
	if (luck == GOOD || ++step != bad_step)
		return false;
	if (luck == KILLED_BEFORE)
		raise(SIGKILL);
	errno = ENOSPC;
	return luck == FAILS;
}

static long after(long rc)
{
	if (luck == KILLED_AFTER && step == bad_step)
		raise(SIGKILL);
	return rc;
}

int fsync(int fd)
{
	return fails() ? -1 : (int)after(syscall(SYS_fsync, fd));
}

int renameat(int fromfd, const char *from, int tofd, const char *to)
{
	renames += strcmp(to, "directory.cfg") == 0;
	return fails() ? -1 : (int)after(syscall(SYS_renameat, fromfd, from, tofd, to));
}

int linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
	return fails() ? -1 : (int)after(syscall(SYS_linkat, fromfd, from, tofd, to, flags));
}

int unlinkat(int fd, const char *path, int flags)
{
	return fails() ? -1 : (int)after(syscall(SYS_unlinkat, fd, path, flags));
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	/* Half of it, so that a save takes two. */
	return fails() ? -1 : after(syscall(SYS_write, fd, bytes, size > 64 ? size / 2 : size));
}

static void nothing(void *, const char *)
{
}

static char *path(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

static void clean(void)
{
	static const char *const names[] = {"directory.cfg", "directory.cfg.new", "directory.cfg.1",
		"directory.cfg.2", "directory.cfg.3", "directory.cfg.4", "directory.cfg.5",
		"directory.cfg.6"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path(names[i]));
}

static bool there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

/* A user whose name is the version: what was saved when is visible in the file. */
static void add_user(const char *name)
{
	struct directory_hub *hub = directory_hub_find("A");
	struct directory_user *u;

	if (hub == NULL)
		assert_int_equal(directory_hub_create("A", &hub), 0);
	assert_int_equal(directory_user_create(hub, name, &u), 0);
}

static unsigned users(void)
{
	return directory_hub_find("A")->user_cnt;
}

static void begin(void)
{
	luck = GOOD;
	clean();
	directory_clear();
	store_fini();
	assert_int_equal(store_init(dir), 0);
	assert_int_equal(store_load(nothing, NULL), -ENOENT);
}

static unsigned users_in(const char *name)
{
	struct stat st;

	directory_clear();
	if (stat(path(name), &st) < 0)
		return 0;
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(directory_load(path(name), NULL, NULL), 0);
	return users();
}

static void test_versions(void **)
{
	begin();
	for (unsigned i = 1; i <= 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "u%u", i);
		add_user(name);
		assert_int_equal(store_save_now(), 0);
	}
	assert_int_equal(users_in("directory.cfg"), 8);
	assert_int_equal(users_in("directory.cfg.1"), 7);
	assert_int_equal(users_in("directory.cfg.5"), 3);
	assert_false(there("directory.cfg.6"));
	assert_false(there("directory.cfg.new"));
}

/* Saves once more in a child that has bad luck at `at`; true if it was killed. */
static bool save_in_child(enum luck kind, unsigned at)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		add_user("fresh");
		step = 0;
		bad_step = at;
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
		cnt = users_in(name);
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

		begin();
		/* Not yet all versions, then all. */
		for (unsigned i = 1; i <= 3 + at % 2 * 5; i++) {
			char name[8];

			snprintf(name, sizeof(name), "u%u", i);
			add_user(name);
			assert_int_equal(store_save_now(), 0);
		}
		cnt = users();
		was_killed = save_in_child(kind, at);
		/* Three deaths in a row at the same place push out no version. */
		for (unsigned i = 0; was_killed && i < 2; i++)
			save_in_child(kind, at);
		/* What a start finds. */
		assert_int_equal(store_load(nothing, NULL), 0);
		assert_true(users() == cnt || users() == cnt + 1);
		old += users() == cnt;
		fresh += users() == cnt + 1;
		check_versions(users(), at % 2 != 0 ? STORE_VERSIONS - 1 : 2);
		/* And it goes on from there. */
		assert_int_equal(store_load(nothing, NULL), 0);
		add_user("later");
		assert_int_equal(store_save_now(), 0);
		assert_int_equal(store_load(nothing, NULL), 0);
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

		begin();
		for (unsigned i = 1; i <= 7; i++) {
			char name[8];

			snprintf(name, sizeof(name), "u%u", i);
			add_user(name);
			assert_int_equal(store_save_now(), 0);
		}
		add_user("fresh");
		step = 0;
		bad_step = at;
		luck = FAILS;
		rc = store_save_now();
		luck = GOOD;
		assert_true(rc == 0 || rc == -ENOSPC);
		refused += rc < 0;
		assert_int_equal(users_in("directory.cfg"), rc == 0 ? 8 : 7);
		/* A failing unlink of a leftover is all that may leave one. */
		if (step < at)
			break;
		assert_int_equal(store_load(nothing, NULL), 0);
		assert_int_equal(store_save_now(), 0);
		assert_false(there("directory.cfg.new"));
	}
	assert_true(refused >= 8);
}

static void test_disk_full(void **)
{
	struct rlimit old, tiny = {100, RLIM_INFINITY};

	begin();
	add_user("one");
	assert_int_equal(store_save_now(), 0);
	add_user("two");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tiny.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
	assert_int_equal(store_save_now(), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(there("directory.cfg.new"));
	assert_int_equal(users_in("directory.cfg"), 1);
}

static char told[4096];

static void hear(void *, const char *line)
{
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n", line);
}

static void put_text(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_broken_is_never_overwritten(void **)
{
	struct directory_hub *hub;
	char text[64] = "";
	FILE *f;

	begin();
	add_user("one");
	assert_int_equal(store_save_now(), 0);
	add_user("two");
	assert_int_equal(store_save_now(), 0);
	add_user("three");
	assert_int_equal(store_save_now(), 0);
	put_text("directory.cfg", "hubs = (");
	put_text("directory.cfg.1", "hubs = 3;");
	told[0] = '\0';
	assert_int_equal(store_load(hear, NULL), -EINVAL);
	assert_non_null(strstr(told, "directory.cfg:1: syntax error"));
	assert_non_null(strstr(told, "would load is "));
	assert_non_null(strstr(told, "directory.cfg.2"));
	/* Nothing is in memory, and nothing goes to the disk. */
	assert_null(directory_hub_find("A"));
	assert_int_equal(directory_hub_create("A", &hub), 0);
	assert_int_equal(store_save_now(), -EPERM);
	f = fopen(path("directory.cfg"), "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, "hubs = (");

	directory_clear();
	unlink(path("directory.cfg"));
	told[0] = '\0';
	assert_int_equal(store_load(hear, NULL), -EINVAL);
	assert_non_null(strstr(told, "is missing"));
	assert_non_null(strstr(told, "directory.cfg.2"));
	assert_int_equal(store_save_now(), -EPERM);
	put_text("directory.cfg.2", "nonsense");
	told[0] = '\0';
	assert_int_equal(store_load(hear, NULL), -EINVAL);
	assert_non_null(strstr(told, "no earlier version would load"));
}

/* ---- saving beside the loop -------------------------------------------------------------------- */

struct change {
	struct store_request request;
	unsigned order;
	int error;
};

static unsigned answered;

static void change_done(struct store_request *request, int error)
{
	struct change *change = (struct change *)request;

	change->order = ++answered;
	change->error = error;
}

static void run_until(unsigned cnt)
{
	for (unsigned turns = 0; answered < cnt && turns < 1000; turns++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(answered, cnt);
}

static void test_coalescing(void **)
{
	struct change changes[4] = {};

	begin();
	base = event_base_new();
	assert_non_null(base);
	assert_int_equal(slow_init(2), 0);
	answered = 0;
	renames = 0;
	for (unsigned i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%u", i);
		add_user(name);
		changes[i].request.done = change_done;
		store_save(&changes[i].request);
		assert_int_equal(answered, 0);
	}
	run_until(4);
	/* The first went alone, the others waited for it and shared one. */
	assert_int_equal(renames, 2);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(changes[i].order, i + 1);
		assert_int_equal(changes[i].error, 0);
	}

	add_user("refused");
	answered = 0;
	step = 0;
	bad_step = 3;
	luck = FAILS;
	store_save(&changes[0].request);
	run_until(1);
	luck = GOOD;
	assert_int_equal(changes[0].error, -ENOSPC);
	store_save(&changes[1].request);
	run_until(2);
	assert_int_equal(changes[1].error, 0);

	slow_fini();
	event_base_free(base);
	base = NULL;
	assert_int_equal(users_in("directory.cfg"), 5);
	assert_int_equal(users_in("directory.cfg.1"), 4);
	assert_int_equal(users_in("directory.cfg.2"), 1);
}

static int setup(void **)
{
	log_set_level(LOG_LEVEL_ERROR);
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int teardown(void **)
{
	clean();
	directory_clear();
	store_fini();
	return rmdir(dir);
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
		cmocka_unit_test(test_coalescing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
