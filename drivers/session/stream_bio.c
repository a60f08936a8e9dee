/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * OpenSSL's transport: reads take from a stream's `in`, writes append to its `out`, nothing else. No
 * system call happens under an SSL_*() call, which is why the CPU work of a handshake can run on any
 * thread and why several records leave with one send().
 *
 * End of file is not told to OpenSSL: the owner of the stream sees it from stream_fill(), and an SSL
 * object that has never heard of it can still make the close_notify that the peer needs
 * (wire.md 1.2 rule 3).
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/bio.h>

#include "drivers/session/stream_priv.h"

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static int bio_read(BIO *bio, char *buf, size_t size, size_t *done)
{
	struct stream *s = BIO_get_data(bio);
	size_t n = size < s->in.len ? size : s->in.len;

	BIO_clear_retry_flags(bio);
	*done = n;
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(buf, s->in.at, n);
	s->in.at += n;
	s->in.len -= n;
	return 1;
}

static int bio_write(BIO *bio, const char *buf, size_t size, size_t *done)
{
	struct stream *s = BIO_get_data(bio);
	struct stream_io *io = s->io;
	size_t room, n;

	BIO_clear_retry_flags(bio);
	*done = 0;
	if (io == NULL) /* nobody works the stream: SSL_free() has nothing to say any more */
		return -1;
	stream_out_gather(s, io);
	room = STREAM_OUT_BYTES - s->out.len;
	n = size < room ? size : room;
	if (n == 0) {
		BIO_set_retry_write(bio);
		return -1;
	}
	memcpy(s->out.at + s->out.len, buf, n);
	s->out.len += n;
	*done = n;
	return 1;
}

static long bio_ctrl(BIO *, int cmd, long, void *)
{
	/* OpenSSL flushes after each flight; there is nothing to flush in memory. */
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP ? 1 : 0;
}

static void method_init(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

	if (m == NULL)
		return;
	BIO_meth_set_read_ex(m, bio_read);
	BIO_meth_set_write_ex(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	method = m;
}

BIO *stream_bio_create(struct stream *s)
{
	BIO *bio;

	pthread_once(&method_once, method_init);
	bio = method != NULL ? BIO_new(method) : NULL;
	if (bio == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	BIO_set_shutdown(bio, 0);
	return bio;
}

__attribute__((destructor)) static void method_fini(void)
{
	BIO_meth_free(method);
	method = NULL;
}
