/* SPDX-License-Identifier: BSD-3-Clause */
/* What limits rates: the token bucket (dataplane/meter.h) and the storm limiter (dataplane/storm.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/meter.h"
#include "dataplane/storm.h"

/* Offers `frames` of `bytes` each millisecond for `ms`; returns the bits that passed. */
static uint64_t offer(
	struct meter *m, uint64_t from_ms, uint64_t ms, unsigned frames, uint32_t bytes)
{
	uint64_t bits = 0;

	for (uint64_t t = from_ms; t < from_ms + ms; t++) {
		meter_fill(m, t);
		for (unsigned i = 0; i < frames; i++)
			bits += meter_take(m, bytes) ? bytes * 8 : 0;
	}
	return bits;
}

static void test_rate(void **)
{
	static const uint64_t rates[] = {1000, 64000, 1000000, 10000000, 1000000000, 4294967295};

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t bps = rates[i], depth = bps / 2 > 121120 ? bps / 2 : 121120, bits;
		struct meter m;

		meter_init(&m, bps, 1000);
		bits = offer(&m, 1000, 10000, 400, 1514);
		/* Ten seconds' worth and one burst, not more; and not a frame less than that. */
		assert_in_range(
			bits, 10 * bps + depth - bps / 1000 - 2 * 1514 * 8, 10 * bps + depth);
	}
}

static void test_rests_fill_one_burst(void **)
{
	struct meter m;

	meter_init(&m, 10000000, 0);
	offer(&m, 0, 1000, 100, 1514);
	assert_in_range(
		offer(&m, UINT64_C(1) << 40, 1, 1000, 1514), 5000000 - 2 * 1514 * 8, 5000000);
	/* A clock that steps back gives nothing and costs nothing. */
	meter_fill(&m, 5);
	assert_int_equal(m.at_ms, UINT64_C(1) << 40);
}

/* ---- storms ----------------------------------------------------------------------------------- */

static const struct storm_limit usual = {.threshold = 32},
				strict = {.threshold = 32, .strict = true};
static struct storm storm;

static int fresh(void **)
{
	memset(&storm, 0, sizeof(storm));
	return 0;
}

static bool flood(const struct storm_limit *limit, uint8_t src, uint8_t dst, uint64_t at_ms)
{
	uint8_t a[16] = {[15] = src}, b[16] = {[15] = dst};

	return storm_pass(&storm, limit, UINT64_C(0x020000000001), a, b, at_ms);
}

/* `rate` a second of one key during second `s`; returns how many passed. */
static unsigned second(const struct storm_limit *limit, unsigned rate, unsigned s)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < rate; i++)
		passed += flood(limit, 1, 2, 1000 + s * 1000 + i * 1000 / rate);
	return passed;
}

/* hub.md 7, measured: 20 a second lose nothing, more than 32 are cut off in the end, 500 quickly. */
static void test_rates(void **)
{
	for (unsigned s = 0; s < 60; s++)
		assert_int_equal(second(&usual, 20, s), 20);
	fresh(NULL);
	for (unsigned s = 0; s < 60; s++)
		assert_int_equal(second(&usual, 31, s), 31);
	fresh(NULL);
	for (unsigned s = 0; s < 9; s++)
		second(&usual, 36, s);
	for (unsigned s = 9; s < 20; s++)
		assert_int_equal(second(&usual, 36, s), 0);
	fresh(NULL);
	assert_in_range(second(&usual, 500, 0), 32, 40);
	for (unsigned s = 1; s < 20; s++)
		assert_int_equal(second(&usual, 500, s), 0);
	/* And half a second of silence later it is forgotten. */
	assert_true(flood(&usual, 1, 2, 21000 + 600));
}

static void test_each_destination_has_its_own(void **)
{
	/* 200 a second, each to another address: nothing lost, in the strict mode most. */
	for (unsigned i = 0; i < 2000; i++)
		assert_true(flood(&usual, 1, (uint8_t)i, 1000 + i * 5));
	fresh(NULL);
	unsigned passed = 0;

	for (unsigned i = 0; i < 2000; i++)
		passed += flood(&strict, 1, (uint8_t)i, 1000 + i * 5);
	assert_in_range(passed, 32, 50);
}

/* However many keys: the one that is busy keeps its record. */
static void test_bounded(void **)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < 20000; i++) {
		passed += flood(&usual, 1, 1, 1000 + i / 10);
		flood(&usual, 2, (uint8_t)(i % 250), 1000 + i / 10);
	}
	assert_in_range(passed, 32, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rests_fill_one_burst),
		cmocka_unit_test_setup(test_rates, fresh),
		cmocka_unit_test_setup(test_each_destination_has_its_own, fresh),
		cmocka_unit_test_setup(test_bounded, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
