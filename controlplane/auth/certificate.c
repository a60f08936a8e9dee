/* SPDX-License-Identifier: BSD-3-Clause */
/* See certificate.h. All of it also happens for a user who does not exist. */

#include "controlplane/auth/certificate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "controlplane/directory.h"
#include "drivers/session/wire/login.h"

static X509 *parse(const uint8_t *der, size_t size)
{
	const uint8_t *at = der;
	X509 *x509 = size == 0 || size > LOGIN_CERT_MAX ? NULL : d2i_X509(NULL, &at, (long)size);

	if (x509 != NULL && at != der + size) {
		X509_free(x509);
		x509 = NULL;
	}
	return x509;
}

static bool key_fits(EVP_PKEY *key)
{
	return key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
		EVP_PKEY_get_bits(key) >= AUTH_CERT_KEY_BITS_MIN &&
		EVP_PKEY_get_bits(key) <= AUTH_CERT_KEY_BITS_MAX;
}

int auth_certificate_judge(const uint8_t *der, size_t size, int *bits)
{
	X509 *x509 = parse(der, size);
	EVP_PKEY *key = x509 == NULL ? NULL : X509_get0_pubkey(x509);
	int rc = x509 == NULL ? -EBADMSG : key_fits(key) ? 0 : -EKEYREJECTED;

	*bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);
	X509_free(x509);
	ERR_clear_error();
	return rc;
}

/* ---- the owner ------------------------------------------------------------------------------- */

static bool proves_key(EVP_PKEY *key, const struct auth_certificate *c)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t digest[SHA_DIGEST_LENGTH];
	bool ok;

	SHA1(c->random, LOGIN_SECRET_BYTES, digest);
	ok = ctx != NULL && (size_t)EVP_PKEY_get_size(key) == c->sign_bytes &&
		EVP_PKEY_verify_init(ctx) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha1()) == 1 &&
		EVP_PKEY_verify(ctx, c->sign, c->sign_bytes, digest, sizeof(digest)) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool in_time(const X509 *x509, int64_t now_ms)
{
	time_t now = (time_t)(now_ms / 1000);

	return X509_cmp_time(X509_get0_notBefore(x509), &now) < 0 &&
		X509_cmp_time(X509_get0_notAfter(x509), &now) > 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The last of its kind, as UTF-8. False: none, too long, or with a zero byte, which no rule may be taken in by. */
static bool name_text(const X509_NAME *name, int nid, char *out, size_t size)
{
	int at = -1, last = -1;
	unsigned char *utf8 = NULL;
	int len;

	while ((at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0)
		last = at;
	out[0] = '\0';
	if (last < 0)
		return false;
	len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
	if (len < 0 || (size_t)len >= size || memchr(utf8, '\0', (size_t)len) != NULL) {
		OPENSSL_free(utf8);
		return false;
	}
	memcpy(out, utf8, (size_t)len);
	out[len] = '\0';
	OPENSSL_free(utf8);
	return true;
}

static void serial_read(const X509 *x509, struct auth_certificate *c)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
	const uint8_t *bytes = ASN1_STRING_get0_data(serial);
	int len = ASN1_STRING_length(serial);

	while (len > 0 && *bytes == 0) {
		bytes++;
		len--;
	}
	c->serial_bytes = 0;
	if (len > (int)sizeof(c->serial))
		return;
	memcpy(c->serial, bytes, (size_t)len);
	c->serial_bytes = (uint32_t)len;
}

static bool serial_equal(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes)
{
	for (; a_bytes > 0 && *a == 0; a_bytes--)
		a++;
	for (; b_bytes > 0 && *b == 0; b_bytes--)
		b++;
	return a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0;
}

/* ---- revocation ------------------------------------------------------------------------------ */

struct subject {
	char names[CRL_NAME_CNT][DIRECTORY_CRL_NAME_BYTES];
	bool has[CRL_NAME_CNT];
	uint8_t md5[16], sha1[20];
};

static bool subject_read(const X509 *x509, const struct auth_certificate *c, struct subject *s)
{
	static const int nids[CRL_NAME_CNT] = {
		[CRL_NAME_COMMON] = NID_commonName,
		[CRL_NAME_ORGANIZATION] = NID_organizationName,
		[CRL_NAME_UNIT] = NID_organizationalUnitName,
		[CRL_NAME_COUNTRY] = NID_countryName,
		[CRL_NAME_STATE] = NID_stateOrProvinceName,
		[CRL_NAME_LOCAL] = NID_localityName,
	};
	const X509_NAME *name = X509_get_subject_name(x509);

	for (unsigned i = 0; i < CRL_NAME_CNT; i++)
		s->has[i] = name_text(name, nids[i], s->names[i], sizeof(s->names[i]));
	return EVP_Digest(c->cert, c->cert_bytes, s->md5, NULL, EVP_md5(), NULL) == 1 &&
		EVP_Digest(c->cert, c->cert_bytes, s->sha1, NULL, EVP_sha1(), NULL) == 1;
}

static bool crl_matches(
	const struct directory_crl *crl, const struct subject *s, const struct auth_certificate *c)
{
	for (unsigned i = 0; i < CRL_NAME_CNT; i++)
		if (crl->names[i] != NULL &&
			(!s->has[i] || strcasecmp(crl->names[i], s->names[i]) != 0))
			return false;
	if (crl->serial_bytes > 0 &&
		!serial_equal(crl->serial, crl->serial_bytes, c->serial, c->serial_bytes))
		return false;
	return (!crl->has_md5 || memcmp(crl->md5, s->md5, sizeof(s->md5)) == 0) &&
		(!crl->has_sha1 || memcmp(crl->sha1, s->sha1, sizeof(s->sha1)) == 0);
}

/* What cannot be compared counts as revoked. */
static bool revoked(const X509 *x509, const struct auth_certificate *c)
{
	struct subject s;

	if (!subject_read(x509, c, &s))
		return true;
	for (uint32_t i = 0; c->trust != NULL && i < c->trust->crl_cnt; i++)
		if (crl_matches(&c->trust->crls[i], &s, c))
			return true;
	return false;
}

/* ---- authorities ------------------------------------------------------------------------------- */

static bool digest_fit(X509 *x509)
{
	int digest = NID_undef;

	/* Keys that bring their own (Ed25519) have none to tell. */
	if (X509_get_signature_info(x509, &digest, NULL, NULL, NULL) != 1)
		return false;
	return digest != NID_md5 && digest != NID_md4 && digest != NID_md2 &&
		digest != NID_md5_sha1;
}

static bool signed_by(X509 *x509, X509 *ca, int64_t now_ms)
{
	EVP_PKEY *key = X509_get0_pubkey(ca);

	return in_time(ca, now_ms) &&
		X509_NAME_cmp(X509_get_subject_name(ca), X509_get_issuer_name(x509)) == 0 &&
		X509_check_ca(ca) != 0 && digest_fit(x509) && key != NULL &&
		X509_verify(x509, key) == 1;
}

static bool trusted(X509 *x509, const struct auth_certificate *c)
{
	for (uint32_t i = 0; c->trust != NULL && i < c->trust->ca_cnt; i++) {
		const struct directory_ca *ca = &c->trust->cas[i];

		if (ca->der_bytes == c->cert_bytes && memcmp(ca->der, c->cert, c->cert_bytes) == 0)
			return true;
		if (signed_by(x509, ca->x509, c->now_ms))
			return true;
	}
	return false;
}

static bool for_clients(X509 *x509)
{
	uint32_t flags = X509_get_extension_flags(x509);

	if ((flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0)
		return false;
	return (flags & EXFLAG_XKUSAGE) == 0 ||
		(X509_get_extended_key_usage(x509) & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
}

/* ---- both halves ------------------------------------------------------------------------------- */

void auth_certificate_examine(struct auth_certificate *c)
{
	X509 *x509;
	EVP_PKEY *key;

	c->trusted = false;
	c->common_name[0] = '\0';
	c->serial_bytes = 0;
	ERR_clear_error();
	x509 = c->sign == NULL ? NULL : parse(c->cert, c->cert_bytes);
	if (x509 == NULL) {
		c->reason = c->sign == NULL ? "no_signature" : "no_certificate";
		ERR_clear_error();
		return;
	}
	key = X509_get0_pubkey(x509);
	(void)name_text(X509_get_subject_name(x509), NID_commonName, c->common_name,
		sizeof(c->common_name));
	serial_read(x509, c);
	if (!key_fits(key))
		c->reason = "key";
	else if (!proves_key(key, c))
		c->reason = "signature";
	else if (!in_time(x509, c->now_ms))
		c->reason = "certificate_expired";
	else if (revoked(x509, c))
		c->reason = "revoked";
	else if (!for_clients(x509))
		c->reason = "purpose";
	else
		c->reason = NULL;
	/* Nobody's key is worth the work. */
	c->trusted = c->reason == NULL && trusted(x509, c);
	X509_free(x509);
	ERR_clear_error();
}

static bool rules_fit(
	const struct auth_certificate *c, const struct directory_user *user, const char **why)
{
	if (!c->trusted)
		*why = "untrusted";
	else if (user->common_name != NULL &&
		(c->common_name[0] == '\0' || strcasecmp(user->common_name, c->common_name) != 0))
		*why = "common_name";
	else if (user->serial_bytes > 0 &&
		!serial_equal(user->serial, user->serial_bytes, c->serial, c->serial_bytes))
		*why = "serial";
	else
		return true;
	return false;
}

bool auth_certificate_fits(
	const struct auth_certificate *c, const struct directory_user *user, const char **why)
{
	*why = c->reason != NULL ? c->reason : "ok";
	if (c->reason != NULL)
		return false;
	if (user == NULL) {
		*why = "no_user";
		return false;
	}
	switch (user->auth) {
	case DIRECTORY_AUTH_CERTIFICATE:
		*why = "certificate";
		return user->cert_bytes == c->cert_bytes &&
			memcmp(user->cert, c->cert, c->cert_bytes) == 0;
	case DIRECTORY_AUTH_SIGNED:
		return rules_fit(c, user, why);
	default:
		*why = "auth_type";
		return false;
	}
}
