/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One socket per port and address family, with IPV6_V6ONLY, so that an IPv4 peer never shows up in two
 * shapes. Accepting runs in bounded shares, so that a flood of connections does not keep the loop from
 * those that are already here.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/listener.h"
#include "controlplane/log.h"
#include "controlplane/negotiation.h"

#define LISTEN_BACKLOG 1024
#define ACCEPT_BUDGET  32
#define PAUSE_RETRY_MS 100
#define FAMILIES       2
/*
 * Descriptors that strangers never get: for administrators, files that are written, and sessions' own
 * needs. At most a quarter of what there is.
 */
#define RESERVED_FDS 32

struct listen_socket {
	int fd; /* -1: not open */
	struct event *event;
};

struct listener {
	struct config_listener conf;
	struct listen_socket sockets[FAMILIES];
	int error;
	uint64_t accepted;
};

struct listener_counters listener_counters;

static struct {
	struct listener *list[LISTENERS_MAX]; /* in order of creation */
	unsigned cnt;
	struct event *resume;
	bool paused;   /* events are off, `resume` is armed */
	bool starving; /* from the first failure to the next success: one pause, however many tries */
} listeners;

static void accept_ready(evutil_socket_t fd, short what, void *arg);

static void listener_events(bool on)
{
	for (unsigned i = 0; i < listeners.cnt; i++) {
		for (unsigned f = 0; f < FAMILIES; f++) {
			struct event *ev = listeners.list[i]->sockets[f].event;

			if (ev == NULL)
				continue;
			if (on)
				(void)event_add(ev, NULL);
			else
				(void)event_del(ev);
		}
	}
}

static void accept_pause(int error)
{
	static const struct timeval retry = {.tv_usec = PAUSE_RETRY_MS * 1000};

	if (!listeners.starving) {
		listeners.starving = true;
		listener_counters.accept_paused++;
		log_warning("listener", "accepting paused: %s", strerror(error));
	}
	if (listeners.paused)
		return;
	listeners.paused = true;
	listener_events(false);
	(void)evtimer_add(listeners.resume, &retry);
}

/* The lowest free descriptor is always the next one, so its number tells how many are left. */
static bool scarce(int fd)
{
	struct rlimit limit;
	rlim_t reserved;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	reserved = limit.rlim_cur / 4 < RESERVED_FDS ? limit.rlim_cur / 4 : RESERVED_FDS;
	return (rlim_t)fd >= limit.rlim_cur - reserved;
}

static bool still_scarce(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool yes = fd < 0 || scarce(fd);

	if (fd >= 0)
		close(fd);
	return yes;
}

static void accept_resume(evutil_socket_t, short, void *)
{
	listeners.paused = false;
	if (still_scarce())
		accept_pause(EMFILE);
	else
		listener_events(true);
}

static void accept_ready(evutil_socket_t fd, short, void *arg)
{
	struct listener *l = arg;

	for (unsigned i = 0; i < ACCEPT_BUDGET; i++) {
		int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			bool last = scarce(conn);

			if (listeners.starving && !last) {
				log_notice("listener", "accepting again");
				listeners.starving = false;
			}
			l->accepted++;
			listener_counters.accepted++;
			negotiation_start(conn, l->conf.port);
			if (!last)
				continue;
			accept_pause(EMFILE);
			return;
		}
		switch (errno) {
		case EAGAIN:
			return;
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			accept_pause(errno);
			return;
		case EINTR:
			continue;
		default: /* ECONNABORTED, and errors of the new connection that accept(2) names */
			listener_counters.accept_failed++;
			continue;
		}
	}
}

static int socket_open(int family, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v6 = family == AF_INET6;
	int one = 1, err;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
		(is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
		bind(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
			is_v6 ? sizeof(v6) : sizeof(v4)) != 0 ||
		listen(fd, LISTEN_BACKLOG) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void socket_close(struct listen_socket *s)
{
	if (s->event != NULL)
		event_free(s->event);
	s->event = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static bool listener_open(struct listener *l)
{
	static const int families[FAMILIES] = {AF_INET, AF_INET6};
	bool open = false;

	if (listeners.resume == NULL)
		return false; /* before the start, or behind the end */
	for (unsigned f = 0; f < FAMILIES; f++) {
		struct listen_socket *s = &l->sockets[f];
		const char *family = families[f] == AF_INET ? "IPv4" : "IPv6";

		s->fd = socket_open(families[f], l->conf.port);
		if (s->fd == -EAFNOSUPPORT || s->fd == -EADDRNOTAVAIL) {
			s->fd = -1; /* a host without this family */
			continue;
		}
		if (s->fd < 0) {
			l->error = -s->fd;
			log_error("listener", "TCP port %u (%s) cannot be opened: %s; skipped",
				l->conf.port, family, strerror(l->error));
			s->fd = -1;
			continue;
		}
		s->event = event_new(control_base(), s->fd, EV_READ | EV_PERSIST, accept_ready, l);
		if (s->event == NULL || (!listeners.paused && event_add(s->event, NULL) != 0)) {
			l->error = ENOMEM;
			socket_close(s);
			continue;
		}
		open = true;
	}
	return open;
}

static void listener_close(struct listener *l)
{
	for (unsigned f = 0; f < FAMILIES; f++)
		socket_close(&l->sockets[f]);
	l->error = 0;
}

static struct listener *listener_find(uint16_t port)
{
	for (unsigned i = 0; i < listeners.cnt; i++)
		if (listeners.list[i]->conf.port == port)
			return listeners.list[i];
	return NULL;
}

int listener_add(uint16_t port, bool enabled)
{
	struct listener *l;

	if (listener_find(port) != NULL)
		return -EEXIST;
	if (listeners.cnt == LISTENERS_MAX)
		return -ENOSPC;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	*l = (struct listener){
		.conf = {.port = port, .enabled = enabled},
		.sockets = {{.fd = -1}, {.fd = -1}},
	};
	listeners.list[listeners.cnt++] = l;
	if (enabled)
		(void)listener_open(l);
	return 0;
}

int listener_remove(uint16_t port)
{
	struct listener *l = listener_find(port);
	unsigned i = 0;

	if (l == NULL)
		return -ENOENT;
	while (listeners.list[i] != l)
		i++;
	listeners.cnt--;
	memmove(&listeners.list[i], &listeners.list[i + 1],
		(listeners.cnt - i) * sizeof(struct listener *));
	listener_close(l);
	free(l);
	return 0;
}

int listener_enable(uint16_t port, bool enabled)
{
	struct listener *l = listener_find(port);

	if (l == NULL)
		return -ENOENT;
	/* Once more for one that could not be opened: whoever had the port may have gone. */
	if (l->sockets[0].fd < 0 && l->sockets[1].fd < 0)
		listener_close(l);
	if (!enabled)
		listener_close(l);
	else if (l->sockets[0].fd < 0 && l->sockets[1].fd < 0)
		(void)listener_open(l);
	l->conf.enabled = enabled;
	return 0;
}

/* patchbay.cfg's, and above them what was changed at run time. */
static int listeners_make(const struct config *config)
{
	struct directory_listener d;
	int rc = 0;

	for (unsigned i = 0; i < config->listener_cnt && rc == 0; i++) {
		bool wanted = true, enabled = config->listeners[i].enabled;

		for (unsigned k = 0; directory_listener_get(k, &d); k++) {
			if (d.port == config->listeners[i].port) {
				wanted = !d.removed;
				enabled = d.enabled;
			}
		}
		if (wanted)
			rc = listener_add(config->listeners[i].port, enabled);
	}
	for (unsigned k = 0; rc == 0 && directory_listener_get(k, &d); k++)
		if (!d.removed && listener_find(d.port) == NULL)
			rc = listener_add(d.port, d.enabled);
	return rc == -EEXIST ? 0 : rc;
}

int listener_start(const struct config *config)
{
	int open = 0, wanted = 0, rc;

	listeners.resume = evtimer_new(control_base(), accept_resume, NULL);
	if (listeners.resume == NULL)
		return -ENOMEM;
	listeners.paused = listeners.starving = false;
	rc = listeners_make(config);
	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < listeners.cnt; i++) {
		wanted += listeners.list[i]->conf.enabled;
		open += listeners.list[i]->sockets[0].fd >= 0 ||
			listeners.list[i]->sockets[1].fd >= 0;
	}
	/* An administrator who wants none may have it so. */
	return open > 0 || wanted == 0 ? open : -EADDRINUSE;
}

void listener_stop(void)
{
	if (listeners.resume != NULL)
		event_free(listeners.resume);
	listeners.resume = NULL;
	while (listeners.cnt > 0) {
		struct listener *l = listeners.list[--listeners.cnt];

		listener_close(l);
		free(l);
	}
}

unsigned listener_cnt(void)
{
	return listeners.cnt;
}

bool listener_get(unsigned index, struct listener_info *out)
{
	const struct listener *l;

	if (index >= listeners.cnt)
		return false;
	l = listeners.list[index];
	*out = (struct listener_info){
		.port = l->conf.port,
		.enabled = l->conf.enabled,
		.open = l->sockets[0].fd >= 0 || l->sockets[1].fd >= 0,
		.error = l->error,
		.accepted = l->accepted,
	};
	return true;
}
