/* SPDX-License-Identifier: BSD-3-Clause */
/* The parser of dataplane/frame_class.h: each kind of frame, tagged and not, and cut off anywhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/frame_class.h"
#include "test/unit/rule_frames.h"

#define UNICAST	  UINT64_C(0x020000000001)
#define MULTICAST UINT64_C(0x333300000001)
#define SOURCE	  UINT64_C(0x020000000002)

/* What rules go by; addresses and leases have tests of their own. */
#define RULES                                                                                    \
	(FRAME_TCP4_ANSWER | FRAME_TCP6_ANSWER | FRAME_IPV4 | FRAME_IPV6 | FRAME_NON_IP |        \
		FRAME_DHCP4 | FRAME_DHCP6 | FRAME_DHCP4_SERVER | FRAME_DHCP6_SERVER | FRAME_RS | \
		FRAME_RA | FRAME_PPPOE | FRAME_OSPF | FRAME_BPDU | FRAME_MALFORMED | FRAME_ARP | \
		FRAME_UNMETERED | FRAME_SOURCE4 | FRAME_SOURCE6 | FRAME_DHCP4_ACK |              \
		FRAME_DHCP6_LEASE | FRAME_ADVERTISED | FRAME_TCP_SYN | FRAME_ICMP6)
#define S4 (FRAME_IPV4 | FRAME_SOURCE4)
#define S6 (FRAME_IPV6 | FRAME_SOURCE6)

static const struct {
	uint64_t classes;
	bool housekeeping; /* passes ArpDhcpOnly to a group address */
	uint32_t whole;	   /* shortest length at which nothing is cut off, behind Ethernet */
} expect[RF_CNT] = {
	[RF_TCP4_SYN] = {S4 | FRAME_UNMETERED | FRAME_TCP_SYN, false, 40},
	[RF_TCP4_ANSWER] = {S4 | FRAME_UNMETERED | FRAME_TCP_SYN | FRAME_TCP4_ANSWER, false, 40},
	[RF_TCP4_DATA] = {S4, false, 40},
	[RF_TCP6_ANSWER] = {S6 | FRAME_UNMETERED | FRAME_TCP_SYN | FRAME_TCP6_ANSWER, false, 60},
	[RF_TCP6_DATA] = {S6, false, 60},
	[RF_UDP4] = {S4, false, 28},
	[RF_UDP6] = {S6, false, 48},
	[RF_ICMP4] = {S4 | FRAME_UNMETERED, false, 24},
	[RF_ARP] = {S4 | FRAME_ARP | FRAME_UNMETERED, true, 28},
	[RF_DHCP4_DISCOVER] = {FRAME_IPV4 | FRAME_DHCP4 | FRAME_UNMETERED, true, 28},
	[RF_DHCP4_ACK] = {FRAME_IPV4 | FRAME_DHCP4 | FRAME_DHCP4_SERVER | FRAME_DHCP4_ACK |
			FRAME_UNMETERED,
		true, 28},
	[RF_DHCP6_SOLICIT] = {S6 | FRAME_DHCP6 | FRAME_UNMETERED, true, 48},
	[RF_DHCP6_REPLY] = {S6 | FRAME_DHCP6 | FRAME_DHCP6_SERVER | FRAME_DHCP6_LEASE |
			FRAME_UNMETERED,
		true, 48},
	[RF_RS] = {S6 | FRAME_RS | FRAME_ICMP6 | FRAME_UNMETERED, true, 44},
	[RF_RA] = {S6 | FRAME_RA | FRAME_ICMP6 | FRAME_UNMETERED, true, 44},
	[RF_NS] = {S6 | FRAME_ICMP6 | FRAME_UNMETERED, true, 44},
	[RF_NA] = {S6 | FRAME_ICMP6 | FRAME_UNMETERED | FRAME_ADVERTISED, true, 44},
	[RF_MLD] = {S6 | FRAME_ICMP6 | FRAME_UNMETERED, true, 52},
	[RF_OSPF] = {S4 | FRAME_OSPF, false, 20},
	[RF_PPPOE] = {FRAME_NON_IP | FRAME_PPPOE, false, 0},
	[RF_BPDU] = {FRAME_NON_IP | FRAME_BPDU, false, 0},
	[RF_IPX] = {FRAME_NON_IP, false, 0},
};

static uint64_t classes_of(enum rule_frame kind, uint64_t dst, uint16_t vlan)
{
	struct rule_frame_of of = {
		.dst = kind == RF_BPDU ? UINT64_C(0x0180c2000000) : dst,
		.src = SOURCE,
		.vlan = vlan,
		.host = 5,
	};
	uint8_t bytes[RULE_FRAME_BYTES];
	struct frame_class c;

	frame_classify(bytes, rule_frame_write(kind, &of, bytes), &c);
	assert_int_equal(c.vlan, vlan);
	return c.classes;
}

static void test_kinds(void **)
{
	for (unsigned k = 0; k < RF_CNT; k++) {
		uint64_t one = classes_of(k, UNICAST, 0), group = classes_of(k, MULTICAST, 0);

		if ((one & RULES) != expect[k].classes || (group & RULES) != expect[k].classes)
			fail_msg("%s: %llx, not %llx", rule_frame_name[k],
				(unsigned long long)(one & RULES),
				(unsigned long long)expect[k].classes);
		if (k != RF_BPDU)
			assert_false(one & (FRAME_GROUP_OTHER | FRAME_BROADCAST));
		assert_true(group & FRAME_BROADCAST);
		if (((group & FRAME_GROUP_OTHER) == 0) != expect[k].housekeeping)
			fail_msg("%s: to a group", rule_frame_name[k]);
		/* Through one tag the same is seen, but a BPDU is never tagged. */
		if (k != RF_BPDU && (classes_of(k, UNICAST, 7) & RULES) != expect[k].classes)
			fail_msg("%s: tagged", rule_frame_name[k]);
	}
}

/* In memory of its own length, so that the sanitizer sees a byte read too far. */
static void test_cut_off(void **)
{
	for (unsigned k = 0; k < RF_CNT; k++) {
		struct rule_frame_of of = {.dst = UNICAST, .src = SOURCE, .host = 5};
		uint8_t bytes[RULE_FRAME_BYTES];
		uint32_t len = rule_frame_write(k, &of, bytes);

		for (uint32_t n = FRAME_MIN_BYTES; n <= len; n++) {
			uint8_t *cut = malloc(n);
			struct frame_class c;

			memcpy(cut, bytes, n);
			frame_classify(cut, n, &c);
			free(cut);
			if (((c.classes & FRAME_MALFORMED) == 0) !=
				(n >= FRAME_MIN_BYTES + expect[k].whole))
				fail_msg("%s at %u bytes", rule_frame_name[k], n);
		}
	}
}

static void test_addresses(void **)
{
	static const uint8_t v4[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 5};
	static const uint8_t v6[] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
	struct rule_frame_of of = {.dst = UNICAST, .src = SOURCE, .host = 5};
	uint8_t bytes[RULE_FRAME_BYTES];
	struct frame_class c;

	frame_classify(bytes, rule_frame_write(RF_ARP, &of, bytes), &c);
	assert_memory_equal(c.src, v4, 16);
	frame_classify(bytes, rule_frame_write(RF_UDP4, &of, bytes), &c);
	assert_memory_equal(c.src, v4, 16);
	frame_classify(bytes, rule_frame_write(RF_NS, &of, bytes), &c);
	assert_memory_equal(c.src, v6, 16);
	frame_classify(bytes, rule_frame_write(RF_NA, &of, bytes), &c);
	assert_memory_equal(c.lease, v6, 16);
	frame_classify(bytes, rule_frame_write(RF_DHCP4_ACK, &of, bytes), &c);
	assert_memory_equal(c.lease, v4, 16);
	assert_int_equal(c.client, UNICAST);
	frame_classify(bytes, rule_frame_write(RF_DHCP6_REPLY, &of, bytes), &c);
	assert_int_equal(c.lease[0], 0xfd);
	assert_int_equal(c.lease[15], 5);
	assert_int_equal(c.client, UNICAST);
}

static uint64_t changed(enum rule_frame kind, uint32_t at, uint8_t to)
{
	struct rule_frame_of of = {.dst = UNICAST, .src = SOURCE, .host = 5};
	uint8_t bytes[RULE_FRAME_BYTES];
	uint32_t len = rule_frame_write(kind, &of, bytes);
	struct frame_class c;

	bytes[at] = to;
	frame_classify(bytes, len, &c);
	return c.classes;
}

/* What Debian's server was seen to do with headers that make no sense (hub.md 3 step 5). */
static void test_nonsense(void **)
{
	/* IPv4: header length 16, version 5: unknown, no error. Total length 19: error. 0: says nothing. */
	assert_int_equal(changed(RF_TCP4_ANSWER, 14, 0x44), FRAME_IPV4);
	assert_int_equal(changed(RF_TCP4_ANSWER, 14, 0x55), FRAME_IPV4);
	assert_true(changed(RF_TCP4_ANSWER, 17, 19) & FRAME_MALFORMED);
	assert_true(changed(RF_TCP4_ANSWER, 17, 0) & FRAME_TCP4_ANSWER);
	/* A later fragment has no ports; the source is looked at. */
	assert_int_equal(changed(RF_TCP4_ANSWER, 21, 1),
		S4 | FRAME_PACKET | FRAME_FRAGMENT | FRAME_TCP4_OVERLAP);
	assert_int_equal(changed(RF_TCP4_ANSWER, 21, 2), S4 | FRAME_PACKET | FRAME_FRAGMENT);
	assert_int_equal(changed(RF_UDP4, 21, 1), S4 | FRAME_PACKET | FRAME_FRAGMENT);
	/* IPv6 with another version. */
	assert_true(changed(RF_UDP6, 14, 0x40) & FRAME_MALFORMED);
	/* A chain of hop-by-hop headers that leads out of the packet. */
	assert_true(changed(RF_MLD, 55, 200) & FRAME_MALFORMED);
	/* No address of a host. */
	assert_false(changed(RF_UDP6, 22, 0xff) & FRAME_SOURCE6);
	/* A request is no lease; neither is an answer to hardware that is no Ethernet. */
	assert_false(changed(RF_DHCP4_ACK, 42, 1) & (FRAME_DHCP4_ACK | FRAME_DHCP4_SERVER));
	assert_false(changed(RF_DHCP4_ACK, 43, 6) & FRAME_DHCP4_ACK);
	/* Without its cookie it may not pass a bandwidth limit, but it is DHCP to a filter. */
	assert_int_equal(
		changed(RF_DHCP4_DISCOVER, 42 + 236, 0), FRAME_IPV4 | FRAME_PACKET | FRAME_DHCP4);
}

/* The frame with `n` bytes changed, cut to `len` bytes if that is not 0. */
static uint64_t rewritten(enum rule_frame kind, uint32_t at, const void *to, size_t n, uint32_t len)
{
	struct rule_frame_of of = {.dst = UNICAST, .src = SOURCE, .host = 5};
	uint8_t bytes[RULE_FRAME_BYTES];
	uint32_t whole = rule_frame_write(kind, &of, bytes);
	struct frame_class c;

	memcpy(bytes + at, to, n);
	frame_classify(bytes, len != 0 ? len : whole, &c);
	return c.classes;
}

/* What hosts take for something is that here, too; and nothing is taken for it in their place. */
static void test_evasions(void **)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 5};
	/* Total length of 28 or 29 bytes, identification, more fragments. */
	static const uint8_t none[] = {0, 28, 0, 0, 0x20, 0}, one[] = {0, 29, 0, 0, 0x20, 0};
	uint64_t classes;

	/* ARP with the hardware type of IEEE 802; with a third one it is nobody's. */
	assert_int_equal(rewritten(RF_ARP, 15, "\6", 1, 0), rewritten(RF_ARP, 15, "\1", 1, 0));
	assert_false(rewritten(RF_ARP, 15, "\7", 1, 0) & (FRAME_ARP | FRAME_SOURCE4));
	assert_false(rewritten(RF_ARP, 14, "\6\6", 2, 0) & (FRAME_ARP | FRAME_SOURCE4));
	/* A DHCP message of which the first fragment does not say whose it is. */
	classes = rewritten(RF_DHCP4_ACK, 16, none, sizeof(none), 42);
	assert_int_equal(classes, FRAME_IPV4 | FRAME_PACKET | FRAME_DHCP4 | FRAME_DHCP4_SERVER);
	classes = rewritten(RF_DHCP4_ACK, 16, one, sizeof(one), 43);
	assert_int_equal(classes, FRAME_IPV4 | FRAME_PACKET | FRAME_DHCP4 | FRAME_DHCP4_SERVER);
	classes = rewritten(RF_DHCP4_DISCOVER, 16, one, sizeof(one), 43);
	assert_int_equal(classes, FRAME_IPV4 | FRAME_PACKET | FRAME_DHCP4);
	/* An IPv4 address is no address of IPv6: as source, assigned, advertised. */
	classes = rewritten(RF_UDP6, 22, mapped, sizeof(mapped), 0);
	assert_int_equal(classes, FRAME_IPV6 | FRAME_PACKET);
	classes = rewritten(RF_DHCP6_REPLY, 94, mapped, sizeof(mapped), 0);
	assert_true(classes & FRAME_DHCP6_SERVER);
	assert_false(classes & FRAME_DHCP6_LEASE);
	assert_false(rewritten(RF_NA, 62, mapped, sizeof(mapped), 0) & FRAME_ADVERTISED);
	/* What only looks like one is. */
	assert_true(rewritten(RF_UDP6, 31, "\1", 1, 0) & FRAME_SOURCE6);
}

/* The frame with headers put in before its EtherType; those of LLC begin with a length. */
static uint64_t wrapped(enum rule_frame kind, const uint8_t *in, uint32_t n, struct frame_class *c)
{
	struct rule_frame_of of = {.dst = UNICAST, .src = SOURCE, .host = 5};
	uint8_t bytes[RULE_FRAME_BYTES + 64];
	uint32_t len = rule_frame_write(kind, &of, bytes);

	memmove(bytes + 12 + n, bytes + 12, len - 12);
	memcpy(bytes + 12, in, n);
	frame_classify(bytes, len + n, c);
	return c->classes & (RULES | FRAME_TAGGED);
}

#define Q(vlan)	  0x81, 0x00, 0x20, vlan
#define AD(vlan)  0x88, 0xa8, 0x00, vlan
#define SNAP(end) 0x05, 0xff, 0xaa, 0xaa, 0x03, 0, 0, end

/* Hosts take off tags of VLAN 0, and LLC in front of an EtherType: nothing hides behind them. */
static void test_wrappers(void **)
{
	static const struct {
		uint8_t in[48];
		uint32_t bytes;
		uint16_t vlan;
		bool llc, opaque, endless;
	} row[] = {
		{{Q(0)}, .bytes = 4},
		{{Q(0), Q(0)}, .bytes = 8},
		{{Q(0), Q(0), Q(0), Q(0), Q(0)}, .bytes = 20},
		{{Q(0), Q(0), Q(0), Q(0), Q(0), Q(0)}, .bytes = 24, .endless = true},
		{{AD(0)}, .bytes = 4},
		{{AD(0), AD(0), AD(0), AD(0)}, .bytes = 16},
		{{AD(0), AD(0), AD(0), AD(0), AD(0)}, .bytes = 20, .endless = true},
		{{Q(9), Q(0)}, .bytes = 8, .vlan = 9},
		{{Q(9), AD(0), Q(0)}, .bytes = 12, .vlan = 9},
		{{AD(9)}, .bytes = 4, .opaque = true},
		{{Q(9), Q(9)}, .bytes = 8, .vlan = 9, .opaque = true},
		{{Q(9), Q(0), Q(9)}, .bytes = 12, .vlan = 9, .opaque = true},
		{{Q(0), Q(9)}, .bytes = 8, .vlan = 9},
		{{Q(0), Q(0), Q(9)}, .bytes = 12, .vlan = 9},
		{{AD(0), Q(9)}, .bytes = 8, .vlan = 9},
		{{Q(0), AD(9)}, .bytes = 8, .opaque = true},
		{{Q(0), Q(9), Q(8)}, .bytes = 12, .vlan = 9, .opaque = true},
		{{Q(0), Q(0), Q(0), Q(0), Q(0), Q(9)}, .bytes = 24, .endless = true},
		{{SNAP(0)}, .bytes = 8, .llc = true},
		{{SNAP(0xf8)}, .bytes = 8, .llc = true},
		{{SNAP(0x0c)}, .bytes = 8, .llc = true, .opaque = true},
		{{Q(9), SNAP(0)}, .bytes = 12, .vlan = 9, .llc = true},
		{{Q(0), AD(0), SNAP(0)}, .bytes = 16, .llc = true},
		{{SNAP(0), Q(0)}, .bytes = 12, .llc = true},
		{{SNAP(0), SNAP(0), SNAP(0), SNAP(0), SNAP(0)}, .bytes = 40, .llc = true,
			.endless = true},
	};
	static const enum rule_frame kinds[] = {
		RF_TCP4_ANSWER, RF_TCP6_ANSWER, RF_ARP, RF_DHCP4_ACK, RF_DHCP6_REPLY, RF_RA};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			struct frame_class c;
			uint64_t classes = wrapped(kinds[k], row[i].in, row[i].bytes, &c);
			bool tagged = row[i].bytes > 8 || !row[i].llc;

			if (((classes & FRAME_MALFORMED) != 0) != row[i].endless)
				fail_msg("row %u: %s: malformed", i, rule_frame_name[kinds[k]]);
			if (row[i].endless)
				continue;
			if ((classes & ~FRAME_TAGGED) !=
				(row[i].opaque ? FRAME_NON_IP : expect[kinds[k]].classes))
				fail_msg("row %u: %s: %llx", i, rule_frame_name[kinds[k]],
					(unsigned long long)classes);
			assert_int_equal(c.vlan, row[i].vlan);
			if (!row[i].opaque) {
				assert_int_equal((classes & FRAME_TAGGED) != 0, tagged);
				assert_int_equal(c.l3_at, 14 + row[i].bytes);
			}
		}
	}
}

/* Cut off anywhere, in memory of its own length. */
static void test_wrappers_cut_off(void **)
{
	static const uint8_t all[] = {Q(9), SNAP(0), AD(0), Q(0), SNAP(0), 0x08, 0x00};
	uint8_t bytes[12 + sizeof(all)] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memcpy(bytes + 12, all, sizeof(all));
	for (uint32_t n = FRAME_MIN_BYTES; n <= sizeof(bytes); n++) {
		uint8_t *cut = malloc(n);
		struct frame_class c;

		memcpy(cut, bytes, n);
		frame_classify(cut, n, &c);
		free(cut);
		assert_true(c.l3_at <= n);
		assert_int_equal((c.classes & FRAME_MALFORMED) != 0, n == sizeof(bytes));
	}
}

/*
 * The usual frame is recognised at a glance, and one to a group never: what is said of both differs only by
 * that, whatever the header says. And a burst says the same as its frames.
 */
static void test_at_a_glance(void **)
{
	static const enum rule_frame kinds[] = {
		RF_TCP4_SYN, RF_TCP4_DATA, RF_UDP4, RF_ICMP4, RF_DHCP4_ACK, RF_OSPF};
	const uint64_t group = FRAME_BROADCAST | FRAME_GROUP_OTHER;
	unsigned seen = 0;
	uint64_t usual;
	uint32_t bytes;

	srand48(5);
	for (unsigned i = 0; i < 200000; i++) {
		struct rule_frame_of of = {.dst = UNICAST, .src = SOURCE, .host = 5};
		uint8_t one[RULE_FRAME_BYTES], other[RULE_FRAME_BYTES];
		struct frame f[2] = {{.data = one}, {.data = other}}, *both[2] = {&f[0], &f[1]};
		struct frame_class c[2], again;
		uint32_t len = rule_frame_write(kinds[i % 6], &of, one);

		/* Up to three changes between the EtherType and the flags of TCP, and any length. */
		for (unsigned k = (unsigned)lrand48() % 4; k > 0; k--)
			one[12 + lrand48() % 36] = (uint8_t)lrand48();
		len = lrand48() % 4 == 0 ? FRAME_MIN_BYTES + (uint32_t)lrand48() % len : len;
		f[0].len = f[1].len = (uint16_t)(len < RULE_FRAME_BYTES ? len : RULE_FRAME_BYTES);
		memcpy(other, one, sizeof(one));
		other[0] |= 1;
		usual = frame_usual(both, 2, &bytes);
		assert_int_equal(bytes, 2 * f[0].len);
		frame_classify(one, f[0].len, &c[0]);
		frame_classify(other, f[1].len, &c[1]);
		assert_int_equal(usual & ~UINT64_C(1), 0);
		if (usual != 0) {
			assert_int_equal(c[0].classes, FRAME_USUAL);
			assert_memory_equal(c[0].src + 12, one + FRAME_USUAL_SRC_AT, 4);
		} else {
			assert_false(c[0].classes == FRAME_USUAL && c[0].l4_at == 34 &&
				f[0].len >= 54 && (one[16] << 8 | one[17]) >= 40);
		}
		seen += usual != 0;
		/* Of the group alone, and what goes with its address. */
		c[1].classes &= ~group;
		c[0].classes &= ~group;
		assert_int_equal(c[0].classes, c[1].classes & ~(group | FRAME_BPDU));
		assert_memory_equal(c[0].src, c[1].src, sizeof(c[0].src));
		assert_memory_equal(c[0].dst, c[1].dst, sizeof(c[0].dst));
		assert_memory_equal(c[0].lease, c[1].lease, sizeof(c[0].lease));
		assert_int_equal(c[0].l3_at, c[1].l3_at);
		assert_int_equal(c[0].l4_at, c[1].l4_at);
		assert_int_equal(c[0].vlan, c[1].vlan);
		assert_int_equal(c[0].l3, c[1].l3);
		assert_int_equal(c[0].proto, c[1].proto);
		assert_int_equal(c[0].tcp_flags, c[1].tcp_flags);
		frame_classify(one, f[0].len, &again);
		assert_int_equal(again.classes & ~group, c[0].classes);
	}
	assert_true(seen > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_evasions),
		cmocka_unit_test(test_wrappers),
		cmocka_unit_test(test_wrappers_cut_off),
		cmocka_unit_test(test_at_a_glance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
