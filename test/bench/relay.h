/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_relay's two files: what its modes have in common. Errors of the helpers end the process, with their reason. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

struct relay_options {
	const char *cipher; /* TLS 1.3 suite */
	unsigned seconds;
	unsigned record_bytes;
	unsigned handshakes;  /* 0: relay */
	unsigned connections; /* even; 0: one in, one out, as much under way as the sockets hold */
	bool plain;
	int cpu; /* where the relay runs; -1 anywhere */
};

struct relay_report {
	uint64_t bytes; /* plaintext that the relay read */
	double cpu_s;	/* the relay's, user and system, without handshakes */
	double wall_s;
	char cipher[64];
};

void relay_die(const char *what);
double relay_now_s(void);
double relay_cpu_s(void);
void relay_pin(int cpu);
void relay_nonblock(int fd);
/* A listener of 127.0.0.1; returns its port. */
uint16_t relay_open_listener(int *lfd);
SSL_CTX *relay_context(const struct relay_options *opt, bool server);
SSL *relay_dial(SSL_CTX *ctx, uint16_t port);
SSL *relay_take(SSL_CTX *ctx, int lfd);

/* --connections; false: the relay ended without a report. */
bool relay_many(const struct relay_options *opt, struct relay_report *rep);

#endif
