/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC table, one thread: the bounds - of a port, of a table, of all tables - and who gives way to whom when one is
 * reached.
 */

#include "test/unit/fdb_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants. */
#include <cmocka.h>

/* Of a port that may have two entries. */
static enum fdb_learn_result learn_limited(
	struct fdb *fdb, uint64_t key, uint64_t seen, uint32_t port, uint16_t gen, uint32_t now_s)
{
	struct fdb_terms terms = {.limit = 2, .tries = 1};

	return fdb_learn_on_terms(fdb, key, seen, port, gen, now_s, &terms);
}

/* What a port holds follows every way in which an entry comes, moves and goes; so does its limit. */
static void test_port_limit(void **)
{
	struct fdb *fdb = make(1000);
	struct fdb_counters c;
	uint64_t k1 = fdb_key(1, 0), k2 = fdb_key(2, 0), k3 = fdb_key(3, 0);
	uint16_t gen = atomic_load(&gens[5]);

	assert_int_equal(learn_limited(fdb, k1, 0, 5, gen, 1), FDB_LEARNED);
	assert_int_equal(learn_limited(fdb, k2, 0, 5, gen, 1), FDB_LEARNED);
	assert_int_equal(fdb_port_count(fdb, 5), 2);
	assert_int_equal(learn_limited(fdb, k3, 0, 5, gen, 1), FDB_OVER_LIMIT);
	assert_int_equal(look(fdb, k3), 0);
	/* Its own stay good; nobody else's can be taken either; without a limit it goes on. */
	assert_int_equal(learn_limited(fdb, k1, look(fdb, k1), 5, gen, 2), FDB_KNOWN);
	assert_int_equal(look(fdb, k1), want(5, 2));
	learn(fdb, k3, 6, 2);
	assert_int_equal(learn_limited(fdb, k3, look(fdb, k3), 5, gen, 2), FDB_OVER_LIMIT);
	assert_int_equal(look(fdb, k3), want(6, 2));
	assert_int_equal(learn(fdb, k3, 5, 3), FDB_MOVED);
	assert_int_equal(fdb_port_count(fdb, 5), 3);
	assert_int_equal(fdb_port_count(fdb, 6), 0);
	/* Moved away, deleted, aged, and left behind by a port that went. */
	assert_int_equal(learn(fdb, k3, 6, 3), FDB_MOVED);
	fdb_delete(fdb, k2);
	assert_int_equal(fdb_port_count(fdb, 5), 1);
	assert_int_equal(learn_limited(fdb, k2, 0, 5, gen, 3), FDB_LEARNED);
	for (unsigned i = 0; i < 4; i++)
		sweep(fdb, 602 + 1);
	assert_int_equal(fdb_port_count(fdb, 5), 1);
	atomic_store(&gens[5], (uint16_t)(gen + 1));
	assert_int_equal(fdb_port_count(fdb, 5), 1);
	sweep(fdb, 603);
	assert_int_equal(fdb_port_count(fdb, 5), 0);
	fdb_counters(fdb, &c);
	assert_int_equal(c.not_learned_limit, 2);
	fdb_destroy(fdb);
}

/* Growth carries what a port holds over, and not one more. */
static void test_port_count_grows(void **)
{
	struct fdb *fdb = make(60000);

	for (uint64_t i = 0; i < 20000;) {
		if (learn(fdb, fdb_key(i + 1, 0), 1 + (uint32_t)(i % 4), 1) != FDB_FULL)
			i++;
		fdb_sweep(fdb, 512, 1);
	}
	for (uint32_t p = 1; p <= 4; p++)
		assert_int_equal(fdb_port_count(fdb, p), 5000);
	fdb_destroy(fdb);
}

/*
 * A full table: a port that has little gets what it needs at once and at the cost of the one that has most;
 * the bound holds; what is used for longer than a second stays.
 */
static void test_full_is_fair(void **)
{
	struct fdb *fdb = make(4096);
	unsigned lost = 0;

	fill(fdb, 2, 0x20000, 300, 1);
	fill(fdb, 1, 0x10000, 500, 1);
	for (uint64_t i = 0; i < 500; i++)
		learn(fdb, fdb_key(0x10000 + i, 0), 1, 2);
	fill(fdb, 1, 0x30000, 4096 - 800, 2);
	assert_int_equal(fdb_count(fdb), 4096);
	for (uint64_t i = 0; i < 1000; i++) {
		if (i % 100 == 0)
			sweep(fdb, 2); /* gives the slots back */
		assert_int_equal(learn(fdb, fdb_key(0x40000 + i, 0), 3, 2), FDB_LEARNED);
		assert_int_equal(look(fdb, fdb_key(0x40000 + i, 0)), want(3, 2));
		assert_int_equal(fdb_count(fdb), 4096);
	}
	assert_int_equal(fdb_port_count(fdb, 1), 4096 - 300 - 1000);
	assert_int_equal(fdb_port_count(fdb, 2), 300);
	for (uint64_t i = 0; i < 500; i++)
		lost += look(fdb, fdb_key(0x10000 + i, 0)) == 0;
	for (uint64_t i = 0; i < 300; i++)
		lost += look(fdb, fdb_key(0x20000 + i, 0)) == 0;
	assert_int_equal(lost, 0);
	fdb_destroy(fdb);
}

/* The port that has most replaces its own, and only so much of it a second. */
static void test_full_of_one_port(void **)
{
	struct fdb *fdb = make(4096);
	struct fdb_counters c;
	unsigned learned = 0;

	fill(fdb, 1, 0x10000, 4096, 1);
	sweep(fdb, 2);
	for (uint64_t i = 0; i < 100000; i++)
		learned += learn(fdb, fdb_key(0x100000 + i, 0), 1, 2) == FDB_LEARNED;
	assert_int_equal(learned, 8192 / FDB_CHURN_SHARE);
	assert_int_equal(fdb_count(fdb), 4096);
	fdb_counters(fdb, &c);
	assert_int_equal(c.evicted, learned);
	sweep(fdb, 1);
	sweep(fdb, 1);
	/* There is room for others all the same. */
	for (uint64_t i = 0; i < 200; i++)
		assert_int_equal(learn(fdb, fdb_key(0x20000 + i, 0), 2, 1), FDB_LEARNED);
	/* What a departed port has left goes first, and is not waited for. */
	atomic_fetch_add(&gens[1], 1);
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(learn(fdb, fdb_key(0x30000 + i, 0), 3, 1), FDB_LEARNED);
	assert_int_equal(fdb_port_count(fdb, 2), 200);
	assert_int_equal(fdb_count(fdb), 4096);
	fdb_destroy(fdb);
}

/*
 * A large port at a full table has its tries and no more; nobody else needs any, nor does it as long as there is room.
 */
static void test_full_and_rationed(void **)
{
	struct fdb *fdb = make(4096);
	struct fdb_terms none = {.tries = 0}, some = {.tries = 40};
	struct fdb_counters c;
	unsigned learned = 0;

	/* Room: no try is asked for, and no port is a large one. */
	for (uint64_t i = 0; i < 4096;) {
		if (fdb_learn_on_terms(fdb, fdb_key(0x10000 + i, 0), 0, 1, 1, 1, &none) ==
			FDB_LEARNED)
			i++;
		else
			fdb_sweep(fdb, 4096, 1);
		assert_true(i > 500 || !fdb_is_large(fdb, 1));
	}
	assert_int_equal(fdb_count(fdb), 4096);
	sweep(fdb, 2);
	assert_true(fdb_is_large(fdb, 1));
	assert_false(fdb_is_large(fdb, 2));
	for (uint64_t i = 0; i < 1000; i++)
		learned += fdb_learn_on_terms(fdb, fdb_key(0x100000 + i, 0), 0, 1, 1, 2, &some) ==
			FDB_LEARNED;
	assert_int_equal(learned, 40);
	assert_int_equal(some.tries, 0);
	/* Its own addresses are refreshed, and those of others it takes over. */
	learn(fdb, fdb_key(0x20000, 0), 2, 2);
	assert_int_equal(fdb_learn_on_terms(fdb, fdb_key(0x20000, 0), want(2, 2), 1, 1, 3, &none),
		FDB_MOVED);
	/* A port that has little. */
	for (uint64_t i = 0; i < 500; i++) {
		if (i % 100 == 0)
			sweep(fdb, 2); /* gives the slots back */
		assert_int_equal(
			fdb_learn_on_terms(fdb, fdb_key(0x30000 + i, 0), 0, 2, 2, 2, &none),
			FDB_LEARNED);
	}
	assert_false(fdb_is_large(fdb, 2));
	fdb_count_rationed(fdb, 7);
	fdb_counters(fdb, &c);
	assert_int_equal(c.not_learned_rationed, 7);
	assert_int_equal(c.evicted, 40 + 1 + 500);
	fdb_destroy(fdb);
}

/* Every address is learned at any rate as long as there is room: RFC 2889's learning rate. */
static void test_learns_at_any_rate(void **)
{
	struct fdb *fdb = make(65536);
	struct fdb_terms none = {.tries = 0};
	struct fdb_counters c;

	/* Grown by other addresses, which then leave. */
	fill(fdb, 1, 0x1000000, 65536, 1);
	atomic_fetch_add(&gens[1], 1);
	for (unsigned i = 0; i < 4; i++)
		sweep(fdb, 1);
	assert_int_equal(fdb_count(fdb), 0);
	for (uint64_t i = 0; i < 65536; i++)
		assert_int_equal(
			fdb_learn_on_terms(fdb, fdb_key(i, 0), 0, 2, 2, 2, &none), FDB_LEARNED);
	fdb_counters(fdb, &c);
	assert_int_equal(c.evicted, 0);
	fdb_destroy(fdb);
}

/* A bound over all tables: the second gets what the first leaves, and everybody a little. */
static void test_total(void **)
{
	struct fdb *first, *second, *third;

	fdb_set_total(4096);
	first = make(100000);
	fill(first, 1, 0x10000, 3000, 1);
	for (int i = 0; i < 10; i++)
		sweep(first, 1);
	assert_int_equal(fdb_count(first), 3000);
	second = make(100000);
	third = make(100000);
	for (uint64_t i = 0; i < 10000; i++) {
		learn(second, fdb_key(0x10000 + i, 0), 1, 1);
		learn(third, fdb_key(0x10000 + i, 0), 1, 1);
		fdb_sweep(second, 100, 1);
		fdb_sweep(third, 100, 1);
	}
	/* What the first may have, used or not, is 4096 by now. */
	assert_int_equal(fdb_count(second), 16);
	assert_int_equal(fdb_count(third), 16);
	/* Nothing grows for entries that may not be. */
	for (int i = 0; i < 10; i++)
		fdb_sweep(third, 1u << 20, 1);
	assert_false(fdb_growing(third));
	fdb_destroy(first);
	fdb_destroy(second);
	sweep(third, 1);
	fill(third, 2, 0x20000, 500, 1);
	assert_true(fdb_count(third) > 500);
	fdb_destroy(third);
	fdb_set_total(FDB_TOTAL_DEFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_limit),
		cmocka_unit_test(test_port_count_grows),
		cmocka_unit_test(test_full_is_fair),
		cmocka_unit_test(test_full_of_one_port),
		cmocka_unit_test(test_full_and_rationed),
		cmocka_unit_test(test_learns_at_any_rate),
		cmocka_unit_test(test_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
