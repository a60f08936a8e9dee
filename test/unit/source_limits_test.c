/* SPDX-License-Identifier: BSD-3-Clause */
/* Budgets before login: totals, shares of a source, what counts as one source, and the hash below. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/keyed_hash.h"
#include "controlplane/source_limits.h"

static const struct sockaddr *address(const char *text)
{
	static struct sockaddr_storage ss;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;

	memset(&ss, 0, sizeof(ss));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(1234);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		v6->sin6_family = AF_INET6;
	}
	return (struct sockaddr *)&ss;
}

static void totals_and_shares(void **)
{
	const struct limits_conf conf = {
		.connections = 4,
		.connections_per_source = 2,
		.handshakes = 3,
		.handshakes_per_source = 2,
	};
	struct limits *l = limits_create(&conf);
	struct limits_source *a[3], *b[3], *none;

	assert_int_equal(limits_connection_begin(l, address("192.0.2.1"), &a[0]), LIMITS_OK);
	assert_int_equal(limits_connection_begin(l, address("192.0.2.1"), &a[1]), LIMITS_OK);
	assert_ptr_equal(a[0], a[1]);
	assert_int_equal(limits_connection_begin(l, address("192.0.2.1"), &none), LIMITS_SOURCE);
	assert_null(none);
	assert_int_equal(limits_connection_begin(l, address("192.0.2.2"), &b[0]), LIMITS_OK);
	assert_int_equal(limits_connection_begin(l, address("192.0.2.2"), &b[1]), LIMITS_OK);
	assert_int_equal(limits_connection_begin(l, address("192.0.2.3"), &none), LIMITS_TOTAL);
	assert_int_equal(limits_connections(l), 4);
	assert_int_equal(limits_sources(l), 2);

	assert_int_equal(limits_handshake_begin(l, a[0]), LIMITS_OK);
	assert_int_equal(limits_handshake_begin(l, a[0]), LIMITS_OK);
	assert_int_equal(limits_handshake_begin(l, a[0]), LIMITS_SOURCE);
	assert_int_equal(limits_handshake_begin(l, b[0]), LIMITS_OK);
	assert_int_equal(limits_handshake_begin(l, b[0]), LIMITS_TOTAL);
	limits_handshake_end(l, a[0]);
	assert_int_equal(limits_handshake_begin(l, b[0]), LIMITS_OK);
	assert_int_equal(limits_handshakes(l), 3);
	limits_handshake_end(l, a[0]);
	limits_handshake_end(l, b[0]);
	limits_handshake_end(l, b[0]);

	/* An entry is free again when its last connection ends, and not before. */
	limits_connection_end(l, a[0]);
	assert_int_equal(limits_sources(l), 2);
	limits_connection_end(l, a[0]);
	assert_int_equal(limits_sources(l), 1);
	assert_int_equal(limits_connection_begin(l, address("192.0.2.3"), &a[2]), LIMITS_OK);
	limits_connection_end(l, a[2]);
	limits_connection_end(l, b[0]);
	limits_connection_end(l, b[1]);
	assert_int_equal(limits_connections(l) + limits_sources(l) + limits_handshakes(l), 0);
	limits_destroy(l);
}

static void what_one_source_is(void **)
{
	static const struct {
		const char *one, *two;
		int same;
	} pairs[] = {
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", 1},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", 0},
		{"::ffff:192.0.2.1", "192.0.2.1", 1},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", 0},
		{"::1", "::", 1},
		{"0.0.0.0", "::", 0},
	};
	const struct limits_conf conf = {.connections = 2, .connections_per_source = 2};

	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct limits *l = limits_create(&conf);
		struct limits_source *s;

		assert_int_equal(limits_connection_begin(l, address(pairs[i].one), &s), LIMITS_OK);
		assert_int_equal(limits_connection_begin(l, address(pairs[i].two), &s), LIMITS_OK);
		assert_int_equal(limits_sources(l), pairs[i].same ? 1 : 2);
		limits_destroy(l);
	}
}

/* Sources come and go in their thousands: the table is as large as ever. */
static void sources_come_and_go(void **)
{
	const struct limits_conf conf = {.connections = 100, .connections_per_source = 1};
	struct limits *l = limits_create(&conf);
	struct limits_source *held[100] = {0}, *none;
	char text[32];

	for (unsigned i = 0; i < 20000; i++) {
		if (held[i % 100] != NULL)
			limits_connection_end(l, held[i % 100]);
		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		assert_int_equal(limits_connection_begin(l, address(text), &held[i % 100]), 0);
	}
	assert_int_equal(limits_sources(l), 100);
	assert_int_equal(limits_connection_begin(l, address("192.0.2.1"), &none), LIMITS_TOTAL);
	limits_destroy(l);
}

/* Appendix A of the paper: key 00..0f, input 00..0e. */
static void siphash_vector(void **)
{
	const struct keyed_hash h = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
	uint8_t in[15];

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	assert_true(keyed_hash(&h, in, sizeof(in)) == 0xa129ca6149be45e5ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_and_shares),
		cmocka_unit_test(what_one_source_is),
		cmocka_unit_test(sources_come_and_go),
		cmocka_unit_test(siphash_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
