/* SPDX-License-Identifier: BSD-3-Clause */
/* See connection_set.h. */

#include <string.h>

#include "drivers/session/connection_set.h"

void connection_set_init(struct connection_set *set, uint8_t granted, bool qos)
{
	*set = (struct connection_set){.granted = granted, .qos = qos};
}

void connection_member_init(
	struct connection_member *m, enum session_direction direction, bool client)
{
	*m = (struct connection_member){
		.may_send =
			direction != (client ? SESSION_SERVER_TO_CLIENT : SESSION_CLIENT_TO_SERVER),
		.may_receive =
			direction != (client ? SESSION_CLIENT_TO_SERVER : SESSION_SERVER_TO_CLIENT),
	};
}

bool connection_set_admits(const struct connection_set *set)
{
	return set->cnt <= set->granted && set->cnt < CONNECTION_SET_MAX;
}

void connection_set_join(struct connection_set *set, struct connection_member *m)
{
	set->members[set->cnt++] = m;
	set->sender_cnt += m->may_send;
}

bool connection_set_leave(struct connection_set *set, const struct connection_member *m)
{
	for (unsigned i = 0; i < set->cnt; i++) {
		if (set->members[i] != m)
			continue;
		set->cnt--;
		set->sender_cnt -= m->may_send;
		memmove(&set->members[i], &set->members[i + 1],
			(set->cnt - i) * sizeof(set->members[0]));
		return true;
	}
	return false;
}

/* The one that priority frames have for themselves; NULL when all frames share. */
static struct connection_member *reserved(const struct connection_set *set)
{
	if (!set->qos || set->sender_cnt < 2)
		return NULL;
	for (unsigned i = set->cnt; i-- > 0;) {
		if (set->members[i]->may_send)
			return set->members[i];
	}
	return NULL;
}

struct connection_member *connection_set_choose(
	const struct connection_set *set, enum connection_lane lane)
{
	struct connection_member *own = reserved(set), *best = NULL;

	if (own != NULL && lane == LANE_PRIORITY && !own->blocked)
		return own;
	for (unsigned i = 0; i < set->cnt; i++) {
		struct connection_member *m = set->members[i];

		if (m->may_send && !m->blocked && m != own &&
			(best == NULL || m->lateness <= best->lateness))
			best = m;
	}
	return best;
}

void connection_member_wrote(struct connection_member *m, bool left)
{
	m->lateness = left ? m->lateness + 1 : 0;
	m->blocked = left;
}
