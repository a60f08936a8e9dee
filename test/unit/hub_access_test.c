/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access lists as frames meet them in a hub: the first pass drops before anybody is asked, the second says no to some
 * receivers and not to others; fragments that could make a verdict on TCP flags void go nowhere. References of flooded
 * frames add up (the pool is whole at the end of each test).
 */

#include "dataplane/access.h"
#include "test/unit/rules_bed.h"

static struct access_rule rule(uint32_t flags, uint64_t src_mac)
{
	struct access_rule r = {.flags = flags, .slot = 1};

	if (src_mac != 0) {
		r.flags |= ACCESS_F_SRC_MAC;
		r.src_mac = src_mac;
		r.src_mac_mask = UINT64_C(0xffffffffffff);
	}
	return r;
}

static void the_sender_is_enough(void **)
{
	struct access_rule list[] = {rule(ACCESS_F_DROP, MAC_A), rule(0, 0)};

	join_and_learn();
	set_rules(list, 2);
	fake_port_clear(&b);
	fake_port_clear(&c);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	send_one(&a, MAC_B, MAC_A, true);
	send_one(&b, MAC_C, MAC_B, false);
	ASSERT_CNT(atomic_load(&a.cnt), 0, 1);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_ACCESS), 2);
	assert_int_equal(hub_access_hits(hub, 1), 2);
	assert_int_equal(hub_access_hits(hub, 2), 1);
	assert_abc_books();
}

/* Twice 20 floods from a, which only the port of the friend may have. Beside a, b, c there are two devices. */
static void flood_for_a_friend(struct fake_port *friend, struct fake_port *d, struct fake_port *e)
{
	struct access_rule list[] = {rule(0, MAC_A), rule(ACCESS_F_DROP, 0)};
	struct send s = {.from = &a};

	list[0].dst_who =
		(struct access_who){.kind = ACCESS_WHO_NAME, .name = access_name_key("friend")};
	fake_port_init(d, hub, 0, PORT_F_MBUF);
	fake_port_init(e, hub, 0, PORT_F_MBUF);
	friend->port.party.user = access_name_key("friend");
	join_and_learn();
	join(d);
	join(e);
	set_rules(list, 2);
	clear_ports();
	for (uint32_t i = 0; i < 20; i++)
		add(&s, FAKE_BROADCAST, MAC_A, i);
	for (unsigned backed = 0; backed < 2; backed++) {
		s.backed = backed;
		send_all(&s);
	}
}

/* The rule about receivers lets b have it, and the one behind it nobody else: of sessions and of devices. */
static void receivers_one_by_one(void **)
{
	static struct fake_port d, e;

	flood_for_a_friend(&b, &d, &e);
	ASSERT_CNT(0, 2 * 20, 0);
	assert_int_equal(atomic_load(&d.cnt), 0);
	assert_int_equal(atomic_load(&e.cnt), 0);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_ACCESS), 2 * 3 * 20);
	assert_books_and_leave(&d, &e);
}

/* The device that is refused stands before one that is not. */
static void a_device_after_another(void **)
{
	static struct fake_port d, e;

	flood_for_a_friend(&e, &d, &e);
	assert_int_equal(atomic_load(&d.cnt), 0);
	assert_int_equal(atomic_load(&e.cnt), 2 * 20);
	assert_books_and_leave(&d, &e);
}

/*
 * A rule for each of a hundred stations, every other one drops, and the rest of the world is refused: stations are found
 * by hash, the last rule by comparing (access_quick.c). Counted once each, also when a device's buffers are dropped.
 */
static void a_rule_for_each_station(void **)
{
	struct access_rule list[101] = {0};
	struct send s = {.from = &a};

	for (uint32_t i = 0; i < 100; i++)
		list[i] = rule(i % 2 != 0 ? ACCESS_F_DROP : 0, UINT64_C(0x020000001000) + i);
	list[100] = rule(ACCESS_F_DROP, 0);
	join_and_learn();
	set_rules(list, 101);
	fake_port_clear(&b);
	fake_port_clear(&c);
	for (uint32_t i = 0; i < 60; i++)
		add(&s, i % 3 == 0 ? MAC_C : MAC_B, UINT64_C(0x020000001000) + i, i);
	for (uint32_t i = 60; i < 64; i++)
		add(&s, MAC_B, UINT64_C(0x020000002000) + i, i);
	for (unsigned backed = 0; backed < 2; backed++) {
		s.backed = backed;
		send_all(&s);
	}
	ASSERT_CNT(0, 2 * 20, 2 * 10);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_ACCESS), 2 * 34);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(hub_access_hits(hub, i + 1), i < 60 ? 2 : 0);
	assert_int_equal(hub_access_hits(hub, 101), 2 * 4);
	assert_abc_books();
}

/* A base of two rules, of which `dead` have gone, and a fresh one before them. */
static void set_changed(struct access_rule *two, bool dead, const struct access_rule *fresh)
{
	struct access_fresh added = {0};
	struct access_set_conf set = {.dead = (const uint32_t[]){0}, .dead_cnt = dead};

	if (fresh != NULL) {
		added.rule = *fresh;
		set.fresh = &added;
		set.fresh_cnt = 1;
	}
	set_base(two, 2, &set);
}

/* b gets a fragment of this protocol from this byte on, or it is dropped. */
static void assert_fragment(uint8_t protocol, uint8_t offset, bool passes)
{
	uint8_t ip[] = {0x08, 0x00, 0x45, 0, 0, 44, 0, 1, 0, (uint8_t)(offset / 8), 64, protocol, 0,
		0, 10, 9, 0, 1, 10, 9, 0, 2, 0, 0, 0, 1, 0x50, 0x02, 0xff, 0xff};
	struct send s = {.from = &a, .from_type = ip, .from_type_bytes = sizeof(ip)};
	uint64_t dropped = hub_drop_in(STATS_DROP_IN_ACCESS_OVERLAP);

	fake_port_clear(&b);
	add(&s, MAC_B, MAC_A, 0);
	send_all(&s);
	assert_int_equal(atomic_load(&b.cnt), passes);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_ACCESS_OVERLAP) - dropped, !passes);
}

/* TCP's flags are in bytes 8 to 15. Nobody minds who writes over them unless a rule goes by them, old or new. */
static void fragments_over_flags(void **)
{
	struct access_rule flags[] = {rule(ACCESS_F_TCP_STATE, 0), rule(0, 0)};
	struct access_rule others[] = {rule(0, 0), rule(0, 0)};

	flags[0].dst_port_first = flags[0].dst_port_last = 22;
	others[0].protocol = 6;
	others[0].dst_port_first = others[0].dst_port_last = 22;
	join_and_learn();
	assert_fragment(6, 8, true);
	set_changed(others, false, NULL);
	assert_fragment(6, 8, true);
	set_changed(flags, false, NULL);
	assert_fragment(6, 8, false);
	assert_fragment(6, 16, true);
	assert_fragment(17, 8, true);
	set_changed(flags, true, NULL);
	assert_fragment(6, 8, true);
	set_changed(others, false, &flags[0]);
	assert_fragment(6, 8, false);
	assert_fragment(6, 16, true);
	/* Rules for each receiver, too. */
	flags[0].dst_who =
		(struct access_who){.kind = ACCESS_WHO_NAME, .name = access_name_key("friend")};
	set_changed(flags, false, NULL);
	assert_fragment(6, 8, false);
	assert_fragment(6, 16, true);
	assert_abc_books();
}

/*
 * What the receiver's policy or the privacy filter refuses meets no rule about receivers (policy.md 4): it is counted as
 * theirs, and the rules have no hit for it. Its bandwidth is for what the rules let pass.
 */
static void the_policy_comes_first(void **)
{
	struct access_rule list[] = {rule(ACCESS_F_DROP, MAC_A), rule(0, 0)};
	struct shot s = {.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_UDP4, .n = 8};
	uint64_t private;

	list[0].dst_who =
		(struct access_who){.kind = ACCESS_WHO_NAME, .name = access_name_key("b")};
	rules(&a, (struct policy_input){.privacy_filter = true});
	rules(&b,
		(struct policy_input){.filter_ipv4 = true,
			.max_download_bps = 100000,
			.user_name = access_name_key("b")});
	rules(&c, (struct policy_input){.privacy_filter = true});
	join_and_learn();
	private = hub_drop_out(STATS_DROP_OUT_PRIVACY);
	set_rules(list, 2);
	shoot(s);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_FILTER_IPV4), 8);
	s.dst = MAC_C;
	shoot(s);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_PRIVACY) - private, 8);
	assert_int_equal(hub_access_hits(hub, 1), 0);
	assert_int_equal(hub_access_hits(hub, 2), 0);
	/* What they let pass: far more than the bandwidth is dropped by the rule, and takes nothing of it. */
	s.dst = MAC_B;
	s.kind = RF_TCP6_DATA;
	s.n = FRAME_BURST;
	for (unsigned i = 0; i < 10; i++)
		shoot(s);
	assert_int_equal(hub_access_hits(hub, 1), 10 * FRAME_BURST);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_ACCESS), 10 * FRAME_BURST);
	s.from = &c;
	s.src = MAC_C;
	s.n = 8;
	shoot(s);
	ASSERT_CNT(0, 8, 0);
	assert_int_equal(hub_access_hits(hub, 2), 8);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_DOWNLOAD), 0);
	assert_abc_books();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HUB_TEST(the_sender_is_enough),
		HUB_TEST(receivers_one_by_one),
		HUB_TEST(a_device_after_another),
		HUB_TEST(a_rule_for_each_station),
		HUB_TEST(fragments_over_flags),
		RULES_TEST(the_policy_comes_first),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
