/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What patchbay-bench counts (test/bench/load), by frames that are lost, doubled, swapped and late as the test says:
 * a generator that finds every server faultless would pass all tests that ask it about a good one.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/bench/load/peer.h"
#include "test/bench/load/report.h"

#define MS UINT64_C(1000000) /* ns */

static struct options opt;
static struct load l;
static struct peer peers[4];
static struct report r;

/* Of the parts that are not linked. */
void peer_ready(struct load *, struct peer *)
{
}

const char *options_pattern_name(enum load_pattern)
{
	return "";
}

static void begin(enum load_pattern pattern, unsigned sessions, double rate)
{
	opt = (struct options){.sessions = sessions,
		.pattern = pattern,
		.rate = rate,
		.sizes = {100},
		.size_cnt = 1};
	free(l.traffic.senders);
	memset(&l, 0, sizeof(l));
	memset(peers, 0, sizeof(peers));
	memset(&r, 0, sizeof(r));
	frames_init(FILL_TEXT, 4711);
	l.opt = &opt;
	l.peers = peers;
	l.now_ns = 1000u * MS;
	for (unsigned i = 0; i < sessions; i++)
		peers[i].index = i;
	traffic_init(&l);
	traffic_start(&l);
	traffic_measure(&l, true);
}

static unsigned make(unsigned from, uint8_t frame[OPTIONS_SIZE_MAX])
{
	unsigned size = traffic_next(&l, &peers[from], frame);

	assert_int_equal(size, 100);
	return size;
}

/* Lost, out of order, twice, for somebody else, of another run: each under its own name. */
static void what_becomes_of_frames(void **)
{
	static const unsigned come[] = {0, 1, 3, 2, 3, 5, 9};
	uint8_t frames[10][OPTIONS_SIZE_MAX];

	begin(PATTERN_PAIRS, 2, 0);
	for (unsigned i = 0; i < 10; i++)
		(void)make(0, frames[i]);
	for (unsigned i = 0; i < sizeof(come) / sizeof(come[0]); i++)
		traffic_arrived(&l, &peers[1], frames[come[i]], 100);
	traffic_arrived(&l, &peers[0], frames[0], 100);
	frames[0][FRAMES_HEADER_BYTES]++;
	traffic_arrived(&l, &peers[1], frames[0], 100);
	assert_false(traffic_complete(&l));
	report_judge(&l, &r);
	assert_int_equal(l.traffic.sums.sent, 10);
	assert_int_equal(r.lost, 4); /* what came twice makes up for none of them */
	assert_int_equal(l.traffic.sums.frames, 6);
	assert_int_equal(r.reordered, 1);
	assert_int_equal(r.duplicated, 1);
	assert_int_equal(l.traffic.misrouted, 1);
	assert_int_equal(l.traffic.foreign, 1);
}

/* A broadcast is as many copies as there are others, and each that does not come is lost. */
static void copies_of_a_broadcast(void **)
{
	uint8_t frame[OPTIONS_SIZE_MAX];

	begin(PATTERN_ONE_TO_ALL, 4, 0);
	for (unsigned i = 0; i < 5; i++) {
		(void)make(0, frame);
		traffic_arrived(&l, &peers[1], frame, 100);
		traffic_arrived(&l, &peers[2], frame, 100);
		if (i != 2)
			traffic_arrived(&l, &peers[3], frame, 100);
	}
	report_judge(&l, &r);
	assert_int_equal(r.lost, 1);
	assert_int_equal(l.traffic.sums.frames, 14);
	assert_int_equal(r.reordered + r.duplicated + l.traffic.misrouted, 0);
}

/* 50 frames become due while the program has no CPU, one a millisecond, and arrive 1 ms after it has got it again. */
static void late(uint64_t unblocked_ns)
{
	uint8_t frames[50][OPTIONS_SIZE_MAX];

	begin(PATTERN_PAIRS, 2, 1000);
	l.now_ns += 49u * MS;
	peers[0].unblocked_ns = peers[1].unblocked_ns = unblocked_ns;
	traffic_pace(&l);
	for (unsigned i = 0; i < 50; i++)
		(void)make(i % 2, frames[i]);
	assert_int_equal(traffic_next(&l, &peers[0], frames[0]), 0);
	l.now_ns += 1u * MS;
	for (unsigned i = 0; i < 50; i++)
		traffic_arrived(&l, &peers[1 - i % 2], frames[i], 100);
	report_judge(&l, &r);
	assert_int_equal(r.lost, 0);
	/* From when they were due: 1 to 50 ms, and not the 1 ms for which they were under way. */
	assert_int_equal(l.traffic.latency.count, 50);
	assert_int_equal(l.traffic.latency.max_ns, 50u * MS);
	assert_in_range(histogram_percentile(&l.traffic.latency, 0.5), 24u * MS, 26u * MS);
	assert_in_range(histogram_percentile(&l.traffic.latency, 0.99), 49u * MS, 50u * MS);
}

static void times_count_from_when_frames_were_due(void **)
{
	late(0);
	assert_non_null(r.bottleneck);
	/* Where it was the socket that took nothing, it is not this program's fault. */
	late(1000u * MS + 49u * MS);
	assert_null(r.bottleneck);
}

/* Without a rate: it never waited, and whose fault that is tells the server's CPU. */
static void the_bottleneck_is_named(void **)
{
	static const struct {
		double waited_s, server_cpu_s;
		pid_t pid;
		bool own;
	} cases[] = {
		{0, 0.5, 1, true},
		{0.02, 0.5, 1, true},
		{0, 0.99, 1, false},
		{0.5, 0.5, 1, false},
		{0, 0, 0, true},
		{0.5, 0, 0, false},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(PATTERN_PAIRS, 2, 0);
		opt.pid = cases[i].pid;
		r.begin.ns = 1000u * MS;
		r.end.ns = 2000u * MS;
		r.end.wait_ns = (uint64_t)(cases[i].waited_s * 1e9);
		r.end.server.cpu_s = cases[i].server_cpu_s;
		report_judge(&l, &r);
		assert_int_equal(r.bottleneck != NULL, cases[i].own);
	}
}

/* One of a thousand is slow: p99 does not see it, p99.9 does; the width of a bucket is two per cent at most. */
static void percentiles(void **)
{
	static struct histogram h;

	assert_int_equal(histogram_percentile(&h, 0.5), 0);
	for (unsigned i = 1; i <= 10000; i++)
		histogram_add(&h, i % 500 == 0 ? 7000u * MS : i * 1000u);
	assert_in_range(histogram_percentile(&h, 0.5), 4900000, 5100000);
	assert_in_range(histogram_percentile(&h, 0.99), 9700000, 10100000);
	assert_in_range(histogram_percentile(&h, 0.999), 6860u * MS, 7000u * MS);
	assert_in_range(histogram_percentile(&h, 1), 6860u * MS, 7000u * MS);
	assert_int_equal(h.count, 10000);
}

/* ---- a server of several processes ---- */

/* fork(), of which nothing is left when this test has failed. */
static pid_t process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		alarm(60);
	return pid;
}

static void burn(double s)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < s);
}

/* The CPU of a child, of a child's child, and of one that has ended: all belong to the process that was named. */
static void children_are_counted(void **)
{
	struct process_use use;
	int done[2];
	char byte;
	pid_t server;

	assert_int_equal(pipe(done), 0);
	server = process();
	if (server == 0) {
		(void)setpgid(0, 0);
		if (process() == 0) {
			if (process() == 0) {
				burn(0.25);
				(void)!write(done[1], "x", 1);
			}
			for (;;)
				pause();
		}
		if (process() == 0) {
			burn(0.25);
			_exit(0);
		}
		(void)wait(NULL); /* for that one: the other stays */
		(void)!write(done[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(done[0], &byte, 1), 1);
	assert_int_equal(read(done[0], &byte, 1), 1);
	assert_true(process_use(server, &use));
	assert_true(use.cpu_s >= 0.46); /* two of 0.25, of clock ticks of 10 ms */
	assert_true(use.resident_bytes > 0);
	assert_int_equal(killpg(server, SIGKILL), 0);
	assert_int_equal(waitpid(server, NULL, 0), server);
	assert_false(process_use(server, &use));
	close(done[0]);
	close(done[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_becomes_of_frames),
		cmocka_unit_test(copies_of_a_broadcast),
		cmocka_unit_test(times_count_from_when_frames_were_due),
		cmocka_unit_test(the_bottleneck_is_named),
		cmocka_unit_test(percentiles),
		cmocka_unit_test(children_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
