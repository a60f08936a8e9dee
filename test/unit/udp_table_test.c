/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose datagram it is: by address, by host, by trying, and how much trying there is. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/session/udp_table.h"

#define MEMBERS 600u

static struct udp_table table;
static struct udp_member members[MEMBERS];

static struct udp_address address(const char *text, uint16_t port)
{
	struct udp_address a = {.port_be = htons(port)};

	a.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(a.family, text, a.ip), 1);
	return a;
}

static struct udp_address numbered(unsigned n, uint16_t port)
{
	struct udp_address a = {.family = AF_INET,
		.port_be = htons(port),
		.ip = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};

	return a;
}

static int setup(void **)
{
	udp_table_init(&table, (uint32_t)rand(), 0);
	return 0;
}

static void fill(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct udp_address a = numbered(i, 4000);

		udp_table_add(&table, &members[i]);
		udp_table_expect(&table, &members[i], 0, &a);
	}
}

static int teardown(void **)
{
	struct udp_member *m;

	while ((m = TAILQ_FIRST(&table.all)) != NULL)
		udp_table_remove(&table, m);
	assert_int_equal(table.cnt, 0);
	for (unsigned i = 0; i < UDP_TABLE_BUCKETS; i++) {
		assert_true(LIST_EMPTY(&table.by_address[i]));
		assert_true(TAILQ_EMPTY(&table.by_host[i]));
	}
	return 0;
}

static void test_sockaddr(void **)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::7", "fe80::1"};

	for (unsigned i = 0; i < 3; i++) {
		struct udp_address a = address(texts[i], 4500), b;
		struct sockaddr_storage ss;

		if (i == 2)
			a.scope = 3;
		memset(&ss, 0xff, sizeof(ss));
		assert_int_equal(udp_address_to(&a, &ss),
			i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_true(udp_address_from(&b, &ss));
		assert_true(udp_address_equal(&a, &b));
	}
	assert_false(udp_address_from(
		&(struct udp_address){0}, &(struct sockaddr_storage){.ss_family = AF_UNIX}));
}

static void test_proved(void **)
{
	struct udp_address a = address("192.0.2.1", 1), b = address("192.0.2.1", 2);
	struct udp_address c = address("2001:db8::1", 1);

	fill(3);
	assert_null(udp_table_find(&table, &a));
	udp_table_prove(&table, &members[0], &a);
	udp_table_prove(&table, &members[1], &b);
	udp_table_prove(&table, &members[2], &c);
	assert_ptr_equal(udp_table_find(&table, &a), &members[0]);
	assert_ptr_equal(udp_table_find(&table, &b), &members[1]);
	assert_ptr_equal(udp_table_find(&table, &c), &members[2]);
	/* It moves. */
	udp_table_prove(&table, &members[2], &b);
	assert_null(udp_table_find(&table, &c));
	assert_ptr_equal(udp_table_find(&table, &b), &members[2]);
	/* Whose it was is nowhere now, and may come back. */
	assert_int_equal(members[1].peer.family, 0);
	udp_table_prove(&table, &members[1], &c);
	assert_ptr_equal(udp_table_find(&table, &c), &members[1]);
	udp_table_remove(&table, &members[1]);
	assert_null(udp_table_find(&table, &c));
}

/* Those of the host first, then all others, each once. */
static void test_search_order(void **)
{
	struct udp_address here = numbered(70, 9), there = numbered(70, 1234);
	struct udp_search s;
	bool offered[100] = {false};
	unsigned n = 0;

	fill(100);
	udp_table_expect(&table, &members[3], 1, &here);
	udp_table_prove(&table, &members[70], &here);
	udp_search_begin(&s, &table, &there, 5000);
	for (struct udp_member *m; (m = udp_search_next(&s)) != NULL; n++) {
		size_t i = (size_t)(m - members);

		assert_true(i < 100 && !offered[i]);
		offered[i] = true;
		assert_true(n >= 2 || i == 3 || i == 70);
	}
	assert_int_equal(n, 100);
	assert_false(s.out_of_budget);
}

/* One datagram is not worth more than so many tries, and the next one goes on where it stopped. */
static void test_search_goes_on(void **)
{
	struct udp_address stranger = address("203.0.113.1", 1);
	static bool offered[MEMBERS];
	unsigned seen = 0;

	memset(offered, 0, sizeof(offered));
	fill(MEMBERS);
	for (unsigned datagram = 0; seen < MEMBERS; datagram++) {
		struct udp_search s;
		unsigned n = 0;

		assert_true(datagram <= MEMBERS / UDP_TRIES_PER_DATAGRAM);
		udp_search_begin(&s, &table, &stranger, 1000);
		for (struct udp_member *m; (m = udp_search_next(&s)) != NULL; n++) {
			seen += !offered[m - members];
			offered[m - members] = true;
		}
		assert_true(s.out_of_budget);
		assert_int_equal(n, UDP_TRIES_PER_DATAGRAM);
	}
}

static unsigned tries(const struct udp_address *a, unsigned datagrams, uint64_t now_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < datagrams; i++) {
		struct udp_search s;

		udp_search_begin(&s, &table, a, now_ms);
		while (udp_search_next(&s) != NULL)
			n++;
	}
	return n;
}

/* Strangers use up their own budget, and a session behind a NAT still finds home. */
static void test_budgets(void **)
{
	struct udp_address stranger = address("203.0.113.1", 1), moved = numbered(5, 6);
	struct udp_search s;

	fill(MEMBERS);
	assert_int_equal(tries(&stranger, 10000, 1000), UDP_TRIES_ALL_PER_S);
	assert_int_equal(tries(&stranger, 10000, 1999), 0);
	udp_search_begin(&s, &table, &moved, 1999);
	assert_ptr_equal(udp_search_next(&s), &members[5]);
	assert_null(udp_search_next(&s));
	assert_true(s.out_of_budget);
	assert_int_equal(tries(&stranger, 10000, 2000), UDP_TRIES_ALL_PER_S);
	/* Whoever forges that host's address has its budget, too, and no more. */
	assert_int_equal(tries(&moved, 1000000, 3000), UDP_TRIES_HOST_PER_S + UDP_TRIES_ALL_PER_S);
}

/* More sessions behind one address than a datagram is worth tries: the next one goes on where it stopped. */
static void test_host_goes_on(void **)
{
	struct udp_address nat = numbered(7, 4000), moved = numbered(7, 5000);
	static bool offered[MEMBERS];
	struct udp_search s;
	unsigned seen = 0;

	memset(offered, 0, sizeof(offered));
	for (unsigned i = 0; i < MEMBERS; i++) {
		udp_table_add(&table, &members[i]);
		udp_table_expect(&table, &members[i], 0, &nat);
	}
	for (unsigned datagram = 0; seen < MEMBERS; datagram++) {
		unsigned n = 0;

		assert_true(datagram <= MEMBERS / UDP_TRIES_PER_DATAGRAM);
		udp_search_begin(&s, &table, &moved, 1000);
		for (struct udp_member *m; (m = udp_search_next(&s)) != NULL; n++) {
			seen += !offered[m - members];
			offered[m - members] = true;
		}
		assert_true(s.out_of_budget);
		assert_int_equal(n, UDP_TRIES_PER_DATAGRAM);
	}
	/* Who has just come is the likeliest to be new at a port. */
	udp_table_remove(&table, &members[77]);
	udp_table_add(&table, &members[77]);
	udp_table_expect(&table, &members[77], 0, &nat);
	udp_search_begin(&s, &table, &moved, 2000);
	assert_ptr_equal(udp_search_next(&s), &members[77]);
}

static void test_nobody(void **)
{
	struct udp_address a = address("203.0.113.1", 1);
	struct udp_search s;

	udp_search_begin(&s, &table, &a, 1000);
	assert_null(udp_search_next(&s));
	assert_false(s.out_of_budget);
}

/* Whatever comes and goes, nothing is lost and nobody found who has gone. */
static void test_random(void **)
{
	static bool in[64];

	memset(in, 0, sizeof(in));
	for (unsigned round = 0; round < 200000; round++) {
		unsigned i = (unsigned)rand() % 64;
		struct udp_member *m = &members[i];
		struct udp_address a = numbered((unsigned)rand() % 16, (uint16_t)(1 + rand() % 3));
		struct udp_member *found;

		switch (rand() % 5) {
		case 0:
			if (in[i])
				udp_table_remove(&table, m);
			else
				udp_table_add(&table, m);
			in[i] = !in[i];
			break;
		case 1:
			if (in[i])
				udp_table_prove(&table, m, &a);
			break;
		case 2:
			if (rand() % 3 == 0)
				a.family = 0;
			if (in[i])
				udp_table_expect(&table, m, (unsigned)rand() % 2, &a);
			break;
		case 3:
			found = udp_table_find(&table, &a);
			assert_true(found == NULL ||
				(in[found - members] && udp_address_equal(&found->peer, &a)));
			break;
		default: {
			struct udp_search s;

			udp_search_begin(&s, &table, &a, round);
			while ((found = udp_search_next(&s)) != NULL)
				assert_true(in[found - members]);
		}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockaddr),
		cmocka_unit_test_setup_teardown(test_proved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_search_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_search_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budgets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
