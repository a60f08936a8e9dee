/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a connection ends: over TCP on loopback, with peers that read late, never, or go on talking. What
 * counts is what the peer sees.
 */

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "controlplane/linger.h"
#include "drivers/session/stream.h"
#include "test/unit/tls_peer.h"

static struct event_base *base;
static struct stream_io *io;
static unsigned done_cnt;

struct pair {
	struct tls_peer peer;
	struct stream *stream;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void turn(void)
{
	static const struct timeval tick = {.tv_usec = 1000};

	(void)event_base_loopexit(base, &tick);
	(void)event_base_loop(base, EVLOOP_ONCE);
}

#define wait_until(cond)                                    \
	do {                                                \
		for (int left_ = 10000; !(cond); left_--) { \
			assert_true(left_ > 0);             \
			turn();                             \
		}                                           \
	} while (0)

static void done(void *arg)
{
	*(unsigned *)arg += 1;
}

static void pair_open(struct pair *p)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	int ours = -EAGAIN, theirs = 0;

	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, len), 0);
	tls_peer_attach(&p->peer, TLS1_3_VERSION, fd);
	p->stream = stream_tls_accept(
		tls_peer_server_ctx(), accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	assert_non_null(p->stream);
	close(listener);
	for (int i = 0; i < 1000 && (ours != 0 || theirs != 1); i++) {
		theirs = tls_peer_handshake(&p->peer);
		(void)stream_fill(p->stream, io);
		ours = stream_handshake(p->stream, io);
		assert_true(stream_send(p->stream, io) >= 0);
		if (ours != 0)
			usleep(100);
	}
	assert_int_equal(ours, 0);
	assert_int_equal(stream_park(p->stream, io), 0);
}

static bool saw_alert(struct pair *p)
{
	uint8_t nothing[64];

	(void)tls_peer_read(&p->peer, nothing, sizeof(nothing));
	return SSL_get_shutdown(p->peer.ssl) & SSL_RECEIVED_SHUTDOWN;
}

static int setup(void **)
{
	base = event_base_new();
	io = stream_io_create();
	done_cnt = 0;
	memset(&linger_counters, 0, sizeof(linger_counters));
	return linger_init(base, 3);
}

static int teardown(void **)
{
	linger_fini();
	stream_io_destroy(io);
	event_base_free(base);
	return 0;
}

static void peer_closes_too(void **)
{
	struct pair p;

	pair_open(&p);
	linger_add(p.stream, done, &done_cnt);
	assert_int_equal(linger_cnt(), 1);
	wait_until(saw_alert(&p));
	assert_int_equal(done_cnt, 0);
	tls_peer_close(&p.peer);
	wait_until(done_cnt == 1);
	assert_int_equal(linger_counters.peer_closed, 1);
	assert_int_equal(linger_counters.unsent, 0);
}

/* Bytes that we never read must not turn the end into a reset that overtakes the alert. */
static void unread_bytes_do_not_reset(void **)
{
	static uint8_t chatter[100000];
	struct pair p;
	char byte;

	pair_open(&p);
	tls_peer_write(&p.peer, chatter, sizeof(chatter));
	linger_add(p.stream, done, &done_cnt);
	for (int i = 0; i < 50; i++) {
		tls_peer_write(&p.peer, chatter, 5000); /* and it goes on */
		turn();
	}
	wait_until(saw_alert(&p));
	assert_int_equal(recv(p.peer.fd, &byte, 1, 0), 0); /* FIN: a reset would be an error */
	assert_int_equal(done_cnt, 0);
	tls_peer_close(&p.peer);
	wait_until(done_cnt == 1);
}

/* What was written before the end arrives before the alert. */
static void what_waits_is_sent_first(void **)
{
	static uint8_t data[STREAM_RECORD_BYTES], got[2 * STREAM_RECORD_BYTES];
	struct pair p;
	size_t have = 0;

	pair_open(&p);
	assert_int_equal(stream_write(p.stream, io, data, sizeof(data)), 0);
	assert_int_equal(stream_write(p.stream, io, data, sizeof(data)), 0);
	assert_int_equal(stream_park(p.stream, io), 0);
	linger_add(p.stream, done, &done_cnt);
	wait_until((have += tls_peer_read(&p.peer, got, sizeof(got))) == sizeof(got));
	wait_until(saw_alert(&p));
	tls_peer_close(&p.peer);
	wait_until(done_cnt == 1);
}

static void patience_ends(void **)
{
	struct pair p;
	int64_t begin = now_ms(), took;

	pair_open(&p);
	linger_add(p.stream, done, &done_cnt);
	wait_until(done_cnt == 1);
	took = now_ms() - begin;
	assert_in_range(took, LINGER_MS - 100, LINGER_MS + 8000); /* a busy machine adds its own */
	assert_int_equal(linger_counters.timed_out, 1);
	assert_true(saw_alert(&p));
	tls_peer_close(&p.peer);
}

static void the_list_is_bounded(void **)
{
	struct pair p[5];

	for (int i = 0; i < 5; i++) {
		pair_open(&p[i]);
		linger_add(p[i].stream, done, &done_cnt);
	}
	assert_int_equal(linger_cnt(), 3);
	assert_int_equal(done_cnt, 2);
	assert_int_equal(linger_counters.cut, 2);
	for (int i = 0; i < 5; i++) {
		assert_true(saw_alert(&p[i])); /* also the two that were cut */
		tls_peer_close(&p[i].peer);
	}
	wait_until(done_cnt == 5);
}

static void dead_sockets_end_at_once(void **)
{
	const struct linger hard = {.l_onoff = 1};
	struct pair p;

	pair_open(&p);
	setsockopt(p.peer.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	tls_peer_close(&p.peer);
	linger_add(p.stream, done, &done_cnt);
	wait_until(done_cnt == 1);
	assert_int_equal(linger_counters.failed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(peer_closes_too),
		T(unread_bytes_do_not_reset),
		T(what_waits_is_sent_first),
		T(patience_ends),
		T(the_list_is_bounded),
		T(dead_sockets_end_at_once),
#undef T
	};
	int ret = cmocka_run_group_tests(tests, NULL, NULL);

	tls_peer_cleanup();
	return ret;
}
