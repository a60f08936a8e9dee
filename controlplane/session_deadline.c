/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One timer per session that has a deadline. It is armed for a minute at most and looks again: the calendar may
 * be set while it runs, and deadlines lie up to a century ahead.
 */

#include "controlplane/session_deadline.h"

#include <event2/event.h>
#include <time.h>

#include "controlplane/log.h"
#include "controlplane/registry.h"

#define LOOK_MS 60000

static struct event_base *base;

void session_deadline_init(struct event_base *event_base)
{
	base = event_base;
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Milliseconds that are left (0: it is time), and what comes first. INT64_MAX: no deadline. */
static int64_t left_ms(const struct vpn_session *vs, enum session_end *why)
{
	int64_t auto_ms = INT64_MAX, expiry_ms = INT64_MAX, least;

	if (vs->policy.auto_disconnect_s != 0)
		auto_ms = (int64_t)vs->policy.auto_disconnect_s * 1000 + SESSION_DEADLINE_GRACE_MS -
			(int64_t)(monotonic_ms() - vs->opened_ms);
	if (vs->expires_ms != 0)
		expiry_ms = vs->expires_ms - directory_now_ms();
	*why = expiry_ms < auto_ms ? SESSION_END_EXPIRED : SESSION_END_AUTO_DISCONNECT;
	least = expiry_ms < auto_ms ? expiry_ms : auto_ms;
	return least < 0 ? 0 : least;
}

static void arm(struct vpn_session *vs, int64_t ms)
{
	struct timeval tv;

	if (ms > LOOK_MS)
		ms = LOOK_MS;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	(void)evtimer_add(vs->deadline, &tv);
}

static void look(evutil_socket_t, short, void *arg)
{
	struct vpn_session *vs = arg;
	enum session_end why;
	int64_t ms = left_ms(vs, &why);

	if (ms > 0) {
		arm(vs, ms);
	} else if (!vs->ending) {
		vs->ending = true;
		session_end(vs->session, why);
	}
}

void session_deadline_start(struct vpn_session *vs)
{
	enum session_end why;
	int64_t ms;

	vs->opened_ms = monotonic_ms();
	ms = left_ms(vs, &why);
	if (ms == INT64_MAX)
		return;
	vs->deadline = evtimer_new(base, look, vs);
	if (vs->deadline == NULL)
		log_error("login", "session %s: no memory for its deadline", vs->name);
	else
		arm(vs, ms);
}

void session_deadline_stop(struct vpn_session *vs)
{
	if (vs->deadline != NULL)
		event_free(vs->deadline);
	vs->deadline = NULL;
}
