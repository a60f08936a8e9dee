/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control side of a session: its life, the messages that hand things to the worker, and the events that
 * hand them back.
 *
 * The object may go only when no message names it any more. Messages of one worker are run in order, so
 * it is enough that there is a last one: END. It is posted by session_end(), or in answer to the worker's
 * news that the session ended by itself; after it nothing else is posted, and the worker's answer to it is
 * the end of all references but those of other workers in the middle of a turn, which the grace period
 * covers. END holds no place on the worker's ring while the session lives, or the ring would bound the
 * number of sessions: when there is no room it waits with the grace periods and tries again.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "dataplane/hub.h"
#include "dataplane/port_rules.h"
#include "drivers/session/session_priv.h"
#include "drivers/session/udp_priv.h"

#define MSGS_RESERVED 1u /* open */

const char *session_end_name(enum session_end why)
{
	static const char *const names[] = {
#define X(sym, name) name,
		SESSION_END_LIST(X)
#undef X
	};

	return (unsigned)why < RTE_DIM(names) ? names[why] : "unknown";
}

/* ---- worker: what the messages run ------------------------------------------------------------ */

static void on_ended(struct lcore_event *ev);

static void msg_open(struct lcore *lc, struct lcore_msg *msg)
{
	session_start(lc, msg->arg, (struct session_connection *)(uintptr_t)msg->u[0]);
}

static void msg_add(struct lcore *lc, struct lcore_msg *msg)
{
	growth_answered(msg->arg);
	connection_join(lc, msg->arg, (struct session_connection *)(uintptr_t)msg->u[0]);
}

static void msg_connection_close(struct lcore *lc, struct lcore_msg *msg)
{
	struct session *s = msg->arg;

	for (unsigned i = 0; i < s->set.cnt; i++) {
		struct session_connection *c = connection_of(s->set.members[i]);

		if (c->id == msg->u[0]) {
			connection_end(lc, c, (enum session_end)msg->u[1]);
			return;
		}
	}
}

static void msg_end(struct lcore *lc, struct lcore_msg *msg)
{
	struct session *s = msg->arg;

	session_stop(lc, s, (enum session_end)msg->u[0]);
	s->ended.fn = on_ended;
	lcore_event_post(lc, &s->ended);
}

/* ---- control thread --------------------------------------------------------------------------- */

static void session_free(struct session *s)
{
	if (s == NULL)
		return;
	free(s->port.stats[s->port.home]);
	port_rules_free(&s->port);
	udp_destroy(s->udp);
	free((void *)(uintptr_t)s->port.who);
	free(s->first);
	free(s);
}

static void *zalloc_lines(size_t bytes)
{
	size_t size = (bytes + 63) / 64 * 64;
	void *p = aligned_alloc(64, size);

	if (p != NULL)
		memset(p, 0, size);
	return p;
}

int session_create(const struct session_conf *conf, struct session **out)
{
	struct session *s = zalloc_lines(sizeof(*s));
	int err = -ENOMEM;

	if (s == NULL)
		return -ENOMEM;
	s->lc = lcore_get(conf->worker);
	s->worker = session_worker_get(conf->worker);
	s->timeout_ms = conf->timeout_ms;
	connection_set_init(&s->set, conf->max_connections, conf->qos);
	s->half_duplex = conf->half_duplex;
	s->compress = conf->compress;
	s->client = conf->client;
	connection_growth_init(&s->growth, conf->client ? conf->interval_ms : 0, conf->life_ms,
		conf->half_duplex, 0);
	s->mss = s->adjust_mss = conf->adjust_mss;
	s->cb = conf->cb;
	s->ctx = conf->ctx;
	staging_init(&s->staging, conf->staging_bytes, conf->staging_age_ms);
	if (s->compress || conf->udp != NULL)
		staging_by_frame(&s->staging);
	s->resume.run = zip_resume;
	s->flush.flush = session_flush;
	s->alone.expire = session_alone_expire;
	s->port.ops = &session_port_ops;
	s->port.hub = conf->hub;
	s->port.home = (uint16_t)conf->worker;
	s->port.flags = conf->port_flags;
	s->port.max_len = FRAME_MAX_BYTES;
	memset(s->port.tx_lcore, (int)conf->worker, sizeof(s->port.tx_lcore));
	s->port.stats[conf->worker] = zalloc_lines(sizeof(struct stats_block));
	s->first = calloc(1, sizeof(*s->first));
	if (s->port.stats[conf->worker] == NULL || s->first == NULL)
		goto fail;
	if (conf->policy != NULL && port_rules_set(&s->port, conf->policy) != 0)
		goto fail;
	s->port.who = conf->who != NULL ? strdup(conf->who) : NULL;
	if (conf->who != NULL && s->port.who == NULL)
		goto fail;
	if (conf->udp != NULL) {
		s->udp = udp_create(conf->udp, s, conf->worker);
		if (s->udp == NULL)
			goto fail;
	}
	err = port_reserve(&s->port);
	if (err != 0)
		goto fail;
	err = lcore_msg_reserve(s->lc, MSGS_RESERVED);
	if (err != 0)
		goto fail_port;
	if (s->udp != NULL)
		s->udp->owns_socket = conf->udp->socket != NULL;
	*out = s;
	return 0;

fail_port:
	port_release(&s->port);
fail:
	session_free(s);
	return err;
}

void session_abandon(struct session *s)
{
	lcore_msg_unreserve(s->lc, MSGS_RESERVED);
	port_release(&s->port);
	session_free(s);
}

static void connection_init(struct session_connection *c, struct session *s, struct stream *stream,
	uint64_t id, enum session_direction direction)
{
	c->session = s;
	c->stream = stream;
	c->id = id;
	connection_member_init(&c->member, direction, s->client);
}

void session_open(struct session *s, struct stream *stream, uint64_t connection_id)
{
	struct session_connection *c = s->first;

	s->first = NULL;
	connection_init(c, s, stream, connection_id,
		s->half_duplex ? SESSION_CLIENT_TO_SERVER : SESSION_BOTH);
	lcore_msg_post(s->lc, &(struct lcore_msg){.fn = msg_open, .arg = s, .u = {(uintptr_t)c}});
}

int session_reserve(struct session *s, struct session_connection **out)
{
	struct session_connection *c;
	int err;

	if (s->end_asked)
		return -ENOTCONN;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	err = lcore_msg_reserve(s->lc, 1);
	if (err != 0) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void session_unreserve(struct session *s, struct session_connection *place)
{
	lcore_msg_unreserve(s->lc, 1);
	free(place);
}

void session_add(struct session *s, struct session_connection *place, struct stream *stream,
	uint64_t connection_id, enum session_direction direction)
{
	connection_init(place, s, stream, connection_id, direction);
	lcore_msg_post(
		s->lc, &(struct lcore_msg){.fn = msg_add, .arg = s, .u = {(uintptr_t)place}});
}

void session_dial_failed(struct session *s)
{
	(void)atomic_fetch_add_explicit(&s->dials_failed, 1, memory_order_relaxed);
}

int session_connection_close(struct session *s, uint64_t connection_id, enum session_end why)
{
	int err;

	if (s->end_asked)
		return 0;
	err = lcore_msg_reserve(s->lc, 1);
	if (err != 0)
		return err;
	lcore_msg_post(s->lc,
		&(struct lcore_msg){
			.fn = msg_connection_close, .arg = s, .u = {connection_id, why}});
	return 0;
}

static void end_post(void *arg)
{
	struct session *s = arg;

	if (lcore_msg_reserve(s->lc, 1) != 0) {
		grace_defer(&s->grace, end_post, s);
		return;
	}
	lcore_msg_post(s->lc, &(struct lcore_msg){.fn = msg_end, .arg = s, .u = {s->end_why}});
}

void session_end(struct session *s, enum session_end why)
{
	if (s->end_asked)
		return;
	s->end_asked = true;
	s->end_why = why;
	end_post(s);
}

void session_on_connection_ended(struct lcore_event *ev)
{
	struct session_connection *c = container_of(ev, struct session_connection, ended);
	struct session *s = c->session;
	struct stream *stream = c->stream;

	if (c->dead) {
		stream_close(stream);
		stream = NULL;
	}
	s->cb->connection_ended(s->ctx, c->id, c->why, stream);
	free(c);
}

void session_on_ending(struct lcore_event *ev)
{
	struct session *s = container_of(ev, struct session, ending);

	session_end(s, s->why);
}

static void session_reap(void *arg)
{
	struct session *s = arg;

	port_release(&s->port);
	session_free(s);
}

static void on_ended(struct lcore_event *ev)
{
	struct session *s = container_of(ev, struct session, ended);
	struct session_counters final;

	session_view(s, &final);
	/* Queued before the callback: if that destroys the hub, the port is released before the hub is freed. */
	grace_defer(&s->grace, session_reap, s);
	s->cb->ended(s->ctx, s->why, &final);
}

void session_view(const struct session *s, struct session_counters *out)
{
	const struct session_live *l = &s->live;

	memset(out, 0, sizeof(*out));
	stats_fold(&out->port, s->port.stats[s->port.home]);
#define VIEW(field) out->field = atomic_load_explicit(&l->field, memory_order_relaxed)
	VIEW(wire_bytes_in);
	VIEW(wire_bytes_out);
	VIEW(keepalives_in);
	VIEW(keepalives_out);
	VIEW(connections_joined);
	VIEW(queued_frames);
	VIEW(queued_bytes);
	VIEW(last_rx_ms);
	VIEW(connections);
#undef VIEW
}

uint32_t session_port_idx(const struct session *s)
{
	return s->port.idx;
}

unsigned session_worker(const struct session *s)
{
	return s->port.home;
}
