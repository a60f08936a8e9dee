/* SPDX-License-Identifier: BSD-3-Clause */
/* A text in parts (controlplane/admin/upload.h): in order, within its bound, and not for ever. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/upload.h"

#define MAX 1000000u

static void parts_in_order(void **)
{
	static char part[70000];
	char *text;

	memset(part, 'x', sizeof(part));
	assert_int_equal(upload_part(0, "head", 4, MAX, 0), 0);
	assert_int_equal(upload_part(3, "no", 2, MAX, 0), -ESPIPE);
	assert_int_equal(upload_size(), 4);
	for (size_t at = 4; at < 4 + 3 * sizeof(part); at += sizeof(part))
		assert_int_equal(upload_part(at, part, sizeof(part), MAX, 0), 0);
	assert_int_equal(upload_size(), 4 + 3 * sizeof(part));
	assert_int_equal(
		upload_part(upload_size(), part, sizeof(part), 4 + 4 * sizeof(part) - 1, 0),
		-EFBIG);
	text = upload_take();
	assert_non_null(text);
	assert_int_equal(strlen(text), 4 + 3 * sizeof(part));
	assert_memory_equal(text, "headxx", 6);
	free(text);
	assert_null(upload_take());
	assert_int_equal(upload_size(), 0);
}

static void the_first_part_begins_anew(void **)
{
	char *text;

	assert_int_equal(upload_part(0, "old", 3, MAX, 0), 0);
	assert_int_equal(upload_part(0, "newer", 5, MAX, 0), 0);
	text = upload_take();
	assert_string_equal(text, "newer");
	free(text);
}

/* Whoever sends slowly is not cut off; whoever sends no more is forgotten. */
static void not_for_ever(void **)
{
	const uint64_t begin = 123456789;

	assert_int_equal(upload_part(0, "secret", 6, MAX, begin), 0);
	upload_look(begin + UPLOAD_KEEP_MS - 1);
	assert_int_equal(upload_size(), 6);
	assert_int_equal(upload_part(6, "more", 4, MAX, begin + UPLOAD_KEEP_MS - 1), 0);
	upload_look(begin + UPLOAD_KEEP_MS);
	assert_int_equal(upload_size(), 10);
	upload_look(begin + 2 * UPLOAD_KEEP_MS - 1);
	assert_int_equal(upload_size(), 0);
	assert_null(upload_take());
	assert_int_equal(upload_part(10, "late", 4, MAX, begin + 2 * UPLOAD_KEEP_MS), -ESPIPE);
	upload_look(begin + 9 * UPLOAD_KEEP_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_in_order),
		cmocka_unit_test(the_first_part_begins_anew),
		cmocka_unit_test(not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
