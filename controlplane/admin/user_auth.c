/* SPDX-License-Identifier: BSD-3-Clause */
/* See user_auth.h. */

#include "controlplane/admin/user_auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/auth/certificate.h"
#include "drivers/session/wire/wire_error.h"

static const uint8_t zeros[DIRECTORY_HASH_BYTES];

void user_auth_put(struct admin_call *call, const struct directory_user *user)
{
	admin_put_int(call, "AuthType", user->auth);
	admin_put_data(call, "HashedKey", zeros, DIRECTORY_HASH_BYTES);
	admin_put_data(call, "NtLmSecureHash", zeros, USER_NTLM_BYTES);
	if (user->cert != NULL)
		admin_put_data(call, "UserX", user->cert, user->cert_bytes);
	if (user->common_name != NULL)
		admin_put_str(call, "CommonName", user->common_name);
	if (user->serial_bytes > 0)
		admin_put_data(call, "Serial", user->serial, user->serial_bytes);
	if (user->radius_name != NULL)
		admin_put_str(call, "RadiusUsername", user->radius_name);
}

static int take_password(
	struct admin_call *call, struct directory_user *user, const struct directory_user *old)
{
	const uint8_t *hash;
	size_t size;

	hash = admin_get_data(call, "HashedKey", &size);
	if (hash != NULL && size == DIRECTORY_HASH_BYTES && memcmp(hash, zeros, size) != 0) {
		user->auth = DIRECTORY_AUTH_PASSWORD;
		memcpy(user->hashed_password, hash, DIRECTORY_HASH_BYTES);
	} else if (admin_has(call, "Auth_Password")) {
		directory_user_set_password(user, admin_get_str(call, "Auth_Password"));
	} else if (old != NULL && old->auth == DIRECTORY_AUTH_PASSWORD) {
		user->auth = DIRECTORY_AUTH_PASSWORD;
		memcpy(user->hashed_password, old->hashed_password, DIRECTORY_HASH_BYTES);
	} else {
		return admin_fail_field(
			call, "Auth_Password", "is missing, and there is no HashedKey either");
	}
	return 0;
}

static int take_certificate(
	struct admin_call *call, struct directory_user *user, const struct directory_user *old)
{
	const uint8_t *der;
	size_t size;
	int bits, rc;

	der = admin_get_data(call, "UserX", &size);
	if ((der == NULL || size == 0) && old != NULL && old->cert != NULL) {
		der = old->cert;
		size = old->cert_bytes;
	}
	if (der == NULL || size == 0)
		return admin_fail_field(call, "UserX", "is missing");
	rc = auth_certificate_judge(der, size, &bits);
	if (rc == -EBADMSG)
		return admin_fail_field(call, "UserX", "must be an X.509 certificate in DER");
	if (rc != 0)
		return admin_fail(call, WIRE_ERROR_CERT_KEY,
			"the certificate's key has %d bits and is not RSA of 1024 to 4096", bits);
	rc = directory_user_set_certificate(user, der, size);
	return rc == 0 ? 0 : admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
}

/* A name of at least one byte, or NULL. */
static int take_name(struct admin_call *call, const char *field, char **out)
{
	const char *text = admin_get_str(call, field);

	if (text[0] == '\0')
		return 0;
	if (!directory_text_ok(text, false))
		return admin_fail_field(call, field, "must be UTF-8 without control characters");
	*out = strdup(text);
	return *out == NULL ? admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory") : 0;
}

static int take_signed(struct admin_call *call, struct directory_user *user)
{
	const uint8_t *serial;
	size_t size;

	user->auth = DIRECTORY_AUTH_SIGNED;
	serial = admin_get_data(call, "Serial", &size);
	if (serial != NULL && size > 0)
		memcpy(user->serial, serial, size);
	user->serial_bytes = serial == NULL ? 0 : (uint32_t)size;
	return take_name(call, "CommonName", &user->common_name);
}

int user_auth_take(
	struct admin_call *call, struct directory_user *user, const struct directory_user *old)
{
	uint32_t type = admin_get_int(call, "AuthType");
	size_t size;

	(void)admin_get_data(call, "HashedKey", &size);
	if (size != 0 && size != DIRECTORY_HASH_BYTES)
		return admin_fail_field(call, "HashedKey", "must have 20 bytes");
	switch (type) {
	case DIRECTORY_AUTH_ANONYMOUS:
		return 0;
	case DIRECTORY_AUTH_PASSWORD:
		return take_password(call, user, old);
	case DIRECTORY_AUTH_CERTIFICATE:
		return take_certificate(call, user, old);
	case DIRECTORY_AUTH_SIGNED:
		return take_signed(call, user);
	case DIRECTORY_AUTH_RADIUS:
		user->auth = DIRECTORY_AUTH_RADIUS;
		return take_name(call, "RadiusUsername", &user->radius_name);
	default:
		return admin_fail(call, WIRE_ERROR_AUTH_TYPE,
			"authentication type %u, the NT domain, is not offered: RADIUS is", type);
	}
}
