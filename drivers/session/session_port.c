/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session as a port of its hub, on its worker: copies go into staging as they come, and leave once a
 * turn over the connection that wire.md 6.5 names (connection_set.h).
 */

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "dataplane/hub.h"
#include "dataplane/mss.h"
#include "drivers/session/priority.h"
#include "drivers/session/session_priv.h"
#include "drivers/session/udp_priv.h"

static void queued_publish(struct lcore *lc, struct session *s)
{
	if (s->staging.flood_bytes != s->flood_told) {
		hub_flood_waiting(
			lc, &s->port, (int64_t)s->staging.flood_bytes - (int64_t)s->flood_told);
		s->flood_told = s->staging.flood_bytes;
	}
	live_set(&s->live.queued_frames, s->staging.frames);
	live_set(&s->live.queued_bytes, s->staging.bytes);
}

static void expire(struct lcore *lc, struct session *s)
{
	unsigned dropped;

	if (s->set.sender_cnt == 0)
		return; /* it waits for a connection */
	dropped = staging_expire(&s->staging, &s->worker->pool, lcore_run_ms(lc));
	if (dropped != 0)
		hub_count_drop_out(lc, &s->port, STATS_DROP_OUT_STAGING_AGE, dropped);
}

void session_mss_changed(struct session *s, uint16_t udp_mss)
{
	s->mss = s->adjust_mss;
	if (udp_mss != 0 && (s->mss == 0 || udp_mss < s->mss))
		s->mss = udp_mss;
}

/* Stages a TCP SYN with the MSS that the session's path has room for; the frame itself is everybody's. */
static unsigned put_clamped(struct session *s, enum connection_lane lane, const struct frame *f,
	uint16_t mss, bool connected, uint64_t now_ms)
{
	uint8_t copy[FRAME_MAX_BYTES];
	struct frame clamped = *f;

	memcpy(copy, f->data, f->len);
	(void)mss_clamp(copy, f->len, mss);
	clamped.data = copy;
	return staging_put(&s->staging, &s->worker->pool, lane, &clamped, connected, now_ms);
}

static void session_tx_burst(
	struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	struct session *s = container_of(port, struct session, port);
	unsigned counts[STATS_DROP_OUT_CNT + 1] = {0}; /* the last one: taken */
	bool connected = s->set.sender_cnt != 0 || (s->udp != NULL && udp_active(s->udp));
	const uint16_t mss = session_mss(s);
	uint64_t now_ms = lcore_run_ms(lc);

	expire(lc, s); /* the old make room for the new */
	for (unsigned i = 0; i < n; i++) {
		enum connection_lane lane =
			s->set.qos && frame_has_priority(frames[i]) ? LANE_PRIORITY : LANE_NORMAL;

		if (mss != 0 && mss_is_syn(frames[i]->data, frames[i]->len))
			counts[put_clamped(s, lane, frames[i], mss, connected, now_ms)]++;
		else
			counts[staging_put(&s->staging, &s->worker->pool, lane, frames[i],
				connected, now_ms)]++;
	}
	hub_count_copies(lc, port, n);
	if (counts[STAGING_TAKEN] != n) {
		for (unsigned r = 0; r < STATS_DROP_OUT_CNT; r++) {
			if (counts[r] != 0)
				hub_count_drop_out(lc, port, (enum stats_drop_out)r, counts[r]);
		}
	}
	queued_publish(lc, s);
	if (connected)
		lcore_flush_add(lc, &s->flush);
}

const struct port_ops session_port_ops = {
	.kind = "session",
	.tx_burst = session_tx_burst,
};

/*
 * What a lane holds, as long as a connection takes it. False when this turn's share is used up.
 *
 * Up to two records are one send(); what is longer takes another for each two. One send for all of it would need all of
 * it encrypted first, and whether the socket takes more than it just did only the next call tells: what it leaves could
 * neither be dropped any more nor go over another connection (architecture.md 3: two records are committed at most). One
 * send in this turn and the rest in the next would keep that, and have every session wait through a turn of all others
 * for what its socket would have taken at once.
 */
static bool lane_flush(struct lcore *lc, struct session *s, enum connection_lane lane)
{
	struct connection_member *m;

	/* Ends: each round empties two chunks, blocks a connection, or loses one. */
	while (!staging_lane_is_empty(&s->staging, lane) &&
		(m = connection_set_choose(&s->set, lane)) != NULL) {
		struct session_connection *c = connection_of(m);

		if (s->compress && !zip_has_share(s->worker, ZIP_OUT)) {
			lcore_task_add(lc, &s->resume);
			return false;
		}
		if (connection_transmit(lc, c, lane) == -EAGAIN &&
			stream_park(c->stream, s->worker->io) != 0)
			connection_end(lc, c, SESSION_END_NO_MEMORY);
	}
	return true;
}

void session_flush(struct lcore *lc, struct lcore_flush *fl)
{
	struct session *s = container_of(fl, struct session, flush);

	expire(lc, s);
	if (s->udp != NULL && udp_active(s->udp))
		udp_transmit(lc, s->udp);
	else if (lane_flush(lc, s, LANE_PRIORITY))
		(void)lane_flush(lc, s, LANE_NORMAL);
	queued_publish(lc, s);
}

void session_connections_changed(struct lcore *lc, struct session *s)
{
	live_set(&s->live.connections, s->set.cnt);
	if (s->state != SESSION_LIVE)
		return;
	growth_changed(lc, s);
	if (s->set.cnt == 0) {
		lcore_timer_arm(lc, &s->alone, lcore_now_ms(lc) + s->timeout_ms);
		return;
	}
	lcore_timer_cancel(lc, &s->alone);
	if (!staging_is_empty(&s->staging))
		lcore_flush_add(lc, &s->flush);
}

void session_alone_expire(struct lcore *lc, struct lcore_timer *t)
{
	struct session *s = container_of(t, struct session, alone);

	session_stop(lc, s, SESSION_END_TIMEOUT);
	/* Messages for it may be under way: the control thread answers with the last one. */
	s->ending.fn = session_on_ending;
	lcore_event_post(lc, &s->ending);
}

void session_start(struct lcore *lc, struct session *s, struct session_connection *c)
{
	s->state = SESSION_LIVE;
	hub_port_join(lc, &s->port);
	if (s->udp != NULL)
		udp_start(lc, s->udp);
	growth_start(lc, s);
	connection_join(lc, s, c);
	if (s->set.cnt == 0)
		session_connections_changed(lc, s);
}

void session_stop(struct lcore *lc, struct session *s, enum session_end why)
{
	unsigned dropped;

	if (s->state == SESSION_ENDED)
		return;
	s->state = SESSION_ENDED;
	s->why = why;
	hub_port_leave(lc, &s->port);
	dropped = staging_clear(&s->staging, &s->worker->pool);
	if (dropped != 0)
		hub_count_drop_out(lc, &s->port, STATS_DROP_OUT_SESSION_END, dropped);
	queued_publish(lc, s);
	lcore_flush_cancel(lc, &s->flush);
	lcore_task_cancel(lc, &s->resume);
	lcore_timer_cancel(lc, &s->alone);
	growth_stop(lc, s);
	if (s->udp != NULL)
		udp_stop(lc, s->udp);
	while (s->set.cnt != 0)
		connection_end(lc, connection_of(s->set.members[s->set.cnt - 1]), why);
}
