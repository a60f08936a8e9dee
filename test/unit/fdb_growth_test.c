/* SPDX-License-Identifier: BSD-3-Clause */
/* MAC table, one thread: growth, each stage held still by the fake grace period, and what follows the size. */

#include "test/unit/fdb_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants. */
#include <cmocka.h>

static void check_range(struct fdb *fdb, unsigned n, uint32_t now_s)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(look(fdb, fdb_key(i, 0)), want(1 + i % 7, now_s));
}

static void test_growth(void **)
{
	struct fdb *fdb = make(60000);
	struct fdb_entry *e = calloc(4000, sizeof(*e));
	struct fdb_table *t = atomic_load(&fdb->cur);
	struct fdb_counters c;
	uint64_t cursor = 0;
	size_t n = 0;
	bool seen[600] = {false};

	assert_int_equal(fdb_slots(t), 1024);
	assert_false(fdb_growing(fdb));
	for (unsigned i = 0; i < 600; i++)
		assert_int_equal(learn(fdb, fdb_key(i, 0), 1 + i % 7, 3), FDB_LEARNED);
	n += fdb_list(fdb, &cursor, e, 100);
	assert_int_equal(n, 100);

	/* Announced, and held there. */
	grace_blocked = true;
	for (int i = 0; i < 10; i++)
		fdb_sweep(fdb, 4096, 3);
	assert_ptr_equal(atomic_load(&fdb->old), t);
	assert_int_equal(fdb_slots(atomic_load(&fdb->cur)), 2048);
	check_range(fdb, 600, 3);
	/* A refresh and a move carry their entries over; the second does not change back. */
	assert_int_equal(learn(fdb, fdb_key(0, 0), 1, 3), FDB_KNOWN);
	assert_int_equal(learn(fdb, fdb_key(1, 0), 2, 4), FDB_KNOWN);
	assert_int_equal(learn(fdb, fdb_key(2, 0), 9, 4), FDB_MOVED);
	assert_int_equal(look(fdb, fdb_key(1, 0)), want(2, 4));
	assert_int_equal(look(fdb, fdb_key(2, 0)), want(9, 4));
	assert_int_equal(learn(fdb, fdb_key(600, 0), 1, 4), FDB_LEARNED);
	assert_int_equal(fdb_count(fdb), 601);
	/* Deleted while it stands in the old table; and one that was carried over. */
	assert_int_equal(fdb_delete(fdb, fdb_key(3, 0)), 0);
	assert_int_equal(look(fdb, fdb_key(3, 0)), 0);
	assert_int_equal(fdb_delete(fdb, fdb_key(2, 0)), 0);
	assert_int_equal(look(fdb, fdb_key(2, 0)), 0);
	assert_int_equal(fdb_count(fdb), 599);
	assert_int_equal(learn(fdb, fdb_key(2, 0), 9, 4), FDB_LEARNED);
	assert_int_equal(learn(fdb, fdb_key(3, 0), 4, 3), FDB_LEARNED);

	/* Copied in slices, listed in between. */
	grace_blocked = false;
	for (int i = 0; i < 5; i++) {
		fdb_sweep(fdb, 100, 4);
		assert_ptr_equal(atomic_load(&fdb->old), t);
		n += fdb_list(fdb, &cursor, e + n, 50);
	}
	assert_int_equal(learn(fdb, fdb_key(599, 0), 9, 4), FDB_MOVED);
	assert_int_equal(learn(fdb, fdb_key(598, 0), 9, 4), FDB_MOVED);
	grace_blocked = true;
	for (int i = 0; i < 20; i++)
		fdb_sweep(fdb, 100, 4);
	/* Dropped by all who come new, kept for who still reads it. */
	assert_null(atomic_load(&fdb->old));
	assert_int_equal(fdb->growth, FDB_DRAIN);
	grace_blocked = false;
	sweep(fdb, 4);
	assert_int_equal(fdb->growth, FDB_STABLE);
	assert_false(fdb_growing(fdb));
	while (cursor != UINT64_MAX)
		n += fdb_list(fdb, &cursor, e + n, 50);
	for (size_t i = 0; i < n; i++) {
		assert_true(e[i].mac <= 600);
		if (e[i].mac < 600)
			seen[e[i].mac] = true;
		if (e[i].mac > 3)
			assert_int_equal(e[i].created_s, e[i].mac == 600 ? 4 : 3);
	}
	for (unsigned i = 0; i < 600; i++) {
		assert_true(seen[i]);
		assert_int_equal(look(fdb, fdb_key(i, 0)),
			want(i == 2 || i >= 598 ? 9 : 1 + i % 7,
				i == 1 || i == 2 || i >= 598 ? 4 : 3));
	}
	assert_int_equal(fdb_count(fdb), 601);
	fdb_counters(fdb, &c);
	assert_int_equal(c.aged + c.flushed, 0);
	free(e);
	fdb_destroy(fdb);
}

/* Two thousand stations that come at once find room: growth is called for at half load, before any is refused. */
static void test_growth_is_called_in_time(void **)
{
	struct fdb *fdb = make(60000);
	struct fdb_counters c;
	unsigned calls = 0, at = 0;

	for (unsigned i = 0; i < 6000; i++) {
		assert_int_equal(learn(fdb, fdb_key(i, 0), 1, 3), FDB_LEARNED);
		if (!fdb_call(fdb))
			continue;
		if (calls++ == 0)
			at = i;
		assert_true(fdb_growing(fdb));
		assert_false(fdb_call(fdb));
		/* As the control thread does: until nothing is left to do. */
		while (fdb_growing(fdb))
			fdb_sweep(fdb, 4096, 3);
	}
	assert_in_range(at, 500, 600);
	assert_true(fdb_slots(atomic_load(&fdb->cur)) >= 8192);
	assert_true(calls < 6000 / 64);
	fdb_counters(fdb, &c);
	assert_int_equal(c.not_learned_full, 0);
	fdb_destroy(fdb);
}

static void test_growth_drops_dead(void **)
{
	struct fdb *fdb = make(60000);
	struct fdb_counters c;

	for (unsigned i = 0; i < 600; i++)
		learn(fdb, fdb_key(i, 0), 1 + i % 3, 1 + i % 2 * 500);
	atomic_store(&gens[1], 99);
	while (fdb->growth != FDB_DRAIN)
		fdb_sweep(fdb, 64, fdb->growth == FDB_COPY ? 700 : 1);
	/* Growth began in second 1, the copy ran in 700: 200 flushed, of the others half too old. */
	fdb_counters(fdb, &c);
	assert_int_equal(c.flushed, 200);
	sweep(fdb, 700);
	fdb_counters(fdb, &c);
	assert_int_equal(c.aged, 200);
	assert_int_equal(fdb_count(fdb), 200);
	fdb_destroy(fdb);
}

static void test_growth_to_the_bound(void **)
{
	const unsigned max = 50000;
	struct fdb *fdb = make(max);
	unsigned learned = 0;

	for (unsigned i = 0; learned < max && i < 4 * max; i++) {
		learned += learn(fdb, fdb_key(i * 2654435761u, 0), 1, 2) == FDB_LEARNED;
		if (i % 64 == 0)
			fdb_sweep(fdb, 512, 2);
	}
	assert_int_equal(learned, max);
	assert_int_equal(fdb_count(fdb), max);
	assert_int_equal(learn(fdb, fdb_key(0xffffffffff, 0), 1, 2), FDB_LEARNED);
	for (int i = 0; i < 3; i++)
		sweep(fdb, 2);
	assert_true(fdb_slots(atomic_load(&fdb->cur)) <= 2 * fdb_slots_for(max));
	assert_int_equal(fdb_count(fdb), max);
	fdb_destroy(fdb);
}

/* A storm that outruns the sweeper: refused, said so, and helped by few slices. */
static void test_growth_in_a_hurry(void **)
{
	struct fdb *fdb = make(60000);
	unsigned calls = 0, known = 0;

	for (unsigned i = 0; i < 4000; i++)
		known += learn(fdb, fdb_key(i, 0), 1 + i % 7, 3) == FDB_LEARNED;
	assert_true(known <= 768);
	/* One of the refused tells, for all. */
	assert_false(fdb_growing(fdb));
	assert_true(fdb_call(fdb));
	assert_false(fdb_call(fdb));
	assert_true(fdb_growing(fdb));
	for (; fdb_growing(fdb); calls++)
		fdb_sweep(fdb, 1024, 3);
	assert_true(calls <= 3);
	for (unsigned i = 0; i < 4000; i++)
		assert_true(learn(fdb, fdb_key(i, 0), 1 + i % 7, 3) <= FDB_LEARNED);
	check_range(fdb, 4000, 3);
	fdb_destroy(fdb);
}

/* Addresses 0 .. n-1 in second 1, and eight more that fill both buckets of *key. */
static struct fdb *full_buckets(uint32_t max_entries, unsigned n, uint64_t *key)
{
	struct fdb *fdb = make(max_entries);
	uint64_t filler[8];

	*key = fdb_key(0xabcdef, 0);
	same_buckets(fdb, *key, filler, 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(learn(fdb, filler[i], 2, 1), FDB_LEARNED);
	for (unsigned i = 0; i < n; i++)
		assert_true(learn(fdb, fdb_key(i, 0), 1, 1) <= FDB_LEARNED);
	return fdb;
}

/* The sweeper comes by `times` times, and before each the key's frame is refused often. */
static void refuse(struct fdb *fdb, uint64_t key, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		for (unsigned k = 0; k < 3000; k++)
			(void)learn(fdb, key, 3, 1);
		sweep(fdb, 1);
	}
}

/* A key that finds no room makes the table grow from an eighth on: twofold, however often it was refused. */
static void test_growth_for_one_key(void **)
{
	uint64_t key;
	struct fdb *fdb = full_buckets(60000, 122, &key);

	assert_int_equal(learn(fdb, key, 3, 1), FDB_FULL);
	assert_true(fdb_call(fdb));
	refuse(fdb, key, 8);
	assert_int_equal(fdb_slots(atomic_load(&fdb->cur)), 2048);
	assert_int_equal(look(fdb, key), want(3, 1));
	assert_int_equal(fdb_count(fdb), 131);
	fdb_destroy(fdb);
}

/* With less in it, it stays as it is: who finds such keys cannot blow it up. */
static void test_no_growth_for_one_key(void **)
{
	uint64_t key;
	struct fdb *fdb = full_buckets(60000, 120, &key);

	refuse(fdb, key, 8);
	assert_int_equal(learn(fdb, key, 3, 1), FDB_FULL);
	assert_int_equal(fdb_slots(atomic_load(&fdb->cur)), 1024);
	fdb_destroy(fdb);
}

/* Somebody who knows the hash fills the buckets of one key after the other, in a table of 16 and in one of 300. */
static void test_growth_ends(void **)
{
	static const uint32_t bound[] = {FDB_ENTRIES_MIN, 300};

	for (unsigned i = 0; i < 2; i++) {
		uint64_t key, filler[8];
		struct fdb *fdb = full_buckets(bound[i], 0, &key);
		uint64_t slots = fdb_slots(atomic_load(&fdb->cur));

		assert_int_equal(slots, fdb_slots_for(bound[i]));
		for (unsigned round = 0; round < 60; round++) {
			key = fdb_key(0x1000000 + round, 0);
			same_buckets(fdb, key, filler, 8);
			for (int k = 0; k < 8; k++)
				(void)learn(fdb, filler[k], 2, 1);
			refuse(fdb, key, 1);
			slots = fdb_slots(atomic_load(&fdb->cur));
			assert_true(slots <= 2 * fdb_slots_for(bound[i]));
			assert_true(fdb_count(fdb) <= bound[i]);
		}
		assert_int_equal(slots, 2 * fdb_slots_for(bound[i]));
		fdb_destroy(fdb);
	}
}

/*
 * Growth has been announced; the two buckets of *key, which port 1 has had since second 1 and used in second
 * `used_s`, are full of addresses that port 2 was seen with once, in second 1.
 */
static struct fdb *no_room(uint64_t *key, uint32_t used_s, uint64_t *filler)
{
	struct fdb *fdb = make(60000);

	for (unsigned i = 0; i < 520; i++)
		learn(fdb, fdb_key(i, 0), 1, 1);
	*key = fdb_key(0, 0);
	learn(fdb, *key, 1, used_s);
	grace_blocked = true;
	while (fdb->growth != FDB_ANNOUNCED)
		fdb_sweep(fdb, 1024, 1);
	same_buckets(fdb, *key, filler, 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(learn(fdb, filler[i], 2, 1), FDB_LEARNED);
	assert_int_equal(
		learn(fdb, *key, 1, used_s + 1), FDB_FULL); /* same port: stays where it is */
	assert_int_equal(look(fdb, *key), want(1, used_s));
	return fdb;
}

/* Growth goes on to its end; having refused keys, the table has grown once more. */
static void grows_to_the_end(struct fdb *fdb)
{
	grace_blocked = false;
	for (int i = 0; i < 100; i++)
		fdb_sweep(fdb, 1024, 2);
	assert_int_equal(fdb->growth, FDB_STABLE);
	assert_int_equal(fdb_slots(atomic_load(&fdb->cur)), 4096);
}

/* An entry without room in the new table: one that was seen only once gives way to it, a grace period later. */
static void test_growth_makes_room(void **)
{
	uint64_t key, filler[8];
	struct fdb *fdb = no_room(&key, 2, filler);
	struct fdb_counters c;
	unsigned left = 0;

	grace_blocked = false;
	for (int i = 0; i < 100 && fdb->growth != FDB_COPY; i++)
		fdb_sweep(fdb, 1, 2);
	assert_int_equal(fdb->growth, FDB_COPY);
	grace_blocked = true;
	for (int i = 0; i < 5000; i++)
		fdb_sweep(fdb, 1024, 2);
	/* Held still: it is where it was, and the slot not free yet. */
	assert_int_equal(fdb->growth, FDB_COPY);
	assert_int_equal(look(fdb, key), want(1, 2));
	fdb_counters(fdb, &c);
	assert_int_equal(c.evicted, 1);
	grows_to_the_end(fdb);
	assert_int_equal(look(fdb, key), want(1, 2));
	for (int i = 0; i < 8; i++)
		left += look(fdb, filler[i]) != 0;
	assert_int_equal(left, 7);
	assert_int_equal(fdb_count(fdb), 520 + 7);
	fdb_counters(fdb, &c);
	assert_int_equal(c.evicted, 1);
	fdb_destroy(fdb);
}

/* One that is worth no more than what stands there goes itself. */
static void test_growth_without_room(void **)
{
	uint64_t key, filler[8];
	struct fdb *fdb = no_room(&key, 1, filler);

	grows_to_the_end(fdb);
	assert_int_equal(look(fdb, key), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(look(fdb, filler[i]), want(2, 1));
	assert_int_equal(fdb_count(fdb), 519 + 8);
	fdb_destroy(fdb);
}

/* One that is seen on another port meanwhile, and no room to say so: forgotten, not sent the wrong way. */
static void test_growth_without_room_for_a_move(void **)
{
	uint64_t key, filler[8];
	struct fdb *fdb = no_room(&key, 2, filler);

	assert_int_equal(learn(fdb, key, 3, 3), FDB_FULL);
	assert_int_equal(look(fdb, key), 0);
	grows_to_the_end(fdb);
	assert_int_equal(fdb_count(fdb), 519 + 8);
	fdb_destroy(fdb);
}

/* Large tables write a station's second down only so often; who asks whether its time is over adds that. */
static void test_quantum(void **)
{
	struct fdb *fdb = make(262144);
	uint64_t key = fdb_key(0x77, 0);

	assert_int_equal(fdb_quantum_for(FDB_QUANTUM_SLOTS / 2, 600), 1);
	assert_int_equal(fdb_quantum_for(FDB_QUANTUM_SLOTS, 600), 2);
	assert_int_equal(fdb_quantum_for(2 * FDB_QUANTUM_SLOTS, 600), 4);
	assert_int_equal(fdb_quantum_for(64 * FDB_QUANTUM_SLOTS, 600), 4);
	assert_int_equal(fdb_quantum_for(64 * FDB_QUANTUM_SLOTS, 255), 2);
	assert_int_equal(fdb_quantum_for(64 * FDB_QUANTUM_SLOTS, 127), 1);

	assert_int_equal(fdb_quantum_s(fdb), 1);
	fill(fdb, 1, 0x1000000, 140000, 1);
	for (unsigned i = 0; fdb_growing(fdb) || i < 2; i++)
		sweep(fdb, 1);
	assert_int_equal(fdb_quantum_s(fdb), 4);
	assert_int_equal(learn(fdb, key, 2, 10), FDB_LEARNED);
	assert_true(fdb_is_fresh(look(fdb, key), 2, 2, 13, 4));
	assert_int_equal(learn(fdb, key, 2, 13), FDB_KNOWN);
	assert_int_equal(look(fdb, key), want(2, 10));
	/* A clock that is behind does not turn it back. */
	assert_false(fdb_is_fresh(look(fdb, key), 2, 2, 9, 4));
	assert_int_equal(learn(fdb, key, 2, 9), FDB_KNOWN);
	assert_int_equal(look(fdb, key), want(2, 10));
	assert_false(fdb_is_fresh(look(fdb, key), 2, 3, 11, 4));
	assert_false(fdb_is_fresh(look(fdb, key), 1, 2, 11, 4));
	assert_false(fdb_is_fresh(look(fdb, key), 2, 2, 14, 4));
	assert_int_equal(learn(fdb, key, 2, 14), FDB_KNOWN);
	assert_int_equal(look(fdb, key), want(2, 14));
	/* Its last frame may have come in second 17. */
	sweep(fdb, 617);
	assert_int_equal(look(fdb, key), want(2, 14));
	sweep(fdb, 618);
	sweep(fdb, 618);
	assert_int_equal(look(fdb, key), 0);
	fdb_destroy(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_growth_is_called_in_time),
		cmocka_unit_test(test_growth_drops_dead),
		cmocka_unit_test(test_growth_to_the_bound),
		cmocka_unit_test(test_growth_in_a_hurry),
		cmocka_unit_test(test_growth_for_one_key),
		cmocka_unit_test(test_no_growth_for_one_key),
		cmocka_unit_test(test_growth_ends),
		cmocka_unit_test(test_growth_makes_room),
		cmocka_unit_test(test_growth_without_room),
		cmocka_unit_test(test_growth_without_room_for_a_move),
		cmocka_unit_test(test_quantum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
