/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory on disk under bad luck: the process is killed before and after every system call of a save,
 * every one of them fails, the disk is full. System calls of store.c are taken over here: the definitions
 * below stand before libc's.
 */

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/control.h"
#include "controlplane/directory_priv.h"
#include "controlplane/log.h"
#include "controlplane/slow.h"
#include "controlplane/store_priv.h"

enum luck {
	GOOD,
	KILLED_BEFORE,
	KILLED_AFTER,
	FAILS, /* with ENOSPC */
};

static enum luck luck;
static _Atomic unsigned step, bad_step;
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

int fdatasync(int fd)
{
	return fails() ? -1 : (int)after(syscall(SYS_fdatasync, fd));
}

int renameat(int fromfd, const char *from, int tofd, const char *to)
{
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
	char pattern[256];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/directory.*", dir);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
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
	for (unsigned i = 1; i <= 13; i++) {
		char name[8];

		snprintf(name, sizeof(name), "u%u", i);
		add_user(name);
		assert_int_equal(store_save_now(), 0);
	}
	assert_int_equal(users_in("directory.cfg"), 13);
	assert_int_equal(users_in("directory.cfg.1"), 12);
	assert_int_equal(users_in("directory.cfg.10"), 3);
	assert_false(there("directory.cfg.11"));
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
		for (unsigned i = 1; i <= 3 + at % 2 * 10; i++) {
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

static void user_change(struct change *change, const char *name)
{
	const struct directory_object o = {"user", "A", name};

	change->request.done = change_done;
	store_change(&change->request, &o, 1);
}

static void test_coalescing(void **)
{
	struct change changes[4] = {}, flush = {.request.done = change_done};
	struct directory_user *user;
	struct store_status status;

	begin();
	add_user("one");
	assert_int_equal(store_save_now(), 0);
	base = event_base_new();
	assert_non_null(base);
	assert_int_equal(store_start(), 0);
	answered = 0;
	for (unsigned i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%u", i);
		add_user(name);
		user_change(&changes[i], name);
		assert_int_equal(answered, 0);
	}
	run_until(4);
	/* The first went alone, the others waited for it and shared one. */
	store_status(&status);
	assert_int_equal(status.syncs, 2);
	assert_int_equal(status.changes, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(changes[i].order, i + 1);
		assert_int_equal(changes[i].error, 0);
	}

	add_user("refused");
	answered = 0;
	step = 0;
	bad_step = 1;
	luck = FAILS;
	user_change(&changes[0], "refused");
	run_until(1);
	luck = GOOD;
	assert_int_equal(changes[0].error, -ENOSPC);
	user = directory_user_find(directory_hub_find("A"), "refused");
	directory_user_take(directory_hub_find("A"), user);
	directory_user_free(user);
	add_user("later");
	user_change(&changes[1], "later");
	run_until(2);
	assert_int_equal(changes[1].error, 0);
	assert_int_equal(users_in("directory.cfg"), 1);
	store_flush(&flush.request);
	run_until(3);
	assert_int_equal(flush.error, 0);
	assert_int_equal(users_in("directory.cfg"), 6);
	assert_int_equal(users_in("directory.cfg.1"), 1);
	assert_false(there("directory.journal.1"));

	store_stop();
	event_base_free(base);
	base = NULL;
}

/* ---- the journal under bad luck ---------------------------------------------------------------- */

#define ROUNDS 6u

/* Users made and changed, the journal folded in between: how many were answered, in memory that outlives us. */
static void changes_in_child(enum luck kind, unsigned at, volatile unsigned *said)
{
	struct change change, flush = {.request.done = change_done};

	step = 0;
	bad_step = at;
	luck = kind;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "j%u", i);
		add_user(name);
		answered = 0;
		user_change(&change, name);
		if (answered != 1 || change.error != 0)
			_exit(2);
		said[0] = i + 1;
		if (i % 3 == 1)
			store_flush(&flush.request);
	}
	_exit(0);
}

static void journal_killed(enum luck kind)
{
	volatile unsigned *said =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned moments = 0;

	assert_true(said != MAP_FAILED);
	for (unsigned at = 1; at < 200; at++) {
		struct change change = {}, flush = {.request.done = change_done};
		pid_t child;
		int status;

		begin();
		add_user("one");
		assert_int_equal(store_save_now(), 0);
		said[0] = 0;
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			changes_in_child(kind, at, said);
		assert_int_equal(waitpid(child, &status, 0), child);
		/* What a start finds: all that was answered, and at most the one that was being written. */
		assert_int_equal(store_load(nothing, NULL), 0);
		assert_in_range(users(), 1 + said[0], 1 + said[0] + 1);
		for (unsigned i = 0; i < said[0]; i++) {
			char name[16];

			snprintf(name, sizeof(name), "j%u", i);
			assert_non_null(directory_user_find(directory_hub_find("A"), name));
		}
		/* And it goes on from there. */
		base = event_base_new();
		assert_int_equal(store_start(), 0);
		add_user("later");
		answered = 0;
		user_change(&change, "later");
		run_until(1);
		assert_int_equal(change.error, 0);
		store_flush(&flush.request);
		run_until(2);
		assert_int_equal(flush.error, 0);
		store_stop();
		event_base_free(base);
		base = NULL;
		assert_int_equal(store_load(nothing, NULL), 0);
		assert_non_null(directory_user_find(directory_hub_find("A"), "later"));
		if (!WIFSIGNALED(status))
			break;
		moments++;
	}
	assert_true(moments >= 20);
	munmap((void *)said, 4096);
}

static void test_journal_killed_before(void **)
{
	journal_killed(KILLED_BEFORE);
}

static void test_journal_killed_after(void **)
{
	journal_killed(KILLED_AFTER);
}

/* A change that was refused is not there after a restart, one that was answered is. */
static void test_journal_every_step_fails(void **)
{
	unsigned refused = 0, unfolded = 0;

	for (unsigned at = 1; at < 200; at++) {
		struct change changes[3] = {}, flush = {.request.done = change_done};

		begin();
		add_user("one");
		assert_int_equal(store_save_now(), 0);
		step = 0;
		bad_step = at;
		luck = FAILS;
		for (unsigned i = 0; i < 3; i++) {
			char name[16];

			snprintf(name, sizeof(name), "f%u", i);
			add_user(name);
			user_change(&changes[i], name);
			if (i == 1)
				store_flush(&flush.request);
		}
		luck = GOOD;
		assert_int_equal(store_load(nothing, NULL), 0);
		for (unsigned i = 0; i < 3; i++) {
			char name[16];

			snprintf(name, sizeof(name), "f%u", i);
			assert_int_equal(directory_user_find(directory_hub_find("A"), name) != NULL,
				changes[i].error == 0);
			refused += changes[i].error != 0;
		}
		unfolded += flush.error != 0;
		if (step < at)
			break;
	}
	assert_true(refused >= 4);
	assert_true(unfolded >= 4);
}

/* What was cut off at the end was never answered; damage in the middle is something else. */
static void test_journal_torn(void **)
{
	struct change change = {};
	FILE *f;

	begin();
	add_user("one");
	assert_int_equal(store_save_now(), 0);
	add_user("two");
	answered = 0;
	user_change(&change, "two");
	assert_int_equal(change.error, 0);
	f = fopen(path("directory.journal.1"), "a");
	assert_non_null(f);
	fputs("@ 500 0123abcd\nobjects = (", f);
	fclose(f);
	assert_int_equal(store_load(nothing, NULL), 0);
	assert_int_equal(users(), 2);
	base = event_base_new();
	assert_int_equal(store_start(), 0);
	store_stop();
	event_base_free(base);
	base = NULL;
	assert_true(there("directory.journal.1.torn"));
	assert_false(there("directory.journal.1"));
	assert_int_equal(users_in("directory.cfg"), 2);

	/* Segment 2 damaged, segment 3 there. */
	put_text("directory.journal.2", "patchbay journal 1\n@ 3 00000000\nabc\n");
	put_text("directory.journal.3", "patchbay journal 1\n");
	told[0] = '\0';
	assert_int_equal(store_load(hear, NULL), -EINVAL);
	assert_non_null(strstr(told, "directory.journal.2: is damaged"));
	assert_true(there("directory.journal.2"));
}

/* Edited while the daemon runs: never overwritten, and changes go on. */
static void test_edited_by_hand(void **)
{
	struct change change = {}, flush = {.request.done = change_done};
	static const char text[] =
		"hubs = ( { name = \"A\"; users = ( { name = \"by-hand\"; auth = \"anonymous\"; } ); } );";
	struct store_status status;
	char found[sizeof(text)] = "";
	FILE *f;

	begin();
	add_user("one");
	assert_int_equal(store_save_now(), 0);
	put_text("directory.cfg", text);
	add_user("two");
	answered = 0;
	user_change(&change, "two");
	assert_int_equal(change.error, 0);
	store_flush(&flush.request);
	assert_int_equal(flush.error, -ESTALE);
	store_status(&status);
	assert_true(status.edited);
	f = fopen(path("directory.cfg"), "r");
	assert_non_null(fgets(found, sizeof(found), f));
	fclose(f);
	assert_string_equal(found, text);
	/* Read, it is in force, with what was changed since on top. */
	assert_int_equal(store_load(nothing, NULL), 0);
	assert_int_equal(users(), 2);
	assert_non_null(directory_user_find(directory_hub_find("A"), "by-hand"));
	assert_non_null(directory_user_find(directory_hub_find("A"), "two"));
}

static void calm(void)
{
	answered++;
}

/* A file from another machine, read while the daemon runs, counts its journal further than this one does. */
static void test_reload_counts_further(void **)
{
	static const char text[] = "journal = 900;\n"
				   "hubs = ( { name = \"A\"; users = ( { name = \"there\"; "
				   "auth = \"anonymous\"; } ); } );";
	struct change change = {}, flush = {.request.done = change_done};
	struct store_identity file;
	struct directory fresh;
	int dirfd;

	begin();
	add_user("here");
	assert_int_equal(store_save_now(), 0);
	add_user("before");
	answered = 0;
	user_change(&change, "before");
	put_text("directory.cfg", text);
	store_freeze(calm);
	assert_int_equal(answered, 2);
	directory_init(&fresh);
	assert_int_equal(directory_read_file(path("directory.cfg"), nothing, NULL, &fresh), 0);
	directory_clear();
	directory_move(&directory_now, &fresh);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(store_identify(dirfd, STORE_FILE, &file), 0);
	close(dirfd);
	store_thaw(&file);
	add_user("after");
	user_change(&change, "after");
	assert_int_equal(change.error, 0);
	assert_int_equal(store_load(nothing, NULL), 0);
	assert_int_equal(users(), 2);
	assert_non_null(directory_user_find(directory_hub_find("A"), "after"));
	store_flush(&flush.request);
	assert_int_equal(flush.error, 0);
	assert_int_equal(users_in("directory.cfg"), 2);
}

/* Every kind of object: put, replaced in its place, gone; what depends on it follows. */
static void test_objects(void **)
{
	const struct directory_object all[] = {{"server", "", ""}, {"hub", "", "A"},
		{"group", "A", "g"}, {"user", "A", "b"}, {"bridge", "A", "eth9"}};
	const struct directory_object gone[] = {
		{"group", "A", "g"}, {"user", "A", "a"}, {"bridge", "A", "eth9"}, {"hub", "", "B"}};
	struct directory_admin admin;
	struct directory_bridge *bridge;
	struct directory_group *group;
	struct directory_user *user;
	struct directory_hub *hub;
	struct change change = {.request.done = change_done};
	char *before, *now;
	size_t size;

	begin();
	add_user("a");
	add_user("b");
	add_user("c");
	hub = directory_hub_find("A");
	assert_int_equal(directory_hub_create("B", &hub), 0);
	assert_int_equal(store_save_now(), 0);
	hub = directory_hub_find("A");
	directory_admin_set_password(&admin, "x");
	directory_server_set_admin(&admin);
	hub->max_sessions = 77;
	assert_int_equal(directory_group_create(hub, "g", &group), 0);
	user = directory_user_find(hub, "b");
	directory_user_join(user, group);
	directory_user_set_password(user, "\xe6\x97\xa5\xe6\x9c\xac");
	free(user->note);
	user->note = strdup("\xe7\xac\xac\xe4\xb8\x80\n\"second\" \\ line");
	assert_int_equal(directory_bridge_create("A", "eth9", false, "eth9", &bridge), 0);
	store_change(&change.request, all, 5);
	assert_int_equal(change.error, 0);
	before = directory_serialise(&size);
	assert_int_equal(store_load(nothing, NULL), 0);
	now = directory_serialise(&size);
	assert_string_equal(now, before);
	free(before);
	free(now);

	hub = directory_hub_find("A");
	user = directory_user_find(hub, "b");
	assert_string_equal(user->group->name, "g");
	directory_user_join(user, NULL);
	group = directory_group_find(hub, "g");
	directory_group_take(hub, group);
	directory_group_free(group);
	user = directory_user_find(hub, "a");
	directory_user_take(hub, user);
	directory_user_free(user);
	bridge = directory_bridge_find("A", "eth9");
	directory_bridge_take(bridge);
	free(bridge);
	hub = directory_hub_find("B");
	directory_hub_take(hub);
	directory_hub_free(hub);
	store_change(&change.request, gone, 4);
	assert_int_equal(change.error, 0);
	before = directory_serialise(&size);
	assert_int_equal(store_load(nothing, NULL), 0);
	now = directory_serialise(&size);
	assert_string_equal(now, before);
	free(before);
	free(now);
	assert_int_equal(directory_hub_find("A")->max_sessions, 77);
	/* The whole at once. */
	add_user("z");
	store_save(&change.request);
	assert_int_equal(change.error, 0);
	assert_int_equal(store_load(nothing, NULL), 0);
	assert_int_equal(users(), 3);
}

/* The cost of a change is not the directory's. */
static void test_many(void **)
{
	struct change change = {};
	unsigned long biggest = 0;
	struct store_status s;
	uint64_t last = 0;

	begin();
	add_user("first");
	assert_int_equal(store_save_now(), 0);
	for (unsigned i = 0; i < 2000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "user%u", i);
		add_user(name);
		user_change(&change, name);
		assert_int_equal(change.error, 0);
		store_status(&s);
		if (s.journal_bytes - last > biggest)
			biggest = s.journal_bytes - last;
		last = s.journal_bytes;
	}
	assert_in_range(biggest, 1, 512);
	assert_int_equal(s.syncs, 2000);
	assert_int_equal(store_load(nothing, NULL), 0);
	assert_int_equal(users(), 2001);
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
		cmocka_unit_test(test_journal_killed_before),
		cmocka_unit_test(test_journal_killed_after),
		cmocka_unit_test(test_journal_every_step_fails),
		cmocka_unit_test(test_journal_torn),
		cmocka_unit_test(test_edited_by_hand),
		cmocka_unit_test(test_reload_counts_further),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
