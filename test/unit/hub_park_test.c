/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What access rules that pass do besides, as a hub's frames meet it: delays keep the order of a flow whichever rules its
 * frames meet, are bounded for each rule and port, and for each port, and leave nothing behind; redirections have a ration.
 *
 * Where time matters it is the test's: what happens within one turn of a worker sees the clock that the test sets.
 */

#include "dataplane/access.h"
#include "dataplane/hub_access_priv.h"
#include "dataplane/hub_input_priv.h"
#include "test/unit/hub_bed.h"

#include <string.h>

#define STATION(n) (UINT64_C(0x020000001000) + (n))

static struct access_rule delay(uint64_t src_mac, uint16_t ms)
{
	struct access_rule r = {.delay_ms = ms};

	if (src_mac != 0) {
		r.flags = ACCESS_F_SRC_MAC;
		r.src_mac = src_mac;
		r.src_mac_mask = UINT64_C(0xffffffffffff);
	}
	return r;
}

static bool all_there(void *arg)
{
	return atomic_load(&b.cnt) >= *(unsigned *)arg;
}

/* 64 frames of one flow, by turns from the stations that `station` says, come out as they went in. */
static void assert_in_order(unsigned (*station)(unsigned))
{
	unsigned all = FRAME_BURST;
	struct send s = {.from = &a};

	fake_port_clear(&b);
	for (uint32_t i = 0; i < FRAME_BURST; i++)
		add(&s, MAC_B, STATION(station(i)), i);
	worker_call(0, send_here, &s);
	assert_true(worker_until(all_there, &all));
	assert_true(worker_settle());
	for (uint32_t i = 0; i < FRAME_BURST; i++)
		assert_int_equal(b.serial[i], i);
}

static unsigned odd_and_even(unsigned i)
{
	return i % 2 == 0;
}

/* Every third is one of many, the others are anybody. */
static unsigned many_and_few(unsigned i)
{
	return i % 3 == 0 ? i : 5000 + i;
}

/* Rules that are compared, and rules that are hashed with one that is compared (access_quick.c). */
static void two_rules_keep_a_flow_in_order(void **)
{
	struct access_rule two[] = {delay(STATION(0), 20), delay(0, 20)};
	struct access_rule many[101];

	join_and_learn();
	set_rules(two, 2);
	assert_in_order(odd_and_even);
	for (uint32_t i = 0; i < 100; i++)
		many[i] = delay(STATION(i), 20);
	many[100] = delay(0, 20);
	set_rules(many, 101);
	assert_in_order(many_and_few);
	assert_abc_books();
}

/* ---- within a turn ---------------------------------------------------------------------------- */

static struct {
	unsigned parked, refused, over_share, most_shares, left, end;
	uint64_t waiting;
} seen;

/* As hub_input() would with one frame of `port` that meets the rule in this slot. */
static bool park(struct lcore *lc, struct fake_port *port, uint32_t slot, uint16_t len, uint32_t ms)
{
	static _Thread_local uint8_t bytes[FRAME_MAX_BYTES];
	struct frame f = {.data = bytes, .len = len};
	struct input in;
	enum stats_drop_in why;

	memset(&in, 0, sizeof(in));
	burst_begin(&in.b, lc, hub);
	in.port = &port->port;
	in.b.frame[0] = &f;
	in.b.n = 1;
	fake_frame_write(bytes, MAC_C, MAC_A, 0, slot, len);
	why = hub_park(&in, 0, slot, ms);
	burst_end(&in.b);
	seen.parked += why == STATS_DROP_IN_CNT;
	seen.refused += why == STATS_DROP_IN_ACCESS_DELAY;
	seen.over_share += why == STATS_DROP_IN_ACCESS_DELAY_SHARE;
	if (hub_park_shares(lc) > seen.most_shares)
		seen.most_shares = hub_park_shares(lc);
	return why == STATS_DROP_IN_CNT;
}

static void run(struct lcore *lc, uint64_t ms)
{
	struct lcore_poll *poll = (struct lcore_poll *)lc->park; /* first member */

	lc->now_ms += ms;
	poll->poll(lc, poll);
}

/* One frame waits for ten seconds while frames of ever other rules come and go. */
static void come_and_go(struct lcore *lc, void *)
{
	uint64_t now = lc->now_ms;

	park(lc, &a, 1, 60, 10000);
	for (uint32_t slot = 2; slot < 9000; slot += 64) {
		for (uint32_t k = 0; k < 64; k++)
			park(lc, &a, slot + k, 60, 1);
		run(lc, 1);
	}
	seen.left = hub_park_shares(lc);
	run(lc, 10000);
	lc->now_ms = now;
}

/* What is kept of a rule and a port goes with its last frame, and not only when nobody's frames wait. */
static void nothing_is_kept_of_who_has_no_frames(void **)
{
	memset(&seen, 0, sizeof(seen));
	join_and_learn();
	worker_call(0, come_and_go, NULL);
	assert_int_equal(seen.refused, 0);
	assert_int_equal(seen.most_shares, 65);
	assert_int_equal(seen.left, 1);
	assert_true(worker_settle());
	assert_int_equal(hub_park_shares(lcore_get(0)), 0);
}

/* Shares that stand in each other's way in the table: each still knows its own when others have gone. */
static void in_each_others_way(struct lcore *lc, void *)
{
	uint64_t now = lc->now_ms;

	/* 1 200 shares of a frame, of which every other one goes within a second, at its own time. */
	for (uint32_t slot = 1; slot <= 1200; slot++)
		park(lc, slot % 4 < 2 ? &a : &b, slot, 60,
			slot % 2 != 0 ? 1 + slot * 7919 % 1000 : 2000);
	for (unsigned ms = 0; ms < 1000; ms++)
		run(lc, 1);
	seen.left = hub_park_shares(lc);
	/* Those that stayed have 60 bytes: as many as a rule may have but one find room. */
	for (unsigned i = 0; i < PARK_RULE_BYTES / 1024; i++)
		park(lc, &a, 500, 1024, 1000);
	run(lc, 5000);
	seen.end = hub_park_shares(lc);
	lc->now_ms = now;
}

static void shares_survive_others(void **)
{
	memset(&seen, 0, sizeof(seen));
	join_and_learn();
	worker_call(0, in_each_others_way, NULL);
	assert_int_equal(seen.most_shares, 1200);
	assert_int_equal(seen.left, 600);
	assert_int_equal(seen.refused, 1);
	assert_int_equal(seen.over_share, 0);
	assert_int_equal(seen.end, 0);
	assert_true(worker_settle());
}

/* More than a rule may have of a port, of either port, in frames and in bytes; and more than a port may have. */
static void too_many(struct lcore *lc, void *arg)
{
	const struct {
		struct fake_port *port;
		uint32_t slot;
		uint16_t len;
		unsigned cnt;
	} *more = arg;
	uint64_t now = lc->now_ms;

	for (; more->cnt != 0; more++) {
		for (unsigned i = 0; i < more->cnt; i++)
			park(lc, more->port, more->slot, more->len, 10);
	}
	lcore_parked(&seen.waiting, &(uint64_t){0});
	run(lc, 10);
	lc->now_ms = now;
}

static void delays_are_bounded(void **)
{
	struct part {
		struct fake_port *port;
		uint32_t slot;
		uint16_t len;
		unsigned cnt;
	};
	struct part frames[] = {{&a, 1, 60, PARK_RULE_FRAMES + 76}, {0}};
	struct part bytes[] = {{&a, 1, 1500, PARK_RULE_BYTES / 1500 + 51}, {0}};
	struct part each[] = {{&a, 1, 60, 400}, {&b, 1, 60, 300}, {&b, 2, 1500, 10},
		{&a, 2, 1500, PARK_RULE_BYTES / 1500 + 6}, {0}};
	/* One port has half of the worker's places, a second one then as much of the rest. */
	struct part port[] = {{&a, 1, 60, PARK_MAX / 4}, {&a, 2, 60, PARK_MAX / 4}, {&a, 3, 60, 33},
		{&b, 1, 60, PARK_MAX / 4 + 7}, {&a, 1, 60, 2}, {0}};
	const struct {
		struct part *parts;
		unsigned refused, over_share, parked;
	} row[] = {{frames, 76, 0, PARK_RULE_FRAMES}, {bytes, 51, 0, PARK_RULE_BYTES / 1500},
		{each, 6, 0, 710 + PARK_RULE_BYTES / 1500},
		{port, 0, 33 + 7 + 2, PARK_MAX / 2 + PARK_MAX / 4}};
	uint64_t refused_before = 0, refused = 0, waiting;

	join_and_learn();
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		memset(&seen, 0, sizeof(seen));
		lcore_parked(&waiting, &refused_before);
		assert_int_equal(waiting, 0);
		worker_call(0, too_many, row[i].parts);
		lcore_parked(&waiting, &refused);
		assert_int_equal(seen.refused, row[i].refused);
		assert_int_equal(seen.over_share, row[i].over_share);
		assert_int_equal(seen.parked, row[i].parked);
		assert_int_equal(seen.waiting, row[i].parked);
		assert_int_equal(refused - refused_before, row[i].refused + row[i].over_share);
		assert_true(worker_settle());
	}
}

/* Two ports that want all places, each through rules enough for that; then a third. */
static void two_want_all(struct lcore *lc, void *third)
{
	uint64_t now = lc->now_ms;

	for (uint32_t i = 0; i < 2 * PARK_MAX; i++) {
		park(lc, &a, 1 + i % 4, 60, 10);
		park(lc, &b, 1 + i % 4, 60, 10);
	}
	seen.left = seen.parked;
	for (uint32_t i = 0; i < PARK_MAX; i++)
		park(lc, third, 1, 60, 10);
	run(lc, 10);
	lc->now_ms = now;
}

/* A third of the places stays free, of which the third one has its half at once. */
static void two_leave_room_for_a_third(void **)
{
	static struct fake_port d;

	memset(&seen, 0, sizeof(seen));
	fake_port_init(&d, hub, 0, 0);
	join_and_learn();
	join(&d);
	worker_call(0, two_want_all, &d);
	assert_in_range(seen.left, PARK_MAX * 2 / 3, PARK_MAX * 2 / 3 + 2);
	assert_int_equal(seen.parked - seen.left, (PARK_MAX - seen.left) / 2);
	assert_int_equal(seen.refused, 0);
	assert_int_equal(seen.parked + seen.over_share, 5 * PARK_MAX);
	assert_true(worker_settle());
	assert_books_and_leave(&d, NULL);
}

/* The same by a hub's rules, in one turn. */
static void send_half_and_a_burst(struct lcore *lc, void *s)
{
	for (unsigned i = 0; i <= PARK_MAX / 2 / FRAME_BURST; i++)
		send_here(lc, s);
}

static void what_is_over_the_share_is_counted(void **)
{
	struct access_rule two[] = {delay(STATION(0), 100), delay(0, 100)};
	struct send s = {.from = &a};
	unsigned all = PARK_MAX / 2;

	join_and_learn();
	set_rules(two, 2);
	for (uint32_t i = 0; i < FRAME_BURST; i++)
		add(&s, MAC_B, STATION(i % 2), i);
	worker_call(0, send_half_and_a_burst, &s);
	assert_true(worker_until(all_there, &all));
	assert_true(worker_settle());
	ASSERT_CNT(0, PARK_MAX / 2, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_ACCESS_DELAY_SHARE), FRAME_BURST);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_ACCESS_DELAY), 0);
	assert_abc_books();
}

/* Frames that wait, and their port leaves: where they end is known. */
static void leave_while_they_wait(struct lcore *lc, void *)
{
	uint64_t now = lc->now_ms;

	for (unsigned i = 0; i < 70; i++)
		park(lc, &a, 1, 60, 10);
	park(lc, &b, 1, 60, 10);
	hub_port_leave(lc, &a.port);
	run(lc, 10);
	lc->now_ms = now;
}

static void of_a_port_that_left(void **)
{
	memset(&seen, 0, sizeof(seen));
	join_and_learn();
	worker_call(0, leave_while_they_wait, NULL);
	assert_int_equal(seen.parked, 71);
	assert_true(worker_settle());
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_PORT_GONE), 70);
	/* The other one's goes its way. */
	ASSERT_CNT(0, 0, 1);
	assert_int_equal(hub_park_shares(lcore_get(0)), 0);
	assert_abc_books();
}

/* ---- redirections ----------------------------------------------------------------------------- */

/* As many requests in one millisecond as a burst has: few are answered, the others are counted, none goes on. */
static void requests_have_a_ration(void **)
{
	/* IPv4 and TCP with ACK and four bytes, to port 80. */
	static const uint8_t request[] = {0x08, 0x00, 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10,
		9, 0, 1, 10, 9, 0, 2, 0x0f, 0xa0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff,
		0xff, 0, 0, 0, 0, 'G', 'E', 'T', ' '};
	struct access_rule list[] = {{.url = "http://example.net/"}};
	struct send s = {.from = &a, .from_type = request, .from_type_bytes = sizeof(request)};

	a.port.party.listable = true;
	join_and_learn();
	set_rules(list, 1);
	fake_port_clear(&a);
	fake_port_clear(&b);
	for (uint32_t i = 0; i < FRAME_BURST; i++)
		add(&s, MAC_B, MAC_A, i);
	send_all(&s);
	ASSERT_CNT(HUB_REDIRECTS_MS, 0, atomic_load(&c.cnt));
	assert_int_equal(hub_drop_in(STATS_DROP_IN_REDIRECT), HUB_REDIRECTS_MS);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_REDIRECT_LIMIT), FRAME_BURST - HUB_REDIRECTS_MS);
	assert_int_equal(hub_access_hits(hub, 1), FRAME_BURST);
	assert_abc_books();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HUB_TEST(two_rules_keep_a_flow_in_order),
		HUB_TEST(nothing_is_kept_of_who_has_no_frames),
		HUB_TEST(shares_survive_others),
		HUB_TEST(delays_are_bounded),
		HUB_TEST(two_leave_room_for_a_third),
		HUB_TEST(what_is_over_the_share_is_counted),
		HUB_TEST(of_a_port_that_left),
		HUB_TEST(requests_have_a_ration),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
