/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is tested about a copy for one port, and changed in it, on the worker that transmits (reference/
 * policy.md 4): classes its policy does not want, the privacy filter, its VLAN, its bandwidth; then router
 * advertisements, DHCP answers and tags are edited in a private copy. Where rules of the access list name receivers,
 * they come behind the privacy filter (burst_refuse()).
 */

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "dataplane/hub_priv.h"

#define ETHERTYPE_IPV6	   0x86ddu
#define ETHERTYPE_VLAN	   0x8100u
#define ETHERTYPE_SERVICE  0x88a8u
#define ETHERTYPE_LEAST	   0x0600u /* below: a length */
#define VLAN_BYTES	   4u
#define RA_LIFETIME_AT	   6u /* behind the ICMPv6 header's begin; its checksum is at 2 */
#define RA_BYTES	   16u
#define UDP_CHECKSUM_AT	   6u
#define DHCP_OPTIONS_AT	   248u /* behind the UDP header's begin */
#define DHCP_OPTION_PAD	   0u
#define DHCP_OPTION_ROUTER 3u
#define DHCP_OPTION_END	   255u

/* What is not in the bytes of a frame but said of it: its VLAN, and that the hub is not to look inside. */
static void complete(const struct burst *b, unsigned j)
{
	struct frame_class *c = &b->lc->scratch->cls[j];

	if ((b->untagged >> j & 1) != 0) {
		c->classes |= FRAME_TAGGED;
		c->vlan = b->tag;
	}
	/* Opaque, by option: what is left is what the MAC addresses say. */
	if (unlikely(b->options->options.disable_ip_parsing))
		*c = (struct frame_class){.classes = c->classes & FRAME_BROADCAST, .vlan = c->vlan};
}

void burst_classify(struct burst *b, unsigned j)
{
	struct frame_class *c = &b->lc->scratch->cls[j];
	const struct frame *f = b->frame[j];

	frame_classify(f->data, f->len, c);
	complete(b, j);
	b->any |= c->classes;
	b->classified |= UINT64_C(1) << j;
}

void burst_classify_all(struct burst *b)
{
	b->usual = frame_usual(b->frame, b->n, &b->bytes);
	if (unlikely(b->options->options.disable_ip_parsing))
		b->usual = 0;
	if (b->usual != 0)
		b->any |= FRAME_USUAL | (b->untagged != 0 ? FRAME_TAGGED : 0);
	for (uint64_t left = burst_all(b) & ~b->usual; left != 0; left &= left - 1)
		burst_class(b, (unsigned)__builtin_ctzll(left));
}

/* The port a frame came from, or NULL if it has gone. */
static const struct port *source_of(const struct burst *b, unsigned j)
{
	const struct port *p = b->source;

	if (p == NULL && b->frame[j]->source != 0) {
		p = atomic_load_explicit(
			&port_table[b->frame[j]->source].port, memory_order_acquire);
		if (p != NULL && p->hub != b->hub)
			p = NULL;
	}
	return p;
}

/* ---- tests ------------------------------------------------------------------------------------ */

/* In the order of policy.md 4. */
static const struct {
	uint64_t classes;
	enum stats_drop_out reason;
} class_rules[] = {
	{FRAME_RS | FRAME_RA, STATS_DROP_OUT_RS_RA},
	{FRAME_DHCP4, STATS_DROP_OUT_DHCP},
	{FRAME_DHCP6, STATS_DROP_OUT_DHCPV6},
	{FRAME_GROUP_OTHER, STATS_DROP_OUT_ARP_DHCP_ONLY},
	{FRAME_IPV4, STATS_DROP_OUT_FILTER_IPV4},
	{FRAME_IPV6, STATS_DROP_OUT_FILTER_IPV6},
	{FRAME_NON_IP, STATS_DROP_OUT_FILTER_NON_IP},
};

static enum stats_drop_out class_reason(uint64_t hit)
{
	unsigned i = 0;

	while ((class_rules[i].classes & hit) == 0)
		i++;
	return class_rules[i].reason;
}

/* Both ends have the filter, and they are not sessions of one user where that is allowed. */
static bool are_private(const struct burst *b, const struct policy *to, const struct port *source)
{
	const struct policy *from;

	if (source == NULL || source->rules == NULL)
		return false;
	from = &source->rules->policy;
	return (from->flags & POLICY_F_PRIVACY) != 0 &&
		!(b->options->options.privacy_allows_same_user && from->user != 0 &&
			from->user == to->user);
}

/* What may pass between the two all the same. */
static bool privacy_lets_pass(const struct hub_options *o, uint64_t classes)
{
	return (classes & FRAME_ARP) != 0
		? !o->privacy_drops_arp
		: (classes & FRAME_BROADCAST) != 0 && !o->privacy_drops_broadcasts;
}

/* The frame carries exactly the tag that is taken off for this port. */
static bool has_tag(const struct burst *b, unsigned j, const struct frame *f, uint16_t vlan)
{
	uint16_t type = b->options->options.vlan_type;

	if ((b->untagged >> j & 1) != 0)
		return b->tag == vlan;

	return f->len >= FRAME_MIN_BYTES + VLAN_BYTES && f->data[12] == type >> 8 &&
		f->data[13] == (type & 0xff) && ((f->data[14] & 0x0f) << 8 | f->data[15]) == vlan;
}

/* What is asked of every frame of a burst for one port, settled once. */
struct questions {
	const struct policy *policy;
	struct meter *down;
	uint64_t classes; /* dropped */
	bool ask_source;  /* of each frame: does its sender have the privacy filter */
	bool private;	  /* the one sender of all of them has */
	bool vlan;
	uint64_t rewritten; /* classes that edits() looks at */
};

static void questions_of(const struct burst *b, const struct port *port, struct questions *q)
{
	const struct port_rules *r = port->rules;
	const struct policy *p = &r->policy;
	bool mirror = (port->flags & PORT_F_MIRROR) != 0;
	bool private = !mirror && (p->flags & POLICY_F_PRIVACY) != 0;

	/* A mirror's own policy limits how much it gets, not what. */
	*q = (struct questions){
		.policy = p,
		.classes = mirror ? 0 : p->out_classes,
		.ask_source = private && b->source == NULL,
		.private = private && b->source != NULL && are_private(b, p, b->source),
		.vlan = p->vlan != 0,
		.rewritten = mirror ? 0 : FRAME_RA | FRAME_DHCP4_SERVER,
	};
	if (p->download_bps != 0) {
		q->down = &port_part(port, b->lc)->down;
		meter_fill(q->down, b->lc->now_ms);
	}
}

/* What stands before the access list; STATS_DROP_OUT_CNT: nothing against it. */
static inline unsigned refusal(
	struct burst *b, const struct questions *q, unsigned j, uint64_t classes)
{
	uint64_t hit = classes & q->classes;

	if (unlikely(hit != 0))
		return class_reason(hit);
	if (unlikely(q->private || (q->ask_source && are_private(b, q->policy, source_of(b, j)))) &&
		!privacy_lets_pass(&b->options->options, classes))
		return STATS_DROP_OUT_PRIVACY;
	return STATS_DROP_OUT_CNT;
}

/* STATS_DROP_OUT_CNT: deliver. */
static unsigned judge(struct burst *b, const struct questions *q, unsigned j, const struct frame *f)
{
	uint64_t classes = burst_class(b, j)->classes;
	unsigned reason = refusal(b, q, j, classes);

	if (unlikely(reason != STATS_DROP_OUT_CNT))
		return reason;
	if (q->vlan && !has_tag(b, j, f, q->policy->vlan))
		return STATS_DROP_OUT_VLAN;
	if (q->down != NULL && (classes & FRAME_UNMETERED) == 0 && !meter_take(q->down, f->len))
		return STATS_DROP_OUT_DOWNLOAD;
	return STATS_DROP_OUT_CNT;
}

bool burst_is_refused(struct burst *b, const struct port *port, unsigned j)
{
	const struct policy *p = port->rules != NULL ? &port->rules->policy : NULL;
	uint64_t classes;

	if (p == NULL || (p->out_classes == 0 && (p->flags & POLICY_F_PRIVACY) == 0))
		return false;
	classes = burst_class(b, j)->classes;
	return (classes & p->out_classes) != 0 ||
		((p->flags & POLICY_F_PRIVACY) != 0 && are_private(b, p, source_of(b, j)) &&
			!privacy_lets_pass(&b->options->options, classes));
}

/* ---- edits ------------------------------------------------------------------------------------ */

#define EDIT_RA	  1u
#define EDIT_DHCP 2u
#define EDIT_TAG  4u

static unsigned edits(
	const struct burst *b, const struct questions *q, unsigned j, uint64_t classes)
{
	const struct hub_options *o = &b->options->options;
	const struct policy *p = q->policy;
	unsigned todo = q->vlan && (b->untagged >> j & 1) == 0 ? EDIT_TAG : 0;

	if (likely((classes & q->rewritten) == 0))
		return todo;
	if ((classes & FRAME_RA) != 0 &&
		((p->flags & POLICY_F_NO_RA_ROUTER) != 0 ||
			((p->flags & POLICY_F_OUTER_IPV6) != 0 && o->no_ra_router_when_ipv6)))
		todo |= EDIT_RA;
	if ((classes & FRAME_DHCP4_SERVER) != 0 && (p->flags & POLICY_F_SAME_HOST) != 0 &&
		o->remove_default_gateway_for_localhost)
		todo |= EDIT_DHCP;
	return todo;
}

/* A router that is none: lifetime 0. The checksum follows (RFC 1624). */
static void ra_edit(uint8_t *icmp, uint32_t bytes)
{
	uint32_t sum;

	if (bytes < RA_BYTES)
		return;
	sum = (uint32_t)(icmp[2] << 8 | icmp[3]) ^ 0xffff;
	sum += (uint32_t)(icmp[RA_LIFETIME_AT] << 8 | icmp[RA_LIFETIME_AT + 1]) ^ 0xffff;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ((sum & 0xffff) + (sum >> 16)) ^ 0xffff;
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	icmp[RA_LIFETIME_AT] = 0;
	icmp[RA_LIFETIME_AT + 1] = 0;
}

/* The default gateway in an answer becomes padding; the checksum is given up, as UDP over IPv4 may. */
static void dhcp_edit(uint8_t *udp, uint32_t bytes)
{
	uint32_t at = DHCP_OPTIONS_AT;

	while (at + 2 <= bytes && udp[at] != DHCP_OPTION_END) {
		uint32_t option = udp[at] == DHCP_OPTION_PAD ? 1 : 2u + udp[at + 1];

		if (udp[at] == DHCP_OPTION_ROUTER && option <= bytes - at) {
			memset(udp + at, DHCP_OPTION_PAD, option);
			udp[UDP_CHECKSUM_AT] = 0;
			udp[UDP_CHECKSUM_AT + 1] = 0;
		}
		at += option;
	}
}

/* A private copy of `f` in *out, changed. False: there is no mbuf for it. */
static bool edit(struct burst *b, const struct port *port, const struct frame_class *c,
	const struct frame *f, unsigned slot, unsigned todo, struct frame *out)
{
	uint8_t *to = b->lc->scratch->out[slot];
	uint32_t len = f->len;

	memcpy(to, f->data, len);
	if ((todo & EDIT_RA) != 0 && c->l4_at != 0)
		ra_edit(to + c->l4_at, len - c->l4_at);
	if ((todo & EDIT_DHCP) != 0 && c->l4_at != 0)
		dhcp_edit(to + c->l4_at, len - c->l4_at);
	if ((todo & EDIT_TAG) != 0) {
		memmove(to + 12, to + 12 + VLAN_BYTES, len - 12 - VLAN_BYTES);
		len -= VLAN_BYTES;
	}
	*out = (struct frame){.data = to, .len = (uint16_t)len, .flags = f->flags};
	if ((port->flags & PORT_F_MBUF) == 0)
		return true;
	out->m = lcore_mbuf_copy(b->lc, out);
	if (out->m != NULL)
		out->data = rte_pktmbuf_mtod(out->m, uint8_t *);
	return out->m != NULL;
}

/* ---- a burst ---------------------------------------------------------------------------------- */

/* The port's reference alone: of a flood the frame itself is also the other devices' (hub_deliver.c). */
static void reference_drop(const struct frame *f)
{
	if (f->m != NULL)
		rte_pktmbuf_free(f->m);
}

static void count_drops(struct burst *b, struct port *port, const unsigned *counts)
{
	for (unsigned r = 0; r < STATS_DROP_OUT_CNT; r++) {
		if (counts[r] == 0)
			continue;
		hub_count_copies(b->lc, port, counts[r]);
		hub_count_drop_out(b->lc, port, (enum stats_drop_out)r, counts[r]);
	}
}

/* Or something behind which it may be (frame_class.h). */
static bool may_be_ipv6(const struct frame *f)
{
	uint16_t type = frame_ethertype(f);

	return type == ETHERTYPE_IPV6 || type == ETHERTYPE_VLAN || type == ETHERTYPE_SERVICE ||
		type < ETHERTYPE_LEAST;
}

/*
 * Whether the frames of `mask`, `bytes` together, may go as they are: no frame of the burst is of a class that
 * somebody asks about, and all of them together are within the limit.
 */
static bool all_pass(
	const struct burst *b, const struct questions *q, uint64_t mask, uint32_t bytes)
{
	uint64_t asked = q->classes | q->rewritten;

	if (q->down != NULL)
		asked |= FRAME_UNMETERED;
	if ((b->any & asked) != 0 || q->private || q->ask_source)
		return false;
	if (((b->classified | b->usual) & mask) != mask)
		return false;
	if (q->vlan && ((b->untagged & mask) != mask || b->tag != q->policy->vlan))
		return false;
	return q->down == NULL || meter_take(q->down, bytes);
}

bool burst_passes(struct burst *b, const struct port *port)
{
	const struct port_rules *r = port->rules;
	struct questions q;

	if (r == NULL || !r->looks_out || b->bytes == 0 || port_is_blocked(port, b->lc))
		return false;
	questions_of(b, port, &q);
	return all_pass(b, &q, burst_all(b), b->bytes);
}

unsigned burst_refuse(
	struct burst *b, struct port *port, struct frame **vec, uint8_t *at, unsigned n)
{
	const struct port_rules *r = port->rules;
	unsigned counts[STATS_DROP_OUT_CNT + 1] = {0};
	struct questions q;
	unsigned k = 0;

	if (r == NULL || !r->looks_out)
		return n;
	questions_of(b, port, &q);
	if (q.classes == 0 && !q.private && !q.ask_source)
		return n;
	for (unsigned i = 0; i < n; i++) {
		unsigned reason = refusal(b, &q, at[i], burst_class(b, at[i])->classes);

		if (likely(reason == STATS_DROP_OUT_CNT)) {
			at[k] = at[i];
			vec[k++] = vec[i];
			continue;
		}
		reference_drop(vec[i]);
		counts[reason]++;
	}
	if (unlikely(k != n))
		count_drops(b, port, counts);
	return k;
}

unsigned burst_egress(struct burst *b, struct port *port, struct frame **vec, const uint8_t *at,
	unsigned n, struct frame *edited)
{
	const struct port_rules *r = port->rules;
	unsigned counts[STATS_DROP_OUT_CNT + 1] = {0};
	struct questions q;
	unsigned k = 0;

	if (port_is_blocked(port, b->lc)) {
		for (unsigned i = 0; i < n; i++)
			reference_drop(vec[i]);
		counts[STATS_DROP_OUT_LOOP] = n;
		count_drops(b, port, counts);
		return 0;
	}
	if (r == NULL)
		return n;
	questions_of(b, port, &q);
	if (likely(r->looks_out)) {
		uint64_t mask = 0;
		uint32_t bytes = 0;

		for (unsigned i = 0; i < n; i++) {
			mask |= UINT64_C(1) << at[i];
			bytes += vec[i]->len;
		}
		if (all_pass(b, &q, mask, bytes))
			return n;
	}
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = vec[i];
		unsigned reason, todo = 0;

		if (!r->looks_out && !may_be_ipv6(f)) {
			vec[k++] = f;
			continue;
		}
		reason = judge(b, &q, at[i], f);
		if (likely(reason == STATS_DROP_OUT_CNT)) {
			const struct frame_class *c = burst_class(b, at[i]);

			todo = edits(b, &q, at[i], c->classes);
			if (likely(todo == 0)) {
				vec[k++] = f;
				continue;
			}
			if (!edit(b, port, c, f, i, todo, &edited[i]))
				reason = STATS_DROP_OUT_NO_MBUF;
		}
		reference_drop(f);
		if (reason == STATS_DROP_OUT_CNT)
			vec[k++] = &edited[i];
		counts[reason]++;
	}
	if (unlikely(k != n))
		count_drops(b, port, counts);
	return k;
}
