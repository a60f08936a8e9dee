/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_AUTH_PASSWORD_H
#define PATCHBAY_CONTROLPLANE_AUTH_PASSWORD_H

/*
 * Password authentication against the stored hash SHA0(password || UPPER(user)) (wire.md 3.2.2, 3.2.3).
 * Both do the same work for a NULL user as for a wrong password, and compare in constant time. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "drivers/session/wire/login.h"

struct directory_user;

/* authtype 1: the peer sent SHA0(hash || random). */
bool auth_password_proof(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random);
/* The same for the old password of a request to change it (wire.md 3.5). */
bool auth_password_old(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random);
/* authtype 2: the peer sent the password itself. */
bool auth_password_plain(const struct directory_user *user, const struct login_request *r);

#endif
