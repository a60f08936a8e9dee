/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When the UDP path carries frames, by a clock that is only a number; and copies of datagrams. Two paths talk to
 * each other over a network that loses, delays and is cut as the test says.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/session/udp_path.h"
#include "drivers/session/udp_recent.h"

#define START_MS 1000000u

/* One datagram under way at a time in each direction is enough: they are at least 500 ms apart. */
struct side {
	struct udp_path path;
	uint64_t clock_ms; /* what its own clock is ahead */
	uint64_t due_ms;
	uint64_t tick, echo, arrives_ms; /* towards the other side; 0: none */
};

struct net {
	struct side a, b;
	bool cut_ab, cut_ba;
	unsigned delay_ms, loss_percent;
	uint64_t now_ms;
};

static void net_init(struct net *n, bool fast, unsigned delay_ms)
{
	memset(n, 0, sizeof(*n));
	udp_path_init(&n->a.path, fast);
	udp_path_init(&n->b.path, fast);
	n->b.clock_ms = 77777;
	n->now_ms = START_MS;
	n->a.due_ms = n->b.due_ms = START_MS;
	n->delay_ms = delay_ms;
}

static void speak(struct net *n, struct side *from, bool cut)
{
	uint64_t now = n->now_ms + from->clock_ms;

	if (n->now_ms < from->due_ms)
		return;
	from->due_ms = n->now_ms + udp_path_interval_ms(from->path.fast, (uint32_t)rand());
	udp_path_sent(&from->path, now);
	if (cut || (unsigned)rand() % 100 < n->loss_percent)
		return;
	from->tick = udp_path_tick(now);
	from->echo = from->path.peer_tick;
	from->arrives_ms = n->now_ms + n->delay_ms;
}

static void hear(struct net *n, struct side *from, struct side *to)
{
	if (from->arrives_ms == 0 || n->now_ms < from->arrives_ms)
		return;
	from->arrives_ms = 0;
	udp_path_receive(&to->path, from->tick, from->echo, n->now_ms + to->clock_ms);
}

/* Lets time pass until `until`, or a's readiness is `ready`; the milliseconds that took. */
static uint64_t run(struct net *n, uint64_t for_ms, int ready)
{
	uint64_t from = n->now_ms;

	while (n->now_ms - from < for_ms) {
		n->now_ms++;
		hear(n, &n->a, &n->b);
		hear(n, &n->b, &n->a);
		speak(n, &n->a, n->cut_ab);
		speak(n, &n->b, n->cut_ba);
		if (ready >= 0 && udp_path_ready(&n->a.path, n->now_ms) == (ready != 0))
			break;
	}
	return n->now_ms - from;
}

static void test_ready_and_back(void **)
{
	for (int round = 0; round < 200; round++) {
		struct net n;
		uint64_t took;

		net_init(&n, true, (unsigned)rand() % 100);
		took = run(&n, 60000, 1);
		assert_in_range(took, 10000, 12500);
		assert_in_range(run(&n, 300000, 0), 300000, 300000); /* stays */
		n.cut_ab = n.cut_ba = true;
		assert_in_range(run(&n, 60000, 0), 900, 2500);
		run(&n, 5000, -1);
		n.cut_ab = n.cut_ba = false;
		assert_in_range(run(&n, 60000, 1), 10000, 12500);
	}
}

/* Cut in our direction only: the peer goes on speaking, and that must not fool us for long. */
static void test_one_way(void **)
{
	for (int round = 0; round < 200; round++) {
		struct net n;

		net_init(&n, true, (unsigned)rand() % 50);
		run(&n, 60000, 1);
		n.cut_ab = true;
		assert_in_range(run(&n, 60000, 0), 1300, 3500);
		run(&n, 40000, -1);
		assert_false(udp_path_ready(&n.a.path, n.now_ms));
		n.cut_ab = false;
		assert_in_range(run(&n, 60000, 1), 10000, 13500);
	}
}

static void test_slow(void **)
{
	struct net n;

	net_init(&n, false, 200);
	assert_in_range(run(&n, 60000, 1), 10000, 17000);
	assert_in_range(run(&n, 300000, 0), 300000, 300000);
	n.cut_ab = n.cut_ba = true;
	assert_in_range(run(&n, 60000, 0), 6000, 9100);
}

/* Nobody speaks but us: never ready. And an echo of what we never said proves nothing. */
static void test_silence_and_lies(void **)
{
	struct udp_path p;

	udp_path_init(&p, true);
	for (uint64_t now = START_MS; now < START_MS + 60000; now += 500) {
		udp_path_sent(&p, now);
		assert_false(udp_path_ready(&p, now));
	}
	for (uint64_t now = START_MS + 60000; now < START_MS + 120000; now += 500) {
		udp_path_sent(&p, now);
		udp_path_receive(&p, now, udp_path_tick(now) + 1, now);
		assert_false(udp_path_ready(&p, now));
	}
	for (uint64_t now = START_MS + 120000; now < START_MS + 180000; now += 500) {
		udp_path_sent(&p, now);
		udp_path_receive(&p, now, 0, now);
		assert_false(udp_path_ready(&p, now));
	}
}

static void test_window(void **)
{
	struct udp_path p;

	udp_path_init(&p, true);
	assert_int_equal(udp_path_receive(&p, 0, 0, START_MS), UDP_PATH_STALE);
	assert_int_equal(udp_path_receive(&p, 50000, 0, START_MS), UDP_PATH_FRESH);
	assert_int_equal(udp_path_receive(&p, 50000, 0, START_MS), UDP_PATH_LATE);
	assert_int_equal(udp_path_receive(&p, 20001, 0, START_MS), UDP_PATH_LATE);
	assert_int_equal(udp_path_receive(&p, 20000, 0, START_MS), UDP_PATH_STALE);
	assert_int_equal(udp_path_receive(&p, 1, 0, START_MS), UDP_PATH_STALE);
	assert_int_equal(udp_path_receive(&p, 50001, 0, START_MS), UDP_PATH_FRESH);
	assert_int_equal(p.peer_tick, 50001);
	assert_int_equal(udp_path_receive(&p, UINT64_MAX, 0, START_MS), UDP_PATH_FRESH);
	assert_int_equal(udp_path_receive(&p, 50002, 0, START_MS), UDP_PATH_STALE);
}

/* Old datagrams sent again and again do not keep a dead path alive. */
static void test_replay_is_not_life(void **)
{
	struct net n;
	uint64_t tick, echo;

	net_init(&n, true, 10);
	run(&n, 60000, 1);
	tick = n.a.path.peer_tick;
	echo = n.a.path.echoed;
	n.cut_ab = n.cut_ba = true;
	for (unsigned ms = 0; ms < 2500; ms++) {
		n.now_ms++;
		assert_int_equal(udp_path_receive(&n.a.path, tick, echo, n.now_ms), UDP_PATH_LATE);
	}
	assert_false(udp_path_ready(&n.a.path, n.now_ms));
}

/* A worker that was off its CPU for five seconds finds the peer's datagrams in its socket. */
static void test_pause_of_ours(void **)
{
	struct udp_path p;
	uint64_t now = START_MS;

	udp_path_init(&p, true);
	for (; now < START_MS + 20000; now += 500) {
		udp_path_sent(&p, now);
		udp_path_receive(&p, now - START_MS + 1, udp_path_tick(now), now);
	}
	assert_true(udp_path_ready(&p, now));
	/* All at once, five seconds later. */
	for (uint64_t tick = now; tick <= now + 5000; tick += 500)
		udp_path_receive(&p, tick - START_MS + 1, udp_path_tick(now - 500), now + 5000);
	assert_true(udp_path_ready(&p, now + 5000));
	/* A silence of the peer's own is one. */
	udp_path_receive(&p, now + 5000 - START_MS + 3000, udp_path_tick(now - 500), now + 8000);
	assert_false(udp_path_ready(&p, now + 8000));
}

/* A new address gets frames when it has answered, and not ten seconds later. */
static void test_moved(void **)
{
	struct net n;
	uint64_t took;

	net_init(&n, true, 10);
	run(&n, 60000, 1);
	udp_path_moved(&n.a.path, n.now_ms);
	assert_false(udp_path_ready(&n.a.path, n.now_ms));
	took = run(&n, 60000, 1);
	assert_in_range(took, 20, 2100);
}

/* The timer that looks again comes when something changes, and not before. */
static void test_next(void **)
{
	struct net n;
	uint64_t next;

	net_init(&n, true, 10);
	assert_true(udp_path_next_ms(&n.a.path, n.now_ms) == UINT64_MAX);
	run(&n, 60000, 1);
	next = udp_path_next_ms(&n.a.path, n.now_ms);
	assert_true(udp_path_ready(&n.a.path, next - 1));
	assert_false(udp_path_ready(&n.a.path, next));
}

static void test_loss(void **)
{
	struct net n;
	uint64_t ready = 0;

	/* A datagram in a thousand lost: a second without frames on UDP now and then at most. */
	net_init(&n, true, 20);
	n.loss_percent = 0;
	run(&n, 60000, 1);
	for (int i = 0; i < 100000; i++) {
		n.loss_percent = rand() % 10 == 0;
		run(&n, 10, -1);
		ready += udp_path_ready(&n.a.path, n.now_ms);
	}
	assert_true(ready > 85000);
}

static uint64_t random_id(void)
{
	return ((uint64_t)rand() << 33 ^ (uint64_t)rand()) | 1;
}

/* A copy behind forty others with random nonces: with one slot for each place one of thirteen got through. */
static void test_recent_random(void **)
{
	static struct udp_recent r;
	unsigned missed = 0;

	for (int i = 0; i < 10000; i++) {
		uint64_t id = random_id();

		(void)udp_recent_seen(&r, id);
		for (int k = 0; k < 40; k++)
			(void)udp_recent_seen(&r, random_id());
		missed += !udp_recent_seen(&r, id);
	}
	assert_true(missed <= 2);
}

static void test_recent(void **)
{
	enum {
		COUNTED = 128
	};
	static struct udp_recent r;
	uint64_t first = (uint64_t)rand() << 32;

	assert_false(udp_recent_seen(&r, 0));
	assert_false(udp_recent_seen(&r, 0));
	/* Counted and random ones: a copy right behind is always found. */
	for (uint64_t i = 1; i < 100000; i++) {
		uint64_t id = i % 2 == 0 ? first + i : (uint64_t)rand() << 33 ^ (uint64_t)rand();

		if (id == 0)
			continue;
		(void)udp_recent_seen(&r, id);
		assert_true(udp_recent_seen(&r, id));
	}
	/* Of counted ones, all of the last quarter of the memory. */
	for (uint64_t i = 0; i < COUNTED; i++)
		assert_false(udp_recent_seen(&r, first + 1000000 + i));
	for (uint64_t i = 0; i < COUNTED; i++)
		assert_true(udp_recent_seen(&r, first + 1000000 + i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready_and_back),
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_silence_and_lies),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_replay_is_not_life),
		cmocka_unit_test(test_pause_of_ours),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_recent_random),
	};

	srand(20260101);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
