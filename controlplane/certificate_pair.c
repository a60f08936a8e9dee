/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A key and its certificate in two files (certificate.h), replaced so that a start never finds the one without the
 * other: both are written beside the old ones and synced, then the key takes its place - from here on the new pair is
 * what counts - and then the certificate. What a kill leaves between the two a start completes.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "controlplane/certificate.h"
#include "controlplane/log.h"
#include "controlplane/store.h"

#define NEW_KEY	 CERTIFICATE_KEY_FILE ".next"
#define NEW_CERT CERTIFICATE_FILE ".next"

void certificate_pair_free(struct certificate_pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->cert);
	sk_X509_pop_free(pair->chain, X509_free);
	*pair = (struct certificate_pair){0};
}

static bool fail(struct certificate_pair *pair, char *error, unsigned size, const char *why)
{
	snprintf(error, size, "%s", why);
	ERR_clear_error();
	certificate_pair_free(pair);
	return false;
}

/* The whole of it, and nothing behind. */
static X509 *parse_cert(struct certificate_der der)
{
	const unsigned char *at = der.bytes;
	X509 *cert = der.size == 0 ? NULL : d2i_X509(NULL, &at, (long)der.size);

	if (cert != NULL && at != der.bytes + der.size) {
		X509_free(cert);
		cert = NULL;
	}
	return cert;
}

bool certificate_pair_parse(struct certificate_pair *pair, struct certificate_der cert,
	struct certificate_der key, const struct certificate_der *chain, unsigned chain_cnt,
	char *error, unsigned error_size)
{
	const unsigned char *at = key.bytes;

	ERR_clear_error();
	*pair = (struct certificate_pair){.cert = parse_cert(cert), .chain = sk_X509_new_null()};
	if (pair->cert == NULL || pair->chain == NULL)
		return fail(pair, error, error_size, "Cert must be an X.509 certificate in DER");
	/* PKCS#1 or PKCS#8; not encrypted, as there is no field for a passphrase. */
	pair->key = key.size == 0 ? NULL : d2i_AutoPrivateKey(NULL, &at, (long)key.size);
	if (pair->key == NULL || at != key.bytes + key.size)
		return fail(pair, error, error_size, "Key must be a private key in DER");
	if (EVP_PKEY_get_base_id(pair->key) != EVP_PKEY_RSA)
		return fail(pair, error, error_size, "Key must be an RSA key: peers know no other");
	if (X509_check_private_key(pair->cert, pair->key) != 1)
		return fail(pair, error, error_size, "Key is not that of Cert");
	for (unsigned i = 0; i < chain_cnt; i++) {
		X509 *next = parse_cert(chain[i]);

		if (next == NULL || sk_X509_push(pair->chain, next) == 0) {
			X509_free(next);
			return fail(
				pair, error, error_size, "Chain must be X.509 certificates in DER");
		}
	}
	return true;
}

static EVP_PKEY *read_key(const char *dir, const char *name)
{
	char path[4200];
	EVP_PKEY *key;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	key = certificate_key_read(path);
	ERR_clear_error();
	return key;
}

/* The first is the daemon's own, the others are the chain. */
static X509 *read_certs(const char *dir, const char *name, STACK_OF(X509) * chain)
{
	char path[4200];
	X509 *cert, *next;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (f == NULL)
		return NULL;
	cert = PEM_read_X509_AUX(f, NULL, NULL, NULL);
	while (cert != NULL && chain != NULL && (next = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(chain, next) == 0)
			X509_free(next);
	fclose(f);
	ERR_clear_error();
	return cert;
}

bool certificate_pair_read(
	struct certificate_pair *pair, const char *state_dir, char *error, unsigned error_size)
{
	char why[128];

	*pair = (struct certificate_pair){
		.key = read_key(state_dir, CERTIFICATE_KEY_FILE), .chain = sk_X509_new_null()};
	if (pair->chain != NULL)
		pair->cert = read_certs(state_dir, CERTIFICATE_FILE, pair->chain);
	if (pair->cert == NULL || pair->key == NULL) {
		snprintf(why, sizeof(why), "%s cannot be read%s",
			pair->key == NULL ? CERTIFICATE_KEY_FILE : CERTIFICATE_FILE,
			pair->key == NULL ? ": it should be a PEM file without a passphrase" : "");
		return fail(pair, error, error_size, why);
	}
	if (X509_check_private_key(pair->cert, pair->key) != 1)
		return fail(pair, error, error_size,
			CERTIFICATE_KEY_FILE " is not the key of " CERTIFICATE_FILE);
	return true;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* Beside the file that is there, synced. */
static int put(const char *dir, const char *name, unsigned mode, BIO *bio)
{
	char *bytes;
	long size = BIO_get_mem_data(bio, &bytes);

	return size > 0 ? store_put(dir, name, mode, bytes, (unsigned long)size, 0) : -ENOMEM;
}

static int put_key(const char *dir, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	int rc = -ENOMEM;

	if (bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
		rc = put(dir, NEW_KEY, 0600, bio);
	BIO_free(bio);
	return rc;
}

static int put_certs(const char *dir, const struct certificate_pair *pair)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio != NULL && PEM_write_bio_X509(bio, pair->cert) == 1;
	int rc = -ENOMEM;

	for (int i = 0; ok && i < sk_X509_num(pair->chain); i++)
		ok = PEM_write_bio_X509(bio, sk_X509_value(pair->chain, i)) == 1;
	if (ok)
		rc = put(dir, NEW_CERT, 0644, bio);
	BIO_free(bio);
	return rc;
}

static void sync_folder(int dirfd)
{
	if (fsync(dirfd) < 0)
		log_warning("certificate", "the state directory could not be synced: %s",
			strerror(errno));
}

static int cert_takes_place(int dirfd)
{
	if (renameat(dirfd, NEW_CERT, dirfd, CERTIFICATE_FILE) < 0) {
		int rc = -errno;

		log_warning("certificate",
			CERTIFICATE_FILE " does not take its place yet, " NEW_CERT
					 " stays beside it: %s",
			strerror(-rc));
		return rc;
	}
	sync_folder(dirfd);
	return 0;
}

/*
 * The key first: it says which pair counts. Synced between, so that no power cut turns the order. From then on the
 * change is made; what is left of it the next change or the next start completes (certificate_pair_recover()).
 */
static int take_place(int dirfd)
{
	if (renameat(dirfd, NEW_KEY, dirfd, CERTIFICATE_KEY_FILE) < 0)
		return -errno;
	sync_folder(dirfd);
	(void)cert_takes_place(dirfd);
	return 0;
}

static void forget(int dirfd)
{
	(void)unlinkat(dirfd, NEW_KEY, 0);
	(void)unlinkat(dirfd, NEW_CERT, 0);
}

int certificate_pair_write(const char *state_dir, const struct certificate_pair *pair)
{
	int rc = certificate_pair_recover(state_dir);
	int dirfd;

	/* An earlier one that is half way: writing over its certificate would leave its key without. */
	if (rc != 0)
		return rc;
	dirfd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	ERR_clear_error();
	rc = put_key(state_dir, pair->key);
	if (rc == 0)
		rc = put_certs(state_dir, pair);
	if (rc == 0)
		rc = take_place(dirfd);
	if (rc != 0)
		forget(dirfd);
	close(dirfd);
	return rc;
}

static bool fits(const char *dir, const char *cert_name, EVP_PKEY *key)
{
	X509 *cert = key == NULL ? NULL : read_certs(dir, cert_name, NULL);
	bool ok = cert != NULL && X509_check_private_key(cert, key) == 1;

	X509_free(cert);
	ERR_clear_error();
	return ok;
}

int certificate_pair_recover(const char *state_dir)
{
	int dirfd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EVP_PKEY *key;
	int rc = 0;

	if (dirfd < 0)
		return -errno;
	if (faccessat(dirfd, NEW_CERT, F_OK, 0) == 0 || faccessat(dirfd, NEW_KEY, F_OK, 0) == 0) {
		key = read_key(state_dir, CERTIFICATE_KEY_FILE);
		if (!fits(state_dir, CERTIFICATE_FILE, key) && fits(state_dir, NEW_CERT, key)) {
			log_notice("certificate",
				"a change of the certificate that was cut off is completed");
			rc = cert_takes_place(dirfd);
		}
		EVP_PKEY_free(key);
		if (rc == 0)
			forget(dirfd);
	}
	close(dirfd);
	return rc;
}
