/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tls_relay --connections N: the floor under many sessions. What comes in on a connection goes out on the other of
 * its pair, both ways, and each connection has one record under way at any time, as a session of patchbay-bench
 * has a record's worth of frames. So the bytes that wait somewhere are N records, and what their not fitting into
 * a cache costs is the relay's share of it, too.
 *
 *	peer, both ends of all <--TLS--> relay
 */

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>

#include "relay.h"

#define EVENTS 64

struct end {
	SSL *ssl;
	unsigned index;
	unsigned got; /* bytes of the record that is coming in */
};

static struct end *ends_make(unsigned n)
{
	struct rlimit files;
	struct end *ends = calloc(n, sizeof(*ends));

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (ends == NULL)
		relay_die("memory");
	return ends;
}

static int ends_watch(struct end *ends, unsigned n)
{
	int ep = epoll_create1(0);

	for (unsigned i = 0; i < n; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &ends[i]};

		relay_nonblock(SSL_get_fd(ends[i].ssl));
		if (epoll_ctl(ep, EPOLL_CTL_ADD, SSL_get_fd(ends[i].ssl), &ev) != 0)
			relay_die("epoll");
	}
	return ep;
}

/* All of it. A record or two always fit into a socket, so waiting for room is for what nobody expects. */
static bool put(SSL *ssl, const uint8_t *data, int bytes)
{
	for (int off = 0; off < bytes;) {
		int w = SSL_write(ssl, data + off, bytes - off);

		if (w > 0) {
			off += w;
			continue;
		}
		if (SSL_get_error(ssl, w) != SSL_ERROR_WANT_WRITE)
			return false;
		(void)poll(&(struct pollfd){.fd = SSL_get_fd(ssl), .events = POLLOUT}, 1, -1);
	}
	return true;
}

/* ---- the relay -------------------------------------------------------------------------------- */

/* What one connection has; false: it ended. */
static bool forward(struct end *ends, const struct end *from, struct relay_report *rep)
{
	static uint8_t buf[16384];
	int n;

	ERR_clear_error();
	while ((n = SSL_read(from->ssl, buf, sizeof(buf))) > 0) {
		rep->bytes += (unsigned)n;
		if (!put(ends[from->index ^ 1].ssl, buf, n))
			return false;
	}
	return SSL_get_error(from->ssl, n) == SSL_ERROR_WANT_READ;
}

static void relay(const struct relay_options *opt, int lfd, int out)
{
	SSL_CTX *ctx = relay_context(opt, true);
	struct end *ends = ends_make(opt->connections);
	struct epoll_event got[EVENTS];
	struct relay_report rep = {0};
	double cpu0, t0;
	int ep, n = 0;

	relay_pin(opt->cpu);
	if (write(out, "r", 1) != 1)
		relay_die("pipe");
	for (unsigned i = 0; i < opt->connections; i++)
		ends[i] = (struct end){.ssl = relay_take(ctx, lfd), .index = i};
	ep = ends_watch(ends, opt->connections);
	snprintf(rep.cipher, sizeof(rep.cipher), "%s", SSL_get_cipher(ends[0].ssl));
	cpu0 = relay_cpu_s();
	t0 = relay_now_s();
	for (bool more = true; more;) {
		n = epoll_wait(ep, got, EVENTS, -1);
		for (int i = 0; i < n && more; i++)
			more = forward(ends, got[i].data.ptr, &rep);
	}
	rep.cpu_s = relay_cpu_s() - cpu0;
	rep.wall_s = relay_now_s() - t0;
	if (write(out, &rep, sizeof(rep)) != (ssize_t)sizeof(rep))
		relay_die("pipe");
	exit(0);
}

/* ---- its peer --------------------------------------------------------------------------------- */

/* Not on the relay's CPU, if there is another. */
static void elsewhere(int cpu)
{
	cpu_set_t set;

	if (cpu < 0 || sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 2)
		return;
	CPU_CLR((unsigned)cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* Each record that came whole is answered by one. */
static void answer(struct end *e, const uint8_t *record, unsigned record_bytes)
{
	static uint8_t buf[16384];
	int n;

	ERR_clear_error();
	while ((n = SSL_read(e->ssl, buf, sizeof(buf))) > 0) {
		for (e->got += (unsigned)n; e->got >= record_bytes; e->got -= record_bytes)
			if (!put(e->ssl, record, (int)record_bytes))
				relay_die("the relay does not take any more");
	}
	if (SSL_get_error(e->ssl, n) != SSL_ERROR_WANT_READ)
		relay_die("the relay ended a connection");
}

static void peer(const struct relay_options *opt, uint16_t port)
{
	SSL_CTX *ctx = relay_context(opt, false);
	struct end *ends = ends_make(opt->connections);
	uint8_t *record = calloc(1, opt->record_bytes);
	struct epoll_event got[EVENTS];
	double end;
	int ep;

	elsewhere(opt->cpu);
	if (record == NULL)
		relay_die("memory");
	for (unsigned i = 0; i < opt->record_bytes; i++)
		record[i] = (uint8_t)(i * 131u);
	for (unsigned i = 0; i < opt->connections; i++)
		ends[i] = (struct end){.ssl = relay_dial(ctx, port), .index = i};
	ep = ends_watch(ends, opt->connections);
	end = relay_now_s() + opt->seconds;
	for (unsigned i = 0; i < opt->connections; i++)
		if (!put(ends[i].ssl, record, (int)opt->record_bytes))
			relay_die("the relay does not take anything");
	while (relay_now_s() < end) {
		int n = epoll_wait(ep, got, EVENTS, 100);

		for (int i = 0; i < n; i++)
			answer(got[i].data.ptr, record, opt->record_bytes);
	}
	exit(0);
}

bool relay_many(const struct relay_options *opt, struct relay_report *rep)
{
	int lfd, pipefd[2];
	uint16_t port = relay_open_listener(&lfd);
	pid_t pids[2];
	bool ok;
	char c;

	if (pipe(pipefd) != 0)
		relay_die("pipe");
	pids[0] = fork();
	if (pids[0] == 0)
		relay(opt, lfd, pipefd[1]);
	close(pipefd[1]);
	/* The certificate is made. */
	if (read(pipefd[0], &c, 1) != 1)
		relay_die("relay");
	pids[1] = fork();
	if (pids[1] == 0)
		peer(opt, port);
	ok = read(pipefd[0], rep, sizeof(*rep)) == (ssize_t)sizeof(*rep);
	for (int i = 0; i < 2; i++)
		waitpid(pids[i], NULL, 0);
	return ok;
}
