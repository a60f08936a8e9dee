/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The side that dialled (wire.md 5.2, 5.5): the worker says when it wants a connection, ends those that have
 * lived long enough, and all through that the session carries frames. The rules themselves, in all their cases,
 * are connection_growth_test.c's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/session/connection_set.h"
#include "test/unit/session_pair.h"

static struct pair pair;
static unsigned dialled;
static enum session_direction directions[64]; /* by connection id */

/* The direction that a server gives: from the connections it has. */
static enum session_direction direction_next(void)
{
	uint32_t to_client = 0, others = 0;

	if (!pair.mode.half_duplex)
		return SESSION_BOTH;
	for (uint64_t id = 1; id <= pair.next_id; id++) {
		bool gone = false;

		for (unsigned i = 0; i < pair.server.connections_ended; i++)
			gone = gone || pair.server.connection_id[i] == id;
		to_client += !gone && directions[id] == SESSION_SERVER_TO_CLIENT;
		others += !gone && directions[id] != SESSION_SERVER_TO_CLIENT;
	}
	return connection_direction(to_client, others);
}

static void begin(const struct pair_mode *mode)
{
	dialled = 0;
	pair_create(&pair, mode);
	directions[1] = SESSION_CLIENT_TO_SERVER;
	pair_join(&pair, true, SESSION_BOTH);
}

/* What a cascade will do all the time: dial when it is asked to. */
static void live(unsigned ms, bool refused)
{
	for (uint64_t until = bed_now_ms() + ms; bed_now_ms() < until;) {
		bed_pump();
		while (dialled != pair.client.wanted) {
			dialled++;
			if (refused) {
				session_dial_failed(pair.client.s);
				continue;
			}
			assert_in_range(pair.next_id, 0, 62);
			directions[pair.next_id + 1] = direction_next();
			pair_join(&pair, false, directions[pair.next_id + 1]);
		}
	}
}

static unsigned connections_now(void)
{
	struct session_counters now;

	session_view(pair.client.s, &now);
	return now.connections;
}

static void live_until(unsigned connections)
{
	for (uint64_t until = bed_now_ms() + 10000; connections_now() != connections;) {
		assert_true(bed_now_ms() < until);
		live(5, false);
	}
}

/* To what was granted and no further, not faster than the interval; what is lost is replaced. */
static void grows(void **)
{
	uint64_t from = bed_now_ms();

	begin(&(struct pair_mode){.links = 4, .interval_ms = 100});
	live_until(4);
	assert_true(bed_now_ms() - from >= 300);
	live(400, false);
	assert_int_equal(pair.client.wanted, 3);
	pair_meet(&pair);
	pair_exchange(&pair);
	assert_int_equal(session_connection_close(pair.server.s, 2, SESSION_END_ADMIN), 0);
	while (pair.client.connections_ended == 0)
		live(5, false);
	live_until(4);
	assert_int_equal(pair.client.wanted, 4);
	pair_exchange(&pair);
	pair_close(&pair);
}

/* Attempts that fail are made again, one in an interval. */
static void refused(void **)
{
	uint64_t from = bed_now_ms(), ms;

	begin(&(struct pair_mode){.links = 2, .interval_ms = 100});
	live(1000, true);
	ms = bed_now_ms() - from;
	assert_in_range(pair.client.wanted, 3, ms / 100);
	live_until(2);
	pair_meet(&pair);
	pair_exchange(&pair);
	pair_close(&pair);
}

/*
 * Until so many connections have ended because their life was over; the session goes on. That each has a
 * successor before is a matter of how fast this machine dials: connection_growth_test.c asks it of the rules.
 */
static void renew(const struct pair_mode *mode, unsigned ends)
{
	uint64_t until = bed_now_ms() + 60000;

	begin(mode);
	live_until(mode->links);
	while (pair.client.connections_ended < ends) {
		assert_true(bed_now_ms() < until);
		live(20, false);
	}
	for (unsigned i = 0; i < ends; i++)
		assert_int_equal(pair.client.connection_why[i], SESSION_END_LIFETIME);
	for (unsigned i = 0; i < pair.server.connections_ended; i++)
		assert_int_equal(pair.server.connection_why[i], SESSION_END_PEER_CLOSED);
	assert_false(pair.client.ended || pair.server.ended);
	/* Frames on a connection that ends are lost with it, so some are enough. */
	for (unsigned sent = pair.pb.frames; pair.pb.frames < sent + 20;) {
		assert_true(bed_now_ms() < until);
		bed_send_frames(&pair.pa, 0, 1, 1, 1, 200);
		live(20, false);
	}
	for (unsigned sent = pair.pa.frames; pair.pa.frames < sent + 20;) {
		assert_true(bed_now_ms() < until);
		bed_send_frames(&pair.pb, 0, 2, 1, 1, 200);
		live(20, false);
	}
	pair_close(&pair);
}

static void lives(void **)
{
	renew(&(struct pair_mode){.links = 1, .interval_ms = 50, .life_ms = 300}, 5);
	renew(&(struct pair_mode){.links = 3, .interval_ms = 50, .life_ms = 600}, 9);
}

static void lives_half_duplex(void **)
{
	renew(
		&(struct pair_mode){
			.links = 2, .half_duplex = true, .interval_ms = 50, .life_ms = 500},
		6);
	renew(
		&(struct pair_mode){
			.links = 5, .half_duplex = true, .interval_ms = 50, .life_ms = 900},
		12);
}

/* The session ends while a wish of the worker is on its way. */
static void ends_while_it_wants(void **)
{
	for (unsigned i = 0; i < 8; i++) {
		begin(&(struct pair_mode){.links = 32, .interval_ms = 17});
		bed_sleep_ms(40 + i); /* nobody hears */
		session_end(pair.client.s, SESSION_END_SHUTDOWN);
		while (!pair.client.ended)
			bed_pump();
		assert_int_equal(pair.client.wanted, 0);
		bed_end(&pair.server, SESSION_END_ADMIN);
		pair_close_hubs(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(grows),
		PAIR_TEST(refused),
		PAIR_TEST(lives),
		PAIR_TEST(lives_half_duplex),
		PAIR_TEST(ends_while_it_wants),
	};
	int ret;

	bed_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bed_stop();
	return ret;
}
