/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-0 and password digests against the vectors of wire.md 3.2.2 and vectors/13. */
#include "drivers/session/wire/sha0.h"

#include <string.h>

#include "test/unit/vector.h"

static void assert_digest(const uint8_t digest[SHA0_BYTES], const char *hex)
{
	struct vector want = vector_hex(hex);

	assert_int_equal(want.size_bytes, SHA0_BYTES);
	assert_memory_equal(digest, want.data, SHA0_BYTES);
	vector_free(&want);
}

static const struct {
	const char *text;
	size_t repeat;
	const char *hex;
} known[] = {
	{"", 1, "f96cea198ad1dd5617ac084a3d92c6107708c0ef"},
	{"abc", 1, "0164b8a914cd2a5e74c4f7ff082c4d97f1edf880"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"d2516ee1acfa5baf33dfc1c471e438449ef134c8"},
	{"a", 64, "6381391134b901db7a5a03699339bca31c409dde"},
	{"a", 1000, "8a14112b4ba0c9544d50e2b7d06cdcbbf122824c"},
};

static void test_known(void **)
{
	uint8_t digest[SHA0_BYTES];
	struct sha0 s;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		sha0_init(&s);
		for (size_t r = 0; r < known[i].repeat; r++)
			sha0_update(&s, known[i].text, strlen(known[i].text));
		sha0_final(&s, digest);
		assert_digest(digest, known[i].hex);
	}
	sha0_digest("abc", 3, digest);
	assert_digest(digest, known[1].hex);
}

/* Every split of inputs around the block and padding boundaries gives the one-shot digest. */
static void test_split(void **)
{
	uint8_t in[200], whole[SHA0_BYTES], parts[SHA0_BYTES];
	struct sha0 s;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7);
	for (size_t len = 0; len <= sizeof(in); len++) {
		sha0_digest(in, len, whole);
		for (size_t cut = 0; cut <= len; cut++) {
			sha0_init(&s);
			sha0_update(&s, in, cut);
			sha0_update(&s, in + cut, len - cut);
			sha0_final(&s, parts);
			assert_memory_equal(parts, whole, SHA0_BYTES);
		}
	}
}

static void test_password_hash(void **)
{
	uint8_t hash[SHA0_BYTES];

	sha0_password_hash("alicepw", "alice", hash);
	assert_digest(hash, "1e88f262ba7578d119e4edf7586e1b60d09b2045");
	sha0_password_hash("alicepw", "Alice", hash);
	assert_digest(hash, "1e88f262ba7578d119e4edf7586e1b60d09b2045");
	sha0_password_hash("", "alice", hash);
	assert_digest(hash, "6a18e99e88f473726bc3b5e1e9d6836529c49a80");
	sha0_password_hash("ctlpw", "", hash);
	assert_digest(hash, "6c5406276b37f728e60c5de2a4006ad479fe8df8");
	sha0_password_hash("", "", hash);
	assert_digest(hash, "f96cea198ad1dd5617ac084a3d92c6107708c0ef");
}

/* Only ASCII a-z is mapped: neighbours of the range and UTF-8 bytes stay, the password too. */
static void test_upper_is_ascii(void **)
{
	uint8_t hash[SHA0_BYTES], plain[SHA0_BYTES];

	sha0_password_hash("pw", "`az{\xc3\xa4", hash);
	sha0_digest("pw`AZ{\xc3\xa4", 8, plain);
	assert_memory_equal(hash, plain, SHA0_BYTES);
}

static void test_secure_password(void **)
{
	uint8_t hash[SHA0_BYTES], random[SHA0_BYTES], secure[SHA0_BYTES];
	struct vector real;

	sha0_password_hash("alicepw", "alice", hash);
	for (int i = 0; i < SHA0_BYTES; i++)
		random[i] = (uint8_t)i;
	sha0_secure_password(hash, random, secure);
	assert_digest(secure, "ac51e379124f05a2a3dad3d0dccbae886ea8fbfb");

	/* What the stock client of vectors/04 answered. */
	real = vector_hex("5cd0e11c0143666d16f4bca25a8a633cd7a7737f");
	sha0_secure_password(hash, real.data, secure);
	assert_digest(secure, "9097b27bac6bd3dad7adca13e32ec4524c9c0792");
	vector_free(&real);
}

static void test_equal(void **)
{
	uint8_t a[SHA0_BYTES] = {0}, b[SHA0_BYTES] = {0};

	assert_true(sha0_equal(a, b, sizeof(a)));
	assert_true(sha0_equal(a, b, 0));
	for (size_t i = 0; i < sizeof(a); i++) {
		for (int bit = 0; bit < 8; bit++) {
			b[i] = (uint8_t)(1 << bit);
			assert_false(sha0_equal(a, b, sizeof(a)));
		}
		b[i] = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_password_hash),
		cmocka_unit_test(test_upper_is_ascii),
		cmocka_unit_test(test_secure_password),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
