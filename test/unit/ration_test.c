/* SPDX-License-Identifier: BSD-3-Clause */
/* Tries that many share: the bound of a millisecond, and that who asks last has its part. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/ration.h"

#define MANY 1000u

static uint32_t used[MANY];

/*
 * Ports 1 .. n-1 in this order, each as many bursts as it likes and no end of addresses; port 0 comes last and has two.
 * Returns what all have used.
 */
static uint32_t ask_all(struct ration *r, unsigned n, uint64_t ms)
{
	uint32_t all = 0;

	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned k = 1; k <= n; k++) {
			unsigned who = k % n;
			uint32_t wants = who == 0 ? 2 : 1000;
			uint32_t got = ration_get(r, who, ms);
			uint32_t take = got < wants ? got : wants;

			ration_use(r, who, take, take < wants);
			used[who] += take;
			all += take;
		}
	}
	return all;
}

static void everybody(unsigned n, uint32_t ms, uint32_t least, uint32_t least_of_last)
{
	struct ration r = {0};

	for (unsigned i = 0; i < n; i++)
		used[i] = 0;
	for (uint32_t i = 0; i < ms; i++)
		assert_true(ask_all(&r, n, 1000 + i) <= RATION_MS);
	for (unsigned i = 1; i < n; i++)
		assert_true(used[i] >= least);
	assert_true(used[0] >= least_of_last);
}

static void alone(void **)
{
	struct ration r = {0};

	for (uint64_t ms = 1; ms < 100; ms++) {
		assert_int_equal(ration_get(&r, 7, ms), RATION_MS);
		ration_use(&r, 7, RATION_MS, true);
		assert_int_equal(ration_get(&r, 7, ms), 0);
		/* Another one that shows up has its part from the next millisecond on. */
		assert_int_equal(ration_get(&r, 8, ms), 0);
	}
}

static void shared(void **)
{
	everybody(2, 100, 15 * 100, 2 * 97);
	everybody(5, 100, 5 * 80, 2 * 90);
	everybody(32, 1000, 500, 500);
	/* More than there are tries for. */
	everybody(64, 1000, 200, 200);
	everybody(200, 1000, 30, 30);
}

/* So many that marks run together: the last one is not forgotten. */
static void crowd(void **)
{
	everybody(MANY, 20000, 10, 10);
}

/* Who has asked for nothing for a while leaves his part; and a turn may take more than a millisecond. */
static void old_marks(void **)
{
	struct ration r = {0};

	for (uint32_t who = 0; who < 8; who++)
		ration_use(&r, who, ration_get(&r, who, 1) > 0, true);
	assert_in_range(ration_get(&r, 3, 4), 1, RATION_MS / 7);
	ration_use(&r, 3, 0, true);
	assert_int_equal(ration_get(&r, 3, 5), RATION_MS);
	for (uint32_t who = 0; who < 8; who++)
		ration_use(&r, who, 0, true);
	assert_int_equal(ration_get(&r, 3, 6 + RATION_LASTS_MS), RATION_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone),
		cmocka_unit_test(shared),
		cmocka_unit_test(crowd),
		cmocka_unit_test(old_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
