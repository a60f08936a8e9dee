/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections of a session: lost and replaced, one more than granted, many that come and go, half duplex in
 * both roles.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "drivers/session/staging.h"

#include "test/unit/session_two.h"

/* The connection is lost, the session stays, what came for it waits, and a new connection brings it. */
static void lost_connection_is_replaced(void **)
{
	struct session_counters now;

	open_two(0, 1, 20000);
	bed_send_frames(&pb, 0, 2, 1, 1, 60);
	wait_frames(&pa, 1);
	bed_peer_close(&pb);
	assert_true(bed_wait(connections_ended, &b));
	assert_int_equal(b.connection_why[0], SESSION_END_PEER_CLOSED);
	assert_false(b.ended);
	/* 1024 wait, the rest is dropped and counted. */
	send_copies(&pa, 2, 1, 1100, 60, &b, &now);
	assert_int_equal(now.queued_frames, 1024);
	assert_int_equal(now.port.drop_out[STATS_DROP_OUT_NO_CONNECTION], 76);
	assert_int_equal(now.connections, 0);
	assert_int_equal(bed_add(&b, bed_connect(&pb, TLS1_2_VERSION), 777, SESSION_BOTH), 0);
	wait_frames(&pb, 1024);
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(pb.got[i].number, i);
	bed_send_frames(&pb, 1, 2, 42, 1, 60);
	wait_frames(&pa, 2);
	end_two();
	assert_int_equal(b.connections_ended, 2);
	assert_int_equal(b.connection_id[1], 777);
	assert_int_equal(b.final.connections_joined, 2);
}

/* Reset by the network: nothing to say goodbye to, the session lives on. */
static void reset_connection(void **)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	bed_open(&a, &pa, 0, 20000);
	wait_ready(&pa);
	assert_int_equal(setsockopt(pa.tls.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	bed_peer_close(&pa);
	assert_true(bed_wait(connections_ended, &a));
	assert_int_equal(a.connection_why[0], SESSION_END_RESET);
	assert_false(a.stream_given[0]);
	assert_false(a.ended);
	bed_end(&a, SESSION_END_HUB_DOWN);
}

/* Granted one: a second is tolerated, a third is not. */
static void one_more_than_granted(void **)
{
	bed_open(&a, &pa, 0, 20000);
	wait_ready(&pa);
	assert_int_equal(bed_add(&a, bed_connect(&pb, TLS1_3_VERSION), 50, SESSION_BOTH), 0);
	wait_ready(&pb);
	assert_int_equal(bed_add(&a, bed_connect(&pc, TLS1_3_VERSION), 51, SESSION_BOTH), 0);
	assert_true(bed_wait(connections_ended, &a));
	assert_int_equal(a.connection_id[0], 51);
	assert_int_equal(a.connection_why[0], SESSION_END_TOO_MANY);
	assert_true(bed_wait(peer_saw_close_notify, &pc));
	/* One of the two closed on request: the other carries on. */
	assert_int_equal(session_connection_close(a.s, 50, SESSION_END_ADMIN), 0);
	assert_true(bed_wait(peer_saw_close_notify, &pb));
	assert_int_equal(session_connection_close(a.s, 4711, SESSION_END_ADMIN), 0); /* nobody */
	bed_end(&a, SESSION_END_ADMIN);
	assert_int_equal(a.connections_ended, 3);
	assert_true(bed_wait(peer_saw_close_notify, &pa));
	bed_peer_close(&pa);
	bed_peer_close(&pb);
	bed_peer_close(&pc);
}

/* With two connections frames leave over the one that joined last (wire.md 6.5). */
static void youngest_connection_carries(void **)
{
	open_two(0, 0, 20000);
	assert_int_equal(bed_add(&b, bed_connect(&pc, TLS1_3_VERSION), 60, SESSION_BOTH), 0);
	wait_ready(&pc);
	bed_send_frames(&pa, 0, 1, 0, 500, 200);
	wait_frames(&pc, 500);
	assert_int_equal(pb.frames, 0);
	/* A connection that only receives carries nothing out, not even keep-alives. */
	assert_int_equal(session_connection_close(b.s, 60, SESSION_END_ADMIN), 0);
	assert_true(bed_wait(peer_saw_close_notify, &pc));
	bed_peer_close(&pc);
	assert_int_equal(
		bed_add(&b, bed_connect(&pc, TLS1_3_VERSION), 61, SESSION_CLIENT_TO_SERVER), 0);
	bed_send_frames(&pa, 0, 1, 0, 10, 200);
	wait_frames(&pb, 10);
	bed_send_frames(&pc, 0, 2, 5, 1, 60);
	wait_frames(&pa, 1);
	assert_int_equal(pc.frames, 0);
	assert_int_equal(pc.keepalives, 0);
	end_two();
	bed_peer_close(&pc);
}

enum {
	MANY = 8
};
static struct bed_peer many[MANY];

/* Frames of a round, by their numbers, on whatever connection they came. */
static bool round_complete(void *arg)
{
	unsigned first = *(unsigned *)arg, cnt = 0;

	for (unsigned i = 0; i < MANY; i++) {
		for (unsigned k = 0; k < many[i].frames; k++)
			cnt += many[i].got[k].number - first < 50;
	}
	return cnt == 50;
}

static unsigned not_given_back(void)
{
	return MANY - b.connections_ended;
}

static bool all_given_back(void *)
{
	return not_given_back() == 0;
}

/*
 * Of eight connections the favourite is not read, so others take over and nothing is lost (wire.md 6.5);
 * then they end one after the other by either side, and those that are left carry on.
 */
static void connections_come_and_go(void **)
{
	unsigned sent = 0, first = 1000000;
	struct session_counters now;

	bed_open(&a, &pa, 0, 20000);
	bed_open_many(&b, &many[0], 1, 20000, MANY);
	wait_ready(&pa);
	wait_ready(&many[0]);
	for (unsigned i = 1; i < MANY; i++) {
		assert_int_equal(
			bed_add(&b, bed_connect(&many[i], TLS1_3_VERSION), 100 + i, SESSION_BOTH),
			0);
		wait_ready(&many[i]);
	}
	bed_peer_neglect(&many[MANY - 1]);
	/*
	 * Until the socket nobody reads holds what it can. Each portion has to be in the accounts before the next, or
	 * the rest of them is still on its way when the rounds begin, and the ring between the workers full.
	 */
	while (many[MANY - 2].frames < 200 && sent < 40000) {
		send_copies(&pa, 0, 1, 100, 1514, &b, &now);
		sent += 100;
	}
	assert_true(many[MANY - 2].frames >= 200);
	bed_peer_close(&many[MANY - 1]);
	for (unsigned i = MANY - 2; i > 0; i--) {
		if (i % 2)
			assert_int_equal(
				session_connection_close(b.s, 100 + i, SESSION_END_ADMIN), 0);
		else
			bed_peer_close(&many[i]);
		while (not_given_back() > i)
			bed_pump();
		if (i % 2)
			bed_peer_close(&many[i]);
		first += 50;
		bed_send_frames(&pa, 0, 1, first, 50, 300);
		assert_true(bed_wait(round_complete, &first));
	}
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	assert_true(bed_wait(all_given_back, NULL));
	assert_int_equal(b.final.connections_joined, MANY);
	assert_int_equal(b.final.port.drop_out[STATS_DROP_OUT_STAGING_FULL], 0);
	assert_int_equal(b.final.port.drop_out[STATS_DROP_OUT_STAGING_FLOOD], 0);
	bed_peer_close(&pa);
	bed_peer_close(&many[0]);
}

/*
 * Half duplex (wire.md 5.3): frames and keep-alives go where the direction allows, what has no way out
 * waits, and each direction lives and dies by itself.
 */
static void half_duplex(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 3, .half_duplex = true};
	struct session_counters now;

	bed_open(&a, &pa, 0, 20000);
	wait_ready(&pa);
	bed_open_conf(&b, &pb, &conf);
	bed_send_frames(&pb, 0, 2, 7, 1, 60); /* client to server: the first connection */
	wait_frames(&pa, 1);
	send_copies(&pa, 2, 1, 1100, 100, &b, &now);
	assert_int_equal(now.queued_frames, STAGING_FRAMES_ALONE);
	assert_int_equal(
		now.port.drop_out[STATS_DROP_OUT_NO_CONNECTION], 1100 - STAGING_FRAMES_ALONE);
	assert_int_equal(pb.keepalives, 0);
	assert_int_equal(
		bed_add(&b, bed_connect(&pc, TLS1_3_VERSION), 50, SESSION_SERVER_TO_CLIENT), 0);
	wait_frames(&pc, STAGING_FRAMES_ALONE);
	assert_true(pc.keepalives > 0);
	/* The way in dies: the way out goes on, and the other way round. */
	bed_peer_close(&pb);
	assert_true(bed_wait(connections_ended, &b));
	bed_send_frames(&pa, 2, 1, 0, 10, 100);
	wait_frames(&pc, STAGING_FRAMES_ALONE + 10);
	assert_int_equal(
		bed_add(&b, bed_connect(&pb, TLS1_3_VERSION), 51, SESSION_CLIENT_TO_SERVER), 0);
	bed_send_frames(&pb, 1, 2, 8, 1, 60);
	wait_frames(&pa, 2);
	bed_peer_close(&pc);
	while (b.connections_ended < 2)
		bed_pump();
	bed_send_frames(&pb, 1, 2, 9, 1, 60);
	wait_frames(&pa, 3);
	assert_int_equal(pb.frames + pb.keepalives, 0);
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

/* What the server sends on has no receive time-out; what it receives on has (wire.md 6.8). */
static void half_duplex_time_outs(void **)
{
	const struct session_conf conf = {
		.timeout_ms = 1500, .max_connections = 2, .half_duplex = true};
	uint64_t from = bed_now_ms();

	bed_open_conf(&a, &pa, &conf);
	assert_int_equal(
		bed_add(&a, bed_connect(&pb, TLS1_3_VERSION), 50, SESSION_SERVER_TO_CLIENT), 0);
	while (bed_now_ms() - from < 4500) {
		if (bed_now_ms() - from < 2250)
			bed_send_keepalive(&pa);
		bed_pump();
		bed_sleep_ms(20);
	}
	assert_int_equal(a.connections_ended, 1);
	assert_int_equal(a.connection_why[0], SESSION_END_TIMEOUT);
	assert_int_not_equal(a.connection_id[0], 50);
	assert_true(pb.keepalives > 1);
	assert_false(a.ended);
	bed_end(&a, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

/* The dialling side is the same code with the directions turned round. */
static void half_duplex_as_client(void **)
{
	const struct session_conf conf = {
		.timeout_ms = 20000, .max_connections = 2, .half_duplex = true, .client = true};

	bed_open_conf(&a, &pa, &conf);
	wait_ready(&pa);
	assert_int_equal(
		bed_add(&a, bed_connect(&pb, TLS1_3_VERSION), 50, SESSION_SERVER_TO_CLIENT), 0);
	bed_open(&b, &pc, 0, 20000);
	wait_ready(&pc);
	bed_send_frames(&pb, 0, 1, 1, 20, 60);
	wait_frames(&pc, 20);
	bed_send_frames(&pc, 1, 2, 1, 20, 60);
	wait_frames(&pa, 20);
	assert_int_equal(pb.frames + pb.keepalives, 0);
	end_two();
	bed_peer_close(&pc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TEST(lost_connection_is_replaced),
		TWO_TEST(reset_connection),
		TWO_TEST(one_more_than_granted),
		TWO_TEST(youngest_connection_carries),
		TWO_TEST(connections_come_and_go),
		TWO_TEST(half_duplex),
		TWO_TEST(half_duplex_time_outs),
		TWO_TEST(half_duplex_as_client),
	};

	return two_run(tests);
}
