/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_CERTIFICATES_H
#define PATCHBAY_TEST_UNIT_CERTIFICATES_H

/* Certificates made as a test wants them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

struct certificate {
	EVP_PKEY *key;
	X509 *x509;
	uint8_t *der;
	size_t size;
};

struct certificate_wish {
	const char *common_name;
	size_t common_name_bytes; /* with zero bytes in it; 0: as a string */
	const char *organization; /* NULL: none */
	const char *issuer_name;  /* CN that it gives for its issuer's; NULL: the right name */
	const struct certificate *issuer; /* NULL: itself */
	const uint8_t *serial;
	size_t serial_bytes;	/* 0: 1 */
	int from_days, to_days; /* from today; both 0: -1 to 1 */
	bool ca;
	bool critical;	     /* something in it must be understood, and nobody does */
	const char *purpose; /* "clientAuth" and so on; NULL: not named */
	unsigned bits;	     /* 0: 1024, which is quick to make */
	bool elliptic;
	const EVP_MD *digest; /* NULL: SHA-256 */
};

void certificate_make(struct certificate *out, const struct certificate_wish *wish);
void certificate_free(struct certificate *c);
/* The proof of a login: over 20 random bytes. Its length, at most 512. */
size_t certificate_prove(const struct certificate *c, const uint8_t random[20], uint8_t sign[512]);

#endif
