/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams of UDP acceleration: captured ones, there and back, and every byte of them changed. */

#include <stdlib.h>
#include <string.h>

#include "drivers/session/wire/udp_packet.h"
#include "test/unit/vector.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const enum udp_packet_form forms[] = {UDP_PACKET_PLAIN, UDP_PACKET_V1, UDP_PACKET_V2};
static const uint8_t seed[UDP_PACKET_SEED] = {1, 2, 3, 4, 5, 6, 7};

struct captured {
	const char *file;
	enum udp_packet_form form;
	const char *key;
	uint32_t cookie;
	uint64_t tick, echo;
	uint16_t size;
};

#define KEY_V1 "6166c2a53673168cd502564f3959a32e381b8550"
#define KEY_V2 "b7f551d01ccd53e9a47fd98cb2220d4ea7dc2875f80e58bdeeb46dee40a3d356"

/* wire.md vectors 11 and 12: made by the original server. */
static const struct captured captures[] = {
	{"udp_v1_keepalive.hex", UDP_PACKET_V1, KEY_V1, 0x955bb234, 2643749, 4262863, 0},
	{"udp_v1_data.hex", UDP_PACKET_V1, KEY_V1, 0x955bb234, 2641601, 4261198, 60},
	{"udp_v2_keepalive.hex", UDP_PACKET_V2, KEY_V2, 0x5b3ec37e, 2658371, 4277993, 0},
	{"udp_v2_data.hex", UDP_PACKET_V2, KEY_V2, 0x5b3ec37e, 2655246, 4274867, 60},
};

static void test_captured(void **)
{
	for (size_t i = 0; i < COUNT(captures); i++) {
		const struct captured *c = &captures[i];
		struct vector key = vector_hex(c->key), v = vector_load(c->file);
		struct udp_seal *s = udp_seal_create(c->form, key.data, seed);
		struct udp_datagram d = {.data = v.data, .bytes = (uint32_t)v.size_bytes};
		struct udp_packet p;

		udp_packet_open(s, &d, 1);
		assert_true(d.ok);
		assert_int_equal(udp_packet_get(c->form, &d, &p), 0);
		assert_int_equal(p.cookie, c->cookie);
		assert_int_equal(p.tick, c->tick);
		assert_int_equal(p.echo, c->echo);
		assert_int_equal(p.size, c->size);
		assert_false(p.compressed);
		if (c->size != 0)
			assert_memory_equal(p.data, "\x5e\x00\x00\x00\x4a\x01\x5e", 7);
		udp_seal_destroy(s);
		vector_free(&v);
		vector_free(&key);
	}
}

/* The prototype's own, whose keys stand in the files. */
static void test_client_side(void **)
{
	static const struct {
		const char *file, *key;
		enum udp_packet_form form;
	} made[] = {
		{"udp_v1_client.hex", "64dac50eb0efa4b6fa8cded8f5606cf38bd41a6f", UDP_PACKET_V1},
		{"udp_v2_client.hex",
			"bbf34ecc9b877c1aff985f0e6e961605eaca965d708498261af6770c91ea8963",
			UDP_PACKET_V2},
	};

	for (size_t i = 0; i < COUNT(made); i++) {
		struct vector key = vector_hex(made[i].key), v = vector_load(made[i].file);
		struct udp_seal *s = udp_seal_create(made[i].form, key.data, seed);
		struct udp_datagram d = {.data = v.data, .bytes = (uint32_t)v.size_bytes};
		struct udp_packet p;

		udp_packet_open(s, &d, 1);
		assert_true(d.ok);
		assert_int_equal(udp_packet_get(made[i].form, &d, &p), 0);
		udp_seal_destroy(s);
		vector_free(&v);
		vector_free(&key);
	}
}

static void key_make(uint8_t key[UDP_PACKET_KEY_V2])
{
	for (unsigned i = 0; i < UDP_PACKET_KEY_V2; i++)
		key[i] = (uint8_t)rand();
}

/* A datagram in memory of exactly its size. */
static struct udp_datagram datagram_make(struct udp_seal *seal, enum udp_packet_form form,
	uint32_t size, uint32_t padding, uint8_t *frame, struct udp_packet *p)
{
	struct udp_datagram d;

	for (uint32_t i = 0; i < size; i++)
		frame[i] = (uint8_t)rand();
	*p = (struct udp_packet){
		.cookie = (uint32_t)rand(),
		.tick = (uint64_t)rand() << 20,
		.echo = (uint64_t)rand(),
		.data = frame,
		.size = (uint16_t)size,
		.compressed = rand() % 2,
	};
	d = (struct udp_datagram){.bytes = (uint32_t)udp_packet_bytes(form, size, padding)};
	d.data = malloc(d.bytes);
	assert_non_null(d.data);
	assert_int_equal(udp_packet_put(form, p, padding, d.data), d.bytes);
	udp_packet_seal(seal, &d, 1);
	return d;
}

static void same(const struct udp_packet *a, const struct udp_packet *b)
{
	assert_int_equal(a->cookie, b->cookie);
	assert_int_equal(a->tick, b->tick);
	assert_int_equal(a->echo, b->echo);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->compressed, b->compressed);
	if (a->size != 0)
		assert_memory_equal(a->data, b->data, a->size);
}

static void test_there_and_back(void **)
{
	uint8_t key[UDP_PACKET_KEY_V2], frame[1600];

	for (size_t f = 0; f < COUNT(forms); f++) {
		struct udp_seal *out, *in;
		uint64_t id = 0;

		key_make(key);
		out = udp_seal_create(forms[f], key, seed);
		in = udp_seal_create(forms[f], key, seed);
		for (uint32_t size = 0; size <= 1600; size += 1 + size / 7) {
			struct udp_packet p, q;
			struct udp_datagram d =
				datagram_make(out, forms[f], size, size % 32, frame, &p);

			udp_packet_open(in, &d, 1);
			assert_true(d.ok);
			assert_int_equal(udp_packet_get(forms[f], &d, &q), 0);
			same(&p, &q);
			/* No two have the same id, or else none has one. */
			assert_true(forms[f] == UDP_PACKET_PLAIN ? q.id == 0 : q.id != id);
			id = q.id;
			free(d.data);
		}
		udp_seal_destroy(out);
		udp_seal_destroy(in);
	}
}

/* Many of one key at once, too short ones among them. */
static void test_batch(void **)
{
	uint8_t key[UDP_PACKET_KEY_V2], frame[64][200];
	struct udp_datagram d[64];
	struct udp_packet p[64], q;

	for (size_t f = 0; f < COUNT(forms); f++) {
		struct udp_seal *out, *in;

		key_make(key);
		out = udp_seal_create(forms[f], key, seed);
		in = udp_seal_create(forms[f], key, seed);
		for (unsigned i = 0; i < 64; i++) {
			d[i] = datagram_make(out, forms[f], 14 + i, 0, frame[i], &p[i]);
			if (i % 5 == 3)
				d[i].bytes = (uint32_t)udp_packet_bytes(forms[f], 0, 0) - 1;
			if (i % 7 == 2)
				d[i].data[d[i].bytes - 1] ^= 1;
		}
		udp_packet_open(in, d, 64);
		for (unsigned i = 0; i < 64; i++) {
			int err = udp_packet_get(forms[f], &d[i], &q);

			if (i % 5 == 3)
				assert_true(err != 0);
			else if (forms[f] == UDP_PACKET_PLAIN || i % 7 != 2)
				assert_true(d[i].ok && err == 0);
			else
				assert_false(d[i].ok);
			if (d[i].ok && err == 0 && i % 7 != 2)
				same(&p[i], &q);
			free(d[i].data);
		}
		udp_seal_destroy(out);
		udp_seal_destroy(in);
	}
}

/* Version 2: no bit may change. Version 1 notices what is changed in its last 20 bytes and in the IV. */
static void test_changed(void **)
{
	uint8_t key[UDP_PACKET_KEY_V2], frame[100];

	for (size_t f = 1; f < COUNT(forms); f++) {
		struct udp_seal *out, *in, *other;
		struct udp_packet p;
		struct udp_datagram d;
		uint8_t *copy;

		key_make(key);
		out = udp_seal_create(forms[f], key, seed);
		in = udp_seal_create(forms[f], key, seed);
		d = datagram_make(out, forms[f], 60, 5, frame, &p);
		copy = malloc(d.bytes);
		assert_non_null(copy);
		memcpy(copy, d.data, d.bytes);
		for (uint32_t at = 0; at < d.bytes; at++) {
			memcpy(d.data, copy, d.bytes);
			d.data[at] ^= (uint8_t)(1 << at % 8);
			udp_packet_open(in, &d, 1);
			if (forms[f] == UDP_PACKET_V2 || at < 20 || at >= d.bytes - 20)
				assert_false(d.ok);
		}
		for (uint32_t bytes = 0; bytes < d.bytes; bytes++) {
			struct udp_datagram cut = {.data = malloc(bytes + 1), .bytes = bytes};

			memcpy(cut.data, copy, bytes);
			udp_packet_open(in, &cut, 1);
			/* RC4 says so unless its zeros happen to end there. */
			if (forms[f] == UDP_PACKET_V2)
				assert_false(cut.ok);
			free(cut.data);
		}
		key[0] ^= 1;
		other = udp_seal_create(forms[f], key, seed);
		memcpy(d.data, copy, d.bytes);
		udp_packet_open(other, &d, 1);
		assert_false(d.ok);
		free(copy);
		free(d.data);
		udp_seal_destroy(out);
		udp_seal_destroy(in);
		udp_seal_destroy(other);
	}
}

static void test_malformed(void **)
{
	uint8_t body[64] = {0};
	struct udp_datagram d = {.data = body, .bytes = UDP_PACKET_HEADER};
	struct udp_packet p;

	assert_int_equal(udp_packet_get(UDP_PACKET_PLAIN, &d, &p), 0);
	d.bytes--;
	assert_true(udp_packet_get(UDP_PACKET_PLAIN, &d, &p) < 0);
	d.bytes = UDP_PACKET_HEADER + 3;
	body[21] = 3;
	assert_int_equal(udp_packet_get(UDP_PACKET_PLAIN, &d, &p), 0);
	assert_int_equal(p.size, 3);
	body[21] = 4;
	assert_true(udp_packet_get(UDP_PACKET_PLAIN, &d, &p) < 0);
	body[20] = 0xff;
	assert_true(udp_packet_get(UDP_PACKET_PLAIN, &d, &p) < 0);
}

static void test_padding(void **)
{
	/* A full segment over IPv4: 1414 bytes sealed, 12 are left. */
	assert_int_equal(udp_packet_bytes(UDP_PACKET_V2, 1363, 0), 1414);
	assert_int_equal(udp_packet_padding_room(UDP_PACKET_V2, 1363, UDP_PACKET_BUDGET_IP4), 12);
	assert_int_equal(udp_packet_padding_room(UDP_PACKET_V2, 60, UDP_PACKET_BUDGET_IP4), 31);
	assert_int_equal(udp_packet_padding_room(UDP_PACKET_V2, 1514, UDP_PACKET_BUDGET_IP4), 0);
	assert_int_equal(udp_packet_padding_room(UDP_PACKET_V1, 1363, UDP_PACKET_BUDGET_IP4), 0);
	assert_int_equal(udp_packet_padding_room(UDP_PACKET_PLAIN, 60, UDP_PACKET_BUDGET_IP4), 0);
	assert_int_equal(udp_packet_bytes(UDP_PACKET_PLAIN, 60, 9), 83);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_client_side),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
