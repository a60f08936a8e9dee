/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/session/stream: our end against a plain OpenSSL client on the other end of a socketpair, which
 * knows nothing of our buffers. What is checked is what the peer sees and what stays where between
 * turns.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "drivers/session/stream_priv.h"
#include "test/unit/tls_peer.h"

struct fixture {
	struct tls_peer peer;
	struct stream *s;
	struct stream_io *io;
};

static void open_pair(struct fixture *f, int version)
{
	f->io = stream_io_create();
	assert_non_null(f->io);
	f->s = stream_tls_accept(tls_peer_server_ctx(), tls_peer_open(&f->peer, version));
	assert_non_null(f->s);
}

static void close_pair(struct fixture *f)
{
	stream_close(f->s);
	stream_io_destroy(f->io);
	tls_peer_close(&f->peer);
}

/* Both ends in turns until both are done. */
static void shake(struct fixture *f)
{
	int ours = -EAGAIN, theirs = -1;

	for (int i = 0; i < 50 && (ours != 0 || theirs != 1); i++) {
		theirs = tls_peer_handshake(&f->peer);
		(void)stream_fill(f->s, f->io);
		ours = stream_handshake(f->s, f->io);
		assert_true(ours == 0 || ours == -EAGAIN);
		assert_true(stream_send(f->s, f->io) >= 0);
	}
	assert_int_equal(ours, 0);
	assert_int_equal(theirs, 1);
}

static void exchange(int version)
{
	struct fixture f;
	static uint8_t big[STREAM_RECORD_BYTES], got[3 * STREAM_RECORD_BYTES];

	open_pair(&f, version);
	shake(&f);
	assert_int_equal(SSL_version(stream_ssl(f.s)), version);

	/* Three full records of the peer in one fill. */
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	for (int i = 0; i < 3; i++)
		tls_peer_write(&f.peer, big, sizeof(big));
	assert_true(stream_fill(f.s, f.io) > 3 * (ssize_t)sizeof(big));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stream_read(f.s, f.io, got, sizeof(big)), sizeof(big));
		assert_memory_equal(got, big, sizeof(big));
	}
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(big)), -EAGAIN);
	assert_int_equal(stream_park(f.s, f.io), 0);

	/* And back: two records, one send. */
	assert_int_equal(stream_write(f.s, f.io, big, sizeof(big)), 0);
	assert_int_equal(stream_write(f.s, f.io, "x", 1), 0);
	assert_int_equal(stream_send(f.s, f.io), 0);
	assert_int_equal(tls_peer_read(&f.peer, got, sizeof(got)), sizeof(big) + 1);
	assert_memory_equal(got, big, sizeof(big));
	assert_int_equal(got[sizeof(big)], 'x');
	close_pair(&f);
}

static void full_records_tls13(void **)
{
	exchange(TLS1_3_VERSION);
}

static void full_records_tls12(void **)
{
	exchange(TLS1_2_VERSION);
}

/* The peer's handshake arrives byte by byte, each byte in a turn of its own with parking between. */
static void handshake_in_single_bytes(void **)
{
	const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	for (unsigned v = 0; v < 2; v++) {
		struct fixture f;
		int pipe_fds[2], ours = -EAGAIN;
		struct stream *s;

		open_pair(&f, versions[v]);
		/* A second socketpair through which the bytes trickle. */
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pipe_fds), 0);
		s = stream_tls_accept(tls_peer_server_ctx(), pipe_fds[0]);
		assert_non_null(s);
		for (int round = 0; round < 20; round++) {
			uint8_t buf[8192];
			ssize_t n;

			(void)tls_peer_handshake(&f.peer);
			while ((n = recv(stream_fd(f.s), buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
				for (ssize_t i = 0; i < n; i++) {
					assert_int_equal(send(pipe_fds[1], buf + i, 1, 0), 1);
					assert_int_equal(stream_fill(s, f.io), 1);
					ours = stream_handshake(s, f.io);
					assert_true(ours == 0 || ours == -EAGAIN);
					assert_int_equal(stream_send(s, f.io), 0);
				}
			}
			while ((n = recv(pipe_fds[1], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
				assert_int_equal(send(stream_fd(f.s), buf, n, 0), n);
		}
		assert_int_equal(ours, 0);
		assert_int_equal(tls_peer_handshake(&f.peer), 1);
		stream_close(s);
		close(pipe_fds[1]);
		close_pair(&f);
	}
}

/* Half a record, parked, while another stream uses the same scratch; then the rest. */
static void partial_record_is_parked(void **)
{
	struct fixture a, b;
	uint8_t wire[32768], got[STREAM_RECORD_BYTES], text[5000];
	const uint8_t *peeked;
	size_t n;
	struct stream_io *second;

	memset(text, 0x5a, sizeof(text));
	open_pair(&a, TLS1_3_VERSION);
	open_pair(&b, TLS1_3_VERSION);
	shake(&a);
	shake(&b);
	n = tls_peer_capture(&a.peer, text, sizeof(text), wire, sizeof(wire));
	tls_peer_inject(&a.peer, wire, n / 2);
	assert_int_equal(stream_fill(a.s, a.io), n / 2);
	assert_int_equal(stream_read(a.s, a.io, got, sizeof(got)), -EAGAIN);
	assert_int_equal(SSL_has_pending(stream_ssl(a.s)), 0); /* nothing hidden inside OpenSSL */
	/* b takes the scratch over without a's owner parking it. */
	tls_peer_write(&b.peer, "hello", 5);
	assert_true(stream_fill(b.s, a.io) > 5);
	assert_int_equal(stream_read(b.s, a.io, got, sizeof(got)), 5);
	assert_int_equal(stream_park(b.s, a.io), 0);
	assert_int_equal(stream_peek(a.s, &peeked), n / 2);
	assert_memory_equal(peeked, wire, n / 2);
	/* Another thread's scratch goes on with it. */
	second = stream_io_create();
	tls_peer_inject(&a.peer, wire + n / 2, n - n / 2);
	assert_int_equal(stream_fill(a.s, second), n - n / 2);
	assert_int_equal(stream_read(a.s, second, got, sizeof(got)), sizeof(text));
	assert_memory_equal(got, text, sizeof(text));
	assert_int_equal(stream_park(a.s, second), 0);
	stream_io_destroy(second);
	close_pair(&a);
	close_pair(&b);
}

static void close_notify_is_seen(void **)
{
	const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	for (unsigned v = 0; v < 2; v++) {
		struct fixture f;
		uint8_t got[64];

		open_pair(&f, versions[v]);
		shake(&f);
		assert_int_equal(stream_write(f.s, f.io, "bye", 3), 0);
		stream_shutdown(f.s, f.io);
		stream_shutdown(f.s, f.io); /* once is enough */
		assert_int_equal(stream_write(f.s, f.io, "late", 4), -EPROTO);
		assert_int_equal(stream_send(f.s, f.io), 0);
		assert_int_equal(tls_peer_read(&f.peer, got, sizeof(got)), 3);
		assert_int_equal(SSL_get_shutdown(f.peer.ssl), SSL_RECEIVED_SHUTDOWN);
		assert_int_equal(ERR_peek_error(), 0);
		/* The peer's own close_notify reads as end. */
		assert_true(SSL_shutdown(f.peer.ssl) >= 0);
		tls_peer_flush(&f.peer);
		assert_true(stream_fill(f.s, f.io) > 0);
		assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), 0);
		close_pair(&f);
	}
}

/* EOF without close_notify: the bytes before it are still delivered, and the alert can still be made. */
static void eof_leaves_the_alert_possible(void **)
{
	struct fixture f;
	uint8_t got[STREAM_RECORD_BYTES];

	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	tls_peer_write(&f.peer, "last", 4);
	assert_int_equal(shutdown(f.peer.fd, SHUT_WR), 0);
	assert_true(stream_fill(f.s, f.io) > 0);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), 4);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), -EAGAIN);
	assert_int_equal(stream_fill(f.s, f.io), 0);
	stream_shutdown(f.s, f.io);
	assert_true(stream_unsent(f.s) > 0);
	assert_int_equal(stream_send(f.s, f.io), 0);
	assert_int_equal(tls_peer_read(&f.peer, got, sizeof(got)), 0);
	assert_int_equal(SSL_get_shutdown(f.peer.ssl), SSL_RECEIVED_SHUTDOWN);
	close_pair(&f);
}

/* Raw mode (wire.md 6.6): what stands behind the last record is ours, untouched, also after parking. */
static void bytes_behind_the_last_record_stay(void **)
{
	struct fixture f;
	uint8_t wire[1024], got[STREAM_RECORD_BYTES];
	const uint8_t *raw;
	size_t n;

	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	n = tls_peer_capture(&f.peer, "tls", 3, wire, sizeof(wire) - 8);
	memcpy(wire + n, "\0\0\0\1rawD", 8);
	tls_peer_inject(&f.peer, wire, n + 8);
	assert_int_equal(stream_fill(f.s, f.io), n + 8);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), 3);
	assert_int_equal(stream_park(f.s, f.io), 0);
	assert_int_equal(stream_peek(f.s, &raw), 8);
	assert_memory_equal(raw, "\0\0\0\1rawD", 8);
	close_pair(&f);
}

/* A peer that does not read: two records are committed, the third is refused; nothing is lost later. */
static void two_records_at_most(void **)
{
	struct fixture f;
	static uint8_t big[STREAM_RECORD_BYTES], got[STREAM_RECORD_BYTES];
	size_t accepted = 0, received = 0;
	ssize_t left = 0;

	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	memset(big, 0xa5, sizeof(big));
	for (int i = 0; i < 1000 && left == 0; i++) {
		assert_int_equal(stream_write(f.s, f.io, big, sizeof(big)), 0);
		accepted += sizeof(big);
		left = stream_send(f.s, f.io);
		assert_true(left >= 0);
	}
	assert_true(left > 0);
	while (stream_write(f.s, f.io, big, 100) == 0)
		accepted += 100;
	assert_true(stream_unsent(f.s) < 2u * (STREAM_RECORD_BYTES + 2048));
	assert_int_equal(stream_write(f.s, f.io, big, 100), -ENOBUFS);
	assert_int_equal(stream_park(f.s, f.io), 0);
	while (received < accepted) {
		ssize_t n = tls_peer_read(&f.peer, got, sizeof(got));

		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(got[i], 0xa5);
		received += n;
		assert_true(stream_send(f.s, f.io) >= 0);
	}
	assert_int_equal(received, accepted);
	assert_int_equal(stream_unsent(f.s), 0);
	assert_int_equal(stream_write(f.s, f.io, big, 100), 0);
	close_pair(&f);
}

static void key_update_flood_is_cut(void **)
{
	struct fixture f;
	uint8_t got[STREAM_RECORD_BYTES];
	ssize_t n = 0;
	int sent = 0;

	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	/* A few are a peer's right ... */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(f.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		tls_peer_write(&f.peer, "k", 1);
		assert_true(stream_fill(f.s, f.io) > 0);
		assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), 1);
		assert_int_equal(stream_write(f.s, f.io, "r", 1), 0);
		assert_int_equal(stream_send(f.s, f.io), 0);
		assert_int_equal(tls_peer_read(&f.peer, got, sizeof(got)), 1);
	}
	/* ... many are not. */
	for (; n >= 0 && sent < 1000; sent++) {
		assert_int_equal(SSL_key_update(f.peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		tls_peer_write(&f.peer, "k", 1);
		assert_true(stream_fill(f.s, f.io) > 0);
		n = stream_read(f.s, f.io, got, sizeof(got));
	}
	assert_int_equal(n, -EPROTO);
	assert_true(sent < 40);
	/* The connection still ends the way the peer needs it. */
	stream_shutdown(f.s, f.io);
	assert_int_equal(stream_send(f.s, f.io), 0);
	assert_int_equal(tls_peer_read(&f.peer, got, sizeof(got)), 0);
	assert_int_equal(SSL_get_shutdown(f.peer.ssl), SSL_RECEIVED_SHUTDOWN);
	close_pair(&f);
}

static void renegotiation_is_refused(void **)
{
	struct fixture f;
	uint8_t got[STREAM_RECORD_BYTES];

	open_pair(&f, TLS1_2_VERSION);
	shake(&f);
	if (SSL_renegotiate(f.peer.ssl) == 1)
		(void)tls_peer_handshake(&f.peer);
	tls_peer_flush(&f.peer);
	assert_true(stream_fill(f.s, f.io) > 0);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), -EAGAIN);
	assert_true(stream_unsent(f.s) > 0); /* the warning */
	assert_true(stream_unsent(f.s) < 100);
	close_pair(&f);
}

static void garbage_fails(void **)
{
	struct fixture f;
	uint8_t got[STREAM_RECORD_BYTES];

	/* instead of a handshake */
	open_pair(&f, TLS1_3_VERSION);
	tls_peer_inject(&f.peer, "GET / HTTP/1.0\r\n\r\n", 18);
	assert_int_equal(stream_fill(f.s, f.io), 18);
	assert_int_equal(stream_handshake(f.s, f.io), -EPROTO);
	stream_shutdown(f.s, f.io);
	close_pair(&f);
	/* and behind one */
	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	tls_peer_inject(&f.peer, "\x17\x03\x03\x00\x20this is no record of anybody....", 37);
	assert_int_equal(stream_fill(f.s, f.io), 37);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), -EPROTO);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), -EPROTO);
	close_pair(&f);
}

/* The very defect of wire.md 1.2 rule 3: a stale error of the thread must not be read as ours. */
static void stale_error_is_not_ours(void **)
{
	struct fixture f;
	uint8_t got[STREAM_RECORD_BYTES];

	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	ERR_raise(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING);
	tls_peer_write(&f.peer, "ok", 2);
	assert_true(stream_fill(f.s, f.io) > 0);
	ERR_raise(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), 2);
	ERR_raise(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), -EAGAIN);
	ERR_raise(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING);
	assert_int_equal(stream_write(f.s, f.io, "ok", 2), 0);
	assert_int_equal(stream_send(f.s, f.io), 0);
	ERR_clear_error();
	close_pair(&f);
}

static void client_side(void **)
{
	struct stream_io *io = stream_io_create();
	struct stream *c, *s;
	int fds[2], hc = -EAGAIN, hs = -EAGAIN;
	uint8_t got[STREAM_RECORD_BYTES];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	c = stream_tls_connect(ctx, fds[0], "10.77.0.1/tcp");
	s = stream_tls_accept(tls_peer_server_ctx(), fds[1]);
	assert_non_null(c);
	assert_non_null(s);
	for (int i = 0; i < 20 && (hc != 0 || hs != 0); i++) {
		hc = stream_handshake(c, io);
		assert_int_equal(stream_send(c, io), 0);
		(void)stream_fill(s, io);
		hs = stream_handshake(s, io);
		assert_int_equal(stream_send(s, io), 0);
		(void)stream_fill(c, io);
	}
	assert_int_equal(hc, 0);
	assert_int_equal(hs, 0);
	assert_string_equal(
		SSL_get_servername(stream_ssl(s), TLSEXT_NAMETYPE_host_name), "10.77.0.1/tcp");
	assert_int_equal(stream_write(c, io, "up", 2), 0);
	assert_int_equal(stream_send(c, io), 0);
	assert_true(stream_fill(s, io) > 0);
	assert_int_equal(stream_read(s, io, got, sizeof(got)), 2);
	assert_true(stream_bytes_in(s) == stream_bytes_out(c));
	stream_close(c);
	stream_close(s);
	stream_io_destroy(io);
	SSL_CTX_free(ctx);
}

/* ---- below TLS (wire.md 6.6) ------------------------------------------------------------------- */

/* What was sent in one segment with the last record is data, and so is what we write behind ours. */
static void raw_behind_the_last_record(void **)
{
	static const char behind[] = "first raw bytes";
	static uint8_t big[STREAM_RECORD_BYTES];
	uint8_t wire[4096], got[4096];
	struct fixture f;
	size_t n;
	ssize_t r;

	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	n = tls_peer_capture(&f.peer, "login", 5, wire, sizeof(wire));
	memcpy(wire + n, behind, sizeof(behind));
	tls_peer_inject(&f.peer, wire, n + sizeof(behind));
	assert_int_equal(stream_fill(f.s, f.io), n + sizeof(behind));
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), 5);
	assert_int_equal(stream_write(f.s, f.io, "welcome", 7), 0);
	n = stream_unsent(f.s);
	assert_true(n > 7);
	assert_int_equal(stream_go_raw(f.s), 0);
	assert_null(stream_ssl(f.s));
	assert_int_equal(stream_park(f.s, f.io), 0); /* another thread takes it over */
	assert_int_equal(stream_read(f.s, f.io, got, 6), 6);
	assert_int_equal(stream_read(f.s, f.io, got + 6, sizeof(got) - 6), sizeof(behind) - 6);
	assert_memory_equal(got, behind, sizeof(behind));
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), -EAGAIN);
	/* Bounded as records are: the welcome is one of the two. */
	assert_int_equal(stream_write(f.s, f.io, "data", 4), 0);
	assert_int_equal(stream_write(f.s, f.io, "data", 4), -ENOBUFS);
	assert_int_equal(stream_send(f.s, f.io), 0);
	r = recv(f.peer.fd, got, sizeof(got), 0);
	assert_int_equal(r, n + 4);
	assert_memory_equal(got + n, "data", 4);
	assert_int_equal(stream_write(f.s, f.io, big, sizeof(big)), 0);
	assert_int_equal(stream_write(f.s, f.io, big, sizeof(big)), 0);
	assert_int_equal(stream_unsent(f.s), 2 * sizeof(big));
	(void)stream_send(f.s, f.io);
	/* No goodbye in band, and nothing more to say. */
	n = stream_unsent(f.s);
	stream_shutdown(f.s, f.io);
	assert_int_equal(stream_unsent(f.s), n);
	assert_int_equal(stream_write(f.s, f.io, "x", 1), -EPROTO);
	close_pair(&f);
}

/* Neither before the handshake nor in the middle of a record, whose rest would be lost. */
static void raw_only_between_records(void **)
{
	struct fixture f;
	uint8_t got[16];

	open_pair(&f, TLS1_2_VERSION);
	assert_int_equal(stream_go_raw(f.s), -EPROTO);
	shake(&f);
	tls_peer_write(&f.peer, "0123456789", 10);
	assert_true(stream_fill(f.s, f.io) > 10);
	assert_int_equal(stream_read(f.s, f.io, got, 4), 4);
	assert_int_equal(stream_go_raw(f.s), -EPROTO);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(got)), 6);
	assert_int_equal(stream_go_raw(f.s), 0);
	close_pair(&f);
}

/* Between turns a connection that has nothing unfinished has no buffer, of ours or of OpenSSL's. */
static void idle_has_no_buffers(void **)
{
	struct fixture f;
	static uint8_t big[STREAM_RECORD_BYTES], got[2 * STREAM_RECORD_BYTES];

	open_pair(&f, TLS1_3_VERSION);
	shake(&f);
	tls_peer_write(&f.peer, big, sizeof(big));
	assert_true(stream_fill(f.s, f.io) > (ssize_t)sizeof(big));
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(big)), sizeof(big));
	assert_int_equal(stream_write(f.s, f.io, big, sizeof(big)), 0);
	assert_int_equal(stream_send(f.s, f.io), 0);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(big)), -EAGAIN);
	assert_int_equal(stream_park(f.s, f.io), 0);
	assert_null(f.s->in.park);
	assert_null(f.s->out.park);
	assert_null(f.io->holder);
	assert_true(SSL_get_mode(f.s->ssl) & SSL_MODE_RELEASE_BUFFERS);
	assert_false(SSL_get_read_ahead(f.s->ssl));
	/* Part of a record takes a buffer of about its size, and gives it back. */
	tls_peer_inject(&f.peer, "\x17\x03\x03\x40\x00 and", 9);
	assert_int_equal(stream_fill(f.s, f.io), 9);
	assert_int_equal(stream_read(f.s, f.io, got, sizeof(big)), -EAGAIN);
	assert_int_equal(stream_park(f.s, f.io), 0);
	assert_non_null(f.s->in.park);
	assert_int_equal(f.s->in.park_class, 0);
	close_pair(&f);
}

static int tcp_option(const struct stream *s, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_int_equal(getsockopt(stream_fd(s), IPPROTO_TCP, option, &value, &size), 0);
	return value;
}

/*
 * On both sides a record leaves at once, and what the kernel has not sent is bounded: more than the two records that
 * a turn commits, or each turn would end at a full socket, and far less than staging holds, where there is a choice.
 */
static void socket_options(void **)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct stream *s[2];

	s[0] = stream_tls_accept(tls_peer_server_ctx(), socket(AF_INET, SOCK_STREAM, 0));
	s[1] = stream_tls_connect(ctx, socket(AF_INET6, SOCK_STREAM, 0), NULL);
	for (int i = 0; i < 2; i++) {
		assert_non_null(s[i]);
		assert_true(tcp_option(s[i], TCP_NODELAY) > 0);
		assert_in_range(
			tcp_option(s[i], TCP_NOTSENT_LOWAT), 2 * STREAM_RECORD_BYTES, 262144);
		stream_close(s[i]);
	}
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_records_tls13),
		cmocka_unit_test(full_records_tls12),
		cmocka_unit_test(handshake_in_single_bytes),
		cmocka_unit_test(partial_record_is_parked),
		cmocka_unit_test(close_notify_is_seen),
		cmocka_unit_test(eof_leaves_the_alert_possible),
		cmocka_unit_test(bytes_behind_the_last_record_stay),
		cmocka_unit_test(two_records_at_most),
		cmocka_unit_test(key_update_flood_is_cut),
		cmocka_unit_test(renegotiation_is_refused),
		cmocka_unit_test(garbage_fails),
		cmocka_unit_test(stale_error_is_not_ours),
		cmocka_unit_test(client_side),
		cmocka_unit_test(raw_behind_the_last_record),
		cmocka_unit_test(raw_only_between_records),
		cmocka_unit_test(idle_has_no_buffers),
		cmocka_unit_test(socket_options),
	};
	int ret = cmocka_run_group_tests(tests, NULL, NULL);

	tls_peer_cleanup();
	return ret;
}
