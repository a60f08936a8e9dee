/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's certificate (certificate.h). */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/certificate.h"
#include "controlplane/log.h"
#include "controlplane/store.h"

#define KEY_FILE     CERTIFICATE_KEY_FILE
#define CERT_FILE    CERTIFICATE_FILE
#define KEY_BITS     2048u
#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*"
#define VALID_DAYS   (15 * 365)
#define SERIAL_BYTES 16 /* 128 bits, top bit cleared: positive */

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return 0;
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static int set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *number;
	int ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return 0;
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
	BN_free(number);
	return ok;
}

/* The common name may have 64 characters (X.520); a longer host name is cut. */
X509 *certificate_self_signed(EVP_PKEY *key, const char *common_name)
{
	char host[CERTIFICATE_NAME_MAX * 4 + 1] = "";
	char alt[sizeof(host) + 16];
	X509 *cert = X509_new();
	X509_NAME *name;

	if (cert == NULL)
		return NULL;
	if (common_name != NULL)
		snprintf(host, sizeof(host), "%s", common_name);
	else if (gethostname(host, CERTIFICATE_NAME_MAX) < 0 || host[0] == '\0')
		strcpy(host, "patchbay");
	snprintf(alt, sizeof(alt), "DNS:%s", host);
	name = X509_get_subject_name(cert);
	if (X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
		X509_gmtime_adj(X509_getm_notBefore(cert), -24 * 3600) == NULL ||
		X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) == NULL ||
		X509_NAME_add_entry_by_txt(
			name, "CN", MBSTRING_UTF8, (unsigned char *)host, -1, -1, 0) != 1 ||
		X509_set_issuer_name(cert, name) != 1 || X509_set_pubkey(cert, key) != 1 ||
		!add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") ||
		!add_extension(cert, NID_subject_key_identifier, "hash")) {
		X509_free(cert);
		return NULL;
	}
	/* What is no host name leaves the extension out: a comma would begin another name. */
	if (host[strspn(host, HOST_LETTERS)] != '\0' ||
		!add_extension(cert, NID_subject_alt_name, alt))
		ERR_clear_error();
	if (X509_sign(cert, key, EVP_sha256()) == 0) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

EVP_PKEY *certificate_key_make(void)
{
	return EVP_RSA_gen(KEY_BITS);
}

static int put_pem(const char *dir, const char *name, unsigned mode, EVP_PKEY *key, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *bytes;
	long size;
	int ok, rc;

	if (bio == NULL)
		return -ENOMEM;
	ok = key != NULL ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
			 : PEM_write_bio_X509(bio, cert);
	size = BIO_get_mem_data(bio, &bytes);
	rc = ok == 1 && size > 0 ? store_put(dir, name, mode, bytes, (unsigned long)size, 0)
				 : -ENOMEM;
	BIO_free(bio);
	return rc;
}

/* OpenSSL itself would ask the terminal, and wait. */
static int no_passphrase(char *, int, int, void *)
{
	return -1;
}

EVP_PKEY *certificate_key_read(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;

	if (f == NULL)
		return NULL;
	key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
	fclose(f);
	return key;
}

static void tell(void (*report)(void *ctx, const char *line), void *ctx, const char *dir,
	const char *name, const char *what, const char *why)
{
	char line[4608];

	snprintf(line, sizeof(line), "%s/%s: %s%s%s", dir, name, what, why[0] != '\0' ? ": " : "",
		why);
	report(ctx, line);
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 || errno != ENOENT;
}

int certificate_ensure(
	const char *state_dir, void (*report)(void *ctx, const char *line), void *ctx)
{
	char key_path[4096], cert_path[4096];
	bool have_key, have_cert;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int rc = 0;

	snprintf(key_path, sizeof(key_path), "%s/" KEY_FILE, state_dir);
	snprintf(cert_path, sizeof(cert_path), "%s/" CERT_FILE, state_dir);
	have_key = exists(key_path);
	have_cert = exists(cert_path);
	if (have_key && have_cert)
		return certificate_pair_recover(state_dir);
	if (have_cert) {
		tell(report, ctx, state_dir, CERT_FILE, "is here without its key " KEY_FILE,
			"put the key back, or move the certificate away to have both made anew");
		return -ENOENT;
	}
	ERR_clear_error();
	key = have_key ? certificate_key_read(key_path) : certificate_key_make();
	if (key == NULL) {
		tell(report, ctx, state_dir, KEY_FILE,
			have_key ? "cannot be read as a private key" : "cannot be made",
			have_key ? "" : "OpenSSL gave no key");
		return have_key ? -EINVAL : -EIO;
	}
	cert = certificate_self_signed(key, NULL);
	if (cert == NULL)
		rc = -EIO;
	/* The key first: a key alone gets its certificate at the next start. */
	if (rc == 0 && !have_key)
		rc = put_pem(state_dir, KEY_FILE, 0600, key, NULL);
	if (rc == 0)
		rc = put_pem(state_dir, CERT_FILE, 0644, NULL, cert);
	if (rc < 0)
		tell(report, ctx, state_dir, CERT_FILE, "cannot be made", strerror(-rc));
	else
		log_notice("certificate", "%s made: RSA-%u, self-signed", cert_path, KEY_BITS);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}
