/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules of ports and hubs as frames meet them: for each key a frame that passes and one that does not, from a
 * to b on its own worker and from a to c on the other one. (Loops, sleepers, the flood quota: hub_floods_test.c.)
 */

#include "test/unit/rules_bed.h"

/* ---- classes ---------------------------------------------------------------------------------- */

/* One row: `pass` goes through, `blocked` not, for the reason. To a group address unless `unicast`. */
struct row {
	const char *name;
	struct policy_input rules;
	enum rule_frame pass, blocked;
	unsigned reason;
	bool unicast;
};

static const struct row in_rows[] = {
	{"NoServer", {.no_server = true}, RF_TCP4_SYN, RF_TCP4_ANSWER, STATS_DROP_IN_NO_SERVER,
		true},
	{"NoServer v6", {.no_server = true}, RF_TCP6_ANSWER, RF_TCP4_ANSWER,
		STATS_DROP_IN_NO_SERVER, true},
	{"NoServerV6", {.no_server_v6 = true}, RF_TCP4_ANSWER, RF_TCP6_ANSWER,
		STATS_DROP_IN_NO_SERVER_V6, true},
	{"ArpDhcpOnly", {.arp_dhcp_only = true}, RF_ARP, RF_UDP4, STATS_DROP_IN_ARP_DHCP_ONLY,
		false},
	{"ArpDhcpOnly mld", {.arp_dhcp_only = true}, RF_MLD, RF_BPDU, STATS_DROP_IN_ARP_DHCP_ONLY,
		false},
	{"FilterIPv4", {.filter_ipv4 = true}, RF_UDP6, RF_UDP4, STATS_DROP_IN_FILTER_IPV4, true},
	{"FilterIPv4 arp", {.filter_ipv4 = true}, RF_IPX, RF_ARP, STATS_DROP_IN_FILTER_IPV4, false},
	{"FilterIPv6", {.filter_ipv6 = true}, RF_UDP4, RF_UDP6, STATS_DROP_IN_FILTER_IPV6, true},
	{"FilterNonIP", {.filter_non_ip = true}, RF_ARP, RF_IPX, STATS_DROP_IN_FILTER_NON_IP,
		false},
	{"DHCPFilter", {.dhcp_filter = true}, RF_UDP4, RF_DHCP4_DISCOVER, STATS_DROP_IN_DHCP,
		false},
	{"DHCPv6Filter", {.dhcpv6_filter = true}, RF_DHCP4_DISCOVER, RF_DHCP6_SOLICIT,
		STATS_DROP_IN_DHCPV6, false},
	{"DHCPNoServer", {.dhcp_no_server = true}, RF_DHCP4_DISCOVER, RF_DHCP4_ACK,
		STATS_DROP_IN_DHCP_SERVER, true},
	{"DHCPv6NoServer", {.dhcpv6_no_server = true}, RF_DHCP6_SOLICIT, RF_DHCP6_REPLY,
		STATS_DROP_IN_DHCPV6_SERVER, true},
	{"RSandRAFilter rs", {.rs_and_ra_filter = true}, RF_NS, RF_RS, STATS_DROP_IN_RS_RA, false},
	{"RSandRAFilter ra", {.rs_and_ra_filter = true}, RF_NA, RF_RA, STATS_DROP_IN_RS_RA, false},
	{"RAFilter", {.ra_filter = true}, RF_RS, RF_RA, STATS_DROP_IN_RS_RA, false},
};

static const struct row out_rows[] = {
	{"ArpDhcpOnly", {.arp_dhcp_only = true}, RF_DHCP6_SOLICIT, RF_OSPF,
		STATS_DROP_OUT_ARP_DHCP_ONLY, false},
	{"FilterIPv4", {.filter_ipv4 = true}, RF_UDP6, RF_UDP4, STATS_DROP_OUT_FILTER_IPV4, true},
	{"FilterIPv6", {.filter_ipv6 = true}, RF_UDP4, RF_UDP6, STATS_DROP_OUT_FILTER_IPV6, true},
	{"FilterNonIP", {.filter_non_ip = true}, RF_ARP, RF_IPX, STATS_DROP_OUT_FILTER_NON_IP,
		false},
	{"DHCPFilter", {.dhcp_filter = true}, RF_UDP4, RF_DHCP4_ACK, STATS_DROP_OUT_DHCP, true},
	{"DHCPv6Filter", {.dhcpv6_filter = true}, RF_UDP6, RF_DHCP6_REPLY, STATS_DROP_OUT_DHCPV6,
		true},
	{"RSandRAFilter", {.rs_and_ra_filter = true}, RF_NS, RF_RA, STATS_DROP_OUT_RS_RA, false},
	{"RAFilter is for senders", {.ra_filter = true}, RF_RA, RF_CNT, 0, false},
	{"NoServer is for senders", {.no_server = true}, RF_TCP4_ANSWER, RF_CNT, 0, true},
	{"DHCPNoServer is for senders", {.dhcp_no_server = true}, RF_DHCP4_ACK, RF_CNT, 0, true},
};

static void row_in(const struct row *r, struct fake_port *to, uint64_t mac)
{
	uint64_t dst = r->unicast ? mac : FAKE_BROADCAST;
	uint64_t before = hub_drop_in(r->reason);

	shoot((struct shot){.from = &a, .dst = dst, .src = MAC_A, .kind = r->pass});
	if (atomic_load(&to->cnt) != 1)
		fail_msg("%s: in, pass", r->name);
	shoot((struct shot){.from = &a, .dst = dst, .src = MAC_A, .kind = r->blocked});
	if (atomic_load(&to->cnt) != 1 || hub_drop_in(r->reason) != before + 1)
		fail_msg("%s: in, blocked", r->name);
	fake_port_clear(&b);
	fake_port_clear(&c);
}

static void test_in(void **)
{
	rules(&a, (struct policy_input){0});
	join_and_learn();
	for (unsigned i = 0; i < sizeof(in_rows) / sizeof(in_rows[0]); i++) {
		leave(&a);
		assert_true(worker_settle());
		rules(&a, in_rows[i].rules);
		join(&a);
		row_in(&in_rows[i], &b, MAC_B);
		row_in(&in_rows[i], &c, MAC_C);
	}
	assert_abc_books();
}

static void row_out(const struct row *r, struct fake_port *to, uint64_t mac)
{
	uint64_t dst = r->unicast ? mac : FAKE_BROADCAST;
	uint64_t before = hub_drop_out(r->reason);

	shoot((struct shot){.from = &a, .dst = dst, .src = MAC_A, .kind = r->pass});
	if (atomic_load(&to->cnt) != 1)
		fail_msg("%s: out, pass", r->name);
	if (r->blocked != RF_CNT) {
		shoot((struct shot){.from = &a, .dst = dst, .src = MAC_A, .kind = r->blocked});
		if (atomic_load(&to->cnt) != 1 || hub_drop_out(r->reason) != before + 1)
			fail_msg("%s: out, blocked", r->name);
	}
	fake_port_clear(&b);
	fake_port_clear(&c);
}

static void out_of(struct fake_port *to, uint64_t mac)
{
	for (unsigned i = 0; i < sizeof(out_rows) / sizeof(out_rows[0]); i++) {
		leave(to);
		assert_true(worker_settle());
		rules(to, out_rows[i].rules);
		join(to);
		send_one(to, FAKE_BROADCAST, mac, false);
		clear_ports();
		row_out(&out_rows[i], to, mac);
	}
}

static void test_out_here(void **)
{
	join_and_learn();
	out_of(&b, MAC_B);
	assert_abc_books();
}

static void test_out_there(void **)
{
	join_and_learn();
	out_of(&c, MAC_C);
	assert_abc_books();
}

/* ---- hub -------------------------------------------------------------------------------------- */

static void test_hub_filters(void **)
{
	static const struct {
		size_t at;
		enum rule_frame pass, blocked;
		unsigned reason;
	} rows[] = {
		{offsetof(struct hub_options, filter_pppoe), RF_IPX, RF_PPPOE,
			STATS_DROP_IN_HUB_PPPOE},
		{offsetof(struct hub_options, filter_ospf), RF_UDP4, RF_OSPF,
			STATS_DROP_IN_HUB_OSPF},
		{offsetof(struct hub_options, filter_ipv4), RF_UDP6, RF_ARP,
			STATS_DROP_IN_HUB_IPV4},
		{offsetof(struct hub_options, filter_ipv6), RF_UDP4, RF_UDP6,
			STATS_DROP_IN_HUB_IPV6},
		{offsetof(struct hub_options, filter_non_ip), RF_ARP, RF_IPX,
			STATS_DROP_IN_HUB_NON_IP},
		{offsetof(struct hub_options, filter_bpdu), RF_IPX, RF_BPDU,
			STATS_DROP_IN_HUB_BPDU},
	};

	join_and_learn();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hub_options o = defaults();

		*(bool *)((char *)&o + rows[i].at) = true;
		options(o);
		shoot((struct shot){
			.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = rows[i].pass});
		ASSERT_CNT(0, 1, 1);
		shoot((struct shot){
			.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = rows[i].blocked});
		ASSERT_CNT(0, 1, 1);
		assert_int_equal(hub_drop_in(rows[i].reason), 1);
		/* Opaque frames are not filtered. */
		o.disable_ip_parsing = true;
		options(o);
		shoot((struct shot){
			.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = rows[i].blocked});
		ASSERT_CNT(0, 2, 2);
		fake_port_clear(&b);
		fake_port_clear(&c);
	}
	assert_abc_books();
}

/* A BPDU is learned by its bridge's address (host 5), by option by its own. */
static void test_bridge_id(void **)
{
	struct hub_options o = defaults();

	join_and_learn();
	shoot((struct shot){.from = &a, .src = UINT64_C(0x0200000000aa), .kind = RF_BPDU});
	assert_int_equal(hub_mac_delete(hub, UINT64_C(0x02b000000005), 0), 0);
	assert_int_not_equal(hub_mac_delete(hub, UINT64_C(0x0200000000aa), 0), 0);
	o.no_look_bpdu_bridge_id = true;
	options(o);
	shoot((struct shot){.from = &a, .src = UINT64_C(0x0200000000aa), .kind = RF_BPDU});
	assert_int_not_equal(hub_mac_delete(hub, UINT64_C(0x02b000000005), 0), 0);
	assert_int_equal(hub_mac_delete(hub, UINT64_C(0x0200000000aa), 0), 0);
	assert_abc_books();
}

static void test_no_manage_vlan(void **)
{
	struct hub_options o = defaults();

	o.no_manage_vlan_id = true;
	options(o);
	join_and_learn();
	/* b is known under whatever tag. */
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .vlan = 9, .kind = RF_UDP4});
	ASSERT_CNT(0, 1, 0);
}

/* ---- tags ------------------------------------------------------------------------------------- */

static void test_vlan(void **)
{
	rules(&a, (struct policy_input){.vlan_id = 7});
	rules(&c, (struct policy_input){.vlan_id = 7});
	join(&a);
	join(&b);
	join(&c);
	shoot((struct shot){.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_UDP4});
	/* b sees the tag, c does not. */
	ASSERT_CNT(0, 1, 1);
	assert_int_equal(b.len[0], c.len[0] + 4);
	assert_int_equal(hub_mac_delete(hub, MAC_A, 7), 0);
	/* Without the tag, or with another one, nothing goes to c. */
	shoot((struct shot){.from = &b, .dst = FAKE_BROADCAST, .src = MAC_B, .kind = RF_UDP4});
	shoot((struct shot){
		.from = &b, .dst = FAKE_BROADCAST, .src = MAC_B, .vlan = 8, .kind = RF_UDP4});
	ASSERT_CNT(0, 1, 1);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_VLAN), 4);
	shoot((struct shot){
		.from = &b, .dst = FAKE_BROADCAST, .src = MAC_B, .vlan = 7, .kind = RF_UDP4});
	ASSERT_CNT(1, 1, 2);
	/* And back as unicast, to the address learned behind the tag. */
	shoot((struct shot){.from = &c, .dst = MAC_B, .src = MAC_C, .kind = RF_TCP4_DATA});
	ASSERT_CNT(1, 2, 2);
	assert_abc_books();
}

/* Within a VLAN a frame travels as it came; a tag of its own, a length, and a burst for many all the same. */
static void test_vlan_within(void **)
{
	static const enum rule_frame kinds[] = {RF_TCP4_DATA, RF_ARP, RF_UDP6, RF_IPX};
	struct send s = {.from = &a, .n = 0};

	rules(&a, (struct policy_input){.vlan_id = 7});
	rules(&b, (struct policy_input){.vlan_id = 7});
	join(&a);
	join(&b);
	join(&c);
	shoot((struct shot){.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_IPX});
	shoot((struct shot){.from = &b, .dst = FAKE_BROADCAST, .src = MAC_B, .kind = RF_IPX});
	shoot((struct shot){
		.from = &c, .dst = FAKE_BROADCAST, .src = MAC_C, .vlan = 7, .kind = RF_IPX});
	for (unsigned i = 0; i < 8; i++) {
		struct rule_frame_of of = {.dst = MAC_B, .src = MAC_A, .host = 1};
		uint16_t tag = i % 2 == 0 ? 0 : 9;
		uint8_t bytes[RULE_FRAME_BYTES];
		uint32_t len = rule_frame_write(kinds[i / 2], &of, bytes) + (tag != 0 ? 4 : 0);
		struct shot shot = {.from = &a,
			.dst = MAC_B,
			.src = MAC_A,
			.vlan = tag,
			.kind = kinds[i / 2],
			.host = 1,
			.n = 3};

		fake_port_clear(&b);
		fake_port_clear(&c);
		shoot(shot);
		shot.dst = MAC_C;
		shoot(shot);
		ASSERT_CNT(2, 3, 3);
		assert_int_equal(b.len[0], len);
		assert_int_equal(c.len[0], len + 4);
	}
	/* To one on the same worker, to one on another and to both of them, in one burst. */
	fake_port_clear(&b);
	fake_port_clear(&c);
	for (unsigned i = 0; i < 60; i++)
		add(&s, i % 3 == 0 ? MAC_B : i % 3 == 1 ? MAC_C : FAKE_BROADCAST, MAC_A, i);
	send_all(&s);
	ASSERT_CNT(2, 40, 40);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(c.len[i], b.len[i] + 4);
		assert_true(i == 0 || b.serial[i] > b.serial[i - 1]);
	}
	assert_abc_books();
}

/* ---- pairs ------------------------------------------------------------------------------------ */

static void test_privacy(void **)
{
	struct hub_options o = defaults();
	struct policy_input p = {.privacy_filter = true, .user = 1}, same = p;

	p.user = 2;
	rules(&a, p);
	rules(&b, p);
	rules(&c, same);
	join(&a);
	join(&b);
	join(&c);
	shoot((struct shot){.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_UDP4});
	shoot((struct shot){.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_ARP});
	shoot((struct shot){.from = &c, .dst = MAC_A, .src = MAC_C, .kind = RF_UDP4});
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_PRIVACY), 5);
	o.privacy_drops_arp = false;
	options(o);
	shoot((struct shot){.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_UDP4});
	shoot((struct shot){.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_ARP});
	ASSERT_CNT(0, 1, 1);
	o.privacy_drops_broadcasts = false;
	options(o);
	shoot((struct shot){.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_UDP4});
	ASSERT_CNT(0, 2, 2);
	shoot((struct shot){.from = &c, .dst = MAC_A, .src = MAC_C, .kind = RF_UDP4});
	ASSERT_CNT(0, 2, 2);
	/* b and a are one user's. */
	o = defaults();
	o.privacy_allows_same_user = true;
	options(o);
	shoot((struct shot){.from = &b, .dst = MAC_A, .src = MAC_B, .kind = RF_UDP4});
	shoot((struct shot){.from = &c, .dst = MAC_A, .src = MAC_C, .kind = RF_UDP4});
	ASSERT_CNT(1, 2, 2);
	assert_abc_books();
}

static void test_privacy_needs_both(void **)
{
	rules(&a, (struct policy_input){.privacy_filter = true});
	rules(&b, (struct policy_input){0});
	join_and_learn();
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_UDP4});
	shoot((struct shot){.from = &a, .dst = MAC_C, .src = MAC_A, .kind = RF_UDP4});
	shoot((struct shot){.from = &c, .dst = MAC_A, .src = MAC_C, .kind = RF_UDP4});
	ASSERT_CNT(1, 1, 1);
}

/* ---- rates ------------------------------------------------------------------------------------ */

static void test_upload(void **)
{
	/* 10 long frames are 121 120 bits, each of these 54 * 8. */
	unsigned frames = 121120 / (54 * 8), sent = 0;

	rules(&a, (struct policy_input){.max_upload_bps = 1});
	join_and_learn();
	while (sent < frames + 100) {
		shoot((struct shot){
			.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_UDP4, .n = 32});
		sent += 32;
	}
	/* What the learning frame took is one more or less. */
	assert_in_range(atomic_load(&b.cnt), frames - 2, frames + 1);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_UPLOAD), sent - atomic_load(&b.cnt));
	fake_port_clear(&b);
	/* What keeps a link alive is not counted. */
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_ARP});
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_ICMP4});
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_TCP4_SYN});
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_DHCP4_DISCOVER});
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_NS});
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_DHCP6_SOLICIT});
	ASSERT_CNT(0, 6, 0);
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_TCP4_DATA, .n = 64});
	ASSERT_CNT(0, 6, 0);
	assert_abc_books();
}

static void test_download(void **)
{
	unsigned frames = 121120 / (54 * 8), sent = 0;

	rules(&c, (struct policy_input){.max_download_bps = 1});
	join_and_learn();
	while (sent < frames + 100) {
		shoot((struct shot){
			.from = &a, .dst = MAC_C, .src = MAC_A, .kind = RF_UDP4, .n = 32});
		sent += 32;
	}
	assert_in_range(atomic_load(&c.cnt), frames - 4, frames + 1);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_DOWNLOAD), sent - atomic_load(&c.cnt));
	fake_port_clear(&c);
	shoot((struct shot){.from = &a, .dst = MAC_C, .src = MAC_A, .kind = RF_TCP4_SYN});
	ASSERT_CNT(0, 0, 1);
	assert_abc_books();
}

static void test_storm(void **)
{
	rules(&a, (struct policy_input){0});
	rules(&b, (struct policy_input){.no_broadcast_limiter = true});
	join_and_learn();
	for (unsigned i = 0; i < 4; i++)
		shoot((struct shot){
			.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_UDP4, .n = 32});
	/* A second's worth, and what leaked meanwhile: 32 a second. */
	assert_in_range(atomic_load(&c.cnt), 32, 112);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_STORM), 128 - atomic_load(&c.cnt));
	fake_port_clear(&c);
	/* Unknown unicast floods too; known does not. */
	shoot((struct shot){.from = &a,
		.dst = UINT64_C(0x020000000099),
		.src = MAC_A,
		.kind = RF_UDP4,
		.n = 32});
	assert_in_range(atomic_load(&c.cnt), 0, 31);
	fake_port_clear(&c);
	shoot((struct shot){.from = &a, .dst = MAC_C, .src = MAC_A, .kind = RF_UDP4, .n = 64});
	ASSERT_CNT(0, atomic_load(&b.cnt), 64);
	/* Another source address has its own allowance; the whole of a burst passes. */
	shoot((struct shot){.from = &a,
		.dst = FAKE_BROADCAST,
		.src = MAC_A,
		.host = 6,
		.kind = RF_UDP4,
		.n = 20});
	ASSERT_CNT(0, atomic_load(&b.cnt), 84);
	/* Whose policy says so is not limited. */
	fake_port_clear(&c);
	for (unsigned i = 0; i < 4; i++)
		shoot((struct shot){
			.from = &b, .dst = FAKE_BROADCAST, .src = MAC_B, .kind = RF_UDP4, .n = 64});
	ASSERT_CNT(atomic_load(&a.cnt), atomic_load(&b.cnt), 256);
	assert_abc_books();
}

/* Where two workers receive for a port, each has half of the threshold. */
static void test_storm_share(void **)
{
	fake_port_everywhere(&a);
	rules(&a, (struct policy_input){0});
	join_and_learn();
	for (unsigned i = 0; i < 4; i++)
		shoot((struct shot){
			.from = &a, .dst = FAKE_BROADCAST, .src = MAC_A, .kind = RF_UDP4, .n = 16});
	assert_in_range(atomic_load(&c.cnt), 16, 56);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_STORM), 64 - atomic_load(&c.cnt));
	assert_abc_books();
}

static void test_mac_limit(void **)
{
	rules(&a, (struct policy_input){.no_bridge = true});
	join_and_learn();
	for (unsigned i = 0; i < 5; i++)
		shoot((struct shot){
			.from = &a, .dst = MAC_B, .src = MAC_A + 0x100 * i, .kind = RF_UDP4});
	ASSERT_CNT(0, 3, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_LIMIT), 2);
	assert_abc_books();
}

static void test_check_mac(void **)
{
	rules(&a, (struct policy_input){.check_mac = true});
	join_and_learn();
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_C, .kind = RF_UDP4});
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(test_in),
		RULES_TEST(test_out_here),
		RULES_TEST(test_out_there),
		RULES_TEST(test_hub_filters),
		RULES_TEST(test_bridge_id),
		RULES_TEST(test_no_manage_vlan),
		RULES_TEST(test_vlan),
		RULES_TEST(test_vlan_within),
		RULES_TEST(test_privacy),
		RULES_TEST(test_privacy_needs_both),
		RULES_TEST(test_upload),
		RULES_TEST(test_download),
		RULES_TEST(test_storm),
		RULES_TEST(test_storm_share),
		RULES_TEST(test_mac_limit),
		RULES_TEST(test_check_mac),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
