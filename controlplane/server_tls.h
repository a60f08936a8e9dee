/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_SERVER_TLS_H
#define PATCHBAY_CONTROLPLANE_SERVER_TLS_H

/*
 * What peers are shown of us, at run time: the certificate and the ciphers of the next handshake. Every listener
 * uses the one context that is in force; a handshake that has begun, and every session, keeps the one it began with.
 *
 * A client leaves its session when an additional connection shows another certificate than the first (wire.md 5.4).
 * So the context before the last change stays as well: a peer from whose address a session came in with it, and
 * which has fewer connections than it was granted, is shown that one until it has them.
 *
 * The certificate lives in the state directory (certificate.h), ciphers that an administrator chose in the directory,
 * above patchbay.cfg. Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/certificate.h"

struct config;
struct sockaddr_storage;
struct ssl_ctx_st;
struct ssl_st;

/* Reads the files. -EINVAL after logging. `config` outlives server_tls_fini(). */
int server_tls_init(const struct config *config);
void server_tls_fini(void);

/* For a handshake with this peer; borrowed. */
struct ssl_ctx_st *server_tls_context(const struct sockaddr_storage *peer);
/* Which certificate a connection was shown, for vpn_session.tls_epoch; 0: one that is long gone. */
uint32_t server_tls_epoch(const struct ssl_st *ssl);
/* The certificate in force and what stands behind it; borrowed, NULL before server_tls_init(). */
struct x509_st *server_tls_certificate(void);
struct stack_st_X509 *server_tls_chain(void);
/* The ciphers that the next handshake may choose from, in order of preference, with : between. */
void server_tls_ciphers(char *out, unsigned size);

/* Whether a list of ciphers would do (tls_context.h); else the reason is in `error`. "" is what patchbay.cfg has. */
bool server_tls_ciphers_ok(const char *list, char *error, unsigned error_size);
/* The directory's ciphers into force; what is wrong with them is logged, and the old ones stay. */
void server_tls_renew(void);
/* Reads the files again, on a helper: into force if they are right and something else. What is wrong is logged. */
void server_tls_reload(void);

struct server_tls_change;

/*
 * Begins to replace the certificate, on helpers: checked, written down, then in force. `pair` is taken. NULL as pair:
 * makes one, self-signed, for `common_name`. *out is to be asked, and forgotten in the end. -EBUSY: another change is
 * under way, again in a moment; -ENOMEM. Then the pair is still the caller's.
 */
int server_tls_change(
	struct certificate_pair *pair, const char *common_name, struct server_tls_change **out);
/* True once it is in force, or (*error negative, -EINVAL: *why says what is wrong with it) refused. */
bool server_tls_change_done(const struct server_tls_change *change, int *error, const char **why);
/* The change goes on without its caller. NULL is fine. */
void server_tls_change_forget(struct server_tls_change *change);

#endif
