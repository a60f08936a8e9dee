/* SPDX-License-Identifier: BSD-3-Clause */
/* IP addresses in a hub (dataplane/hub_ip.c, hub_probe.c): what is learned, what is refused, what is probed. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/unit/rules_bed.h"

/* Something that names its sender: 10.0.0.host or fe80::host. */
static void host_says(
	struct fake_port *from, uint64_t dst, uint64_t src, uint8_t host, enum rule_frame kind)
{
	shoot((struct shot){.from = from, .dst = dst, .src = src, .host = host, .kind = kind});
}

/* The entry of 10.0.0.host or fe80::host (fd00::host: lease). */
static bool entry_of(const uint8_t *end, unsigned bytes, struct iptable_entry *e)
{
	uint64_t cursor = 0;

	while (cursor != UINT64_MAX) {
		if (hub_ip_list(hub, &cursor, e, 1) == 1 &&
			memcmp(e->addr + 16 - bytes, end, bytes) == 0)
			return true;
	}
	return false;
}

static bool entry4(uint8_t host, struct iptable_entry *e)
{
	return entry_of((uint8_t[]){0xff, 0xff, 10, 0, 0, host}, 6, e);
}

static bool entry6(uint8_t host, struct iptable_entry *e)
{
	return entry_of(
		(uint8_t[]){0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}, 16, e);
}

static void test_learned_by_default(void **)
{
	struct iptable_entry e;

	rules(&a, (struct policy_input){0});
	join_and_learn();
	host_says(&a, FAKE_BROADCAST, MAC_A, 5, RF_ARP);
	host_says(&c, FAKE_BROADCAST, MAC_C, 6, RF_NS);
	host_says(&b, FAKE_BROADCAST, MAC_B, 7, RF_UDP4);
	assert_true(entry4(5, &e));
	assert_int_equal(e.mac, MAC_A);
	assert_int_equal(e.port_idx, a.port.idx);
	assert_true(entry6(6, &e));
	assert_int_equal(e.port_idx, c.port.idx);
	assert_true(entry4(7, &e));
	/* Answers to the hub's probes are dropped, and tell. */
	host_says(&b, MAC_PROBE, MAC_B, 8, RF_ARP);
	host_says(&c, MAC_PROBE, MAC_C, 9, RF_NA);
	assert_true(entry4(8, &e));
	assert_true(entry6(9, &e));
	assert_int_equal(hub_drop_in(STATS_DROP_IN_PROBE_MAC), 2);
	assert_int_equal(hub_ip_delete(hub, e.addr, 0), 0);
	assert_false(entry6(9, &e));
	assert_abc_books();
}

/* Stations 0 .. cnt - 1 of port a each send one frame from 10.`net`.x.y, in one turn and one second. */
#define STATIONS  640u /* an MAC table that nobody lets grow takes most of them */
#define STRANGERS 20000u

struct crowd {
	unsigned cnt;
	uint32_t seconds, ms; /* the worker's clock is so much later, for this turn */
	uint8_t net;
};

static void crowd_here(struct lcore *lc, void *arg)
{
	const struct crowd *crowd = arg;
	struct rule_frame_of of = {.dst = MAC_B};
	uint8_t bytes[RULE_FRAME_BYTES];

	lc->now_s += crowd->seconds;
	lc->now_ms += crowd->ms;
	for (unsigned i = 0; i < crowd->cnt; i++) {
		struct frame f = {.data = bytes};

		of.src = UINT64_C(0x02000c000000) + i;
		f.len = (uint16_t)rule_frame_write(RF_UDP4, &of, bytes);
		bytes[27] = crowd->net;
		bytes[28] = (uint8_t)(i >> 8);
		bytes[29] = (uint8_t)i;
		hub_input(lc, &a.port, &f, 1);
	}
}

/* How many addresses are known of 10.net. */
static unsigned crowd_sends(unsigned cnt, uint32_t seconds, uint32_t ms, uint8_t net)
{
	struct crowd crowd = {.cnt = cnt, .seconds = seconds, .ms = ms, .net = net};
	struct iptable_entry e;
	uint64_t cursor = 0;
	unsigned n = 0;

	worker_call(a.port.home, crowd_here, &crowd);
	while (cursor != UINT64_MAX)
		n += hub_ip_list(hub, &cursor, &e, 1) == 1 && e.addr[12] == 10 && e.addr[13] == net;
	return n;
}

/*
 * A new station's address is always learned. Further ones of a known station, of which each second brings one, only
 * as many as fit the worker's budget: 512 saved up, 8 a millisecond.
 */
static void test_looks_are_rationed(void **)
{
	unsigned known, strangers;
	struct fdb_counters before, now;

	join_and_learn();
	known = crowd_sends(STATIONS, 0, 100, 1);
	assert_int_equal(known, STATIONS);
	fdb_counters(hub->fdb, &before);
	/* Stations for which the MAC table had no place are new each time. */
	known = crowd_sends(STATIONS, 1, 1000, 2);
	fdb_counters(hub->fdb, &now);
	strangers = (unsigned)(now.not_learned_full - before.not_learned_full);
	assert_in_range(strangers, 0, 100);
	assert_int_equal(known, 512 + strangers);
	/* Ten milliseconds later, and whatever passed between the two calls. */
	before = now;
	known = crowd_sends(STATIONS, 2, 1010, 3);
	fdb_counters(hub->fdb, &now);
	strangers = (unsigned)(now.not_learned_full - before.not_learned_full);
	assert_in_range(known, 80 + strangers, STATIONS);
	assert_abc_books();
}

/*
 * New stations too: of a storm, of which the MAC table takes but few, 16 384 saved up, 32 a millisecond. What is not
 * looked at is switched all the same.
 */
static void test_strangers_are_rationed(void **)
{
	unsigned cnt;

	join_and_learn();
	assert_int_equal(crowd_sends(STRANGERS, 0, 1000, 1), 16384);
	assert_int_equal(atomic_load(&b.cnt), STRANGERS);
	/* Ten milliseconds later, and whatever passed between the two calls. */
	cnt = crowd_sends(STRANGERS, 0, 1010, 2);
	assert_in_range(cnt, 320, STRANGERS - 1);
	assert_int_equal(hub->local[0].stats.drop_in[STATS_DROP_IN_IP_LIMIT], 0);
	assert_abc_books();
}

static void test_no_table(void **)
{
	struct iptable_entry e;
	struct hub_options o = defaults();

	o.no_ip_table = true;
	options(o);
	rules(&a, (struct policy_input){.no_routing = true});
	join_and_learn();
	/* IP policies are inert. */
	for (uint8_t i = 0; i < 9; i++)
		host_says(&a, MAC_B, MAC_A, i + 1, RF_UDP4);
	ASSERT_CNT(0, 9, 0);
	assert_false(entry4(1, &e));
}

/* Four IPv4 addresses of a client, fifteen of IPv6 by NoRoutingV6; both families apart. */
static void test_limits(void **)
{
	rules(&a, (struct policy_input){.no_routing = true, .no_routing_v6 = true});
	join_and_learn();
	for (uint8_t i = 1; i <= 6; i++)
		host_says(&a, MAC_B, MAC_A, i, i % 2 == 0 ? RF_ARP : RF_UDP4);
	ASSERT_CNT(0, 4, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_IP_LIMIT), 2);
	host_says(&a, MAC_B, MAC_A, 3, RF_TCP4_DATA);
	ASSERT_CNT(0, 5, 0);
	for (uint8_t i = 1; i <= 17; i++)
		host_says(&a, MAC_C, MAC_A, i, RF_UDP6);
	ASSERT_CNT(0, 5, 15);
	/* Not for router solicitations and DHCPv6. */
	host_says(&a, MAC_C, MAC_A, 20, RF_RS);
	host_says(&a, MAC_C, MAC_A, 21, RF_DHCP6_SOLICIT);
	host_says(&a, MAC_C, MAC_A, 22, RF_NS);
	ASSERT_CNT(0, 5, 17);
	/* Non-IP and DHCP have no address. */
	host_says(&a, MAC_B, MAC_A, 30, RF_IPX);
	host_says(&a, MAC_B, MAC_A, 30, RF_DHCP4_DISCOVER);
	ASSERT_CNT(0, 7, 17);
	assert_abc_books();
}

static void test_check_ip(void **)
{
	rules(&a, (struct policy_input){.check_ip = true, .check_ipv6 = true});
	join_and_learn();
	host_says(&b, FAKE_BROADCAST, MAC_B, 5, RF_ARP);
	host_says(&b, FAKE_BROADCAST, MAC_B, 5, RF_NS);
	clear_ports();
	host_says(&a, MAC_C, MAC_A, 5, RF_UDP4);
	host_says(&a, MAC_C, MAC_A, 5, RF_ARP);
	host_says(&a, MAC_C, MAC_A, 5, RF_UDP6);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_IP_CONFLICT), 3);
	host_says(&a, MAC_C, MAC_A, 6, RF_UDP4);
	host_says(&a, MAC_C, MAC_A, 6, RF_UDP6);
	ASSERT_CNT(0, 0, 2);
	/* c has no such rule: it takes the address over, IPv6 too. */
	host_says(&c, MAC_B, MAC_C, 5, RF_UDP6);
	ASSERT_CNT(0, 1, 2);
	assert_abc_books();
}

/* The server stands behind c, another worker; it answers unicast, and its MAC is fresh. */
static void test_dhcp_force(void **)
{
	struct iptable_entry e;

	rules(&a, (struct policy_input){.dhcp_force = true});
	join_and_learn();
	host_says(&a, MAC_C, MAC_A, 5, RF_ARP);
	host_says(&a, MAC_C, MAC_A, 5, RF_UDP4);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_DHCP_FORCE), 2);
	host_says(&a, FAKE_BROADCAST, MAC_A, 5, RF_DHCP4_DISCOVER);
	host_says(&a, MAC_C, MAC_A, 5, RF_IPX);
	ASSERT_CNT(0, 1, 2);
	for (unsigned i = 0; i < 3; i++)
		host_says(&c, MAC_A, MAC_C, 5, RF_DHCP4_ACK);
	assert_true(entry4(5, &e));
	assert_true(e.leased);
	assert_int_equal(e.mac, MAC_A);
	assert_int_equal(e.port_idx, a.port.idx);
	host_says(&a, MAC_C, MAC_A, 5, RF_ARP);
	host_says(&a, MAC_C, MAC_A, 5, RF_UDP4);
	host_says(&a, MAC_C, MAC_A, 6, RF_UDP4);
	ASSERT_CNT(3, 1, 4);
	assert_abc_books();
}

static void test_dhcp6(void **)
{
	struct iptable_entry e;

	join_and_learn();
	host_says(&a, FAKE_BROADCAST, MAC_A, 5, RF_DHCP6_SOLICIT);
	host_says(&c, MAC_A, MAC_C, 77, RF_DHCP6_REPLY);
	assert_true(entry_of((uint8_t[]){0, 77}, 2, &e));
	assert_true(e.leased);
	assert_int_equal(e.addr[0], 0xfd);
	assert_int_equal(e.port_idx, a.port.idx);
}

/* What IPv6 says of ::ffff:10.0.0.x is nothing that the table knows of 10.0.0.x: no lease, no station. */
static void test_mapped(void **)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 5};
	struct shot s = {.from = &c,
		.dst = MAC_A,
		.src = MAC_C,
		.kind = RF_DHCP6_REPLY,
		.over = mapped,
		.over_bytes = sizeof(mapped),
		.over_at = 94};
	struct iptable_entry e;

	rules(&a, (struct policy_input){.dhcp_force = true});
	join_and_learn();
	host_says(&a, FAKE_BROADCAST, MAC_A, 0, RF_DHCP4_DISCOVER);
	clear_ports();
	shoot(s);
	ASSERT_CNT(1, 0, 0);
	assert_false(entry4(5, &e));
	host_says(&a, MAC_C, MAC_A, 5, RF_UDP4);
	ASSERT_CNT(1, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_DHCP_FORCE), 1);
	s.dst = FAKE_BROADCAST;
	s.kind = RF_UDP6;
	s.over_at = 22;
	shoot(s);
	s.kind = RF_NA;
	s.over_at = 62;
	shoot(s);
	assert_false(entry4(5, &e));
	assert_abc_books();
}

/* ARP that calls Ethernet IEEE 802, as hosts accept it: it cannot claim somebody else's address either. */
static void test_arp_of_ieee802(void **)
{
	struct shot s = {.from = &a,
		.dst = FAKE_BROADCAST,
		.src = MAC_A,
		.host = 5,
		.kind = RF_ARP,
		.over = (const uint8_t *)"\6",
		.over_bytes = 1,
		.over_at = 15};
	struct iptable_entry e;

	rules(&a, (struct policy_input){.check_ip = true});
	join_and_learn();
	host_says(&b, FAKE_BROADCAST, MAC_B, 5, RF_ARP);
	clear_ports();
	shoot(s);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_IP_CONFLICT), 1);
	s.host = 6;
	shoot(s);
	ASSERT_CNT(0, 1, 1);
	assert_true(entry4(6, &e));
	assert_int_equal(e.port_idx, a.port.idx);
	assert_abc_books();
}

/*
 * Behind a tag of VLAN 0 hosts look for their VLAN's: an address there is one of that VLAN, and no way past CheckIP, neither
 * by the tag nor by what was allowed a moment ago; in VLAN 0 it is somebody else's.
 */
static void test_second_tag(void **)
{
	static const uint8_t tagged_arp[] = {0x81, 0, 0, 7, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 2,
		0, 0, 0, 0, 10, 10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 10, 0, 0, 99};
	struct shot two = {.from = &a,
		.dst = FAKE_BROADCAST,
		.src = MAC_A,
		.kind = RF_DHCP4_DISCOVER, /* long enough; its first tag becomes one of VLAN 0 */
		.vlan = 0xfff,
		.over_at = 14,
		.over_bytes = 2 + sizeof(tagged_arp)};
	uint8_t over[2 + sizeof(tagged_arp)] = {0, 0};
	struct shot one = {.from = &b,
		.dst = FAKE_BROADCAST,
		.src = MAC_B,
		.kind = RF_ARP,
		.vlan = 7,
		.host = 5};
	struct iptable_entry e;

	memcpy(over + 2, tagged_arp, sizeof(tagged_arp));
	two.over = over;
	rules(&a, (struct policy_input){.check_ip = true});
	join_and_learn();
	/* Its own in VLAN 0. */
	host_says(&a, FAKE_BROADCAST, MAC_A, 5, RF_ARP);
	assert_true(entry4(5, &e));
	assert_int_equal(e.vlan, 0);
	shoot(one);
	clear_ports();
	shoot(two);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_IP_CONFLICT), 1);
	/* Of a port that nobody's rule is about it is learned where it belongs. */
	two.from = &c;
	two.src = MAC_C;
	over[2 + sizeof(tagged_arp) - 11] = 6;
	shoot(two);
	assert_true(entry4(6, &e));
	assert_int_equal(e.vlan, 7);
	assert_int_equal(e.port_idx, c.port.idx);
	assert_abc_books();
}

static void test_managed(void **)
{
	struct iptable_entry e;
	struct hub_options o = defaults();

	o.manage_only_local_unicast_ipv6 = true;
	o.managed_cnt = 1;
	o.managed[0] = (struct hub_range){.addr = {0xfe, 0xc0}, .bits = 10};
	options(o);
	o.managed[0].bits = 129;
	assert_int_equal(hub_set_options(hub, &o), -EINVAL);
	join_and_learn();
	host_says(&a, FAKE_BROADCAST, MAC_A, 5, RF_NS);
	assert_true(entry6(5, &e));
}

/* A host that says nothing is asked after a while, on its own port only, and with the hub's address. */
static void test_probes(void **)
{
	struct hub_options o;

	join_and_learn();
	host_says(&b, FAKE_BROADCAST, MAC_B, 5, RF_ARP);
	host_says(&c, FAKE_BROADCAST, MAC_C, 6, RF_NS);
	clear_ports();
	/* Too young. */
	hub_housekeep(hub, 64);
	assert_true(worker_settle());
	ASSERT_CNT(0, 0, 0);
	for (unsigned i = 0; i < 1200 && atomic_load(&b.cnt) + atomic_load(&c.cnt) < 2; i++) {
		usleep(20000);
		hub_housekeep(hub, 64);
		assert_true(worker_settle());
	}
	ASSERT_CNT(0, 1, 1);
	assert_int_equal(b.len[0], 42);
	assert_int_equal(c.len[0], 86);
	assert_abc_books();
	/* By option not. */
	o = defaults();
	o.no_address_polling_ipv4 = o.no_address_polling_ipv6 = true;
	options(o);
	hub->probe_cursor = 0;
	hub_housekeep(hub, 64);
	assert_true(worker_settle());
	ASSERT_CNT(0, 1, 1);
	options(defaults());
	hub->probe_cursor = 0;
	hub_housekeep(hub, 64);
	assert_true(worker_settle());
	ASSERT_CNT(0, 2, 2);
}

static void test_probe_addresses(void **)
{
	static const uint8_t want6[] = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0xae, 0x12, 0xff, 0xfe, 0x34, 0x56, 0x78};
	uint8_t ip4[4], ip6[16];

	hub_probe_ip4(UINT64_C(0x00ae12345678), ip4);
	assert_int_equal(ip4[0], 172);
	assert_int_equal(ip4[1], 31);
	hub_probe_ip6(UINT64_C(0x00ae12345678), ip6);
	assert_memory_equal(ip6, want6, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(test_learned_by_default),
		RULES_TEST(test_looks_are_rationed),
		RULES_TEST(test_strangers_are_rationed),
		RULES_TEST(test_no_table),
		RULES_TEST(test_limits),
		RULES_TEST(test_check_ip),
		RULES_TEST(test_dhcp_force),
		RULES_TEST(test_dhcp6),
		RULES_TEST(test_mapped),
		RULES_TEST(test_arp_of_ieee802),
		RULES_TEST(test_second_tag),
		RULES_TEST(test_managed),
		RULES_TEST(test_probes),
		cmocka_unit_test(test_probe_addresses),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
