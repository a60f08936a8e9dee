/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's SSL_CTX. What belongs to a connection (BIO, modes of writing) is set by the stream.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "controlplane/certificate.h"
#include "controlplane/tls_context.h"

static SSL_CTX *fail(SSL_CTX *ctx, const char *what, const char *which, char *error, unsigned size)
{
	char why[160];

	ERR_error_string_n(ERR_peek_last_error(), why, sizeof(why));
	snprintf(error, size, "%s %s: %s", what, which, why);
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return NULL;
}

static bool set_ciphers(SSL_CTX *ctx, const char *ciphers, const char *ciphersuites, char *error,
	unsigned error_size)
{
	if (ciphers[0] != '\0' && SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		(void)fail(NULL, "tls.ciphers", ciphers, error, error_size);
	else if (ciphersuites[0] != '\0' && SSL_CTX_set_ciphersuites(ctx, ciphersuites) != 1)
		(void)fail(NULL, "tls.ciphersuites", ciphersuites, error, error_size);
	else
		return true;
	return false;
}

bool tls_context_ciphers_ok(
	const char *ciphers, const char *ciphersuites, char *error, unsigned error_size)
{
	SSL_CTX *ctx;
	bool ok;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL) {
		(void)fail(NULL, "TLS", "context", error, error_size);
		return false;
	}
	ok = set_ciphers(ctx, ciphers, ciphersuites, error, error_size);
	SSL_CTX_free(ctx);
	return ok;
}

void tls_context_ciphers_of(const SSL_CTX *ctx, const char *separator, char *out, unsigned size)
{
	STACK_OF(SSL_CIPHER) *list = ctx == NULL ? NULL : SSL_CTX_get_ciphers(ctx);
	size_t at = 0;

	out[0] = '\0';
	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
		const char *name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(list, i));

		if (at + strlen(name) + 2 > size)
			break;
		at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? separator : "", name);
	}
}

void tls_context_ciphers_known(char *out, unsigned size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	tls_context_ciphers_of(ctx, ";", out, size);
	SSL_CTX_free(ctx);
}

static bool append(char list[TLS_CIPHERS_BYTES], const char *name, size_t len, bool first)
{
	size_t at = first ? 0 : strlen(list);

	if (at + 1 + len >= TLS_CIPHERS_BYTES)
		return false;
	if (!first)
		list[at++] = ':';
	memcpy(list + at, name, len);
	list[at + len] = '\0';
	return true;
}

bool tls_context_ciphers_split(
	const char *list, char ciphers[TLS_CIPHERS_BYTES], char ciphersuites[TLS_CIPHERS_BYTES])
{
	static const char between[] = ":;, ";
	bool first[2] = {true, true};
	bool ok = true;

	for (list += strspn(list, between); *list != '\0' && ok; list += strspn(list, between)) {
		size_t len = strcspn(list, between);
		bool suite = strncmp(list, "TLS_", 4) == 0;

		ok = append(suite ? ciphersuites : ciphers, list, len, first[suite]);
		first[suite] = false;
		list += len;
	}
	return ok;
}

static bool set_pair(SSL_CTX *ctx, const struct certificate_pair *pair)
{
	if (SSL_CTX_use_certificate(ctx, pair->cert) != 1)
		return false;
	for (int i = 0; i < sk_X509_num(pair->chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(pair->chain, i)) != 1)
			return false;
	return SSL_CTX_use_PrivateKey(ctx, pair->key) == 1;
}

SSL_CTX *tls_context_create(const struct certificate_pair *pair, const char *ciphers,
	const char *ciphersuites, char *error, unsigned error_size)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL)
		return fail(NULL, "TLS", "context", error, error_size);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1)
		return fail(ctx, "TLS", "versions", error, error_size);
	/* An EOF without close_notify is a normal end (wire.md 1.2 rule 4). */
	SSL_CTX_set_options(ctx,
		SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_read_ahead(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (!set_ciphers(ctx, ciphers, ciphersuites, error, error_size)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (!set_pair(ctx, pair))
		return fail(ctx, "certificate", "and its key", error, error_size);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail(ctx, "certificate", "and its key differ", error, error_size);
	return ctx;
}
