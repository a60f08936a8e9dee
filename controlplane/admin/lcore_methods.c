/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers: who runs where and how busy (architecture.md 2), and whether the data plane is at rest. */

#include <stdio.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/walk.h"
#include "controlplane/bridges.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

/* ---- PatchbayEnumLcore ----------------------------------------------------------------------- */

static const struct admin_field no_request[] = {ADMIN_END};

#define QUEUES_MAX 1024u

static const struct admin_field enum_lcore_row[] = {
	ADMIN_INT("Index", 0, LCORE_MAX - 1, "number of the worker"),
	ADMIN_INT("LcoreId", 0, UINT32_MAX, "lcore id of DPDK"),
	ADMIN_BOOL("Pinned", "runs on one CPU only"),
	ADMIN_INT("Cpu", 0, UINT32_MAX, "that CPU (0 if not pinned)"),
	ADMIN_INT("Socket", 0, UINT32_MAX, "NUMA socket of its memory"),
	ADMIN_INT("Sessions", 0, UINT32_MAX, "sessions it owns"),
	ADMIN_INT("Polls", 0, UINT32_MAX, "device queues it polls"),
	ADMIN_STR("Queues", 0, QUEUES_MAX - 1,
		"receive queues it has, polled or not: BRIDGE/QUEUE, separated by spaces"),
	ADMIN_INT("Fds", 0, UINT32_MAX, "sockets it waits on"),
	ADMIN_INT64("BusyCycles", "TSC cycles in turns that did something, since start"),
	ADMIN_INT64("IdleCycles", "TSC cycles in turns that did nothing, and blocked"),
	ADMIN_INT64("Turns", "turns of its loop"),
	ADMIN_INT64("Sleeps", "times it blocked for want of work"),
	ADMIN_INT64("Doorbells", "times another thread woke it"),
	ADMIN_INT64("LateReports", "times it was silent for a second while online"),
	ADMIN_INT("MsgsReserved", 0, UINT32_MAX, "places of its message ring that are spoken for"),
	ADMIN_INT64("EventsDeferred", "events to the control thread that had to wait"),
	ADMIN_INT64(
		"NoticesLost", "broken rules and loops that were counted, but not told to the log"),
	ADMIN_END,
};

static const struct admin_field enum_lcore_response[] = {
	ADMIN_ROWS("LcoreList", enum_lcore_row, "one record per worker"),
	ADMIN_END,
};

/* As many as there is room for. */
static void queues_text(unsigned lcore, char text[QUEUES_MAX])
{
	const struct local_bridge *lb;
	size_t at = 0;

	text[0] = '\0';
	for (lb = bridges_next(0); lb != NULL; lb = bridges_next(lb->id)) {
		char queues[BRIDGE_QUEUES_BYTES];
		char *rest = queues, *queue;

		if (lb->state != BRIDGES_UP)
			continue;
		bridge_queues_text(lb->bridge, lcore, queues, sizeof(queues));
		while ((queue = strsep(&rest, " ")) != NULL && at < QUEUES_MAX) {
			if (queue[0] != '\0')
				at += (size_t)snprintf(text + at, QUEUES_MAX - at, "%s%s/%s",
					at > 0 ? " " : "", lb->conf.name, queue);
		}
	}
}

static int enum_lcore_step(struct admin_call *call)
{
	char queues[QUEUES_MAX];
	struct lcore_view v;

	/* LCORE_MAX bounds them: one slice. */
	admin_rows_begin(call, "LcoreList");
	for (unsigned i = 0; i < lcore_count(); i++) {
		lcore_view(i, &v);
		admin_row_begin(call);
		admin_put_int(call, "Index", v.index);
		admin_put_int(call, "LcoreId", v.lcore_id);
		admin_put_bool(call, "Pinned", v.cpu >= 0);
		admin_put_int(call, "Cpu", v.cpu < 0 ? 0 : (uint32_t)v.cpu);
		admin_put_int(call, "Socket", v.socket < 0 ? 0 : (uint32_t)v.socket);
		admin_put_int(call, "Sessions", registry_worker_sessions(i));
		admin_put_int(call, "Polls", v.polls);
		queues_text(i, queues);
		admin_put_str(call, "Queues", queues);
		admin_put_int(call, "Fds", v.fds);
		admin_put_int64(call, "BusyCycles", v.busy_cycles);
		admin_put_int64(call, "IdleCycles", v.idle_cycles);
		admin_put_int64(call, "Turns", v.turns);
		admin_put_int64(call, "Sleeps", v.sleeps);
		admin_put_int64(call, "Doorbells", v.doorbells);
		admin_put_int64(call, "LateReports", v.late_reports);
		admin_put_int(call, "MsgsReserved", v.msgs_reserved);
		admin_put_int64(call, "EventsDeferred", v.events_deferred);
		admin_put_int64(call, "NoticesLost", v.notices_lost);
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_enum_lcore = {
	.name = "PatchbayEnumLcore",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the workers: where they run, what they own, how busy they are. Cycles only grow; two "
		"readings give the share over the time between.",
	.request = no_request,
	.response = enum_lcore_response,
	.step = enum_lcore_step,
};

/* ---- PatchbayQuiesce ------------------------------------------------------------------------- */

#define QUIESCE_DEFAULT_MS 2000u
#define QUIESCE_MAX_MS	   30000u
#define QUIESCE_LOOKS	   3u /* in a row: a frame may be inside a worker's turn at one of them */

static const struct admin_field quiesce_request[] = {
	ADMIN_INT("TimeoutMs", 0, QUIESCE_MAX_MS, "how long to wait, ms (default 2000)"),
	ADMIN_END,
};

static const struct admin_field quiesce_response[] = {
	ADMIN_BOOL("Quiet", "nothing is under way and no counter moved over three looks"),
	ADMIN_INT64("QueuedFrames", "frames that wait in sessions at the last look"),
	ADMIN_INT64("QueuedBytes", "their bytes"),
	ADMIN_INT("FrameBuffers", 0, UINT32_MAX,
		"buffers of the workers that are in use; a device may keep some until it sends again"),
	ADMIN_END,
};

struct quiesce {
	struct session_walk walk;
	bool looking; /* `walk` is under way */
	uint64_t begun_ms;
	uint64_t queued_frames;
	uint64_t queued_bytes;
	uint64_t sum; /* of the counters at the last look */
	unsigned quiet_looks;
};

/* One number that moves whenever a frame does. */
static uint64_t counters_sum(void)
{
	struct lcore_view v;
	uint64_t sum = 0;

	for (unsigned i = 0; i < lcore_count(); i++) {
		lcore_view(i, &v);
		sum += stats_in_frames(&v.stats) + v.stats.switched + v.stats.flooded +
			v.stats.copies + stats_sent_frames(&v.stats) + stats_drop_in_sum(&v.stats) +
			stats_drop_out_sum(&v.stats);
	}
	return sum;
}

static int quiesce_look(struct admin_call *call, struct quiesce *st)
{
	const struct vpn_session *vs;

	if (!st->looking) {
		if (session_walk_start(&st->walk, NULL) != 0)
			return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
		st->looking = true;
		st->queued_frames = 0;
		st->queued_bytes = 0;
	}
	while (admin_room(call)) {
		struct session_counters c;

		vs = session_walk_next(&st->walk);
		if (vs == NULL) {
			session_walk_end(&st->walk);
			st->looking = false;
			return ADMIN_DONE;
		}
		admin_spend(call, 1);
		if (vs->session == NULL)
			continue;
		session_view(vs->session, &c);
		st->queued_frames += c.queued_frames;
		st->queued_bytes += c.queued_bytes;
	}
	return ADMIN_MORE;
}

static int quiesce_step(struct admin_call *call)
{
	struct quiesce *st = call->state;
	uint32_t timeout_ms = admin_has(call, "TimeoutMs") ? admin_get_int(call, "TimeoutMs")
							   : QUIESCE_DEFAULT_MS;
	uint64_t sum;
	int rc;

	if (call->steps == 0)
		st->begun_ms = lcore_clock_ms();
	rc = quiesce_look(call, st);
	if (rc != ADMIN_DONE)
		return rc;
	sum = counters_sum();
	if (st->queued_frames == 0 && lcore_quiet() && (st->quiet_looks == 0 || sum == st->sum))
		st->quiet_looks++;
	else
		st->quiet_looks = 0;
	st->sum = sum;
	if (st->quiet_looks < QUIESCE_LOOKS && lcore_clock_ms() - st->begun_ms < timeout_ms)
		return ADMIN_WAIT;
	admin_put_bool(call, "Quiet", st->quiet_looks >= QUIESCE_LOOKS);
	admin_put_int64(call, "QueuedFrames", st->queued_frames);
	admin_put_int64(call, "QueuedBytes", st->queued_bytes);
	admin_put_int(call, "FrameBuffers", lcore_mbufs_in_use());
	return ADMIN_DONE;
}

static void quiesce_fini(struct admin_call *call)
{
	struct quiesce *st = call->state;

	session_walk_end(&st->walk);
}

const struct admin_method admin_method_patchbay_quiesce = {
	.name = "PatchbayQuiesce",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Waits until no frame is under way anywhere, so that the books of PatchbayGetStats balance to "
		"the frame. Stops nobody: while peers send it answers Quiet = false at the time-out.",
	.request = quiesce_request,
	.response = quiesce_response,
	.state_bytes = sizeof(struct quiesce),
	.step = quiesce_step,
	.fini = quiesce_fini,
};
