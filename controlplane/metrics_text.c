/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of /metrics (metrics.h): family by family, each with its HELP and TYPE once. */

#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "controlplane/auth/radius.h"
#include "controlplane/directory.h"
#include "controlplane/listener.h"
#include "controlplane/log.h"
#include "controlplane/logs/logs.h"
#include "controlplane/metrics.h"
#include "controlplane/notice_log.h"
#include "controlplane/registry.h"
#include "dataplane/fdb.h"
#include "dataplane/hub.h"
#include "dataplane/iptable.h"
#include "dataplane/lcore.h"

#define LABEL_BYTES (2 * DIRECTORY_NAME_BYTES)

/* Of one hub, read once: its numbers stand in many families. */
struct hub_row {
	char label[LABEL_BYTES];
	bool online;
	uint32_t sessions, users, macs, ips;
	struct stats_block stats;
};

struct text {
	struct evbuffer *out;
	bool openmetrics;
	bool failed;
	unsigned lcores;
	struct lcore_view *views;
	struct hub_row *hubs;
	unsigned hub_cnt, hubs_unlisted;
	struct stats_block total;
};

void metrics_label(const char *value, char *out, size_t size)
{
	size_t n = 0;

	for (; *value != '\0' && n + 2 < size; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			out[n++] = '\\';
		out[n++] = *value == '\n' ? 'n' : *value;
	}
	out[n] = '\0';
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) say(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->failed |= evbuffer_add_vprintf(t->out, fmt, ap) < 0;
	va_end(ap);
}

static void gauge(struct text *t, const char *name, const char *help)
{
	say(t, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* Samples of a counter end in _total; the family has that ending in the older form only. */
static void counter(struct text *t, const char *name, const char *help)
{
	const char *end = t->openmetrics ? "" : "_total";

	say(t, "# HELP %s%s %s\n# TYPE %s%s counter\n", name, end, help, name, end);
}

static void one_gauge(struct text *t, const char *name, const char *help, uint64_t value)
{
	gauge(t, name, help);
	say(t, "%s %" PRIu64 "\n", name, value);
}

static void sample(
	struct text *t, const char *name, const char *label, const char *value, uint64_t v)
{
	say(t, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, v);
}

/* ---- collecting ------------------------------------------------------------------------------ */

static void hub_read(struct hub_row *row, const struct directory_hub *hub)
{
	metrics_label(hub->name, row->label, sizeof(row->label));
	row->online = hub->online;
	row->sessions = hub->session_cnt;
	row->users = hub->user_cnt;
	row->macs = fdb_count(hub_fdb(hub->hub));
	row->ips = iptable_count(hub_iptable(hub->hub));
	hub_stats(hub->hub, &row->stats);
}

static int collect(struct text *t)
{
	const struct directory_hub *hub;

	t->lcores = lcore_count();
	t->views = calloc(t->lcores + 1, sizeof(*t->views));
	t->hubs = calloc(METRICS_HUBS, sizeof(*t->hubs));
	if (t->views == NULL || t->hubs == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < t->lcores; i++) {
		lcore_view(i, &t->views[i]);
		stats_fold(&t->total, &t->views[i].stats);
	}
	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		if (hub->hub == NULL)
			continue;
		if (t->hub_cnt == METRICS_HUBS)
			t->hubs_unlisted++;
		else
			hub_read(&t->hubs[t->hub_cnt++], hub);
	}
	return 0;
}

/* ---- families -------------------------------------------------------------------------------- */

static void server_families(struct text *t)
{
	gauge(t, "patchbay_build_info", "Version of the daemon; always 1.");
	say(t, "patchbay_build_info{version=\"%s\"} 1\n", PATCHBAY_VERSION);
	one_gauge(t, "patchbay_hubs", "Hubs defined.", t->hub_cnt + t->hubs_unlisted);
	one_gauge(t, "patchbay_hubs_unlisted",
		"Hubs beyond the number that have series of their own; they are in the totals.",
		t->hubs_unlisted);
	one_gauge(t, "patchbay_sessions", "VPN sessions now.", registry_session_cnt());
	one_gauge(t, "patchbay_frame_buffers_in_use", "Buffers of the workers that are not free.",
		lcore_mbufs_in_use());
	one_gauge(t, "patchbay_tsc_hertz", "Cycles of the counters of cycles in a second.",
		rte_get_tsc_hz());
	counter(t, "patchbay_log_lines_lost",
		"Lines that the diagnostic log could not keep up with.");
	say(t, "patchbay_log_lines_lost_total %" PRIu64 "\n", log_lost());
}

/* The logs that an auditor reads. */
static void log_families(struct text *t)
{
	static const char *const names[LOGS_CNT] = {
		[LOGS_SERVER] = "server", [LOGS_SECURITY] = "security", [LOGS_PACKET] = "packet"};
	struct notice_log_counters notices;
	struct logs_counters c;

	logs_counters(&c);
	notice_log_counters(&notices);
	counter(t, "patchbay_log_lines_written", "Lines written to disk by log.");
	for (unsigned i = 0; i < LOGS_CNT; i++)
		sample(t, "patchbay_log_lines_written_total", "log", names[i], c.written_by[i]);
	counter(t, "patchbay_log_lines_sent", "Lines that went to a syslog server instead.");
	say(t, "patchbay_log_lines_sent_total %" PRIu64 "\n", c.sent);
	counter(t, "patchbay_log_lines_refused", "Lines that the disk did not take by log.");
	for (unsigned i = 0; i < LOGS_CNT; i++)
		sample(t, "patchbay_log_lines_refused_total", "log", names[i], c.lost_disk_by[i]);
	counter(t, "patchbay_log_lines_dropped",
		"What was to be logged and never became a line, by where it ended: events in the ring "
		"before the log thread, frames in their worker's ring, lines at the syslog server, "
		"stations and broken rules on a worker with too many of them in a second, and at the "
		"limit of their kind and hub.");
	sample(t, "patchbay_log_lines_dropped_total", "at", "event_ring", c.lost_ring);
	sample(t, "patchbay_log_lines_dropped_total", "at", "packet_ring", c.unlogged);
	sample(t, "patchbay_log_lines_dropped_total", "at", "syslog", c.lost_syslog);
	sample(t, "patchbay_log_lines_dropped_total", "at", "notice_ring", notices.lost);
	sample(t, "patchbay_log_lines_dropped_total", "at", "limit", notices.held);
}

static void login_families(struct text *t)
{
	const struct listener_counters *c = &listener_counters;

	counter(t, "patchbay_logins", "Logins of users by result.");
	sample(t, "patchbay_logins_total", "result", "accepted", c->login_ok);
	sample(t, "patchbay_logins_total", "result", "refused", c->login_failed);
	counter(t, "patchbay_admin_logins", "Logins of administrators from the network by result.");
	sample(t, "patchbay_admin_logins_total", "result", "accepted", c->admin_ok);
	sample(t, "patchbay_admin_logins_total", "result", "refused", c->admin_failed);
	counter(t, "patchbay_listener_events",
		"What became of connections before and at login, by event.");
#define X(name, text) sample(t, "patchbay_listener_events_total", "event", #name, c->name);
	LISTENER_COUNTER_LIST(X)
#undef X
	counter(t, "patchbay_radius_events",
		"What became of questions to RADIUS servers, by event.");
#define X(name, text)                                                                  \
	sample(t, "patchbay_radius_events_total", "event", &(#name)[sizeof("radius")], \
		radius_counters.name);
	RADIUS_COUNTER_LIST(X)
#undef X
}

/* Traffic of one block under a label; `name` and `help` of frames or bytes. */
static void traffic(struct text *t, const char *name, const char *label, const char *value,
	const struct stats_block *b, bool bytes)
{
	const struct stats_traffic *way[] = {&b->in, &b->out};
	static const char *const names[] = {"in", "out"};

	for (unsigned i = 0; i < 2; i++) {
		say(t, "%s{%s=\"%s\",direction=\"%s\",cast=\"unicast\"} %" PRIu64 "\n", name, label,
			value, names[i], bytes ? way[i]->unicast_bytes : way[i]->unicast_frames);
		say(t, "%s{%s=\"%s\",direction=\"%s\",cast=\"broadcast\"} %" PRIu64 "\n", name,
			label, value, names[i],
			bytes ? way[i]->broadcast_bytes : way[i]->broadcast_frames);
	}
}

static void drop_families(struct text *t)
{
	counter(t, "patchbay_drops",
		"Frames that went nowhere (in) and copies that did not leave (out), by reason.");
	for (unsigned r = 0; r < STATS_DROP_IN_CNT; r++)
		say(t, "patchbay_drops_total{direction=\"in\",reason=\"%s\"} %" PRIu64 "\n",
			stats_drop_in_name((enum stats_drop_in)r), t->total.drop_in[r]);
	for (unsigned r = 0; r < STATS_DROP_OUT_CNT; r++)
		say(t, "patchbay_drops_total{direction=\"out\",reason=\"%s\"} %" PRIu64 "\n",
			stats_drop_out_name((enum stats_drop_out)r), t->total.drop_out[r]);
}

/* One family with one number of each worker. */
#define LCORE_FAMILY(t, name, kind, sample_end, help, number)                     \
	do {                                                                      \
		kind(t, name, help);                                              \
		for (unsigned i = 0; i < (t)->lcores; i++)                        \
			say(t, name sample_end "{lcore=\"%u\"} %" PRIu64 "\n", i, \
				(uint64_t)(number));                              \
	} while (0)

static void lcore_families(struct text *t)
{
	char index[16];

	LCORE_FAMILY(t, "patchbay_lcore_busy_cycles", counter, "_total",
		"Cycles of turns in which the worker did something.", t->views[i].busy_cycles);
	LCORE_FAMILY(t, "patchbay_lcore_idle_cycles", counter, "_total",
		"Cycles of turns in which it did not, and of blocking.", t->views[i].idle_cycles);
	LCORE_FAMILY(t, "patchbay_lcore_sleeps", counter, "_total", "Times the worker blocked.",
		t->views[i].sleeps);
	LCORE_FAMILY(t, "patchbay_lcore_late_reports", counter, "_total",
		"Times the worker was silent for a second while it had work.",
		t->views[i].late_reports);
	LCORE_FAMILY(t, "patchbay_lcore_sessions", gauge, "", "Sessions that the worker owns.",
		registry_worker_sessions(i));
	counter(t, "patchbay_lcore_frames",
		"Frames from ports (in) and copies sent to ports (out), by worker.");
	for (unsigned i = 0; i < t->lcores; i++) {
		snprintf(index, sizeof(index), "%u", i);
		traffic(t, "patchbay_lcore_frames_total", "lcore", index, &t->views[i].stats,
			false);
	}
	counter(t, "patchbay_lcore_bytes", "Bytes of these frames, without FCS.");
	for (unsigned i = 0; i < t->lcores; i++) {
		snprintf(index, sizeof(index), "%u", i);
		traffic(t, "patchbay_lcore_bytes_total", "lcore", index, &t->views[i].stats, true);
	}
}

/* One family with one number of each hub. */
#define HUB_FAMILY(t, name, help, number)                                                    \
	do {                                                                                 \
		gauge(t, name, help);                                                        \
		for (const struct hub_row *h = (t)->hubs; h < (t)->hubs + (t)->hub_cnt; h++) \
			sample(t, name, "hub", h->label, number);                            \
	} while (0)

static void hub_families(struct text *t)
{
	HUB_FAMILY(t, "patchbay_hub_online", "1: the hub switches frames and takes logins.",
		h->online);
	HUB_FAMILY(t, "patchbay_hub_sessions", "VPN sessions of the hub now.", h->sessions);
	HUB_FAMILY(t, "patchbay_hub_users", "Users defined in the hub.", h->users);
	HUB_FAMILY(t, "patchbay_hub_mac_entries", "Entries in its MAC table.", h->macs);
	HUB_FAMILY(t, "patchbay_hub_ip_entries", "Entries in its IP table.", h->ips);
	counter(t, "patchbay_hub_frames",
		"Frames from ports (in) and copies sent to ports (out), by hub.");
	for (const struct hub_row *h = t->hubs; h < t->hubs + t->hub_cnt; h++)
		traffic(t, "patchbay_hub_frames_total", "hub", h->label, &h->stats, false);
	counter(t, "patchbay_hub_bytes", "Bytes of these frames, without FCS.");
	for (const struct hub_row *h = t->hubs; h < t->hubs + t->hub_cnt; h++)
		traffic(t, "patchbay_hub_bytes_total", "hub", h->label, &h->stats, true);
	counter(t, "patchbay_hub_drops",
		"Frames (in) and copies (out) dropped, all reasons, by hub.");
	for (const struct hub_row *h = t->hubs; h < t->hubs + t->hub_cnt; h++) {
		say(t, "patchbay_hub_drops_total{hub=\"%s\",direction=\"in\"} %" PRIu64 "\n",
			h->label, stats_drop_in_sum(&h->stats));
		say(t, "patchbay_hub_drops_total{hub=\"%s\",direction=\"out\"} %" PRIu64 "\n",
			h->label, stats_drop_out_sum(&h->stats));
	}
}

int metrics_text(struct evbuffer *out, bool openmetrics)
{
	struct text t = {.out = out, .openmetrics = openmetrics};

	t.failed = collect(&t) != 0;
	if (!t.failed) {
		server_families(&t);
		log_families(&t);
		login_families(&t);
		drop_families(&t);
		lcore_families(&t);
		hub_families(&t);
		if (openmetrics)
			say(&t, "# EOF\n");
	}
	free(t.views);
	free(t.hubs);
	return t.failed ? -ENOMEM : 0;
}
