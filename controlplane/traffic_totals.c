/* SPDX-License-Identifier: BSD-3-Clause */
/* From the counters of sessions to totals of users and groups (traffic_totals.h). */

#include "controlplane/traffic_totals.h"

#include <string.h>
#include <strings.h>

#include "controlplane/directory.h"
#include "controlplane/registry.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"

/* The record a session's traffic belongs to. Who came in by "*" has none of his own; the administrator has none. */
static struct directory_user *user_of(const struct vpn_session *vs)
{
	struct directory_user *user = directory_user_find(vs->hub, vs->user);

	if (user == NULL && strcasecmp(vs->user, "administrator") != 0)
		user = directory_user_find(vs->hub, "*");
	return user;
}

/* Counters only grow; one that were read in the middle of a turn would only be late. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void add(struct stats_traffic *sum, const struct stats_traffic *now,
	const struct stats_traffic *before)
{
	const struct stats_traffic more = {
		.unicast_frames = grown(now->unicast_frames, before->unicast_frames),
		.unicast_bytes = grown(now->unicast_bytes, before->unicast_bytes),
		.broadcast_frames = grown(now->broadcast_frames, before->broadcast_frames),
		.broadcast_bytes = grown(now->broadcast_bytes, before->broadcast_bytes),
	};

	stats_traffic_add(sum, &more);
}

static void hear(struct directory_hub *hub, uint64_t last_rx_ms)
{
	uint64_t now_ms = lcore_clock_ms();
	int64_t at;

	if (last_rx_ms == 0 || last_rx_ms > now_ms)
		return;
	at = directory_now_ms() - (int64_t)(now_ms - last_rx_ms);
	if (at > hub->last_comm_ms)
		hub->last_comm_ms = at;
}

static void fold(struct vpn_session *vs, const struct session_counters *c)
{
	const struct traffic_totals now = {.in = c->port.in, .out = c->port.out};
	struct directory_user *user = user_of(vs);
	struct directory_group *group =
		vs->group[0] != '\0' ? directory_group_find(vs->hub, vs->group) : NULL;

	if (user != NULL) {
		add(&user->traffic.in, &now.in, &vs->folded.in);
		add(&user->traffic.out, &now.out, &vs->folded.out);
	}
	if (group != NULL) {
		add(&group->traffic.in, &now.in, &vs->folded.in);
		add(&group->traffic.out, &now.out, &vs->folded.out);
	}
	vs->folded = now;
	hear(vs->hub, c->last_rx_ms);
}

void traffic_fold(const struct directory_hub *hub)
{
	struct vpn_session *vs;

	/* The list is the registry's; what is written is the session's mark and the records. */
	TAILQ_FOREACH (vs, registry_sessions(), entry) {
		struct session_counters c;

		if (vs->session == NULL || (hub != NULL && vs->hub != hub))
			continue;
		memset(&c, 0, sizeof(c));
		session_view(vs->session, &c);
		fold(vs, &c);
	}
}

void traffic_fold_final(struct vpn_session *vs, const struct session_counters *final)
{
	fold(vs, final);
}

void traffic_of_hub(const struct directory_hub *hub, struct traffic_totals *out)
{
	struct stats_block live;

	hub_stats(hub->hub, &live);
	*out = hub->traffic_before;
	stats_traffic_add(&out->in, &live.in);
	stats_traffic_add(&out->out, &live.out);
}
