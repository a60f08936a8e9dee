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

struct ssl_ctx_st;

/*
 * PEM files; cipher strings as in patchbay.cfg, "" = OpenSSL's default. NULL after writing the reason into
 * `error` (always terminated). The caller frees it with SSL_CTX_free().
 */
struct ssl_ctx_st *tls_context_create(const char *certificate_path, const char *key_path,
	const char *ciphers, const char *ciphersuites, char *error, unsigned error_size);

/* Whether OpenSSL has something for these lists; else the reason is in `error`. */
bool tls_context_ciphers_ok(
	const char *ciphers, const char *ciphersuites, char *error, unsigned error_size);

#endif
