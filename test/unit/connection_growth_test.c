/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When the dialling side opens and ends connections (wire.md 5.2, 5.3, 5.5): a session lived through
 * millisecond by millisecond, with a server that gives directions as servers do.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/session/connection_growth.h"

#define ROOM 64u

static struct connection_set set;
static struct connection_growth g;
static struct connection_member pool[ROOM];
static bool used[ROOM];

/* The world outside: how long an attempt takes, and whether it comes to anything. */
static struct {
	uint64_t now_ms, takes_ms;
	bool refused;
	uint64_t due_ms[ROOM];
	unsigned due_cnt;
	unsigned dialled, ended, least, most; /* since world_mark() */
	unsigned least_out, least_in;	      /* members that send, that receive */
	uint64_t last_dial_ms, least_gap_ms;
} world;

static void world_mark(void)
{
	world.dialled = world.ended = world.most = 0;
	world.least = world.least_out = world.least_in = 1000;
	world.least_gap_ms = UINT64_MAX;
}

static void join(enum session_direction direction)
{
	for (unsigned i = 0; i < ROOM; i++) {
		if (used[i])
			continue;
		used[i] = true;
		connection_member_init(&pool[i], direction, true);
		pool[i].joined_ms = world.now_ms;
		assert_true(connection_set_admits(&set));
		connection_set_join(&set, &pool[i]);
		return;
	}
	fail();
}

static void leave(struct connection_member *m)
{
	assert_true(connection_set_leave(&set, m));
	used[m - pool] = false;
}

static unsigned to_client(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < set.cnt; i++)
		n += !set.members[i]->may_send;
	return n;
}

static void begin(unsigned granted, uint32_t interval_ms, uint32_t life_ms, bool half_duplex)
{
	memset(&world, 0, sizeof(world));
	memset(used, 0, sizeof(used));
	world.now_ms = 1000000;
	world.takes_ms = 30;
	connection_set_init(&set, (uint8_t)granted, false);
	connection_growth_init(&g, interval_ms, life_ms, half_duplex, world.now_ms);
	join(half_duplex ? SESSION_CLIENT_TO_SERVER : SESSION_BOTH);
	world_mark();
}

/* Attempts that come to their end. */
static void answers(void)
{
	while (world.due_cnt > 0 && world.due_ms[0] <= world.now_ms) {
		memmove(&world.due_ms[0], &world.due_ms[1],
			--world.due_cnt * sizeof(world.due_ms[0]));
		connection_growth_answered(&g);
		if (!world.refused)
			join(g.half_duplex
					? connection_direction(to_client(), set.cnt - to_client())
					: SESSION_BOTH);
	}
}

static void dial(void)
{
	assert_true(set.cnt + g.under_way <= set.granted);
	connection_growth_dialled(&g, world.now_ms);
	assert_true(world.due_cnt < ROOM);
	world.due_ms[world.due_cnt++] = world.now_ms + world.takes_ms;
	if (world.dialled++ != 0 && world.now_ms - world.last_dial_ms < world.least_gap_ms)
		world.least_gap_ms = world.now_ms - world.last_dial_ms;
	world.last_dial_ms = world.now_ms;
}

#define WATCH(least, now) ((least) = (now) < (least) ? (now) : (least))

static void live(uint64_t ms)
{
	for (uint64_t end = world.now_ms + ms; world.now_ms < end; world.now_ms++) {
		struct connection_next next;

		answers();
		while ((next = connection_growth_next(&g, &set, world.now_ms)).step !=
			CONNECTION_WAIT) {
			if (next.step == CONNECTION_DIAL) {
				dial();
				continue;
			}
			leave(next.member);
			world.ended++;
		}
		/* It would have been enough to look again then. */
		assert_true(next.at_ms > world.now_ms);
		WATCH(world.least, set.cnt);
		WATCH(world.least_out, set.sender_cnt);
		WATCH(world.least_in, set.cnt - (g.half_duplex ? set.sender_cnt : 0));
		if (set.cnt > world.most)
			world.most = set.cnt;
	}
}

/* One in each interval, the first after one; then nothing more. */
static void grows(void **)
{
	begin(8, 1000, 0, false);
	live(1000);
	assert_int_equal(world.dialled, 0);
	live(7000);
	assert_int_equal(set.cnt, 8);
	assert_int_equal(world.dialled, 7);
	assert_int_equal(world.least_gap_ms, 1000);
	world_mark();
	live(100000);
	assert_int_equal(world.dialled + world.ended, 0);
	assert_int_equal(connection_growth_next(&g, &set, world.now_ms).at_ms, UINT64_MAX);
}

/* A lost one is missed at once, the only one as well. */
static void replaces(void **)
{
	for (unsigned granted = 1; granted <= 2; granted++) {
		begin(granted, 1000, 0, false);
		live(5000);
		assert_int_equal(set.cnt, granted);
		world_mark();
		leave(set.members[0]);
		live(world.takes_ms + 2);
		assert_int_equal(set.cnt, granted);
		assert_int_equal(world.dialled, 1);
	}
}

/* What fails is tried again in the next interval, not sooner; slow attempts are not many. */
static void fails_and_goes_on(void **)
{
	begin(4, 1000, 0, false);
	world.refused = true;
	live(10001);
	assert_int_equal(world.dialled, 10);
	assert_int_equal(world.least_gap_ms, 1000);
	world.refused = false;
	live(4000);
	assert_int_equal(set.cnt, 4);
	begin(3, 1000, 0, false);
	world.takes_ms = 60000;
	live(50000);
	assert_int_equal(world.dialled, 2);
	assert_int_equal(g.under_way, 2);
}

/* Each ends when its life is over, and its successor is there before. */
static void lives(void **)
{
	static const uint32_t lives_ms[] = {4000, 10000, 60000, 600000};

	for (unsigned granted = 1; granted <= 4; granted++) {
		for (unsigned i = 0; i < 4; i++) {
			uint64_t rounds = lives_ms[i] < 50000 ? 20 : 4;

			begin(granted, 500, lives_ms[i], false);
			live(1600);
			assert_int_equal(set.cnt, granted);
			world_mark();
			live(rounds * lives_ms[i]);
			assert_int_equal(world.least, granted);
			assert_int_equal(world.most, granted + 1);
			/* Dialled ahead, so a connection's place is taken sooner than its life lasts. */
			assert_in_range(world.ended, granted * (rounds - 1), granted * rounds * 2);
			for (unsigned k = 0; k < set.cnt; k++)
				assert_true(world.now_ms - set.members[k]->joined_ms <=
					lives_ms[i] + 500 + world.takes_ms + 1);
		}
	}
}

/* Nobody takes its place: it stays for as long again as the successor was given, and then goes. */
static void lives_in_vain(void **)
{
	begin(1, 1000, 20000, false);
	world.refused = true;
	live(20000 + 5999);
	assert_int_equal(world.ended, 0);
	live(2);
	assert_int_equal(world.ended, 1);
	world.refused = false;
	live(2000);
	assert_int_equal(set.cnt, 1);
}

/* Half duplex: directions as measured (2, 1, 1, 2, ...), and after each life there is a way in and a way out. */
static void half_duplex(void **)
{
	for (unsigned granted = 2; granted <= 8; granted++) {
		begin(granted, 300, 0, true);
		live(300 * granted + 100);
		assert_int_equal(set.cnt, granted);
		for (unsigned i = 0; i < granted; i++) {
			static const bool out[] = {
				true, false, false, true, false, true, false, true};

			assert_int_equal(set.members[i]->may_send, out[i]);
		}
		begin(granted, 300, 12000, true);
		live(300 * granted + 100);
		world_mark();
		live(200000);
		assert_true(world.ended >= 10 * granted);
		assert_true(set.sender_cnt > 0 && set.sender_cnt < set.cnt);
		/* With three or more no direction is ever without a connection for longer than a dial takes. */
		if (granted >= 4)
			assert_true(world.least_out > 0 && world.least_in > 0);
		assert_true(world.least >= granted - 1);
	}
}

/* All in one direction, because those of the other were lost: the youngest makes room. */
static void all_one_way(void **)
{
	begin(3, 1000, 0, true);
	live(3000);
	assert_int_equal(set.cnt, 3);
	leave(set.members[0]);		/* the only way out */
	join(SESSION_SERVER_TO_CLIENT); /* a server that gave the wrong one */
	assert_int_equal(set.sender_cnt, 0);
	world_mark();
	live(1500);
	assert_int_equal(world.ended, 1);
	assert_int_equal(set.cnt, 3);
	assert_int_equal(set.sender_cnt, 1);
	/* One that is alone is never closed for that. */
	begin(1, 1000, 0, true);
	live(5000);
	assert_int_equal(world.ended, 0);
}

/* Without an interval nothing happens: the side that accepted. */
static void off(void **)
{
	begin(8, 0, 1000, false);
	live(10000);
	assert_int_equal(world.dialled + world.ended, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),
		cmocka_unit_test(replaces),
		cmocka_unit_test(fails_and_goes_on),
		cmocka_unit_test(lives),
		cmocka_unit_test(lives_in_vain),
		cmocka_unit_test(half_duplex),
		cmocka_unit_test(all_one_way),
		cmocka_unit_test(off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
