/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of connection_growth.h at work in a session that we dialled. The worker keeps the time and ends what
 * has lived long enough; dialling is the control thread's, which is asked by an event and answers with a
 * connection, or by counting an attempt that failed.
 */

#include <rte_common.h>

#include "drivers/session/session_priv.h"

#define ASK_AGAIN_MS 100u /* while the control thread has not yet heard the last wish */

static void on_wanted(struct lcore_event *ev)
{
	struct session *s = container_of(ev, struct session, wanted);

	/* From here on the worker may post it again. */
	atomic_store_explicit(&s->wanting, false, memory_order_release);
	if (s->end_asked)
		session_dial_failed(s);
	else
		s->cb->connection_wanted(s->ctx);
}

/* False: the last wish has not been heard yet. */
static bool dial(struct lcore *lc, struct session *s)
{
	if (atomic_load_explicit(&s->wanting, memory_order_acquire))
		return false;
	atomic_store_explicit(&s->wanting, true, memory_order_relaxed);
	connection_growth_dialled(&s->growth, lcore_now_ms(lc));
	s->wanted.fn = on_wanted;
	lcore_event_post(lc, &s->wanted);
	return true;
}

static void failures_take(struct session *s)
{
	uint32_t failed = atomic_load_explicit(&s->dials_failed, memory_order_relaxed);

	for (; s->dials_failed_seen != failed; s->dials_failed_seen++)
		connection_growth_answered(&s->growth);
}

/* One step; whatever it changed brings the next. */
static void expire(struct lcore *lc, struct lcore_timer *t)
{
	struct session *s = container_of(t, struct session, grow);
	uint64_t now_ms = lcore_now_ms(lc);
	struct connection_next next;

	failures_take(s);
	next = connection_growth_next(&s->growth, &s->set, now_ms);
	switch (next.step) {
	case CONNECTION_END:
		connection_end(lc, connection_of(next.member), SESSION_END_LIFETIME);
		return; /* growth_changed() */
	case CONNECTION_DIAL:
		next.at_ms = now_ms + (dial(lc, s) ? s->growth.interval_ms : ASK_AGAIN_MS);
		break;
	case CONNECTION_WAIT:
		/* Attempts that fail are only counted: look at the count now and then. */
		if (s->growth.under_way != 0 && next.at_ms > now_ms + s->growth.interval_ms)
			next.at_ms = now_ms + s->growth.interval_ms;
		break;
	}
	if (next.at_ms != UINT64_MAX)
		lcore_timer_arm(lc, t, next.at_ms);
}

void growth_start(struct lcore *lc, struct session *s)
{
	s->growth.attempt_ms = lcore_now_ms(lc);
	s->grow.expire = expire;
}

void growth_changed(struct lcore *lc, struct session *s)
{
	if (s->growth.interval_ms != 0)
		lcore_timer_arm(lc, &s->grow, lcore_now_ms(lc));
}

void growth_answered(struct session *s)
{
	connection_growth_answered(&s->growth);
}

void growth_stop(struct lcore *lc, struct session *s)
{
	lcore_timer_cancel(lc, &s->grow);
}
