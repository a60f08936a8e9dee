/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data phase below TLS (wire.md 6.6). Since OpenSSL has only ever been given whole records out of `in`,
 * what stands there when TLS is left behind is the beginning of the data, and nothing needs to be moved.
 */

#include <errno.h>
#include <string.h>

#include "drivers/session/stream_priv.h"

int stream_go_raw(struct stream *s)
{
	if (s->failed || !s->ready || s->shut || SSL_pending(s->ssl) != 0)
		return -EPROTO;
	SSL_free(s->ssl); /* and the BIO; silently, since nobody asks for a shutdown */
	s->ssl = NULL;
	s->raw = true;
	return 0;
}

ssize_t stream_raw_read(struct stream *s, struct stream_io *io, void *buf, size_t size)
{
	size_t n = size < s->in.len ? size : s->in.len;

	stream_attach(s, io);
	if (s->failed)
		return -EPROTO;
	if (n == 0)
		return -EAGAIN;
	memcpy(buf, s->in.at, n);
	s->in.at += n;
	s->in.len -= n;
	return (ssize_t)n;
}

int stream_raw_write(struct stream *s, struct stream_io *io, const void *buf, size_t size)
{
	stream_attach(s, io);
	stream_out_gather(s, io);
	if (size > STREAM_OUT_BYTES - s->out.len) {
		s->failed = true;
		return -EPROTO;
	}
	memcpy(s->out.at + s->out.len, buf, size);
	s->out.len += size;
	s->record_end[s->records++] = s->out.len;
	return 0;
}
