/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The local administration socket: callers, pacing and bounds. A caller reads a line, runs one call to its
 * end, and only then reads the next: what it can make us hold is one request and one slice of an answer.
 */

#include "controlplane/admin/admin.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/accept_pause.h"
#include "controlplane/admin/rpc.h"
#include "controlplane/control.h"
#include "controlplane/log.h"
#include "controlplane/store.h"

#define WAIT_MS 10 /* between two looks at something that is not in force yet */

struct client {
	struct bufferevent *bev;
	struct event *resume; /* the next slice, when the loop has served others */
	struct rpc rpc;
	size_t looked; /* bytes of the input known to have no end of line */
	bool waiting;  /* for something to come into force */
	bool running;  /* a call is under way; nothing is read meanwhile */
	bool closing;  /* when the answer has been taken */
	TAILQ_ENTRY(client) entry;
};

static struct {
	struct accept_pause accept;
	TAILQ_HEAD(, client) clients;
	unsigned client_cnt;
	struct sockaddr_un address;
	dev_t dev; /* of our socket file: an other one under its name is not ours to remove */
	ino_t ino;
} admin;

/* Peers are told apart by their credentials, so everybody who gets in is the server's administrator. */
static const struct admin_caller local_caller = {.server = true, .via = "local"};

static struct log_limit refused_limit = LOG_LIMIT(5, 6);

static void client_free(struct client *c)
{
	TAILQ_REMOVE(&admin.clients, c, entry);
	admin.client_cnt--;
	rpc_end(&c->rpc);
	event_free(c->resume);
	bufferevent_free(c->bev);
	free(c);
}

/* Never called from inside a bufferevent's callback after which that bufferevent is used. */
static void client_close_when_taken(struct client *c)
{
	c->closing = true;
	bufferevent_disable(c->bev, EV_READ);
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
		client_free(c);
}

static void resume_in(struct client *c, unsigned ms)
{
	struct timeval tv = {.tv_usec = ms * 1000};

	event_add(c->resume, &tv);
}

/* Half a line is waited for less long than the next question. */
static void set_timeouts(struct client *c)
{
	size_t waiting = evbuffer_get_length(bufferevent_get_input(c->bev));
	struct timeval read_tv = {.tv_sec = waiting > 0 ? ADMIN_STALL_S : ADMIN_IDLE_S};
	struct timeval write_tv = {.tv_sec = ADMIN_STALL_S};

	bufferevent_set_timeouts(c->bev, &read_tv, &write_tv);
}

/* Sees to it that the call goes on as `rc` says. */
static void call_continue(struct client *c, int rc)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	c->running = rc != ADMIN_DONE;
	c->waiting = rc == ADMIN_WAIT;
	if (rc == ADMIN_WAIT)
		resume_in(c, WAIT_MS);
	else if (rc == ADMIN_MORE && evbuffer_get_length(out) < ADMIN_OUTPUT_MAX)
		resume_in(c, 0);
	/* Otherwise on_written() resumes, when the caller has taken some. */
}

/* The line has an end. A long one comes in many pieces: each is looked at once. */
static bool line_whole(struct client *c, struct evbuffer *in)
{
	size_t have = evbuffer_get_length(in);
	struct evbuffer_ptr at;

	if (have <= c->looked || evbuffer_ptr_set(in, &at, c->looked, EVBUFFER_PTR_SET) != 0)
		return false;
	at = evbuffer_search(in, "\n", 1, &at);
	c->looked = have;
	return at.pos >= 0;
}

/* Takes the next line, if there is one and the caller takes its answers. */
static void next_line(struct client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer *out = bufferevent_get_output(c->bev);

	while (!c->running && !c->closing && evbuffer_get_length(out) < ADMIN_OUTPUT_MAX) {
		size_t len;
		char *line = line_whole(c, in) ? evbuffer_readln(in, &len, EVBUFFER_EOL_LF) : NULL;

		if (line == NULL)
			break;
		c->looked = 0;
		if (len > 0) {
			int rc = rpc_begin(&c->rpc, line, len, &local_caller, out);

			call_continue(c, rc);
		}
		explicit_bzero(line, len); /* it may have held a password */
		free(line);
	}
	if (!c->running && !c->closing && evbuffer_get_length(in) >= ADMIN_REQUEST_MAX) {
		rpc_error(out, RPC_ERROR_REQUEST, "request too long");
		client_close_when_taken(c);
		return;
	}
	/* Reading goes on, and the end of input is seen, only when all that was asked has been taken up. */
	if (c->running || evbuffer_get_length(out) >= ADMIN_OUTPUT_MAX)
		bufferevent_disable(c->bev, EV_READ);
	else
		bufferevent_enable(c->bev, EV_READ);
	set_timeouts(c);
}

static void on_resume(evutil_socket_t, short, void *arg)
{
	struct client *c = arg;

	if (c->running)
		call_continue(c, rpc_step(&c->rpc, ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX));
	if (!c->running)
		next_line(c);
}

static void on_readable(struct bufferevent *, void *arg)
{
	next_line(arg);
}

/* The output is below its low mark: half of what may be pending. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	if (c->closing) {
		if (evbuffer_get_length(bufferevent_get_output(bev)) == 0)
			client_free(c);
	} else if (!evtimer_pending(c->resume, NULL)) {
		resume_in(c, 0);
	}
}

static void on_event(struct bufferevent *, short what, void *arg)
{
	struct client *c = arg;

	if ((what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_READING) != 0 && !c->running &&
		!c->closing)
		/* It may have closed only its sending side: what it is owed still goes out. */
		client_close_when_taken(c);
	else
		client_free(c);
}

static void client_add(evutil_socket_t fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	if (!accept_events(fd, on_resume, c, &c->bev, &c->resume)) {
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&admin.clients, c, entry);
	admin.client_cnt++;
	bufferevent_setcb(c->bev, on_readable, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, ADMIN_REQUEST_MAX);
	bufferevent_setwatermark(c->bev, EV_WRITE, ADMIN_OUTPUT_MAX / 2, 0);
	set_timeouts(c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* One line for a caller that is not let in; a socket buffer that is empty takes it at once. */
static void turn_away(evutil_socket_t fd, int code, const char *message)
{
	struct evbuffer *line = evbuffer_new();
	uint64_t held;

	if (line != NULL) {
		rpc_error(line, code, message);
		(void)!evbuffer_write(line, fd);
		evbuffer_free(line);
	}
	close(fd);
	if (log_limit_pass(&refused_limit, &held))
		log_warning("admin", "caller on the local socket turned away: %s", message);
}

static void on_accept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int, void *)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
		(peer.uid != 0 && peer.uid != geteuid()))
		turn_away(fd, RPC_ERROR_REQUEST, "only root may administer");
	else if (admin.client_cnt >= ADMIN_CLIENTS_MAX)
		turn_away(fd, RPC_ERROR_BUSY, "too many callers, try again later");
	else
		client_add(fd);
}

/* Does somebody answer on the file? Then it is not ours to replace. */
static bool somebody_answers(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes;

	if (fd < 0)
		return false;
	yes = connect(fd, (struct sockaddr *)&admin.address, sizeof(admin.address)) == 0 ||
		errno == EAGAIN;
	close(fd);
	return yes;
}

static int socket_open(int *fd_out)
{
	struct stat st;
	int fd;
	int rc;

	if (lstat(admin.address.sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return -EEXIST;
		if (somebody_answers())
			return -EADDRINUSE;
		if (unlink(admin.address.sun_path) != 0)
			return -errno;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Before bind: Linux gives the file this mode, and there is no moment in which it is wider. */
	if (fchmod(fd, 0600) != 0 ||
		bind(fd, (struct sockaddr *)&admin.address, sizeof(admin.address)) != 0 ||
		lstat(admin.address.sun_path, &st) != 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	admin.dev = st.st_dev;
	admin.ino = st.st_ino;
	*fd_out = fd;
	return 0;
}

/* Something has become durable, or was refused: who waits may look now. */
static void wake_all(void)
{
	struct client *c;

	TAILQ_FOREACH (c, &admin.clients, entry)
		if (c->waiting)
			resume_in(c, 0);
}

int admin_start(const char *socket_path)
{
	struct evconnlistener *listener;
	int fd = -1;
	int rc;

	assert(admin.accept.listener == NULL);
	TAILQ_INIT(&admin.clients);
	admin.client_cnt = 0;
	memset(&admin.address, 0, sizeof(admin.address));
	admin.address.sun_family = AF_UNIX;
	if (strlen(socket_path) >= sizeof(admin.address.sun_path))
		return -ENAMETOOLONG;
	snprintf(admin.address.sun_path, sizeof(admin.address.sun_path), "%s", socket_path);
	rc = socket_open(&fd);
	if (rc != 0)
		return rc;
	listener = evconnlistener_new(control_base(), on_accept, &admin.accept,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, ADMIN_CLIENTS_MAX, fd);
	if (listener == NULL)
		close(fd);
	if (accept_pause_init(&admin.accept, listener, "admin") != 0) {
		unlink(admin.address.sun_path);
		return -ENOMEM;
	}
	store_on_settled(wake_all);
	/* A caller that left in the middle of an answer is an error of write(), not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

void admin_stop(void)
{
	struct client *c;
	struct stat st;

	if (admin.accept.listener == NULL)
		return;
	accept_pause_fini(&admin.accept);
	while ((c = TAILQ_FIRST(&admin.clients)) != NULL)
		client_free(c);
	if (lstat(admin.address.sun_path, &st) == 0 && st.st_dev == admin.dev &&
		st.st_ino == admin.ino)
		unlink(admin.address.sun_path);
}
