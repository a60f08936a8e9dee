/* SPDX-License-Identifier: BSD-3-Clause */
/* The front of the logs (logs.h): text into a ring, under a mutex that is held for a copy. */

#include "controlplane/logs/logs.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/logs/logs_priv.h"
#include "dataplane/packet_log.h"
#include "dataplane/port.h"

#define END_MS 500

struct logs_shared logs = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

const char *const logs_event_words[LOG_EVENT_CNT] = {
#define X(symbol, words, when) [LOG_EVENT_##symbol] = (words),
	LOG_EVENT_LIST(X)
#undef X
};

/* ---- names of ports --------------------------------------------------------------------------- */

struct port_name {
	char ip[LOGS_IP];
	char name[];
};

/* An entry stays until its index is somebody else's: lines about a port may come after its end. */
static struct {
	pthread_mutex_t lock;
	struct port_name *of[PORT_MAX];
} names = {.lock = PTHREAD_MUTEX_INITIALIZER};

void logs_port_set(uint32_t port_idx, const char *name, const struct sockaddr_storage *peer)
{
	struct port_name *p = calloc(1, sizeof(*p) + strlen(name) + 1), *old;

	if (port_idx >= PORT_MAX) {
		free(p);
		return;
	}
	if (p != NULL) {
		memcpy(p->name, name, strlen(name) + 1);
		if (peer != NULL &&
			getnameinfo((const struct sockaddr *)peer, sizeof(*peer), p->ip,
				sizeof(p->ip), NULL, 0, NI_NUMERICHOST) != 0)
			p->ip[0] = '\0';
		/* An IPv4 peer of a socket for both families. */
		if (strncmp(p->ip, "::ffff:", 7) == 0 && strchr(p->ip, '.') != NULL)
			memmove(p->ip, p->ip + 7, strlen(p->ip + 7) + 1);
	}
	pthread_mutex_lock(&names.lock);
	old = names.of[port_idx];
	names.of[port_idx] = p;
	pthread_mutex_unlock(&names.lock);
	free(old);
}

void logs_port_get(uint32_t port_idx, char name[LOGS_NAME], char ip[LOGS_IP])
{
	const struct port_name *p;

	name[0] = '\0';
	ip[0] = '\0';
	pthread_mutex_lock(&names.lock);
	p = port_idx < PORT_MAX ? names.of[port_idx] : NULL;
	if (p != NULL) {
		snprintf(name, LOGS_NAME, "%s", p->name);
		memcpy(ip, p->ip, LOGS_IP);
	}
	pthread_mutex_unlock(&names.lock);
}

/* ---- into the ring ---------------------------------------------------------------------------- */

static void copy_in(const void *bytes, size_t n)
{
	size_t at = logs.head % LOGS_RING_BYTES;
	size_t first = LOGS_RING_BYTES - at < n ? LOGS_RING_BYTES - at : n;

	memcpy(logs.ring + at, bytes, first);
	memcpy(logs.ring, (const char *)bytes + first, n - first);
	logs.head += n;
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void put(enum logs_item_kind kind, uint32_t hub, const void *bytes, size_t n)
{
	struct logs_item item = {
		.bytes = (uint32_t)n, .hub = hub, .kind = kind, .at_ms = wall_ms()};
	bool may_be_lost = kind == LOGS_ITEM_EVENT || kind == LOGS_ITEM_MESSAGE;
	size_t room;

	pthread_mutex_lock(&logs.lock);
	if (!logs.running) {
		pthread_mutex_unlock(&logs.lock);
		return;
	}
	room = LOGS_RING_BYTES - (size_t)(logs.head - logs.tail);
	if (sizeof(item) + n + (may_be_lost ? LOGS_RESERVE_BYTES : 0) > room) {
		logs.counters.lost_ring++;
		logs.lost_untold++;
	} else {
		copy_in(&item, sizeof(item));
		copy_in(bytes, n);
	}
	pthread_cond_signal(&logs.more);
	pthread_mutex_unlock(&logs.lock);
}

void logs_event(uint32_t hub_id, enum log_event event, const struct log_field *fields)
{
	char bytes[LOGS_EVENT_MAX];
	struct text_line l;

	text_begin(&l, bytes, sizeof(bytes));
	text_event(&l, logs.conf.json, logs_event_words[event], fields);
	put(LOGS_ITEM_EVENT, hub_id, l.text, l.len);
}

void logs_message(const char *level, const char *area, const char *text, size_t len)
{
	char bytes[LOGS_EVENT_MAX];
	struct text_line l;

	text_begin(&l, bytes, sizeof(bytes));
	if (logs.conf.json) {
		text_printf(&l,
			"\"event\":\"message\",\"level\":\"%s\",\"area\":\"%s\",\"text\":", level,
			area);
		text_json(&l, text, len);
	} else {
		text_printf(&l, "%s %s: ", level, area);
		text_put(&l, text, len);
	}
	put(LOGS_ITEM_MESSAGE, LOGS_NO_HUB, l.text, l.len);
}

void logs_hub_set(uint32_t id, const char *name, const struct logs_hub_conf *conf)
{
	struct logs_hub_item item = {.conf = *conf};

	snprintf(item.name, sizeof(item.name), "%s", name);
	put(LOGS_ITEM_HUB, id, &item, sizeof(item));
}

void logs_hub_gone(uint32_t id)
{
	put(LOGS_ITEM_GONE, id, NULL, 0);
}

void logs_hub_unlogged(uint32_t id, uint64_t frames)
{
	put(LOGS_ITEM_UNLOGGED, id, &frames, sizeof(frames));
}

void logs_syslog_set(enum logs_syslog save, const struct sockaddr_storage *to, socklen_t bytes)
{
	pthread_mutex_lock(&logs.lock);
	logs.syslog = save;
	logs.syslog_to_bytes = bytes;
	if (bytes > 0)
		memcpy(&logs.syslog_to, to, bytes);
	pthread_mutex_unlock(&logs.lock);
}

void logs_counters(struct logs_counters *out)
{
	pthread_mutex_lock(&logs.lock);
	*out = logs.counters;
	pthread_mutex_unlock(&logs.lock);
}

const char *logs_folder(void)
{
	return logs.folder;
}

bool logs_is_json(void)
{
	return logs.conf.json;
}

/* ---- life ------------------------------------------------------------------------------------- */

int logs_init(const struct logs_conf *conf)
{
	sigset_t all, old;
	int rc;

	if (logs.running)
		return -EALREADY;
	if (strlen(conf->folder) > LOG_FILE_PATH - 320)
		return -ENAMETOOLONG;
	rc = log_folder_make(conf->folder);
	if (rc == 0 && access(conf->folder, W_OK) != 0)
		rc = -errno;
	if (rc != 0)
		return rc;
	logs.ring = malloc(LOGS_RING_BYTES);
	if (logs.ring == NULL)
		return -ENOMEM;
	logs.conf = *conf;
	snprintf(logs.folder, sizeof(logs.folder), "%s", conf->folder);
	logs.conf.folder = logs.folder;
	packet_log_set_ring(conf->packet_ring_bytes);
	logs.stop = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&logs.thread, NULL, logs_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return -rc;
	pthread_setname_np(logs.thread, "pb-logs");
	pthread_mutex_lock(&logs.lock);
	logs.running = true;
	pthread_mutex_unlock(&logs.lock);
	log_set_tap(logs_message);
	return 0;
}

void logs_fini(void)
{
	struct timespec until;

	if (!logs.running)
		return;
	log_set_tap(NULL);
	pthread_mutex_lock(&logs.lock);
	logs.running = false;
	logs.stop = true;
	pthread_cond_signal(&logs.more);
	pthread_mutex_unlock(&logs.lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += END_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	if (pthread_clockjoin_np(logs.thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
		/* It still uses the ring. */
		pthread_detach(logs.thread);
		return;
	}
	pthread_mutex_lock(&logs.lock);
	free(logs.ring);
	logs.ring = NULL;
	logs.head = logs.tail = 0;
	pthread_mutex_unlock(&logs.lock);
	for (unsigned i = 0; i < PORT_MAX; i++) {
		free(names.of[i]);
		names.of[i] = NULL;
	}
}
