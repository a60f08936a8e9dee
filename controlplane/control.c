/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control thread's loop (control.h). An idle daemon wakes once a second here: faster timers run only
 * while something waits for them.
 */

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/access.h"
#include "controlplane/admin/upload.h"
#include "controlplane/admin/where.h"
#include "controlplane/bridges.h"
#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/hub_logs.h"
#include "controlplane/log.h"
#include "controlplane/notice_log.h"
#include "controlplane/notify.h"
#include "controlplane/reload.h"
#include "controlplane/syslog_target.h"
#include "dataplane/grace.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"

#define EVENTS_PER_TURN 256u
#define GRACE_POLL_MS	10
#define GROWTH_POLL_MS	1 /* a storm of new addresses fills a small table in less */
#define HOUSEKEEPING_S	1
/* All MAC tables together, per second; an address lives 600 s, so that a pass may take some. */
#define SWEEP_SLOTS	131072u
#define SWEEP_SLOTS_MIN 4096u
#define SWEEP_SECONDS	8u
#define GROWTH_SLOTS	16384u /* of each table that grows, per look: some hundred microseconds */
/* A clean end takes at most 3 s, stopping the workers included. */
#define STOP_PATIENCE_MS 2600
#define STOP_POLL_MS	 20
#define RESTART_MS	 200 /* for the answer to whoever asked for it */
#define SIGNAL_CNT	 3

static const int signal_numbers[SIGNAL_CNT] = {SIGINT, SIGTERM, SIGHUP};

static struct {
	const struct config *config;
	struct event_base *base;
	struct event *worker_events;
	struct event *grace;
	struct event *housekeeping;
	struct event *growth;
	struct event *stop_poll;
	struct event *restart;
	struct event *signals[SIGNAL_CNT];
	uint64_t stop_deadline_ms;
	unsigned sweep_next; /* index of the hub that is swept first next time */
	bool stopping;
	bool restarting;
} control;

struct event_base *control_base(void)
{
	return control.base;
}

const struct config *control_config(void)
{
	return control.config;
}

bool control_stopping(void)
{
	return control.stopping;
}

static struct timeval milliseconds(long ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void worker_events_ready(evutil_socket_t, short, void *)
{
	lcore_events_run(EVENTS_PER_TURN);
}

/* Anything in a turn of the loop may have deferred something; nobody asks while nothing waits. */
static void grace_look(void)
{
	const struct timeval soon = milliseconds(GRACE_POLL_MS);

	if (grace_poll() > 0 && !evtimer_pending(control.grace, NULL))
		evtimer_add(control.grace, &soon);
}

static void grace_due(evutil_socket_t, short, void *)
{
	/* The look behind each turn does it. */
}

static unsigned sweep_share(const struct directory_hub *hub)
{
	unsigned share = hub->max_macs / SWEEP_SECONDS;

	return share < SWEEP_SLOTS_MIN ? SWEEP_SLOTS_MIN : share;
}

/* Each second some hubs, in turns: as many as the budget of slots lasts for, at least one. */
static void sweep_hubs(void)
{
	const struct directory_hub *hub;
	unsigned index = 0, cnt = 0, budget = SWEEP_SLOTS;
	unsigned first = control.sweep_next;

	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		unsigned share = sweep_share(hub);

		if (cnt++ < first || budget == 0)
			continue;
		if (share > budget)
			share = budget;
		hub_housekeep(hub->hub, share);
		budget -= share;
		index = cnt;
	}
	control.sweep_next = index >= cnt ? 0 : index;
}

/* MAC tables that are being made larger are not left waiting for the next second. */
static void growth_due(evutil_socket_t, short, void *)
{
	const struct timeval soon = milliseconds(GROWTH_POLL_MS);
	const struct directory_hub *hub;
	bool again = false;

	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		if (!fdb_growing(hub_fdb(hub->hub)))
			continue;
		hub_housekeep(hub->hub, GROWTH_SLOTS);
		again = true;
	}
	if (again)
		evtimer_add(control.growth, &soon);
}

/* A worker says that some table is full: at once, as whatever is new is flooded until then. */
static void pressure_told(void)
{
	growth_due(-1, 0, NULL);
}

static void housekeeping_due(evutil_socket_t, short, void *)
{
	static struct log_limit limit = LOG_LIMIT(3, 6);
	unsigned silent = lcore_watchdog();

	if (silent > 0)
		log_limited(&limit, LOG_LEVEL_WARNING, "lcore",
			"%u workers have reported nothing for a second while they had work",
			silent);
	notice_log_run(); /* before the sweep that lets go of port indices */
	hub_logs_look();
	admin_where_look(false);
	upload_look(lcore_clock_ms());
	syslog_target_run();
	sweep_hubs();
	if (!evtimer_pending(control.growth, NULL))
		growth_due(-1, 0, NULL);
}

static void stop_poll_due(evutil_socket_t, short, void *)
{
	if (access_quiet() && bridges_quiet()) {
		event_base_loopbreak(control.base);
	} else if (lcore_clock_ms() >= control.stop_deadline_ms) {
		log_notice("control", "not everything has ended in time; going all the same");
		event_base_loopbreak(control.base);
	}
}

/* In signal context, wherever the control thread is by then. */
static void end_at_once(int)
{
	static const char text[] = "patchbayd: second signal, ending at once\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)n;
	_exit(EXIT_FAILURE);
}

static void signal_caught(evutil_socket_t number, short, void *)
{
	if (number == SIGHUP) {
		if (!control.stopping)
			reload_all();
		return;
	}
	for (unsigned i = 0; i < SIGNAL_CNT; i++) {
		if (control.signals[i] == NULL || signal_numbers[i] == SIGHUP)
			continue;
		event_del(control.signals[i]);
		signal(signal_numbers[i], end_at_once);
	}
	log_notice("control", "ending: %s", strsignal(number));
	control.restarting = false;
	control_stop();
}

void control_stop(void)
{
	const struct timeval often = milliseconds(STOP_POLL_MS);

	if (control.stopping)
		return;
	control.stopping = true;
	/* The service manager is not to take a restart for an end. */
	if (control.restarting)
		notify_reloading();
	else
		notify_stopping();
	control.stop_deadline_ms = lcore_clock_ms() + STOP_PATIENCE_MS;
	access_shutdown();
	bridges_shutdown();
	event_add(control.stop_poll, &often);
}

static void restart_due(evutil_socket_t, short, void *)
{
	control.restarting = !control.stopping;
	control_stop();
}

void control_restart(void)
{
	const struct timeval soon = milliseconds(RESTART_MS);

	evtimer_add(control.restart, &soon);
}

bool control_restarting(void)
{
	return control.restarting;
}

int control_init(const struct config *config)
{
	struct event_config *ec = event_config_new();

	control.config = config;
	if (ec == NULL)
		return -ENOMEM;
	/* Timers of ours are coarse: no timerfd, no clock_gettime() more than needed. */
	event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK);
	control.base = event_base_new_with_config(ec);
	event_config_free(ec);
	if (control.base == NULL)
		return -ENOMEM;
	control.grace = evtimer_new(control.base, grace_due, NULL);
	control.growth = evtimer_new(control.base, growth_due, NULL);
	control.housekeeping = event_new(control.base, -1, EV_PERSIST, housekeeping_due, NULL);
	control.stop_poll = event_new(control.base, -1, EV_PERSIST, stop_poll_due, NULL);
	control.restart = evtimer_new(control.base, restart_due, NULL);
	if (control.restart == NULL || control.grace == NULL || control.growth == NULL ||
		control.housekeeping == NULL || control.stop_poll == NULL) {
		control_fini();
		return -ENOMEM;
	}
	for (unsigned i = 0; i < SIGNAL_CNT; i++) {
		control.signals[i] =
			evsignal_new(control.base, signal_numbers[i], signal_caught, NULL);
		if (control.signals[i] == NULL || event_add(control.signals[i], NULL) < 0) {
			control_fini();
			return -ENOMEM;
		}
	}
	return 0;
}

int control_start(void)
{
	const struct timeval second = {.tv_sec = HOUSEKEEPING_S};

	hub_on_pressure(pressure_told);
	control.worker_events = event_new(
		control.base, lcore_events_fd(), EV_READ | EV_PERSIST, worker_events_ready, NULL);
	if (control.worker_events == NULL || event_add(control.worker_events, NULL) < 0 ||
		event_add(control.housekeeping, &second) < 0)
		return -ENOMEM;
	return 0;
}

void control_run(void)
{
	while (!event_base_got_break(control.base)) {
		if (event_base_loop(control.base, EVLOOP_ONCE) < 0) {
			log_error("control", "the event loop failed");
			return;
		}
		grace_look();
	}
}

static void drop(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

void control_fini(void)
{
	drop(&control.worker_events);
	drop(&control.grace);
	drop(&control.growth);
	drop(&control.housekeeping);
	drop(&control.stop_poll);
	drop(&control.restart);
	for (unsigned i = 0; i < SIGNAL_CNT; i++)
		drop(&control.signals[i]);
	if (control.base != NULL)
		event_base_free(control.base);
	control.base = NULL;
}
