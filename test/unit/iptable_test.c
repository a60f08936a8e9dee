/* SPDX-License-Identifier: BSD-3-Clause */
/* The IP table alone (dataplane/iptable.h), with a clock and ports of its own; then from two threads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "dataplane/iptable.h"
#include "dataplane/port.h"

struct port_slot port_table[PORT_MAX];
_Atomic uint16_t port_gens[PORT_MAX];

static struct port ports[3]; /* indices 1 to 3 */
static struct iptable *t;

static struct port *const A = &ports[0], *const B = &ports[1];

static int setup_of(uint32_t max)
{
	struct iptable_conf conf = {
		.max_entries = max,
		.age_s = 60,
		.lease_age_s = 300,
		.secret = {0x8ff34781d63f9cb1, 0x7cb92ba72f6f1b23},
	};

	memset(ports, 0, sizeof(ports));
	for (uint32_t i = 0; i < 3; i++) {
		ports[i].idx = i + 1;
		ports[i].gen = 7;
		atomic_store(&port_gens[i + 1], 7);
		atomic_store(&port_table[i + 1].port, &ports[i]);
	}
	t = iptable_create(&conf);
	return t != NULL ? 0 : -1;
}

static int setup(void **)
{
	return setup_of(1000);
}

static int setup_large(void **)
{
	return setup_of(16384);
}

static int teardown(void **)
{
	iptable_destroy(t);
	return 0;
}

static const uint8_t *ip4(uint32_t host)
{
	static _Thread_local uint8_t some[8][16];
	static _Thread_local unsigned turn;
	uint8_t *a = some[turn++ % 8];

	memset(a, 0, 10);
	a[10] = a[11] = 0xff;
	a[12] = 10;
	a[13] = (uint8_t)(host >> 16);
	a[14] = (uint8_t)(host >> 8);
	a[15] = (uint8_t)host;
	return a;
}

static struct iptable_seen seen(uint32_t host)
{
	return (struct iptable_seen){
		.addr = ip4(host), .mac = 0x20000000000 + host, .managed = true};
}

static enum iptable_result learn(struct port *port, uint32_t host, uint32_t now_s)
{
	struct iptable_seen s = seen(host);

	return iptable_learn(t, &s, port, now_s);
}

static unsigned listed(uint32_t now_s, struct iptable_entry *last)
{
	struct iptable_entry e[7];
	uint64_t cursor = 0;
	unsigned n = 0;

	while (cursor != UINT64_MAX) {
		size_t got = iptable_list(t, &cursor, e, 7, now_s);

		if (got > 0 && last != NULL)
			*last = e[got - 1];
		n += got;
	}
	return n;
}

static void sweep(uint32_t now_s)
{
	for (unsigned i = 0; i < 10; i++)
		iptable_sweep(t, 1000, now_s);
}

/*
 * Addresses that share their buckets, 32 and 32 of them, under whatever secret, if the hash multiplies by a number that
 * everybody knows: they differ in bits that only the upper end of a product depends on.
 */
static void test_nobody_chooses_buckets(void **)
{
	struct iptable_counters c;

	for (uint64_t i = 0; i < 1024; i++) {
		uint64_t half[2] = {0x20 | i << 59, 0x1234 | (i >> 5 << 59 | i >> 5 << 27)};
		uint8_t addr[16];
		struct iptable_seen s = {.addr = addr, .mac = 0x20000000001, .managed = true};

		memcpy(addr, half, sizeof(addr));
		assert_int_equal(iptable_learn(t, &s, A, 100), IPTABLE_LEARNED);
	}
	iptable_counters(t, &c);
	assert_int_equal(c.evicted, 0);
	assert_int_equal(listed(100, NULL), 1024);
}

static void test_life(void **)
{
	struct iptable_entry e = {0};

	assert_int_equal(learn(A, 1, 100), IPTABLE_LEARNED);
	assert_int_equal(learn(A, 1, 100), IPTABLE_KNOWN);
	assert_int_equal(listed(100, &e), 1);
	assert_memory_equal(e.addr, ip4(1), 16);
	assert_int_equal(e.mac, 0x20000000001);
	assert_int_equal(e.port_idx, 1);
	assert_int_equal(e.port_gen, 7);
	assert_int_equal(e.created_s, 100);
	assert_false(e.leased);
	/* Refreshed, it lives 60 s from then. */
	assert_int_equal(learn(A, 1, 130), IPTABLE_KNOWN);
	sweep(190);
	assert_int_equal(listed(190, &e), 1);
	assert_int_equal(e.updated_s, 130);
	assert_int_equal(listed(191, NULL), 0);
	assert_int_equal(A->ip_cnt[0], 1);
	sweep(191);
	assert_int_equal(A->ip_cnt[0], 0);
	assert_int_equal(iptable_count(t), 0);
	assert_int_equal(iptable_delete(t, ip4(1), 0), -ENOENT);
}

static void test_lease_lives_longer(void **)
{
	struct iptable_seen s = seen(1);
	struct iptable_entry e = {0};

	assert_int_equal(iptable_lease(t, &s, A, 100), IPTABLE_LEARNED);
	assert_int_equal(learn(A, 1, 110), IPTABLE_KNOWN);
	sweep(410);
	assert_int_equal(listed(410, &e), 1);
	assert_true(e.leased);
	sweep(411);
	assert_int_equal(listed(411, NULL), 0);
}

static void test_unmanaged_is_not_kept(void **)
{
	struct iptable_seen s = seen(1);

	s.managed = false;
	assert_int_equal(iptable_learn(t, &s, A, 100), IPTABLE_IGNORED);
	assert_int_equal(listed(100, NULL), 0);
}

static void test_limit(void **)
{
	struct iptable_seen s;

	for (uint32_t i = 0; i < 4; i++) {
		s = seen(i);
		s.limit = 4;
		assert_int_equal(iptable_learn(t, &s, A, 100), IPTABLE_LEARNED);
	}
	s = seen(9);
	s.limit = 4;
	assert_int_equal(iptable_learn(t, &s, A, 100), IPTABLE_OVER_LIMIT);
	/* Not by taking somebody else's either. */
	assert_int_equal(learn(B, 9, 100), IPTABLE_LEARNED);
	assert_int_equal(iptable_learn(t, &s, A, 150), IPTABLE_OVER_LIMIT);
	/* Its own go on, and other families have their own count. */
	s = seen(2);
	s.limit = 4;
	assert_int_equal(iptable_learn(t, &s, A, 150), IPTABLE_KNOWN);
	/* A place becomes free when an entry is old. */
	sweep(165);
	assert_int_equal(A->ip_cnt[0], 1);
	s = seen(9);
	s.limit = 4;
	assert_int_equal(iptable_learn(t, &s, A, 165), IPTABLE_LEARNED);
}

static void test_conflicts(void **)
{
	struct iptable_seen s = seen(1);

	learn(A, 1, 100);
	s.exclusive = true;
	assert_int_equal(iptable_learn(t, &s, B, 112), IPTABLE_CONFLICT);
	assert_int_equal(iptable_learn(t, &s, B, 113), IPTABLE_MOVED);
	assert_int_equal(A->ip_cnt[0], 0);
	assert_int_equal(B->ip_cnt[0], 1);
	/* Without the rule at once. */
	assert_int_equal(learn(A, 1, 114), IPTABLE_MOVED);
	/* Another VLAN is another address. */
	s = seen(1);
	s.vlan = 5;
	s.exclusive = true;
	assert_int_equal(iptable_learn(t, &s, B, 114), IPTABLE_LEARNED);
}

static void test_leases_are_needed(void **)
{
	struct iptable_seen s = seen(1), other = seen(2);

	s.leased = true;
	assert_int_equal(iptable_learn(t, &s, A, 100), IPTABLE_NO_LEASE);
	iptable_lease(t, &s, A, 100);
	assert_int_equal(iptable_learn(t, &s, A, 100), IPTABLE_KNOWN);
	/* Somebody else's, fresh; then old, but from a server: taken. */
	assert_int_equal(iptable_learn(t, &s, B, 105), IPTABLE_CONFLICT);
	assert_int_equal(iptable_learn(t, &s, B, 120), IPTABLE_MOVED);
	/* Somebody else's and not from a server. */
	learn(A, 2, 100);
	other.leased = true;
	assert_int_equal(iptable_learn(t, &other, B, 120), IPTABLE_NO_LEASE);
}

static void test_port_that_left(void **)
{
	learn(A, 1, 100);
	atomic_store(&port_table[1].port, NULL);
	atomic_store(&port_gens[1], 8);
	assert_int_equal(listed(100, NULL), 0);
	/* Nobody's any more: the next one has it without a conflict. */
	struct iptable_seen s = seen(1);

	s.exclusive = true;
	assert_int_equal(iptable_learn(t, &s, B, 100), IPTABLE_LEARNED);
	assert_int_equal(B->ip_cnt[0], 1);
	/* Known from now on, though the sweeper has not come by: the dead entry is the one that serves. */
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(iptable_learn(t, &s, B, 100), IPTABLE_KNOWN);
	assert_int_equal(B->ip_cnt[0], 1);
	assert_int_equal(iptable_count(t), 1);
	sweep(100);
	assert_int_equal(iptable_count(t), 1);
}

/* An address that was silent for longer than entries live, before anybody has swept: not one more of its port's. */
static void test_comes_back(void **)
{
	struct iptable_seen s = seen(1);
	struct iptable_entry e = {0};

	s.limit = 1;
	assert_int_equal(iptable_learn(t, &s, A, 100), IPTABLE_LEARNED);
	assert_int_equal(iptable_learn(t, &s, A, 200), IPTABLE_LEARNED);
	assert_int_equal(iptable_learn(t, &s, A, 201), IPTABLE_KNOWN);
	assert_int_equal(A->ip_cnt[0], 1);
	assert_int_equal(iptable_count(t), 1);
	assert_int_equal(listed(201, &e), 1);
	assert_int_equal(e.created_s, 200);
	/* A dead lease is none. */
	assert_int_equal(iptable_lease(t, &s, A, 201), IPTABLE_MOVED);
	assert_int_equal(iptable_learn(t, &s, A, 600), IPTABLE_LEARNED);
	assert_int_equal(listed(600, &e), 1);
	assert_false(e.leased);
}

/* At the bound something old goes for each new one, and nobody who was heard of in the meantime. */
static void test_full(void **)
{
	struct iptable_counters c;
	unsigned kept = 0;

	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(learn(A, i, 100), IPTABLE_LEARNED);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(learn(A, i, 101), IPTABLE_KNOWN);
	for (uint32_t i = 5000; i < 5200; i++)
		assert_int_equal(learn(B, i, 102), IPTABLE_LEARNED);
	assert_int_equal(iptable_count(t), 1000);
	assert_int_equal(listed(102, NULL), 1000);
	assert_int_equal(A->ip_cnt[0] + B->ip_cnt[0], 1000);
	for (uint32_t i = 0; i < 100; i++)
		kept += iptable_delete(t, ip4(i), 0) == 0;
	assert_in_range(kept, 95, 100);
	iptable_counters(t, &c);
	assert_int_equal(c.evicted, 200);
	assert_int_equal(c.learned, 1200);
}

/* Whoever invents addresses, and be it with every second: what was assigned stays, though it was seen before them. */
static void test_full_of_inventions(void **)
{
	unsigned kept = 0;

	for (uint32_t i = 0; i < 50; i++) {
		struct iptable_seen s = seen(i);

		assert_int_equal(iptable_lease(t, &s, A, 100), IPTABLE_LEARNED);
	}
	for (uint32_t i = 0; i < 5000; i++)
		learn(B, 5000 + i, 101 + i / 250);
	for (uint32_t i = 0; i < 50; i++) {
		struct iptable_seen s = seen(i);

		s.leased = true;
		kept += iptable_learn(t, &s, A, 121) == IPTABLE_KNOWN;
	}
	assert_in_range(kept, 45, 50);
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define ROUNDS 60000u

static void *storm_thread(void *arg)
{
	struct port *port = arg;
	uint32_t x = port->idx;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		x = x * 1103515245 + 12345;
		learn(port, x >> 16 & 0xff, 100 + i / 1000);
	}
	return NULL;
}

/* Two workers fight for the same addresses while the control thread sweeps: the counts come out right. */
static void test_threads(void **)
{
	pthread_t a, b;
	struct iptable_entry e = {0};
	unsigned of[4] = {0};
	uint64_t cursor = 0;

	pthread_create(&a, NULL, storm_thread, A);
	pthread_create(&b, NULL, storm_thread, B);
	for (unsigned i = 0; i < 300; i++) {
		iptable_sweep(t, 64, 100 + i / 5);
		listed(160, NULL);
	}
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	while (cursor != UINT64_MAX) {
		if (iptable_list(t, &cursor, &e, 1, 160) == 1)
			of[e.port_idx]++;
	}
	assert_int_equal(of[1], A->ip_cnt[0]);
	assert_int_equal(of[2], B->ip_cnt[0]);
	assert_int_equal(of[1] + of[2], iptable_count(t));
	sweep(100000);
	assert_int_equal(iptable_count(t), 0);
	assert_int_equal(A->ip_cnt[0] + B->ip_cnt[0], 0);
}

#define TABLE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_chooses_buckets, setup_large, teardown),
		TABLE_TEST(test_life),
		TABLE_TEST(test_lease_lives_longer),
		TABLE_TEST(test_unmanaged_is_not_kept),
		TABLE_TEST(test_limit),
		TABLE_TEST(test_conflicts),
		TABLE_TEST(test_leases_are_needed),
		TABLE_TEST(test_port_that_left),
		TABLE_TEST(test_comes_back),
		TABLE_TEST(test_full),
		TABLE_TEST(test_full_of_inventions),
		TABLE_TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
