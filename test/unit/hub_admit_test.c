/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frame must be to enter a hub (steps 4, 16, 22 of hub.md 3): cut to the length its packet says, whole headers, no
 * probe address.
 */

#include "test/unit/hub_bed.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/frame_class.h"
#include "dataplane/hub_options.h"
#include "test/unit/rule_frames.h"

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
		HUB_TEST(what_stands_behind_the_packet_is_cut_off),
		HUB_TEST(headers_that_are_cut_off_go_nowhere),
		HUB_TEST(admission_and_parser_agree_on_what_is_cut_off),
		HUB_TEST(nothing_passes_from_or_to_the_probe_address),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
