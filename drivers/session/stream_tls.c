/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls into OpenSSL. Each begins with an empty error queue, because the queue belongs to the thread
 * and a stale entry of another connection would be read as this one's failure, which is the very defect
 * of the peers in wire.md 1.2 rule 3.
 *
 * OpenSSL is called for whole records only: a partial one stays in our buffer, so that OpenSSL's own
 * record buffer is empty, and therefore released, whenever a connection waits for its peer.
 */

#include <errno.h>
#include <time.h>

#include <openssl/err.h>

#include "drivers/session/stream_priv.h"

static void errors_clear(void)
{
	/* Looking costs a tenth of clearing, and the queue is nearly always empty. */
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/*
 * Told at each step of OpenSSL's handshake machine, which after the handshake means a message that makes
 * us work: KeyUpdate (TLS 1.3; its answer is a step too), or an attempt to renegotiate (TLS 1.2), which is
 * refused. Never called for data, unlike a message callback, so it costs nothing per record.
 */
static void info_cb(const SSL *ssl, int where, int)
{
	struct stream *s = BIO_get_data(SSL_get_rbio(ssl));
	struct timespec now;

	if (!(where & SSL_CB_LOOP) || !s->ready)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec - s->rekey_window_s >= STREAM_REKEY_WINDOW_S) {
		s->rekey_window_s = now.tv_sec;
		s->rekeys = 0;
	}
	if (++s->rekeys > STREAM_REKEY_MAX)
		s->rekey_cut = true;
}

int stream_tls_init(struct stream *s, SSL_CTX *ctx, const char *sni)
{
	BIO *bio;

	errors_clear();
	s->ssl = SSL_new(ctx);
	if (s->ssl == NULL)
		return -ENOMEM;
	bio = stream_bio_create(s);
	if (bio == NULL)
		return -ENOMEM;
	SSL_set_bio(s->ssl, bio, bio);
	/*
	 * Released buffers: 34 KB less per idle connection, and on a busy worker all connections share the
	 * few blocks that malloc hands out again at once, which keeps them in the cache.
	 */
	SSL_set_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_clear_mode(s->ssl, SSL_MODE_AUTO_RETRY | SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_set_options(s->ssl, SSL_OP_NO_RENEGOTIATION);
	SSL_set_read_ahead(s->ssl, 0);
	SSL_set_info_callback(s->ssl, info_cb);
	if (!s->client) {
		SSL_set_accept_state(s->ssl);
		return 0;
	}
	SSL_set_connect_state(s->ssl);
	if (sni != NULL && SSL_set_tlsext_host_name(s->ssl, sni) != 1)
		return -ENOMEM;
	return 0;
}

/*
 * True if OpenSSL can get on with what stands in `in`: a whole record, or something it will refuse. The
 * very first one may have the SSLv2 shape that TLS 1.2 still allows (RFC 5246 E.2).
 */
static bool record_ready(const struct stream *s)
{
	const uint8_t *p = s->in.at;
	size_t bytes;

	if (s->in.len < STREAM_TLS_HDR_BYTES)
		return false;
	if (!s->started && p[0] & 0x80 && p[2] == 1)
		bytes = 2 + ((size_t)(p[0] & 0x7f) << 8 | p[1]);
	else if (p[0] < 20 || p[0] > 24 || p[1] != 3)
		return true;
	else
		bytes = STREAM_TLS_HDR_BYTES + ((size_t)p[3] << 8 | p[4]);
	return bytes > STREAM_WIRE_RECORD_BYTES || s->in.len >= bytes;
}

static int handshake_step(struct stream *s)
{
	int ret;

	if (s->ready)
		return 0;
	if (s->failed)
		return -EPROTO;
	if (s->started && !s->wants_room && !record_ready(s))
		return -EAGAIN;
	if (!s->started && !s->client && !record_ready(s))
		return -EAGAIN;
	s->started = true;
	s->wants_room = false;
	errors_clear();
	ret = SSL_do_handshake(s->ssl);
	if (ret == 1) {
		s->ready = true;
		return 0;
	}
	switch (SSL_get_error(s->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		s->wants_room = true;
		return -EAGAIN;
	default:
		s->failed = true;
		return -EPROTO;
	}
}

int stream_handshake(struct stream *s, struct stream_io *io)
{
	int ret;

	stream_attach(s, io);
	ret = handshake_step(s);
	(void)stream_park(s, io);
	return s->failed ? -EPROTO : ret;
}

ssize_t stream_read(struct stream *s, struct stream_io *io, void *buf, size_t size)
{
	size_t done;
	int ret;

	if (s->raw)
		return stream_raw_read(s, io, buf, size);
	stream_attach(s, io);
	for (;;) {
		if (s->failed || s->rekey_cut || !s->ready)
			return -EPROTO;
		if (!record_ready(s) && SSL_pending(s->ssl) == 0)
			return -EAGAIN;
		errors_clear();
		ret = SSL_read_ex(s->ssl, buf, size, &done);
		if (ret == 1)
			return done;
		switch (SSL_get_error(s->ssl, ret)) {
		case SSL_ERROR_WANT_READ: /* a record without data: KeyUpdate, ticket, warning */
			break;
		case SSL_ERROR_ZERO_RETURN:
			return 0;
		default: /* also no room to write: what fills `out` behind two records is an attack */
			s->failed = true;
			return -EPROTO;
		}
	}
}

int stream_write(struct stream *s, struct stream_io *io, const void *buf, size_t size)
{
	size_t done;

	if (s->failed || !s->ready || s->shut || size == 0 || size > STREAM_RECORD_BYTES)
		return -EPROTO;
	if (s->records >= STREAM_RECORDS_MAX)
		return -ENOBUFS;
	if (s->raw)
		return stream_raw_write(s, io, buf, size);
	stream_attach(s, io);
	errors_clear();
	/* Cannot stop half-way: two records leave a multiple of their size free in `out`. */
	if (SSL_write_ex(s->ssl, buf, size, &done) != 1) {
		s->failed = true;
		return -EPROTO;
	}
	s->record_end[s->records++] = s->out.len;
	return 0;
}

void stream_shutdown(struct stream *s, struct stream_io *io)
{
	if (!s->ready || s->failed || s->shut)
		return;
	s->shut = true;
	if (s->raw)
		return;
	stream_attach(s, io);
	errors_clear();
	(void)SSL_shutdown(s->ssl); /* 0: sent and not yet answered, which is all that we want */
	errors_clear();
}
