/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One object per connection, moved by its socket, its helper and its deadline. What is said inside TLS is
 * dialogue.c's; what a method leads to is negotiation_method.c's; this file moves bytes and keeps the
 * budgets.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "controlplane/config.h"
#include "controlplane/dialogue.h"
#include "controlplane/directory_change.h"
#include "controlplane/handshake.h"
#include "controlplane/listener.h"
#include "controlplane/negotiation_priv.h"
#include "controlplane/registry.h"
#include "controlplane/server_tls.h"
#include "controlplane/source_limits.h"
#include "controlplane/throttle.h"
#include "drivers/session/stream.h"

#define TLS_HANDSHAKE_RECORD 0x16 /* RFC 8446 5.1 */
#define READ_BYTES	     16384

TAILQ_HEAD(negotiations, negotiation);

static struct {
	struct event_base *base;
	const struct config *config;
	struct stream_io *io;
	struct limits *limits;
	struct throttle *throttle;
	struct negotiations waiting; /* for a helper, oldest first */
	unsigned cnt;
} all = {.waiting = TAILQ_HEAD_INITIALIZER(all.waiting)};

static void negotiation_run(struct negotiation *n);
static void handshake_done(struct handshake_job *job);

const struct config *negotiation_config(void)
{
	return all.config;
}

int negotiation_park(struct negotiation *n)
{
	return stream_park(n->stream, all.io);
}

/* ---- life ------------------------------------------------------------------------------------ */

void negotiation_free(struct negotiation *n)
{
	if (n->io_event != NULL)
		event_free(n->io_event);
	if (n->deadline != NULL)
		event_free(n->deadline);
	if (n->held != NULL)
		event_free(n->held);
	if (n->source != NULL)
		limits_connection_end(all.limits, n->source);
	if (n->fd >= 0)
		close(n->fd);
	negotiation_proof_free(n);
	dialogue_destroy(n->dialogue);
	directory_change_forget(n->change);
	if (n->connection != NULL)
		n->connection->negotiation = NULL;
	all.cnt--;
	free(n);
}

/* Ends the connection: with close_notify where TLS is up, and patiently in any case where it began. */
void negotiation_end(struct negotiation *n)
{
	struct connection *c = n->connection;
	struct stream *stream = n->stream;

	if (n->state == NEGOTIATION_COMPUTING) {
		n->ended = true;
		return;
	}
	if (n->state == NEGOTIATION_WAITING)
		TAILQ_REMOVE(&all.waiting, n, entry);
	if (stream != NULL) {
		(void)negotiation_park(n);
		c->budget = n->source;
		n->source = NULL;
	}
	negotiation_free(n);
	if (stream != NULL)
		registry_connection_linger(c, stream);
	else
		registry_connection_remove(c);
}

static void negotiation_fail(struct negotiation *n, uint64_t *counter)
{
	(*counter)++;
	negotiation_end(n);
}

/* The peer left or its socket died: no counter of ours if all had been said. */
void negotiation_lost(struct negotiation *n)
{
	if (!n->farewell)
		listener_counters.peer_closed++;
	negotiation_end(n);
}

void negotiation_close(struct negotiation *n)
{
	if (n->ended)
		return;
	listener_counters.closed_by_admin++;
	negotiation_end(n);
}

void negotiation_budget_return(struct limits_source *budget)
{
	limits_connection_end(all.limits, budget);
}

unsigned negotiation_cnt(void)
{
	return all.cnt;
}

static void deadline_passed(evutil_socket_t, short, void *arg)
{
	struct negotiation *n = arg;

	if (n->farewell)
		negotiation_end(n);
	else if (!n->ended)
		negotiation_fail(n, &listener_counters.timeout);
}

/* An answer that ends the connection is on its way: a last PACK or EOF, but not for long (wire.md 4.3). */
void negotiation_farewell(struct negotiation *n)
{
	static const struct timeval patience = {.tv_sec = NEGOTIATION_FAREWELL_MS / 1000};

	n->farewell = true;
	(void)evtimer_add(n->deadline, &patience);
}

static void io_ready(evutil_socket_t, short, void *arg)
{
	negotiation_run(arg);
}

/* Level-triggered; what = 0 while a helper has the stream. */
void negotiation_watch(struct negotiation *n, short what)
{
	int fd = n->stream != NULL ? stream_fd(n->stream) : n->fd;

	if (n->io_what == what)
		return;
	if (n->io_what != 0)
		(void)event_del(n->io_event);
	n->io_what = what;
	if (what == 0)
		return;
	/* Cannot fail: not pending, and the base was made with a working back end. */
	(void)event_assign(n->io_event, all.base, fd, what | EV_PERSIST, io_ready, n);
	(void)event_add(n->io_event, NULL);
}

/* ---- TLS handshake --------------------------------------------------------------------------- */

/* Gives free helpers to those who wait, in order, passing over sources that have their share. */
static void waiting_run(void)
{
	struct negotiation *n, *next;

	for (n = TAILQ_FIRST(&all.waiting); n != NULL; n = next) {
		enum limits_verdict v = limits_handshake_begin(all.limits, n->source);

		next = TAILQ_NEXT(n, entry);
		if (v == LIMITS_TOTAL)
			return;
		if (v == LIMITS_SOURCE)
			continue;
		TAILQ_REMOVE(&all.waiting, n, entry);
		n->state = NEGOTIATION_COMPUTING;
		handshake_submit(&n->job);
	}
}

static void handshake_request(struct negotiation *n)
{
	/* The helper has its own scratch. */
	if (negotiation_park(n) != 0) {
		negotiation_fail(n, &listener_counters.no_memory);
		return;
	}
	negotiation_watch(n, 0);
	n->job.stream = n->stream;
	n->job.done = handshake_done;
	n->state = NEGOTIATION_WAITING;
	TAILQ_INSERT_TAIL(&all.waiting, n, entry);
	waiting_run();
	if (n->state == NEGOTIATION_WAITING)
		listener_counters.handshakes_delayed++;
}

static void handshake_done(struct handshake_job *job)
{
	struct negotiation *n = (void *)((char *)job - offsetof(struct negotiation, job));
	ssize_t unsent;

	limits_handshake_end(all.limits, n->source);
	n->state = NEGOTIATION_HANDSHAKE;
	waiting_run();
	if (n->ended) {
		negotiation_end(n);
		return;
	}
	if (job->result == -EPROTO) {
		/* Lingering sends the alert that may wait. */
		negotiation_fail(n, &listener_counters.handshake_failed);
		return;
	}
	if (job->result != 0 && job->result != -EAGAIN) {
		negotiation_fail(n, &listener_counters.no_memory);
		return;
	}
	if (job->result == 0) {
		n->dialogue = dialogue_create();
		if (n->dialogue == NULL) {
			negotiation_fail(n, &listener_counters.no_memory);
			return;
		}
		n->state = NEGOTIATION_TALKING;
		n->connection->state = CONNECTION_NEGOTIATING;
		negotiation_run(n);
		return;
	}
	unsent = stream_send(n->stream, all.io);
	if (unsent < 0)
		negotiation_lost(n);
	else
		negotiation_watch(n, unsent > 0 ? EV_WRITE : EV_READ);
}

/* Looks at the first byte in the socket, so that a silent peer costs no TLS object. */
static void first_byte(struct negotiation *n)
{
	uint8_t byte;
	ssize_t got = recv(n->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		negotiation_lost(n);
		return;
	}
	if (byte != TLS_HANDSHAKE_RECORD) {
		negotiation_fail(n, &listener_counters.not_tls);
		return;
	}
	n->stream = stream_tls_accept(server_tls_context(&n->connection->peer), n->fd);
	n->fd = -1;
	if (n->stream == NULL) {
		negotiation_fail(n, &listener_counters.no_memory);
		return;
	}
	/* Passwords come in here; behind the hand-over it would cost a pass over every frame. */
	SSL_set_options(stream_ssl(n->stream), SSL_OP_CLEANSE_PLAINTEXT);
	n->state = NEGOTIATION_HANDSHAKE;
	negotiation_run(n);
}

/*
 * Takes what is in the socket. True if there is something new; else the negotiation waits for more or has
 * ended.
 */
static bool negotiation_fill(struct negotiation *n)
{
	ssize_t got = stream_fill(n->stream, all.io);

	if (got == -EAGAIN) {
		negotiation_watch(n, EV_READ);
		return false;
	}
	if (got <= 0) {
		negotiation_lost(n);
		return false;
	}
	if (stream_bytes_in(n->stream) > all.config->login_bytes) {
		negotiation_fail(n, &listener_counters.bytes_exceeded);
		return false;
	}
	return true;
}

static void handshake_step(struct negotiation *n)
{
	ssize_t unsent = stream_send(n->stream, all.io);

	if (unsent < 0)
		negotiation_lost(n);
	else if (unsent > 0)
		negotiation_watch(n, EV_WRITE);
	else if (negotiation_fill(n))
		handshake_request(n);
}

/* ---- dialogue -------------------------------------------------------------------------------- */

/* Moves answers into the stream and the stream's bytes into the socket. 0 all gone, -EAGAIN, -errno. */
int negotiation_flush(struct negotiation *n)
{
	struct bytebuf *out = &n->dialogue->out;
	ssize_t unsent;
	size_t left, now;
	int err;

	for (;;) {
		left = out->len - n->out_at;
		now = left < STREAM_RECORD_BYTES ? left : STREAM_RECORD_BYTES;
		err = now > 0 ? stream_write(n->stream, all.io, out->data + n->out_at, now) : 0;
		if (err != 0 && err != -ENOBUFS)
			return err;
		if (err == 0)
			n->out_at += now;
		unsent = stream_send(n->stream, all.io);
		if (unsent < 0)
			return (int)unsent;
		if (unsent > 0 && (err == -ENOBUFS || n->out_at == out->len))
			return -EAGAIN;
		if (unsent == 0 && n->out_at == out->len)
			break;
	}
	bytebuf_reset(out);
	n->out_at = 0;
	return 0;
}

/* One event of the dialogue. True if the negotiation is no more. */
static bool negotiation_event(struct negotiation *n, enum dialogue_event ev)
{
	uint64_t *counter = NULL;

	switch (ev) {
	case DIALOGUE_MORE:
	case DIALOGUE_HELLO:
	case DIALOGUE_NOOP:
		return false;
	case DIALOGUE_UNRELATED:
		listener_counters.http_unrelated++;
		n->farewell = dialogue_closes(n->dialogue);
		return false;
	case DIALOGUE_REFUSED:
		listener_counters.protocol_error++;
		negotiation_farewell(n);
		return false;
	case DIALOGUE_API:
	case DIALOGUE_REQUEST:
		return negotiation_method(n);
	case DIALOGUE_DONE:
		negotiation_end(n);
		return true;
	case DIALOGUE_TOO_MANY:
		counter = &listener_counters.http_too_many;
		break;
	case DIALOGUE_MALFORMED:
		counter = &listener_counters.http_malformed;
		break;
	case DIALOGUE_NO_MEMORY:
		counter = &listener_counters.no_memory;
		break;
	}
	negotiation_fail(n, counter);
	return true;
}

/* Plaintext into the dialogue. True if the negotiation is no more. */
static bool negotiation_feed(struct negotiation *n, const uint8_t *bytes, size_t len)
{
	enum dialogue_event ev;
	size_t taken;

	while (len > 0) {
		ev = dialogue_feed(n->dialogue, bytes, len, &taken);
		bytes += taken;
		len -= taken;
		/* dialogue_want() keeps real PACKs from having anything behind them here. */
		if (ev == DIALOGUE_REQUEST && len > 0) {
			listener_counters.protocol_error++;
			negotiation_refuse(n, WIRE_ERROR_PROTOCOL, false);
			return false;
		}
		if (ev == DIALOGUE_API && len > 0) { /* the next one, before the answer */
			negotiation_fail(n, &listener_counters.http_malformed);
			return true;
		}
		if (negotiation_event(n, ev))
			return true;
		if (dialogue_closes(n->dialogue))
			return false;
	}
	return false;
}

static void negotiation_talk(struct negotiation *n, uint8_t buf[READ_BYTES])
{
	ssize_t got;
	size_t want;
	int err;

	for (;;) {
		err = negotiation_flush(n);
		if (err == -EAGAIN) {
			negotiation_watch(n, EV_WRITE);
			return;
		}
		if (err != 0) {
			negotiation_lost(n);
			return;
		}
		if (dialogue_closes(n->dialogue)) {
			negotiation_end(n);
			return;
		}
		want = dialogue_want(n->dialogue);
		got = stream_read(n->stream, all.io, buf, want < READ_BYTES ? want : READ_BYTES);
		if (got == -EAGAIN) {
			if (!negotiation_fill(n))
				return;
			continue;
		}
		if (got <= 0) {
			negotiation_lost(n);
			return;
		}
		if (negotiation_feed(n, buf, (size_t)got) || n->holding)
			return;
	}
}

static void negotiation_run(struct negotiation *n)
{
	uint8_t buf[READ_BYTES];

	switch (n->state) {
	case NEGOTIATION_FIRST_BYTE:
		first_byte(n);
		return;
	case NEGOTIATION_HANDSHAKE:
		handshake_step(n);
		return;
	case NEGOTIATION_TALKING:
		negotiation_talk(n, buf);
		explicit_bzero(buf, sizeof(buf)); /* it may have held a password */
		return;
	case NEGOTIATION_WAITING:
	case NEGOTIATION_COMPUTING:
		return;
	}
}

/* ---- attempts that wait ---------------------------------------------------------------------- */

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void negotiation_resume(struct negotiation *n)
{
	n->holding = false;
	if (!negotiation_method(n) && !n->holding)
		negotiation_run(n);
}

static void held_long_enough(evutil_socket_t, short, void *arg)
{
	negotiation_resume(arg);
}

struct event_base *negotiation_base(void)
{
	return all.base;
}

void negotiation_patience(struct negotiation *n, uint32_t ms)
{
	uint64_t all_ms = (uint64_t)ms + all.config->login_timeout_ms;
	struct timeval tv = {
		.tv_sec = (time_t)(all_ms / 1000), .tv_usec = (suseconds_t)(all_ms % 1000 * 1000)};

	(void)evtimer_add(n->deadline, &tv);
}

int negotiation_rest(struct negotiation *n, uint32_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (n->held == NULL)
		n->held = evtimer_new(all.base, held_long_enough, n);
	if (n->held == NULL || evtimer_add(n->held, &tv) != 0)
		return -ENOMEM;
	n->holding = true;
	/* What the peer says meanwhile waits in its socket, and so does its end. */
	negotiation_watch(n, 0);
	return 0;
}

int negotiation_hold(struct negotiation *n, const char *account)
{
	const struct sockaddr *peer = (const struct sockaddr *)&n->connection->peer;
	uint32_t wait_ms = throttle_wait_ms(all.throttle, peer, account, monotonic_ms());

	if (wait_ms == 0)
		return 0;
	/* libevent's clock is the coarse one, up to a tick of 10 ms behind ours: not to wait twice. */
	if (negotiation_rest(n, wait_ms + 10) != 0)
		return -ENOMEM;
	listener_counters.login_delayed++;
	return 1;
}

void negotiation_judged(struct negotiation *n, const char *account, bool failed)
{
	const struct sockaddr *peer = (const struct sockaddr *)&n->connection->peer;

	if (failed)
		(void)throttle_failed(all.throttle, peer, account, monotonic_ms());
	else
		throttle_succeeded(all.throttle, peer, account, monotonic_ms());
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Only what the limits allow gets memory. */
static enum limits_verdict budget_take(const struct sockaddr *peer, struct limits_source **source)
{
	enum limits_verdict v = limits_connection_begin(all.limits, peer, source);

	if (v == LIMITS_TOTAL)
		listener_counters.refused_total++;
	else if (v == LIMITS_SOURCE)
		listener_counters.refused_source++;
	return v;
}

static struct negotiation *negotiation_create(int fd, struct limits_source *source,
	const struct sockaddr_storage *peer, const struct sockaddr_storage *local, uint16_t port)
{
	struct timeval patience = {
		.tv_sec = all.config->login_timeout_ms / 1000,
		.tv_usec = all.config->login_timeout_ms % 1000 * 1000,
	};
	struct negotiation *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	all.cnt++;
	n->fd = -1; /* the caller's until all is well */
	n->connection = registry_connection_add(
		(const struct sockaddr *)peer, (const struct sockaddr *)local, port);
	n->io_event = event_new(all.base, -1, 0, io_ready, n);
	n->deadline = evtimer_new(all.base, deadline_passed, n);
	if (n->connection == NULL || n->io_event == NULL || n->deadline == NULL ||
		evtimer_add(n->deadline, &patience) != 0) {
		registry_connection_remove(n->connection);
		n->connection = NULL;
		negotiation_free(n);
		return NULL;
	}
	n->connection->negotiation = n;
	n->fd = fd;
	n->source = source;
	return n;
}

void negotiation_start(int fd, uint16_t listener_port)
{
	struct sockaddr_storage peer = {0}, local = {0};
	socklen_t peer_len = sizeof(peer), local_len = sizeof(local);
	struct limits_source *source;
	struct negotiation *n;

	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
		getsockname(fd, (struct sockaddr *)&local, &local_len) != 0) {
		listener_counters.peer_closed++; /* it has gone already */
		close(fd);
		return;
	}
	if (budget_take((const struct sockaddr *)&peer, &source) != LIMITS_OK) {
		close(fd);
		return;
	}
	n = negotiation_create(fd, source, &peer, &local, listener_port);
	if (n == NULL) {
		listener_counters.no_memory++;
		limits_connection_end(all.limits, source);
		close(fd);
		return;
	}
	negotiation_watch(n, EV_READ);
}

int negotiation_init(struct event_base *base, const struct config *config)
{
	struct limits_conf conf = {
		.connections = config->login_connections,
		.connections_per_source = config->login_connections_per_source,
		.handshakes = config->login_handshakes,
		.handshakes_per_source = config->login_handshakes_per_source,
	};

	all.base = base;
	all.config = config;
	all.io = stream_io_create();
	all.limits = limits_create(&conf);
	all.throttle = throttle_create();
	if (all.io == NULL || all.limits == NULL || all.throttle == NULL) {
		negotiation_fini();
		return -ENOMEM;
	}
	return 0;
}

void negotiation_fini(void)
{
	stream_io_destroy(all.io);
	all.io = NULL;
	limits_destroy(all.limits);
	all.limits = NULL;
	throttle_destroy(all.throttle);
	all.throttle = NULL;
}
