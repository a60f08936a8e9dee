/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's SSL_CTX. What belongs to a connection (BIO, modes of writing) is set by the stream.
 */

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

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

SSL_CTX *tls_context_create(const char *certificate_path, const char *key_path, const char *ciphers,
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
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate_path) != 1)
		return fail(ctx, "certificate", certificate_path, error, error_size);
	if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1)
		return fail(ctx, "private key", key_path, error, error_size);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail(
			ctx, "certificate and private key differ:", key_path, error, error_size);
	return ctx;
}
