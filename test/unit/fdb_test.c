/* SPDX-License-Identifier: BSD-3-Clause */
/* MAC table, one thread: what each call answers, and what the sweeper does between them. */

#include "test/unit/fdb_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants. */
#include <cmocka.h>

static void test_create(void **)
{
	struct fdb_conf conf = {.max_entries = 15, .age_s = 600, .socket = -1, .gens = gens};

	assert_null(fdb_create(&conf));
	assert_int_equal(errno, EINVAL);
	conf.max_entries = 16777217;
	assert_null(fdb_create(&conf));
	conf.max_entries = 16;
	conf.age_s = 0;
	assert_null(fdb_create(&conf));
	fdb_destroy(NULL);
}

static void test_results(void **)
{
	struct fdb *fdb = make(1000);
	struct fdb_counters c;
	uint64_t k = fdb_key(0x020000000001, 0);

	assert_int_equal(look(fdb, k), 0);
	assert_int_equal(learn(fdb, k, 5, 10), FDB_LEARNED);
	assert_int_equal(look(fdb, k), want(5, 10));
	assert_true(fdb_is_fresh(look(fdb, k), 5, atomic_load(&gens[5]), 10, 1));
	assert_int_equal(learn(fdb, k, 5, 10), FDB_KNOWN);
	/* A `seen` that is not up to date any more decides nothing. */
	assert_int_equal(fdb_learn(fdb, k, 0, 5, 5, 10), FDB_KNOWN);
	/* Refreshed when the second changes, and never backwards (a worker whose turn is older). */
	assert_int_equal(learn(fdb, k, 5, 12), FDB_KNOWN);
	assert_int_equal(look(fdb, k), want(5, 12));
	assert_int_equal(learn(fdb, k, 5, 11), FDB_KNOWN);
	assert_int_equal(look(fdb, k), want(5, 12));
	assert_int_equal(learn(fdb, k, 6, 12), FDB_MOVED);
	assert_int_equal(look(fdb, k), want(6, 12));
	assert_int_equal(fdb_count(fdb), 1);
	fdb_counters(fdb, &c);
	assert_int_equal(c.learned, 1);
	assert_int_equal(c.moved, 1);
	assert_int_equal(c.not_learned_full + c.not_learned_raced + c.aged + c.flushed, 0);
	fdb_destroy(fdb);
}

static void test_vlan(void **)
{
	struct fdb *fdb = make(1000);
	struct fdb_entry e[4];

	assert_int_equal(learn(fdb, fdb_key(0x02aabbccddee, 0), 1, 1), FDB_LEARNED);
	assert_int_equal(learn(fdb, fdb_key(0x02aabbccddee, 4095), 2, 1), FDB_LEARNED);
	assert_int_equal(look(fdb, fdb_key(0x02aabbccddee, 0)), want(1, 1));
	assert_int_equal(look(fdb, fdb_key(0x02aabbccddee, 4095)), want(2, 1));
	assert_int_equal(look(fdb, fdb_key(0x02aabbccddee, 7)), 0);
	/* The key of all zeros is a key like any other. */
	assert_int_equal(look(fdb, fdb_key(0, 0)), 0);
	assert_int_equal(learn(fdb, fdb_key(0, 0), 3, 1), FDB_LEARNED);
	assert_int_equal(look(fdb, fdb_key(0, 0)), want(3, 1));
	assert_int_equal(list_all(fdb, 1, e, 4), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(e[i].mac, e[i].port_idx == 3 ? 0 : 0x02aabbccddee);
		assert_int_equal(e[i].vlan, e[i].port_idx == 2 ? 4095 : 0);
	}
	fdb_destroy(fdb);
}

static void test_bulk(void **)
{
	struct fdb *fdb = make(1000);
	uint64_t keys[128], values[128];

	for (unsigned i = 0; i < 128; i++) {
		keys[i] = fdb_key(0x020000000000 + i * 77, 0);
		if (i % 3 != 0)
			assert_int_equal(learn(fdb, keys[i], 1 + i % 7, 4), FDB_LEARNED);
	}
	fdb_lookup_bulk(fdb, keys, 128, values);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(values[i], i % 3 != 0 ? want(1 + i % 7, 4) : 0);
	fdb_lookup_bulk(fdb, keys, 0, values);
	fdb_destroy(fdb);
}

static void test_bound(void **)
{
	struct fdb *fdb = make(16);
	unsigned learned = 0;
	struct fdb_counters c;

	assert_int_equal(fdb_capacity_bound(fdb), 16);
	for (unsigned i = 0; i < 100; i++) {
		enum fdb_learn_result r = learn(fdb, fdb_key(i, 0), 1, 1);

		assert_true(r == FDB_LEARNED || r == FDB_FULL);
		learned += r == FDB_LEARNED;
	}
	/* At the bound the only port replaces some of its own, as many as the sweeper has slots for. */
	assert_int_equal(learned, 16 + 64 / FDB_CHURN_SHARE);
	assert_int_equal(fdb_count(fdb), 16);
	fdb_counters(fdb, &c);
	assert_int_equal(c.not_learned_full, 100 - learned);
	assert_int_equal(c.evicted, learned - 16);
	/* What is there stays at home in a full table: refresh and move. */
	for (unsigned i = 0; i < 100; i++) {
		if (look(fdb, fdb_key(i, 0)) != 0) {
			assert_int_equal(learn(fdb, fdb_key(i, 0), 1, 2), FDB_KNOWN);
			assert_int_equal(learn(fdb, fdb_key(i, 0), 2, 2), FDB_MOVED);
		}
	}
	/* One goes, one more can be learned without any giving way. */
	for (unsigned i = 0; i < 100; i++) {
		if (fdb_delete(fdb, fdb_key(i, 0)) == 0)
			break;
	}
	assert_int_equal(fdb_count(fdb), 15);
	sweep(fdb, 2);
	sweep(fdb, 2);
	assert_int_equal(learn(fdb, fdb_key(1000, 0), 1, 2), FDB_LEARNED);
	fdb_counters(fdb, &c);
	assert_int_equal(c.evicted, learned - 16);
	assert_int_equal(fdb_count(fdb), 16);
	fdb_destroy(fdb);
}

static void test_age(void **)
{
	struct fdb *fdb = make(1000);
	struct fdb_counters c;

	learn(fdb, fdb_key(1, 0), 1, 100);
	learn(fdb, fdb_key(2, 0), 1, 101);
	sweep(fdb, 700);
	assert_int_equal(fdb_count(fdb), 2);
	/* Expired but not swept: still found (hub.md 4). */
	assert_int_equal(look(fdb, fdb_key(1, 0)), want(1, 100));
	sweep(fdb, 701);
	assert_int_equal(look(fdb, fdb_key(1, 0)), 0);
	assert_int_equal(look(fdb, fdb_key(2, 0)), want(1, 101));
	/* Refreshed in the last moment. */
	learn(fdb, fdb_key(2, 0), 1, 702);
	sweep(fdb, 702);
	assert_int_equal(look(fdb, fdb_key(2, 0)), want(1, 702));
	/* A worker's clock ahead of the sweeper's is not a great age. */
	sweep(fdb, 600);
	assert_int_equal(fdb_count(fdb), 1);
	fdb_counters(fdb, &c);
	assert_int_equal(c.aged, 1);
	assert_int_equal(c.flushed, 0);
	fdb_destroy(fdb);
}

static void test_flush(void **)
{
	struct fdb *fdb = make(1000);
	struct fdb_counters c;
	struct fdb_entry e[8];

	learn(fdb, fdb_key(1, 0), 1, 1);
	learn(fdb, fdb_key(2, 0), 1, 1);
	learn(fdb, fdb_key(3, 0), 2, 1);
	atomic_store(&gens[1], 77);
	/* At once, without a walk. */
	assert_int_equal(look(fdb, fdb_key(1, 0)), 0);
	assert_int_equal(look(fdb, fdb_key(2, 0)), 0);
	assert_int_equal(look(fdb, fdb_key(3, 0)), want(2, 1));
	assert_int_equal(list_all(fdb, 4, e, 8), 1);
	assert_int_equal(fdb_delete(fdb, fdb_key(1, 0)), -ENOENT);
	/* Learned anew by the next port of that index: not a move, there is nothing it came from. */
	assert_int_equal(learn(fdb, fdb_key(2, 0), 1, 2), FDB_LEARNED);
	learn(fdb, fdb_key(4, 0), 3, 2);
	atomic_store(&gens[3], 78);
	sweep(fdb, 2);
	assert_int_equal(fdb_count(fdb), 2);
	fdb_counters(fdb, &c);
	assert_int_equal(c.flushed, 1);
	assert_int_equal(c.aged, 0);
	assert_int_equal(list_all(fdb, 4, e, 8), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(e[i].created_s, e[i].mac == 2 ? 2 : 1);
	fdb_destroy(fdb);
}

static void test_delete(void **)
{
	struct fdb *fdb = make(1000);

	learn(fdb, fdb_key(1, 0), 1, 1);
	assert_int_equal(fdb_delete(fdb, fdb_key(2, 0)), -ENOENT);
	assert_int_equal(fdb_delete(fdb, fdb_key(1, 0)), 0);
	assert_int_equal(look(fdb, fdb_key(1, 0)), 0);
	assert_int_equal(fdb_count(fdb), 0);
	assert_int_equal(fdb_delete(fdb, fdb_key(1, 0)), -ENOENT);
	/* Back into the very slot, at once. */
	assert_int_equal(learn(fdb, fdb_key(1, 0), 2, 3), FDB_LEARNED);
	assert_int_equal(look(fdb, fdb_key(1, 0)), want(2, 3));
	assert_int_equal(fdb_count(fdb), 1);
	fdb_destroy(fdb);
}

static void test_crowded(void **)
{
	struct fdb *fdb = make(100);
	uint64_t keys[10];
	struct fdb_counters c;

	same_buckets(fdb, fdb_key(42, 0), keys, 10);
	for (int i = 0; i < 8; i++)
		assert_int_equal(learn(fdb, keys[i], 1, 1), FDB_LEARNED);
	assert_int_equal(learn(fdb, keys[8], 1, 1), FDB_FULL);
	assert_int_equal(look(fdb, keys[8]), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(look(fdb, keys[i]), want(1, 1));
	fdb_counters(fdb, &c);
	assert_int_equal(c.not_learned_full, 1);
	assert_int_equal(fdb_count(fdb), 8);
	/* A slot that was given up serves its own key at once, another one after a grace period. */
	assert_int_equal(fdb_delete(fdb, keys[3]), 0);
	assert_int_equal(learn(fdb, keys[8], 1, 1), FDB_FULL);
	grace_blocked = true;
	for (int i = 0; i < 5; i++)
		sweep(fdb, 1);
	assert_int_equal(learn(fdb, keys[8], 1, 1), FDB_FULL);
	grace_blocked = false;
	sweep(fdb, 1);
	sweep(fdb, 1);
	assert_int_equal(learn(fdb, keys[8], 1, 1), FDB_LEARNED);
	assert_int_equal(learn(fdb, keys[9], 1, 1), FDB_FULL);
	fdb_destroy(fdb);
}

/*
 * Keys that were chosen to share their buckets in one table do not in another, if either half of its secret is another one:
 * who knows the program, or has tried another hub, cannot choose.
 */
static void test_keyed_hash(void **)
{
	static const uint64_t secrets[][2] = {
		{0x8ff34781d63f9cb1, 0x7cb92ba72f6f1b23}, /* make()'s */
		{0x35a1e9c07b2d6f48, 0x7cb92ba72f6f1b23},
		{0x8ff34781d63f9cb1, 0xd1b54a32d192ed03},
	};
	struct fdb *fdb = make(100);
	uint64_t keys[12];

	same_buckets(fdb, fdb_key(42, 0), keys, 12);
	fdb_destroy(fdb);
	for (unsigned s = 0; s < 3; s++) {
		struct fdb_conf conf = {
			.max_entries = 100,
			.age_s = 600,
			.socket = -1,
			.secret = {secrets[s][0], secrets[s][1]},
			.gens = gens,
		};
		unsigned learned = 0;

		fdb = fdb_create(&conf);
		assert_non_null(fdb);
		for (unsigned i = 0; i < 12; i++)
			learned += learn(fdb, keys[i], 1, 1) == FDB_LEARNED;
		assert_int_equal(learned, s == 0 ? 2 * FDB_BUCKET_SLOTS : 12);
		fdb_destroy(fdb);
	}
}

static void test_doubled(void **)
{
	struct fdb *fdb = make(100);
	uint64_t k = fdb_key(42, 0);
	struct fdb_table *t = atomic_load(&fdb->cur);
	struct fdb_probe p = fdb_probe(t, fdb_hash(fdb, k));
	struct fdb_slot *later = &p.bucket[1]->slot[2];

	/* As two workers leave it that inserted at once; the books have two. */
	assert_int_equal(learn(fdb, k, 1, 5), FDB_LEARNED);
	assert_true(fdb_credit_take(fdb, fdb_own_stripe(fdb), false));
	atomic_store(&later->key, k);
	atomic_store(&later->value, want(2, 5));
	assert_int_equal(fdb_count(fdb), 2);
	assert_int_equal(look(fdb, k), want(1, 5));
	assert_int_equal(learn(fdb, k, 3, 6), FDB_MOVED);
	assert_int_equal(look(fdb, k), want(3, 6));
	/* Not before a grace period: a reader may be between the two slots. */
	grace_blocked = true;
	sweep(fdb, 6);
	sweep(fdb, 6);
	assert_int_equal(atomic_load(&later->value), want(2, 5));
	grace_blocked = false;
	sweep(fdb, 6);
	sweep(fdb, 6);
	sweep(fdb, 6);
	assert_int_equal(atomic_load(&later->key), 0);
	assert_int_equal(fdb_count(fdb), 1);
	assert_int_equal(look(fdb, k), want(3, 6));

	/* Deleting takes all of them, ageing too: an old double must not come to light. */
	assert_true(fdb_credit_take(fdb, fdb_own_stripe(fdb), false));
	atomic_store(&later->key, k);
	atomic_store(&later->value, want(2, 5));
	assert_int_equal(fdb_delete(fdb, k), 0);
	assert_int_equal(look(fdb, k), 0);
	assert_int_equal(fdb_count(fdb), 0);
	fdb_destroy(fdb);
}

static void test_half_made(void **)
{
	struct fdb *fdb = make(100);
	uint64_t k = fdb_key(42, 0);
	struct fdb_probe p = fdb_probe(atomic_load(&fdb->cur), fdb_hash(fdb, k));
	struct fdb_slot *s = &p.bucket[0]->slot[0];

	/* A worker that stopped between the two CAS: a miss, which another worker may complete. */
	atomic_store(&s->key, k);
	assert_int_equal(look(fdb, k), 0);
	assert_int_equal(learn(fdb, k, 1, 1), FDB_LEARNED);
	assert_int_equal(atomic_load(&s->value), want(1, 1));
	assert_int_equal(fdb_delete(fdb, k), 0);
	/* Half-made before a live one: passed over, and the live one is what is refreshed. */
	atomic_store(&p.bucket[1]->slot[0].key, k);
	assert_true(fdb_credit_take(fdb, fdb_own_stripe(fdb), false));
	atomic_store(&p.bucket[1]->slot[0].value, want(2, 1));
	assert_int_equal(look(fdb, k), want(2, 1));
	assert_int_equal(learn(fdb, k, 2, 2), FDB_KNOWN);
	assert_int_equal(look(fdb, k), want(2, 2));
	sweep(fdb, 2);
	sweep(fdb, 2);
	assert_int_equal(atomic_load(&s->key), 0);
	assert_int_equal(look(fdb, k), want(2, 2));
	fdb_destroy(fdb);
}

/* Another thread, which had looked before the key stood anywhere, has claimed slot 0 and writes it. */
static struct {
	uint64_t value; /* 0: not yet */
} other;

static void other_writes_slot_0(struct fdb *fdb)
{
	uint64_t k = fdb_key(42, 0);
	struct fdb_probe p = fdb_probe(atomic_load(&fdb->cur), fdb_hash(fdb, k));

	atomic_store(&p.bucket[0]->slot[0].value, FDB_UNSET); /* the sweeper has freed it */
	atomic_store(&p.bucket[0]->slot[0].key, k);
	if (other.value == 0)
		return;
	assert_true(fdb_credit_take(fdb, fdb_own_stripe(fdb), false));
	fdb_hold(fdb, other.value, 1);
	atomic_store(&p.bucket[0]->slot[0].value, other.value);
}

/* Learns the key on port 1 in second 5; before the n-th write the other thread does its part. */
static enum fdb_learn_result learn_while(struct fdb *fdb, int nth_write, uint64_t others)
{
	struct fdb_probe p = fdb_probe(atomic_load(&fdb->cur), fdb_hash(fdb, fdb_key(42, 0)));
	enum fdb_learn_result r;

	atomic_store(&p.bucket[0]->slot[0].key, fdb_key(43, 0)); /* retired by this sweep */
	sweep(fdb, 5);
	assert_int_equal(atomic_load(&p.bucket[0]->slot[0].key), 1);
	other.value = others;
	meanwhile.countdown = nth_write;
	meanwhile.writes_only = true;
	meanwhile.fdb = fdb;
	meanwhile.run = other_writes_slot_0;
	r = fdb_learn(fdb, fdb_key(42, 0), 0, 1, 1, 5);
	assert_null(meanwhile.run);
	return r;
}

/* Two workers insert one key at once and get two slots: who finishes last has the word. */
static void test_inserted_twice(void **)
{
	struct fdb *fdb = make(100);
	uint64_t k = fdb_key(42, 0);
	struct fdb_probe p = fdb_probe(atomic_load(&fdb->cur), fdb_hash(fdb, k));

	assert_int_equal(learn_while(fdb, 1, want(2, 5)), FDB_LEARNED);
	assert_int_equal(atomic_load(&p.bucket[0]->slot[0].key), k);
	assert_int_equal(atomic_load(&p.bucket[0]->slot[1].key), k);
	assert_int_equal(look(fdb, k), want(1, 5));
	assert_int_equal(fdb_port_count(fdb, 1), 2);
	for (int i = 0; i < 3; i++)
		sweep(fdb, 5);
	assert_int_equal(fdb_count(fdb), 1);
	assert_int_equal(look(fdb, k), want(1, 5));
	assert_int_equal(fdb_port_count(fdb, 1), 1);
	assert_int_equal(fdb_port_count(fdb, 2), 0);
	fdb_destroy(fdb);
}

/* The same, the other being growth with an older second: the younger has the word all the same. */
static void test_inserted_twice_by_one_port(void **)
{
	struct fdb *fdb = make(100);

	assert_int_equal(learn_while(fdb, 1, want(1, 4)), FDB_LEARNED);
	assert_int_equal(look(fdb, fdb_key(42, 0)), want(1, 5));
	fdb_destroy(fdb);
}

/* An earlier claim that is seen in time is filled, and ours left to the sweeper. */
static void test_claimed_twice(void **)
{
	struct fdb *fdb = make(100);
	uint64_t k = fdb_key(42, 0);
	struct fdb_probe p = fdb_probe(atomic_load(&fdb->cur), fdb_hash(fdb, k));

	assert_int_equal(learn_while(fdb, 0, 0), FDB_LEARNED);
	assert_int_equal(atomic_load(&p.bucket[0]->slot[0].value), want(1, 5));
	assert_int_equal(atomic_load(&p.bucket[0]->slot[1].key), k);
	assert_int_equal(atomic_load(&p.bucket[0]->slot[1].value), 0);
	fdb_destroy(fdb);
	/* Filled already: that is a move. */
	fdb = make(100);
	assert_int_equal(learn_while(fdb, 0, want(2, 4)), FDB_MOVED);
	assert_int_equal(look(fdb, k), want(1, 5));
	assert_int_equal(fdb_count(fdb), 1);
	fdb_destroy(fdb);
}

static void place(struct fdb *fdb, unsigned bucket, uint64_t key)
{
	struct fdb_probe p = fdb_probe(atomic_load(&fdb->cur), fdb_hash(fdb, key));

	assert_true(fdb_credit_take(fdb, fdb_own_stripe(fdb), false));
	atomic_store(&p.bucket[bucket]->slot[1].key, key);
	atomic_store(&p.bucket[bucket]->slot[1].value, want(1, 1));
}

static void doubled_and_swept(struct fdb *fdb)
{
	place(fdb, 0, fdb_key(42, 0));
	for (int i = 0; i < 4; i++)
		sweep(fdb, 1);
}

/* A reader between the buckets, wherever it stands, finds the key that is doubled and swept meanwhile. */
static void test_doubled_under_a_reader(void **)
{
	bool ran = true;

	for (int at = 0; ran; at++) {
		struct fdb *fdb = make(100);

		place(fdb, 1, fdb_key(42, 0));
		grace_blocked = true; /* by that reader */
		meanwhile.countdown = at;
		meanwhile.writes_only = false;
		meanwhile.fdb = fdb;
		meanwhile.run = doubled_and_swept;
		assert_int_equal(look(fdb, fdb_key(42, 0)), want(1, 1));
		ran = meanwhile.run == NULL;
		meanwhile.run = NULL;
		grace_blocked = false;
		for (int i = 0; i < 4; i++)
			sweep(fdb, 1);
		assert_int_equal(fdb_count(fdb), 1);
		assert_int_equal(look(fdb, fdb_key(42, 0)), want(1, 1));
		fdb_destroy(fdb);
		assert_true(ran || at > 10);
	}
}

static void test_list_step(void **)
{
	struct fdb *fdb = make(1000);
	struct fdb_entry e[400];
	uint64_t cursor = 0;

	for (unsigned i = 0; i < 300; i++)
		learn(fdb, fdb_key(i, i % 4), 1, 1);
	for (size_t step = 1; step < 70; step += 23)
		assert_int_equal(list_all(fdb, step, e, 400), 300);
	while (cursor != UINT64_MAX)
		fdb_list(fdb, &cursor, e, 400);
	assert_int_equal(fdb_list(fdb, &cursor, e, 400), 0);
	fdb_destroy(fdb);
}

static void test_slices(void **)
{
	struct fdb *fdb = make(1000);
	uint64_t passes = fdb_sweep_passes(fdb);
	unsigned n = 0;

	for (int i = 0; i < 10; i++) {
		assert_int_equal(fdb_sweep(fdb, 100, 1), 100);
		assert_int_equal(fdb_sweep_passes(fdb), passes);
	}
	n = fdb_sweep(fdb, 100, 1);
	assert_int_equal(n, 24);
	assert_int_equal(fdb_sweep_passes(fdb), passes + 1);
	fdb_destroy(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_keyed_hash),
		cmocka_unit_test(test_doubled),
		cmocka_unit_test(test_half_made),
		cmocka_unit_test(test_inserted_twice),
		cmocka_unit_test(test_inserted_twice_by_one_port),
		cmocka_unit_test(test_claimed_twice),
		cmocka_unit_test(test_doubled_under_a_reader),
		cmocka_unit_test(test_list_step),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
