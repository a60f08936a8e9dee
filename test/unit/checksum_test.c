/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completing checksums. The right ones are computed here in the slow and obvious way; a frame is then given the
 * half-made ones that an offloading sender leaves, and has to come out as it was.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/bridge/bridge_priv.h"

#define FRAME_MAX 1600u

/* RFC 1071, byte by byte. */
static uint16_t slow_sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (s > 0xffff)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

struct made {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
	uint8_t *ip;
	uint8_t *l4_sum; /* the field */
	uint16_t pseudo; /* sum of the pseudo header */
};

static uint16_t pseudo_sum(const uint8_t *addresses, size_t len, uint8_t proto, uint32_t l4_len)
{
	return slow_sum(addresses, len, proto + l4_len);
}

/* A frame with right checksums. */
static void make(struct made *m, bool vlan, bool ip6, uint8_t proto, uint32_t payload)
{
	uint32_t at = vlan ? 18 : 14, l4_len = (proto == 6 ? 20 : 8) + payload;
	uint8_t *l4;

	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < FRAME_MAX; i++)
		m->bytes[i] = (uint8_t)(rand() >> 4);
	if (vlan) {
		put16(m->bytes + 12, 0x8100);
		put16(m->bytes + 16, ip6 ? 0x86dd : 0x0800);
	} else {
		put16(m->bytes + 12, ip6 ? 0x86dd : 0x0800);
	}
	m->ip = m->bytes + at;
	l4 = m->ip + (ip6 ? 40 : 20);
	if (ip6) {
		m->ip[0] = 0x60;
		put16(m->ip + 4, (uint16_t)l4_len);
		m->ip[6] = proto;
		m->pseudo = pseudo_sum(m->ip + 8, 32, proto, l4_len);
	} else {
		m->ip[0] = 0x45;
		put16(m->ip + 2, (uint16_t)(20 + l4_len));
		put16(m->ip + 6, 0x4000);
		m->ip[9] = proto;
		put16(m->ip + 10, 0);
		put16(m->ip + 10, (uint16_t)~slow_sum(m->ip, 20, 0));
		m->pseudo = pseudo_sum(m->ip + 12, 8, proto, l4_len);
	}
	m->l4_sum = l4 + (proto == 6 ? 16 : 6);
	put16(m->l4_sum, 0);
	put16(m->l4_sum, (uint16_t)~slow_sum(l4, l4_len, m->pseudo));
	if (proto == 17 && m->l4_sum[0] == 0 && m->l4_sum[1] == 0)
		put16(m->l4_sum, 0xffff);
	m->len = (uint32_t)(l4 + l4_len - m->bytes);
}

static void each_kind(void (*check)(struct made *m, bool ip6))
{
	static struct made m;

	for (unsigned kind = 0; kind < 8; kind++)
		for (uint32_t payload = 0; payload < 1400; payload += 1 + payload / 3) {
			make(&m, kind & 1, kind & 2, kind & 4 ? 6 : 17, payload);
			check(&m, kind & 2);
		}
}

static void check_right(struct made *m, bool)
{
	struct made before = *m;

	assert_false(checksum_complete(m->bytes, m->len));
	assert_memory_equal(m->bytes, before.bytes, FRAME_MAX);
}

static void test_right_stay(void **)
{
	each_kind(check_right);
}

static void check_completed(struct made *m, bool ip6)
{
	struct made before = *m;

	put16(m->l4_sum, m->pseudo);
	if (!ip6)
		put16(m->ip + 10, 0);
	assert_true(checksum_complete(m->bytes, m->len));
	assert_memory_equal(m->bytes, before.bytes, FRAME_MAX);
	/* The frame may be padded: what is behind the packet does not count. */
	put16(m->l4_sum, m->pseudo);
	assert_true(checksum_complete(m->bytes, m->len + 7));
	assert_memory_equal(m->bytes, before.bytes, FRAME_MAX);
}

static void test_unfinished_are_completed(void **)
{
	each_kind(check_completed);
}

/* Cut off anywhere it is only looked at. The copy on the heap makes a read beyond it visible to a sanitizer. */
static void check_cut(struct made *m, bool)
{
	put16(m->l4_sum, m->pseudo);
	for (uint32_t len = 0; len < m->len; len += 1 + len / 40) {
		uint8_t *cut = malloc(len + 1);

		assert_non_null(cut);
		memcpy(cut, m->bytes, len);
		assert_false(checksum_complete(cut, len));
		assert_memory_equal(cut, m->bytes, len);
		free(cut);
	}
}

static void test_cut_off(void **)
{
	each_kind(check_cut);
}

static void test_left_alone(void **)
{
	static struct made m, before;

	/* A fragment: its first bytes are no header, or its checksum is that of the whole. */
	make(&m, false, false, 6, 100);
	put16(m.l4_sum, m.pseudo);
	put16(m.ip + 6, 0x2000);
	put16(m.ip + 10, 0x1234);
	before = m;
	assert_false(checksum_complete(m.bytes, m.len));
	assert_memory_equal(m.bytes, before.bytes, FRAME_MAX);
	/* UDP without a checksum has none. */
	make(&m, false, false, 17, 100);
	put16(m.l4_sum, 0);
	before = m;
	assert_false(checksum_complete(m.bytes, m.len));
	assert_memory_equal(m.bytes, before.bytes, FRAME_MAX);
	/* Header length nonsense. */
	make(&m, false, false, 6, 100);
	put16(m.l4_sum, m.pseudo);
	m.ip[0] = 0x44;
	before = m;
	assert_false(checksum_complete(m.bytes, m.len));
	assert_memory_equal(m.bytes, before.bytes, FRAME_MAX);
	/* Something else. */
	make(&m, false, false, 6, 100);
	put16(m.l4_sum, m.pseudo);
	put16(m.bytes + 12, 0x0806);
	before = m;
	assert_false(checksum_complete(m.bytes, m.len));
	assert_memory_equal(m.bytes, before.bytes, FRAME_MAX);
}

/* What a too long frame is called: by what it carries, also when its end is missing. */
static void test_super(void **)
{
	uint8_t f[200] = {0};

	put16(f + 12, 0x0800);
	f[14 + 9] = 6;
	assert_true(checksum_is_super(f, 34));
	assert_false(checksum_is_super(f, 33));
	f[14 + 9] = 17;
	assert_true(checksum_is_super(f, sizeof(f)));
	f[14 + 9] = 1;
	assert_false(checksum_is_super(f, sizeof(f)));
	put16(f + 12, 0x86dd);
	f[14 + 6] = 6;
	assert_true(checksum_is_super(f, 54));
	assert_false(checksum_is_super(f, 53));
	put16(f + 12, 0x8100);
	put16(f + 16, 0x0800);
	f[18 + 9] = 6;
	assert_true(checksum_is_super(f, 38));
	assert_false(checksum_is_super(f, 37));
	put16(f + 12, 0x0806);
	assert_false(checksum_is_super(f, sizeof(f)));
	assert_false(checksum_is_super(f, 13));
}

/* Random bytes behind a plausible start: no crash, nothing beyond the frame. */
static void test_random(void **)
{
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t len = (uint32_t)rand() % 200;
		uint8_t *p = malloc(len + 1);

		assert_non_null(p);
		for (uint32_t k = 0; k < len; k++)
			p[k] = (uint8_t)(rand() >> 4);
		if (len > 23) {
			put16(p + 12, rand() & 1 ? 0x0800 : 0x86dd);
			p[14] = rand() & 1 ? 0x45 : 0x60;
			p[14 + (p[14] == 0x45 ? 9 : 6)] = rand() & 1 ? 6 : 17;
			p[16] = 0;
			p[18] = 0;
		}
		checksum_is_super(p, len);
		checksum_complete(p, len);
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_stay),
		cmocka_unit_test(test_unfinished_are_completed),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_super),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
