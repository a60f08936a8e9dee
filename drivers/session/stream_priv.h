/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_STREAM_PRIV_H
#define PATCHBAY_DRIVERS_SESSION_STREAM_PRIV_H

/*
 * Inside of a stream, shared by stream.c (life, socket, parking), stream_bio.c (what OpenSSL sees as its
 * transport), stream_tls.c (OpenSSL's calls) and stream_raw.c (what stands in their place below TLS).
 *
 * Two byte queues hang on a stream: `in`, received and not yet taken by TLS, and `out`, made by TLS and
 * not yet taken by the socket. Each stands either in the scratch of the thread that works the stream
 * (park == NULL) or in a park buffer of its own. A thread's scratch holds one stream's bytes at a time:
 * io->holder says whose.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "drivers/session/stream.h"

/* A TLS record on the wire at most: header, full plaintext, expansion allowed by TLS 1.2 (RFC 5246 6.2.3). */
#define STREAM_WIRE_RECORD_BYTES (5u + STREAM_RECORD_BYTES + 2048u)
/* What may stand before a recv: a record without its last byte, and then some. */
#define STREAM_IN_BYTES (STREAM_RECV_BYTES + 2u * STREAM_WIRE_RECORD_BYTES)
/* Two records, or a handshake flight with a long certificate chain; alerts and KeyUpdates behind them. */
#define STREAM_OUT_BYTES     131072u
#define STREAM_RECORDS_MAX   2u /* committed and unsent (architecture.md 3) */
#define STREAM_TLS_HDR_BYTES 5u

/*
 * Steps of OpenSSL's handshake machine behind the handshake before the peer is cut off: one for a
 * KeyUpdate, another for its answer, about two for a renegotiation that is refused, one for a ticket.
 */
#define STREAM_REKEY_MAX      32u
#define STREAM_REKEY_WINDOW_S 60u

/* Sizes of park buffers: a frame or two, a record in, two records out, whatever a handshake left. */
#define STREAM_PARK_CLASSES 4u

struct stream_queue {
	uint8_t *at; /* first byte */
	size_t len;
	uint8_t *park;	     /* buffer that holds them, NULL: scratch */
	unsigned park_class; /* of `park` */
};

struct stream {
	SSL *ssl;
	int fd;
	struct stream_io *io; /* whose scratch holds bytes of ours, else NULL */
	struct stream_queue in;
	struct stream_queue out;
	/* For each record committed and unsent: bytes of `out` up to and with its last one. */
	size_t record_end[STREAM_RECORDS_MAX];
	unsigned records;
	bool client;
	bool started;	 /* SSL_do_handshake() was called */
	bool ready;	 /* handshake complete */
	bool wants_room; /* handshake stopped because `out` was full */
	bool failed;	 /* OpenSSL's state is lost, or memory was short */
	bool shut;	 /* close_notify queued */
	bool raw;	 /* TLS is over: `in` and `out` are data */
	bool rekey_cut;	 /* too many KeyUpdates */
	unsigned rekeys; /* in the window */
	int64_t rekey_window_s;
	uint64_t bytes_in;
	uint64_t bytes_out;
};

struct stream_park {
	struct stream_park *next;
};

struct stream_io {
	struct stream *holder;
	uint8_t *in;  /* STREAM_IN_BYTES */
	uint8_t *out; /* STREAM_OUT_BYTES */
	struct stream_park *parks[STREAM_PARK_CLASSES];
	unsigned parks_cached[STREAM_PARK_CLASSES];
};

/* Makes `io` work for `s`; parks whoever held it. */
void stream_attach(struct stream *s, struct stream_io *io);
/* Moves `out` to the start of the scratch so that bytes can be appended. */
void stream_out_gather(struct stream *s, struct stream_io *io);

/* The BIO on which all streams' SSL objects run; its data pointer is the stream. NULL with ENOMEM. */
BIO *stream_bio_create(struct stream *s);

/* stream_read() and stream_write() of a raw stream. */
ssize_t stream_raw_read(struct stream *s, struct stream_io *io, void *buf, size_t size);
int stream_raw_write(struct stream *s, struct stream_io *io, const void *buf, size_t size);

/* Creates s->ssl on the BIO. 0 or -ENOMEM. */
int stream_tls_init(struct stream *s, SSL_CTX *ctx, const char *sni);

#endif
