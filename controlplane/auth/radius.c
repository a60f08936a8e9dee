/* SPDX-License-Identifier: BSD-3-Clause */
/* See radius.h. */

#include "controlplane/auth/radius.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/rand.h>

#include "controlplane/resolver.h"

#define LOOKUP_MS 50u /* until a name is asked for again that is being looked up */

struct server {
	struct radius_request *request;
	char name[DIRECTORY_NAME_BYTES];
	struct event *readable; /* NULL: not asked yet */
	int fd;
};

struct radius_request {
	TAILQ_ENTRY(radius_request) entry;
	const struct directory_hub *hub; /* to be counted, not to be looked into */
	void (*done)(void *ctx, const struct radius_answer *answer);
	void *ctx;
	struct event *timer;
	uint64_t until_ms;
	uint32_t retry_ms;
	uint16_t port;
	bool signed_only, unsigned_seen;
	char secret[DIRECTORY_RADIUS_SECRET_BYTES];
	struct server servers[DIRECTORY_RADIUS_LIST];
	unsigned server_cnt, turn;
	uint8_t identifier;
	uint8_t authenticator[RADIUS_AUTHENTICATOR_BYTES];
	size_t size;
	uint8_t packet[RADIUS_PACKET_MAX];
};

static struct {
	struct event_base *base;
	TAILQ_HEAD(, radius_request) requests;
	unsigned cnt;
} all = {.requests = TAILQ_HEAD_INITIALIZER(all.requests)};

struct radius_counters radius_counters;

void radius_init(struct event_base *base)
{
	all.base = base;
}

void radius_fini(void)
{
	all.base = NULL;
}

unsigned radius_request_cnt(void)
{
	return all.cnt;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- life -------------------------------------------------------------------------------------- */

static void request_free(struct radius_request *q)
{
	for (unsigned i = 0; i < q->server_cnt; i++) {
		if (q->servers[i].readable != NULL)
			event_free(q->servers[i].readable);
		if (q->servers[i].fd >= 0)
			close(q->servers[i].fd);
	}
	if (q->timer != NULL)
		event_free(q->timer);
	explicit_bzero(q, sizeof(*q));
	free(q);
}

void radius_cancel(struct radius_request *q)
{
	if (q == NULL)
		return;
	TAILQ_REMOVE(&all.requests, q, entry);
	all.cnt--;
	request_free(q);
}

static void finish(struct radius_request *q, enum radius_result result, uint16_t vlan)
{
	struct radius_answer answer = {
		.result = result, .vlan = vlan, .unsigned_seen = q->unsigned_seen};
	void (*done)(void *ctx, const struct radius_answer *answer) = q->done;
	void *ctx = q->ctx;

	radius_cancel(q);
	done(ctx, &answer);
}

/* ---- replies ----------------------------------------------------------------------------------- */

static void count(enum radius_judgement judgement)
{
	switch (judgement) {
	case RADIUS_REPLY_RIGHT:
		break;
	case RADIUS_REPLY_MALFORMED:
	case RADIUS_REPLY_UNEXPECTED:
		radius_counters.radius_malformed++;
		break;
	case RADIUS_REPLY_FOREIGN:
		radius_counters.radius_foreign++;
		break;
	case RADIUS_REPLY_FORGED:
		radius_counters.radius_forged++;
		break;
	case RADIUS_REPLY_UNSIGNED:
		radius_counters.radius_unsigned++;
		break;
	}
}

/* A flood of replies is looked at in turns: the event is level-triggered. */
static void on_reply(evutil_socket_t fd, short, void *arg)
{
	struct server *s = arg;
	struct radius_request *q = s->request;
	uint8_t bytes[RADIUS_PACKET_MAX];
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	enum radius_judgement judgement;
	struct radius_reply reply;

	if (got < 0) {
		/* Nobody listens there, says the kernel: it is asked again in its turn. */
		if (errno != EAGAIN && errno != EINTR)
			radius_counters.radius_unreachable++;
		return;
	}
	judgement = radius_reply_parse(bytes, (size_t)got, q->identifier, q->authenticator,
		q->secret, q->signed_only, &reply);
	count(judgement);
	q->unsigned_seen |= judgement == RADIUS_REPLY_UNSIGNED;
	if (judgement != RADIUS_REPLY_RIGHT)
		return;
	if (reply.code == RADIUS_ACCESS_ACCEPT) {
		radius_counters.radius_accepted++;
		finish(q, RADIUS_ACCEPTED, reply.vlan);
	} else {
		radius_counters.radius_rejected++;
		finish(q, RADIUS_REJECTED, 0);
	}
}

/* ---- asking ------------------------------------------------------------------------------------ */

static bool server_open(struct server *s, struct sockaddr_storage *address)
{
	bool ipv6 = address->ss_family == AF_INET6;
	socklen_t len = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	if (ipv6)
		((struct sockaddr_in6 *)address)->sin6_port = htons(s->request->port);
	else
		((struct sockaddr_in *)address)->sin_port = htons(s->request->port);
	s->fd = socket(address->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return false;
	if (connect(s->fd, (const struct sockaddr *)address, len) == 0)
		s->readable = event_new(all.base, s->fd, EV_READ | EV_PERSIST, on_reply, s);
	if (s->readable != NULL && event_add(s->readable, NULL) == 0)
		return true;
	if (s->readable != NULL)
		event_free(s->readable);
	s->readable = NULL;
	close(s->fd);
	s->fd = -1;
	return false;
}

/* 0, -EAGAIN: its name is being looked up; others: not this one. */
static int server_ask(struct server *s)
{
	struct radius_request *q = s->request;
	struct sockaddr_storage address;
	int rc;

	if (s->readable == NULL) {
		rc = resolver_find(s->name, &address);
		if (rc != 0)
			return rc;
		if (!server_open(s, &address))
			return -EIO;
	}
	radius_counters.radius_sent++;
	/* An error may belong to an earlier datagram, of which the kernel has only now heard. */
	if (send(s->fd, q->packet, q->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		send(s->fd, q->packet, q->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -EIO;
	return 0;
}

static void arm(struct radius_request *q, uint64_t wait_ms)
{
	uint64_t now = now_ms();
	uint64_t left = q->until_ms > now ? q->until_ms - now : 0;
	struct timeval tv;

	if (wait_ms > left)
		wait_ms = left;
	tv.tv_sec = (time_t)(wait_ms / 1000);
	tv.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000);
	(void)evtimer_add(q->timer, &tv);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	struct radius_request *q = arg;
	bool looking = false;

	/* The loop's clock is the coarse one: a few ms early is late enough. */
	if (now_ms() + 10 >= q->until_ms) {
		radius_counters.radius_silent++;
		finish(q, RADIUS_SILENT, 0);
		return;
	}
	/* The next that can be asked at all. */
	for (unsigned i = 0; i < q->server_cnt; i++) {
		int rc = server_ask(&q->servers[q->turn++ % q->server_cnt]);

		if (rc == 0) {
			arm(q, q->retry_ms);
			return;
		}
		if (rc == -EAGAIN)
			looking = true;
		else
			radius_counters.radius_unreachable++;
	}
	arm(q, looking ? LOOKUP_MS : q->retry_ms);
}

static unsigned of_hub(const struct directory_hub *hub)
{
	const struct radius_request *q;
	unsigned cnt = 0;

	TAILQ_FOREACH (q, &all.requests, entry)
		cnt += q->hub == hub;
	return cnt;
}

/* 0 or an errno, positive. */
static int fill(
	struct radius_request *q, const struct directory_hub *hub, const struct radius_ask *ask)
{
	const struct directory_radius *conf = &hub->radius;
	const char *list = conf->servers;
	struct radius_ask with_secret = *ask;
	long size;

	while (q->server_cnt < DIRECTORY_RADIUS_LIST &&
		directory_radius_next(&list, q->servers[q->server_cnt].name)) {
		q->servers[q->server_cnt].request = q;
		q->servers[q->server_cnt++].fd = -1;
	}
	if (q->server_cnt == 0)
		return ENOENT;
	memcpy(q->secret, conf->secret, sizeof(q->secret));
	with_secret.secret = q->secret;
	q->port = conf->port;
	q->retry_ms = conf->retry_ms;
	q->signed_only = !conf->unsigned_replies;
	q->until_ms = now_ms() + conf->timeout_ms;
	if (RAND_bytes(&q->identifier, 1) != 1 ||
		RAND_bytes(q->authenticator, sizeof(q->authenticator)) != 1)
		return EIO;
	size = radius_request_build(q->packet, &with_secret, q->identifier, q->authenticator);
	if (size < 0)
		return EINVAL;
	q->size = (size_t)size;
	return 0;
}

struct radius_request *radius_ask(const struct directory_hub *hub, const struct radius_ask *ask,
	void (*done)(void *ctx, const struct radius_answer *answer), void *ctx)
{
	struct radius_request *q;
	int err;

	if (all.cnt >= RADIUS_REQUESTS_MAX || of_hub(hub) >= RADIUS_REQUESTS_HUB) {
		radius_counters.radius_busy++;
		errno = EBUSY;
		return NULL;
	}
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->hub = hub;
	q->done = done;
	q->ctx = ctx;
	err = fill(q, hub, ask);
	if (err == 0) {
		q->timer = evtimer_new(all.base, on_timer, q);
		err = q->timer == NULL ? ENOMEM : 0;
	}
	if (err != 0) {
		request_free(q);
		errno = err;
		return NULL;
	}
	radius_counters.radius_asked++;
	TAILQ_INSERT_TAIL(&all.requests, q, entry);
	all.cnt++;
	arm(q, 0);
	return q;
}
