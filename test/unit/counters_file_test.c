/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of traffic and logins: what was written is read, and nothing else is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/counters_file.h"

#include <errno.h>
#include <inttypes.h>
#include <zlib.h>

#define LINES 6u

static const char names[] = "\0DEFAULT\0staff\0taro yamada\0\xe5\xb1\xb1\xe7\x94\xb0\0SECOND";

static const struct counters_line lines[LINES] = {
	{.kind = COUNTERS_SERVER,
		.traffic = {.in = {1, 2, 3, 4}, .out = {UINT64_MAX, UINT64_MAX - 1, 7, 8}},
		.name = 0},
	{.kind = COUNTERS_HUB,
		.login_cnt = 12,
		.created_ms = 1700000000123,
		.last_login_ms = 1700000001000,
		.last_comm_ms = 1700000002000,
		.traffic = {.in = {10, 20, 30, 40}, .out = {50, 60, 70, 80}},
		.name = 1},
	{.kind = COUNTERS_GROUP, .traffic = {.in = {.unicast_bytes = 9}}, .name = 9},
	{.kind = COUNTERS_USER,
		.login_cnt = UINT32_MAX,
		.created_ms = INT64_MAX,
		.last_login_ms = 5,
		.name = 15},
	{.kind = COUNTERS_USER, .login_cnt = 1, .name = 27},
	{.kind = COUNTERS_HUB, .name = 34},
};

struct seen {
	unsigned cnt;
	bool wrong;
};

static void take(void *ctx, const struct counters_line *l, const char *name)
{
	struct seen *s = ctx;
	struct counters_line want;

	if (s->cnt < LINES) {
		want = lines[s->cnt];
		want.name = 0;
		s->wrong |= memcmp(&want.traffic, &l->traffic, sizeof(want.traffic)) != 0 ||
			want.kind != l->kind || want.login_cnt != l->login_cnt ||
			want.created_ms != l->created_ms ||
			want.last_login_ms != l->last_login_ms ||
			want.last_comm_ms != l->last_comm_ms ||
			strcmp(name, names + lines[s->cnt].name) != 0;
	}
	s->cnt++;
}

static void test_comes_back(void **)
{
	struct seen s = {0};
	size_t size;
	char *text = counters_write(lines, LINES, names, &size);

	assert_non_null(text);
	assert_int_equal(counters_read(text, size, take, &s), 0);
	assert_int_equal(s.cnt, LINES);
	assert_false(s.wrong);
	free(text);
	text = counters_write(NULL, 0, NULL, &size);
	s = (struct seen){0};
	assert_int_equal(counters_read(text, size, take, &s), 0);
	assert_int_equal(s.cnt, 0);
	free(text);
}

/* Cut off anywhere, any byte changed, something behind it: nothing of it is taken. */
static void test_damaged(void **)
{
	struct seen s = {0};
	size_t size;
	char *text = counters_write(lines, LINES, names, &size), *copy = malloc(size + 2);

	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(counters_read(text, cut, take, &s), -EINVAL);
	for (size_t at = 0; at < size; at++) {
		memcpy(copy, text, size);
		copy[at] ^= (char)(1 << at % 8);
		assert_int_equal(counters_read(copy, size, take, &s), -EINVAL);
	}
	memcpy(copy, text, size);
	copy[size] = '\n';
	assert_int_equal(counters_read(copy, size + 1, take, &s), -EINVAL);
	assert_int_equal(s.cnt, 0);
	free(copy);
	free(text);
}

/* A whole file, with the right sum, that ours would not have written. */
static void test_wrong_lines(void **)
{
	static const char *const wrong[] = {
		"hub 1 2 3 4 1 2 3 4 5 6 7 8\n",
		"hub 1 2 3 4 1 2 3 4 5 6 7 x NAME\n",
		"hub 1 2 3 4 1 2 3 4 5 6 7 18446744073709551616 NAME\n",
		"hub 1 4294967296 3 4 1 2 3 4 5 6 7 8 NAME\n",
		"hub -1 2 3 4 1 2 3 4 5 6 7 8 NAME\n",
		"hub 9223372036854775808 2 3 4 1 2 3 4 5 6 7 8 NAME\n",
		"hub  1 2 3 4 1 2 3 4 5 6 7 8 NAME\n",
		"hubs 1 2 3 4 1 2 3 4 5 6 7 8 NAME\n",
		"NAME\n",
		"\n",
		"hub 1 2 3 4 1 2 3 4 5 6 7 8 NAME",
	};
	struct seen s = {0};
	char text[512];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int n = snprintf(text, sizeof(text),
			"patchbay counters 1\nuser 0 0 0 0 0 0 0 0 0 0 0 0 u\n%s", wrong[i]);
		uint32_t sum = (uint32_t)crc32_z(0, (const unsigned char *)text, (size_t)n);

		n += snprintf(text + n, sizeof(text) - (size_t)n, "end %08" PRIx32 "\n", sum);
		assert_int_equal(counters_read(text, (size_t)n, take, &s), -EINVAL);
	}
	assert_int_equal(s.cnt, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_wrong_lines),
	};

	return cmocka_run_group_tests_name("counters_file", tests, NULL, NULL);
}
