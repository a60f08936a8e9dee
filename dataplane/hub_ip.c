/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IP addresses of frames on their way in (reference/hub.md 3 step 19, 5): learned, and refused where a policy
 * says so.
 *
 * A port with an IP rule has every frame looked at. Of any other the table only wants to know what lives
 * there, and three sorts of frames tell: those to groups (ARP requests, neighbour and router
 * solicitations, DHCP), answers to the hub's own probes, and those whose source MAC is new or was not seen
 * in this second yet (this quantum, fdb.h), of which each MAC has one a second at most. So a session with the default
 * policy does not pay per frame. Nor do a million stations, of whose frames every fourth is its first in a quantum: of
 * those with a known MAC a worker looks at LOOKS_MS a millisecond, which still meets each of 100 000 several times
 * within the life of an entry. New MACs have a larger ration of their own, which only a storm of invented ones uses
 * up; a station that is passed over then is met when it speaks again. A new MAC that a full table has no tries for is
 * not looked at. Answers of DHCP servers are unicast: they are looked for, by their ports alone, as long as some client
 * of the hub asked a little while ago.
 */

#include <rte_branch_prediction.h>

#include "dataplane/hub_input_priv.h"
#include "dataplane/iptable.h"

/* The last four bytes of ::ffff:0:0/96 as they are loaded from memory. */
#define MAPPED4	 UINT64_C(0x00000000ffff0000)
#define ETHERNET 14u
#define TAG	 4u

#define LOOKS_MS  8u
#define LOOKS_MAX 512u /* saved up */
/* The same for new stations. */
#define STRANGERS_MS  32u
#define STRANGERS_MAX 16384u

/* ---- managed addresses ------------------------------------------------------------------------ */

static bool in_range(const uint8_t *addr, const struct hub_range *r)
{
	unsigned bytes = r->bits / 8, rest = r->bits % 8;

	return memcmp(addr, r->addr, bytes) == 0 &&
		(rest == 0 || ((addr[bytes] ^ r->addr[bytes]) & (0xff00 >> rest & 0xff)) == 0);
}

/* 10/8, 172.16/12, 192.168/16, 169.254/16, 100.64/10 */
static bool is_private4(const uint8_t *a)
{
	return a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
		(a[0] == 169 && a[1] == 254) || (a[0] == 100 && (a[1] & 0xc0) == 64);
}

static bool is_managed(const struct hub_options *o, const uint8_t *addr)
{
	bool usual = iptable_is_ip4(addr) ? !o->manage_only_private_ip || is_private4(addr + 12)
					  : !o->manage_only_local_unicast_ipv6 ||
			(addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80);

	for (unsigned i = 0; !usual && i < o->managed_cnt; i++)
		usual = in_range(addr, &o->managed[i]);
	return usual;
}

/* ---- one frame -------------------------------------------------------------------------------- */

static uint16_t key_vlan(const struct input *in, unsigned j)
{
	return (uint16_t)(in->keys[2 * j] >> FDB_VLAN_SHIFT & 0xfff);
}

/*
 * Where the frame's addresses belong: the VLAN that a host finds it in. The MAC table goes by the first tag (hub.md 4),
 * which is another one where a tag of VLAN 0 stands before the VLAN's.
 */
static uint16_t vlan_of(const struct input *in, const struct frame_class *c)
{
	return in->b.options->options.no_manage_vlan_id ? 0 : c->vlan;
}

static unsigned verdict(enum iptable_result r)
{
	switch (r) {
	case IPTABLE_CONFLICT:
		return STATS_DROP_IN_IP_CONFLICT;
	case IPTABLE_NO_LEASE:
		return STATS_DROP_IN_DHCP_FORCE;
	case IPTABLE_OVER_LIMIT:
		return STATS_DROP_IN_IP_LIMIT;
	default:
		return STATS_DROP_IN_CNT;
	}
}

/* One address of frame j under the rules of its port; STATS_DROP_IN_CNT: allowed. */
static unsigned see(struct input *in, unsigned j, const uint8_t *addr, const struct frame_class *c)
{
	const struct policy *p = in->b.rules != NULL ? &in->b.rules->policy : NULL;
	struct iptable_seen seen = {
		.addr = addr,
		.vlan = vlan_of(in, c),
		.mac = in->keys[2 * j] & FDB_MAC_MASK,
		.managed = is_managed(&in->b.options->options, addr),
	};

	if (p != NULL && iptable_is_ip4(addr)) {
		seen.exclusive = (p->flags & POLICY_F_CHECK_IP4) != 0;
		seen.leased = (p->flags & POLICY_F_DHCP_FORCE) != 0;
		seen.limit = p->max_ip4s;
	} else if (p != NULL) {
		seen.exclusive = (p->flags & POLICY_F_CHECK_IP6) != 0;
		if ((c->classes & (FRAME_RS | FRAME_RA | FRAME_DHCP6)) == 0)
			seen.limit = p->max_ip6s;
	}
	return verdict(iptable_learn(in->b.hub->ips, &seen, in->port, in->b.lc->now_s));
}

/* A server assigned c->lease to the host c->client: the port is where that MAC is known. */
static void lease(struct input *in, const struct frame_class *c)
{
	uint64_t key = fdb_key(c->client, vlan_of(in, c)), value;
	struct iptable_seen seen = {.addr = c->lease, .vlan = vlan_of(in, c), .mac = c->client};
	struct port *port;

	fdb_lookup_bulk(in->b.hub->fdb, &key, 1, &value);
	port = value != 0 ? port_get(fdb_value_port(value), fdb_value_gen(value)) : NULL;
	if (port != NULL && port->hub != in->b.hub)
		port = NULL;
	if (port != NULL || in->b.options->options.tells_all_leases)
		notice_lease(in->b.lc, port, in->port, c, key);
	if (port != NULL)
		iptable_lease(in->b.hub->ips, &seen, port, in->b.lc->now_s);
}

static void client_asks(struct input *in)
{
	uint32_t now_s = in->b.lc->now_s;

	/* A shared word, written once a second at most. */
	if (atomic_load_explicit(&in->b.hub->dhcp_asked_s, memory_order_relaxed) != now_s)
		atomic_store_explicit(&in->b.hub->dhcp_asked_s, now_s, memory_order_relaxed);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the port and the second, for recent_of(): nobody who does not know the secret finds two that are alike. */
static void recent_begin(struct input *in)
{
	const struct hub_scratch *scratch = in->b.lc->scratch;
	uint64_t port =
		(uint64_t)in->b.lc->now_s << 32 | in->port->idx << PORT_GEN_BITS | in->port->gen;

	in->recent = fold(port ^ scratch->secret[1], scratch->secret[2]);
}

/*
 * Where this worker keeps that the address, two halves of it, of frame j was allowed, and what stands there if that
 * was in this second: the usual frame needs no more. A keyed fingerprint does; who cannot guess it cannot be taken
 * for somebody else.
 */
static inline uint64_t *recent_of(const struct input *in, unsigned j, uint64_t first,
	uint64_t second, uint64_t vlan, uint64_t *mark)
{
	struct hub_scratch *scratch = in->b.lc->scratch;
	uint64_t h = fold(second ^ scratch->secret[0], in->keys[2 * j] ^ in->recent);

	/* IPv4's is always the same. */
	if (unlikely(first != 0))
		h = fold(h ^ first, scratch->secret[1]);
	/* Nearly always the key's, which is in there. */
	if (unlikely(vlan != key_vlan(in, j)))
		h = fold(h ^ vlan, scratch->secret[2]);
	*mark = h | 1;
	return &scratch->recent[h >> 32 & (HUB_RECENT - 1)];
}

static inline uint64_t *recent_of_class(
	const struct input *in, unsigned j, const struct frame_class *c, uint64_t *mark)
{
	uint64_t half[2];

	memcpy(half, c->src, sizeof(half));
	return recent_of(in, j, half[0], half[1], vlan_of(in, c), mark);
}

/* The second half of a usual frame's source address. */
static inline uint64_t usual_source(const struct frame *f)
{
	uint32_t v;

	memcpy(&v, f->data + FRAME_USUAL_SRC_AT, sizeof(v));
	return (uint64_t)v << 32 | MAPPED4;
}

/* Which of the usual frames in `mask` have an address that was not allowed in this second yet. */
static uint64_t unknown_usual(const struct input *in, uint64_t mask)
{
	uint64_t found = 0;

	for (; mask != 0; mask &= mask - 1) {
		unsigned j = (unsigned)__builtin_ctzll(mask);
		uint64_t mark,
			*recent = recent_of(
				in, j, 0, usual_source(in->b.frame[j]), key_vlan(in, j), &mark);

		found |= (uint64_t)(*recent != mark) << j;
	}
	return found;
}

#define CLASSES_TOLD (FRAME_DHCP4 | FRAME_DHCP6 | FRAME_ADVERTISED)

/* Which frames of `mask` have to be looked at: all but those that tell nothing but an address known already. */
static uint64_t unknown(struct input *in, uint64_t mask)
{
	uint64_t found = unknown_usual(in, mask & in->b.usual);

	for (mask &= ~in->b.usual; mask != 0; mask &= mask - 1) {
		unsigned j = (unsigned)__builtin_ctzll(mask);
		const struct frame_class *c = burst_class(&in->b, j);
		uint64_t mark, *recent = recent_of_class(in, j, c, &mark);
		bool known = (c->classes & (FRAME_SOURCE4 | FRAME_SOURCE6)) == 0 || *recent == mark;

		found |= (uint64_t)(!known || (c->classes & CLASSES_TOLD) != 0) << j;
	}
	return found;
}

static unsigned look(struct input *in, unsigned j)
{
	const struct frame_class *c = burst_class(&in->b, j);
	unsigned reason = STATS_DROP_IN_CNT;

	if (unlikely((c->classes & (FRAME_DHCP4 | FRAME_DHCP6)) != 0)) {
		if ((c->classes & (FRAME_DHCP4_SERVER | FRAME_DHCP6_SERVER)) == 0)
			client_asks(in);
		else if ((c->classes & (FRAME_DHCP4_ACK | FRAME_DHCP6_LEASE)) != 0)
			lease(in, c);
	}
	if ((c->classes & (FRAME_SOURCE4 | FRAME_SOURCE6)) != 0) {
		uint64_t mark, *recent = recent_of_class(in, j, c, &mark);

		if (unlikely(*recent != mark)) {
			reason = see(in, j, c->src, c);
			if (reason == STATS_DROP_IN_CNT)
				*recent = mark;
		}
	}
	if (reason == STATS_DROP_IN_CNT && (c->classes & FRAME_ADVERTISED) != 0 &&
		memcmp(c->src, c->lease, sizeof(c->src)) != 0)
		reason = see(in, j, c->lease, c);
	return reason;
}

/* ---- a burst ---------------------------------------------------------------------------------- */

static uint32_t be32_at(const struct frame *f, uint32_t at)
{
	uint32_t v;

	if (f->len < at + sizeof(v))
		return 0;
	memcpy(&v, f->data + at, sizeof(v));
	return __builtin_bswap32(v);
}

/* Which frames of `mask` may be a DHCP server's to a client, by ports where they usually stand. */
static uint64_t from_servers(struct input *in, uint64_t mask)
{
	uint64_t found = 0;

	for (; mask != 0; mask &= mask - 1) {
		unsigned j = (unsigned)__builtin_ctzll(mask);
		const struct frame *f = in->b.frame[j];
		uint32_t at = ETHERNET + (frame_ethertype(f) == 0x8100 ? TAG : 0);

		if (be32_at(f, at + 20) == (67u << 16 | 68u) ||
			be32_at(f, at + 40) == (547u << 16 | 546u))
			found |= UINT64_C(1) << j;
	}
	return found;
}

static uint32_t saved_up(uint32_t left, uint64_t passed_ms, uint32_t per_ms, uint32_t max)
{
	return passed_ms >= max / per_ms || left + passed_ms * per_ms > max
		? max
		: left + (uint32_t)passed_ms * per_ms;
}

/* As many frames of `mask` as *left allows. */
static uint64_t within(uint64_t mask, uint32_t *left)
{
	uint64_t some = 0;

	for (; mask != 0 && *left > 0; mask &= mask - 1) {
		some |= mask & -mask;
		(*left)--;
	}
	return some;
}

/* The frames of `live` that this worker may look at now for nobody's sake but the table's. */
static uint64_t within_budget(struct input *in, uint64_t live)
{
	struct lcore *lc = in->b.lc;
	uint64_t passed_ms = lc->now_ms - lc->looks_ms;
	uint64_t mask = live & in->broadcast;

	lc->looks_ms = lc->now_ms;
	lc->looks = saved_up(lc->looks, passed_ms, LOOKS_MS, LOOKS_MAX);
	lc->strangers = saved_up(lc->strangers, passed_ms, STRANGERS_MS, STRANGERS_MAX);
	mask |= within(live & in->stale & ~mask, &lc->strangers);
	return mask | within(live & in->again & ~in->stale & ~mask, &lc->looks);
}

uint64_t input_ip(struct input *in, uint64_t live)
{
	uint64_t refused = 0, mask;

	if (in->b.options->no_ips)
		return 0;
	recent_begin(in);
	if (in->b.rules != NULL && in->b.rules->looks_ip) {
		/* No filter did it: a session in client mode, for one. */
		if ((in->b.classified | in->b.usual) == 0)
			burst_classify_all(&in->b);
		mask = unknown(in, live);
	} else {
		mask = within_budget(in, live);
		if (unlikely(input_awaits_lease(in)))
			mask |= from_servers(in, live & ~mask);
	}
	for (; mask != 0; mask &= mask - 1) {
		unsigned j = (unsigned)__builtin_ctzll(mask);
		unsigned reason = look(in, j);

		if (likely(reason == STATS_DROP_IN_CNT))
			continue;
		notice_violation(in->b.lc, in->port, (enum stats_drop_in)reason,
			burst_class(&in->b, j), in->keys[2 * j]);
		input_drop(in, in->b.frame[j], (enum stats_drop_in)reason);
		refused |= UINT64_C(1) << j;
	}
	/* They go nowhere, whatever they say: nothing is refused. */
	for (mask = in->answers; mask != 0; mask &= mask - 1)
		look(in, (unsigned)__builtin_ctzll(mask));
	if (unlikely(refused != 0)) {
		for (unsigned i = 0; i < in->groups.n; i++)
			in->groups.group[i].mask &= ~refused;
	}
	return refused;
}
