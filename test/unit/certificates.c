/* SPDX-License-Identifier: BSD-3-Clause */
/* See certificates.h. */

#include "test/unit/certificates.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	require(e != NULL && X509_add_ext(x509, e, -1) == 1);
	X509_EXTENSION_free(e);
}

/* An extension that is critical and that no program knows (an arc for documentation). */
static void riddle(X509 *x509)
{
	ASN1_OBJECT *what = OBJ_txt2obj("2.999.1", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	require(what != NULL && ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05", 2) == 1);
	e = X509_EXTENSION_create_by_OBJ(NULL, what, 1, value);
	require(e != NULL && X509_add_ext(x509, e, -1) == 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(what);
}

static void issuer_set(X509 *x509, const struct certificate_wish *wish, X509 *issuer)
{
	X509_NAME *other = NULL;

	if (wish->issuer_name != NULL) {
		other = X509_NAME_new();
		X509_NAME_add_entry_by_txt(other, "CN", MBSTRING_UTF8,
			(const unsigned char *)wish->issuer_name, -1, -1, 0);
	}
	require(X509_set_issuer_name(x509, other != NULL ? other : X509_get_subject_name(issuer)) ==
		1);
	X509_NAME_free(other);
}

void certificate_make(struct certificate *out, const struct certificate_wish *wish)
{
	X509 *x509 = X509_new();
	X509_NAME *name = X509_get_subject_name(x509);
	const struct certificate *issuer = wish->issuer != NULL ? wish->issuer : out;
	bool days = wish->from_days != 0 || wish->to_days != 0;
	BIGNUM *serial = wish->serial_bytes > 0
		? BN_bin2bn(wish->serial, (int)wish->serial_bytes, NULL)
		: NULL;

	memset(out, 0, sizeof(*out));
	out->key = wish->elliptic ? EVP_EC_gen("P-256")
				  : EVP_RSA_gen(wish->bits != 0 ? wish->bits : 1024u);
	out->x509 = x509;
	require(out->key != NULL && X509_set_version(x509, X509_VERSION_3) == 1);
	if (serial != NULL)
		require(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509)) != NULL);
	else
		require(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1) == 1);
	BN_free(serial);
	X509_time_adj_ex(X509_getm_notBefore(x509), days ? wish->from_days : -1, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(x509), days ? wish->to_days : 1, 0, NULL);
	if (wish->common_name != NULL)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
			(const unsigned char *)wish->common_name,
			wish->common_name_bytes > 0 ? (int)wish->common_name_bytes : -1, -1, 0);
	if (wish->organization != NULL)
		X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
			(const unsigned char *)wish->organization, -1, -1, 0);
	issuer_set(x509, wish, issuer->x509);
	require(X509_set_pubkey(x509, out->key) == 1);
	extension(x509, issuer->x509, NID_basic_constraints,
		wish->ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (wish->critical)
		riddle(x509);
	if (wish->purpose != NULL)
		extension(x509, issuer->x509, NID_ext_key_usage, wish->purpose);
	require(X509_sign(x509, issuer->key, wish->digest != NULL ? wish->digest : EVP_sha256()) >
		0);
	out->size = (size_t)i2d_X509(x509, &out->der);
}

void certificate_free(struct certificate *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->x509);
	OPENSSL_free(c->der);
	memset(c, 0, sizeof(*c));
}

size_t certificate_prove(const struct certificate *c, const uint8_t random[20], uint8_t sign[512])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(c->key, NULL);
	uint8_t digest[SHA_DIGEST_LENGTH];
	size_t size = 512;

	SHA1(random, 20, digest);
	require(EVP_PKEY_sign_init(ctx) == 1);
	if (EVP_PKEY_get_base_id(c->key) == EVP_PKEY_RSA)
		require(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1);
	require(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha1()) == 1 &&
		EVP_PKEY_sign(ctx, sign, &size, digest, sizeof(digest)) == 1);
	EVP_PKEY_CTX_free(ctx);
	return size;
}
