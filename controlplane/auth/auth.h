/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_AUTH_AUTH_H
#define PATCHBAY_CONTROLPLANE_AUTH_AUTH_H

/*
 * Is the peer who it says it is (reference/auth.md 2)? An unknown user costs the same work as a wrong
 * password and gets the same answer.
 */

#include <stdint.h>

#include "drivers/session/wire/login.h"
#include "drivers/session/wire/wire_error.h"

struct directory_user;

/*
 * `user` is the directory's record for r->username, NULL if there is none; `random` the 20 bytes of this
 * connection's hello. WIRE_ERROR_OK, WIRE_ERROR_AUTH_FAILED, WIRE_ERROR_AUTH_TYPE (a type that we do not
 * offer, or one that must never come from the network). Pure; any thread.
 */
enum wire_error auth_check(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random);

#endif
