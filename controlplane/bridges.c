/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Local bridges from directory entry to port and back (bridges.h).
 *
 *              hub there                opened             device gone, or deleted
 *   WAITING ─────────────► OPENING ─────────────► UP ─────────────────────────────► UNPLUGGED
 *      ▲  ▲                   │ failed                                                  │ workers let go
 *      │  └───────────────────┘                                                         ▼
 *      └──────────────────────────────── closed ──────────────────────────────────── CLOSING
 */

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/bridges.h"
#include "controlplane/control.h"
#include "controlplane/eal.h"
#include "controlplane/hub_logs.h"
#include "controlplane/log.h"
#include "controlplane/logs/logs.h"
#include "dataplane/port.h"

#define RETRY_S	   1 /* reference/bridge-cascade.md A.1 */
#define TAP_PREFIX "tap_"

static TAILQ_HEAD(, local_bridge) bridges = TAILQ_HEAD_INITIALIZER(bridges);
/* For the slow helper; the first one has it while it is busy. */
static TAILQ_HEAD(, local_bridge) line = TAILQ_HEAD_INITIALIZER(line);
static struct local_bridge *by_port[PORT_MAX];
static struct event *retry, *links;
static uint64_t last_id;
static bool stopping;
static bool helper_busy;

static void advance(struct local_bridge *lb);

const char *bridges_state_name(enum bridges_state state)
{
	static const char *const names[] = {
		[BRIDGES_WAITING] = "waiting",
		[BRIDGES_OPENING] = "opening",
		[BRIDGES_UP] = "up",
		[BRIDGES_UNPLUGGED] = "unplugged",
		[BRIDGES_CLOSING] = "closing",
	};

	return names[state];
}

/* ---- the slow helper ------------------------------------------------------------------------- */

static void line_work(struct slow_job *job)
{
	struct local_bridge *lb =
		(struct local_bridge *)((char *)job - offsetof(struct local_bridge, job));

	if (lb->state == BRIDGES_CLOSING) {
		bridge_close(lb->bridge);
		return;
	}
	/* What DPDK says about a failure is news once, not every second. */
	eal_hush(lb->failures > 0);
	lb->result = bridge_open(lb->bridge);
	eal_hush(false);
}

static void line_next(void)
{
	struct local_bridge *lb = TAILQ_FIRST(&line);

	if (lb == NULL || helper_busy)
		return;
	helper_busy = true;
	slow_submit(&lb->job);
}

static bool hub_takes(const struct local_bridge *lb)
{
	return !lb->detached && lb->hub->online;
}

static void failed(struct local_bridge *lb, const char *why)
{
	lb->failures++;
	if (strcmp(lb->error, why) != 0)
		log_warning(
			"bridge", "hub %s, bridge %s waits: %s", lb->conf.hub, lb->conf.name, why);
	snprintf(lb->error, sizeof(lb->error), "%s", why);
}

static void came_up(struct local_bridge *lb)
{
	struct bridge_view v;

	lb->state = BRIDGES_UP;
	lb->error[0] = '\0';
	lb->failures = 0;
	lb->up_ms = directory_now_ms();
	lb->port_idx = bridge_port_idx(lb->bridge);
	by_port[lb->port_idx] = lb;
	if (lb->session_name[0] == '\0')
		snprintf(lb->session_name, sizeof(lb->session_name), "SID-LOCALBRIDGE-%u",
			lb->hub->session_serial++);
	logs_port_set(lb->port_idx, lb->session_name, NULL);
	bridge_view(lb->bridge, &v);
	log_notice("bridge", "hub %s: %s is up as %s (%s, %u receive and %u transmit queues)",
		lb->conf.hub, lb->conf.name, lb->session_name, v.driver, v.rx_queues, v.tx_queues);
	hub_logs_bridge(lb->hub, LOG_EVENT_BRIDGE_UP, lb->session_name, lb->conf.name,
		lb->conf.device, NULL);
	if (v.note[0] != '\0')
		log_warning("bridge", "hub %s, bridge %s: %s", lb->conf.hub, lb->conf.name, v.note);
}

static void opened(struct local_bridge *lb)
{
	int rc = lb->result;

	if (rc != 0) {
		lb->state = BRIDGES_WAITING;
		failed(lb, bridge_error(lb->bridge));
		return;
	}
	rc = lb->doomed || stopping || !hub_takes(lb) ? -ECANCELED : bridge_plug(lb->bridge);
	if (rc == 0) {
		came_up(lb);
		return;
	}
	if (rc != -ECANCELED)
		failed(lb, rc == -EAGAIN ? "a worker is too busy to take it" : strerror(-rc));
	lb->state = BRIDGES_CLOSING;
}

static void get_in_line(struct local_bridge *lb)
{
	TAILQ_INSERT_TAIL(&line, lb, line);
	line_next();
}

static void line_done(struct slow_job *job)
{
	struct local_bridge *lb =
		(struct local_bridge *)((char *)job - offsetof(struct local_bridge, job));

	TAILQ_REMOVE(&line, lb, line);
	helper_busy = false;
	if (lb->state == BRIDGES_CLOSING) {
		lb->state = BRIDGES_WAITING;
		log_info("bridge", "hub %s: %s is closed", lb->conf.hub, lb->conf.name);
	} else {
		opened(lb);
		if (lb->state == BRIDGES_CLOSING)
			get_in_line(lb);
	}
	line_next();
	advance(lb);
}

/* ---- states ---------------------------------------------------------------------------------- */

static void forget(struct local_bridge *lb)
{
	TAILQ_REMOVE(&bridges, lb, entry);
	bridge_free(lb->bridge);
	free(lb);
}

/* Out of the hub, and then its device is closed. */
static void go_down(struct local_bridge *lb, const char *why)
{
	lb->state = BRIDGES_UNPLUGGED;
	by_port[lb->port_idx] = NULL;
	hub_logs_bridge(lb->hub, LOG_EVENT_BRIDGE_DOWN, lb->session_name, lb->conf.name,
		lb->conf.device, why);
	bridge_unplug(lb->bridge);
}

static void on_lost(void *ctx)
{
	struct local_bridge *lb = ctx;

	if (lb->state != BRIDGES_UP)
		return;
	failed(lb, "its device has gone");
	go_down(lb, "device_gone");
}

static void on_unplugged(void *ctx)
{
	struct local_bridge *lb = ctx;

	lb->state = BRIDGES_CLOSING;
	get_in_line(lb);
}

static const struct bridge_callbacks callbacks = {.lost = on_lost, .unplugged = on_unplugged};

static int make(struct local_bridge *lb)
{
	char device[BRIDGE_DEVICE_BYTES];
	struct bridge_conf conf = {
		.kind = lb->conf.tap ? BRIDGE_TAP : BRIDGE_DEVICE,
		.device = device,
		.hub = lb->hub->hub,
		/* The 13-second rule also breaks loops through the LAN (bridge-cascade.md A.1). */
		.port_flags = PORT_F_CHECK_LAN |
			(lb->conf.monitor ? PORT_F_RECEIVE_ONLY | PORT_F_MIRROR : 0),
		.max_frame = lb->conf.max_frame,
		.limit_storms = lb->conf.limit_broadcast,
		.keep_offloads = lb->conf.keep_offloads,
		.cb = &callbacks,
		.ctx = lb,
	};

	if (!lb->conf.tap) {
		snprintf(device, sizeof(device), "%s", lb->conf.device);
	} else {
		snprintf(device, sizeof(device), TAP_PREFIX "%.11s", lb->conf.device);
		for (char *p = device; *p != '\0'; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
	}
	return bridge_create(&conf, &lb->bridge);
}

/* From WAITING on: opens, or goes if it is deleted. */
static void advance(struct local_bridge *lb)
{
	if (lb->doomed && lb->state == BRIDGES_WAITING) {
		forget(lb);
		return;
	}
	if (lb->detached && lb->state == BRIDGES_WAITING) {
		/* The next hub of that name is another one. */
		bridge_free(lb->bridge);
		lb->bridge = NULL;
		lb->hub = NULL;
		lb->session_name[0] = '\0';
		lb->detached = false;
	}
	if (lb->doomed && lb->state == BRIDGES_UP)
		go_down(lb, "deleted");
}

static void try_open(struct local_bridge *lb)
{
	if (lb->state != BRIDGES_WAITING || lb->doomed || stopping)
		return;
	if (lb->bridge == NULL) {
		lb->hub = directory_hub_find(lb->conf.hub);
		if (lb->hub == NULL || lb->hub->hub == NULL) {
			failed(lb, "there is no such hub");
			return;
		}
		if (make(lb) != 0) {
			failed(lb, "out of memory");
			return;
		}
	}
	if (!lb->hub->online) {
		failed(lb, "the hub is offline");
		return;
	}
	lb->state = BRIDGES_OPENING;
	get_in_line(lb);
}

static void retry_due(evutil_socket_t, short, void *)
{
	struct local_bridge *lb, *next;

	bridge_driver_look();
	for (lb = TAILQ_FIRST(&bridges); lb != NULL; lb = next) {
		next = TAILQ_NEXT(lb, entry);
		try_open(lb);
	}
}

static void links_ready(evutil_socket_t, short, void *)
{
	bridge_driver_look();
}

/* ---- life ------------------------------------------------------------------------------------ */

int bridges_begin(const struct directory_bridge *conf)
{
	struct local_bridge *lb = calloc(1, sizeof(*lb));
	const struct timeval second = {.tv_sec = RETRY_S};

	if (lb == NULL)
		return -ENOMEM;
	lb->conf = *conf;
	lb->id = ++last_id;
	lb->job.work = line_work;
	lb->job.done = line_done;
	TAILQ_INSERT_TAIL(&bridges, lb, entry);
	/* Without bridges nobody wakes for them. */
	if (!evtimer_pending(retry, NULL))
		event_add(retry, &second);
	try_open(lb);
	return 0;
}

static struct local_bridge *find(const struct directory_bridge *conf)
{
	struct local_bridge *lb;

	TAILQ_FOREACH (lb, &bridges, entry) {
		if (lb->conf.tap == conf->tap && strcasecmp(lb->conf.hub, conf->hub) == 0 &&
			strcmp(lb->conf.device, conf->device) == 0)
			return lb;
	}
	return NULL;
}

void bridges_end(const struct directory_bridge *conf)
{
	struct local_bridge *lb = find(conf);

	if (lb == NULL)
		return;
	lb->doomed = true;
	advance(lb);
}

bool bridges_alive(const struct directory_bridge *conf)
{
	return find(conf) != NULL;
}

int bridges_start(void)
{
	const struct directory_bridge *conf;
	int rc = 0;

	retry = event_new(control_base(), -1, EV_PERSIST, retry_due, NULL);
	links = event_new(
		control_base(), bridge_driver_fd(), EV_READ | EV_PERSIST, links_ready, NULL);
	if (retry == NULL || links == NULL || event_add(links, NULL) < 0)
		return -ENOMEM;
	TAILQ_FOREACH (conf, directory_bridges(), entry) {
		rc = bridges_begin(conf);
		if (rc != 0)
			break;
	}
	return rc;
}

void bridges_shutdown(void)
{
	struct local_bridge *lb;

	stopping = true;
	TAILQ_FOREACH (lb, &bridges, entry) {
		if (lb->state == BRIDGES_UP)
			go_down(lb, "shutdown");
	}
}

bool bridges_quiet(void)
{
	const struct local_bridge *lb;

	TAILQ_FOREACH (lb, &bridges, entry)
		if (lb->state != BRIDGES_WAITING)
			return false;
	return true;
}

void bridges_fini(void)
{
	struct local_bridge *lb;

	stopping = true;
	while ((lb = TAILQ_FIRST(&bridges)) != NULL) {
		if (lb->bridge != NULL)
			bridge_close(lb->bridge);
		forget(lb);
	}
	if (retry != NULL)
		event_free(retry);
	if (links != NULL)
		event_free(links);
	retry = links = NULL;
}

/* ---- hubs that come and go ------------------------------------------------------------------- */

void bridges_hub_down(struct directory_hub *hub, bool gone)
{
	struct local_bridge *lb, *next;

	for (lb = TAILQ_FIRST(&bridges); lb != NULL; lb = next) {
		next = TAILQ_NEXT(lb, entry);
		if (lb->hub != hub)
			continue;
		lb->detached = lb->detached || gone;
		if (lb->state == BRIDGES_UP) {
			failed(lb, gone ? "there is no such hub" : "the hub is offline");
			go_down(lb, gone ? "hub_deleted" : "hub_offline");
		}
		advance(lb);
	}
}

void bridges_hub_up(struct directory_hub *hub)
{
	struct local_bridge *lb, *next;

	for (lb = TAILQ_FIRST(&bridges); lb != NULL; lb = next) {
		next = TAILQ_NEXT(lb, entry);
		if (lb->hub == hub)
			try_open(lb);
	}
}

bool bridges_hub_quiet(const struct directory_hub *hub)
{
	const struct local_bridge *lb;

	TAILQ_FOREACH (lb, &bridges, entry)
		if (lb->hub == hub && lb->state != BRIDGES_WAITING)
			return false;
	return true;
}

/* ---- looking --------------------------------------------------------------------------------- */

struct local_bridge *bridges_next(uint64_t id)
{
	struct local_bridge *lb;

	TAILQ_FOREACH (lb, &bridges, entry)
		if (lb->id > id)
			break;
	return lb;
}

struct local_bridge *bridges_by_port(uint32_t port_idx)
{
	return port_idx < PORT_MAX ? by_port[port_idx] : NULL;
}

unsigned bridges_up(const struct directory_hub *hub)
{
	const struct local_bridge *lb;
	unsigned n = 0;

	TAILQ_FOREACH (lb, &bridges, entry)
		n += lb->state == BRIDGES_UP && lb->hub == hub;
	return n;
}

struct local_bridge *bridges_session_find(const struct directory_hub *hub, const char *name)
{
	struct local_bridge *lb;

	TAILQ_FOREACH (lb, &bridges, entry)
		if (lb->state == BRIDGES_UP && lb->hub == hub &&
			strcasecmp(lb->session_name, name) == 0)
			return lb;
	return NULL;
}

void bridges_view(const struct local_bridge *lb, struct bridge_view *out)
{
	memset(out, 0, sizeof(*out));
	/* While a helper works on it, its queues are being made. */
	if (lb->bridge != NULL)
		bridge_view(lb->bridge, out);
}
