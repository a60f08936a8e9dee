/* SPDX-License-Identifier: BSD-3-Clause */
/* See connection_growth.h. */

#include "drivers/session/connection_growth.h"

void connection_growth_init(struct connection_growth *g, uint32_t interval_ms, uint32_t life_ms,
	bool half_duplex, uint64_t now_ms)
{
	*g = (struct connection_growth){.interval_ms = interval_ms,
		.life_ms = life_ms,
		.half_duplex = half_duplex,
		.attempt_ms = now_ms};
}

void connection_growth_dialled(struct connection_growth *g, uint64_t now_ms)
{
	g->under_way++;
	g->attempt_ms = now_ms;
}

void connection_growth_answered(struct connection_growth *g)
{
	if (g->under_way > 0)
		g->under_way--;
}

/* How long before a connection's end its successor is wanted; of short lives no more than half. */
static uint64_t ahead_ms(const struct connection_growth *g)
{
	uint64_t ahead = (uint64_t)g->interval_ms + CONNECTION_GROWTH_AHEAD_MS;

	return ahead < g->life_ms / 2 ? ahead : g->life_ms / 2;
}

/* The direction of a member of ours, who dialled. */
static enum session_direction direction_of(const struct connection_member *m)
{
	return m->may_send && m->may_receive ? SESSION_BOTH
		: m->may_send		     ? SESSION_CLIENT_TO_SERVER
					     : SESSION_SERVER_TO_CLIENT;
}

static unsigned to_client_cnt(const struct connection_set *set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < set->cnt; i++)
		n += direction_of(set->members[i]) == SESSION_SERVER_TO_CLIENT;
	return n;
}

/* Whether a connection that joins now can take the place of `m` while that is still there. */
static bool is_replaceable(const struct connection_growth *g, const struct connection_set *set,
	const struct connection_member *m)
{
	unsigned to_client = to_client_cnt(set);

	return !g->half_duplex ||
		connection_direction(to_client, set->cnt - to_client) == direction_of(m);
}

/* All that were granted are there, and go the same way: the youngest. Else NULL. */
static struct connection_member *one_way(
	const struct connection_growth *g, const struct connection_set *set)
{
	unsigned to_client = to_client_cnt(set);

	if (!g->half_duplex || set->granted < 2 || set->cnt < set->granted ||
		(to_client != 0 && to_client != set->cnt))
		return NULL;
	return set->members[set->cnt - 1];
}

/* Whether the life of `m` is over and it may go; *at_ms: earlier of that and when to look again. */
static bool is_over(const struct connection_growth *g, const struct connection_set *set,
	const struct connection_member *m, uint64_t now_ms, uint64_t *at_ms)
{
	uint64_t end_ms = m->joined_ms + g->life_ms, last_ms = end_ms + ahead_ms(g);
	uint64_t at = end_ms;

	if (now_ms >= end_ms) {
		if (set->cnt > set->granted || now_ms >= last_ms || !is_replaceable(g, set, m))
			return true;
		at = last_ms;
	} else if (now_ms < end_ms - ahead_ms(g)) {
		at = end_ms - ahead_ms(g);
	}
	*at_ms = at < *at_ms ? at : *at_ms;
	return false;
}

/* Connections that there should be now. */
static unsigned wanted(
	const struct connection_growth *g, const struct connection_set *set, uint64_t now_ms)
{
	for (unsigned i = 0; g->life_ms != 0 && i < set->cnt; i++) {
		const struct connection_member *m = set->members[i];

		if (now_ms + ahead_ms(g) >= m->joined_ms + g->life_ms && is_replaceable(g, set, m))
			return set->granted + 1u;
	}
	return set->granted;
}

struct connection_next connection_growth_next(
	const struct connection_growth *g, const struct connection_set *set, uint64_t now_ms)
{
	struct connection_next next = {.at_ms = UINT64_MAX};

	if (g->interval_ms == 0)
		return next;
	next.member = one_way(g, set);
	for (unsigned i = 0; g->life_ms != 0 && next.member == NULL && i < set->cnt; i++) {
		if (is_over(g, set, set->members[i], now_ms, &next.at_ms))
			next.member = set->members[i];
	}
	if (next.member != NULL) {
		next.step = CONNECTION_END;
		next.at_ms = now_ms;
		return next;
	}
	if (set->cnt + g->under_way < wanted(g, set, now_ms)) {
		uint64_t due_ms = g->attempt_ms + g->interval_ms;

		if (now_ms >= due_ms)
			next.step = CONNECTION_DIAL;
		next.at_ms = due_ms < next.at_ms ? due_ms : next.at_ms;
	}
	return next;
}
