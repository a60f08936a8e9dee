/* SPDX-License-Identifier: BSD-3-Clause */
/* Both roles of drivers/session against each other, in all modes, through the loss of every connection. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/unit/session_pair.h"

static struct pair pair;

static bool gone_at_client(void *arg)
{
	return pair.client.connections_ended == *(unsigned *)arg &&
		pair.server.connections_ended == *(unsigned *)arg;
}

/* Each connection in its turn is closed by one of the sides, heard of by the other, and replaced. */
static void run(const struct pair_mode *mode)
{
	struct session_counters at_server, at_client;

	pair_open(&pair, mode);
	pair_meet(&pair);
	pair_exchange(&pair);
	for (unsigned i = 0; i < mode->links; i++) {
		struct bed_session *who = i % 2 ? &pair.client : &pair.server;
		struct bed_session *other = i % 2 ? &pair.server : &pair.client;
		enum session_direction d = !mode->half_duplex ? SESSION_BOTH
			: i == 0 || i == 3		      ? SESSION_CLIENT_TO_SERVER
							      : SESSION_SERVER_TO_CLIENT;
		unsigned ends = i + 1;

		assert_int_equal(session_connection_close(who->s, i + 1, SESSION_END_ADMIN), 0);
		assert_true(bed_wait(gone_at_client, &ends));
		assert_int_equal(who->connection_why[i], SESSION_END_ADMIN);
		assert_int_equal(other->connection_why[i], SESSION_END_PEER_CLOSED);
		pair_join(&pair, false, d);
		pair_exchange(&pair);
	}
	session_view(pair.server.s, &at_server);
	session_view(pair.client.s, &at_client);
	assert_int_equal(at_server.connections, mode->links);
	assert_int_equal(at_client.connections, mode->links);
	/* What one says the other hears: frames, and keep-alives of both. */
	assert_int_equal(stats_in_frames(&at_server.port), stats_sent_frames(&at_client.port));
	assert_int_equal(stats_in_frames(&at_client.port), stats_sent_frames(&at_server.port));
	assert_true(at_client.keepalives_in > 0 && at_server.keepalives_in > 0);
	pair_close(&pair);
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

	pair_create(&pair, &(struct pair_mode){.links = 1});
	bed_connect_both(&at_server, &at_client);
	assert_int_equal(stream_write(at_server, bed_io(), "welcome", 7), 0);
	assert_int_equal(stream_go_raw(at_server), 0);
	assert_int_equal(stream_park(at_server, bed_io()), 0);
	session_open(pair.server.s, at_server, 1);
	bed_sleep_ms(50);
	bed_send_frames(&pair.pa, 0, 1, 5, 1, 60);
	bed_sleep_ms(50);
	while ((n = stream_fill(at_client, bed_io())) > 0 || n == -EAGAIN) {
		n = stream_read(at_client, bed_io(), welcome, sizeof(welcome));
		if (n != -EAGAIN)
			break;
	}
	assert_int_equal(n, 7);
	assert_int_equal(stream_go_raw(at_client), 0);
	assert_int_equal(stream_park(at_client, bed_io()), 0);
	session_open(pair.client.s, at_client, 1);
	pair_wait_frames(&pair.pb, 1);
	assert_int_equal(pair.pb.got[0].number, 5);
	pair_meet(&pair);
	pair_exchange(&pair);
	pair_close(&pair);
}

/* The session at the other end goes: its connections with it, and the one here waits for its time-out. */
static void the_other_end_goes(void **)
{
	unsigned ends = 2;

	pair_open(&pair, &(struct pair_mode){.links = 2});
	pair_meet(&pair);
	bed_end(&pair.server, SESSION_END_HUB_DOWN);
	assert_true(bed_wait(gone_at_client, &ends));
	assert_int_equal(pair.client.connection_why[0], SESSION_END_PEER_CLOSED);
	assert_false(pair.client.ended);
	bed_end(&pair.client, SESSION_END_ADMIN);
	pair_close_hubs(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(encrypted),
		PAIR_TEST(not_encrypted),
		PAIR_TEST(compressed),
		PAIR_TEST(half_duplex),
		PAIR_TEST(data_behind_the_welcome),
		PAIR_TEST(the_other_end_goes),
	};
	int ret;

	bed_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bed_stop();
	return ret;
}
