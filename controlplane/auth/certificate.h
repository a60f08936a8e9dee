/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_AUTH_CERTIFICATE_H
#define PATCHBAY_CONTROLPLANE_AUTH_CERTIFICATE_H

/*
 * Certificate authentication (reference/auth.md 2, wire.md 3.2.4). A login brings a certificate and a signature over
 * the 20 random bytes of this connection's hello: RSASSA-PKCS1-v1_5 with SHA-1, as long as the modulus; RSA keys of
 * 1024 to 4096 bits.
 *
 * Two halves. auth_certificate_examine() is the work with keys, for a handshake helper: it finds out all there is to
 * know of the certificate and the hub's lists, and knows nothing of users. auth_certificate_fits() compares that with
 * a user, on the control thread, and costs nothing. So what a login costs tells nothing of who there is.
 *
 * An authority's certificate counts if it is good today, may sign certificates (basic constraints; one of version 1 if
 * it signed itself), its subject is the issuer, and its key verifies the signature, which is not made with MD5 or older.
 * One in the list is believed whoever signed it, so an intermediate authority is put there itself; a certificate that
 * stands in the list itself is believed as well. A client's certificate that names its purposes must have client
 * authentication among them; critical extensions that nobody here understands refuse it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/directory_trust.h"

struct directory_user;

#define AUTH_CERT_KEY_BITS_MIN 1024
#define AUTH_CERT_KEY_BITS_MAX 4096

struct auth_certificate {
	/* What the peer sent; borrowed. */
	const uint8_t *cert, *sign, *random;
	size_t cert_bytes, sign_bytes;
	const struct directory_trust *trust; /* of the hub, held by the caller; NULL: empty */
	int64_t now_ms;

	/* Found out. */
	const char *
		reason; /* the first thing that is wrong with it, a constant word; NULL: it proves its owner */
	bool trusted;	       /* by the list */
	char common_name[256]; /* UTF-8; "" if there is none, or one with a zero byte in it */
	uint8_t serial[DIRECTORY_SERIAL_BYTES]; /* without leading zeros */
	uint32_t serial_bytes;
};

/* Any thread. Writes all of the second half. */
void auth_certificate_examine(struct auth_certificate *c);

/* True if `user` (NULL: nobody) may come in with it. *why: a constant word for the log if not. */
bool auth_certificate_fits(
	const struct auth_certificate *c, const struct directory_user *user, const char **why);

/*
 * What is wrong with a certificate that is to be a user's or an authority's, for who sets it up: 0, -EBADMSG (no DER
 * certificate), -EKEYREJECTED (an RSA key of 1024 to 4096 bits is wanted of a user; *bits says what it is).
 */
int auth_certificate_judge(const uint8_t *der, size_t size, int *bits);

#endif
