/* SPDX-License-Identifier: BSD-3-Clause */
/* Byte buffer: growth, limits, sticky errors. */
#include "drivers/session/wire/bytebuf.h"

#include <errno.h>
#include <string.h>

#include "test/unit/vector.h"

static void test_grows(void **)
{
	struct bytebuf b;

	bytebuf_init(&b, 100000);
	for (uint32_t i = 0; i < 25000; i++)
		bytebuf_append_be32(&b, i);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, 100000);
	for (uint32_t i = 0; i < 25000; i++) {
		const uint8_t want[4] = {0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

		assert_memory_equal(b.data + 4 * i, want, 4);
	}
	bytebuf_free(&b);
	assert_null(b.data);
	bytebuf_free(&b);
}

static void test_limit_sticks(void **)
{
	struct bytebuf b;

	bytebuf_init(&b, 10);
	bytebuf_append(&b, "0123456789", 10);
	assert_int_equal(b.error, 0);
	bytebuf_append(&b, "x", 1);
	assert_int_equal(b.error, -EMSGSIZE);
	/* Nothing is accepted any more, not even what would fit. */
	assert_null(bytebuf_extend(&b, 0));
	assert_int_equal(b.len, 10);
	bytebuf_reset(&b);
	bytebuf_append_text(&b, "abc");
	assert_int_equal(b.error, 0);
	assert_memory_equal(b.data, "abc", 3);
	assert_null(bytebuf_extend(&b, SIZE_MAX));
	assert_int_equal(b.error, -EMSGSIZE);
	bytebuf_free(&b);
}

static void test_fixed(void **)
{
	uint8_t span[8];
	struct bytebuf b;

	bytebuf_init_fixed(&b, span, sizeof(span));
	bytebuf_append_be64(&b, 0x0102030405060708);
	assert_int_equal(b.error, 0);
	assert_int_equal(span[0], 1);
	assert_int_equal(span[7], 8);
	bytebuf_append(&b, "x", 1);
	assert_int_equal(b.error, -EMSGSIZE);
	bytebuf_free(&b);
	assert_int_equal(span[0], 1);
}

static void test_printf(void **)
{
	struct bytebuf b;
	char wide[600];

	bytebuf_init(&b, 4096);
	bytebuf_printf(&b, "%s-%u", "a", 7u);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a-7", 3);
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = 0;
	bytebuf_printf(&b, "%s", wide);
	assert_int_equal(b.error, -EMSGSIZE);
	assert_int_equal(b.len, 3);
	bytebuf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_limit_sticks),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_printf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
