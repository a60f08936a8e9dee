/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One TCP connection of a session on its worker: bytes in become frames, staged chunks become records
 * out, and each end leaves the stream with the control thread.
 *
 * In one turn a connection gets one recv of up to 64 KiB; epoll is level-triggered, so what is left
 * brings it back in the next turn, behind everybody else. All records of a fill are decrypted in a row
 * into the worker's buffer, so that the frames of many small records still reach the hub in full bursts.
 * Not more than RECORDS_PER_TURN of them, because the smallest cost a hundred times as much per byte as
 * full ones; what is left then is gone through before the socket is asked again.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <rte_common.h>

#include "dataplane/hub.h"
#include "dataplane/mss.h"
#include "drivers/session/session_priv.h"
#include "drivers/session/udp_priv.h"

/* Chunks in one send(): what may be committed and unsent (architecture.md 3). */
#define TRANSMIT_CHUNKS 2u

/* Plaintext of compressed blocks that small records are gathered up to. */
#define ZIP_SMALL_BYTES 4096u

/* A recv of 64 KiB holds four full records or 2 800 of one byte, which took 9 ms to decrypt. */
#define RECORDS_PER_TURN 256u

/* ---- in -------------------------------------------------------------------------------------- */

static void input_spans(
	struct lcore *lc, struct session *s, const struct block_span *spans, unsigned n)
{
	struct frame frames[FRAME_BURST];
	const uint16_t mss = session_mss(s);

	if (s->compress) {
		zip_input(lc, s, spans, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		/* The hub never writes borrowed bytes (hub.h), so the cast takes nothing away. */
		frames[i] = (struct frame){
			.data = (uint8_t *)(uintptr_t)spans[i].data, .len = (uint16_t)spans[i].len};
		/* They stand in the worker's own buffer. */
		if (mss != 0)
			(void)mss_clamp(frames[i].data, frames[i].len, mss);
	}
	hub_input(lc, &s->port, frames, n);
}

/* All that a keep-alive may say (wire.md 6.7). */
static void keepalive_input(struct session *s, const struct block_span *payload)
{
	uint16_t port = s->udp != NULL ? block_keepalive_natt_port(payload) : 0;

	if (port != 0)
		udp_natt_port(s->udp, port);
}

/*
 * Gives the frames of `len` bytes at `in` to the hub. Returns the bytes of a partial block at the end, which
 * were not used, or -EPROTO.
 */
static ssize_t input_plain(
	struct lcore *lc, struct session_connection *c, const uint8_t *in, size_t len)
{
	struct session *s = c->session;
	struct block_span spans[FRAME_BURST];
	struct block_rx_result res;
	bool alive = false;

	do {
		block_rx_parse(&c->rx, in, len, spans, FRAME_BURST, &res);
		if (res.count != 0)
			input_spans(lc, s, spans, res.count);
		if (res.too_short != 0)
			hub_count_drop_in(lc, &s->port, STATS_DROP_IN_SHORT, res.too_short);
		if (res.too_long != 0)
			hub_count_drop_in(lc, &s->port, STATS_DROP_IN_LONG, res.too_long);
		if (res.keepalive.data != NULL) {
			live_add(&s->live.keepalives_in, 1);
			keepalive_input(s, &res.keepalive);
		}
		alive |= block_rx_alive(&res);
		in += res.consumed;
		len -= res.consumed;
	} while (res.status == BLOCK_RX_AGAIN);
	if (alive) {
		c->last_rx_ms = lcore_now_ms(lc);
		live_set(&s->live.last_rx_ms, c->last_rx_ms);
	}
	return res.status == BLOCK_RX_MORE ? (ssize_t)len : -EPROTO;
}

/* Keeps a partial block until the next turn; gives the buffer back when there is none. */
static int carry_set(struct session_connection *c, const uint8_t *in, size_t len)
{
	struct session_worker *w = c->session->worker;

	c->carry_bytes = (uint32_t)len;
	if (len == 0) {
		carry_put(w, c->carry);
		c->carry = NULL;
		return 0;
	}
	if (c->carry == NULL) {
		c->carry = carry_get(w);
		if (c->carry == NULL)
			return -ENOMEM;
	}
	memcpy(c->carry->data, in, len);
	return 0;
}

/* Decrypts and delivers whole records, within the turn's share. 0 or why the connection has to end. */
static int input_records(struct lcore *lc, struct session_connection *c, enum session_end *why)
{
	struct session_worker *w = c->session->worker;
	uint8_t *const records = w->plain + BLOCK_RX_PARTIAL_BYTES;
	size_t carried = c->carry_bytes, got;
	/*
	 * Compressed blocks cost so much more than their records that the share is asked after each full one, of
	 * which the densest take 3 ms, and after each few small ones.
	 */
	const bool zip = c->session->compress;
	const size_t room = zip ? STREAM_RECORD_BYTES + ZIP_SMALL_BYTES : SESSION_PLAIN_BYTES;
	unsigned share = RECORDS_PER_TURN;
	ssize_t n, left;

	if (carried != 0)
		memcpy(records - carried, c->carry->data, carried);
	do {
		got = 0;
		do {
			n = stream_read(c->stream, w->io, records + got, STREAM_RECORD_BYTES);
			got += n > 0 ? n : 0;
		} while (n > 0 && --share > 0 && got + STREAM_RECORD_BYTES <= room);
		left = input_plain(lc, c, records - carried, carried + got);
		if (left < 0) {
			*why = SESSION_END_PROTOCOL;
			return -EPROTO;
		}
		/* The rest goes in front of the next records. */
		memmove(records - left, records + got - left, left);
		carried = left;
	} while (n > 0 && share > 0 && (!zip || zip_has_share(w, ZIP_IN)));
	c->backlog = n > 0;
	if (n <= 0 && n != -EAGAIN) {
		*why = n == 0 ? SESSION_END_PEER_CLOSED : SESSION_END_TLS;
		return -EPROTO;
	}
	if (carry_set(c, records - carried, carried) != 0) {
		*why = SESSION_END_NO_MEMORY;
		return -ENOMEM;
	}
	return 0;
}

static void wire_in_count(struct session_connection *c)
{
	uint64_t bytes = stream_bytes_in(c->stream);

	live_add(&c->session->live.wire_bytes_in, bytes - c->bytes_in_seen);
	c->bytes_in_seen = bytes;
}

static enum session_end socket_end(ssize_t err)
{
	return err == -ETIMEDOUT ? SESSION_END_TIMEOUT : SESSION_END_RESET;
}

bool connection_receive(struct lcore *lc, struct session_connection *c)
{
	struct session_worker *w = c->session->worker;
	enum session_end why = SESSION_END_CNT;
	ssize_t n = c->backlog ? -EAGAIN : stream_fill(c->stream, w->io);
	int err;

	/* Whatever recv said: what came before still counts, and a hand-over brings unread bytes. */
	wire_in_count(c);
	err = input_records(lc, c, &why);
	if (n < 0 && n != -EAGAIN && n != -ENOBUFS) {
		why = socket_end(n);
		c->dead = true;
	} else if (n == 0 && err == 0 && !c->backlog) {
		why = SESSION_END_PEER_CLOSED;
	}
	if (why != SESSION_END_CNT) {
		connection_end(lc, c, why);
		return false;
	}
	if (c->backlog)
		lcore_task_add(lc, &c->more);
	if (stream_unsent(c->stream) != 0 && !c->member.blocked && connection_send(lc, c) == -EPIPE)
		return false; /* an alert or the answer to a KeyUpdate */
	if (stream_park(c->stream, w->io) != 0) {
		connection_end(lc, c, SESSION_END_NO_MEMORY);
		return false;
	}
	return true;
}

/* Receives now, or in the next turn where this one's share of compression is used up. */
static void connection_receive_shared(struct lcore *lc, struct session_connection *c)
{
	if (c->session->compress && !zip_has_share(c->session->worker, ZIP_IN))
		lcore_task_add(lc, &c->more);
	else
		(void)connection_receive(lc, c);
}

static void connection_more(struct lcore *lc, struct lcore_task *task)
{
	connection_receive_shared(lc, container_of(task, struct session_connection, more));
}

/* ---- out ------------------------------------------------------------------------------------- */

int connection_send(struct lcore *lc, struct session_connection *c)
{
	struct session *s = c->session;
	ssize_t left = stream_send(c->stream, s->worker->io);
	uint64_t bytes = stream_bytes_out(c->stream);
	bool blocked = left > 0, was_blocked = c->member.blocked;

	live_add(&s->live.wire_bytes_out, bytes - c->bytes_out_seen);
	c->bytes_out_seen = bytes;
	if (left < 0) {
		c->dead = true;
		connection_end(lc, c, socket_end(left));
		return -EPIPE;
	}
	connection_member_wrote(&c->member, blocked);
	if (blocked == was_blocked)
		return blocked ? -EAGAIN : 0;
	if (lcore_fd_mod(lc, &c->lfd, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN) != 0) {
		connection_end(lc, c, SESSION_END_NO_MEMORY);
		return -EPIPE;
	}
	return blocked ? -EAGAIN : 0;
}

/*
 * The same for a session that also has a UDP path: frames wait one by one, and some of the chunk may have gone
 * that way. What is left becomes one group, whose count takes the place of what stood in front of it.
 */
static int transmit_frames(struct session_connection *c, enum connection_lane lane,
	struct staging_chunk *chunk, struct stats_traffic *sent)
{
	struct session *s = c->session;
	uint8_t *group = chunk->data + chunk->taken - BLOCK_GROUP_HEADER;
	struct stats_traffic traffic = {0};
	uint32_t at = chunk->taken, frames = 0, len;
	int err;

	for (; at < chunk->bytes && frames < STAGING_GROUP_FRAMES; at += BLOCK_HEADER + len) {
		len = be32_get(chunk->data + at);
		frames++;
		if (chunk->data[at + BLOCK_HEADER] & 1) {
			traffic.broadcast_frames++;
			traffic.broadcast_bytes += len;
		} else {
			traffic.unicast_frames++;
			traffic.unicast_bytes += len;
		}
	}
	block_put_group(group, frames);
	err = stream_write(c->stream, s->worker->io, group, (size_t)(chunk->data + at - group));
	if (err != 0)
		return err;
	stats_traffic_add(sent, &traffic);
	staging_take(&s->staging, &s->worker->pool, lane, at, frames);
	return 0;
}

/* Encrypts the frames of one chunk, or those of its first that make a record compressed. */
static int transmit_chunk(struct lcore *lc, struct session_connection *c, enum connection_lane lane,
	struct staging_chunk *chunk, struct stats_traffic *sent)
{
	struct session *s = c->session;
	struct session_worker *w = s->worker;
	struct stats_traffic traffic = {0};
	uint32_t to, frames;
	size_t bytes;
	int err;

	if (!s->compress && s->udp != NULL)
		return transmit_frames(c, lane, chunk, sent);
	if (!s->compress) {
		err = stream_write(c->stream, w->io, chunk->data, chunk->bytes);
		if (err != 0)
			return err;
		stats_traffic_add(sent, &chunk->traffic);
		staging_pop(&s->staging, &w->pool, lane);
		return 0;
	}
	if (!zip_has_share(w, ZIP_OUT))
		return -EAGAIN;
	bytes = zip_group(lc, w, chunk, &to, &frames, &traffic);
	err = stream_write(c->stream, w->io, w->deflated, bytes);
	if (err != 0)
		return err;
	stats_traffic_add(sent, &traffic);
	staging_take(&s->staging, &w->pool, lane, to, frames);
	return 0;
}

int connection_transmit(struct lcore *lc, struct session_connection *c, enum connection_lane lane)
{
	struct session *s = c->session;
	struct stats_traffic sent = {0};
	struct staging_chunk *chunk;
	int err = 0;

	for (unsigned i = 0; i < TRANSMIT_CHUNKS && err == 0; i++) {
		chunk = staging_peek(&s->staging, lane);
		if (chunk == NULL)
			break;
		err = transmit_chunk(lc, c, lane, chunk, &sent);
	}
	if (sent.unicast_frames + sent.broadcast_frames != 0) {
		hub_count_sent(lc, &s->port, &sent);
		c->last_tx_ms = lcore_now_ms(lc);
	}
	if (err == -EPROTO) {
		connection_end(lc, c, SESSION_END_TLS);
		return -EPIPE;
	}
	return connection_send(lc, c);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void connection_ready(struct lcore *lc, struct lcore_fd *lfd, uint32_t events)
{
	struct session_connection *c = container_of(lfd, struct session_connection, lfd);
	struct session *s = c->session;

	if (events & EPOLLOUT && c->member.blocked) {
		switch (connection_send(lc, c)) {
		case 0:
			lcore_flush_add(lc, &s->flush);
			break;
		case -EPIPE:
			return;
		default:
			break;
		}
	}
	/* With a backlog its task has been here in this turn. */
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !c->backlog)
		connection_receive_shared(lc, c);
}

/*
 * Where nothing is to be received only TCP can tell that the peer is gone: by what it has not acknowledged
 * for the time-out. Refused only by sockets that are not TCP.
 */
static void connection_no_answer(const struct session_connection *c)
{
	if (!c->member.may_receive)
		(void)setsockopt(stream_fd(c->stream), IPPROTO_TCP, TCP_USER_TIMEOUT,
			&c->session->timeout_ms, sizeof(c->session->timeout_ms));
}

void connection_join(struct lcore *lc, struct session *s, struct session_connection *c)
{
	c->session = s;
	c->last_rx_ms = c->last_tx_ms = c->member.joined_ms = lcore_now_ms(lc);
	c->bytes_in_seen =
		stream_bytes_in(c->stream); /* of the login: the control plane's account */
	c->bytes_out_seen = stream_bytes_out(c->stream);
	c->timer.expire = connection_timer_expire;
	c->more.run = connection_more;
	c->lfd = (struct lcore_fd){.fd = stream_fd(c->stream), .ready = connection_ready};
	block_rx_init(&c->rx, s->compress);
	if (s->state != SESSION_LIVE) {
		connection_end(lc, c, SESSION_END_SESSION_GONE);
		return;
	}
	if (!connection_set_admits(&s->set)) {
		connection_end(lc, c, SESSION_END_TOO_MANY);
		return;
	}
	if (lcore_fd_add(lc, &c->lfd, EPOLLIN) != 0) {
		connection_end(lc, c, SESSION_END_NO_MEMORY);
		return;
	}
	if (c->member.may_send && s->set.sender_cnt == 0)
		staging_connected(&s->staging, lcore_run_ms(lc));
	connection_set_join(&s->set, &c->member);
	connection_no_answer(c);
	live_add(&s->live.connections_joined, 1);
	if (s->udp != NULL)
		udp_expect(s->udp, stream_fd(c->stream));
	session_connections_changed(lc, s);
	if (stream_unsent(c->stream) != 0 && connection_send(lc, c) == -EPIPE)
		return; /* what was left of the welcome */
	connection_timer_start(lc, c);
	/*
	 * Bytes may have come between the last read of the control thread and now, and some may stand in
	 * the stream without anything more in the socket: read once without being asked.
	 */
	if (s->set.cnt != 0 && s->set.members[s->set.cnt - 1] == &c->member)
		(void)connection_receive(lc, c);
}

void connection_end(struct lcore *lc, struct session_connection *c, enum session_end why)
{
	struct session *s = c->session;
	struct session_worker *w = s->worker;
	bool member = connection_set_leave(&s->set, &c->member);

	if (member) {
		lcore_fd_del(lc, &c->lfd);
		lcore_timer_cancel(lc, &c->timer);
		lcore_task_cancel(lc, &c->more);
	}
	carry_put(w, c->carry);
	c->carry = NULL;
	c->why = why;
	if (!c->dead) {
		stream_shutdown(c->stream, w->io);
		if (stream_send(c->stream, w->io) < 0)
			c->dead = true;
		live_add(&s->live.wire_bytes_out, stream_bytes_out(c->stream) - c->bytes_out_seen);
	}
	if (stream_park(c->stream, w->io) != 0)
		c->dead = true;
	c->ended.fn = session_on_connection_ended;
	lcore_event_post(lc, &c->ended);
	if (!member)
		return;
	session_connections_changed(lc, s);
	/*
	 * A peer that said nothing for the time-out has used up its session's as well (wire.md 6.8),
	 * unless it spoke on another connection, which was lost before this one.
	 */
	if (why == SESSION_END_TIMEOUT && s->set.cnt == 0 && s->state == SESSION_LIVE)
		lcore_timer_arm(lc, &s->alone,
			atomic_load_explicit(&s->live.last_rx_ms, memory_order_relaxed) +
				s->timeout_ms);
}
