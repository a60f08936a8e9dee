/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_TLS_PEER_H
#define PATCHBAY_TEST_UNIT_TLS_PEER_H

/*
 * The other end of a connection under test: a plain OpenSSL client over memory BIOs and one end of a
 * socketpair, so that tests can hold its records back, cut them, or put bytes behind them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/ssl.h>

struct tls_peer {
	SSL *ssl;
	SSL_CTX *ctx;
	int fd;
	bool raw; /* TLS is over (wire.md 6.6): what follows reads and writes the bare socket */
};

/* Server context with a certificate made on the spot (ECDSA P-256), no tickets; one per process. */
SSL_CTX *tls_peer_server_ctx(void);
void tls_peer_cleanup(void);

/* Opens a socketpair; returns the end for the stream under test. `version`: TLS1_x_VERSION. */
int tls_peer_open(struct tls_peer *p, int version);
/* The same on a connected socket that the caller has. */
void tls_peer_attach(struct tls_peer *p, int version, int fd);
void tls_peer_close(struct tls_peer *p);

/* One step: 1 when complete. */
int tls_peer_handshake(struct tls_peer *p);
/* Encrypts and sends everything, as records of at most 16 KiB. */
void tls_peer_write(struct tls_peer *p, const void *buf, size_t size);
/* The same without waiting and without complaint: what the socket does not take is lost. */
void tls_peer_try_write(struct tls_peer *p, const void *buf, size_t size);
/* Encrypts without sending; returns the bytes on the wire. */
size_t tls_peer_capture(struct tls_peer *p, const void *buf, size_t size, void *wire, size_t cap);
/* Sends bytes as they are. */
void tls_peer_inject(struct tls_peer *p, const void *wire, size_t size);
/* Sends what OpenSSL has to say (alerts). */
void tls_peer_flush(struct tls_peer *p);
/* Reads what is there now, up to size: bytes of plaintext, 0 if none. */
ssize_t tls_peer_read(struct tls_peer *p, void *buf, size_t size);

#endif
