/* SPDX-License-Identifier: BSD-3-Clause */
/* The log: whole lines, no forged ones, nobody waits for a reader that does not read. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/log.h"

#define THREADS 4
#define LINES	500

static char dir[] = "/tmp/patchbay-log-test.XXXXXX";
static char path[64];

static void *chat(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("test", "thread %d line %d end", *(int *)arg, i);
	return NULL;
}

static void test_lines_are_whole(void **)
{
	int next[THREADS] = {};
	int ids[THREADS];
	pthread_t threads[THREADS];
	char line[256];
	FILE *f;

	assert_int_equal(log_init(path, LOG_LEVEL_INFO), 0);
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, chat, &ids[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_debug("test", "not at this level");
	log_fini();
	assert_int_equal(log_lost(), 0);

	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		int thread, number;
		char end[8];

		assert_int_equal(line[10], 'T');
		assert_int_equal(
			sscanf(strstr(line, " info test: "),
				" info test: thread %d line %d %3[end]\n", &thread, &number, end),
			3);
		assert_int_equal(number, next[thread]++);
	}
	fclose(f);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], LINES);
	unlink(path);
}

static void test_no_forged_line(void **)
{
	char text[4096];
	char longer[5000];
	ssize_t n;
	int fd;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(log_init(path, LOG_LEVEL_INFO), 0);
	errno = ENOENT;
	log_info("login", "user %s", "eve\n2026 info login: user root\x1b[2J");
	assert_int_equal(errno, ENOENT);
	/* CSI in one character, in one byte; right-to-left; and what is only UTF-8. */
	log_info("login",
		"a\xc2\x9b"
		"2Jb\x9b"
		"2Jc\xe2\x80\xae"
		"d J\xc3\xbcrg \xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x82");
	log_info("login", "%s", longer);
	log_fini();
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "eve?2026 info login: user root?[2J\n"));
	assert_non_null(
		strstr(text, "a??2Jb?2Jc???d J\xc3\xbcrg \xe2\x82\xac \xf0\x9f\x98\x80 ??\n"));
	/* Three lines, the last cut. */
	assert_true(strchr(strstr(text, "xxx"), '\n') == text + n - 1);
	unlink(path);
}

/* The log writes into a pipe, of which this is the other end. */
static int log_into_fifo(void)
{
	int reader;

	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	assert_int_equal(log_init(path, LOG_LEVEL_INFO), 0);
	return reader;
}

static void test_nobody_waits(void **)
{
	char chunk[65536];
	bool told = false, after = false;
	int reader, id = 0;
	uint64_t lost;

	reader = log_into_fifo();
	/* More than pipe and ring hold: returns all the same. */
	for (int i = 0; i < 40; i++)
		chat(&id);
	lost = log_lost();
	assert_true(lost > 0);
	/* Read until quiet, make a line, and find the loss told in front of it. */
	for (int quiet = 0; quiet < 20;) {
		if (read(reader, chunk, sizeof(chunk)) > 0) {
			quiet = 0;
		} else {
			quiet++;
			usleep(5000);
		}
	}
	log_info("test", "after");
	for (int tries = 0; tries < 4000 && !(told && after); tries++) {
		ssize_t n = read(reader, chunk, sizeof(chunk) - 1);

		if (n > 0) {
			chunk[n] = '\0';
			told |= strstr(chunk, "lines lost") != NULL;
			after |= strstr(chunk, "after") != NULL;
		} else {
			usleep(5000);
		}
	}
	assert_true(told && after);
	assert_int_equal(log_lost(), lost);
	log_fini();
	close(reader);
	unlink(path);
}

/* The last of all: its thread ends when it pleases. */
static void test_end_does_not_wait(void **)
{
	struct timespec begin, end;
	int reader, id = 0;

	reader = log_into_fifo();
	for (int i = 0; i < 40; i++)
		chat(&id);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	log_fini();
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - begin.tv_sec < 10);
	signal(SIGPIPE, SIG_IGN);
	close(reader);
	unlink(path);
}

static void test_limit(void **)
{
	struct log_limit limit = LOG_LIMIT(3, 60000);
	uint64_t held;
	int passed = 0;

	limit.per_minute = 1;
	for (int i = 0; i < 10; i++)
		passed += log_limit_pass(&limit, &held);
	assert_int_equal(passed, 3);
	limit.last_ms -= 60000;
	assert_true(log_limit_pass(&limit, &held));
	assert_int_equal(held, 7);
}

static void test_cannot_open(void **)
{
	assert_int_equal(log_init("/nonexistent/log", LOG_LEVEL_INFO), -ENOENT);
}

static int setup(void **)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	return 0;
}

static int teardown(void **)
{
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_whole),
		cmocka_unit_test(test_no_forged_line),
		cmocka_unit_test(test_nobody_waits),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_cannot_open),
		cmocka_unit_test(test_end_does_not_wait),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
