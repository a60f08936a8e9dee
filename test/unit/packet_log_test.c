/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the hub hands to the packet log: for each kind the frames that it takes and those that it does not, who
 * sent them and who gets them; whole records however the ring wraps; and what happens when nobody reads.
 */

#include <stdlib.h>
#include <string.h>

#include "dataplane/packet_log_priv.h"
#include "test/unit/rules_bed.h"

#define RING 65536u

/* ---- what a frame is -------------------------------------------------------------------------- */

static const struct {
	enum rule_frame frame;
	unsigned kinds;
} kind_rows[] = {
	{RF_TCP4_SYN, PACKET_KINDS_CONNECT},
	{RF_TCP4_ANSWER, PACKET_KINDS_CONNECT},
	{RF_TCP4_DATA, PACKET_KINDS_TCP},
	{RF_TCP6_ANSWER, PACKET_KINDS_CONNECT},
	{RF_TCP6_DATA, PACKET_KINDS_TCP},
	{RF_UDP4, PACKET_KINDS_UDP},
	{RF_UDP6, PACKET_KINDS_UDP},
	{RF_ICMP4, PACKET_KINDS_ICMP},
	{RF_ARP, PACKET_KINDS_ARP},
	{RF_DHCP4_DISCOVER, PACKET_KINDS_DHCP},
	{RF_DHCP4_ACK, PACKET_KINDS_DHCP},
	{RF_DHCP6_SOLICIT, PACKET_KINDS_UDP},
	{RF_DHCP6_REPLY, PACKET_KINDS_UDP},
	{RF_RS, PACKET_KINDS_ICMP},
	{RF_RA, PACKET_KINDS_ICMP},
	{RF_NS, PACKET_KINDS_ICMP},
	{RF_NA, PACKET_KINDS_ICMP},
	{RF_MLD, PACKET_KINDS_ICMP},
	{RF_OSPF, PACKET_KINDS_IP},
	{RF_PPPOE, PACKET_KINDS_ETHER},
	{RF_BPDU, PACKET_KINDS_ETHER},
	{RF_IPX, PACKET_KINDS_ETHER},
};

static void look(const uint8_t *p, uint32_t len, struct packet_look *out)
{
	struct frame_class cls;

	frame_classify(p, len, &cls);
	packet_log_look(p, len, &cls, true, out);
	assert_true(out->capture <= len);
}

static void test_kinds(void **)
{
	struct rule_frame_of of = {.dst = MAC_B, .src = MAC_A, .host = 5};
	uint8_t p[RULE_FRAME_BYTES];
	struct packet_look out;

	for (unsigned i = 0; i < sizeof(kind_rows) / sizeof(kind_rows[0]); i++) {
		for (of.vlan = 0; of.vlan < 2; of.vlan++) {
			look(p, rule_frame_write(kind_rows[i].frame, &of, p), &out);
			if (out.kinds != kind_rows[i].kinds)
				fail_msg("%s: %x", rule_frame_name[kind_rows[i].frame], out.kinds);
		}
	}
}

/* Ports and payloads that tell what a connection is for, and the same with one thing missing. */
static const struct {
	uint8_t proto;
	uint16_t port;
	const char *payload;
	uint8_t bytes;
	bool tells;
} telling_rows[] = {
	{6, 80, "GET / HTTP/1.1\r\n", 16, true},
	{6, 8080, "POST /x HTTP/1.1", 16, true},
	{6, 3128, "CONNECT h:1 HTTP", 16, true},
	{6, 81, "GET / HTTP/1.1\r\n", 16, false},
	{6, 80, "GOT / HTTP/1.1\r\n", 16, false},
	{6, 80, "GET", 3, false},
	{6, 443, "\x16\x03\x01\0\x20\x01\0\0\x1c\x03", 10, true},
	{6, 443, "\x16\x03\x01\0\x20\x02\0\0\x1c\x03", 10, false},
	{6, 443, "\x17\x03\x01\0\x20\x01\0\0\x1c\x03", 10, false},
	{17, 53, "\0\1\1\0\0\1\0\0\0\0\0\0", 12, true},
	{17, 53, "\0\1\x81\0\0\1\0\0\0\0\0\0", 12, false},
	{17, 53, "\0\1\1\0\0\1\0\0\0\0\0", 11, false},
	{17, 54, "\0\1\1\0\0\1\0\0\0\0\0\0", 12, false},
	{17, 500, "12345678\0\0\0\0\0\0\0\0\x01\x10\2\0\0\0\0\0\0\0\0\x1c", 28, true},
	{17, 500, "12345678\0\0\0\0\0\0\0\1\x01\x10\2\0\0\0\0\0\0\0\0\x1c", 28, false},
	{17, 4500, "\0\0\0\00012345678\0\0\0\0\0\0\0\0\x01\x20\2\0\0\0\0\0\0\0\0\x1c", 32, true},
	{17, 4500, "\0\0\0\00112345678\0\0\0\0\0\0\0\0\x01\x20\2\0\0\0\0\0\0\0\0\x1c", 32, false},
	{17, 1194,
		"\x38"
		"12345678\0\0\0\0\0",
		14, true},
	{17, 1194,
		"\x48"
		"12345678\0\0\0\0\0",
		14, false},
};

/* A TCP or UDP frame over IPv4 with this payload; its length. */
static uint32_t make_telling(unsigned i, uint8_t *p)
{
	struct rule_frame_of of = {.dst = MAC_B, .src = MAC_A, .host = 5};
	bool tcp = telling_rows[i].proto == 6;
	uint32_t at = 34 + (tcp ? 20u : 8u), len = at + telling_rows[i].bytes;

	rule_frame_write(tcp ? RF_TCP4_DATA : RF_UDP4, &of, p);
	p[16] = (uint8_t)((len - 14) >> 8);
	p[17] = (uint8_t)(len - 14);
	p[36] = (uint8_t)(telling_rows[i].port >> 8);
	p[37] = (uint8_t)telling_rows[i].port;
	memcpy(p + at, telling_rows[i].payload, telling_rows[i].bytes);
	return len;
}

static void test_telling(void **)
{
	uint8_t p[RULE_FRAME_BYTES];
	struct packet_look out;

	for (unsigned i = 0; i < sizeof(telling_rows) / sizeof(telling_rows[0]); i++) {
		uint32_t len = make_telling(i, p);

		look(p, len, &out);
		if (((out.kinds & 1u << PACKET_LOG_CONNECTION) != 0) != telling_rows[i].tells)
			fail_msg("row %u: %x", i, out.kinds);
		if (telling_rows[i].tells)
			assert_int_equal(out.capture, len);
	}
}

/* ---- a hub ------------------------------------------------------------------------------------ */

struct taken {
	unsigned n;
	struct packet_record head[64];
	uint8_t data[64][RULE_FRAME_BYTES];
};

/* Everything that stands in the rings, oldest first by worker. */
static void take(struct taken *t)
{
	memset(t, 0, sizeof(*t));
	for (unsigned w = 0; w < WORKERS; w++) {
		uint64_t head = packet_log_head(w);
		const struct packet_record *rec;

		while ((rec = packet_log_next(w, head)) != NULL) {
			if (t->n == 64)
				fail_msg("more than 64 records");
			t->head[t->n] = *rec;
			memcpy(t->data[t->n++], rec->data,
				rec->captured < RULE_FRAME_BYTES ? rec->captured
								 : RULE_FRAME_BYTES);
		}
		packet_log_release(w);
	}
}

static void log_set(const struct packet_log_conf *conf)
{
	struct hub_options o = defaults();

	o.packet_log = *conf;
	options(o);
}

static void telling_here(struct lcore *lc, void *arg)
{
	const unsigned *row = arg;
	uint8_t bytes[RULE_FRAME_BYTES];
	struct frame f = {.data = bytes};

	f.len = (uint16_t)make_telling(*row, bytes);
	hub_input(lc, &a.port, &f, 1);
}

static void pass(struct fake_port *from, uint64_t dst, uint64_t src, enum rule_frame kind)
{
	shoot((struct shot){.from = from, .dst = dst, .src = src, .kind = kind});
}

static uint32_t who(const struct fake_port *f)
{
	return f->port.idx << PORT_GEN_BITS | f->port.gen;
}

/* Each kind alone takes exactly the frames that are of it; plain ones and closer looked at ones alike. */
static void test_each_kind(void **)
{
	static struct taken t;

	join_and_learn();
	for (unsigned kind = 0; kind < PACKET_LOG_KINDS; kind++) {
		struct packet_log_conf conf = {0};

		conf.how[kind] = PACKET_LOG_HEADER;
		log_set(&conf);
		for (unsigned i = 0; i < sizeof(kind_rows) / sizeof(kind_rows[0]); i++) {
			pass(&a, MAC_B, MAC_A, kind_rows[i].frame);
			take(&t);
			if (t.n != (kind_rows[i].kinds >> kind & 1))
				fail_msg("kind %u: %s: %u records", kind,
					rule_frame_name[kind_rows[i].frame], t.n);
		}
		for (unsigned i = 0; i < sizeof(telling_rows) / sizeof(telling_rows[0]); i++) {
			worker_call(0, telling_here, &i);
			take(&t);
			if (kind == PACKET_LOG_CONNECTION && t.n != telling_rows[i].tells)
				fail_msg("row %u: %u records", i, t.n);
		}
		assert_true(worker_settle());
	}
}

static void test_who(void **)
{
	static struct taken t;
	struct packet_log_conf conf = {.how[PACKET_LOG_ETHERNET] = PACKET_LOG_HEADER};

	join_and_learn();
	log_set(&conf);
	pass(&a, MAC_B, MAC_A, RF_TCP4_DATA);
	pass(&a, MAC_C, MAC_A, RF_TCP4_SYN);
	pass(&a, FAKE_BROADCAST, MAC_A, RF_ARP);
	pass(&c, MAC_A, MAC_C, RF_UDP4);
	take(&t);
	assert_int_equal(t.n, 4);
	for (unsigned i = 0; i < 4; i++) {
		const uint32_t to[] = {who(&b), who(&c), 0, who(&a)};

		assert_int_equal(t.head[i].hub, hub_log_id(hub));
		assert_int_equal(t.head[i].from, who(i < 3 ? &a : &c));
		assert_int_equal(t.head[i].to, to[i]);
		assert_int_equal(t.head[i].how, PACKET_LOG_HEADER);
		assert_true(t.head[i].captured <= t.head[i].frame_len);
		assert_int_equal(frame_mac(t.data[i] + 6), i < 3 ? MAC_A : MAC_C);
	}
	/* What goes nowhere is not logged: the own port, a bad source, a receiver whose policy will not have it. */
	pass(&a, MAC_A + 0x100, MAC_A + 0x100, RF_UDP4);
	take(&t);
	assert_int_equal(t.n, 0);
	assert_abc_books();
}

static void test_refused(void **)
{
	static struct taken t;
	struct packet_log_conf conf = {.how[PACKET_LOG_ETHERNET] = PACKET_LOG_HEADER};
	struct policy_input in = {.filter_ipv4 = true};
	struct policy p;

	policy_compile(&in, &p);
	assert_int_equal(port_rules_set(&b.port, &p), 0);
	join_and_learn();
	log_set(&conf);
	pass(&a, MAC_B, MAC_A, RF_UDP4);
	take(&t);
	assert_int_equal(t.n, 0);
	pass(&a, MAC_B, MAC_A, RF_UDP6);
	pass(&a, FAKE_BROADCAST, MAC_A, RF_UDP4); /* others get it */
	take(&t);
	assert_int_equal(t.n, 2);
	leave(&b);
	assert_true(worker_settle());
	port_rules_free(&b.port);
}

static void test_full_frames_and_families(void **)
{
	static struct taken t;
	struct packet_log_conf conf = {.how[PACKET_LOG_ETHERNET] = PACKET_LOG_HEADER,
		.how[PACKET_LOG_UDP] = PACKET_LOG_FULL,
		.no_ipv4 = true};
	struct rule_frame_of of = {.dst = MAC_B, .src = MAC_A, .host = 5};
	uint8_t want[RULE_FRAME_BYTES];
	uint32_t len;

	join_and_learn();
	log_set(&conf);
	pass(&a, MAC_B, MAC_A, RF_UDP6);
	pass(&a, MAC_B, MAC_A, RF_TCP6_DATA);
	pass(&a, MAC_B, MAC_A, RF_UDP4);
	pass(&a, MAC_B, MAC_A, RF_ARP);
	pass(&a, MAC_B, MAC_A, RF_IPX);
	take(&t);
	assert_int_equal(t.n, 3);
	len = rule_frame_write(RF_UDP6, &of, want);
	assert_int_equal(t.head[0].how, PACKET_LOG_FULL);
	assert_int_equal(t.head[0].captured, len);
	assert_memory_equal(t.data[0], want, len);
	assert_int_equal(t.head[1].how, PACKET_LOG_HEADER);
	conf.no_ipv4 = false;
	conf.no_ipv6 = true;
	log_set(&conf);
	pass(&a, MAC_B, MAC_A, RF_UDP6);
	pass(&a, MAC_B, MAC_A, RF_UDP4);
	pass(&a, MAC_B, MAC_A, RF_ARP);
	take(&t);
	assert_int_equal(t.n, 2);
}

/* MaxLoggedPacketsPerMinute: what would be one line more is dropped; what is not logged passes. */
static void test_limit(void **)
{
	static struct taken t;
	struct packet_log_conf conf = {.how[PACKET_LOG_UDP] = PACKET_LOG_HEADER, .per_minute = 3};

	join_and_learn();
	log_set(&conf);
	for (unsigned i = 0; i < 5; i++)
		pass(&a, i % 2 == 0 ? MAC_B : FAKE_BROADCAST, MAC_A, RF_UDP4);
	pass(&a, MAC_B, MAC_A, RF_ARP);
	take(&t);
	assert_int_equal(t.n, 3);
	assert_int_equal(atomic_load(&b.cnt), 4);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_LOG_LIMIT), 2);
	/* What is over it writes nothing that workers share. */
	assert_int_equal(atomic_load(&a.port.log_cnt), 3);
	/* Each port has its own. */
	pass(&c, MAC_B, MAC_C, RF_UDP4);
	assert_int_equal(atomic_load(&b.cnt), 5);
	take(&t);
	assert_abc_books();
}

/* Who monitors the hub is fed before the log counts: what is over the limit goes to monitors, and to them alone. */
static void test_limit_is_not_for_mirrors(void **)
{
	static struct taken t;
	static struct fake_port near, far;
	struct packet_log_conf conf = {.how[PACKET_LOG_UDP] = PACKET_LOG_HEADER, .per_minute = 3};

	join_and_learn();
	fake_port_init(&near, hub, 0, PORT_F_MIRROR | PORT_F_RECEIVE_ONLY | PORT_F_MBUF);
	fake_port_init(&far, hub, 1, PORT_F_MIRROR | PORT_F_RECEIVE_ONLY);
	join(&near);
	join(&far);
	log_set(&conf);
	shoot((struct shot){.from = &a, .dst = MAC_B, .src = MAC_A, .kind = RF_UDP4, .n = 5});
	pass(&a, FAKE_BROADCAST, MAC_A, RF_UDP4);
	pass(&a, MAC_C, MAC_A, RF_UDP4);
	take(&t);
	assert_int_equal(t.n, 3);
	ASSERT_CNT(0, 3, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_LOG_LIMIT), 4);
	assert_int_equal(atomic_load(&near.cnt), 7);
	assert_int_equal(atomic_load(&far.cnt), 7);
	assert_books_and_leave(&near, &far);
}

/* ---- the ring --------------------------------------------------------------------------------- */

/* Nobody reads: frames pass, records do not, and every one of them is counted; then it goes on. */
static void test_full(void **)
{
	static struct taken t;
	struct packet_log_conf conf = {.how[PACKET_LOG_ETHERNET] = PACKET_LOG_FULL};
	uint64_t before = packet_log_lost(0), seen = 0, head;
	const struct packet_record *rec;
	uint32_t serial = 0;

	join_and_learn();
	log_set(&conf);
	for (unsigned k = 0; k < 30; k++) {
		struct send s = {.from = &a};

		while (s.n < FRAME_BURST)
			add(&s, MAC_B, MAC_A, serial++);
		send_all(&s);
	}
	assert_int_equal(atomic_load(&b.cnt), serial);
	head = packet_log_head(0);
	while ((rec = packet_log_next(0, head)) != NULL) {
		uint32_t got;

		/* The first ones, in order and whole. */
		memcpy(&got, rec->data + 18, sizeof(got));
		assert_int_equal(rec->captured, 60);
		assert_int_equal(got, seen);
		seen++;
	}
	assert_true(seen > 0 && seen < serial);
	assert_int_equal(packet_log_lost(0) - before, serial - seen);
	assert_int_equal(hub_packets_unlogged(hub), serial - seen);
	packet_log_release(0);
	pass(&a, MAC_B, MAC_A, RF_UDP4);
	take(&t);
	assert_int_equal(t.n, 1);
	assert_int_equal(hub_packets_unlogged(hub), serial - seen);
}

/* Records of all lengths around the end of the ring, many times round. */
static void test_wrap(void **)
{
	struct packet_ring *r = atomic_load(&packet_rings);
	const struct packet_record *got;
	uint64_t laps = r->head / r->size + 20;
	uint32_t n = 0, taken = 0;

	while (r->head / r->size < laps) {
		uint32_t captured = n * 37 % 1700;
		struct packet_record *rec = packet_ring_reserve(r, captured);

		if (rec == NULL) {
			uint64_t head = packet_log_head(0);

			/* Half of it, so that writer and reader are never in step. */
			for (unsigned i = 0; i < 30; i++) {
				got = packet_log_next(0, head);
				if (got == NULL)
					break;
				assert_int_equal(got->captured, taken * 37 % 1700);
				assert_int_equal(got->at_ms, taken);
				for (unsigned k = 0; k < got->captured; k++)
					assert_int_equal(got->data[k], (uint8_t)taken);
				taken++;
			}
			packet_log_release(0);
			continue;
		}
		rec->captured = (uint16_t)captured;
		rec->at_ms = n;
		memset(rec->data, (int)(uint8_t)n, captured);
		packet_ring_publish(r);
		n++;
	}
	while ((got = packet_log_next(0, packet_log_head(0))) != NULL)
		taken++;
	packet_log_release(0);
	assert_int_equal(taken, n);
}

static int log_bed_setup(void **state)
{
	packet_log_set_ring(RING);
	return bed_setup(state);
}

static int log_bed_teardown(void **state)
{
	packet_log_close();
	return bed_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_telling),
		HUB_TEST(test_each_kind),
		HUB_TEST(test_who),
		HUB_TEST(test_refused),
		HUB_TEST(test_full_frames_and_families),
		HUB_TEST(test_limit),
		HUB_TEST(test_limit_is_not_for_mirrors),
		HUB_TEST(test_full),
		HUB_TEST(test_wrap),
	};

	return cmocka_run_group_tests(tests, log_bed_setup, log_bed_teardown);
}
