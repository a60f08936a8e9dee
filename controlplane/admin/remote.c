/* SPDX-License-Identifier: BSD-3-Clause */
/* Pacing, bounds and bytes of administrators' connections: remote.h. */

#include "controlplane/admin/remote.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "controlplane/admin/admin.h"
#include "controlplane/control.h"
#include "controlplane/log.h"
#include "controlplane/registry.h"
#include "controlplane/store.h"
#include "drivers/session/stream.h"
#include "drivers/session/wire/bytebuf.h"

#define WAIT_MS	    10	 /* between two looks at something that is not in force yet */
#define READS_MAX   4	 /* records per wake-up, so that one caller does not keep the loop */
#define INPUT_KEEP  4096 /* bytes kept for the next request */
#define KEEPALIVE_S 60	 /* TCP's, for a peer that went without a word */

struct remote {
	const struct remote_protocol *protocol;
	void *state;
	struct admin_who who;
	struct connection *connection;
	struct stream *stream;
	struct event *io;
	short io_what;
	struct event *resume;	/* the next slice, when the loop has served others */
	struct event *patience; /* stalled or idle */
	struct bytebuf in;
	struct evbuffer *out;
	bool waiting; /* for something to come into force */
	bool running; /* a call is under way; nothing is read meanwhile */
	bool closing; /* when the answer has been taken */
	bool serving; /* the protocol is at it: nobody may end the connection under its feet */
	bool fed;     /* something new is in `in` */
	bool sent;    /* nothing waits in the stream, and the protocol knows */
	TAILQ_ENTRY(remote) entry;
};

static struct {
	struct stream_io *io;
	TAILQ_HEAD(, remote) list;
	unsigned cnt;
} all = {.list = TAILQ_HEAD_INITIALIZER(all.list)};

static void remote_run(struct remote *r);
static void resume_in(struct remote *r, unsigned ms);

/* ---- life ------------------------------------------------------------------------------------ */

static void free_parts(struct remote *r)
{
	if (r->state != NULL)
		r->protocol->close(r->state);
	if (r->io != NULL)
		event_free(r->io);
	if (r->resume != NULL)
		event_free(r->resume);
	if (r->patience != NULL)
		event_free(r->patience);
	bytebuf_free(&r->in);
	if (r->out != NULL)
		evbuffer_free(r->out);
	explicit_bzero(r, sizeof(*r));
	free(r);
}

/* With close_notify, and patiently: linger.h. */
static void remote_end(struct remote *r)
{
	struct connection *c = r->connection;
	struct stream *stream = r->stream;

	TAILQ_REMOVE(&all.list, r, entry);
	all.cnt--;
	c->close = NULL;
	c->holder = NULL;
	free_parts(r);
	(void)stream_park(stream, all.io);
	registry_connection_linger(c, stream);
}

/* An administrator may disconnect himself: he has his answer first. */
static void closed_by_registry(struct connection *c)
{
	struct remote *r = c->holder;

	if (!r->serving) {
		remote_end(r);
		return;
	}
	c->state = CONNECTION_CLOSING;
	r->closing = true;
}

bool remote_room(const struct admin_who *who)
{
	const struct remote *r;
	unsigned of_hub = 0, of_hubs = 0;

	if (who->caller.server)
		return all.cnt < REMOTE_MAX;
	TAILQ_FOREACH (r, &all.list, entry) {
		of_hubs += !r->who.caller.server;
		of_hub += !r->who.caller.server && strcasecmp(r->who.hub, who->hub) == 0;
	}
	return all.cnt < REMOTE_MAX && of_hubs < REMOTE_MAX - REMOTE_SERVER_ONLY &&
		of_hub < REMOTE_HUB_MAX;
}

/* Something has become durable, or was refused: who waits may look now. */
static void wake_all(void)
{
	struct remote *r;

	TAILQ_FOREACH (r, &all.list, entry)
		if (r->waiting)
			resume_in(r, 0);
}

unsigned remote_cnt(void)
{
	return all.cnt;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void io_ready(evutil_socket_t, short, void *arg)
{
	remote_run(arg);
}

static void watch(struct remote *r, short what)
{
	if (r->io_what == what)
		return;
	if (r->io_what != 0)
		(void)event_del(r->io);
	r->io_what = what;
	if (what == 0)
		return;
	/* Cannot fail: not pending, and the base was made with a working back end. */
	(void)event_assign(
		r->io, control_base(), stream_fd(r->stream), what | EV_PERSIST, io_ready, r);
	(void)event_add(r->io, NULL);
}

static void on_resume(evutil_socket_t, short, void *arg)
{
	remote_run(arg);
}

static void resume_in(struct remote *r, unsigned ms)
{
	struct timeval tv = {.tv_usec = ms * 1000};

	(void)evtimer_add(r->resume, &tv);
}

static void out_of_patience(evutil_socket_t, short, void *arg)
{
	remote_end(arg);
}

/* What is waited for now: the peer to take, the rest of a request, or the next one. */
static void be_patient(struct remote *r)
{
	struct timeval tv = {.tv_sec = ADMIN_STALL_S};
	bool taking = r->io_what == EV_WRITE;

	if (!taking && r->running) {
		(void)event_del(r->patience); /* it is we who keep the peer waiting */
		return;
	}
	if (!taking && r->in.len == 0)
		tv.tv_sec = r->protocol->idle_s;
	if (tv.tv_sec == 0)
		(void)event_del(r->patience);
	else if (taking || r->fed || !evtimer_pending(r->patience, NULL))
		(void)evtimer_add(r->patience, &tv);
	r->fed = false;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Moves `out` into the stream and the stream into the socket. 0 all gone, -EAGAIN, -errno. */
static int flush(struct remote *r)
{
	uint8_t record[STREAM_RECORD_BYTES];
	ssize_t unsent;
	int err = 0;

	for (;;) {
		ev_ssize_t n = evbuffer_copyout(r->out, record, sizeof(record));

		if (n > 0) {
			err = stream_write(r->stream, all.io, record, (size_t)n);
			if (err == 0) {
				(void)evbuffer_drain(r->out, (size_t)n);
				continue;
			}
			if (err != -ENOBUFS)
				return err;
		}
		unsent = stream_send(r->stream, all.io);
		if (unsent < 0)
			return (int)unsent;
		if (unsent > 0)
			return -EAGAIN;
		if (n <= 0)
			return 0;
	}
}

/* Reads what is there, within bounds. 0: nothing more now, 1: there may be more, -1: it ended. */
static int fill(struct remote *r)
{
	uint8_t buf[STREAM_RECORD_BYTES];
	ssize_t got;
	int rc = 1;

	for (unsigned i = 0; i < READS_MAX && r->in.len < r->protocol->input_max;) {
		got = stream_read(r->stream, all.io, buf, sizeof(buf));
		if (got > 0) {
			r->fed = true;
			i++;
			bytebuf_append(&r->in, buf, (size_t)got);
			if (r->in.error == 0)
				continue;
			rc = -1;
			break;
		}
		if (got != -EAGAIN) {
			rc = -1;
			break;
		}
		got = stream_fill(r->stream, all.io);
		if (got == -EAGAIN) {
			rc = 0;
			break;
		}
		if (got <= 0) {
			rc = -1;
			break;
		}
	}
	explicit_bzero(buf, sizeof(buf)); /* it may have held a password */
	return rc;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* What a protocol's input() or step() said. */
static void go_on(struct remote *r, int rc)
{
	r->running = rc == ADMIN_MORE || rc == ADMIN_WAIT;
	r->waiting = rc == ADMIN_WAIT;
	if (rc == REMOTE_CLOSE)
		r->closing = true;
	else if (rc == ADMIN_WAIT)
		resume_in(r, WAIT_MS);
	else if (rc == ADMIN_MORE && evbuffer_get_length(r->out) < REMOTE_OUTPUT_MAX)
		resume_in(r, 0);
	/* Otherwise it goes on when the caller has taken some. */
	r->sent = false;
}

/* Forgets what has been taken; what stood there may have been a password. */
static void take(struct remote *r, size_t taken)
{
	size_t left = r->in.len - taken;

	memmove(r->in.data, r->in.data + taken, left);
	explicit_bzero(r->in.data + left, taken);
	r->in.len = left;
	if (left == 0 && r->in.cap > INPUT_KEEP) {
		bytebuf_free(&r->in);
		bytebuf_init(&r->in, r->protocol->input_max + STREAM_RECORD_BYTES);
	}
}

/* A slice of the call under way, or the next request. */
static void serve(struct remote *r)
{
	if (r->running && !evtimer_pending(r->resume, NULL) &&
		evbuffer_get_length(r->out) < REMOTE_OUTPUT_MAX)
		go_on(r, r->protocol->step(r->state, r->out));
	while (!r->running && !r->closing && evbuffer_get_length(r->out) < REMOTE_OUTPUT_MAX &&
		r->in.len > 0) {
		size_t taken = 0;
		int rc;

		if (!admin_who_still(&r->who)) {
			r->closing = true;
			return;
		}
		rc = r->protocol->input(r->state, &r->who, r->in.data, r->in.len, &taken, r->out);
		take(r, taken);
		if (rc == REMOTE_MORE_INPUT) {
			/* A whole request fits, so this is none. */
			if (r->in.len >= r->protocol->input_max)
				r->closing = true;
			return;
		}
		go_on(r, rc);
	}
}

static void remote_run(struct remote *r)
{
	int more = 1;
	int err;

	if (!r->running && !r->closing && evbuffer_get_length(r->out) == 0) {
		more = fill(r);
		if (more < 0) {
			remote_end(r);
			return;
		}
	}
	r->serving = true;
	serve(r);
	r->serving = false;
	err = flush(r);
	if (err != 0 && err != -EAGAIN) {
		remote_end(r);
		return;
	}
	if (err == 0 && !r->running && !r->sent) {
		if (r->protocol->sent != NULL)
			r->protocol->sent(r->state);
		r->sent = true;
	}
	if (err == 0 && r->closing) {
		remote_end(r);
		return;
	}
	if (err == -EAGAIN)
		watch(r, EV_WRITE);
	else
		watch(r, r->running ? 0 : EV_READ);
	/* What the socket has given already wakes nobody; nor does a call that waited for room. */
	if (err == 0 && !evtimer_pending(r->resume, NULL) && (r->running || more > 0))
		resume_in(r, 0);
	be_patient(r);
	if (stream_park(r->stream, all.io) != 0)
		remote_end(r);
}

/* ---- start and end --------------------------------------------------------------------------- */

static void keepalive_on(int fd)
{
	int one = 1, idle = KEEPALIVE_S, interval = KEEPALIVE_S / 4;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
}

void remote_start(struct connection *c, struct stream *stream,
	const struct remote_protocol *protocol, const struct admin_who *who, const void *first,
	size_t first_len)
{
	struct remote *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		registry_connection_linger(c, stream);
		return;
	}
	r->protocol = protocol;
	r->who = *who;
	admin_who_via(&r->who, protocol->kind, c);
	r->connection = c;
	r->stream = stream;
	r->state = protocol->open();
	r->io = event_new(control_base(), -1, 0, io_ready, r);
	r->resume = evtimer_new(control_base(), on_resume, r);
	r->patience = evtimer_new(control_base(), out_of_patience, r);
	bytebuf_init(&r->in, protocol->input_max + STREAM_RECORD_BYTES);
	r->out = evbuffer_new();
	if (r->state == NULL || r->io == NULL || r->resume == NULL || r->patience == NULL ||
		r->out == NULL) {
		free_parts(r);
		registry_connection_linger(c, stream);
		return;
	}
	bytebuf_append(&r->in, first, first_len);
	TAILQ_INSERT_TAIL(&all.list, r, entry);
	all.cnt++;
	c->state = CONNECTION_ADMIN;
	c->holder = r;
	c->close = closed_by_registry;
	keepalive_on(stream_fd(stream));
	/* Not from inside: whoever hands over is still at it. */
	resume_in(r, 0);
}

int remote_init(void)
{
	all.io = stream_io_create();
	store_on_settled(wake_all);
	return all.io == NULL ? -ENOMEM : 0;
}

void remote_fini(void)
{
	struct remote *r;

	while ((r = TAILQ_FIRST(&all.list)) != NULL)
		remote_end(r);
	stream_io_destroy(all.io);
	all.io = NULL;
}
