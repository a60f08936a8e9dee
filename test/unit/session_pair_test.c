/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/session with itself: the side that accepted and the side that dialled, each in a hub of its own
 * and on a worker of its own, as a cascade will be. Peers of the bed put frames into both hubs:
 *
 *	peer a -- hub one -- session (server) === 1..4 connections === session (client) -- hub two -- peer b
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/session/connection_set.h"
#include "test/unit/session_bed.h"

#define LINKS_MAX 4u
#define ROUND	  300u

static struct hub *one, *two;
static struct bed_peer pa, pb;
static struct bed_session a, b, server, client;
static uint64_t next_id;

struct pair_mode {
	unsigned links;
	bool half_duplex, compress, raw, qos;
};

static bool has_keepalive(void *arg)
{
	return ((struct bed_peer *)arg)->keepalives > 0;
}

/* Opens a connection between the two and gives an end to each; the first of each opens the session. */
static void join(bool first, enum session_direction direction)
{
	struct stream *at_server, *at_client;

	bed_connect_both(&at_server, &at_client);
	next_id++;
	if (first) {
		session_open(server.s, at_server, next_id);
		session_open(client.s, at_client, next_id);
		return;
	}
	assert_int_equal(bed_add(&server, at_server, next_id, direction), 0);
	assert_int_equal(bed_add(&client, at_client, next_id, direction), 0);
}

/* Sessions without connections yet. */
static void create_pair(const struct pair_mode *mode)
{
	struct session_conf conf = {.timeout_ms = 20000,
		.max_connections = (uint8_t)mode->links,
		.half_duplex = mode->half_duplex,
		.qos = mode->qos};

	next_id = 0;
	bed_hub_open();
	one = bed_hub;
	bed_open(&a, &pa, 0, 20000);
	bed_modes.compress = mode->compress;
	bed_open_conf(&server, NULL, &conf);
	bed_modes.compress = false;
	bed_hub_open();
	two = bed_hub;
	bed_open(&b, &pb, 1, 20000);
	bed_modes.compress = mode->compress;
	conf.worker = 1;
	conf.client = true;
	bed_open_conf(&client, NULL, &conf);
	bed_modes.compress = false;
}

static void open_pair(const struct pair_mode *mode)
{
	uint32_t to_client = 0, others = 1;

	create_pair(mode);
	bed_modes.raw = mode->raw;
	join(true, SESSION_BOTH);
	for (unsigned i = 1; i < mode->links; i++) {
		enum session_direction d =
			mode->half_duplex ? connection_direction(to_client, others) : SESSION_BOTH;

		to_client += d == SESSION_SERVER_TO_CLIENT;
		others += d != SESSION_SERVER_TO_CLIENT;
		join(false, d);
	}
	bed_modes.raw = false;
	assert_true(bed_wait(has_keepalive, &pa));
	assert_true(bed_wait(has_keepalive, &pb));
}

static void close_pair(void)
{
	bed_end(&server, SESSION_END_ADMIN);
	bed_end(&client, SESSION_END_SHUTDOWN);
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
	bed_hub = one;
	bed_hub_close();
	bed_hub = two;
	bed_hub_close();
}

static bool heard(void *arg)
{
	struct bed_peer **of = arg;

	return of[0]->frames >= (uintptr_t)of[1];
}

static void wait_frames(struct bed_peer *p, unsigned n)
{
	struct bed_peer *arg[2] = {p, (struct bed_peer *)(uintptr_t)n};

	assert_true(bed_wait(heard, arg));
}

/* ROUND frames each way, complete and in order. */
static void exchange(void)
{
	static uint32_t number = 1000;

	pa.frames = pb.frames = 0;
	for (unsigned i = 0; i < ROUND / 50; i++) {
		bed_send_frames(&pa, 2, 1, number + i * 50, 50, 1514);
		bed_send_frames(&pb, 1, 2, number + i * 50, 50, 100);
		wait_frames(&pa, (i + 1) * 50);
		wait_frames(&pb, (i + 1) * 50);
	}
	for (unsigned i = 0; i < ROUND; i++) {
		assert_int_equal(pa.got[i].number, number + i);
		assert_int_equal(pa.got[i].len, 100);
		assert_int_equal(pb.got[i].number, number + i);
		assert_int_equal(pb.got[i].len, 1514);
	}
	number += ROUND;
}

/* Both hubs learn who is where. */
static void meet(void)
{
	bed_send_frames(&pa, 0, 1, 1, 1, 60);
	wait_frames(&pb, pb.frames + 1);
	bed_send_frames(&pb, 0, 2, 1, 1, 60);
	wait_frames(&pa, pa.frames + 1);
}

static bool gone_at_client(void *arg)
{
	return client.connections_ended == *(unsigned *)arg &&
		server.connections_ended == *(unsigned *)arg;
}

/* Each connection in its turn is closed by one of the sides, heard of by the other, and replaced. */
static void run(const struct pair_mode *mode)
{
	struct session_counters at_server, at_client;

	open_pair(mode);
	meet();
	exchange();
	for (unsigned i = 0; i < mode->links; i++) {
		struct bed_session *who = i % 2 ? &client : &server;
		struct bed_session *other = i % 2 ? &server : &client;
		enum session_direction d = !mode->half_duplex ? SESSION_BOTH
			: i == 0 || i == 3		      ? SESSION_CLIENT_TO_SERVER
							      : SESSION_SERVER_TO_CLIENT;
		unsigned ends = i + 1;

		assert_int_equal(session_connection_close(who->s, i + 1, SESSION_END_ADMIN), 0);
		assert_true(bed_wait(gone_at_client, &ends));
		assert_int_equal(who->connection_why[i], SESSION_END_ADMIN);
		assert_int_equal(other->connection_why[i], SESSION_END_PEER_CLOSED);
		bed_modes.raw = mode->raw;
		join(false, d);
		bed_modes.raw = false;
		exchange();
	}
	session_view(server.s, &at_server);
	session_view(client.s, &at_client);
	assert_int_equal(at_server.connections, mode->links);
	assert_int_equal(at_client.connections, mode->links);
	/* What one says the other hears: frames, and keep-alives of both. */
	assert_int_equal(stats_in_frames(&at_server.port), stats_sent_frames(&at_client.port));
	assert_int_equal(stats_in_frames(&at_client.port), stats_sent_frames(&at_server.port));
	assert_true(at_client.keepalives_in > 0 && at_server.keepalives_in > 0);
	close_pair();
}

static void encrypted(void **)
{
	run(&(struct pair_mode){.links = 1});
	run(&(struct pair_mode){.links = 4});
}

static void not_encrypted(void **)
{
	run(&(struct pair_mode){.links = 2, .raw = true});
}

static void compressed(void **)
{
	run(&(struct pair_mode){.links = 2, .compress = true});
	run(&(struct pair_mode){.links = 3, .compress = true, .raw = true, .qos = true});
}

static void half_duplex(void **)
{
	run(&(struct pair_mode){.links = 2, .half_duplex = true});
	run(&(struct pair_mode){.links = 3, .half_duplex = true, .compress = true});
	run(&(struct pair_mode){.links = 4, .half_duplex = true, .qos = true, .raw = true});
}

/*
 * Not encrypted: the side that accepted says its last in TLS and goes on in the clear at once; the side that
 * dialled finds both in one receive, and what stands behind the last record is data (wire.md 6.6).
 */
static void data_behind_the_welcome(void **)
{
	struct stream *at_server, *at_client;
	uint8_t welcome[64];
	ssize_t n;

	create_pair(&(struct pair_mode){.links = 1});
	bed_connect_both(&at_server, &at_client);
	assert_true(bed_wait(has_keepalive, &pa));
	assert_int_equal(stream_write(at_server, bed_io(), "welcome", 7), 0);
	assert_int_equal(stream_go_raw(at_server), 0);
	assert_int_equal(stream_park(at_server, bed_io()), 0);
	session_open(server.s, at_server, 1);
	bed_sleep_ms(50);
	bed_send_frames(&pa, 0, 1, 5, 1, 60);
	bed_sleep_ms(50);
	while ((n = stream_fill(at_client, bed_io())) > 0 || n == -EAGAIN) {
		n = stream_read(at_client, bed_io(), welcome, sizeof(welcome));
		if (n != -EAGAIN)
			break;
	}
	assert_int_equal(n, 7);
	assert_int_equal(stream_go_raw(at_client), 0);
	assert_int_equal(stream_park(at_client, bed_io()), 0);
	session_open(client.s, at_client, 1);
	wait_frames(&pb, 1);
	assert_int_equal(pb.got[0].number, 5);
	meet();
	exchange();
	close_pair();
}

/* The session at the other end goes: its connections with it, and the one here waits for its time-out. */
static void the_other_end_goes(void **)
{
	unsigned ends = 2;

	open_pair(&(struct pair_mode){.links = 2});
	meet();
	bed_end(&server, SESSION_END_HUB_DOWN);
	assert_true(bed_wait(gone_at_client, &ends));
	assert_int_equal(client.connection_why[0], SESSION_END_PEER_CLOSED);
	assert_false(client.ended);
	bed_end(&client, SESSION_END_ADMIN);
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
	bed_hub = one;
	bed_hub_close();
	bed_hub = two;
	bed_hub_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encrypted),
		cmocka_unit_test(not_encrypted),
		cmocka_unit_test(compressed),
		cmocka_unit_test(half_duplex),
		cmocka_unit_test(data_behind_the_welcome),
		cmocka_unit_test(the_other_end_goes),
	};
	int ret;

	bed_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bed_stop();
	return ret;
}
