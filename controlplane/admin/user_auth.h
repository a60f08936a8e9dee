/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_USER_AUTH_H
#define PATCHBAY_CONTROLPLANE_ADMIN_USER_AUTH_H

/*
 * The part of a user's record that says how the user proves who it is (admin-rpc.md 4.5, reference/auth.md 2), as
 * fields. Hashes of passwords are answered as zeros, and zeros keep the password that is there; certificates are no
 * secret.
 */

#include "controlplane/admin/call.h"
#include "controlplane/directory.h"

#define USER_NTLM_BYTES 16u
#define USER_AUTH_TYPES \
	"0 = anonymous, 1 = password, 2 = certificate, 3 = signed by a trusted CA, 4 = RADIUS"

#define USER_AUTH_REQUEST                                                                        \
	ADMIN_INT("AuthType", 0, 5, USER_AUTH_TYPES "; 5, the NT domain, is not offered (7)"),   \
		ADMIN_DATA("HashedKey", 0, DIRECTORY_HASH_BYTES,                                 \
			"SHA0(password, then the user's name in capitals); zeros: see "          \
			"Auth_Password"),                                                        \
		ADMIN_DATA("NtLmSecureHash", 0, USER_NTLM_BYTES, "not kept: nothing needs it"),  \
		ADMIN_STR("Auth_Password", 0, 255,                                               \
			"the password, where HashedKey is missing or zeros; both missing: it "   \
			"stays as it is"),                                                       \
		ADMIN_DATA("UserX", 0, DIRECTORY_CERT_BYTES,                                     \
			"2: the certificate, X.509 DER, an RSA key of 1024 to 4096 bits"),       \
		ADMIN_USTR("CommonName", 0, 255,                                                 \
			"3: the common name that the certificate must have, empty = any"),       \
		ADMIN_DATA("Serial", 0, DIRECTORY_SERIAL_BYTES,                                  \
			"3: the serial number that it must have, empty = any"),                  \
		ADMIN_USTR(                                                                      \
			"RadiusUsername", 0, 255, "4: the user's name there, empty = the same"), \
		ADMIN_USTR("NtUsername", 0, 255, "not looked at")

#define USER_AUTH_FIELD(name_, type_, max_, text_)                                          \
	{                                                                                   \
		.name = (name_), .type = (type_), .flags = ADMIN_F_OPTIONAL, .max = (max_), \
		.text = (text_)                                                             \
	}
#define USER_AUTH_RESPONSE                                                                    \
	ADMIN_INT("AuthType", 0, 5, USER_AUTH_TYPES),                                         \
		ADMIN_DATA("HashedKey", DIRECTORY_HASH_BYTES, DIRECTORY_HASH_BYTES, "zeros"), \
		ADMIN_DATA("NtLmSecureHash", USER_NTLM_BYTES, USER_NTLM_BYTES, "zeros"),      \
		USER_AUTH_FIELD("UserX", ADMIN_TYPE_DATA, DIRECTORY_CERT_BYTES,               \
			"2: the certificate, X.509 DER"),                                     \
		USER_AUTH_FIELD("CommonName", ADMIN_TYPE_USTR, 255,                           \
			"3: the common name that the certificate must have"),                 \
		USER_AUTH_FIELD("Serial", ADMIN_TYPE_DATA, DIRECTORY_SERIAL_BYTES,            \
			"3: the serial number that it must have"),                            \
		USER_AUTH_FIELD(                                                              \
			"RadiusUsername", ADMIN_TYPE_USTR, 255, "4: the user's name there")

void user_auth_put(struct admin_call *call, const struct directory_user *user);
/*
 * What the request says, into a new record; what it leaves out, from `old` (NULL: none). 0, or the error: 7 (a method
 * that is not offered), 38, 77.
 */
int user_auth_take(
	struct admin_call *call, struct directory_user *user, const struct directory_user *old);

#endif
