/* SPDX-License-Identifier: BSD-3-Clause */
/* See member.h: the same way through a connection as the server's own (drivers/session/connection.c). */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "test/bench/load/member.h"
#include "test/bench/load/peer.h"

#define TRANSMIT_RECORDS 2u	     /* in one send */
#define KEEPALIVE_NS	 4000000000u /* wire.md 6.7: a fifth of 20 s */
#define KEEPALIVE_BYTES	 64u

/* ---- in -------------------------------------------------------------------------------------- */

static void arrived_block(struct load *l, struct member *m, const struct block_span *span)
{
	int len;

	if (!m->peer->compress) {
		traffic_arrived(l, m->peer, span->data, span->len);
		return;
	}
	len = zblock_inflate(l->z, span->data, span->len, l->inflated);
	if (len < 0)
		l->traffic.corrupt++;
	else
		traffic_arrived(l, m->peer, l->inflated, (unsigned)len);
}

static void carry_set(struct member *m, const uint8_t *in, size_t len)
{
	m->carry_bytes = (uint32_t)len;
	if (len == 0) {
		free(m->carry);
		m->carry = NULL;
		return;
	}
	if (m->carry == NULL)
		m->carry = malloc(BLOCK_RX_PARTIAL_BYTES);
	if (m->carry == NULL)
		abort(); /* out of memory: a load generator has nothing better to do */
	memcpy(m->carry, in, len);
}

bool member_plain(struct load *l, struct member *m, uint8_t *in, size_t len)
{
	struct block_span spans[LOAD_BURST];
	struct block_rx_result res;

	if (m->carry_bytes != 0) {
		in -= m->carry_bytes;
		len += m->carry_bytes;
		memcpy(in, m->carry, m->carry_bytes);
	}
	do {
		block_rx_parse(&m->rx, in, len, spans, LOAD_BURST, &res);
		for (uint32_t i = 0; i < res.count; i++)
			arrived_block(l, m, &spans[i]);
		in += res.consumed;
		len -= res.consumed;
	} while (res.status == BLOCK_RX_AGAIN);
	if (res.status != BLOCK_RX_MORE) {
		peer_member_ended(l, m, "the server sent a malformed block");
		return false;
	}
	carry_set(m, in, len);
	return true;
}

/* Once for as many records as one recv brings, so that the clock is read once for all their frames. */
static bool receive(struct load *l, struct member *m)
{
	uint8_t *const records = l->plain + BLOCK_RX_PARTIAL_BYTES;
	uint64_t before = stream_bytes_in(m->stream);
	ssize_t filled = stream_fill(m->stream, l->io), n;
	size_t got = 0;

	l->now_ns = load_clock_ns();
	l->wire.from_server += stream_bytes_in(m->stream) - before;
	do {
		n = stream_read(m->stream, l->io, records + got, STREAM_RECORD_BYTES);
		got += n > 0 ? (size_t)n : 0;
		if (got + STREAM_RECORD_BYTES > LOAD_PLAIN_BYTES) {
			if (!member_plain(l, m, records, got))
				return false;
			got = 0;
		}
	} while (n > 0);
	if (got != 0 && !member_plain(l, m, records, got))
		return false;
	if (n == 0 || filled == 0) {
		peer_member_ended(l, m, "the server closed the connection");
		return false;
	}
	if (n != -EAGAIN || (filled < 0 && filled != -EAGAIN && filled != -ENOBUFS)) {
		peer_member_ended(l, m, "the connection broke");
		return false;
	}
	return stream_park(m->stream, l->io) == 0;
}

/* ---- out ------------------------------------------------------------------------------------- */

/* One send of what waits; false: ended. */
static bool transmit_send(struct load *l, struct member *m)
{
	uint64_t before = stream_bytes_out(m->stream);
	ssize_t left = stream_send(m->stream, l->io);
	bool blocked = left > 0;

	l->wire.to_server += stream_bytes_out(m->stream) - before;
	if (left < 0) {
		peer_member_ended(l, m, "the connection broke while sending");
		return false;
	}
	m->lateness = blocked ? m->lateness + 1 : 0;
	if (blocked != m->blocked) {
		m->blocked = blocked;
		if (!blocked)
			m->peer->unblocked_ns = l->now_ns;
		load_watch_change(
			l, stream_fd(m->stream), &m->watch, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
	return !blocked || stream_park(m->stream, l->io) == 0;
}

bool member_transmit(struct load *l, struct member *m)
{
	for (unsigned i = 0; i < TRANSMIT_RECORDS; i++) {
		size_t bytes = traffic_fill(l, m->peer, l->record, sizeof(l->record));
		int err;

		if (bytes == 0)
			break;
		err = stream_write(m->stream, l->io, l->record, bytes);
		if (err != 0) {
			peer_member_ended(l, m, "TLS would not encrypt");
			return false;
		}
		m->sent_ns = l->now_ns;
	}
	return transmit_send(l, m);
}

bool member_keepalive(struct load *l, struct member *m)
{
	uint8_t message[BLOCK_KEEPALIVE_HEADER + KEEPALIVE_BYTES] = {0};

	if (!m->may_send || m->blocked || l->now_ns - m->sent_ns < KEEPALIVE_NS)
		return true;
	block_put_keepalive(message, KEEPALIVE_BYTES);
	if (stream_write(m->stream, l->io, message, sizeof(message)) != 0)
		return true;
	m->sent_ns = l->now_ns;
	return transmit_send(l, m);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void member_ready(struct load *l, struct watch *w, uint32_t events)
{
	struct member *m = (struct member *)w;

	if (events & EPOLLOUT && m->blocked) {
		if (!transmit_send(l, m))
			return;
		if (!m->blocked)
			peer_ready(l, m->peer);
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		(void)receive(l, m);
}

struct member *member_create(struct load *l, struct peer *p, struct stream *stream, bool may_send)
{
	struct member *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	m->watch.ready = member_ready;
	m->peer = p;
	m->stream = stream;
	m->may_send = may_send;
	block_rx_init(&m->rx, p->compress);
	load_watch_change(l, stream_fd(stream), &m->watch, EPOLLIN);
	return m;
}

void member_destroy(struct load *l, struct member *m)
{
	load_unwatch(l, stream_fd(m->stream));
	stream_shutdown(m->stream, l->io);
	(void)stream_send(m->stream, l->io);
	stream_close(m->stream);
	free(m->carry);
	free(m);
}
