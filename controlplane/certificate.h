/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CERTIFICATE_H
#define PATCHBAY_CONTROLPLANE_CERTIFICATE_H

/*
 * The daemon's certificate: <state>/server.crt and <state>/server.key (mode 0600). Made at the first start:
 * self-signed, RSA-2048 with SHA-256 (what the oldest peers take, wire.md 1.2), common name = host name, good
 * for more than ten years. Kept until an administrator replaces it, since clients may have pinned it; a person
 * may put others there. server.crt may have the certificates behind it that lead to an authority.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evp_pkey_st;
struct stack_st_X509;
struct x509_st;

#define CERTIFICATE_KEY_FILE  "server.key"
#define CERTIFICATE_FILE      "server.crt"
#define CERTIFICATE_NAME_MAX  64u /* characters of a common name */
#define CERTIFICATE_CHAIN_MAX 8u

/*
 * Makes what is missing. 0, or -errno after reporting. A key without its certificate gets a new
 * certificate; a certificate without its key is an error, never overwritten. Blocks (makes a key).
 */
int certificate_ensure(
	const char *state_dir, void (*report)(void *ctx, const char *line), void *ctx);

/* From a PEM file; NULL if there is none, also where it has a passphrase: nobody is asked for it. Blocks. */
struct evp_pkey_st *certificate_key_read(const char *path);
/* RSA-2048. NULL: OpenSSL cannot. Burns CPU for some hundred milliseconds. */
struct evp_pkey_st *certificate_key_make(void);
/* Of that key; NULL as common name: the host's. NULL: OpenSSL cannot. */
struct x509_st *certificate_self_signed(struct evp_pkey_st *key, const char *common_name);

/* A private key with its certificate, and what stands between that and an authority. */
struct certificate_pair {
	struct evp_pkey_st *key;
	struct x509_st *cert;
	struct stack_st_X509 *chain; /* never NULL while cert is not; may be empty */
};

struct certificate_der {
	const uint8_t *bytes;
	size_t size;
};

/*
 * From DER as administrators send it, checked: an RSA key that is the certificate's. False after writing what is
 * wrong into `error`; then there is nothing to free.
 */
bool certificate_pair_parse(struct certificate_pair *pair, struct certificate_der cert,
	struct certificate_der key, const struct certificate_der *chain, unsigned chain_cnt,
	char *error, unsigned error_size);
/* The two files, whatever kind of key it is. The same. Blocks. */
bool certificate_pair_read(
	struct certificate_pair *pair, const char *state_dir, char *error, unsigned error_size);
void certificate_pair_free(struct certificate_pair *pair);

/*
 * Puts both files in the place of those that are there: killed anywhere, a start finds either the old pair or the new one
 * (certificate_pair_recover()). -errno: the old one. Blocks; one at a time.
 */
int certificate_pair_write(const char *state_dir, const struct certificate_pair *pair);
/* Completes a write that was cut off between its two files; forgets one that was before them. -errno. */
int certificate_pair_recover(const char *state_dir);

#endif
