/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Staged frames -> datagrams. A batch is built in a row in the socket's buffer, sealed at once, and given to the
 * kernel in one call. Datagrams of one length that follow each other are one message, which the kernel cuts
 * (UDP_SEGMENT), so that it walks its stack once for dozens of full frames; a shorter one may end a message.
 * The random padding is therefore drawn once for a batch: it hides lengths from those who watch as well as
 * before, and leaves datagrams of equal frames equal.
 */

#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_random.h>

#include "dataplane/hub.h"
#include "drivers/session/session_priv.h"
#include "drivers/session/udp_priv.h"

/* What the kernel cuts at most in one message, and the longest pieces that fit every Ethernet. */
#define SEGMENTS_MAX	  64u
#define MESSAGE_BYTES_MAX 65000u
#define SEGMENT_BYTES_MAX 1452u

struct batch {
	struct udp_datagram d[UDP_BURST];
	struct stats_traffic traffic[UDP_BURST];
	unsigned n;
	uint32_t bytes; /* of the socket's buffer */
	uint32_t padding;
};

static void traffic_of(struct stats_traffic *t, const uint8_t *frame, uint32_t len)
{
	bool broadcast = frame[0] & 1;

	*t = (struct stats_traffic){
		.unicast_frames = !broadcast,
		.unicast_bytes = broadcast ? 0 : len,
		.broadcast_frames = broadcast,
		.broadcast_bytes = broadcast ? len : 0,
	};
}

static void batch_add(struct lcore *lc, struct session_udp *u, struct batch *b,
	const uint8_t *frame, uint32_t len)
{
	struct session *s = u->session;
	uint8_t *out = u->socket->out + b->bytes;
	uint64_t now_ms = lcore_now_ms(lc);
	struct udp_packet p = {
		.cookie = u->send_cookie,
		.tick = udp_path_tick(now_ms),
		.echo = u->path.peer_tick,
		.data = frame,
		.size = (uint16_t)len,
	};
	uint32_t room, bytes;

	if (s->compress) {
		uint8_t *payload = udp_packet_payload(u->form, out);

		/* What does not get shorter goes as it is: the flag is each datagram's own. */
		bytes = zblock_deflate(s->worker->z, frame, len, payload);
		if (bytes < len) {
			p.data = payload;
			p.size = (uint16_t)bytes;
			p.compressed = true;
		}
	}
	traffic_of(&b->traffic[b->n], frame, len);
	room = udp_packet_padding_room(u->form, p.size, u->socket->budget);
	bytes = (uint32_t)udp_packet_put(u->form, &p, RTE_MIN(b->padding, room), out);
	b->d[b->n++] = (struct udp_datagram){.data = out, .bytes = bytes};
	b->bytes += bytes;
}

static void batch_fill_from(
	struct lcore *lc, struct session_udp *u, enum connection_lane lane, struct batch *b)
{
	struct session *s = u->session;
	struct staging_chunk *chunk;

	while (b->n < UDP_BURST && (chunk = staging_peek(&s->staging, lane)) != NULL) {
		uint32_t at = chunk->taken, frames = 0;

		while (at < chunk->bytes && b->n < UDP_BURST) {
			uint32_t len = be32_get(chunk->data + at);

			batch_add(lc, u, b, chunk->data + at + BLOCK_HEADER, len);
			at += BLOCK_HEADER + len;
			frames++;
		}
		staging_take(&s->staging, &s->worker->pool, lane, at, frames);
	}
}

/* Takes frames out of staging until it is empty or the batch full; those that go first, first. */
static void batch_fill(struct lcore *lc, struct session_udp *u, struct batch *b)
{
	struct session *s = u->session;
	uint64_t from = rte_rdtsc();

	b->n = 0;
	b->bytes = 0;
	b->padding = (uint32_t)rte_rand_max(UDP_PACKET_PADDING_MAX + 1);
	batch_fill_from(lc, u, LANE_PRIORITY, b);
	batch_fill_from(lc, u, LANE_NORMAL, b);
	if (s->compress)
		zip_spend(lc, s->worker, ZIP_OUT, from);
}

/* How many datagrams from `first` on the kernel can be left to cut out of one message. */
static unsigned run_of(const struct batch *b, unsigned first)
{
	uint32_t size = b->d[first].bytes, total = size;
	unsigned n = 1;

	if (size > SEGMENT_BYTES_MAX)
		return 1;
	while (first + n < b->n && n < SEGMENTS_MAX && b->d[first + n].bytes <= size &&
		total + b->d[first + n].bytes <= MESSAGE_BYTES_MAX) {
		total += b->d[first + n].bytes;
		if (b->d[first + n++].bytes < size)
			break;
	}
	return n;
}

/* Makes messages of the batch. */
static void batch_messages(struct session_udp *u, const struct batch *b)
{
	struct udp_socket *sock = u->socket;
	socklen_t to_len = udp_address_to(&u->member.peer, &sock->to);

	sock->at = sock->cnt = 0;
	for (unsigned i = 0; i < b->n;) {
		unsigned n = sock->no_segments ? 1 : run_of(b, i);
		struct msghdr *mh = &sock->messages[sock->cnt].msg_hdr;
		struct iovec *iov = &sock->iovs[sock->cnt];
		struct stats_traffic *traffic = &sock->traffic[sock->cnt];

		udp_socket_control(mh, sock->control[sock->cnt], &u->local,
			n > 1 ? (uint16_t)b->d[i].bytes : 0);
		mh->msg_name = &sock->to;
		mh->msg_namelen = to_len;
		*iov = (struct iovec){.iov_base = b->d[i].data};
		*traffic = (struct stats_traffic){0};
		for (unsigned end = i + n; i < end; i++) {
			iov->iov_len += b->d[i].bytes;
			stats_traffic_add(traffic, &b->traffic[i]);
		}
		sock->cnt++;
	}
}

static void batch_send(struct lcore *lc, struct session_udp *u, struct batch *b)
{
	struct udp_socket *sock = u->socket;
	struct session *s = u->session;
	struct stats_traffic sent = {0}, failed = {0};

	udp_packet_seal(u->sealing, b->d, b->n);
	batch_messages(u, b);
	/* What the kernel takes later is committed now: nobody drops it any more. */
	if (!udp_socket_push(lc, sock, &sent, &failed)) {
		for (unsigned i = sock->at; i < sock->cnt; i++)
			stats_traffic_add(&sent, &sock->traffic[i]);
	}
	udp_path_sent(&u->path, lcore_now_ms(lc));
	if (failed.unicast_frames + failed.broadcast_frames != 0)
		hub_count_drop_out(lc, &s->port, STATS_DROP_OUT_DEVICE,
			(unsigned)(failed.unicast_frames + failed.broadcast_frames));
	hub_count_sent(lc, &s->port, &sent);
	live_add(&u->live.frames_out, b->n);
	live_add(&u->live.datagrams_out, b->n);
	live_add(&u->live.bytes_out, b->bytes);
}

void udp_transmit(struct lcore *lc, struct session_udp *u)
{
	struct udp_socket *sock = u->socket;
	struct session *s = u->session;
	struct batch b;

	while (!staging_is_empty(&s->staging)) {
		if (sock->at < sock->cnt) {
			if (!u->waiting)
				TAILQ_INSERT_TAIL(&sock->waiting, u, wait);
			u->waiting = true;
			return;
		}
		if (s->compress && !zip_has_share(s->worker, ZIP_OUT)) {
			lcore_task_add(lc, &s->resume);
			return;
		}
		batch_fill(lc, u, &b);
		batch_send(lc, u, &b);
	}
}
