/* SPDX-License-Identifier: BSD-3-Clause */
/* The hub on two workers: learning, switching, order, drops on the way in; hubs apart. (Admission: hub_admit_test.c.) */

#include "test/unit/hub_bed.h"

#include <errno.h>

#include "dataplane/hub_options.h"

/* ---- learning and switching -------------------------------------------------------------------- */

static void unknown_floods_known_goes_to_one_port(void **)
{
	struct stats_block s;

	join(&a);
	join(&b);
	join(&c);
	assert_int_equal(hub_members(hub), 3);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(0, 1, 1);
	assert_int_equal(atomic_load(&b.flooded), 1);
	assert_int_equal(atomic_load(&c.flooded), 1);
	/* The answer teaches both workers, and is itself no flood. */
	send_one(&b, MAC_A, MAC_B, false);
	ASSERT_CNT(1, 1, 1);
	assert_int_equal(atomic_load(&a.flooded), 0);
	send_one(&c, MAC_A, MAC_C, true);
	ASSERT_CNT(2, 1, 1);
	send_one(&a, MAC_C, MAC_A, true);
	send_one(&a, MAC_B, MAC_A, true);
	ASSERT_CNT(2, 2, 2);
	send_one(&a, FAKE_BROADCAST, MAC_A, true);
	ASSERT_CNT(2, 3, 3);
	/* A multicast source is accepted, a multicast destination never looked up. */
	send_one(&a, MAC_B, UINT64_C(0x010000000001), false);
	send_one(&b, UINT64_C(0x010000000001), MAC_B, false);
	ASSERT_CNT(3, 4, 4);
	hub_stats(hub, &s);
	assert_int_equal(s.in.unicast_frames, 6);
	assert_int_equal(s.in.broadcast_frames, 2);
	assert_int_equal(s.in.broadcast_bytes, 120);
	assert_int_equal(s.switched, 5);
	assert_int_equal(s.flooded, 3);
	assert_abc_books();
}

static void a_burst_keeps_its_order(void **)
{
	struct send s = {.from = &a};

	join_and_learn();
	/* Floods between unicast frames, local and remote receivers: each sees its frames as sent. */
	for (uint32_t i = 0; i < FRAME_BURST; i++)
		add(&s, i % 4 == 0 ? FAKE_BROADCAST : i % 2 ? MAC_B : MAC_C, MAC_A, i);
	for (unsigned backed = 0; backed < 2; backed++) {
		clear_ports();
		s.backed = backed;
		send_all(&s);
		ASSERT_CNT(0, 16 + 32, 16 + 16);
		for (unsigned i = 1; i < 48; i++)
			assert_true(b.serial[i] > b.serial[i - 1]);
		for (unsigned i = 1; i < 32; i++)
			assert_true(c.serial[i] > c.serial[i - 1]);
		for (unsigned i = 0; i < 48; i++)
			assert_true(b.serial[i] % 4 == 0 || b.serial[i] % 2 == 1);
	}
	assert_abc_books();
}

static void vlans_are_apart(void **)
{
	struct send s = {.from = &a};

	join_and_learn();
	add(&s, FAKE_BROADCAST, MAC_A, 0);
	s.f[0].vlan = 7;
	send_all(&s);
	clear_ports();
	/* MAC_B is known without a tag only. */
	s.f[0].dst = MAC_B;
	send_all(&s);
	ASSERT_CNT(0, 1, 1);
	s.from = &b;
	s.f[0].dst = MAC_A;
	s.f[0].src = MAC_B;
	send_all(&s);
	ASSERT_CNT(1, 1, 1);
	s.f[0].vlan = 8;
	send_all(&s);
	ASSERT_CNT(2, 1, 2);
}

static void a_station_moves(void **)
{
	join_and_learn();
	send_one(&c, FAKE_BROADCAST, MAC_B, false);
	fake_port_clear(&b);
	fake_port_clear(&c);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(1, 0, 1);
}

static void check_mac_refuses_a_fresh_address(void **)
{
	c.port.flags |= PORT_F_CHECK_MAC;
	join_and_learn();
	send_one(&c, MAC_A, MAC_B, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 1);
	ASSERT_CNT(0, 0, 0);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(0, 1, 0);
	/* Its own address it may use. */
	send_one(&c, MAC_A, MAC_C, false);
	ASSERT_CNT(1, 1, 0);
	assert_abc_books();
}

static void a_port_over_its_limit_is_dropped(void **)
{
	c.port.max_macs = 3;
	join_and_learn();
	send_one(&c, MAC_A, 0x020000000101, false);
	send_one(&c, MAC_A, 0x020000000102, false);
	ASSERT_CNT(2, 0, 0);
	/* The fourth, each of its frames; the first three go on. */
	send_one(&c, MAC_A, 0x020000000103, true);
	send_one(&c, MAC_A, 0x020000000103, false);
	send_one(&c, FAKE_BROADCAST, MAC_B, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_LIMIT), 3);
	ASSERT_CNT(2, 0, 0);
	send_one(&c, MAC_A, MAC_C, false);
	ASSERT_CNT(3, 0, 0);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(3, 1, 0);
	assert_abc_books();
}

/* The hub's option speaks of bridges only, and from now on. */
static void the_lan_may_be_free_of_it(void **)
{
	struct hub_options options;

	c.port.flags |= PORT_F_CHECK_LAN;
	b.port.flags |= PORT_F_CHECK_MAC;
	join_and_learn();
	send_one(&c, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 1);
	hub_options_default(&options);
	options.disable_check_mac_on_local_bridge = true;
	assert_int_equal(hub_set_options(hub, &options), 0);
	send_one(&b, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 2);
	send_one(&c, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 2);
	ASSERT_CNT(1, 1, 0);
	options.disable_check_mac_on_local_bridge = false;
	assert_int_equal(hub_set_options(hub, &options), 0);
	send_one(&c, FAKE_BROADCAST, MAC_B, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 3);
}

/* The entry was refreshed by a worker whose second has already begun. */
static void learn_ahead(struct lcore *lc, void *)
{
	(void)fdb_learn(
		hub_fdb(hub), fdb_key(MAC_A, 0), 0, a.port.idx, a.port.gen, lcore_now_s(lc) + 2);
}

static void check_mac_holds_while_clocks_differ(void **)
{
	c.port.flags |= PORT_F_CHECK_MAC;
	join_and_learn();
	worker_call(1, learn_ahead, NULL);
	send_one(&c, MAC_B, MAC_A, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 1);
	ASSERT_CNT(0, 0, 0);
}

/* ---- drops on the way in ----------------------------------------------------------------------- */

static void bad_frames_are_counted_and_the_others_pass(void **)
{
	struct send s = {.from = &a};

	join_and_learn();
	add(&s, MAC_B, MAC_A, 1);
	add(&s, MAC_B, 0, 2);
	add(&s, MAC_B, UINT64_C(0xffffffffffff), 3);
	add(&s, MAC_A, MAC_A, 4);
	add(&s, MAC_A, MAC_A - 1, 5); /* own port */
	add(&s, MAC_B, MAC_A, 6);
	s.f[5].len = 13;
	add(&s, MAC_B, MAC_A, 7);
	s.f[6].len = FRAME_MAX_BYTES + 1;
	add(&s, MAC_B, MAC_A, 8);
	s.f[7].len = FRAME_MAX_BYTES;
	add(&s, MAC_B, MAC_A, 9);
	s.f[8].len = 0;
	for (unsigned backed = 0; backed < 2; backed++) {
		s.backed = backed;
		send_all(&s);
	}
	assert_int_equal(hub_drop_in(STATS_DROP_IN_BAD_SOURCE), 6);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_OWN_PORT), 2);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_SHORT), 4);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_LONG), 2);
	ASSERT_CNT(0, 4, 0);
	assert_int_equal(b.serial[0], 1);
	assert_int_equal(b.serial[1], 8);
	assert_int_equal(b.len[1], FRAME_MAX_BYTES);
	assert_abc_books();
}

static void malformed_here(struct lcore *lc, void *)
{
	hub_count_drop_in(lc, &a.port, STATS_DROP_IN_MALFORMED, 3);
}

static void what_never_became_a_frame_is_in_the_books(void **)
{
	join_and_learn();
	worker_call(0, malformed_here, NULL);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MALFORMED), 3);
	assert_abc_books();
}

static void an_offline_hub_takes_nothing(void **)
{
	join_and_learn();
	hub_set_online(hub, false);
	assert_false(hub_online(hub));
	send_one(&a, MAC_B, MAC_A, true);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_HUB_DOWN), 2);
	hub_set_online(hub, true);
	send_one(&a, MAC_B, MAC_A, true);
	ASSERT_CNT(0, 1, 0);
	assert_abc_books();
}

static void a_monitor_injects_nothing_and_gets_no_floods(void **)
{
	c.port.flags |= PORT_F_RECEIVE_ONLY | PORT_F_MIRROR;
	join_and_learn();
	assert_int_equal(hub_members(hub), 3);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_RECEIVE_ONLY), 1);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	ASSERT_CNT(0, 1, 1);
	/* Not learned either: MAC_C is unknown. */
	send_one(&a, MAC_C, MAC_A, false);
	ASSERT_CNT(0, 2, 2);
	assert_int_equal(atomic_load(&b.flooded), 2);
	assert_int_equal(atomic_load(&c.flooded), 0);
	assert_abc_books();
}

/* ---- hubs, tables ----------------------------------------------------------------------------- */

static void hubs_are_apart(void **)
{
	struct hub_conf conf = {0};
	struct hub *other = hub_create(&conf);
	static struct fake_port x, y;

	assert_non_null(other);
	hub_set_online(other, true);
	fake_port_init(&x, other, 0, 0);
	fake_port_init(&y, other, 1, 0);
	join_and_learn();
	join(&x);
	join(&y);
	/* The same addresses on the other side. */
	send_one(&x, FAKE_BROADCAST, MAC_B, false);
	send_one(&y, FAKE_BROADCAST, MAC_C, false);
	send_one(&x, MAC_C, MAC_B, false);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(atomic_load(&x.cnt), 1);
	assert_int_equal(atomic_load(&y.cnt), 2);
	send_one(&a, MAC_B, MAC_A, false);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	ASSERT_CNT(0, 2, 1);
	assert_int_equal(atomic_load(&x.cnt), 1);
	assert_int_equal(atomic_load(&y.cnt), 2);
	leave(&x);
	leave(&y);
	assert_true(worker_settle());
	port_release(&x.port);
	port_release(&y.port);
	assert_int_equal(hub_destroy(other, NULL, NULL), 0);
	assert_abc_books();
}

/* Frames of as many invented stations to MAC_B in one turn, FRAME_BURST in a call. */
struct invention {
	struct fake_port *from;
	unsigned cnt, bursts;
	uint32_t ms; /* the worker's clock is so much later, for this turn */
};

static void storm_here(struct lcore *lc, void *arg)
{
	struct invention *storm = arg;

	lc->now_ms += storm->ms;
	for (unsigned k = 0; k < storm->bursts; k++) {
		struct send s = {.from = storm->from};

		for (unsigned i = 0; i < FRAME_BURST; i++, storm->cnt++)
			add(&s, MAC_B, UINT64_C(0x02000f000000) + storm->cnt, storm->cnt);
		send_here(lc, &s);
	}
}

/* A hub with room for 256 addresses and two ports, x and y, on worker 0; y may have so many. */
static struct fake_port x, y;

static struct hub *small_hub(uint32_t of_y)
{
	struct hub_conf conf = {.max_macs = 256};
	struct hub *small = hub_create(&conf);

	assert_non_null(small);
	hub_set_online(small, true);
	fake_port_init(&x, small, 0, 0);
	fake_port_init(&y, small, 0, 0);
	y.port.max_macs = of_y;
	join(&x);
	join(&y);
	return small;
}

static void small_hub_end(struct hub *small)
{
	leave(&x);
	leave(&y);
	assert_true(worker_settle());
	port_release(&x.port);
	port_release(&y.port);
	assert_int_equal(hub_destroy(small, NULL, NULL), 0);
}

/*
 * A port that holds much of a full table tries for its new addresses 32 times a millisecond; what is over that is
 * counted and switched. Another port's new address is learned at once.
 */
static void a_full_table_rations_the_tries_of_a_large_port(void **)
{
	struct hub *other = small_hub(0);
	struct fdb_counters counted;
	struct invention storm = {.from = &x, .bursts = 16};
	uint64_t value = 0, key, before;

	send_one(&y, FAKE_BROADCAST, MAC_B, false);
	fake_port_clear(&x);
	worker_call(0, storm_here, &storm);
	assert_true(worker_settle());
	fdb_counters(hub_fdb(other), &counted);
	assert_int_equal(fdb_count(hub_fdb(other)), 256);
	/* Of 1024: 255 find room, some two full buckets, and of the rest 32 are tried. */
	assert_int_equal(
		counted.not_learned_rationed + counted.not_learned_full + counted.learned, 1025);
	assert_in_range(counted.not_learned_rationed, 1024 - 255 - 32 - 64, 1024 - 255 - 32);
	before = counted.not_learned_rationed;
	/* A millisecond later 32 more. */
	storm.ms = 1;
	worker_call(0, storm_here, &storm);
	fdb_counters(hub_fdb(other), &counted);
	assert_in_range(counted.not_learned_rationed - before, 1024 - 32 - 64, 1024 - 32);
	/* None of it was flooded or lost, and the one who talks stays known. */
	assert_int_equal(atomic_load(&y.cnt), 2048);
	assert_int_equal(atomic_load(&y.flooded), 0);
	storm.ms = 0;
	worker_call(0, storm_here, &storm);
	/* One address of some hundred finds both its buckets full, and none of these slots is free before a sweep. */
	for (unsigned i = 0; i < 8 && value == 0; i++) {
		key = fdb_key(MAC_C + i, 0);
		send_one(&y, FAKE_BROADCAST, MAC_C + i, false);
		fdb_lookup_bulk(hub_fdb(other), &key, 1, &value);
	}
	assert_int_equal(fdb_value_port(value), y.port.idx);
	small_hub_end(other);
}

/* x has spent its tries of this millisecond when y invents some. */
struct inventions {
	struct invention x, y;
	struct fdb_counters before_y;
};

static void storms_here(struct lcore *lc, void *arg)
{
	struct inventions *both = arg;

	storm_here(lc, &both->x);
	fdb_counters(hub_fdb(y.port.hub), &both->before_y);
	storm_here(lc, &both->y);
}

static void a_limit_holds_in_a_full_table(void **)
{
	struct hub *other = small_hub(100);
	struct inventions both = {
		.x = {.from = &x, .bursts = 16}, .y = {.from = &y, .cnt = 100000, .bursts = 2}};
	struct stats_block before, after;

	worker_call(0, storm_here, &both.y);
	assert_true(worker_settle());
	assert_in_range(fdb_port_count(hub_fdb(other), y.port.idx), 90, 100);
	worker_call(0, storm_here, &both.x);
	assert_true(worker_settle());
	hub_stats(other, &before);
	worker_call(0, storms_here, &both);
	assert_true(worker_settle());
	hub_stats(other, &after);
	/* Some of its addresses may have given way to x's, and be others now. */
	assert_in_range(
		after.drop_in[STATS_DROP_IN_MAC_LIMIT] - before.drop_in[STATS_DROP_IN_MAC_LIMIT],
		2 * FRAME_BURST - 64, 2 * FRAME_BURST);
	assert_in_range(fdb_port_count(hub_fdb(other), y.port.idx), 30, 100);
	small_hub_end(other);
}

/* Two large ports, of which x always comes first and with ten times as much: from the second millisecond on y has half. */
static void large_ports_share_the_tries(void **)
{
	struct hub *other = small_hub(0);
	struct inventions both = {
		.x = {.from = &x, .bursts = 2}, .y = {.from = &y, .cnt = 100000, .bursts = 2}};
	struct fdb_counters after;
	uint64_t tried;

	worker_call(0, storms_here, &both);
	assert_true(worker_settle());
	/* Of 256 addresses in a row some may find both their buckets full; x's next ones fill it up. */
	assert_in_range(fdb_count(hub_fdb(other)), 224, 256);
	both.x.bursts = 20;
	for (unsigned i = 0; i < 8; i++) {
		both.x.ms = i + 2;
		worker_call(0, storms_here, &both);
		fdb_counters(hub_fdb(other), &after);
		tried = 2 * FRAME_BURST -
			(after.not_learned_rationed - both.before_y.not_learned_rationed);
		/* Over its part: what was refused or learned without a try. */
		assert_in_range(tried, i == 0 ? 0 : 16, 16 + 64);
	}
	small_hub_end(other);
}

static void a_mac_is_deleted(void **)
{
	join_and_learn();
	assert_int_equal(hub_mac_delete(hub, MAC_B, 0), 0);
	assert_int_equal(hub_mac_delete(hub, MAC_B, 0), -ENOENT);
	assert_int_equal(hub_mac_delete(hub, MAC_A, 5), -ENOENT);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(0, 1, 1);
}

static void an_index_comes_back_after_housekeeping(void **)
{
	uint64_t passes;
	uint32_t idx;

	join_and_learn();
	idx = c.port.idx;
	leave(&c);
	assert_true(worker_settle());
	port_release(&c.port);
	passes = fdb_sweep_passes(hub_fdb(hub));
	for (unsigned i = 0; i < 100000 && fdb_sweep_passes(hub_fdb(hub)) < passes + 4; i++)
		hub_housekeep(hub, 4096);
	assert_true(fdb_sweep_passes(hub_fdb(hub)) >= passes + 4);
	assert_int_equal(fdb_count(hub_fdb(hub)), 2);
	assert_true(hub->quarantine.first == 0);
	assert_true(idx != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HUB_TEST(unknown_floods_known_goes_to_one_port),
		HUB_TEST(a_burst_keeps_its_order),
		HUB_TEST(vlans_are_apart),
		HUB_TEST(a_station_moves),
		HUB_TEST(check_mac_refuses_a_fresh_address),
		HUB_TEST(a_port_over_its_limit_is_dropped),
		HUB_TEST(the_lan_may_be_free_of_it),
		HUB_TEST(check_mac_holds_while_clocks_differ),
		HUB_TEST(bad_frames_are_counted_and_the_others_pass),
		HUB_TEST(what_never_became_a_frame_is_in_the_books),
		HUB_TEST(an_offline_hub_takes_nothing),
		HUB_TEST(a_monitor_injects_nothing_and_gets_no_floods),
		HUB_TEST(hubs_are_apart),
		HUB_TEST(a_full_table_rations_the_tries_of_a_large_port),
		HUB_TEST(a_limit_holds_in_a_full_table),
		HUB_TEST(large_ports_share_the_tries),
		HUB_TEST(a_mac_is_deleted),
		HUB_TEST(an_index_comes_back_after_housekeeping),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
