/* SPDX-License-Identifier: BSD-3-Clause */
/* See tls_peer.h. Failures abort the test through cmocka's asserts. */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "test/unit/tls_peer.h"

static SSL_CTX *server_ctx;

SSL_CTX *tls_peer_server_ctx(void)
{
	EVP_PKEY *key;
	X509 *cert;

	if (server_ctx != NULL)
		return server_ctx;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	assert_non_null(key);
	assert_non_null(cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)"patchbay test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	server_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(server_ctx, TLS1_2_VERSION);
	SSL_CTX_set_num_tickets(server_ctx, 0);
	SSL_CTX_set_session_cache_mode(server_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(server_ctx, SSL_OP_NO_TICKET);
	assert_int_equal(SSL_CTX_use_certificate(server_ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server_ctx, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
	return server_ctx;
}

void tls_peer_cleanup(void)
{
	SSL_CTX_free(server_ctx);
	server_ctx = NULL;
}

void tls_peer_attach(struct tls_peer *p, int version, int fd)
{
	p->raw = false;
	p->fd = fd;
	p->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(p->ctx, version);
	SSL_CTX_set_max_proto_version(p->ctx, version);
	SSL_CTX_set_options(p->ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	p->ssl = SSL_new(p->ctx);
	SSL_set_bio(p->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(p->ssl), -1);
	SSL_set_connect_state(p->ssl);
}

int tls_peer_open(struct tls_peer *p, int version)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	tls_peer_attach(p, version, fds[0]);
	return fds[1];
}

void tls_peer_close(struct tls_peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	close(p->fd);
}

static void pull(struct tls_peer *p)
{
	uint8_t buf[16384];
	ssize_t n;

	while ((n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(p->ssl), buf, (int)n), n);
}

void tls_peer_inject(struct tls_peer *p, const void *wire, size_t size)
{
	const uint8_t *at = wire;

	while (size > 0) {
		ssize_t n = send(p->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = {.fd = p->fd, .events = POLLOUT};

			assert_int_equal(poll(&pfd, 1, 5000), 1);
			continue;
		}
		assert_true(n > 0);
		at += n;
		size -= n;
	}
}

void tls_peer_flush(struct tls_peer *p)
{
	char *data;
	long n = BIO_get_mem_data(SSL_get_wbio(p->ssl), &data);

	tls_peer_inject(p, data, n);
	(void)BIO_reset(SSL_get_wbio(p->ssl));
}

int tls_peer_handshake(struct tls_peer *p)
{
	int ret;

	pull(p);
	ERR_clear_error();
	ret = SSL_do_handshake(p->ssl);
	ERR_clear_error();
	tls_peer_flush(p);
	return ret;
}

size_t tls_peer_capture(struct tls_peer *p, const void *buf, size_t size, void *wire, size_t cap)
{
	char *data;
	long n;

	ERR_clear_error();
	assert_int_equal(SSL_write(p->ssl, buf, (int)size), size);
	n = BIO_get_mem_data(SSL_get_wbio(p->ssl), &data);
	assert_true((size_t)n <= cap);
	memcpy(wire, data, n);
	(void)BIO_reset(SSL_get_wbio(p->ssl));
	return n;
}

void tls_peer_write(struct tls_peer *p, const void *buf, size_t size)
{
	if (p->raw) {
		tls_peer_inject(p, buf, size);
		return;
	}
	ERR_clear_error();
	assert_int_equal(SSL_write(p->ssl, buf, (int)size), size);
	tls_peer_flush(p);
}

void tls_peer_try_write(struct tls_peer *p, const void *buf, size_t size)
{
	char *data;
	long n;
	ssize_t sent = 0;

	if (p->raw) {
		sent = send(p->fd, buf, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	ERR_clear_error();
	if (SSL_write(p->ssl, buf, (int)size) > 0) {
		n = BIO_get_mem_data(SSL_get_wbio(p->ssl), &data);
		sent = send(p->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	(void)sent;
	ERR_clear_error();
	(void)BIO_reset(SSL_get_wbio(p->ssl));
}

ssize_t tls_peer_read(struct tls_peer *p, void *buf, size_t size)
{
	size_t got = 0, n;
	ssize_t r;

	if (p->raw) {
		r = recv(p->fd, buf, size, MSG_DONTWAIT);
		return r > 0 ? r : 0;
	}
	pull(p);
	ERR_clear_error();
	while (got < size && SSL_read_ex(p->ssl, (uint8_t *)buf + got, size - got, &n) == 1)
		got += n;
	ERR_clear_error();
	return got;
}
