/* SPDX-License-Identifier: BSD-3-Clause */
/* The hub on two workers: learning, switching, order, drops on the way in; hubs apart. */

#include "test/unit/hub_bed.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/hub_options.h"
#include "test/unit/rule_frames.h"

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
	uint64_t value, key = fdb_key(MAC_C, 0), before;

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
	send_one(&y, FAKE_BROADCAST, MAC_C, false);
	fdb_lookup_bulk(hub_fdb(other), &key, 1, &value);
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
	assert_int_equal(fdb_count(hub_fdb(other)), 256);
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

/* ---- steps 4, 16, 22 of hub.md 3 ------------------------------------------------------------------ */

/* The hub looks into frames as far as length fields go, and no further. */
static void opaque(void)
{
	struct hub_options o;

	hub_options_default(&o);
	o.disable_ip_parsing = true;
	assert_int_equal(hub_set_options(hub, &o), 0);
}

/*
 * Frames of 100 bytes, from the EtherType on, and what the original makes of them (sent through Debian's
 * server, see test_hub.py). Some would be dropped as unparsable, so the hub is opaque.
 */
static const struct {
	const char *what;
	uint8_t from_type[12];
	uint16_t len, want;
} trims[] = {
	{"IPv4, 28 bytes", {8, 0, 0x45, 0, 0, 28}, 100, 42},
	{"IPv4, header alone", {8, 0, 0x45, 0, 0, 20}, 100, 34},
	{"IPv4, all of it", {8, 0, 0x45, 0, 0, 86}, 100, 100},
	{"IPv4, one byte less", {8, 0, 0x45, 0, 0, 85}, 100, 99},
	{"IPv4, more than there is", {8, 0, 0x45, 0, 1, 0}, 100, 100},
	{"IPv4, length 0", {8, 0, 0x45, 0, 0, 0}, 100, 100},
	{"IPv4, shorter than its header", {8, 0, 0x45, 0, 0, 19}, 100, 100},
	{"IPv4, frame too short for a header", {8, 0, 0x45, 0, 0, 20}, 33, 33},
	{"IPv4 in a tag", {0x81, 0, 0, 5, 8, 0, 0x45, 0, 0, 28}, 100, 46},
	{"IPv4 in two tags", {0x81, 0, 0, 5, 0x81, 0, 0, 6, 8, 0, 0x45, 0}, 100, 100},
	{"IPv6, 8 bytes", {0x86, 0xdd, 0x60, 0, 0, 0, 0, 8}, 100, 62},
	{"IPv6, nothing said", {0x86, 0xdd, 0x60, 0, 0, 0, 0, 0}, 100, 100},
	{"IPv6, more than there is", {0x86, 0xdd, 0x60, 0, 0, 0, 1, 0}, 100, 100},
	{"IPv6 in a tag", {0x81, 0, 0, 5, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 8}, 100, 66},
	{"ARP keeps its padding", {8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 60, 60},
	{"a tag and nothing else", {0x81, 0, 0, 5}, 16, 16},
};

static void what_stands_behind_the_packet_is_cut_off(void **)
{
	unsigned cnt = sizeof(trims) / sizeof(trims[0]);
	uint64_t bytes = 0;
	struct stats_block s;

	join_and_learn();
	opaque();
	hub_stats(hub, &s);
	for (unsigned i = 0; i < 2 * cnt; i++) {
		struct send one = {.from = &a,
			.backed = i >= cnt,
			.from_type = trims[i % cnt].from_type,
			.from_type_bytes = trims[i % cnt].len < 26 ? 4 : 12};

		add(&one, FAKE_BROADCAST, MAC_A, i);
		one.f[0].len = trims[i % cnt].len;
		send_all(&one);
		if (b.len[i] != trims[i % cnt].want || c.len[i] != trims[i % cnt].want)
			fail_msg("%s: %u and %u bytes, not %u", trims[i % cnt].what, b.len[i],
				c.len[i], trims[i % cnt].want);
		bytes += trims[i % cnt].want;
	}
	bytes += s.in.broadcast_bytes;
	hub_stats(hub, &s);
	assert_int_equal(s.in.broadcast_bytes, bytes);
	assert_abc_books();
}

/* Step 5, by the first bytes from the EtherType on; what does not stand here is zero. */
#define HEADERS_BYTES 60u
static const struct {
	const char *what;
	uint8_t bytes[HEADERS_BYTES];
	uint16_t len;
	bool cut;
} headers[] = {
	{"IPv4, half a header", {8, 0, 0x45, 0, 0, 28}, 33, true},
	{"IPv4, options cut off", {8, 0, 0x46, 0, 0, 20}, 34, false},
	{"IPv4, shorter than itself", {8, 0, 0x45, 0, 0, 19}, 60, true},
	{"IPv4, header length 16", {8, 0, 0x44, 0, 0, 28}, 42, false},
	{"IPv4 version 5", {8, 0, 0x55, 0, 0, 28}, 42, false},
	{"IPv4 of some protocol", {8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 99}, 34, false},
	{"TCP, a byte short", {8, 0, 0x45, 0, 0, 39, 0, 0, 0, 0, 64, 6}, 53, true},
	{"TCP, said to be short", {8, 0, 0x45, 0, 0, 39, 0, 0, 0, 0, 64, 6}, 80, true},
	{"TCP, all of it", {8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6}, 54, false},
	{"TCP, length 0", {8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6}, 54, false},
	{"TCP, not the first fragment", {8, 0, 0x45, 0, 0, 28, 0, 0, 0, 9, 64, 6}, 42, false},
	{"TCP behind options, cut", {8, 0, 0x46, 0, 0, 43, 0, 0, 0, 0, 64, 6}, 57, true},
	{"UDP, a byte short", {8, 0, 0x45, 0, 0, 27, 0, 0, 0, 0, 64, 17}, 41, true},
	{"UDP", {8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17}, 42, false},
	{"UDP, padded", {8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17}, 60, false},
	{"ICMP, a byte short", {8, 0, 0x45, 0, 0, 23, 0, 0, 0, 0, 64, 1}, 37, true},
	{"ICMP", {8, 0, 0x45, 0, 0, 24, 0, 0, 0, 0, 64, 1}, 38, false},
	{"ARP, a byte short", {8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 41, true},
	{"ARP", {8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 42, false},
	{"IPv6, half a header", {0x86, 0xdd, 0x60}, 53, true},
	{"IPv6, version 4", {0x86, 0xdd, 0x40, 0, 0, 0, 0, 20, 6}, 74, true},
	{"IPv6 TCP, a byte short", {0x86, 0xdd, 0x60, 0, 0, 0, 0, 19, 6}, 80, true},
	{"IPv6 TCP", {0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6}, 74, false},
	{"IPv6 UDP, a byte short", {0x86, 0xdd, 0x60, 0, 0, 0, 0, 7, 17}, 61, true},
	{"IPv6 UDP", {0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17}, 62, false},
	{"IPv6, chain that does not end", {0x86, 0xdd, 0x60}, 62, true},
	{"ARP in a tag, a byte short", {0x81, 0, 0, 5, 8, 6, 0, 1, 8, 0, 6, 4}, 45, true},
	{"ARP in a tag", {0x81, 0, 0, 5, 8, 6, 0, 1, 8, 0, 6, 4}, 46, false},
	{"a tag and nothing else", {0x81, 0, 0, 5}, 16, false},
	{"another protocol", {0x88, 0xb5}, 14, false},
};

/* One burst of all of them, so that what stays closes up behind what goes. */
static void headers_burst(bool parsed)
{
	const unsigned cnt = sizeof(headers) / sizeof(headers[0]);
	struct send one = {.from = &a, .from_type_bytes = HEADERS_BYTES};
	unsigned want = 0, before = b.cnt;
	uint64_t dropped = hub_drop_in(STATS_DROP_IN_HEADER);

	for (unsigned i = 0; i < cnt; i++) {
		add(&one, FAKE_BROADCAST, MAC_A, i);
		one.f[i].len = headers[i].len;
		one.each_from_type[i] = headers[i].bytes;
	}
	send_all(&one);
	for (unsigned i = 0; i < cnt; i++) {
		if (parsed && headers[i].cut)
			continue;
		if (before + want >= b.cnt || b.len[before + want] > headers[i].len)
			fail_msg("%s is lost", headers[i].what);
		want++;
	}
	assert_int_equal(b.cnt - before, want);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_HEADER) - dropped, cnt - want);
}

static void headers_that_are_cut_off_go_nowhere(void **)
{
	struct hub_options o;

	join_and_learn();
	headers_burst(true);
	hub_options_default(&o);
	o.filter_pppoe = true; /* a rule that parses every frame says the same */
	assert_int_equal(hub_set_options(hub, &o), 0);
	headers_burst(true);
	opaque();
	headers_burst(false);
	assert_abc_books();
}

struct stumps {
	enum rule_frame kind;
	uint16_t vlan;
	uint32_t first; /* length of the shortest */
};

/* A burst of beginnings of one frame, each in memory of its own length. To their own port, where they would end. */
static void stumps_here(struct lcore *lc, void *arg)
{
	const struct stumps *s = arg;
	struct rule_frame_of of = {.dst = MAC_A, .src = MAC_A + 1, .vlan = s->vlan, .host = 5};
	uint8_t bytes[RULE_FRAME_BYTES];
	uint32_t len = rule_frame_write(s->kind, &of, bytes);
	struct frame frames[FRAME_BURST];
	uint8_t *memory[FRAME_BURST];
	unsigned n = 0;

	for (; n < FRAME_BURST && s->first + n <= len; n++) {
		memory[n] = malloc(s->first + n);
		memcpy(memory[n], bytes, s->first + n);
		frames[n] = (struct frame){.data = memory[n], .len = (uint16_t)(s->first + n)};
	}
	hub_input(lc, &a.port, frames, n);
	for (unsigned i = 0; i < n; i++)
		free(memory[i]);
}

/* How many of those the parser calls malformed; the admission has a shorter way to say so. */
static unsigned stumps_cut(const struct stumps *s)
{
	struct rule_frame_of of = {.dst = MAC_A, .src = MAC_A + 1, .vlan = s->vlan, .host = 5};
	uint8_t bytes[RULE_FRAME_BYTES];
	uint32_t len = rule_frame_write(s->kind, &of, bytes);
	unsigned cut = 0;

	for (uint32_t n = s->first; n < s->first + FRAME_BURST && n <= len; n++) {
		struct frame_class class;

		frame_classify(bytes, n, &class);
		cut += (class.classes & FRAME_MALFORMED) != 0;
	}
	return cut;
}

static void admission_and_parser_agree_on_what_is_cut_off(void **)
{
	unsigned total = 0;

	join_and_learn();
	for (unsigned i = 0; i < 2 * RF_CNT * (RULE_FRAME_BYTES / FRAME_BURST); i++) {
		struct stumps s = {.kind = i / 2 % RF_CNT,
			.vlan = i % 2 * 5,
			.first = FRAME_MIN_BYTES + i / 2 / RF_CNT * FRAME_BURST};
		uint64_t before = hub_drop_in(STATS_DROP_IN_HEADER);
		unsigned want = stumps_cut(&s);

		worker_call(0, stumps_here, &s);
		assert_true(worker_settle());
		if (hub_drop_in(STATS_DROP_IN_HEADER) - before != want)
			fail_msg("%s from %u bytes: %u, not %u", rule_frame_name[s.kind], s.first,
				(unsigned)(hub_drop_in(STATS_DROP_IN_HEADER) - before), want);
		total += want;
	}
	assert_true(total > 500);
	assert_abc_books();
}

static void nothing_passes_from_or_to_the_probe_address(void **)
{
	struct stats_block s;

	join_and_learn();
	send_one(&a, FAKE_BROADCAST, MAC_PROBE, false);
	send_one(&a, MAC_B, MAC_PROBE, true);
	send_one(&b, MAC_PROBE, MAC_B, false);
	send_one(&b, MAC_PROBE + 1, MAC_B, false);
	ASSERT_CNT(1, 0, 1);
	hub_stats(hub, &s);
	assert_int_equal(s.drop_in[STATS_DROP_IN_PROBE_MAC], 3);
	assert_int_equal(fdb_count(hub_fdb(hub)), 3);
	assert_abc_books();
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
		HUB_TEST(what_stands_behind_the_packet_is_cut_off),
		HUB_TEST(headers_that_are_cut_off_go_nowhere),
		HUB_TEST(admission_and_parser_agree_on_what_is_cut_off),
		HUB_TEST(nothing_passes_from_or_to_the_probe_address),
		HUB_TEST(a_full_table_rations_the_tries_of_a_large_port),
		HUB_TEST(a_limit_holds_in_a_full_table),
		HUB_TEST(large_ports_share_the_tries),
		HUB_TEST(a_mac_is_deleted),
		HUB_TEST(an_index_comes_back_after_housekeeping),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
