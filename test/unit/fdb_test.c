/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC table, one thread: what each call answers, and what the sweeper and growth do between them. The
 * grace period is a fake that the test opens and closes, so that every intermediate state of growth and
 * of a cleared slot can be held still and looked at; fdb_stress_test.c has the real one.
 */

#include "dataplane/fdb.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants. */
#include <cmocka.h>

#include "dataplane/fdb_table.h"
#include "dataplane/grace.h"

static uint64_t grace_now;
static bool grace_blocked;

uint64_t grace_start(void)
{
	return ++grace_now;
}

bool grace_passed(uint64_t token)
{
	assert_true(token <= grace_now);
	return !grace_blocked;
}

/* Runs something else in the middle of a call: before its n-th atomic operation (fdb_hook.h). */
static struct {
	int countdown;
	bool writes_only;
	void (*run)(struct fdb *fdb);
	struct fdb *fdb;
} meanwhile;

void fdb_at_atomic(bool write);

void fdb_at_atomic(bool write)
{
	void (*run)(struct fdb * fdb) = meanwhile.run;

	if (run == NULL || (meanwhile.writes_only && !write) || meanwhile.countdown-- > 0)
		return;
	meanwhile.run = NULL;
	run(meanwhile.fdb);
}

#define PORTS 32u

static _Atomic uint16_t gens[65536];

static struct fdb *make(uint32_t max_entries)
{
	struct fdb_conf conf = {
		.max_entries = max_entries,
		.age_s = 600,
		.socket = -1,
		.secret = {0x8ff34781d63f9cb1, 0x7cb92ba72f6f1b23},
		.gens = gens,
	};
	struct fdb *fdb;

	grace_blocked = false;
	for (unsigned i = 0; i < PORTS; i++)
		atomic_store(&gens[i], (uint16_t)(i % 4096));
	fdb = fdb_create(&conf);
	assert_non_null(fdb);
	return fdb;
}

static uint64_t look(const struct fdb *fdb, uint64_t key)
{
	uint64_t v;

	fdb_lookup_bulk(fdb, &key, 1, &v);
	return v;
}

static enum fdb_learn_result learn(struct fdb *fdb, uint64_t key, uint32_t port, uint32_t now_s)
{
	return fdb_learn(fdb, key, look(fdb, key), port, atomic_load(&gens[port]), now_s);
}

static uint64_t want(uint32_t port, uint32_t now_s)
{
	return (uint64_t)now_s << 32 | (uint64_t)port << 12 | atomic_load(&gens[port]);
}

/* A whole pass, through whatever stage of growth is due. */
static void sweep(struct fdb *fdb, uint32_t now_s)
{
	uint64_t passes = fdb_sweep_passes(fdb);

	while (fdb_sweep_passes(fdb) == passes)
		fdb_sweep(fdb, 1u << 20, now_s);
}

static size_t list_all(struct fdb *fdb, size_t step, struct fdb_entry *out, size_t max)
{
	uint64_t cursor = 0;
	size_t n = 0;

	while (cursor != UINT64_MAX) {
		assert_true(n + step <= max);
		n += fdb_list(fdb, &cursor, out + n, step);
	}
	return n;
}

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

/* What a port holds follows every way in which an entry comes, moves and goes; so does its limit. */
/* Of a port that may have two entries. */
static enum fdb_learn_result learn_limited(
	struct fdb *fdb, uint64_t key, uint64_t seen, uint32_t port, uint16_t gen, uint32_t now_s)
{
	struct fdb_terms terms = {.limit = 2, .tries = 1};

	return fdb_learn_on_terms(fdb, key, seen, port, gen, now_s, &terms);
}

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

/* Fills a table to its bound with addresses of one port, seen once. */
static void fill(struct fdb *fdb, uint32_t port, uint64_t from, uint32_t n, uint32_t now_s)
{
	for (uint64_t i = 0; i < n;) {
		if (learn(fdb, fdb_key(from + i, 0), port, now_s) != FDB_FULL)
			i++;
		else
			fdb_sweep(fdb, 4096, now_s);
	}
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

/* Keys whose two buckets are those of `like`, in either order. */
static void same_buckets(struct fdb *fdb, uint64_t like, uint64_t *keys, unsigned n)
{
	struct fdb_table *t = atomic_load(&fdb->cur);
	struct fdb_probe p = fdb_probe(t, fdb_hash(fdb, like));

	for (uint64_t mac = 0; n > 0; mac++) {
		struct fdb_probe q = fdb_probe(t, fdb_hash(fdb, fdb_key(mac, 1)));

		if ((q.bucket[0] == p.bucket[0] && q.bucket[1] == p.bucket[1]) ||
			(q.bucket[0] == p.bucket[1] && q.bucket[1] == p.bucket[0]))
			keys[--n] = fdb_key(mac, 1);
	}
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

/* The only entry that has no room in the new table waits in the old one, and moves when there is. */
static void test_growth_without_room(void **)
{
	struct fdb *fdb = make(60000);
	uint64_t keys[1], filler[8];

	for (unsigned i = 0; i < 520; i++)
		learn(fdb, fdb_key(i, 0), 1, 1);
	keys[0] = fdb_key(0, 0);
	grace_blocked = true;
	while (fdb->growth != FDB_ANNOUNCED)
		fdb_sweep(fdb, 1024, 1);
	same_buckets(fdb, keys[0], filler, 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(learn(fdb, filler[i], 2, 1), FDB_LEARNED);
	assert_int_equal(learn(fdb, keys[0], 1, 2), FDB_FULL); /* same port: stays where it is */
	assert_int_equal(look(fdb, keys[0]), want(1, 1));
	grace_blocked = false;
	for (int i = 0; i < 100; i++)
		fdb_sweep(fdb, 1024, 1);
	assert_int_equal(fdb->growth, FDB_COPY);
	assert_int_equal(look(fdb, keys[0]), want(1, 1));
	/* Seen on another port, and no room to say so: forgotten, not sent the wrong way. */
	assert_int_equal(learn(fdb, keys[0], 3, 2), FDB_FULL);
	assert_int_equal(look(fdb, keys[0]), 0);
	for (int i = 0; i < 100; i++)
		fdb_sweep(fdb, 1024, 1);
	assert_int_equal(fdb->growth, FDB_STABLE);
	/* Having refused keys, it has grown once more. */
	assert_int_equal(fdb_slots(atomic_load(&fdb->cur)), 4096);
	assert_int_equal(fdb_count(fdb), 519 + 8);
	fdb_destroy(fdb);
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
		cmocka_unit_test(test_port_limit),
		cmocka_unit_test(test_port_count_grows),
		cmocka_unit_test(test_full_is_fair),
		cmocka_unit_test(test_full_of_one_port),
		cmocka_unit_test(test_full_and_rationed),
		cmocka_unit_test(test_learns_at_any_rate),
		cmocka_unit_test(test_quantum),
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_doubled),
		cmocka_unit_test(test_half_made),
		cmocka_unit_test(test_inserted_twice),
		cmocka_unit_test(test_inserted_twice_by_one_port),
		cmocka_unit_test(test_claimed_twice),
		cmocka_unit_test(test_doubled_under_a_reader),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_growth_drops_dead),
		cmocka_unit_test(test_growth_to_the_bound),
		cmocka_unit_test(test_growth_in_a_hurry),
		cmocka_unit_test(test_growth_without_room),
		cmocka_unit_test(test_list_step),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
