/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Key and certificate on the disk (controlplane/certificate.h) when renaming fails, also more than once: whatever
 * happened, a start finds a key with its certificate.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "controlplane/certificate.h"

static char dir[] = "/tmp/patchbay-pair-test.XXXXXX";
static unsigned renames;
static uint32_t failing; /* a bit for each rename from here on */

/* Stands before libc's. */
int renameat(int fromfd, const char *from, int tofd, const char *to)
{
	if (strncmp(from, "server.", 7) == 0 && strstr(from, ".new") == NULL) {
		bool fails = (failing >> renames & 1) != 0;

		renames++;
		if (fails) {
			errno = ENOSPC;
			return -1;
		}
	}
	return (int)syscall(SYS_renameat, fromfd, from, tofd, to);
}

static void luck(uint32_t bits)
{
	renames = 0;
	failing = bits;
}

static struct certificate_pair made(EVP_PKEY *key, const char *name)
{
	struct certificate_pair pair = {.key = key, .chain = sk_X509_new_null()};

	EVP_PKEY_up_ref(key);
	pair.cert = certificate_self_signed(key, name);
	assert_non_null(pair.cert);
	return pair;
}

static bool starts_with(const struct certificate_pair *pair)
{
	struct certificate_pair found;
	char error[200];
	bool same;

	luck(0);
	assert_int_equal(certificate_pair_recover(dir), 0);
	assert_true(certificate_pair_read(&found, dir, error, sizeof(error)));
	same = X509_cmp(found.cert, pair->cert) == 0;
	certificate_pair_free(&found);
	return same;
}

/* The second of three changes is left half way, and then everything that can go wrong goes wrong with the third. */
static void half_way_and_another(void **)
{
	EVP_PKEY *key[3] = {certificate_key_make(), certificate_key_make(), certificate_key_make()};
	struct certificate_pair one = made(key[0], "one"), two = made(key[1], "two"),
				three = made(key[2], "three");

	for (uint32_t bits = 0; bits < 16; bits++) {
		int rc;

		luck(0);
		assert_int_equal(certificate_pair_write(dir, &one), 0);
		assert_true(starts_with(&one));
		luck(2); /* the key takes its place, the certificate does not */
		assert_int_equal(certificate_pair_write(dir, &two), 0);
		assert_int_equal(renames, 2);
		luck(bits);
		rc = certificate_pair_write(dir, &three);
		assert_true(starts_with(rc == 0 ? &three : &two));
		/* A start that cannot complete it leaves it to the next. */
		luck(2);
		assert_int_equal(certificate_pair_write(dir, &one), 0);
		luck(1);
		assert_int_not_equal(certificate_pair_recover(dir), 0);
		assert_true(starts_with(&one));
	}
	certificate_pair_free(&one);
	certificate_pair_free(&two);
	certificate_pair_free(&three);
	for (unsigned i = 0; i < 3; i++)
		EVP_PKEY_free(key[i]);
}

static int setup(void **)
{
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **)
{
	static const char *const files[] = {CERTIFICATE_KEY_FILE, CERTIFICATE_FILE,
		CERTIFICATE_KEY_FILE ".next", CERTIFICATE_FILE ".next"};
	char path[256];

	for (unsigned i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_way_and_another),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
