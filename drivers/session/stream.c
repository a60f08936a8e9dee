/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Life of a stream, its socket, and parking: the part that knows nothing of TLS. One thread's scratch
 * serves all of its streams, because between two turns a stream keeps only what is unfinished.
 */

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/session/stream_priv.h"

/*
 * What the kernel holds back unsent before it says "full": enough to keep a fast path busy between two
 * turns, little enough that the queue forms in staging, where there is a choice of what to drop
 * (design-options.md 2.4).
 */
#define NOTSENT_LOWAT_BYTES (128 * 1024)

static const size_t park_bytes[STREAM_PARK_CLASSES] = {
	2048,
	STREAM_WIRE_RECORD_BYTES,
	STREAM_RECORDS_MAX *STREAM_WIRE_RECORD_BYTES,
	STREAM_OUT_BYTES > STREAM_IN_BYTES ? STREAM_OUT_BYTES : STREAM_IN_BYTES,
};
/* Buffers kept per thread and class: a burst of half-received records costs no heap. */
static const unsigned park_cache_max[STREAM_PARK_CLASSES] = {256, 64, 64, 2};

struct stream_io *stream_io_create(void)
{
	struct stream_io *io = calloc(1, sizeof(*io));

	if (io == NULL)
		return NULL;
	io->in = aligned_alloc(64, STREAM_IN_BYTES / 64 * 64 + 64);
	io->out = aligned_alloc(64, STREAM_OUT_BYTES);
	if (io->in == NULL || io->out == NULL) {
		stream_io_destroy(io);
		errno = ENOMEM;
		return NULL;
	}
	return io;
}

void stream_io_destroy(struct stream_io *io)
{
	if (io == NULL)
		return;
	if (io->holder != NULL)
		(void)stream_park(io->holder, io);
	for (unsigned c = 0; c < STREAM_PARK_CLASSES; c++) {
		while (io->parks[c] != NULL) {
			struct stream_park *p = io->parks[c];

			io->parks[c] = p->next;
			free(p);
		}
	}
	free(io->in);
	free(io->out);
	free(io);
}

/* ---- park buffers ---------------------------------------------------------------------------- */

static uint8_t *park_get(struct stream_io *io, size_t bytes, unsigned *class)
{
	unsigned c = 0;
	struct stream_park *p;

	while (park_bytes[c] < bytes)
		c++;
	*class = c;
	p = io->parks[c];
	if (p == NULL)
		return malloc(park_bytes[c]);
	io->parks[c] = p->next;
	io->parks_cached[c]--;
	return (uint8_t *)p;
}

static void park_put(struct stream_io *io, struct stream_queue *q)
{
	struct stream_park *p = (struct stream_park *)q->park;

	q->park = NULL;
	if (p == NULL)
		return;
	if (io == NULL || io->parks_cached[q->park_class] >= park_cache_max[q->park_class]) {
		free(p);
		return;
	}
	p->next = io->parks[q->park_class];
	io->parks[q->park_class] = p;
	io->parks_cached[q->park_class]++;
}

static int queue_park(struct stream_io *io, struct stream_queue *q)
{
	uint8_t *buf;
	unsigned class;

	if (q->len == 0) {
		park_put(io, q);
		return 0;
	}
	if (q->park != NULL)
		return 0;
	buf = park_get(io, q->len, &class);
	if (buf == NULL)
		return -ENOMEM;
	memcpy(buf, q->at, q->len);
	q->at = q->park = buf;
	q->park_class = class;
	return 0;
}

/* Brings the queue to the start of `scratch`, so that bytes can be put behind it. */
static void queue_gather(struct stream_io *io, struct stream_queue *q, uint8_t *scratch)
{
	if (q->at == scratch && q->park == NULL)
		return;
	if (q->len != 0)
		memmove(scratch, q->at, q->len);
	q->at = scratch;
	park_put(io, q);
}

int stream_park(struct stream *s, struct stream_io *io)
{
	int err = 0;

	if (queue_park(io, &s->in) != 0 || queue_park(io, &s->out) != 0) {
		/* The bytes cannot be kept, so neither direction means anything any more. */
		err = -ENOMEM;
		s->failed = true;
		s->records = 0;
		if (s->in.park == NULL)
			s->in.len = 0;
		if (s->out.park == NULL)
			s->out.len = 0;
	}
	if (io->holder == s)
		io->holder = NULL;
	s->io = NULL;
	return err;
}

void stream_attach(struct stream *s, struct stream_io *io)
{
	if (io->holder == s)
		return;
	if (io->holder != NULL)
		(void)stream_park(io->holder, io); /* a failure shows in the stream itself */
	assert(s->io == NULL);			   /* else another thread works it */
	io->holder = s;
	s->io = io;
}

void stream_out_gather(struct stream *s, struct stream_io *io)
{
	queue_gather(io, &s->out, io->out);
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct stream *stream_create(SSL_CTX *ctx, int fd, bool client, const char *sni)
{
	struct stream *s = calloc(1, sizeof(*s));
	int one = 1, lowat = NOTSENT_LOWAT_BYTES, err;

	if (s == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	s->fd = fd;
	s->client = client;
	err = stream_tls_init(s, ctx, sni);
	if (err != 0) {
		stream_close(s);
		errno = -err;
		return NULL;
	}
	/* Refused only by sockets that are not TCP (tests), which need neither. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
	return s;
}

struct stream *stream_tls_accept(SSL_CTX *ctx, int fd)
{
	return stream_create(ctx, fd, false, NULL);
}

struct stream *stream_tls_connect(SSL_CTX *ctx, int fd, const char *sni)
{
	return stream_create(ctx, fd, true, sni);
}

void stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	if (s->io != NULL && s->io->holder == s)
		s->io->holder = NULL;
	s->io = NULL;
	SSL_free(s->ssl); /* frees the BIO */
	park_put(NULL, &s->in);
	park_put(NULL, &s->out);
	close(s->fd);
	free(s);
}

/* ---- socket ---------------------------------------------------------------------------------- */

ssize_t stream_fill(struct stream *s, struct stream_io *io)
{
	size_t room;
	ssize_t n;

	stream_attach(s, io);
	queue_gather(io, &s->in, io->in);
	room = STREAM_IN_BYTES - s->in.len;
	if (room == 0)
		return -ENOBUFS;
	do {
		n = recv(s->fd, s->in.at + s->in.len,
			room < STREAM_RECV_BYTES ? room : STREAM_RECV_BYTES, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	s->in.len += n;
	s->bytes_in += n;
	return n;
}

size_t stream_peek(const struct stream *s, const uint8_t **bytes)
{
	*bytes = s->in.at;
	return s->in.len;
}

static void records_sent(struct stream *s, size_t bytes)
{
	unsigned left = 0;

	for (unsigned i = 0; i < s->records; i++) {
		if (s->record_end[i] > bytes)
			s->record_end[left++] = s->record_end[i] - bytes;
	}
	s->records = left;
}

ssize_t stream_send(struct stream *s, struct stream_io *io)
{
	ssize_t n;

	if (s->out.len == 0)
		return 0;
	do {
		n = send(s->fd, s->out.at, s->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? (ssize_t)s->out.len : -errno;
	s->out.at += n;
	s->out.len -= n;
	s->bytes_out += n;
	records_sent(s, n);
	if (s->out.len == 0)
		park_put(io, &s->out);
	return s->out.len;
}

size_t stream_unsent(const struct stream *s)
{
	return s->out.len;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

SSL *stream_ssl(const struct stream *s)
{
	return s->ssl;
}

uint64_t stream_bytes_in(const struct stream *s)
{
	return s->bytes_in;
}

uint64_t stream_bytes_out(const struct stream *s)
{
	return s->bytes_out;
}
