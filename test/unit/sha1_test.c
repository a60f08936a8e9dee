/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-1 beside OpenSSL's, for every length around the edges of its blocks, and RFC 3174's own words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/sha1.h"

static void test_words(void **)
{
	static const uint8_t abc[SHA1_BYTES] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a,
		0xba, 0x3e, 0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
	uint8_t got[SHA1_BYTES];

	sha1("abc", 3, got);
	assert_memory_equal(got, abc, sizeof(abc));
}

static void test_lengths(void **)
{
	for (size_t size = 0; size < 300; size++) {
		uint8_t *bytes = malloc(size + 1), got[SHA1_BYTES], want[EVP_MAX_MD_SIZE];

		assert_non_null(bytes);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(i * 7 + size);
		sha1(bytes, size, got);
		assert_int_equal(EVP_Digest(bytes, size, want, NULL, EVP_sha1(), NULL), 1);
		assert_memory_equal(got, want, sizeof(got));
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
