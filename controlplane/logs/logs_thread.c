/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread of the logs (logs.h): takes events and records out of their rings, finds names, writes lines. Files
 * belong to it alone.
 *
 * Order matters once: the ends of the workers' rings are looked at before the events are taken. A record that is
 * seen then is of a port and hub whose names were told before.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/log.h"
#include "controlplane/logs/logs_priv.h"
#include "controlplane/logs/packet_text.h"
#include "dataplane/lcore.h"
#include "dataplane/packet_log.h"
#include "dataplane/port.h"

#define HUB_SLOTS     65536u /* as there are in the data path */
#define BATCH_BYTES   65536u /* of events, under the lock */
#define RECORDS_TURN  8192u  /* of one worker, until others have their turn */
#define PACKET_NAP_MS 20
#define IDLE_NAP_MS   1000
#define ROOM_S	      300

struct hub_sink {
	uint32_t id;
	bool gone;
	char name[256];
	struct logs_hub_conf conf;
	struct log_file security, packet;
};

static struct {
	struct hub_sink *hub[HUB_SLOTS]; /* by slot of its id */
	unsigned hub_top;		 /* slots from here on are empty */
	unsigned packet_hubs;		 /* that want packets */
	struct log_file server;
	struct syslog_out syslog;
	enum logs_syslog save;
	int64_t flushed_ms, room_s;
	/* Time as text, made once a second. */
	int64_t second;
	struct tm local;
	char date[16], clock[16], utc[24];
	int64_t wall_offset_ms;				 /* wall clock minus the workers' */
	uint64_t written[LOGS_CNT], lost_disk[LOGS_CNT]; /* by hubs that are gone */
	char line[PACKET_TEXT_MAX];
} out;

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- time ------------------------------------------------------------------------------------- */

static void time_set(int64_t at_ms)
{
	int64_t second = at_ms / 1000;
	time_t t = (time_t)second;
	struct tm utc;

	if (second == out.second)
		return;
	out.second = second;
	localtime_r(&t, &out.local);
	gmtime_r(&t, &utc);
	strftime(out.date, sizeof(out.date), "%Y-%m-%d", &out.local);
	strftime(out.clock, sizeof(out.clock), "%H:%M:%S", &out.local);
	strftime(out.utc, sizeof(out.utc), "%Y-%m-%dT%H:%M:%S", &utc);
}

/* ---- lines ------------------------------------------------------------------------------------ */

static const char *line_end(void)
{
	return logs.conf.json ? "\n" : "\r\n";
}

/* An event's text with what stands before it in this file. */
static void event_line(struct log_file *f, const char *log, const char *hub, bool prefix,
	unsigned ms, const char *text, size_t len)
{
	struct text_line l;

	text_begin(&l, out.line, sizeof(out.line));
	if (logs.conf.json) {
		text_printf(&l, "{\"time\":\"%s.%03uZ\",\"log\":\"%s\",", out.utc, ms, log);
		if (hub[0] != '\0') {
			text_put(&l, "\"hub\":", 6);
			text_json(&l, hub, strlen(hub));
			text_put(&l, ",", 1);
		}
		text_put(&l, text, len);
		text_put(&l, "}", 1);
	} else {
		text_printf(&l, "%s %s.%03u ", out.date, out.clock, ms);
		if (prefix) {
			text_put(&l, "[HUB \"", 6);
			text_put(&l, hub, strlen(hub));
			text_put(&l, "\"] ", 3);
		}
		text_put(&l, text, len);
	}
	log_file_line(f, &out.local, l.text, l.len);
}

static void to_syslog(
	enum syslog_msgid msgid, const char *hub, unsigned ms, const char *text, size_t len)
{
	char time[32];
	struct text_line l;

	snprintf(time, sizeof(time), "%s.%03uZ", out.utc, ms);
	if (logs.conf.json) {
		/* What the receiver has of time, log and hub is not said again. */
		text_begin(&l, out.line, sizeof(out.line));
		text_put(&l, "{", 1);
		text_put(&l, text, len);
		text_put(&l, "}", 1);
		syslog_out_line(&out.syslog, msgid, time, hub, l.text, l.len);
		return;
	}
	syslog_out_line(&out.syslog, msgid, time, hub, text, len);
}

static struct hub_sink *sink_of(uint32_t id)
{
	struct hub_sink *h = id == LOGS_NO_HUB ? NULL : out.hub[id & 0xffff];

	return h != NULL && h->id == id ? h : NULL;
}

static void server_line(const char *hub, unsigned ms, const char *text, size_t len)
{
	if (out.save >= LOGS_SYSLOG_SERVER)
		to_syslog(SYSLOG_SERVER, hub, ms, text, len);
	else
		event_line(&out.server, "server", hub, hub[0] != '\0', ms, text, len);
}

static void event(const struct logs_item *item, const char *text)
{
	struct hub_sink *h = sink_of(item->hub);
	unsigned ms = (unsigned)(item->at_ms % 1000);

	time_set(item->at_ms);
	if (h != NULL && h->conf.security) {
		if (out.save >= LOGS_SYSLOG_SECURITY)
			to_syslog(SYSLOG_SECURITY, h->name, ms, text, item->bytes);
		else
			event_line(&h->security, "security", h->name, false, ms, text, item->bytes);
	}
	/* Hub lines stand in the server log only while no server takes them. */
	if (h == NULL || out.save < LOGS_SYSLOG_SECURITY)
		server_line(h != NULL ? h->name : "", ms, text, item->bytes);
}

/* "lines lost" and the like, about a log itself. */
static void own_event(uint32_t hub, enum log_event name, const struct log_field *fields)
{
	struct logs_item item = {.hub = hub, .at_ms = wall_ms()};
	char bytes[512];
	struct text_line l;

	text_begin(&l, bytes, sizeof(bytes));
	text_event(&l, logs.conf.json, logs_event_words[name], fields);
	item.bytes = (uint32_t)l.len;
	event(&item, l.text);
}

/* ---- hubs ------------------------------------------------------------------------------------- */

static void count(uint64_t *written, uint64_t *lost, enum logs_log log, const struct log_file *f)
{
	written[log] += f->written;
	lost[log] += f->lost;
}

static void sink_free(unsigned slot)
{
	struct hub_sink *h = out.hub[slot];

	out.hub[slot] = NULL;
	log_file_close(&h->security);
	log_file_close(&h->packet);
	count(out.written, out.lost_disk, LOGS_SECURITY, &h->security);
	count(out.written, out.lost_disk, LOGS_PACKET, &h->packet);
	free(h);
}

static void sink_set(const struct logs_item *item, const struct logs_hub_item *hub)
{
	struct hub_sink **at = &out.hub[item->hub & 0xffff], *h = *at;
	char folder[LOG_FILE_PATH];

	if (h == NULL || h->id != item->hub) {
		/* Of a hub that had this slot before, and was to go with the next flush. */
		if (h != NULL)
			sink_free(item->hub & 0xffff);
		h = calloc(1, sizeof(*h));
		if (h == NULL)
			return;
		h->id = item->hub;
		snprintf(h->name, sizeof(h->name), "%s", hub->name);
		snprintf(folder, sizeof(folder), "%.*s/security_log/%s", LOG_FILE_PATH - 320,
			logs.folder, h->name);
		log_file_init(&h->security, folder, "sec", line_end());
		snprintf(folder, sizeof(folder), "%.*s/packet_log/%s", LOG_FILE_PATH - 320,
			logs.folder, h->name);
		log_file_init(&h->packet, folder, "pkt", line_end());
		*at = h;
		if ((item->hub & 0xffff) >= out.hub_top)
			out.hub_top = (item->hub & 0xffff) + 1;
	}
	h->conf = hub->conf;
	log_file_set(&h->security, h->conf.security_switch, logs.conf.max_bytes);
	log_file_set(&h->packet, h->conf.packet_switch, logs.conf.max_bytes);
}

static void unlogged(const struct logs_item *item, uint64_t frames)
{
	const struct log_field fields[] = {
		LOG_NUMBER("frames", frames), LOG_WORD("error", "ring_full"), LOG_END};
	struct hub_sink *h = sink_of(item->hub);
	char bytes[256];
	struct text_line l;

	if (h == NULL)
		return;
	own_event(item->hub, LOG_EVENT_PACKETS_LOST, fields);
	/* In its own place too: a line with a date and time and no further columns. */
	time_set(item->at_ms);
	text_begin(&l, bytes, sizeof(bytes));
	if (logs.conf.json)
		text_printf(&l,
			"{\"time\":\"%s.000Z\",\"log\":\"packet\",\"event\":\"lines lost\","
			"\"lines\":%llu,\"error\":\"ring_full\"}",
			out.utc, (unsigned long long)frames);
	else
		text_printf(&l, "%s,%s.000,lines lost lines=%llu error=\"ring_full\"", out.date,
			out.clock, (unsigned long long)frames);
	log_file_line(&h->packet, &out.local, l.text, l.len);
}

/* ---- events ----------------------------------------------------------------------------------- */

static void copy_out(uint64_t at, void *bytes, size_t n)
{
	size_t from = at % LOGS_RING_BYTES;
	size_t first = LOGS_RING_BYTES - from < n ? LOGS_RING_BYTES - from : n;

	memcpy(bytes, logs.ring + from, first);
	memcpy((char *)bytes + first, logs.ring, n - first);
}

static void item_run(const struct logs_item *item, const char *bytes)
{
	uint64_t frames;

	switch (item->kind) {
	case LOGS_ITEM_EVENT:
		event(item, bytes);
		break;
	case LOGS_ITEM_MESSAGE:
		time_set(item->at_ms);
		server_line("", (unsigned)(item->at_ms % 1000), bytes, item->bytes);
		break;
	case LOGS_ITEM_HUB:
		sink_set(item, (const struct logs_hub_item *)(const void *)bytes);
		break;
	case LOGS_ITEM_GONE:
		if (sink_of(item->hub) != NULL)
			sink_of(item->hub)->gone = true;
		break;
	case LOGS_ITEM_UNLOGGED:
		memcpy(&frames, bytes, sizeof(frames));
		unlogged(item, frames);
		break;
	}
}

/* One batch; false: there is nothing more. */
static bool events_run(void)
{
	static char batch[BATCH_BYTES] __attribute__((aligned(16)));
	static char one[LOGS_EVENT_MAX] __attribute__((aligned(16)));
	size_t n, at = 0;
	uint64_t lost;

	/* Only this thread moves the tail, and nobody writes between it and the head. */
	pthread_mutex_lock(&logs.lock);
	n = (size_t)(logs.head - logs.tail);
	lost = logs.lost_untold;
	logs.lost_untold = 0;
	pthread_mutex_unlock(&logs.lock);
	if (lost > 0) {
		const struct log_field fields[] = {
			LOG_NUMBER("lines", lost), LOG_WORD("error", "ring_full"), LOG_END};

		own_event(LOGS_NO_HUB, LOG_EVENT_LINES_LOST, fields);
	}
	if (n > sizeof(batch))
		n = sizeof(batch);
	copy_out(logs.tail, batch, n);
	while (n - at >= sizeof(struct logs_item)) {
		struct logs_item item;

		memcpy(&item, batch + at, sizeof(item));
		if (item.bytes > n - at - sizeof(item))
			break;
		at += sizeof(item);
		memcpy(one, batch + at, item.bytes);
		item_run(&item, one);
		at += item.bytes;
	}
	pthread_mutex_lock(&logs.lock);
	logs.tail += at;
	pthread_mutex_unlock(&logs.lock);
	return at > 0;
}

/* ---- packets ---------------------------------------------------------------------------------- */

static void packet_line(const struct packet_record *rec)
{
	char from[LOGS_NAME], to[LOGS_NAME] = "", from_ip[LOGS_IP], to_ip[LOGS_IP] = "";
	struct hub_sink *h = sink_of(rec->hub);
	int64_t at_ms = (int64_t)rec->at_ms + out.wall_offset_ms;
	char clock[32], json[32];
	struct text_line l;

	if (h == NULL || !h->conf.packet)
		return;
	time_set(at_ms);
	snprintf(clock, sizeof(clock), "%s.%03u", out.clock, (unsigned)(at_ms % 1000));
	snprintf(json, sizeof(json), "%s.%03uZ", out.utc, (unsigned)(at_ms % 1000));
	logs_port_get(rec->from >> PORT_GEN_BITS, from, from_ip);
	if (rec->to != 0)
		logs_port_get(rec->to >> PORT_GEN_BITS, to, to_ip);
	text_begin(&l, out.line, sizeof(out.line));
	packet_text(&l, logs.conf.json, rec,
		&(struct packet_names){h->name, from, to, from_ip, to_ip, h->conf.no_physical_ip},
		&(struct packet_time){out.date, clock, json});
	if (out.save >= LOGS_SYSLOG_PACKET)
		syslog_out_line(&out.syslog, SYSLOG_PACKET, json, h->name, l.text, l.len);
	else
		log_file_line(&h->packet, &out.local, l.text, l.len);
}

/* True: some worker has more. */
static bool packets_run(const uint64_t *heads, unsigned workers)
{
	bool more = false;

	out.wall_offset_ms = wall_ms() - (int64_t)lcore_clock_ms();
	for (unsigned w = 0; w < workers; w++) {
		const struct packet_record *rec = NULL;

		for (unsigned n = 0; n < RECORDS_TURN; n++) {
			rec = packet_log_next(w, heads[w]);
			if (rec == NULL)
				break;
			packet_line(rec);
		}
		packet_log_release(w);
		more |= rec != NULL;
	}
	return more;
}

/* ---- the thread ------------------------------------------------------------------------------- */

/* Everything to the disk; hubs that are gone are let go; the numbers are told. */
static void flush(unsigned removed)
{
	uint64_t written[LOGS_CNT], lost[LOGS_CNT], unlogged_cnt = 0;

	log_file_flush(&out.server);
	out.packet_hubs = 0;
	for (unsigned i = 0; i < out.hub_top; i++) {
		if (out.hub[i] == NULL)
			continue;
		log_file_flush(&out.hub[i]->security);
		log_file_flush(&out.hub[i]->packet);
		out.packet_hubs += out.hub[i]->conf.packet;
		if (out.hub[i]->gone)
			sink_free(i);
	}
	memcpy(written, out.written, sizeof(written));
	memcpy(lost, out.lost_disk, sizeof(lost));
	count(written, lost, LOGS_SERVER, &out.server);
	for (unsigned i = 0; i < out.hub_top; i++) {
		if (out.hub[i] == NULL)
			continue;
		count(written, lost, LOGS_SECURITY, &out.hub[i]->security);
		count(written, lost, LOGS_PACKET, &out.hub[i]->packet);
	}
	for (unsigned w = 0; w < lcore_count(); w++)
		unlogged_cnt += packet_log_lost(w);
	pthread_mutex_lock(&logs.lock);
	logs.counters.written = logs.counters.lost_disk = 0;
	for (unsigned i = 0; i < LOGS_CNT; i++) {
		logs.counters.written_by[i] = written[i];
		logs.counters.written += written[i];
		logs.counters.lost_disk_by[i] = lost[i];
		logs.counters.lost_disk += lost[i];
	}
	logs.counters.sent = out.syslog.sent;
	logs.counters.lost_syslog = out.syslog.lost;
	logs.counters.unlogged = unlogged_cnt;
	logs.counters.removed += removed;
	pthread_mutex_unlock(&logs.lock);
	out.flushed_ms = wall_ms();
}

static void settings_take(void)
{
	struct sockaddr_storage to;
	socklen_t bytes;

	pthread_mutex_lock(&logs.lock);
	out.save = logs.syslog;
	to = logs.syslog_to;
	bytes = logs.syslog_to_bytes;
	pthread_mutex_unlock(&logs.lock);
	syslog_out_target(&out.syslog, &to, bytes);
}

/* Until an event comes, or records are due. True: the end. */
static bool nap(void)
{
	struct timespec until;
	long ms = out.packet_hubs > 0 ? PACKET_NAP_MS : IDLE_NAP_MS;
	bool stop;

	/* Not the wall clock: set back by an hour, it would let the rings of the packet logs run over for as long. */
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % 1000 * 1000000L;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&logs.lock);
	while (logs.head == logs.tail && !logs.stop) {
		if (pthread_cond_clockwait(&logs.more, &logs.lock, CLOCK_MONOTONIC, &until) != 0)
			break;
	}
	stop = logs.stop && logs.head == logs.tail;
	pthread_mutex_unlock(&logs.lock);
	return stop;
}

/* True: there were events. They are few, and what an auditor asks for: they do not wait for the next flush. */
static bool turn(void)
{
	uint64_t heads[LCORE_MAX];
	unsigned workers = lcore_count();
	bool events = false;

	settings_take();
	for (unsigned w = 0; w < workers; w++)
		heads[w] = packet_log_head(w);
	while (events_run())
		events = true;
	while (packets_run(heads, workers)) {
		if (wall_ms() - out.flushed_ms >= LOGS_FLUSH_MS)
			flush(0);
	}
	return events;
}

void *logs_thread(void *)
{
	char folder[LOG_FILE_PATH];
	unsigned removed;
	bool end, events;

	memset(&out, 0, sizeof(out));
	snprintf(folder, sizeof(folder), "%.*s/server_log", LOG_FILE_PATH - 320, logs.folder);
	log_file_init(&out.server, folder, "vpn", line_end());
	log_file_set(&out.server, logs.conf.server_switch, logs.conf.max_bytes);
	syslog_out_init(&out.syslog);
	out.syslog.json = logs.conf.json;
	do {
		end = nap();
		events = turn();
		removed = 0;
		if (out.room_s <= log_file_now_s()) {
			removed = logs_make_room(logs.folder, logs.conf.min_free_bytes);
			out.room_s = log_file_now_s() + ROOM_S;
		}
		if (events || end || wall_ms() - out.flushed_ms >= LOGS_FLUSH_MS ||
			out.flushed_ms > wall_ms())
			flush(removed);
	} while (!end);
	log_file_close(&out.server);
	for (unsigned i = 0; i < out.hub_top; i++) {
		if (out.hub[i] != NULL)
			sink_free(i);
	}
	syslog_out_close(&out.syslog);
	return NULL;
}
