/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The books of the data path (dataplane/stats.h), level by level. Lcores and hubs have blocks of their own, so
 * what ended sessions moved stays in their lines; the total is the sum over lcores.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/walk.h"
#include "controlplane/bridges.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field get_stats_request[] = {
	ADMIN_STR("HubName", 0, 255, "only this hub (default: total, every lcore, every hub)"),
	ADMIN_BOOL("Sessions", "a record per session, bridges included, too"),
	ADMIN_END,
};

static const struct admin_field stats_row[] = {
	ADMIN_STR("Level", 1, 15, "total, lcore, hub or session"),
	ADMIN_STR("Name", 0, 299, "index of the lcore, name of the hub or the session"),
	ADMIN_STR("HubName", 0, 255, "hub of a session, or the hub"),
	ADMIN_TRAFFIC("", "Recv = frames in, from ports; Send = copies sent, to ports"),
	ADMIN_INT64("In", "frames in: switched + flooded + all DropIn"),
	ADMIN_INT64("Switched", "frames in that went to one port"),
	ADMIN_INT64("Flooded", "frames in that went to every other port"),
	ADMIN_INT64("Copies", "copies for ports: sent + queued + all DropOut"),
	ADMIN_INT64("Sent", "copies that left"),
	ADMIN_INT64("QueuedFrames", "copies that wait in sessions now"),
	ADMIN_INT64("QueuedBytes", "their bytes"),
#define X(sym, name, text) ADMIN_INT64("DropIn." name, text),
	STATS_DROP_IN_LIST(X)
#undef X
#define X(sym, name, text) ADMIN_INT64("DropOut." name, text),
		STATS_DROP_OUT_LIST(X)
#undef X
			ADMIN_END,
};

static const struct admin_field reason_row[] = {
	ADMIN_STR("Name", 1, 63, "name of the field"),
	ADMIN_STR("Text", 1, 255, "the reason as a sentence"),
	ADMIN_END,
};

static const struct admin_field get_stats_response[] = {
	ADMIN_ROWS("ReasonList", reason_row, "what the drop counters mean"),
	ADMIN_ROWS("StatsList", stats_row, "the books, one record per block"),
	ADMIN_END,
};

struct queued {
	uint64_t frames;
	uint64_t bytes;
};

struct hub_queued {
	const struct hub *hub; /* only compared */
	struct queued queued;
};

enum stats_phase {
	STATS_COLLECT, /* what waits in sessions, summed up for the levels above */
	STATS_ABOVE,   /* total and lcores */
	STATS_HUBS,
	STATS_SESSIONS,
	STATS_BRIDGES,
	STATS_END,
};

struct get_stats {
	enum stats_phase phase;
	struct session_walk sessions;
	struct hub_walk hubs;
	uint64_t last_bridge;
	struct queued total;
	struct queued lcores[LCORE_MAX];
	struct hub_queued *by_hub; /* sorted by pointer */
	size_t hub_cnt;
};

static int hub_queued_order(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct hub_queued *)a)->hub;
	uintptr_t y = (uintptr_t)((const struct hub_queued *)b)->hub;

	return x < y ? -1 : x > y;
}

static struct hub_queued *hub_queued_find(const struct get_stats *st, const struct hub *hub)
{
	struct hub_queued key = {.hub = hub};

	return bsearch(&key, st->by_hub, st->hub_cnt, sizeof(key), hub_queued_order);
}

static int get_stats_begin(struct admin_call *call, struct get_stats *st)
{
	const char *hub_name = admin_get_str(call, "HubName");
	const struct directory_hub *only = NULL;
	const struct directory_hub *hub;
	size_t max = 0;

	if (hub_name[0] != '\0') {
		only = directory_hub_find(hub_name);
		if (only == NULL || only->hub == NULL)
			return admin_fail(
				call, WIRE_ERROR_HUB_NOT_FOUND, "no hub \"%s\"", hub_name);
	}
	TAILQ_FOREACH (hub, directory_hubs(), entry)
		max++;
	st->by_hub = calloc(max + 1, sizeof(*st->by_hub));
	if (st->by_hub == NULL || session_walk_start(&st->sessions, only) != 0)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	TAILQ_FOREACH (hub, directory_hubs(), entry)
		if (hub->hub != NULL)
			st->by_hub[st->hub_cnt++].hub = hub->hub;
	qsort(st->by_hub, st->hub_cnt, sizeof(*st->by_hub), hub_queued_order);
	return 0;
}

static void collect_one(struct get_stats *st, const struct vpn_session *vs)
{
	struct session_counters c;
	struct hub_queued *hq;

	if (vs->session == NULL)
		return;
	session_view(vs->session, &c);
	st->total.frames += c.queued_frames;
	st->total.bytes += c.queued_bytes;
	if (vs->worker < LCORE_MAX) {
		st->lcores[vs->worker].frames += c.queued_frames;
		st->lcores[vs->worker].bytes += c.queued_bytes;
	}
	hq = hub_queued_find(st, vs->hub->hub);
	if (hq != NULL) {
		hq->queued.frames += c.queued_frames;
		hq->queued.bytes += c.queued_bytes;
	}
}

static void put_row(struct admin_call *call, const char *level, const char *name,
	const char *hub_name, const struct stats_block *b, const struct queued *queued)
{
	admin_row_begin(call);
	admin_put_str(call, "Level", level);
	admin_put_str(call, "Name", name);
	admin_put_str(call, "HubName", hub_name);
	admin_put_traffic(call, "", &b->in, &b->out);
	admin_put_int64(call, "In", stats_in_frames(b));
	admin_put_int64(call, "Switched", b->switched);
	admin_put_int64(call, "Flooded", b->flooded);
	admin_put_int64(call, "Copies", b->copies);
	admin_put_int64(call, "Sent", stats_sent_frames(b));
	admin_put_int64(call, "QueuedFrames", queued->frames);
	admin_put_int64(call, "QueuedBytes", queued->bytes);
#define X(sym, name, text) admin_put_int64(call, "DropIn." name, b->drop_in[STATS_DROP_IN_##sym]);
	STATS_DROP_IN_LIST(X)
#undef X
#define X(sym, name, text) \
	admin_put_int64(call, "DropOut." name, b->drop_out[STATS_DROP_OUT_##sym]);
	STATS_DROP_OUT_LIST(X)
#undef X
	admin_row_end(call);
}

static void put_reason(struct admin_call *call, const char *name, const char *text)
{
	admin_row_begin(call);
	admin_put_str(call, "Name", name);
	admin_put_str(call, "Text", text);
	admin_row_end(call);
}

static void put_reasons(struct admin_call *call)
{
	admin_rows_begin(call, "ReasonList");
#define X(sym, name, text) put_reason(call, "DropIn." name, text);
	STATS_DROP_IN_LIST(X)
#undef X
#define X(sym, name, text) put_reason(call, "DropOut." name, text);
	STATS_DROP_OUT_LIST(X)
#undef X
	admin_rows_end(call);
}

/* Sums word by word; all of a block is counters (dataplane/stats.h). */
static void block_add(struct stats_block *sum, const struct stats_block *b)
{
	static_assert(sizeof(*b) % sizeof(uint64_t) == 0, "a block is words");
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)b;

	for (size_t i = 0; i < sizeof(*b) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

/* LCORE_MAX bounds them: one slice. The total is the sum of exactly the rows that follow it. */
static void put_above(struct admin_call *call, const struct get_stats *st)
{
	struct stats_block total = {0};
	struct lcore_view views[LCORE_MAX];
	unsigned cnt = lcore_count() < LCORE_MAX ? lcore_count() : LCORE_MAX;
	char name[16];

	for (unsigned i = 0; i < cnt; i++) {
		lcore_view(i, &views[i]);
		block_add(&total, &views[i].stats);
	}
	put_row(call, "total", "", "", &total, &st->total);
	for (unsigned i = 0; i < cnt; i++) {
		snprintf(name, sizeof(name), "%u", i);
		put_row(call, "lcore", name, "", &views[i].stats, &st->lcores[i]);
	}
}

static bool collect_step(struct admin_call *call, struct get_stats *st)
{
	while (admin_room(call)) {
		const struct vpn_session *vs = session_walk_next(&st->sessions);

		if (vs == NULL)
			return true;
		collect_one(st, vs);
		admin_spend(call, 1);
	}
	return false;
}

static bool hubs_step(struct admin_call *call, struct get_stats *st)
{
	const char *only = admin_get_str(call, "HubName");
	struct stats_block b;

	while (admin_room(call)) {
		struct directory_hub *hub;
		const struct hub_queued *hq;

		if (only[0] != '\0')
			hub = st->hubs.met++ == 0 ? directory_hub_find(only) : NULL;
		else
			hub = hub_walk_next(&st->hubs);
		if (hub == NULL)
			return true;
		if (hub->hub == NULL)
			continue;
		hq = hub_queued_find(st, hub->hub);
		hub_stats(hub->hub, &b);
		put_row(call, "hub", hub->name, hub->name, &b,
			hq == NULL ? &(struct queued){0} : &hq->queued);
	}
	return false;
}

static bool sessions_step(struct admin_call *call, struct get_stats *st)
{
	while (admin_room(call)) {
		const struct vpn_session *vs = session_walk_next(&st->sessions);
		struct session_counters c;

		if (vs == NULL)
			return true;
		if (vs->session == NULL)
			continue;
		session_view(vs->session, &c);
		put_row(call, "session", vs->name, vs->hub->name, &c.port,
			&(struct queued){.frames = c.queued_frames, .bytes = c.queued_bytes});
	}
	return false;
}

/* Bridges that are open now; nothing waits in them. */
static bool bridges_step(struct admin_call *call, struct get_stats *st)
{
	const char *only = admin_get_str(call, "HubName");

	while (admin_room(call)) {
		const struct local_bridge *lb = bridges_next(st->last_bridge);
		struct bridge_view v;

		if (lb == NULL)
			return true;
		st->last_bridge = lb->id;
		if (lb->state != BRIDGES_UP ||
			(only[0] != '\0' && lb->hub != directory_hub_find(only)))
			continue;
		bridges_view(lb, &v);
		put_row(call, "session", lb->session_name, lb->hub->name, &v.port,
			&(struct queued){0});
	}
	return false;
}

static int get_stats_step(struct admin_call *call)
{
	struct get_stats *st = call->state;
	int rc;

	if (call->steps == 0) {
		rc = get_stats_begin(call, st);
		if (rc != 0)
			return rc;
	}
	switch (st->phase) {
	case STATS_COLLECT:
		if (collect_step(call, st))
			st->phase = STATS_ABOVE;
		return ADMIN_MORE;
	case STATS_ABOVE:
		put_reasons(call);
		admin_rows_begin(call, "StatsList");
		if (admin_get_str(call, "HubName")[0] == '\0')
			put_above(call, st);
		st->phase = STATS_HUBS;
		return ADMIN_MORE;
	case STATS_HUBS:
		if (hubs_step(call, st)) {
			st->phase = admin_get_bool(call, "Sessions") ? STATS_SESSIONS : STATS_END;
			st->sessions.next = 0;
		}
		return ADMIN_MORE;
	case STATS_SESSIONS:
		if (sessions_step(call, st))
			st->phase = STATS_BRIDGES;
		return ADMIN_MORE;
	case STATS_BRIDGES:
		if (bridges_step(call, st))
			st->phase = STATS_END;
		return ADMIN_MORE;
	case STATS_END:
		break;
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

static void get_stats_fini(struct admin_call *call)
{
	struct get_stats *st = call->state;

	session_walk_end(&st->sessions);
	free(st->by_hub);
}

const struct admin_method admin_method_patchbay_get_stats = {
	.name = "PatchbayGetStats",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells the books of the data path: In = Switched + Flooded + sum of DropIn, Copies = Sent + "
		"QueuedFrames + sum of DropOut, for each record by itself. Exact while nothing moves "
		"(PatchbayQuiesce). 8: no such hub.",
	.request = get_stats_request,
	.response = get_stats_response,
	.state_bytes = sizeof(struct get_stats),
	.step = get_stats_step,
	.fini = get_stats_fini,
};
