/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker loop and time: timers, sleep, idle polls, the watchdog, clocks, and what a stall does to them. */

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "dataplane/lcore_priv.h"
#include "test/unit/worker.h"

#define WORKERS 2u

static uint64_t clock_in_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- timers, sleep ---------------------------------------------------------------------------- */

static struct {
	struct lcore_timer timer;
	uint64_t armed_ms, due_ms;
	_Atomic uint64_t fired_ms;
} alarm_clock;

static void alarm_expire(struct lcore *lc, struct lcore_timer *)
{
	atomic_store(&alarm_clock.fired_ms, lcore_now_ms(lc));
}

static void alarm_arm(struct lcore *lc, void *)
{
	alarm_clock.timer.expire = alarm_expire;
	alarm_clock.due_ms = lcore_now_ms(lc) + 200;
	lcore_timer_arm(lc, &alarm_clock.timer, alarm_clock.due_ms);
}

static bool alarm_fired(void *)
{
	return atomic_load(&alarm_clock.fired_ms) != 0;
}

static void a_timer_wakes_a_sleeping_worker(void **)
{
	worker_call(1, alarm_arm, NULL);
	assert_true(worker_until(alarm_fired, NULL));
	assert_true(atomic_load(&alarm_clock.fired_ms) >= alarm_clock.due_ms);
}

static clockid_t worker_clock[WORKERS];

static void get_clock(struct lcore *lc, void *)
{
	pthread_getcpuclockid(pthread_self(), &worker_clock[lcore_index(lc)]);
}

/* Nothing armed: no wake-up at all. (The wall-clock bound is generous; the count is exact.) */
static void an_idle_worker_sleeps(void **)
{
	struct lcore_view before[WORKERS], after;

	worker_nap_ms(50);
	for (unsigned i = 0; i < WORKERS; i++)
		lcore_view(i, &before[i]);
	worker_nap_ms(500);
	for (unsigned i = 0; i < WORKERS; i++) {
		lcore_view(i, &after);
		assert_int_equal(after.turns, before[i].turns);
		assert_int_equal(after.sleeps, before[i].sleeps);
	}
	assert_int_equal(lcore_watchdog(), 0);
}

static struct {
	struct lcore_poll poll[2];
	_Atomic unsigned waiting; /* frames the next poll finds */
	_Atomic uint64_t found_ns;
} polled;

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static unsigned poll_nic(struct lcore *, struct lcore_poll *)
{
	unsigned n = atomic_exchange(&polled.waiting, 0);

	if (n > 0)
		atomic_store(&polled.found_ns, wall_ns());
	return n;
}

static void polls_add(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < 2; i++) {
		polled.poll[i].poll = poll_nic;
		lcore_poll_add(lc, &polled.poll[i]);
	}
}

static void polls_del(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < 2; i++)
		lcore_poll_del(lc, &polled.poll[i]);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Two idle polled ports cost little and the first frame waits little. The bounds are those of the
 * requirement (5 % of a core, 1 ms), on a machine that may be busy with other tests: CPU time is the
 * worker's own, and of the delays the median counts.
 */
static void idle_polled_ports_are_cheap_and_quick(void **)
{
	uint64_t delay_ns[21], from, cpu_ms, wall_ms;

	worker_call(0, get_clock, NULL);
	worker_call(0, polls_add, NULL);
	worker_nap_ms(50);
	cpu_ms = clock_in_ms(worker_clock[0]);
	wall_ms = clock_in_ms(CLOCK_MONOTONIC);
	worker_nap_ms(1000);
	cpu_ms = clock_in_ms(worker_clock[0]) - cpu_ms;
	wall_ms = clock_in_ms(CLOCK_MONOTONIC) - wall_ms;
	print_message(
		"two idle polled ports: %u ms CPU in %u ms\n", (unsigned)cpu_ms, (unsigned)wall_ms);
	assert_true(cpu_ms * 20 < wall_ms);
	for (unsigned i = 0; i < 21; i++) {
		worker_nap_ms(20);
		atomic_store(&polled.found_ns, 0);
		from = wall_ns();
		atomic_store(&polled.waiting, 1);
		while (atomic_load(&polled.found_ns) == 0)
			sched_yield();
		delay_ns[i] = atomic_load(&polled.found_ns) - from;
	}
	qsort(delay_ns, 21, sizeof(delay_ns[0]), by_value);
	print_message("first frame after idle: median %u us, worst %u us\n",
		(unsigned)(delay_ns[10] / 1000), (unsigned)(delay_ns[20] / 1000));
	assert_true(delay_ns[10] < 1000000);
	worker_call(0, polls_del, NULL);
}

/* ---- watchdog, clock, stalls ------------------------------------------------------------------- */

static void a_silent_worker_is_counted(void **)
{
	struct worker_job hold;
	struct lcore_view view;

	worker_hold(1, &hold);
	assert_int_equal(lcore_watchdog(), 0);
	worker_nap_ms(1100);
	assert_int_equal(lcore_watchdog(), 1);
	lcore_view(1, &view);
	assert_int_equal(view.late_reports, 1);
	lcore_view(0, &view);
	assert_int_equal(view.late_reports, 0);
	worker_let_go(&hold);
	assert_true(worker_settle());
	assert_int_equal(lcore_watchdog(), 0);
}

/* Against the kernel's clock; a pre-emption between two readings is no error of ours, so it may repeat. */
static bool clocks_agree(void)
{
	uint64_t from_ms = lcore_clock_ms(), real_ms = clock_in_ms(CLOCK_MONOTONIC), by;

	worker_nap_ms(300);
	by = lcore_clock_ms() - from_ms;
	real_ms = clock_in_ms(CLOCK_MONOTONIC) - real_ms;
	return by + 5 > real_ms && by < real_ms + 5;
}

static void the_clock_runs_in_ms(void **)
{
	unsigned tries = 0;

	while (!clocks_agree())
		assert_true(++tries < 20);
	assert_in_range(lcore_clock_s() - lcore_clock_ms() / 1000, 0, 1);
	assert_true(lcore_now_s(lcore_get(0)) >= 1);
}

static struct {
	uint64_t now_ms, run_ms;
} stall[2];

/* Looks at both clocks, and keeps the worker for half a second in its turn; then looks again. */
static void stall_begin(struct lcore *lc, void *)
{
	stall[0].now_ms = lcore_now_ms(lc);
	stall[0].run_ms = lcore_run_ms(lc);
	worker_nap_ms(500);
}

static void stall_end(struct lcore *lc, void *)
{
	stall[1].now_ms = lcore_now_ms(lc);
	stall[1].run_ms = lcore_run_ms(lc);
}

/* What a worker was kept from its work does not make old what waits for it; what it slept does. */
static void a_stall_makes_nothing_old(void **)
{
	uint64_t by_now, by_run;

	worker_call(0, stall_begin, NULL);
	worker_call(0, stall_end, NULL);
	by_now = stall[1].now_ms - stall[0].now_ms;
	by_run = stall[1].run_ms - stall[0].run_ms;
	assert_true(by_now >= 490);
	assert_true(by_run + 470 <= by_now);
	worker_nap_ms(300);
	worker_call(0, stall_begin, NULL);
	assert_true(stall[0].run_ms - stall[1].run_ms >= 200);
}

/*
 * A polled port that keeps the worker for half a second and has nothing, in the turn `step` 0; it has something or not
 * in the next.
 */
static struct {
	struct lcore_poll poll;
	unsigned found; /* by the turn after that */
	unsigned step;
	uint64_t behind_ms[3]; /* at the begin of each */
	atomic_bool done;
} idle_stall;

static unsigned poll_stall(struct lcore *lc, struct lcore_poll *)
{
	unsigned step = idle_stall.step;

	if (step > 2)
		return 0;
	idle_stall.behind_ms[step] = lcore_now_ms(lc) - lcore_run_ms(lc);
	idle_stall.step++;
	if (step == 0)
		worker_nap_ms(500);
	if (step == 2)
		atomic_store(&idle_stall.done, true);
	return step == 1 ? idle_stall.found : 0;
}

static void stall_poll_add(struct lcore *lc, void *)
{
	idle_stall.poll.poll = poll_stall;
	/* Behind this message the turn has done something. */
	idle_stall.step = 3;
	lcore_poll_add(lc, &idle_stall.poll);
}

static void stall_poll_del(struct lcore *lc, void *)
{
	lcore_poll_del(lc, &idle_stall.poll);
}

static struct lcore_timer stall_timer;

/* Timers run behind the polls: the next turn is a fresh one. */
static void stall_poll_begin(struct lcore *, struct lcore_timer *)
{
	idle_stall.step = 0;
}

static void stall_timer_arm(struct lcore *lc, void *)
{
	stall_timer.expire = stall_poll_begin;
	lcore_timer_arm(lc, &stall_timer, lcore_now_ms(lc) + 20);
}

static bool stall_done(void *)
{
	return atomic_load(&idle_stall.done);
}

/* A turn without work that took long counts as long as it is not known that nothing came meanwhile. */
static void an_idle_stall_counts_if_something_came(void **)
{
	uint64_t by[2];

	worker_call(0, stall_poll_add, NULL);
	for (idle_stall.found = 0; idle_stall.found < 2; idle_stall.found++) {
		atomic_store(&idle_stall.done, false);
		worker_call(0, stall_timer_arm, NULL);
		assert_true(worker_until(stall_done, NULL));
		by[0] = idle_stall.behind_ms[1] - idle_stall.behind_ms[0];
		by[1] = idle_stall.behind_ms[2] - idle_stall.behind_ms[0];
		assert_true(by[0] >= 470);
		if (idle_stall.found == 0)
			assert_true(
				by[1] < 400); /* a machine that is busy may add stalls of its own */
		else
			assert_true(by[1] >= 470);
	}
	worker_call(0, stall_poll_del, NULL);
}

/* ---- a turn that was held up ------------------------------------------------------------------- */

static struct {
	struct lcore_task task;
	struct lcore_timer timer;
	unsigned step;
	bool useless;	  /* the machine was so busy that the first turn was held up already */
	uint64_t over_ms; /* when the second turn had its CPU again, by the clock as it is */
	_Atomic uint64_t fired_ms; /* the turn's clock when the timer fired */
} late;

static void late_expire(struct lcore *lc, struct lcore_timer *)
{
	atomic_store(&late.fired_ms, lcore_now_ms(lc));
}

/* A first turn long enough for a tick to begin, and a second one that loses its CPU, with a timer due by its own clock. */
static void late_run(struct lcore *lc, struct lcore_task *task)
{
	if (late.step++ == 0) {
		lcore_timer_arm(lc, &late.timer, lcore_now_ms(lc) + 1);
		worker_nap_ms(3 * LCORE_TICK_MS);
		lcore_task_add(lc, task);
		return;
	}
	late.useless = lc->held_up;
	worker_nap_ms(LCORE_HELD_UP_US / 1000 + 100);
	late.over_ms = lcore_clock_ms();
}

static void late_begin(struct lcore *lc, void *)
{
	late.task.run = late_run;
	late.timer.expire = late_expire;
	lcore_task_add(lc, &late.task);
}

static bool late_fired(void *)
{
	return atomic_load(&late.fired_ms) != 0;
}

/*
 * What timers read out of sockets came while the worker stood still: they have to know that it did (udp.c and
 * connection_timer.c judge silence).
 */
static void timers_know_of_the_stall_before_them(void **)
{
	unsigned tries = 0;

	do {
		assert_true(++tries < 20);
		late.step = 0;
		atomic_store(&late.fired_ms, 0);
		worker_call(0, late_begin, NULL);
		assert_true(worker_until(late_fired, NULL));
	} while (late.useless);
	assert_int_equal(late.step, 2);
	assert_true(atomic_load(&late.fired_ms) >= late.over_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_wakes_a_sleeping_worker),
		cmocka_unit_test(an_idle_worker_sleeps),
		cmocka_unit_test(idle_polled_ports_are_cheap_and_quick),
		cmocka_unit_test(a_silent_worker_is_counted),
		cmocka_unit_test(the_clock_runs_in_ms),
		cmocka_unit_test(a_stall_makes_nothing_old),
		cmocka_unit_test(an_idle_stall_counts_if_something_came),
		cmocka_unit_test(timers_know_of_the_stall_before_them),
	};

	return cmocka_run_group_tests(tests, worker_start_two, worker_stop);
}
