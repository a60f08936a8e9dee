/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MSS clamp. Segments are made here with every header in front that the clamp knows, and checksums are
 * computed anew in the slow and obvious way, which the adjusted ones have to equal.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/mss.h"

#define FRAME_MAX 1600u

struct made {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
	uint8_t *addresses;
	uint32_t addresses_len;
	uint8_t *tcp;
	uint32_t tcp_len;
};

/* RFC 1071, byte by byte. */
static uint32_t slow_sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (s > 0xffff)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t right_sum(const struct made *m)
{
	uint32_t s = slow_sum(m->addresses, m->addresses_len, 6 + m->tcp_len);

	return ~slow_sum(m->tcp, m->tcp_len, s) & 0xffff;
}

static bool sum_is_right(const struct made *m)
{
	uint32_t s = slow_sum(m->addresses, m->addresses_len, 6 + m->tcp_len);

	return slow_sum(m->tcp, m->tcp_len, s) == 0xffff;
}

/* A segment with these options (a multiple of 4 bytes) and so much payload, checksum right. */
static void make(struct made *m, bool vlan, bool ip6, uint8_t flags, const uint8_t *options,
	uint32_t options_len, uint32_t payload)
{
	uint8_t *ip;

	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < FRAME_MAX; i++)
		m->bytes[i] = (uint8_t)(rand() >> 4);
	ip = m->bytes + (vlan ? 18 : 14);
	put16(m->bytes + 12, ip6 ? 0x86dd : 0x0800);
	if (vlan) {
		put16(m->bytes + 12, 0x8100);
		put16(m->bytes + 16, ip6 ? 0x86dd : 0x0800);
	}
	m->tcp_len = 20 + options_len + payload;
	if (ip6) {
		ip[0] = 0x60;
		put16(ip + 4, m->tcp_len);
		ip[6] = 6;
		m->addresses = ip + 8;
		m->addresses_len = 32;
		m->tcp = ip + 40;
	} else {
		ip[0] = 0x46; /* one word of options */
		put16(ip + 2, 24 + m->tcp_len);
		put16(ip + 6, 0x4000);
		ip[9] = 6;
		m->addresses = ip + 12;
		m->addresses_len = 8;
		m->tcp = ip + 24;
	}
	m->tcp[12] = (uint8_t)((20 + options_len) / 4 << 4);
	m->tcp[13] = flags;
	memcpy(m->tcp + 20, options, options_len);
	put16(m->tcp + 16, 0);
	put16(m->tcp + 16, right_sum(m));
	m->len = (uint32_t)(m->tcp - m->bytes) + m->tcp_len;
	assert_true(sum_is_right(m));
}

static void test_lowered(void **)
{
	for (int round = 0; round < 2000; round++) {
		uint8_t options[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
		uint32_t at = (uint32_t)rand() % 9, old = 1301 + (uint32_t)rand() % 60000;
		bool vlan = rand() % 2, ip6 = rand() % 2;
		struct made m;

		options[at] = 2;
		options[at + 1] = 4;
		put16(options + at + 2, old);
		make(&m, vlan, ip6, rand() % 2 ? 0x02 : 0x12, options, sizeof(options),
			(uint32_t)rand() % 9);
		assert_true(mss_is_syn(m.bytes, m.len));
		assert_true(mss_clamp(m.bytes, m.len, 1300));
		assert_int_equal(get16(m.tcp + 20 + at + 2), vlan ? 1296 : 1300);
		assert_true(sum_is_right(&m));
		assert_false(mss_clamp(m.bytes, m.len, 1300));
		assert_false(mss_clamp(m.bytes, m.len, 1400));
	}
}

static void unchanged(struct made *m)
{
	uint8_t before[FRAME_MAX];

	memcpy(before, m->bytes, sizeof(before));
	assert_false(mss_clamp(m->bytes, m->len, 1300));
	assert_memory_equal(before, m->bytes, sizeof(before));
}

static void test_left_alone(void **)
{
	static const uint8_t mss[8] = {2, 4, 0x05, 0xb4, 1, 1, 1, 0};
	static const uint8_t small[4] = {2, 4, 0x02, 0x18};
	static const uint8_t behind_end[8] = {1, 0, 2, 4, 0x05, 0xb4, 0, 0};
	static const uint8_t odd_len[4] = {2, 3, 0x05, 0xb4};
	static const uint8_t no_len[4] = {8, 0, 2, 4};
	static const uint8_t cut[4] = {1, 1, 2, 4};
	struct made m;

	make(&m, false, false, 0x10, mss, sizeof(mss), 0); /* no SYN */
	assert_false(mss_is_syn(m.bytes, m.len));
	unchanged(&m);
	make(&m, false, false, 0x02, small, sizeof(small), 0);
	unchanged(&m);
	make(&m, false, true, 0x02, behind_end, sizeof(behind_end), 0);
	unchanged(&m);
	make(&m, false, false, 0x02, odd_len, sizeof(odd_len), 0);
	unchanged(&m);
	make(&m, false, false, 0x02, no_len, sizeof(no_len), 0);
	unchanged(&m);
	make(&m, false, false, 0x02, cut, sizeof(cut), 0);
	unchanged(&m);
	make(&m, false, false, 0x02, NULL, 0, 0);
	unchanged(&m);
	make(&m, false, false, 0x02, mss, sizeof(mss), 0);
	put16(m.bytes + 14 + 6, 0x2001); /* a fragment behind the first */
	unchanged(&m);
	make(&m, false, false, 0x02, mss, sizeof(mss), 0);
	m.bytes[14 + 9] = 17;
	unchanged(&m);
	make(&m, false, false, 0x02, mss, sizeof(mss), 0);
	m.bytes[14] = 0x44; /* header shorter than any */
	unchanged(&m);
	make(&m, false, false, 0x02, mss, sizeof(mss), 0);
	m.tcp[12] = 0x40;
	unchanged(&m);
	make(&m, false, false, 0x02, mss, sizeof(mss), 0);
	assert_false(mss_clamp(m.bytes, m.len, 0));
}

/* Whatever is cut off, and whatever bytes there are: nothing is read beyond (the sanitizer build tells). */
static void test_any_bytes(void **)
{
	static const uint8_t mss[8] = {1, 2, 4, 0x05, 0xb4, 1, 1, 0};
	struct made m;

	for (int round = 0; round < 20000; round++) {
		uint32_t len;
		uint8_t *exact;

		make(&m, rand() % 2, rand() % 2, 0x02, mss, sizeof(mss), 4);
		for (int i = rand() % 4; i > 0; i--)
			m.bytes[12 + (uint32_t)rand() % (m.len - 12)] = (uint8_t)rand();
		len = (uint32_t)rand() % (m.len + 1);
		exact = malloc(len != 0 ? len : 1);
		assert_non_null(exact);
		memcpy(exact, m.bytes, len);
		if (mss_clamp(exact, len, 1300))
			assert_true(mss_is_syn(exact, len));
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lowered),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
