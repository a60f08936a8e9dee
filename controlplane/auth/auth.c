/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chooses the method (reference/auth.md 2): an anonymous user first, whatever was sent; then by the type
 * that the peer names.
 */

#include <stddef.h>

#include "controlplane/auth/auth.h"
#include "controlplane/auth/password.h"
#include "controlplane/directory.h"

enum wire_error auth_check(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random)
{
	bool ok;

	if (user != NULL && user->auth == DIRECTORY_AUTH_ANONYMOUS)
		return WIRE_ERROR_OK;
	switch (r->authtype) {
	case LOGIN_AUTH_ANONYMOUS:
		ok = false;
		break;
	case LOGIN_AUTH_PASSWORD:
		ok = auth_password_proof(user, r, random);
		break;
	case LOGIN_AUTH_PLAIN_PASSWORD:
		ok = auth_password_plain(user, r);
		break;
	default:
		/*
		 * Certificates are not offered. Tickets (99) exist only in clusters, and 96 to 98 mean
		 * "already authenticated" between parts of one stock server: from the network they must
		 * never be believed (wire.md 3.2.1).
		 */
		return WIRE_ERROR_AUTH_TYPE;
	}
	return ok ? WIRE_ERROR_OK : WIRE_ERROR_AUTH_FAILED;
}
