/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_TLS_CONTEXT_H
#define PATCHBAY_CONTROLPLANE_TLS_CONTEXT_H

/*
 * The server's TLS settings (wire.md 1.2, architecture.md 5.3): 1.2 and 1.3, any SNI, no client
 * certificate, no tickets, no session cache, no renegotiation, no early data: stock peers never resume, and
 * a session belongs to one worker. One certificate on all listeners, since peers compare it between the
 * connections of one session (wire.md 5.4).
 */

#include <stdbool.h>

struct certificate_pair;
struct ssl_ctx_st;

#define TLS_CIPHERS_BYTES 1024u /* a list, with its NUL */

/*
 * Cipher strings as in patchbay.cfg, "" = OpenSSL's default. NULL after writing the reason into `error` (always
 * terminated). The pair stays the caller's, who frees the context with SSL_CTX_free().
 */
struct ssl_ctx_st *tls_context_create(const struct certificate_pair *pair, const char *ciphers,
	const char *ciphersuites, char *error, unsigned error_size);

/* Whether OpenSSL has something for these lists; else the reason is in `error`. */
bool tls_context_ciphers_ok(
	const char *ciphers, const char *ciphersuites, char *error, unsigned error_size);
/* The names that lists may have, with ; between: OpenSSL's default ones. */
void tls_context_ciphers_known(char *out, unsigned size);
/* A context's, in order of preference. */
void tls_context_ciphers_of(
	const struct ssl_ctx_st *ctx, const char *separator, char *out, unsigned size);
/*
 * One list of an administrator's, names with : ; , or spaces between, as the two that OpenSSL wants: what begins with
 * TLS_ is a suite of TLS 1.3, all else is for TLS 1.2. A list without a name of one kind leaves that kind's text as it
 * was. False: too long.
 */
bool tls_context_ciphers_split(
	const char *list, char ciphers[TLS_CIPHERS_BYTES], char ciphersuites[TLS_CIPHERS_BYTES]);

#endif
