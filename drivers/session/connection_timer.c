/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keep-alives and the receive time-out of a connection (wire.md 6.7, 6.8). One timer serves both and is
 * not touched per frame: traffic only writes times down, and the timer, when it expires, looks whether
 * anything is really due.
 */

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_random.h>

#include "drivers/session/keepalive.h"
#include "drivers/session/session_priv.h"

/* Errors end the connection; false then. */
static bool keepalive_send(struct lcore *lc, struct session_connection *c)
{
	struct session *s = c->session;
	uint8_t buf[BLOCK_KEEPALIVE_HEADER + BLOCK_KEEPALIVE_SEND + 8];
	uint32_t bytes = (uint32_t)rte_rand_max(BLOCK_KEEPALIVE_SEND + 1);
	uint8_t *payload = block_put_keepalive(buf, bytes);
	int err;

	for (uint32_t i = 0; i < bytes; i += 8) {
		uint64_t r = rte_rand();

		memcpy(payload + i, &r, sizeof(r));
	}
	err = stream_write(c->stream, s->worker->io, buf, BLOCK_KEEPALIVE_HEADER + bytes);
	if (err != 0) {
		connection_end(lc, c, SESSION_END_TLS);
		return false;
	}
	live_add(&s->live.keepalives_out, 1);
	return connection_send(lc, c) != -EPIPE;
}

static void timer_arm(struct lcore *lc, struct session_connection *c)
{
	const struct session *s = c->session;
	uint64_t due = UINT64_MAX, at;

	if (c->member.may_send)
		due = c->last_tx_ms + c->keepalive_ms;
	if (c->member.may_receive) {
		at = c->last_rx_ms + s->timeout_ms;
		due = at < due ? at : due;
	}
	lcore_timer_arm(lc, &c->timer, due);
}

/* Sends one if it is due; a connection that is blocked has bytes under way, which is as good. */
static bool keepalive_run(struct lcore *lc, struct session_connection *c)
{
	uint64_t now = lcore_now_ms(lc);

	if (!c->member.may_send || now < c->last_tx_ms + c->keepalive_ms)
		return true;
	c->last_tx_ms = now;
	c->keepalive_ms = keepalive_interval_ms(c->session->timeout_ms, (uint32_t)rte_rand());
	return c->member.blocked || keepalive_send(lc, c);
}

void connection_timer_start(struct lcore *lc, struct session_connection *c)
{
	c->keepalive_ms = 0; /* the first one at once */
	if (keepalive_run(lc, c))
		timer_arm(lc, c);
}

static bool receive_overdue(const struct lcore *lc, const struct session_connection *c)
{
	return c->member.may_receive && lcore_now_ms(lc) - c->last_rx_ms >= c->session->timeout_ms;
}

void connection_timer_expire(struct lcore *lc, struct lcore_timer *t)
{
	struct session_connection *c = container_of(t, struct session_connection, timer);
	struct session *s = c->session;

	/*
	 * Sockets first (architecture.md 6.7): behind a pause of the worker more sockets may be ready than
	 * one look at epoll reports, and this one wait for the next.
	 */
	if (receive_overdue(lc, c) && !connection_receive(lc, c))
		return;
	if (receive_overdue(lc, c)) {
		connection_end(lc, c, SESSION_END_TIMEOUT);
		return;
	}
	if (!keepalive_run(lc, c))
		return;
	timer_arm(lc, c);
	if (stream_park(c->stream, s->worker->io) != 0)
		connection_end(lc, c, SESSION_END_NO_MEMORY);
}
