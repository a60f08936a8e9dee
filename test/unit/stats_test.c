/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters: names, folding of blocks, and the sums the books are made of. No EAL. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/stats.h"

static void every_reason_has_its_own_name(void **)
{
	for (int i = 0; i < STATS_DROP_IN_CNT; i++) {
		assert_non_null(stats_drop_in_name(i));
		assert_true(strlen(stats_drop_in_text(i)) > 10);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(stats_drop_in_name(i), stats_drop_in_name(k));
	}
	for (int i = 0; i < STATS_DROP_OUT_CNT; i++) {
		assert_non_null(stats_drop_out_name(i));
		assert_true(strlen(stats_drop_out_text(i)) > 10);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(stats_drop_out_name(i), stats_drop_out_name(k));
	}
	assert_string_equal(stats_drop_in_name(STATS_DROP_IN_BAD_SOURCE), "bad_source");
	assert_string_equal(stats_drop_out_name(STATS_DROP_OUT_RING_FULL), "ring_full");
	assert_null(stats_drop_in_name(STATS_DROP_IN_CNT));
	assert_null(stats_drop_in_text(STATS_DROP_IN_CNT));
	assert_null(stats_drop_out_name(STATS_DROP_OUT_CNT));
	assert_null(stats_drop_out_text(STATS_DROP_OUT_CNT));
}

static void folding_adds_every_word(void **)
{
	struct stats_block a, b, sum;
	uint64_t *wa = (uint64_t *)&a, *wb = (uint64_t *)&b, *ws = (uint64_t *)&sum;
	size_t words = sizeof(a) / sizeof(uint64_t);

	for (size_t i = 0; i < words; i++) {
		wa[i] = i + 1;
		wb[i] = 1000 * i;
	}
	memset(&sum, 0, sizeof(sum));
	stats_fold(&sum, &a);
	stats_fold(&sum, &b);
	for (size_t i = 0; i < words; i++)
		assert_int_equal(ws[i], wa[i] + wb[i]);
}

static void the_books(void **)
{
	struct stats_block b = {
		.in = {.unicast_frames = 7, .broadcast_frames = 4},
		.out = {.unicast_frames = 5, .unicast_bytes = 9, .broadcast_frames = 3},
		.switched = 5,
		.flooded = 3,
		.copies = 11,
	};
	struct stats_traffic t = {1, 2, 3, 4};

	b.drop_in[STATS_DROP_IN_SHORT] = 1;
	b.drop_in[STATS_DROP_IN_CNT - 1] = 2;
	b.drop_out[0] = 1;
	b.drop_out[STATS_DROP_OUT_CNT - 1] = 2;
	assert_int_equal(stats_in_frames(&b), 11);
	assert_int_equal(stats_drop_in_sum(&b), 3);
	assert_int_equal(stats_in_frames(&b), b.switched + b.flooded + stats_drop_in_sum(&b));
	assert_int_equal(b.copies, stats_sent_frames(&b) + stats_drop_out_sum(&b));
	stats_traffic_add(&b.out, &t);
	assert_int_equal(b.out.unicast_frames, 6);
	assert_int_equal(b.out.unicast_bytes, 11);
	assert_int_equal(b.out.broadcast_frames, 6);
	assert_int_equal(b.out.broadcast_bytes, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_its_own_name),
		cmocka_unit_test(folding_adds_every_word),
		cmocka_unit_test(the_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
