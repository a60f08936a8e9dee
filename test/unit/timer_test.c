/* SPDX-License-Identifier: BSD-3-Clause */
/* The timer wheel against a list that is searched. No EAL. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/lcore_timer.h"

static struct wheel wheel;
static uint64_t clock_ms;

struct fired {
	struct lcore_timer t;
	unsigned cnt;
	uint64_t at_ms;
	struct fired *other;
};

static void on_expire(struct lcore *, struct lcore_timer *t)
{
	struct fired *f = (struct fired *)t;

	assert_false(t->armed);
	f->cnt++;
	f->at_ms = clock_ms;
}

static void run_to(uint64_t ms)
{
	clock_ms = ms;
	wheel_run(&wheel, NULL, ms);
}

static void fires_once_and_never_early(void **)
{
	struct fired f = {.t.expire = on_expire};

	wheel_init(&wheel, 1000);
	wheel_arm(&wheel, &f.t, 1100);
	assert_int_equal(wheel.armed, 1);
	for (uint64_t ms = 1000; ms < 1100; ms++)
		run_to(ms);
	assert_int_equal(f.cnt, 0);
	for (uint64_t ms = 1100; ms < 1100 + LCORE_TICK_MS; ms++)
		run_to(ms);
	assert_int_equal(f.cnt, 1);
	assert_int_equal(wheel.armed, 0);
	assert_true(wheel.next_ms == UINT64_MAX);
	run_to(100000);
	assert_int_equal(f.cnt, 1);
}

static void the_past_is_the_next_tick(void **)
{
	struct fired f = {.t.expire = on_expire};

	wheel_init(&wheel, 5000);
	wheel_arm(&wheel, &f.t, 0);
	run_to(5000);
	assert_int_equal(f.cnt, 0);
	run_to(5000 + LCORE_TICK_MS);
	assert_int_equal(f.cnt, 1);
}

static void re_arming_moves_and_cancelling_removes(void **)
{
	struct fired a = {.t.expire = on_expire}, b = {.t.expire = on_expire};

	wheel_init(&wheel, 0);
	wheel_arm(&wheel, &a.t, 100);
	wheel_arm(&wheel, &a.t, 500);
	wheel_arm(&wheel, &b.t, 100);
	wheel_cancel(&wheel, &b.t);
	wheel_cancel(&wheel, &b.t);
	assert_int_equal(wheel.armed, 1);
	run_to(400);
	assert_int_equal(a.cnt, 0);
	run_to(600);
	assert_int_equal(a.cnt, 1);
	assert_int_equal(b.cnt, 0);
}

/* Later than one turn of the wheel, and a worker that was off the CPU for longer than that. */
static void far_ones_wait_their_turns(void **)
{
	const uint64_t turn_ms = WHEEL_SLOTS * LCORE_TICK_MS;
	struct fired near = {.t.expire = on_expire}, far = {.t.expire = on_expire};
	struct fired later = {.t.expire = on_expire};

	wheel_init(&wheel, 0);
	wheel_arm(&wheel, &near.t, 160);
	wheel_arm(&wheel, &far.t, 160 + 3 * turn_ms);
	wheel_arm(&wheel, &later.t, 160 + 20 * turn_ms);
	run_to(200);
	assert_int_equal(near.cnt, 1);
	assert_int_equal(far.cnt, 0);
	assert_int_equal(wheel.next_ms, 160 + 3 * turn_ms);
	run_to(160 + 3 * turn_ms - 1);
	assert_int_equal(far.cnt, 0);
	run_to(160 + 9 * turn_ms);
	assert_int_equal(far.cnt, 1);
	assert_int_equal(later.cnt, 0);
	assert_int_equal(wheel.next_ms, 160 + 20 * turn_ms);
	run_to(160 + 50 * turn_ms);
	assert_int_equal(later.cnt, 1);
}

static void cancel_other(struct lcore *, struct lcore_timer *t)
{
	struct fired *f = (struct fired *)t;

	f->cnt++;
	wheel_cancel(&wheel, &f->other->t);
}

static void rearm_self(struct lcore *, struct lcore_timer *t)
{
	struct fired *f = (struct fired *)t;

	f->cnt++;
	wheel_arm(&wheel, t, 0);
}

static void callbacks_may_cancel_and_arm(void **)
{
	struct fired a = {.t.expire = cancel_other}, b = {.t.expire = cancel_other};
	struct fired c = {.t.expire = rearm_self};

	a.other = &b;
	b.other = &a;
	wheel_init(&wheel, 0);
	wheel_arm(&wheel, &a.t, 50);
	wheel_arm(&wheel, &b.t, 50);
	run_to(64);
	/* Whichever came first took the other off the list of what expires right now. */
	assert_int_equal(a.cnt + b.cnt, 1);
	assert_int_equal(wheel.armed, 0);
	wheel_arm(&wheel, &c.t, 100);
	run_to(2000);
	/* Armed for the past inside its own expiry: next tick, not for ever in this one. */
	assert_int_equal(c.cnt, 1);
	run_to(2000 + LCORE_TICK_MS);
	assert_int_equal(c.cnt, 2);
}

#define MANY 300

static void agrees_with_a_searched_list(void **)
{
	static struct fired f[MANY];
	static uint64_t due[MANY]; /* 0 = not armed */
	unsigned fires = 0;
	uint64_t ms = 3;

	srand48(7);
	wheel_init(&wheel, ms);
	for (unsigned i = 0; i < MANY; i++)
		f[i].t.expire = on_expire;
	for (unsigned step = 0; step < 30000; step++) {
		unsigned i = (unsigned)lrand48() % MANY;
		uint64_t next = UINT64_MAX;

		if (lrand48() % 4 == 0) {
			wheel_cancel(&wheel, &f[i].t);
			due[i] = 0;
		} else {
			due[i] = ms + (uint64_t)lrand48() % (lrand48() % 8 ? 2000 : 60000) + 1;
			wheel_arm(&wheel, &f[i].t, due[i]);
		}
		for (unsigned k = 0; k < MANY; k++) {
			if (due[k] != 0 && due[k] < next)
				next = due[k];
		}
		/* A lower bound, rounded up to the tick at which it would fire. */
		if (next != UINT64_MAX)
			assert_true(wheel.next_ms < next + LCORE_TICK_MS ||
				wheel.next_ms <= ms + LCORE_TICK_MS);
		ms += (uint64_t)(lrand48() % (lrand48() % 100 ? 20 : 40000));
		run_to(ms);
		for (unsigned k = 0; k < MANY; k++) {
			if (f[k].cnt != 0) {
				assert_true(due[k] != 0 && due[k] <= ms);
				f[k].cnt = 0;
				due[k] = 0;
				fires++;
			} else if (due[k] != 0) {
				assert_true(due[k] + LCORE_TICK_MS > ms);
				assert_true(f[k].t.armed);
			}
		}
	}
	assert_true(fires > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_once_and_never_early),
		cmocka_unit_test(the_past_is_the_next_tick),
		cmocka_unit_test(re_arming_moves_and_cancelling_removes),
		cmocka_unit_test(far_ones_wait_their_turns),
		cmocka_unit_test(callbacks_may_cancel_and_arm),
		cmocka_unit_test(agrees_with_a_searched_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
