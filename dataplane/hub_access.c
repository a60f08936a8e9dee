/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The access list in the path of a burst: behind policy and filters where frames come in (reference/hub.md 3 steps 14
 * and 15), and once more for each receiver if the list names receivers (step 24).
 *
 * Between the two passes a frame carries one bit: that some rule has decided already (burst.judged; to another worker in
 * the mbuf).
 */

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_random.h>

#include "dataplane/access_priv.h"
#include "dataplane/hub_access_priv.h"
#include "dataplane/hub_input_priv.h"

#define MASK_FOREACH(j, mask)         \
	for (uint64_t left_ = (mask); \
		left_ != 0 && ((j) = (unsigned)__builtin_ctzll(left_), true); left_ &= left_ - 1)

/* ---- keys ------------------------------------------------------------------------------------- */

/* kind of frame j, its key in scratch. */
static enum access_kind key_make(struct burst *b, const struct access_set *set, unsigned j)
{
	struct access_key *key = &b->lc->scratch->key[j];
	const struct frame *f = b->frame[j];
	const struct hub_options *o = &b->options->options;
	const struct frame_class *c;

	if (likely(access_key_fast(f->data, f->len, key)) && likely(!o->disable_ip_parsing))
		return ACCESS_KIND_IPV4;
	c = burst_class(b, j);
	/* What the hub asked for is no business of the list's. */
	if (unlikely(c->l3 == FRAME_L3_ARP && frame_dst(f) == b->hub->probe_mac))
		return ACCESS_KIND_EXEMPT;
	if (unlikely((c->classes & FRAME_TCP4_OVERLAP) != 0) && set->asks_tcp_state)
		return ACCESS_KIND_OVERLAP;
	return access_key_of(f->data, c, o->access_on_arp, key);
}

/* One writer per counter; readers elsewhere. */
static inline void hits_add(
	const struct access_set *set, const struct lcore *lc, uint32_t slot, unsigned n)
{
	uint64_t *cnt = &set->hits->cnt[lc->index][slot];

	__atomic_store_n(cnt, *cnt + n, __ATOMIC_RELAXED);
}

/* ---- in --------------------------------------------------------------------------------------- */

static uint64_t bits_below(unsigned j)
{
	return (UINT64_C(1) << j) - 1;
}

void input_compact(struct input *in, uint64_t removed)
{
	struct burst *b = &in->b;
	struct hub_scratch *s = b->lc->scratch;
	unsigned k = (unsigned)__builtin_ctzll(removed);
	uint64_t broadcast = in->broadcast & bits_below(k);
	uint64_t classified = b->classified & bits_below(k);
	uint64_t usual = b->usual & bits_below(k);
	uint64_t judged = b->judged & bits_below(k);

	for (unsigned j = k; j < b->n; j++) {
		if ((removed >> j & 1) != 0)
			continue;
		b->frame[k] = b->frame[j];
		in->keys[2 * k] = in->keys[2 * j];
		in->keys[2 * k + 1] = in->keys[2 * j + 1];
		if ((b->classified >> j & 1) != 0)
			s->cls[k] = s->cls[j];
		broadcast |= (in->broadcast >> j & 1) << k;
		classified |= (b->classified >> j & 1) << k;
		usual |= (b->usual >> j & 1) << k;
		judged |= (b->judged >> j & 1) << k;
		k++;
	}
	b->n = k;
	b->bytes = 0;
	b->classified = classified;
	b->usual = usual;
	b->judged = judged;
	b->keyed = 0; /* the second pass makes them again */
	in->broadcast = broadcast;
}

static void drop(struct input *in, unsigned j, enum stats_drop_in reason)
{
	input_drop(in, in->b.frame[j], reason);
}

static int32_t jittered(const struct access_action *a)
{
	uint32_t range = (uint32_t)a->delay_ms * a->jitter / 100;
	int32_t by = range != 0 ? (int32_t)rte_rand_max(2 * range + 1) - (int32_t)range : 0;

	return (int32_t)a->delay_ms + by;
}

/* Frame j, which is of a kind behind ACCESS_KIND_EXEMPT, goes nowhere. */
static void drop_kind(struct input *in, unsigned j, enum access_kind kind)
{
	drop(in, j,
		kind == ACCESS_KIND_OVERLAP ? STATS_DROP_IN_ACCESS_OVERLAP : STATS_DROP_IN_HEADER);
}

/* A rule that passes, with conditions. Returns whether the frame has left the burst. */
static bool special(struct input *in, unsigned j, const struct access_action *a)
{
	struct burst *b = &in->b;
	enum stats_drop_in reason;

	if (a->url != NULL && hub_redirects(b, j)) {
		drop(in, j, hub_redirect(in, j, a->url));
		return true;
	}
	if (a->loss != 0 && rte_rand_max(100) < a->loss) {
		drop(in, j, STATS_DROP_IN_ACCESS_LOSS);
		return true;
	}
	if (a->delay_ms == 0)
		return false;
	reason = hub_park(in, j, a->slot, (uint32_t)jittered(a));
	if (reason == STATS_DROP_IN_CNT)
		input_unreceive(in, j);
	else
		drop(in, j, reason);
	return true;
}

/* What the rules that were found do. */
static uint64_t act(struct input *in, const struct access_set *set, const uint8_t *at, unsigned n,
	const uint32_t *order)
{
	const struct access_action *action[FRAME_BURST];
	const struct lcore *lc = in->b.lc;
	uint64_t removed = 0, judged = 0;
	uint64_t *hits = set->hits->cnt[lc->index];

	for (unsigned i = 0; i < n; i++) {
		action[i] = order[i] != ACCESS_ORDER_END ? access_set_action(set, order[i]) : NULL;
		rte_prefetch0(action[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		if (action[i] != NULL)
			rte_prefetch0(&hits[action[i]->slot]);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct access_action *a = action[i];
		uint64_t bit = UINT64_C(1) << at[i];

		if (a == NULL)
			continue;
		hits_add(set, lc, a->slot, 1);
		judged |= bit;
		if (likely(a->flags == 0))
			continue;
		if ((a->flags & ACCESS_ACT_DROP) != 0) {
			drop(in, at[i], STATS_DROP_IN_ACCESS);
			removed |= bit;
		} else if (special(in, at[i], a)) {
			removed |= bit;
		}
	}
	in->b.judged |= judged;
	return removed;
}

/* The columns of the burst. Returns the frames that rules may match; *removed: those that go nowhere. */
static uint64_t columns_make(struct input *in, const struct access_set *set, uint64_t *removed)
{
	struct burst *b = &in->b;
	const uint32_t used = set->base->quick.columns;
	struct hub_scratch *s = b->lc->scratch;
	uint64_t usual = 0, open;
	unsigned j;

	if (likely(!b->options->options.disable_ip_parsing))
		usual = access_columns_fill(&s->columns, used, b->frame, b->n);
	open = usual;
	if (likely(usual == burst_all(b)))
		return open;
	MASK_FOREACH(j, burst_all(b) & ~usual)
	{
		uint64_t bit = UINT64_C(1) << j;
		enum access_kind kind = key_make(b, set, j);

		if (likely(kind < ACCESS_KIND_EXEMPT)) {
			access_columns_put(&s->columns, used, j, &s->key[j]);
			open |= bit;
		} else if (kind == ACCESS_KIND_EXEMPT) {
			b->judged |= bit;
		} else {
			drop_kind(in, j, kind);
			*removed |= bit;
		}
	}
	return open;
}

/* Hits of the rules that were compared, one sum for each. Returns the frames whose rule does more than to let them pass. */
static uint64_t met_few(const struct input *in, const struct access_set *set,
	const struct access_found *found, uint32_t rule[FRAME_BURST])
{
	const struct access_base *base = set->base;
	uint64_t acting = 0;
	unsigned j;

	for (uint32_t i = 0; i < found->few_cnt; i++) {
		const struct access_action *a = &base->action[base->quick.few[i].index];

		if (found->few[i] == 0)
			continue;
		hits_add(set, in->b.lc, a->slot, (unsigned)__builtin_popcountll(found->few[i]));
		if (likely(a->flags == 0))
			continue;
		acting |= found->few[i];
		MASK_FOREACH(j, found->few[i])
		rule[j] = base->quick.few[i].index;
	}
	return acting;
}

/* The same where each frame has a rule of its own: found->rule[j]. */
static uint64_t met_hashed(
	const struct input *in, const struct access_set *set, const struct access_found *found)
{
	const struct access_base *base = set->base;
	uint64_t *hits = set->hits->cnt[in->b.lc->index];
	uint32_t slot[FRAME_BURST];
	uint64_t acting = 0;
	unsigned j;

	MASK_FOREACH(j, found->hashed)
	rte_prefetch0(&base->brief[found->rule[j]]);
	MASK_FOREACH(j, found->hashed)
	{
		uint32_t brief = base->brief[found->rule[j]];

		slot[j] = brief & 0xffff;
		acting |= (uint64_t)(brief >> 16 != 0) << j;
		rte_prefetch0(&hits[slot[j]]);
	}
	MASK_FOREACH(j, found->hashed)
	hits_add(set, in->b.lc, slot[j], 1);
	return acting;
}

/*
 * What the rules do, in the order in which the frames came, whichever way each one's rule was found: two rules that delay
 * may have frames of one flow. Returns those that have left.
 */
static uint64_t act_each(struct input *in, const struct access_base *base, uint64_t acting,
	const uint32_t rule[FRAME_BURST])
{
	uint64_t removed = 0;
	unsigned j;

	MASK_FOREACH(j, acting)
	{
		const struct access_action *a = &base->action[rule[j]];

		if ((a->flags & ACCESS_ACT_DROP) != 0) {
			drop(in, j, STATS_DROP_IN_ACCESS);
			removed |= UINT64_C(1) << j;
		} else {
			removed |= (uint64_t)special(in, j, a) << j;
		}
	}
	return removed;
}

static void input_quick(struct input *in, const struct access_set *set)
{
	struct burst *b = &in->b;
	const struct access_base *base = set->base;
	struct access_found found;
	uint64_t removed = 0, acting = 0, open;

	open = columns_make(in, set, &removed);
	access_quick_find(base, &b->lc->scratch->columns, b->n, open, &in->port->party, &found);
	b->judged |= found.hashed;
	for (uint32_t i = 0; i < found.few_cnt; i++)
		b->judged |= found.few[i];
	/* What is hashed first: frames of the others have anything in found.rule[]. */
	if (found.hashed != 0)
		acting = met_hashed(in, set, &found);
	acting |= met_few(in, set, &found, found.rule);
	if (unlikely(acting != 0))
		removed |= act_each(in, base, acting, found.rule);
	if (removed != 0)
		input_compact(in, removed);
}

void input_access(struct input *in, const struct access_set *set)
{
	struct burst *b = &in->b;
	struct access_key *key[FRAME_BURST];
	uint32_t order[FRAME_BURST];
	uint8_t at[FRAME_BURST];
	struct access_ids from;
	uint64_t removed = 0;
	unsigned n = 0;

	if (likely(set->quick)) {
		input_quick(in, set);
		return;
	}
	for (unsigned j = 0; j < b->n; j++) {
		enum access_kind kind = key_make(b, set, j);

		if (likely(kind < ACCESS_KIND_EXEMPT)) {
			key[n] = &b->lc->scratch->key[j];
			at[n++] = (uint8_t)j;
		} else if (kind == ACCESS_KIND_EXEMPT) {
			b->judged |= UINT64_C(1) << j;
		} else {
			drop_kind(in, j, kind);
			removed |= UINT64_C(1) << j;
		}
	}
	b->keyed = burst_all(b);
	if (n > 0 && set->split > 0) {
		access_ids_make(set->base, &in->port->party, false, &from);
		access_set_find(set, key, n, &from, NULL, 0, set->split, order);
		removed |= act(in, set, at, n, order);
	}
	if (removed != 0)
		input_compact(in, removed);
	if (set->split != ACCESS_ORDER_END)
		b->access_out = set;
}

void input_again(struct input *in)
{
	struct burst *b = &in->b;

	if (in->b.options->options.no_manage_vlan_id) {
		for (unsigned j = 0; j < 2 * b->n; j++)
			in->keys[j] &= ~(UINT64_C(0xfff) << FDB_VLAN_SHIFT);
	}
	b->judged = burst_all(b);
	b->access_out = hub_access_out(b->hub);
}

void input_unreceive(struct input *in, unsigned j)
{
	const struct frame *f = in->b.frame[j];

	in->parked++;
	if ((in->broadcast >> j & 1) != 0) {
		in->in.broadcast_frames--;
		in->in.broadcast_bytes -= f->len;
	} else {
		in->in.unicast_frames--;
		in->in.unicast_bytes -= f->len;
	}
}

/* ---- out -------------------------------------------------------------------------------------- */

/* The sender of frame j; NULL: it has left. *own: the hub itself sends. */
static const struct port *sender_of(const struct burst *b, unsigned j, bool *own)
{
	const struct port *p = b->source;

	*own = p == NULL && b->frame[j]->source == 0;
	if (p == NULL && !*own) {
		p = atomic_load_explicit(
			&port_table[b->frame[j]->source].port, memory_order_acquire);
		if (p != NULL && p->hub != b->hub)
			p = NULL;
	}
	return p;
}

/* Frames of the burst that one sender sent, and no rule has decided about. */
struct batch {
	unsigned n;
	uint8_t at[FRAME_BURST]; /* place in vec[] */
	struct access_key *key[FRAME_BURST];
	const struct port *sender;
};

/* The mask, over vec[], of what the list drops. */
static uint64_t batch_judge(struct burst *b, const struct access_ids *to, struct batch *batch)
{
	const struct access_set *set = b->access_out;
	uint32_t order[FRAME_BURST];
	struct access_ids from;
	uint64_t dropped = 0;

	if (batch->n == 0)
		return 0;
	access_ids_make(set->base, &batch->sender->party, false, &from);
	access_set_find(set, batch->key, batch->n, &from, to, set->split, ACCESS_ORDER_END, order);
	for (unsigned i = 0; i < batch->n; i++) {
		const struct access_action *a;

		if (order[i] == ACCESS_ORDER_END)
			continue;
		a = access_set_action(set, order[i]);
		hits_add(set, b->lc, a->slot, 1);
		if ((a->flags & ACCESS_ACT_DROP) != 0)
			dropped |= UINT64_C(1) << batch->at[i];
	}
	batch->n = 0;
	return dropped;
}

static uint64_t judge_all(struct burst *b, const struct port *port, const uint8_t *at, unsigned n)
{
	struct access_ids to;
	struct batch batch;
	uint64_t dropped = 0;

	access_ids_make(b->access_out->base, &port->party, true, &to);
	batch.n = 0;
	batch.sender = NULL;
	for (unsigned i = 0; i < n; i++) {
		unsigned j = at[i];
		const struct port *sender;
		bool own;

		if ((b->judged >> j & 1) != 0)
			continue;
		sender = sender_of(b, j, &own);
		if (own)
			continue;
		if (sender == NULL) {
			/* Nobody can say any more whose it was. */
			dropped |= UINT64_C(1) << i;
			continue;
		}
		if ((b->keyed >> j & 1) == 0 &&
			key_make(b, b->access_out, j) >= ACCESS_KIND_EXEMPT) {
			b->judged |= UINT64_C(1) << j;
			continue;
		}
		b->keyed |= UINT64_C(1) << j;
		if (sender != batch.sender)
			dropped |= batch_judge(b, &to, &batch);
		batch.sender = sender;
		batch.at[batch.n] = (uint8_t)i;
		batch.key[batch.n++] = &b->lc->scratch->key[j];
	}
	return dropped | batch_judge(b, &to, &batch);
}

unsigned burst_access(
	struct burst *b, struct port *port, struct frame **vec, uint8_t *at, unsigned n)
{
	uint64_t dropped = judge_all(b, port, at, n);
	unsigned cnt = (unsigned)__builtin_popcountll(dropped), k = 0;

	if (cnt == 0)
		return n;
	for (unsigned i = 0; i < n; i++) {
		if ((dropped >> i & 1) != 0) {
			/* Its reference alone: of a flood the frame is the other devices', too. */
			if (vec[i]->m != NULL)
				rte_pktmbuf_free(vec[i]->m);
			continue;
		}
		at[k] = at[i];
		vec[k++] = vec[i];
	}
	hub_count_copies(b->lc, port, cnt);
	hub_count_drop_out(b->lc, port, STATS_DROP_OUT_ACCESS, cnt);
	return k;
}
