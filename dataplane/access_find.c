/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking up a burst in an access set: tables where there are some, the rules themselves where not, and the answer is
 * always the one that going through all rules in order would give.
 */

#include <rte_acl.h>
#include <string.h>

#include "dataplane/access_priv.h"
#include "dataplane/frame.h"

#define NONE UINT32_MAX

/* ---- who -------------------------------------------------------------------------------------- */

uint32_t access_name_id(const uint64_t *names, uint32_t cnt, uint64_t key)
{
	uint32_t lo = 0, hi = cnt;

	while (lo < hi) {
		uint32_t at = lo + (hi - lo) / 2;

		if (names[at] < key)
			lo = at + 1;
		else
			hi = at;
	}
	return lo < cnt && names[lo] == key ? lo + 1 : 0;
}

void access_ids_make(const struct access_base *base, const struct access_party *party, bool dst,
	struct access_ids *out)
{
	const uint64_t *names = dst ? base->dst_names : base->src_names;
	uint32_t cnt = dst ? base->dst_name_cnt : base->src_name_cnt;
	static const struct access_who_test listed = {.kind = ACCESS_WHO_LISTED};

	out->party = *party;
	out->id[0] = out->id[1] = 0;
	out->id_cnt = 1;
	out->lists = 0;
	if (cnt > 0) {
		uint32_t user = party->user != 0 ? access_name_id(names, cnt, party->user) : 0;
		uint32_t group = party->group != 0 ? access_name_id(names, cnt, party->group) : 0;

		out->id[0] = user != 0 ? user : group;
		if (user != 0 && group != 0 && user != group) {
			out->id[1] = group;
			out->id_cnt = 2;
		}
	}
	if (base->list_cnt == 0 || !party->listable)
		return;
	out->lists = ACCESS_LISTS_BIT;
	for (uint32_t i = 0; i < base->list_cnt; i++) {
		struct access_who_test who = listed;

		who.list = i;
		if (access_who_holds(&who, party, base->lists))
			out->lists |= 1u << i;
	}
}

/* ---- in order --------------------------------------------------------------------------------- */

static bool is_dead(const struct access_set *set, uint32_t i)
{
	return set->dead != NULL && (set->dead[i / 64] >> i % 64 & 1) != 0;
}

uint32_t access_base_scan(const struct access_set *set, const struct access_key *key,
	const struct access_party *from_party, const struct access_party *to_party, uint32_t from,
	uint32_t to)
{
	const struct access_base *base = set->base;
	uint64_t k0 = key->word[0], k1 = key->word[1];
	uint16_t sport = (uint16_t)(key->ports[0] << 8 | key->ports[1]);
	uint16_t dport = (uint16_t)(key->ports[2] << 8 | key->ports[3]);

	for (uint32_t i = from; i < to; i++) {
		const struct access_glance *g = &base->glance[i];
		uint64_t odd = ((k0 & g->mask[0]) ^ g->want[0]) | ((k1 & g->mask[1]) ^ g->want[1]);

		/* Without branches of their own: which rule it is, is a guess, and wrong ones are dear. */
		odd |= (uint16_t)(sport - g->port_first[0]) > g->port_span[0];
		odd |= (uint16_t)(dport - g->port_first[1]) > g->port_span[1];
		if (odd != 0)
			continue;
		if ((g->whole ||
			    access_test_holds(
				    &base->test[i], key, from_party, to_party, base->lists)) &&
			!is_dead(set, i))
			return i;
	}
	return NONE;
}

/* ---- tables ----------------------------------------------------------------------------------- */

static void put_be32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

/* One lookup with these names; best[i] = the smaller of what it was and what was found. */
static void classify(const struct rte_acl_ctx *acl, const struct access_chunk *c,
	struct access_key *const *key, unsigned n, uint32_t *best)
{
	uint32_t found[FRAME_BURST];

	rte_acl_classify(acl, (const uint8_t **)(uintptr_t)key, found, n, 1);
	for (unsigned i = 0; i < n; i++) {
		uint32_t index = found[i] != 0 ? c->from + found[i] - 1 : NONE;

		best[i] = index < best[i] ? index : best[i];
	}
}

/*
 * All names that the two parties have, in turn: a rule for anybody is found each time, one for a user or a
 * group when it is its turn.
 */
static void classify_names(const struct access_base *base, const struct rte_acl_ctx *acl,
	const struct access_chunk *c, struct access_key *const *key, unsigned n,
	const struct access_ids *from, const struct access_ids *to, uint32_t *best)
{
	unsigned to_cnt = to != NULL ? to->id_cnt : 1;

	for (unsigned i = 0; i < n; i++)
		best[i] = NONE;
	if (base->src_name_cnt + base->dst_name_cnt + base->list_cnt == 0) {
		classify(acl, c, key, n, best);
		return;
	}
	for (unsigned s = 0; s < from->id_cnt; s++) {
		for (unsigned d = 0; d < to_cnt; d++) {
			for (unsigned i = 0; i < n; i++) {
				put_be32(key[i]->src_who, from->id[s]);
				put_be32(key[i]->src_lists, from->lists);
				put_be32(key[i]->dst_who, to != NULL ? to->id[d] : 0);
				put_be32(key[i]->dst_lists, to != NULL ? to->lists : 0);
			}
			classify(acl, c, key, n, best);
		}
	}
}

/* Frames that are still looked for, by kind: the tables are. */
struct rest {
	unsigned n;
	uint8_t at[FRAME_BURST];
	struct access_key *key[FRAME_BURST];
};

static void chunk_scan(const struct access_set *set, const struct access_chunk *c, struct rest *r,
	const struct access_ids *from, const struct access_ids *to, uint32_t lo, uint32_t hi,
	uint32_t *index)
{
	uint32_t first = c->from > lo ? c->from : lo, last = c->to < hi ? c->to : hi;
	unsigned k = 0;

	for (unsigned i = 0; i < r->n; i++) {
		uint32_t found = access_base_scan(
			set, r->key[i], &from->party, to != NULL ? &to->party : NULL, first, last);

		index[r->at[i]] = found;
		if (found != NONE)
			continue;
		r->at[k] = r->at[i];
		r->key[k++] = r->key[i];
	}
	r->n = k;
}

static void chunk_lookup(const struct access_set *set, const struct access_chunk *c,
	const struct rte_acl_ctx *acl, struct rest *r, const struct access_ids *from,
	const struct access_ids *to, uint32_t lo, uint32_t hi, uint32_t *index)
{
	uint32_t best[FRAME_BURST], last = c->to < hi ? c->to : hi;
	unsigned k = 0;

	classify_names(set->base, acl, c, r->key, r->n, from, to, best);
	for (unsigned i = 0; i < r->n; i++) {
		uint32_t found = best[i];

		/* Gone, or before the part that is asked for: the next one is not in the tables. */
		if (found != NONE && (found < lo || is_dead(set, found)))
			found = access_base_scan(set, r->key[i], &from->party,
				to != NULL ? &to->party : NULL, found < lo ? lo : found + 1, last);
		if (found != NONE && found < hi) {
			index[r->at[i]] = found;
			continue;
		}
		r->at[k] = r->at[i];
		r->key[k++] = r->key[i];
	}
	r->n = k;
}

/* Rules lo <= index < hi of the base. `r` are frames of one kind. */
static void base_find(const struct access_set *set, enum access_kind kind, struct rest *r,
	const struct access_ids *from, const struct access_ids *to, uint32_t lo, uint32_t hi,
	uint32_t *index)
{
	const struct access_base *base = set->base;

	for (uint32_t i = 0; i < base->chunk_cnt && r->n > 0; i++) {
		const struct access_chunk *c = &base->chunk[i];

		if (c->to <= lo)
			continue;
		if (c->from >= hi)
			return;
		if (c->scanned)
			chunk_scan(set, c, r, from, to, lo, hi, index);
		else if (c->table[kind].acl != NULL)
			chunk_lookup(set, c, c->table[kind].acl, r, from, to, lo, hi, index);
	}
	/* The one that matches everything; what stands behind it counts if it is gone. */
	if (r->n > 0 && base->end < hi) {
		const struct access_chunk rules = {.from = base->end, .to = base->cnt};

		chunk_scan(set, &rules, r, from, to, lo, hi, index);
	}
}

/* A fresh rule that stands before what the base has found. */
static void fresh_find(const struct access_set *set, const struct access_key *key,
	const struct access_party *from, const struct access_party *to, uint32_t lo, uint32_t hi,
	uint32_t *order)
{
	for (uint32_t i = 0; i < set->fresh_cnt; i++) {
		uint32_t at = set->fresh_order[i];

		if (at >= hi || at > *order)
			return;
		if (at >= lo &&
			access_test_holds(&set->fresh_test[i], key, from, to, set->base->lists)) {
			*order = at;
			return;
		}
	}
}

void access_set_find(const struct access_set *set, struct access_key *const *key, unsigned n,
	const struct access_ids *from, const struct access_ids *to, uint32_t lo, uint32_t hi,
	uint32_t *order)
{
	const struct access_base *base = set->base;
	uint32_t first = lo >> ACCESS_ORDER_SHIFT, last = hi >> ACCESS_ORDER_SHIFT;
	uint32_t index[FRAME_BURST];
	struct rest r;

	last = last < base->cnt ? last : base->cnt;
	for (unsigned i = 0; i < n; i++)
		index[i] = NONE;
	for (unsigned kind = 0; kind < ACCESS_KIND_CNT && first < last; kind++) {
		r.n = 0;
		for (unsigned i = 0; i < n; i++) {
			if (key[i]->kind != kind)
				continue;
			r.at[r.n] = (uint8_t)i;
			r.key[r.n++] = key[i];
		}
		if (r.n > 0)
			base_find(set, (enum access_kind)kind, &r, from, to, first, last, index);
	}
	for (unsigned i = 0; i < n; i++) {
		order[i] = index[i] != NONE ? access_order_base(index[i]) : ACCESS_ORDER_END;
		if (set->fresh_cnt > 0)
			fresh_find(set, key[i], &from->party, to != NULL ? &to->party : NULL, lo,
				hi, &order[i]);
	}
}

const struct access_action *access_set_action(const struct access_set *set, uint32_t order)
{
	uint32_t lo = 0, hi = set->fresh_cnt;

	/* Orders of the base end in ones, and no fresh rule's does. */
	if ((order & ((1u << ACCESS_ORDER_SHIFT) - 1)) == (1u << ACCESS_ORDER_SHIFT) - 1)
		return &set->base->action[order >> ACCESS_ORDER_SHIFT];
	while (lo < hi) {
		uint32_t at = lo + (hi - lo) / 2;

		if (set->fresh_order[at] < order)
			lo = at + 1;
		else
			hi = at;
	}
	return &set->fresh_action[lo];
}

/* ---- asking ----------------------------------------------------------------------------------- */

static uint32_t scan_all(const struct access_set *set, const struct access_key *key,
	const struct access_party *from, const struct access_party *to, uint32_t lo, uint32_t hi)
{
	uint32_t last = hi >> ACCESS_ORDER_SHIFT, order, index;

	last = last < set->base->cnt ? last : set->base->cnt;
	index = access_base_scan(set, key, from, to, lo >> ACCESS_ORDER_SHIFT, last);
	order = index != NONE ? access_order_base(index) : ACCESS_ORDER_END;
	fresh_find(set, key, from, to, lo, hi, &order);
	return order;
}

void access_set_ask(const struct access_set *set, const uint8_t *data, uint32_t len,
	const struct access_party *from, const struct access_party *to, bool arp,
	struct access_verdict *out)
{
	const struct access_action *action;
	struct frame_class c;
	struct access_key key;
	enum access_kind kind;

	*out = (struct access_verdict){.order = ACCESS_ORDER_END};
	frame_classify(data, len, &c);
	kind = access_key_of(data, &c, arp, &key);
	if (kind == ACCESS_KIND_EXEMPT || kind == ACCESS_KIND_MALFORMED)
		return;
	out->order = scan_all(set, &key, from, NULL, 0, set->split);
	out->inbound = out->order != ACCESS_ORDER_END;
	if (!out->inbound && to != NULL)
		out->order = scan_all(set, &key, from, to, set->split, ACCESS_ORDER_END);
	if (out->order == ACCESS_ORDER_END)
		return;
	action = access_set_action(set, out->order);
	out->slot = action->slot;
	out->drop = (action->flags & ACCESS_ACT_DROP) != 0;
}
