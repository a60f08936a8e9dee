/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is tested about a frame before anybody looks where it goes (reference/hub.md 3 steps 2 to 13): tag,
 * MSS, malformed headers, bandwidth, the policy of its port, the filters of its hub.
 *
 * Runs only for a burst for which some rule asks; then every frame is parsed once (frame_class.h), and what
 * the parser found serves all later steps.
 */

#include <rte_branch_prediction.h>

#include "dataplane/hub_input_priv.h"
#include "dataplane/mss.h"

#define ETHERTYPE_VLAN	  0x8100u
#define ETHERTYPE_SERVICE 0x88a8u
#define ETHERTYPE_LEAST	  0x0600u /* below: a length */
#define VLAN_BYTES	  4u
#define KEY_VLAN_MASK	  (UINT64_C(0xfff) << FDB_VLAN_SHIFT)

/* By class bit: the rules of a port, then those of a hub. */
static const uint8_t port_reason[] = {
	[0] = STATS_DROP_IN_NO_SERVER,
	[1] = STATS_DROP_IN_NO_SERVER_V6,
	[2] = STATS_DROP_IN_ARP_DHCP_ONLY,
	[3] = STATS_DROP_IN_FILTER_IPV4,
	[4] = STATS_DROP_IN_FILTER_IPV6,
	[5] = STATS_DROP_IN_FILTER_NON_IP,
	[6] = STATS_DROP_IN_DHCP,
	[7] = STATS_DROP_IN_DHCPV6,
	[8] = STATS_DROP_IN_DHCP_SERVER,
	[9] = STATS_DROP_IN_DHCPV6_SERVER,
	[10] = STATS_DROP_IN_RS_RA,
	[11] = STATS_DROP_IN_RS_RA,
};
static const uint8_t hub_reason[] = {
	[3] = STATS_DROP_IN_HUB_IPV4,
	[4] = STATS_DROP_IN_HUB_IPV6,
	[5] = STATS_DROP_IN_HUB_NON_IP,
	[12] = STATS_DROP_IN_HUB_PPPOE,
	[13] = STATS_DROP_IN_HUB_OSPF,
	[14] = STATS_DROP_IN_HUB_BPDU,
};

static_assert(FRAME_TCP4_ANSWER == 1 && FRAME_RA == 1 << 11 && FRAME_BPDU == 1 << 14,
	"the tables go by the bits of frame_class.h");

/* The hub's filters in the order of hub.md 3 step 13: PPPoE and OSPF before what contains them. */
static unsigned hub_rule(uint64_t hit)
{
	uint64_t first = hit & (FRAME_PPPOE | FRAME_OSPF);

	return (unsigned)__builtin_ctzll(first != 0 ? first : hit);
}

/* ---- edits ------------------------------------------------------------------------------------ */

/* From here on the frame stands in this worker's scratch memory and may be written. */
static uint8_t *move_in(struct burst *b, unsigned j, unsigned room_at, unsigned room)
{
	struct frame *f = b->frame[j];
	uint8_t *to = b->lc->scratch->in[j];

	/* It may stand there already. */
	memmove(to + room_at + room, f->data + room_at, f->len - room_at);
	if (to != f->data)
		memcpy(to, f->data, room_at);
	burst_bury(b, f);
	f->data = to;
	f->len = (uint16_t)(f->len + room);
	b->borrowed = true;
	return to;
}

void burst_settle_now(struct burst *b, uint64_t mask)
{
	uint16_t type = b->options->options.vlan_type;

	b->untagged &= ~mask;
	b->usual &= ~mask;
	b->bytes = 0;
	b->max_len += VLAN_BYTES;
	for (uint64_t left = mask; left != 0; left &= left - 1) {
		unsigned j = (unsigned)__builtin_ctzll(left);
		struct frame_class *c = &b->lc->scratch->cls[j];
		uint8_t *p;

		if (b->frame[j]->len + VLAN_BYTES > HUB_SCRATCH_BYTES)
			continue; /* no port with a VLAN takes it: what comes from one is shorter */
		p = move_in(b, j, 12, VLAN_BYTES);
		p[12] = (uint8_t)(type >> 8);
		p[13] = (uint8_t)type;
		p[14] = (uint8_t)(b->tag >> 8);
		p[15] = (uint8_t)b->tag;
		if ((b->classified >> j & 1) == 0)
			continue;
		c->l3_at = (uint16_t)(c->l3_at + VLAN_BYTES);
		if (c->l4_at != 0)
			c->l4_at = (uint16_t)(c->l4_at + VLAN_BYTES);
	}
}

/* Bytes that would be of another class behind a tag: those of a frame with a tag or a length already. */
static bool differs_behind_tag(const struct frame *f)
{
	uint16_t type = frame_ethertype(f);

	return (type == ETHERTYPE_VLAN) | (type == ETHERTYPE_SERVICE) | (type < ETHERTYPE_LEAST);
}

/* The frames belong to a VLAN from here on; the tag itself can mostly wait for a receiver who wants it. */
static void put_tags(struct input *in, uint16_t vlan)
{
	struct burst *b = &in->b;
	const struct hub_options *o = &b->options->options;
	bool at_once = o->vlan_type != ETHERTYPE_VLAN || b->options->mss != 0;
	uint64_t in_key = o->vlan_type == ETHERTYPE_VLAN && !o->no_manage_vlan_id
		? (uint64_t)vlan << FDB_VLAN_SHIFT
		: 0;

	for (unsigned j = 0; j < b->n; j++) {
		key_pair *keys = (key_pair *)&in->keys[2 * j];

		*keys = (*keys & ~(key_pair){KEY_VLAN_MASK, KEY_VLAN_MASK}) |
			(key_pair){in_key, in_key};
	}
	for (unsigned j = 0; j < b->n; j++)
		at_once |= differs_behind_tag(b->frame[j]);
	b->tag = vlan;
	b->untagged = burst_all(b);
	if (at_once)
		burst_settle(b, b->untagged);
}

static void clamp_mss(struct input *in, uint16_t mss)
{
	for (unsigned j = 0; j < in->b.n; j++) {
		const struct frame *f = in->b.frame[j];

		if (likely(!mss_is_syn(f->data, f->len)) || f->len > HUB_SCRATCH_BYTES)
			continue;
		mss_clamp(move_in(&in->b, j, 0, 0), f->len, mss);
	}
}

/* ---- tests ------------------------------------------------------------------------------------ */

/* STATS_DROP_IN_CNT: the frame may go on. */
static unsigned judge(struct input *in, struct meter *up, unsigned j)
{
	uint64_t classes = burst_class(&in->b, j)->classes, hit;

	if (unlikely((classes & FRAME_MALFORMED) != 0))
		return STATS_DROP_IN_HEADER;
	if (up != NULL && (classes & FRAME_UNMETERED) == 0 && !meter_take(up, in->b.frame[j]->len))
		return STATS_DROP_IN_UPLOAD;
	hit = in->b.rules != NULL ? classes & in->b.rules->policy.in_classes : 0;
	if (unlikely(hit != 0))
		return port_reason[__builtin_ctzll(hit)];
	hit = classes & in->b.options->in_classes;
	if (unlikely(hit != 0))
		return hub_reason[hub_rule(hit)];
	return STATS_DROP_IN_CNT;
}

/* Frame j takes place k, with all that is known of it. */
static void move_down(struct input *in, unsigned j, unsigned k)
{
	struct frame_class *cls = in->b.lc->scratch->cls;

	in->b.frame[k] = in->b.frame[j];
	in->keys[2 * k] = in->keys[2 * j];
	in->keys[2 * k + 1] = in->keys[2 * j + 1];
	cls[k] = cls[j];
	in->broadcast |= (in->keys[2 * k + 1] >> 40 & 1) << k;
}

void input_headers(struct input *in)
{
	uint64_t removed = 0;

	if (in->b.options->options.disable_ip_parsing)
		return;
	for (uint64_t left = in->cut & burst_all(&in->b); left != 0; left &= left - 1) {
		unsigned j = (unsigned)__builtin_ctzll(left);
		struct frame *f = in->b.frame[j];
		struct frame_class c;

		frame_classify(f->data, f->len, &c);
		if ((c.classes & FRAME_MALFORMED) == 0)
			continue;
		notice_violation(in->b.lc, in->port, STATS_DROP_IN_HEADER, &c, in->keys[2 * j]);
		input_drop(in, f, STATS_DROP_IN_HEADER);
		removed |= UINT64_C(1) << j;
	}
	if (removed != 0)
		input_compact(in, removed);
}

/* Parses all frames. Whether they all pass, because none is of a class that is `asked` about. */
static bool all_pass(struct input *in, struct meter *up, uint64_t asked)
{
	struct burst *b = &in->b;

	burst_classify_all(b);
	if (up != NULL)
		asked |= FRAME_UNMETERED;
	return (b->any & (asked | FRAME_MALFORMED)) == 0 &&
		(up == NULL || meter_take(up, b->bytes));
}

static void test_all(struct input *in, struct meter *up, uint64_t asked)
{
	struct burst *b = &in->b;
	unsigned n = b->n, k = 0;

	if (up != NULL)
		meter_fill(up, b->lc->now_ms);
	if (likely(all_pass(in, up, asked)))
		return;
	for (unsigned j = 0; j < n; j++) {
		unsigned reason = judge(in, up, j);

		if (likely(reason == STATS_DROP_IN_CNT)) {
			if (unlikely(k != j))
				move_down(in, j, k);
			k++;
			continue;
		}
		if (k == j)
			in->broadcast &=
				(UINT64_C(1) << j) - 1; /* the rest comes with move_down() */
		notice_violation(b->lc, in->port, (enum stats_drop_in)reason,
			&b->lc->scratch->cls[j], in->keys[2 * j]);
		input_drop(in, b->frame[j], (enum stats_drop_in)reason);
	}
	b->n = k;
	b->bytes = 0;
	b->usual = 0;
	b->classified = burst_all(b);
	b->untagged &= b->classified; /* all or none of them */
}

void input_filter(struct input *in)
{
	const struct hub_options *o = &in->b.options->options;
	const struct port_rules *r = in->b.rules;
	struct meter *up = NULL;
	uint64_t classes = in->b.options->in_classes;

	if (o->no_manage_vlan_id) {
		for (unsigned j = 0; j < 2 * in->b.n; j++)
			in->keys[j] &= ~KEY_VLAN_MASK;
	}
	if (r != NULL && r->policy.vlan != 0)
		put_tags(in, r->policy.vlan);
	if (in->b.options->mss != 0)
		clamp_mss(in, in->b.options->mss);
	if (r != NULL) {
		classes |= r->policy.in_classes;
		if (r->policy.upload_bps != 0)
			up = &port_part(in->port, in->b.lc)->up;
	}
	if (classes != 0 || up != NULL)
		test_all(in, up, classes);
}

/* ---- bridge identifiers ----------------------------------------------------------------------- */

/* Of configuration BPDUs: protocol 0, any version, types 0 and 2. Source MAC behind the priority. */
#define BPDU_TYPE_AT	 20u
#define BPDU_BRIDGE_AT	 36u
#define BPDU_BYTES	 42u
#define MAC_BRIDGE_GROUP UINT64_C(0x0180c2000000)

void input_bpdu(struct input *in)
{
	if (in->b.options->options.no_look_bpdu_bridge_id)
		return;
	for (uint64_t left = in->broadcast; left != 0; left &= left - 1) {
		unsigned j = (unsigned)__builtin_ctzll(left);
		const struct frame *f = in->b.frame[j];
		uint64_t mac;

		if (likely((in->keys[2 * j + 1] & FDB_MAC_MASK) != MAC_BRIDGE_GROUP))
			continue;
		if (f->len < BPDU_BYTES || f->data[14] != 0x42 || f->data[15] != 0x42 ||
			f->data[16] != 0x03 || (f->data[BPDU_TYPE_AT] & ~2u) != 0)
			continue;
		mac = frame_mac(f->data + BPDU_BRIDGE_AT);
		if (mac != 0 && (mac >> 40 & 1) == 0)
			in->keys[2 * j] = (in->keys[2 * j] & ~FDB_MAC_MASK) | mac;
	}
}
