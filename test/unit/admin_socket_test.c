/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The local socket: who gets in, what a caller can make us hold, and that nobody waits for a caller who is
 * slow. Loop and callers share one thread; pump() gives the loop its turns.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/admin/admin.h"
#include "test/unit/admin_fakes.h"

#define MACS 100000u

static char dir[32];
static char path[64];

static void pump(unsigned turns)
{
	while (turns-- > 0)
		event_base_loop(fakes.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static struct sockaddr_un address_of(const char *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", p);
	return a;
}

static int connect_caller(void)
{
	struct sockaddr_un a = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	pump(3);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n < 0)
			assert_int_equal(errno, EAGAIN);
		else {
			text += n;
			left -= (size_t)n;
		}
		pump(2);
	}
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Reads up to a newline (kept) or the end; malloc'ed. *eof when the connection has ended. */
static char *hear(int fd, bool *eof)
{
	size_t size = 0;
	size_t room = 1 << 16;
	char *text = malloc(room);
	double deadline = now_s() + 20;

	*eof = false;
	while (now_s() < deadline) {
		ssize_t n = recv(fd, text + size, room - size - 1, MSG_PEEK);
		char *end;

		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			*eof = true;
			break;
		}
		if (n < 0) {
			pump(1);
			continue;
		}
		/* Only what belongs to this line is taken out of the socket. */
		end = memchr(text + size, '\n', (size_t)n);
		if (end != NULL)
			n = end + 1 - (text + size);
		assert_int_equal(recv(fd, text + size, (size_t)n, 0), n);
		size += (size_t)n;
		if (end != NULL)
			break;
		if (room - size < 4096)
			text = realloc(text, room *= 2);
	}
	text[size] = '\0';
	assert_true(now_s() < deadline);
	return text;
}

static json_t *answer(int fd)
{
	bool eof;
	char *text = hear(fd, &eof);
	json_t *a = json_loads(text, 0, NULL);

	assert_false(eof);
	assert_non_null(a);
	free(text);
	return a;
}

static void assert_ended(int fd)
{
	bool eof;
	char *text = hear(fd, &eof);

	assert_true(eof);
	assert_string_equal(text, "");
	free(text);
	close(fd);
}

static json_int_t error_code(json_t *a)
{
	json_int_t code = json_integer_value(json_object_get(json_object_get(a, "error"), "code"));

	json_decref(a);
	return code;
}

static int setup(void **)
{
	admin_fakes_reset();
	strcpy(dir, "/tmp/admin-test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/admin.sock", dir);
	fakes.base = event_base_new();
	return 0;
}

static int setup_started(void **state)
{
	setup(state);
	fake_hub("a")->hub->mac_cnt = MACS;
	return admin_start(path);
}

static int teardown(void **)
{
	admin_stop();
	admin_stop();
	assert_int_equal(access(path, F_OK), -1);
	event_base_free(fakes.base);
	rmdir(dir);
	admin_fakes_free();
	return 0;
}

#define ENUM_HUB "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"EnumHub\"}\n"
#define ENUM_MAC                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"EnumMacTable\"," \
	"\"params\":{\"HubName_str\":\"a\"}}\n"

static void starts_and_replaces(void **)
{
	struct sockaddr_un a = address_of(path);
	char too_long[200];
	struct stat st;
	int fd;

	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(admin_start(too_long), -ENAMETOOLONG);
	assert_int_equal(admin_start("/nonexistent/x"), -ENOENT);

	/* A file that is not a socket is not ours to remove. */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(admin_start(path), -EEXIST);
	unlink(path);

	/* Somebody answers there. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(admin_start(path), -EADDRINUSE);
	/* Somebody died there. */
	close(fd);
	assert_int_equal(admin_start(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void requests_in_a_row_and_half_closed(void **)
{
	int fd = connect_caller();

	say(fd, "\n" ENUM_HUB "nonsense\n" ENUM_HUB);
	json_decref(answer(fd));
	assert_int_equal(error_code(answer(fd)), -32700);
	json_decref(answer(fd));
	/* What was asked before the end of input is still answered. */
	say(fd, ENUM_HUB ENUM_HUB);
	shutdown(fd, SHUT_WR);
	json_decref(answer(fd));
	json_decref(answer(fd));
	assert_ended(fd);
}

static void a_request_too_long(void **)
{
	int fd = connect_caller();
	char *text = malloc(ADMIN_REQUEST_MAX + 4096 + 1);

	memset(text, 'x', ADMIN_REQUEST_MAX + 4096);
	text[ADMIN_REQUEST_MAX + 4096] = '\0';
	/* Not say(): the end of it is never read. */
	for (size_t at = 0, turns = 0; at < ADMIN_REQUEST_MAX + 4096 && turns < 1000000; turns++) {
		ssize_t n = send(fd, text + at, ADMIN_REQUEST_MAX + 4096 - at, MSG_NOSIGNAL);

		at += n > 0 ? (size_t)n : 0;
		pump(2);
	}
	free(text);
	assert_int_equal(error_code(answer(fd)), -32600);
	assert_ended(fd);
}

/* Rows of a list are counted as they fly by; the document must be whole. */
static void a_long_list_is_held_in_pieces(void **)
{
	int fd = connect_caller();
	int other = connect_caller();
	json_t *a;
	uint64_t listed;

	say(fd, ENUM_MAC);
	pump(2000);
	/* Nothing was read: the list stands still, a small part of it made. */
	listed = fakes.fdb_listed;
	assert_true(listed > 0);
	assert_true(listed < 2500);
	pump(500);
	assert_int_equal(fakes.fdb_listed, listed);
	/* Others are served meanwhile. */
	say(other, ENUM_HUB);
	a = answer(other);
	assert_non_null(json_object_get(a, "result"));
	json_decref(a);
	/* And now all of it. */
	a = answer(fd);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(a, "result"), "MacTable")), MACS);
	json_decref(a);
	assert_int_equal(fakes.fdb_listed, MACS);
	/* The next question on the same connection. */
	say(fd, ENUM_HUB);
	json_decref(answer(fd));
	close(fd);
	close(other);
	pump(10);
}

/* No step makes more than a slice, so that logins and frames are never kept waiting. */
static void a_slice_is_small(void **)
{
	int fd = connect_caller();
	uint64_t before;
	char sink[65536];

	say(fd, ENUM_MAC);
	for (unsigned turn = 0; turn < 500; turn++) {
		before = fakes.fdb_listed;
		event_base_loop(fakes.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		assert_true(fakes.fdb_listed - before <= ADMIN_SLICE_ROWS);
		(void)!read(fd, sink, sizeof(sink));
	}
	assert_true(fakes.fdb_listed > ADMIN_SLICE_ROWS);
	/* It leaves in the middle: the list ends with it. */
	close(fd);
	pump(100);
	before = fakes.fdb_listed;
	pump(100);
	assert_int_equal(fakes.fdb_listed, before);
}

static void too_many_callers(void **)
{
	int fds[ADMIN_CLIENTS_MAX];
	int more;

	for (unsigned i = 0; i < ADMIN_CLIENTS_MAX; i++)
		fds[i] = connect_caller();
	more = connect_caller();
	assert_int_equal(error_code(answer(more)), -32000);
	assert_ended(more);
	close(fds[0]);
	pump(10);
	more = connect_caller();
	say(more, ENUM_HUB);
	json_decref(answer(more));
	close(more);
	for (unsigned i = 1; i < ADMIN_CLIENTS_MAX; i++)
		close(fds[i]);
	pump(10);
}

static bool ended_within(int fd, double seconds)
{
	double deadline = now_s() + seconds;
	struct timespec nap = {.tv_nsec = 5000000};
	char c;

	while (now_s() < deadline) {
		pump(1);
		if (recv(fd, &c, 1, MSG_PEEK) == 0)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

static void stalled_callers_are_dropped(void **)
{
	int silent = connect_caller();
	int half = connect_caller();
	int greedy = connect_caller();
	char sink[65536];

	/* Half a line, and a list that is never read. */
	say(half, "{\"jsonrpc\":");
	say(greedy, ENUM_MAC);
	assert_true(ended_within(half, 5));
	/* The list's patience began a little later. Nobody reads meanwhile. */
	assert_false(ended_within(silent, 0.5));
	/* It still holds what the socket had taken; behind that is the end. */
	for (unsigned i = 0; i < 200 && recv(greedy, sink, sizeof(sink), 0) > 0; i++)
		pump(1);
	assert_int_equal(recv(greedy, sink, sizeof(sink), 0), 0);
	assert_true(fakes.fdb_listed < MACS);
	/* Somebody who merely has not asked yet stays. */
	say(silent, ENUM_HUB);
	json_decref(answer(silent));
	close(silent);
	close(half);
	close(greedy);
	pump(10);
}

static void ends_with_calls_under_way(void **)
{
	int fd = connect_caller();
	int waiting = connect_caller();

	say(fd, ENUM_MAC);
	fakes.quiet = false;
	say(waiting,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"PatchbayQuiesce\",\"params\":{"
		"\"TimeoutMs_u32\":30000}}\n");
	pump(20);
	admin_stop();
	close(fd);
	assert_ended(waiting);
}

#define T(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(starts_and_replaces, setup),
		T(requests_in_a_row_and_half_closed, setup_started),
		T(a_request_too_long, setup_started),
		T(a_long_list_is_held_in_pieces, setup_started),
		T(a_slice_is_small, setup_started),
		T(too_many_callers, setup_started),
		T(stalled_callers_are_dropped, setup_started),
		T(ends_with_calls_under_way, setup_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
