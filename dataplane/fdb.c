/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC table, the workers' side: lookup and learning, and the small questions anybody may ask. The
 * protocol is told in fdb.h; deletion, ageing and growth are in fdb_sweep.c.
 */

#include "dataplane/fdb.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/fdb_table.h"
#include "dataplane/frame.h"

#define LOOKUP_MAX    (2 * FRAME_BURST) /* of which numbers fit 8 bits */
#define INITIAL_SLOTS 1024u

struct fdb *fdb_create(const struct fdb_conf *conf)
{
	uint64_t slots = fdb_slots_for(conf->max_entries);
	struct fdb_table *t;
	struct fdb *fdb;

	if (conf->max_entries < FDB_ENTRIES_MIN || conf->max_entries > FDB_ENTRIES_MAX ||
		conf->age_s == 0 || conf->gens == NULL) {
		errno = EINVAL;
		return NULL;
	}
	fdb = aligned_alloc(FDB_LINE, sizeof(*fdb));
	if (fdb == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	memset(fdb, 0, sizeof(*fdb));
	fdb->held = fdb_held_new();
	t = fdb_table_new(slots < INITIAL_SLOTS ? slots : INITIAL_SLOTS, 1, conf->socket);
	if (fdb->held == NULL || t == NULL) {
		fdb_table_free(t);
		fdb_held_free(fdb->held);
		free(fdb);
		errno = ENOMEM;
		return NULL;
	}
	fdb->secret[0] = conf->secret[0];
	fdb->secret[1] = conf->secret[1] | 1; /* an even factor would lose bits of the key */
	fdb->gens = conf->gens;
	fdb->max_entries = conf->max_entries;
	fdb->age_s = conf->age_s;
	fdb->socket = conf->socket;
	fdb->epoch = 1;
	atomic_init(&fdb->quantum_s, fdb_quantum_for(fdb_slots(t), fdb->age_s));
	/* All stripes' credits together stay under a quarter of the bound, so little is stranded. */
	fdb->batch = conf->max_entries / (4 * FDB_STRIPES);
	fdb->batch = fdb->batch < 1 ? 1 : fdb->batch > 64 ? 64 : fdb->batch;
	fdb_grant(fdb, fdb_slots(t), false);
	atomic_init(&fdb->churn, (int64_t)(fdb_slots(t) / FDB_CHURN_SHARE));
	atomic_init(&fdb->old, NULL);
	atomic_init(&fdb->cur, t);
	return fdb;
}

void fdb_destroy(struct fdb *fdb)
{
	if (fdb == NULL)
		return;
	fdb_ungrant(fdb);
	fdb_table_free(atomic_load(&fdb->cur));
	fdb_table_free(atomic_load(&fdb->old));
	fdb_table_free(fdb->next);
	fdb_held_free(fdb->held);
	free(fdb);
}

/* ---- lookup ---- */

/* No state of a slot (fdb_table.h), but less than an entry. */
#define NOT_THERE UINT64_C(3)

/*
 * v if the slot is another key's, else its value. The key is read first, with acquire (pairs with the CAS that
 * claimed the slot, and so with the sweeper's reset of the value before that): a value read after it was never
 * another key's, as a slot changes hands only across a grace period. The value's acquire pairs with the
 * release of its CAS.
 */
static inline __attribute__((always_inline)) uint64_t slot_value(
	const struct fdb_slot *s, uint64_t key, uint64_t v)
{
#if defined(__x86_64__) && !defined(FDB_PORTABLE_LOOKUP)
	/* Loads are in order here. In C it takes the compiler's mood whether this becomes a branch. */
	__asm__("cmpq %2, %1\n\tcmoveq %3, %0"
		: "+r"(v)
		: "r"(key), "m"(s->key), "m"(s->value)
		: "cc");
	return v;
#else
	uint64_t k = atomic_load_explicit(&s->key, memory_order_acquire);
	uint64_t w = atomic_load_explicit(&s->value, memory_order_acquire);

	return k == key ? w : v;
#endif
}

/* x if `on`, else 0, and the compiler is left no branch to make of it. */
static inline uint64_t only_if(bool on, uint64_t x)
{
	return x & -(uint64_t)on;
}

/*
 * The value of `key` in one bucket: an entry, or less than FDB_LIVE if there is none. No branch: which of
 * the slots matches is random, and a mispredicted branch costs more than comparing all four.
 */
static inline __attribute__((always_inline)) uint64_t bucket_value(
	const struct fdb_bucket *b, uint64_t key)
{
	uint64_t v = NOT_THERE;

	/* Backwards, so that the first in probe order stays. */
	v = slot_value(&b->slot[3], key, v);
	v = slot_value(&b->slot[2], key, v);
	v = slot_value(&b->slot[1], key, v);
	return slot_value(&b->slot[0], key, v);
}

static_assert(FDB_BUCKET_SLOTS == 4, "bucket_value() looks at four");

/*
 * Looks the keys todo[0..n-1] up in one table; what was not found stays in `todo`, and its value is less
 * than FDB_LIVE. `all`: todo is not read, keys 0..n-1 are meant (a constant, the body is inlined twice). Bit 63
 * of *odd: some key was there without an entry. Returns how many stay.
 */
static inline __attribute__((always_inline)) unsigned probe_burst(const struct fdb *fdb,
	const struct fdb_table *t, const uint64_t *keys, uint8_t *todo, bool all, unsigned n,
	uint64_t *values, uint64_t *odd)
{
	struct fdb_bucket *at[LOOKUP_MAX];
	unsigned left = 0, stay = 0;
	uint64_t states = 0;

	for (unsigned i = 0; i < n; i++) {
		at[i] = &t->bucket[fdb_hash(fdb, keys[all ? i : todo[i]]) & t->mask];
		__builtin_prefetch(at[i]);
	}
	/* Four keys of five are in their first bucket: the second line is fetched for the rest only. */
	for (unsigned i = 0; i < n; i++) {
		unsigned k = all ? i : todo[i];
		uint64_t v = bucket_value(at[i], keys[k]);

		values[k] = v;
		states |= v - NOT_THERE;
		todo[left] = (uint8_t)k;
		left += v < FDB_LIVE;
	}
	for (unsigned i = 0; i < left; i++) {
		at[i] = &t->bucket[fdb_other_bucket(t, fdb_hash(fdb, keys[todo[i]]))];
		__builtin_prefetch(at[i]);
	}
	for (unsigned i = 0; i < left; i++) {
		unsigned k = todo[i];
		uint64_t v = bucket_value(at[i], keys[k]);

		values[k] = v;
		states |= v - NOT_THERE;
		todo[stay] = (uint8_t)k;
		stay += v < FDB_LIVE;
	}
	*odd |= states;
	return stay;
}

/*
 * For a key that was seen in an odd state: claimed and not written yet, or carried to the new table in
 * this moment. Repeats, because an entry may have come to stand behind the walk: new table, old
 * table, and "away" in the old one means that by now it is in the new one.
 */
static uint64_t lookup_again(const struct fdb *fdb, uint64_t key)
{
	uint64_t h = fdb_hash(fdb, key);

	for (int i = 0; i < 3; i++) {
		struct fdb_table *t = atomic_load(&fdb->cur), *old = atomic_load(&fdb->old);
		struct fdb_found f = fdb_find(t, h, key);
		bool again = f.away || f.half != NULL;

		if (f.live == NULL && old != NULL && old != t) {
			f = fdb_find(old, h, key);
			again |= f.away || f.half != NULL;
		}
		if (f.live != NULL)
			return only_if(fdb_alive(fdb, f.value), f.value);
		if (!again)
			break;
	}
	return 0;
}

/* Keys come as source and destination of one frame: so do their values. */
typedef uint64_t pair __attribute__((vector_size(16), may_alias, aligned(8)));

/*
 * Entries of departed ports become 0. A burst has usually one port in all even places and one in all odd
 * ones, which takes an instruction or two per pair and two looks at generations.
 */
static void forget_departed(const struct fdb *fdb, uint64_t *values, unsigned n)
{
	pair first, odd = {0, 0};

	if (n % 2 == 0 && n > 0) {
		first = *(const pair *)values;
		for (unsigned i = 2; i < n; i += 2)
			odd |= *(const pair *)&values[i] ^ first;
		/* Port and generation only: each entry was refreshed in a second of its own. */
		if ((uint32_t)(odd[0] | odd[1]) == 0 && fdb_alive(fdb, values[0]) &&
			fdb_alive(fdb, values[1]))
			return;
	}
	for (unsigned i = 0; i < n; i++)
		values[i] = only_if(fdb_alive(fdb, values[i]), values[i]);
}

void fdb_lookup_bulk(const struct fdb *fdb, const uint64_t *keys, unsigned n, uint64_t *values)
{
	/* Pairs with the publication in fdb_sweep.c: whoever sees the new table sees the old one. */
	const struct fdb_table *t = atomic_load_explicit(&fdb->cur, memory_order_acquire);
	const struct fdb_table *old = atomic_load_explicit(&fdb->old, memory_order_acquire);
	uint8_t todo[LOOKUP_MAX];
	uint64_t odd = 0;
	unsigned left;

	assert(n <= LOOKUP_MAX);
	left = probe_burst(fdb, t, keys, todo, true, n, values, &odd);
	if (left != 0 && old != NULL && old != t)
		left = probe_burst(fdb, old, keys, todo, false, left, values, &odd);
	for (unsigned i = 0; i < left; i++)
		values[todo[i]] = odd >> 63 != 0 ? lookup_again(fdb, keys[todo[i]]) : 0;
	forget_departed(fdb, values, n);
}

/* ---- learning ---- */

static inline bool same_owner(uint64_t a, uint64_t b)
{
	return (uint32_t)a == (uint32_t)b;
}

static inline bool newer(uint64_t a, uint64_t b)
{
	return fdb_value_updated_s(a) > fdb_value_updated_s(b);
}

struct learning {
	struct fdb *fdb;
	struct fdb_stripe *own;
	struct fdb_table *table;
	uint64_t h;
	uint64_t key;
	uint64_t value; /* wanted */
	struct fdb_terms *terms;
	/* What the table that is being left knows: live == NULL unless the port still exists. */
	struct fdb_found old;
	uint32_t old_created_s;
};

/* A value has been put in the place of another one. */
static void rehold(struct fdb *fdb, uint64_t from, uint64_t to)
{
	if (fdb_value_port(from) == fdb_value_port(to))
		return;
	fdb_hold(fdb, from, -1);
	fdb_hold(fdb, to, 1);
}

/* May the port have no further entry? */
static bool over_limit(const struct learning *l)
{
	return l->terms->limit != 0 &&
		fdb_port_count(l->fdb, fdb_value_port(l->value)) >= l->terms->limit;
}

/* Brings an entry that is there up to date. */
static enum fdb_learn_result update(struct learning *l, struct fdb_slot *s, uint64_t v)
{
	bool same = same_owner(v, l->value);
	bool dead = !fdb_alive(l->fdb, v);

	/* Workers' clocks differ by a turn: the one behind must not write the second back and forth. */
	if (same && !newer(l->value, v))
		return FDB_KNOWN;
	if (!same && over_limit(l))
		return FDB_OVER_LIMIT;
	/* Release: the port behind the value was published before (pairs with bucket_value). */
	if (!atomic_compare_exchange_strong(&s->value, &v, l->value))
		return v >= FDB_LIVE && same_owner(v, l->value) ? FDB_KNOWN : FDB_RACED;
	if (same)
		return FDB_KNOWN;
	rehold(l->fdb, v, l->value);
	if (!dead)
		return FDB_MOVED;
	atomic_store_explicit(&l->table->created[fdb_slot_index(l->table, s)],
		fdb_value_updated_s(l->value), memory_order_relaxed);
	return FDB_LEARNED;
}

/*
 * After a new key got its value: another thread (a worker, or growth with an older value) may have
 * claimed the same key in a slot that comes first in probe order and wins every lookup. Either that
 * claim is seen here, and the slot gets our value, or it was made after our value could be seen, and the
 * other one finds it. Our own slot stays; the sweeper clears it.
 */
static void settle(struct learning *l, const struct fdb_slot *mine)
{
	struct fdb_probe p = fdb_probe(l->table, l->h);

	for (unsigned i = 0; i < 2 * FDB_BUCKET_SLOTS; i++) {
		struct fdb_slot *s = &p.bucket[i / FDB_BUCKET_SLOTS]->slot[i % FDB_BUCKET_SLOTS];
		uint64_t v;

		if (s == mine)
			return;
		if (atomic_load(&s->key) != l->key)
			continue;
		v = atomic_load(&s->value);
		for (int tries = 0; tries < 4; tries++) {
			bool empty = v == FDB_UNSET;

			if (!empty &&
				(v < FDB_LIVE || (same_owner(v, l->value) && !newer(l->value, v))))
				break;
			if (!atomic_compare_exchange_strong(&s->value, &v, l->value))
				continue;
			if (empty) {
				(void)fdb_credit_take(l->fdb, l->own, true);
				fdb_hold(l->fdb, l->value, 1);
			} else {
				rehold(l->fdb, v, l->value);
			}
			break;
		}
	}
}

/* The table, not the bound, refuses a new key: noted, for growth to see. */
static enum fdb_learn_result crowded(struct learning *l)
{
	atomic_fetch_add_explicit(&l->own->crowded, 1, memory_order_relaxed);
	/* Known in the old table only, and on another port: rather unknown than wrong. */
	if (l->old.live != NULL && !same_owner(l->old.value, l->value))
		fdb_retire(l->fdb, l->own, l->old.live, l->old.value, FDB_UNSET);
	return FDB_FULL;
}

/* Makes an entry of a key that has none in this table. */
static enum fdb_learn_result insert(struct learning *l, const struct fdb_found *here)
{
	bool moves_in = l->old.live != NULL;
	struct fdb_slot *s = here->half != NULL ? here->half : here->room;
	uint64_t v = FDB_UNSET;
	struct fdb_found now;

	if (over_limit(l) && !(moves_in && same_owner(l->old.value, l->value)))
		return FDB_OVER_LIMIT;
	if (s == NULL)
		return crowded(l);
	if (!fdb_credit_take(l->fdb, l->own, moves_in)) {
		/* More is to come from growth: nothing has to be given up. */
		if (!atomic_load_explicit(&l->fdb->bounded, memory_order_relaxed))
			return crowded(l);
		if (!fdb_evict(l->fdb, l->own, l->table, l->h, fdb_value_port(l->value),
			    &l->terms->tries) ||
			!fdb_credit_take(l->fdb, l->own, false))
			return FDB_FULL;
	}
	if (s == here->room && s != here->half) {
		uint64_t k = 0;

		/* Acquires what the sweeper did before it set the key free: the value is unset. */
		if (!atomic_compare_exchange_strong(&s->key, &k, l->key) && k != l->key) {
			fdb_credit_give(l->fdb, l->own);
			return FDB_RACED;
		}
		/* Somebody may have claimed an earlier slot meanwhile: then that one is filled. */
		now = fdb_find(l->table, l->h, l->key);
		s = now.half;
		if (now.live != NULL || s == NULL) {
			fdb_credit_give(l->fdb, l->own);
			return now.live != NULL ? update(l, now.live, now.value) : FDB_RACED;
		}
	}
	atomic_store_explicit(&l->table->created[fdb_slot_index(l->table, s)],
		moves_in ? l->old_created_s : fdb_value_updated_s(l->value), memory_order_relaxed);
	/* Release: pairs with bucket_value() for the port, with fdb_list() for `created`. */
	if (!atomic_compare_exchange_strong(&s->value, &v, l->value)) {
		fdb_credit_give(l->fdb, l->own);
		return v >= FDB_LIVE ? update(l, s, v) : FDB_RACED;
	}
	fdb_hold(l->fdb, l->value, 1);
	settle(l, s);
	if (!moves_in)
		return FDB_LEARNED;
	/* Only now: a reader that misses here and then finds it gone there looks here again. */
	fdb_retire(l->fdb, l->own, l->old.live, l->old.value, FDB_AWAY);
	return same_owner(l->old.value, l->value) ? FDB_KNOWN : FDB_MOVED;
}

/*
 * The port's own entry, in a later quantum than the caller saw a moment ago: one CAS where it stands, as long as
 * nothing has happened to it.
 */
static bool refresh(const struct learning *l, uint64_t seen)
{
	struct fdb_probe p =
		fdb_probe(atomic_load_explicit(&l->fdb->cur, memory_order_acquire), l->h);

	for (unsigned i = 0; i < 2 * FDB_BUCKET_SLOTS; i++) {
		struct fdb_slot *s = &p.bucket[i / FDB_BUCKET_SLOTS]->slot[i % FDB_BUCKET_SLOTS];

		/* Acquire as in slot_value(). */
		if (atomic_load_explicit(&s->key, memory_order_acquire) == l->key)
			return atomic_compare_exchange_strong(&s->value, &seen, l->value);
	}
	return false;
}

/* False: the table is no longer the current one, begin again. */
static bool learn_in(struct learning *l, struct fdb_table *old, enum fdb_learn_result *result)
{
	struct fdb_found here = fdb_find(l->table, l->h, l->key);

	l->old = (struct fdb_found){0};
	if (here.live == NULL && old != NULL && old != l->table) {
		l->old = fdb_find(old, l->h, l->key);
		if (l->old.away)
			here = fdb_find(l->table, l->h, l->key);
		if (l->old.live != NULL && !fdb_alive(l->fdb, l->old.value))
			l->old.live = NULL;
		if (l->old.live != NULL)
			l->old_created_s = atomic_load_explicit(
				&old->created[fdb_slot_index(old, l->old.live)],
				memory_order_relaxed);
	}
	if (here.live != NULL)
		*result = update(l, here.live, here.value);
	else if (here.away)
		return false;
	else if (l->old.live != NULL && same_owner(l->old.value, l->value) &&
		!newer(l->value, l->old.value))
		*result = FDB_KNOWN;
	else
		*result = insert(l, &here);
	return true;
}

enum fdb_learn_result fdb_learn(struct fdb *fdb, uint64_t key, uint64_t seen, uint32_t port_idx,
	uint16_t gen, uint32_t now_s)
{
	struct fdb_terms any = {.tries = UINT32_MAX};

	return fdb_learn_on_terms(fdb, key, seen, port_idx, gen, now_s, &any);
}

enum fdb_learn_result fdb_learn_on_terms(struct fdb *fdb, uint64_t key, uint64_t seen,
	uint32_t port_idx, uint16_t gen, uint32_t now_s, struct fdb_terms *terms)
{
	struct learning l = {
		.fdb = fdb,
		.key = key,
		.value = (uint64_t)now_s << 32 | (uint64_t)port_idx << 12 | gen,
		.terms = terms,
	};
	enum fdb_learn_result r = FDB_RACED;

	if (fdb_is_fresh(seen, port_idx, gen, now_s, fdb_quantum_s(fdb)))
		return FDB_KNOWN;
	l.h = fdb_hash(fdb, key);
	if (same_owner(seen, l.value) && newer(l.value, seen) && refresh(&l, seen))
		return FDB_KNOWN;
	l.own = fdb_own_stripe(fdb);
	/* The table changes at most once while a reader is online (growth waits for it in between). */
	for (int i = 0; i < 2; i++) {
		l.table = atomic_load_explicit(&fdb->cur, memory_order_acquire);
		if (learn_in(&l, atomic_load_explicit(&fdb->old, memory_order_acquire), &r))
			break;
	}
	switch (r) {
	case FDB_LEARNED:
		atomic_fetch_add_explicit(&l.own->learned, 1, memory_order_relaxed);
		break;
	case FDB_MOVED:
		atomic_fetch_add_explicit(&l.own->moved, 1, memory_order_relaxed);
		break;
	case FDB_FULL:
		atomic_fetch_add_explicit(&l.own->full, 1, memory_order_relaxed);
		break;
	case FDB_RACED:
		atomic_fetch_add_explicit(&l.own->raced, 1, memory_order_relaxed);
		break;
	case FDB_OVER_LIMIT:
		atomic_fetch_add_explicit(&l.own->limited, 1, memory_order_relaxed);
		break;
	case FDB_KNOWN:
		break;
	}
	return r;
}

/* ---- questions ---- */

/*
 * The cursor names a table and a slot in it, since growth may replace the table between two calls. The
 * old table is listed before the new one: an entry is found in the old one, or has been carried to the
 * new one, which is still to come. A cursor into a table that is gone starts on the new one.
 */
size_t fdb_list(const struct fdb *fdb, uint64_t *cursor, struct fdb_entry *out, size_t max)
{
	const struct fdb_table *cur = atomic_load(&fdb->cur), *old = atomic_load(&fdb->old);
	const struct fdb_table *t = old != NULL ? old : cur;
	uint64_t i = *cursor & UINT32_MAX, end, visit = 4096 + 16 * (uint64_t)max;
	size_t n = 0;

	if (*cursor == UINT64_MAX)
		return 0;
	if (*cursor >> 32 == cur->id)
		t = cur;
	else if (*cursor >> 32 != t->id)
		i = 0;
	end = fdb_slots(t);
	for (; i < end && n < max && visit > 0; i++, visit--) {
		const struct fdb_slot *s = fdb_slot_at(t, (uint32_t)i);
		uint64_t k = atomic_load_explicit(&s->key, memory_order_acquire);
		uint64_t v = atomic_load_explicit(&s->value, memory_order_acquire);

		if (!(k & FDB_KEY_VALID) || v < FDB_LIVE || !fdb_alive(fdb, v))
			continue;
		out[n++] = (struct fdb_entry){
			.mac = k & ((UINT64_C(1) << FDB_VLAN_SHIFT) - 1),
			.vlan = k >> FDB_VLAN_SHIFT & 0xfff,
			.port_idx = fdb_value_port(v),
			.port_gen = fdb_value_gen(v),
			.created_s = atomic_load_explicit(&t->created[i], memory_order_relaxed),
			.updated_s = fdb_value_updated_s(v),
		};
	}
	if (i < end)
		*cursor = (uint64_t)t->id << 32 | i;
	else
		*cursor = t == cur ? UINT64_MAX : (uint64_t)cur->id << 32;
	return n;
}

uint32_t fdb_count(const struct fdb *fdb)
{
	int64_t n = atomic_load_explicit(&fdb->granted, memory_order_relaxed) -
		atomic_load_explicit(&fdb->budget, memory_order_relaxed);

	for (unsigned i = 0; i < FDB_STRIPES; i++)
		n -= atomic_load_explicit(&fdb->stripe[i].credit, memory_order_relaxed);
	return n < 0 ? 0 : (uint32_t)n;
}

uint32_t fdb_port_count(const struct fdb *fdb, uint32_t port_idx)
{
	int32_t n = atomic_load_explicit(fdb_held(fdb, port_idx), memory_order_relaxed);

	/* Below 0 for a moment: of two that change an entry the second may be the first to say so. */
	return n < 0 ? 0 : (uint32_t)n;
}

void fdb_count_rationed(struct fdb *fdb, unsigned n)
{
	atomic_fetch_add_explicit(&fdb_own_stripe(fdb)->rationed, n, memory_order_relaxed);
}

uint32_t fdb_quantum_s(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->quantum_s, memory_order_relaxed);
}

uint32_t fdb_capacity_bound(const struct fdb *fdb)
{
	return fdb->max_entries;
}

void fdb_counters(const struct fdb *fdb, struct fdb_counters *out)
{
	*out = (struct fdb_counters){
		.aged = atomic_load_explicit(&fdb->aged, memory_order_relaxed),
		.flushed = atomic_load_explicit(&fdb->flushed, memory_order_relaxed),
	};
	for (unsigned i = 0; i < FDB_STRIPES; i++) {
		const struct fdb_stripe *s = &fdb->stripe[i];

		out->learned += atomic_load_explicit(&s->learned, memory_order_relaxed);
		out->moved += atomic_load_explicit(&s->moved, memory_order_relaxed);
		out->not_learned_full += atomic_load_explicit(&s->full, memory_order_relaxed);
		out->not_learned_crowded += atomic_load_explicit(&s->crowded, memory_order_relaxed);
		out->not_learned_raced += atomic_load_explicit(&s->raced, memory_order_relaxed);
		out->evicted += atomic_load_explicit(&s->evicted, memory_order_relaxed);
		out->not_learned_limit += atomic_load_explicit(&s->limited, memory_order_relaxed);
		out->not_learned_rationed +=
			atomic_load_explicit(&s->rationed, memory_order_relaxed);
	}
}
