/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A FIFO, since all wait equally long: one timer, set for the oldest.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>

#include "controlplane/linger.h"
#include "drivers/session/stream.h"

/* Per wake-up, so that a peer that floods a closing connection does not keep the loop. */
#define DISCARD_READS	   8
#define DISCARD_READ_BYTES 65536u

struct linger_stream {
	struct stream *stream;
	struct event *event;
	bool half_closed; /* all sent, writing shut down */
	uint64_t due_ms;
	void (*done)(void *arg);
	void *arg;
	TAILQ_ENTRY(linger_stream) entry;
};
TAILQ_HEAD(lingers, linger_stream);

struct linger_counters linger_counters;

static struct {
	struct event_base *base;
	struct stream_io *io;
	struct event *timer;
	struct lingers list; /* oldest first */
	unsigned cnt;
	unsigned max;
} lingering = {.list = TAILQ_HEAD_INITIALIZER(lingering.list)};

static void socket_ready(evutil_socket_t fd, short what, void *arg);

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void linger_end(struct linger_stream *l, uint64_t *counter)
{
	(*counter)++;
	if (!l->half_closed)
		linger_counters.unsent++;
	TAILQ_REMOVE(&lingering.list, l, entry);
	lingering.cnt--;
	if (l->event != NULL)
		event_free(l->event);
	stream_close(l->stream);
	if (l->done != NULL)
		l->done(l->arg);
	free(l);
}

static void timer_arm(void)
{
	const struct linger_stream *oldest = TAILQ_FIRST(&lingering.list);
	struct timeval tv = {0};
	uint64_t now, wait_ms;

	if (oldest == NULL || evtimer_pending(lingering.timer, NULL))
		return;
	now = clock_ms();
	wait_ms = oldest->due_ms > now ? oldest->due_ms - now : 0;
	tv.tv_sec = wait_ms / 1000;
	tv.tv_usec = wait_ms % 1000 * 1000;
	evtimer_add(lingering.timer, &tv);
}

static void timer_expired(evutil_socket_t, short, void *)
{
	uint64_t now = clock_ms();
	struct linger_stream *l;

	while ((l = TAILQ_FIRST(&lingering.list)) != NULL && l->due_ms <= now)
		linger_end(l, &linger_counters.timed_out);
	timer_arm();
}

/* Waits for what comes next; false if that is impossible. */
static bool linger_watch(struct linger_stream *l)
{
	short what = l->half_closed ? EV_READ | EV_PERSIST : EV_READ | EV_WRITE | EV_PERSIST;

	if (l->event != NULL)
		event_free(l->event);
	l->event = event_new(lingering.base, stream_fd(l->stream), what, socket_ready, l);
	return l->event != NULL && event_add(l->event, NULL) == 0;
}

/* Sends what waits; 1 when the last byte has left, 0 while some waits, -errno. */
static int linger_flush(struct linger_stream *l)
{
	ssize_t unsent = stream_send(l->stream, lingering.io);

	if (unsent < 0)
		return (int)unsent;
	if (unsent > 0)
		return 0;
	l->half_closed = true;
	return shutdown(stream_fd(l->stream), SHUT_WR) == 0 ? 1 : -errno;
}

/* Discards what the peer says: 1 at its end, 0 if there may be more, -errno. */
static int linger_discard(struct linger_stream *l)
{
	static uint8_t nowhere[DISCARD_READ_BYTES];

	for (unsigned i = 0; i < DISCARD_READS; i++) {
		ssize_t n = recv(stream_fd(l->stream), nowhere, sizeof(nowhere), MSG_DONTWAIT);

		if (n == 0)
			return 1;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	return 0;
}

static void socket_ready(evutil_socket_t, short, void *arg)
{
	struct linger_stream *l = arg;
	int ret;

	if (!l->half_closed) {
		ret = linger_flush(l);
		if (ret < 0 || (ret > 0 && !linger_watch(l))) {
			linger_end(l, &linger_counters.failed);
			return;
		}
	}
	ret = linger_discard(l);
	if (ret < 0)
		linger_end(l, &linger_counters.failed);
	else if (ret > 0)
		linger_end(l, &linger_counters.peer_closed);
}

int linger_init(struct event_base *base, unsigned max)
{
	lingering.base = base;
	lingering.max = max;
	lingering.io = stream_io_create();
	lingering.timer = evtimer_new(base, timer_expired, NULL);
	if (lingering.io == NULL || lingering.timer == NULL) {
		linger_fini();
		return -ENOMEM;
	}
	return 0;
}

void linger_add(struct stream *stream, void (*done)(void *arg), void *arg)
{
	struct linger_stream *l = calloc(1, sizeof(*l));
	int ret;

	linger_counters.started++;
	stream_shutdown(stream, lingering.io);
	if (l == NULL) {
		(void)stream_send(stream, lingering.io);
		linger_counters.cut++;
		stream_close(stream);
		if (done != NULL)
			done(arg);
		return;
	}
	if (lingering.cnt >= lingering.max && lingering.cnt > 0)
		linger_end(TAILQ_FIRST(&lingering.list), &linger_counters.cut);
	l->stream = stream;
	l->done = done;
	l->arg = arg;
	l->due_ms = clock_ms() + LINGER_MS;
	TAILQ_INSERT_TAIL(&lingering.list, l, entry);
	lingering.cnt++;
	ret = linger_flush(l);
	if (ret < 0 || !linger_watch(l)) {
		linger_end(l, &linger_counters.failed);
		return;
	}
	(void)stream_park(stream, lingering.io);
	timer_arm();
}

unsigned linger_cnt(void)
{
	return lingering.cnt;
}

void linger_fini(void)
{
	struct linger_stream *l;

	while ((l = TAILQ_FIRST(&lingering.list)) != NULL)
		linger_end(l, &linger_counters.cut);
	if (lingering.timer != NULL)
		event_free(lingering.timer);
	lingering.timer = NULL;
	stream_io_destroy(lingering.io);
	lingering.io = NULL;
}
