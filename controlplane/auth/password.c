/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A user that does not exist, or has no password, is compared with a hash that nothing is known to produce;
 * the answer is "no" even if something did.
 */

#include <assert.h>
#include <string.h>

#include "controlplane/auth/password.h"
#include "controlplane/directory.h"
#include "drivers/session/wire/sha0.h"

static_assert(DIRECTORY_HASH_BYTES == SHA0_BYTES, "stored hashes are SHA-0 digests");

static const uint8_t nobody[SHA0_BYTES];

static const uint8_t *stored_hash(const struct directory_user *user, bool *exists)
{
	*exists = user != NULL && user->auth == DIRECTORY_AUTH_PASSWORD;
	return *exists ? user->hashed_password : nobody;
}

static bool proves(const struct directory_user *user, const uint8_t *proof, const uint8_t *random)
{
	uint8_t expected[SHA0_BYTES];
	bool exists, equal;

	sha0_secure_password(stored_hash(user, &exists), random, expected);
	equal = sha0_equal(expected, proof, sizeof(expected));
	explicit_bzero(expected, sizeof(expected));
	return equal && exists;
}

bool auth_password_proof(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random)
{
	return proves(user, r->secure_password, random) && r->has_secure_password;
}

bool auth_password_old(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random)
{
	return proves(user, r->secure_old_password, random);
}

bool auth_password_plain(const struct directory_user *user, const struct login_request *r)
{
	uint8_t given[SHA0_BYTES];
	bool exists, equal;

	/* The name as sent: letter case does not matter to the hash, and it is there for nobody too. */
	sha0_password_hash(r->plain_password, r->username, given);
	equal = sha0_equal(given, stored_hash(user, &exists), sizeof(given));
	explicit_bzero(given, sizeof(given));
	return equal && exists && r->has_plain_password;
}
