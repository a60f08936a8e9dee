/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's ChaCha20-Poly1305 against OpenSSL's: each opens what the other sealed, and neither what was changed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include "drivers/session/udp_engine.h"
#include "drivers/session/wire/udp_packet.h"
#include "test/unit/vector.h"

#define BYTES 2048u
#define BURST 130u /* more than an engine does at once */

static const uint8_t seed[UDP_PACKET_SEED] = {9, 8, 7};
static uint8_t room[BURST][BYTES], copy[BURST][BYTES];

static void key_fill(uint8_t *key, unsigned salt)
{
	for (unsigned i = 0; i < UDP_PACKET_KEY_V2; i++)
		key[i] = (uint8_t)(salt * 37 + i * 11);
}

/* A seal of OpenSSL's or, `engine`, of DPDK's. */
static struct udp_seal *seal_new(unsigned salt, bool engine, bool sealing)
{
	uint8_t key[UDP_PACKET_KEY_V2];
	struct udp_seal *s;

	key_fill(key, salt);
	s = udp_seal_create(UDP_PACKET_V2, key, seed);
	assert_non_null(s);
	if (engine) {
		struct udp_aead *a = udp_engine_create(key, sealing);

		assert_non_null(a);
		udp_seal_set_aead(s, a);
	}
	memset(key, 0xEE, sizeof(key)); /* nobody may have kept the pointer */
	return s;
}

static void build(struct udp_datagram *d, unsigned i, uint16_t size)
{
	uint8_t frame[BYTES];
	struct udp_packet p = {
		.cookie = 0x1234 + i, .tick = 5 + i, .echo = 1, .data = frame, .size = size};

	for (unsigned k = 0; k < size; k++)
		frame[k] = (uint8_t)(k * 7 + i);
	*d = (struct udp_datagram){.data = room[i],
		.bytes = (uint32_t)udp_packet_put(UDP_PACKET_V2, &p, i % 32, room[i])};
}

static void check(const struct udp_datagram *d, unsigned i, uint16_t size)
{
	struct udp_packet p;

	assert_true(d->ok);
	assert_int_equal(udp_packet_get(UDP_PACKET_V2, d, &p), 0);
	assert_int_equal(p.cookie, 0x1234 + i);
	assert_int_equal(p.size, size);
	for (unsigned k = 0; k < size; k++)
		assert_int_equal(p.data[k], (uint8_t)(k * 7 + i));
}

/* All sizes, in bursts of all sorts of sizes, sealed by one and opened by the other. */
static void there_and_back(bool engine_seals, bool engine_opens)
{
	struct udp_seal *out = seal_new(1, engine_seals, true);
	struct udp_seal *in = seal_new(1, engine_opens, false);
	struct udp_datagram d[BURST];

	for (unsigned first = 0; first <= 1600; first += BURST) {
		for (unsigned i = 0; i < BURST; i++)
			build(&d[i], i, (uint16_t)(first + i));
		udp_packet_seal(out, d, BURST);
		for (unsigned i = 0; i < BURST; i++)
			assert_true(d[i].ok);
		udp_packet_open(in, d, BURST);
		for (unsigned i = 0; i < BURST; i++)
			check(&d[i], i, (uint16_t)(first + i));
	}
	udp_seal_destroy(out);
	udp_seal_destroy(in);
}

static void test_each_other(void **)
{
	there_and_back(true, false);
	there_and_back(false, true);
	there_and_back(true, true);
}

/* One bit of one datagram of a burst: that one does not open, its neighbours do. */
static void test_changed(void **)
{
	struct udp_seal *out = seal_new(2, true, true), *in = seal_new(2, true, false);
	struct udp_datagram d[3];
	uint32_t bytes;

	for (unsigned i = 0; i < 3; i++)
		build(&d[i], i, 100);
	bytes = d[1].bytes;
	udp_packet_seal(out, d, 3);
	memcpy(copy, room, sizeof(copy));
	for (unsigned bit = 0; bit < bytes * 8; bit++) {
		memcpy(room, copy, sizeof(room));
		room[1][bit / 8] ^= (uint8_t)(1u << (bit % 8));
		udp_packet_open(in, d, 3);
		check(&d[0], 0, 100);
		assert_false(d[1].ok);
		check(&d[2], 2, 100);
	}
	/* Shorter, and by another key. */
	memcpy(room, copy, sizeof(room));
	d[1].bytes--;
	udp_packet_open(in, d, 3);
	assert_false(d[1].ok);
	udp_seal_destroy(in);
	in = seal_new(3, true, false);
	memcpy(room, copy, sizeof(room));
	d[1].bytes++;
	udp_packet_open(in, d, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_false(d[i].ok);
	udp_seal_destroy(in);
	udp_seal_destroy(out);
}

/* More keys than a pool holds, made and destroyed in any order; what was freed is used again. */
static void test_many(void **)
{
	enum {
		KEYS = 1300
	};
	struct udp_seal *out[KEYS], *in[KEYS];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned k = 0; k < KEYS; k++) {
			out[k] = seal_new(k, true, true);
			in[k] = seal_new(k, true, false);
		}
		for (unsigned k = 0; k < KEYS; k++) {
			struct udp_datagram d;

			build(&d, 0, (uint16_t)k);
			udp_packet_seal(out[k], &d, 1);
			udp_packet_open(in[k], &d, 1);
			check(&d, 0, (uint16_t)k);
		}
		for (unsigned k = 0; k < KEYS; k++) {
			udp_seal_destroy(out[(k * 7) % KEYS]);
			udp_seal_destroy(in[(k * 11) % KEYS]);
		}
	}
}

/* There is an end of keys, and behind it NULL: OpenSSL goes on. */
static void test_bound(void **)
{
	enum {
		MOST = 20000
	};
	struct udp_aead **a = calloc(MOST, sizeof(struct udp_aead *));
	uint8_t key[UDP_PACKET_KEY_V2];
	unsigned n = 0;

	assert_non_null(a);
	key_fill(key, 1);
	while (n < MOST && (a[n] = udp_engine_create(key, true)) != NULL)
		n++;
	assert_in_range(n, 8000, MOST - 1);
	for (unsigned i = 0; i < n; i++)
		a[i]->destroy(a[i]);
	a[0] = udp_engine_create(key, true);
	assert_non_null(a[0]);
	a[0]->destroy(a[0]);
	free(a);
}

/* Closed and opened again; an engine that outlives it can still be destroyed. */
static void test_closed(void **)
{
	uint8_t key[UDP_PACKET_KEY_V2] = {1};
	struct udp_aead *left = udp_engine_create(key, true);

	assert_non_null(left);
	assert_string_not_equal(udp_engine_name(), "OpenSSL");
	udp_engine_close();
	udp_engine_close();
	assert_string_equal(udp_engine_name(), "OpenSSL");
	assert_null(udp_engine_create(key, true));
	left->destroy(left);
	assert_int_equal(udp_engine_open(), 0);
	there_and_back(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_other),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_closed),
	};
	char *argv[] = {"test", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m",
		"256", "-l", "0", "--log-level", "error"};
	int rc;

	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0)
		return 1;
	rc = udp_engine_open();
	if (rc != 0) {
		printf("skipped: no crypto driver (%d)\n", rc);
		return 77;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	udp_engine_close();
	return rc;
}
