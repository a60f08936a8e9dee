/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the directory in the journal: beside the loop, under bad luck at every system call, beside people who
 * edit the file, and object by object.
 */

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/directory_priv.h"
#include "controlplane/store_priv.h"
#include "test/unit/store_bed.h"

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
		event_base_loop(bed_base, EVLOOP_ONCE);
	assert_int_equal(answered, cnt);
}

static void user_change(struct change *change, const char *name)
{
	const struct directory_object o = {"user", "A", name};

	change->request.done = change_done;
	store_change(&change->request, &o, 1);
}

/* The same for a user that is new. */
static void user_made(struct change *change, const char *name)
{
	bed_add_user(name);
	user_change(change, name);
}

/* One user in the file, no journal, no loop. */
static void begin_with(const char *name)
{
	bed_begin();
	bed_add_user(name);
	assert_int_equal(store_save_now(), 0);
}

static void start(void)
{
	bed_base = event_base_new();
	assert_non_null(bed_base);
	assert_int_equal(store_start(), 0);
}

static void stop(void)
{
	store_stop();
	event_base_free(bed_base);
	bed_base = NULL;
}

static void test_coalescing(void **)
{
	struct change changes[4] = {}, flush = {.request.done = change_done};
	struct directory_user *user;
	struct store_status status;

	begin_with("one");
	start();
	answered = 0;
	for (unsigned i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%u", i);
		user_made(&changes[i], name);
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

	bed_add_user("refused");
	answered = 0;
	luck_step = 0;
	luck_at = 1;
	luck = FAILS;
	user_change(&changes[0], "refused");
	run_until(1);
	luck = GOOD;
	assert_int_equal(changes[0].error, -ENOSPC);
	user = directory_user_find(directory_hub_find("A"), "refused");
	directory_user_take(directory_hub_find("A"), user);
	directory_user_free(user);
	user_made(&changes[1], "later");
	run_until(2);
	assert_int_equal(changes[1].error, 0);
	assert_int_equal(bed_users_in("directory.cfg"), 1);
	store_flush(&flush.request);
	run_until(3);
	assert_int_equal(flush.error, 0);
	assert_int_equal(bed_users_in("directory.cfg"), 6);
	assert_int_equal(bed_users_in("directory.cfg.1"), 1);
	assert_false(bed_there("directory.journal.1"));

	stop();
}

/* ---- the journal under bad luck ---------------------------------------------------------------- */

#define ROUNDS 6u

/* Users made and changed, the journal folded in between: how many were answered, in memory that outlives us. */
static void changes_in_child(enum luck kind, unsigned at, volatile unsigned *said)
{
	struct change change, flush = {.request.done = change_done};

	luck_step = 0;
	luck_at = at;
	luck = kind;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "j%u", i);
		answered = 0;
		user_made(&change, name);
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

		begin_with("one");
		said[0] = 0;
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			changes_in_child(kind, at, said);
		assert_int_equal(waitpid(child, &status, 0), child);
		/* What a start finds: all that was answered, and at most the one that was being written. */
		assert_int_equal(store_load(bed_deaf, NULL), 0);
		assert_in_range(bed_users(), 1 + said[0], 1 + said[0] + 1);
		for (unsigned i = 0; i < said[0]; i++) {
			char name[16];

			snprintf(name, sizeof(name), "j%u", i);
			assert_non_null(directory_user_find(directory_hub_find("A"), name));
		}
		/* And it goes on from there. */
		start();
		answered = 0;
		user_made(&change, "later");
		run_until(1);
		assert_int_equal(change.error, 0);
		store_flush(&flush.request);
		run_until(2);
		assert_int_equal(flush.error, 0);
		stop();
		assert_int_equal(store_load(bed_deaf, NULL), 0);
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

		begin_with("one");
		luck_step = 0;
		luck_at = at;
		luck = FAILS;
		for (unsigned i = 0; i < 3; i++) {
			char name[16];

			snprintf(name, sizeof(name), "f%u", i);
			user_made(&changes[i], name);
			if (i == 1)
				store_flush(&flush.request);
		}
		luck = GOOD;
		assert_int_equal(store_load(bed_deaf, NULL), 0);
		for (unsigned i = 0; i < 3; i++) {
			char name[16];

			snprintf(name, sizeof(name), "f%u", i);
			assert_int_equal(directory_user_find(directory_hub_find("A"), name) != NULL,
				changes[i].error == 0);
			refused += changes[i].error != 0;
		}
		unfolded += flush.error != 0;
		if (luck_step < at)
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

	begin_with("one");
	answered = 0;
	user_made(&change, "two");
	assert_int_equal(change.error, 0);
	f = fopen(bed_path("directory.journal.1"), "a");
	assert_non_null(f);
	fputs("@ 500 0123abcd\nobjects = (", f);
	fclose(f);
	assert_int_equal(store_load(bed_deaf, NULL), 0);
	assert_int_equal(bed_users(), 2);
	start();
	stop();
	assert_true(bed_there("directory.journal.1.torn"));
	assert_false(bed_there("directory.journal.1"));
	assert_int_equal(bed_users_in("directory.cfg"), 2);

	/* Segment 2 damaged, segment 3 there. */
	bed_put("directory.journal.2", "patchbay journal 1\n@ 3 00000000\nabc\n");
	bed_put("directory.journal.3", "patchbay journal 1\n");
	bed_told[0] = '\0';
	assert_int_equal(store_load(bed_hear, NULL), -EINVAL);
	assert_non_null(strstr(bed_told, "directory.journal.2: is damaged"));
	assert_true(bed_there("directory.journal.2"));
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

	begin_with("one");
	bed_put("directory.cfg", text);
	answered = 0;
	user_made(&change, "two");
	assert_int_equal(change.error, 0);
	store_flush(&flush.request);
	assert_int_equal(flush.error, -ESTALE);
	store_status(&status);
	assert_true(status.edited);
	f = fopen(bed_path("directory.cfg"), "r");
	assert_non_null(fgets(found, sizeof(found), f));
	fclose(f);
	assert_string_equal(found, text);
	/* Read, it is in force, with what was changed since on top. */
	assert_int_equal(store_load(bed_deaf, NULL), 0);
	assert_int_equal(bed_users(), 2);
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

	begin_with("here");
	answered = 0;
	user_made(&change, "before");
	bed_put("directory.cfg", text);
	store_freeze(calm);
	assert_int_equal(answered, 2);
	directory_init(&fresh);
	assert_int_equal(directory_read_file(bed_path("directory.cfg"), bed_deaf, NULL, &fresh), 0);
	directory_clear();
	directory_move(&directory_now, &fresh);
	dirfd = open(bed_dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(store_identify(dirfd, STORE_FILE, &file), 0);
	close(dirfd);
	store_thaw(&file);
	user_made(&change, "after");
	assert_int_equal(change.error, 0);
	assert_int_equal(store_load(bed_deaf, NULL), 0);
	assert_int_equal(bed_users(), 2);
	assert_non_null(directory_user_find(directory_hub_find("A"), "after"));
	store_flush(&flush.request);
	assert_int_equal(flush.error, 0);
	assert_int_equal(bed_users_in("directory.cfg"), 2);
}

/* The next start has all that is there now, and no more. */
static void assert_loads_the_same(void)
{
	char *before, *now;
	size_t size;

	before = directory_serialise(&size);
	assert_int_equal(store_load(bed_deaf, NULL), 0);
	now = directory_serialise(&size);
	assert_string_equal(now, before);
	free(before);
	free(now);
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

	bed_begin();
	bed_add_user("a");
	bed_add_user("b");
	bed_add_user("c");
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
	assert_loads_the_same();

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
	assert_loads_the_same();
	assert_int_equal(directory_hub_find("A")->max_sessions, 77);
	/* The whole at once. */
	bed_add_user("z");
	store_save(&change.request);
	assert_int_equal(change.error, 0);
	assert_int_equal(store_load(bed_deaf, NULL), 0);
	assert_int_equal(bed_users(), 3);
}

static struct store_text text = {.max = 1 << 20};
static int text_error;

static void text_done(struct store_text *, int error)
{
	answered++;
	text_error = error;
}

/* What the directory's text says of three users: a bit for each that is in it. `others` are answered with it. */
static unsigned text_names(unsigned others)
{
	unsigned names = 0;

	text.done = text_done;
	answered = 0;
	assert_int_equal(store_text_begin(&text), 0);
	run_until(others + 1);
	assert_int_equal(text_error, 0);
	names = (strstr(text.bytes, "\"one\"") != NULL) |
		(strstr(text.bytes, "\"two\"") != NULL) << 1 |
		(strstr(text.bytes, "\"three\"") != NULL) << 2;
	free(text.bytes);
	return names;
}

/* The text for an administrator: all that was answered, from wherever it is on the disk; nothing else. */
static void test_text(void **)
{
	struct change change = {}, flush = {.request.done = change_done};

	begin_with("one");
	start();
	assert_int_equal(text_names(0), 1); /* no journal at all */
	answered = 0;
	user_made(&change, "two");
	run_until(1);
	assert_int_equal(text_names(0), 3); /* in the open segment */
	store_flush(&flush.request);
	assert_int_equal(text_names(1), 3); /* beside a fold, which comes first on that thread */
	assert_int_equal(flush.error, 0);
	answered = 0;
	user_made(&change, "three");
	run_until(1);
	assert_int_equal(text_names(0), 7);
	text.max = 100;
	answered = 0;
	assert_int_equal(store_text_begin(&text), 0);
	run_until(1);
	assert_int_equal(text_error, -EFBIG);
	assert_null(text.bytes);
	text.max = 1 << 20;
	bed_put("directory.cfg", "hubs = ( );");
	answered = 0;
	assert_int_equal(store_text_begin(&text), 0);
	run_until(1);
	assert_int_equal(text_error, -ESTALE);
	assert_null(text.bytes);
	stop();
}

/* Bytes behind what was answered are on their way, or on their way back: nobody looks at them. */
static void test_text_beside_a_write(void **)
{
	struct change change = {};
	struct directory d;
	struct store_base base;
	FILE *f;

	begin_with("one");
	answered = 0;
	user_made(&change, "two");
	assert_int_equal(change.error, 0);
	store_base(&base);
	user_made(&change, "three");
	assert_int_equal(change.error, 0);
	directory_init(&d);
	assert_int_equal(directory_read_file(bed_path("directory.cfg"), NULL, NULL, &d), 0);
	assert_int_equal(store_segments_replay_answered(&base, &d), 0);
	assert_int_equal(directory_find_hub(&d, "A")->user_cnt, 2);
	directory_free(&d);
	/* The same where the rest is not even whole. */
	store_base(&base);
	f = fopen(bed_path("directory.journal.1"), "a");
	fputs("@ 500 0123abcd\nobjects = (", f);
	fclose(f);
	directory_init(&d);
	assert_int_equal(directory_read_file(bed_path("directory.cfg"), NULL, NULL, &d), 0);
	assert_int_equal(store_segments_replay_answered(&base, &d), 0);
	assert_int_equal(directory_find_hub(&d, "A")->user_cnt, 3);
	directory_free(&d);
}

/* The cost of a change is not the directory's. */
static void test_many(void **)
{
	struct change change = {};
	unsigned long biggest = 0;
	struct store_status s;
	uint64_t last = 0;

	begin_with("first");
	for (unsigned i = 0; i < 2000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "user%u", i);
		user_made(&change, name);
		assert_int_equal(change.error, 0);
		store_status(&s);
		if (s.journal_bytes - last > biggest)
			biggest = s.journal_bytes - last;
		last = s.journal_bytes;
	}
	assert_in_range(biggest, 1, 512);
	assert_int_equal(s.syncs, 2000);
	assert_int_equal(store_load(bed_deaf, NULL), 0);
	assert_int_equal(bed_users(), 2001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coalescing),
		cmocka_unit_test(test_journal_killed_before),
		cmocka_unit_test(test_journal_killed_after),
		cmocka_unit_test(test_journal_every_step_fails),
		cmocka_unit_test(test_journal_torn),
		cmocka_unit_test(test_edited_by_hand),
		cmocka_unit_test(test_reload_counts_further),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_beside_a_write),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
