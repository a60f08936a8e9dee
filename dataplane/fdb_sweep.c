/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC table, the control thread's side: ageing, flushing what departed ports left, giving slots back
 * after a grace period, and growth. Everything here runs on the control thread and in slices; nothing
 * waits. It alone takes keys away, so it alone decides when a slot may change hands.
 */

#include <errno.h>

#include "dataplane/fdb_table.h"
#include "dataplane/grace.h"

/* Pages of a new table are touched in slices of this, so that no worker pays for a page fault. */
#define TOUCH_BYTES (UINT64_C(4) << 20)

static void count_one(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/*
 * Retired keys bear the epoch in which they were retired. One grace period is under way at a time; the
 * keys of an epoch are free for reuse when the period that began at its end has passed: by then no
 * reader is left that saw the key and has yet to read the value.
 */
static void advance_epoch(struct fdb *fdb)
{
	if (fdb->token_waits && grace_passed(fdb->token)) {
		fdb->safe_epoch = fdb->token_epoch;
		fdb->token_waits = false;
	}
	if (!fdb->token_waits && fdb->epoch_used) {
		fdb->token_epoch = fdb->epoch++;
		fdb->epoch_used = false;
		fdb->token = grace_start();
		fdb->token_waits = true;
	}
}

static uint64_t use_epoch(struct fdb *fdb)
{
	fdb->epoch_used = true;
	return fdb->epoch;
}

/*
 * Takes a slot out of service if its value is still `v`. From the CAS on nobody else writes it: writers
 * that hold the key see a value they must not touch, or find no key. Free again one grace period later.
 */
static bool clear_slot(struct fdb *fdb, struct fdb_slot *s, uint64_t v)
{
	if (!atomic_compare_exchange_strong(&s->value, &v, FDB_CLEARING))
		return false;
	atomic_store_explicit(&s->key, use_epoch(fdb), memory_order_release);
	if (v >= FDB_LIVE) {
		fdb_hold(fdb, v, -1);
		fdb_credit_give(fdb, fdb_own_stripe(fdb));
	}
	return true;
}

/* Slots of a key in probe order: index of `s`, 8 if it is none of them. */
static unsigned probe_index(const struct fdb_probe *p, const struct fdb_slot *s)
{
	for (unsigned b = 0; b < 2; b++) {
		if (s >= p->bucket[b]->slot && s < p->bucket[b]->slot + FDB_BUCKET_SLOTS)
			return b * FDB_BUCKET_SLOTS + (unsigned)(s - p->bucket[b]->slot);
	}
	return 2 * FDB_BUCKET_SLOTS;
}

static struct fdb_slot *probe_slot(const struct fdb_probe *p, unsigned i)
{
	return &p->bucket[i / FDB_BUCKET_SLOTS]->slot[i % FDB_BUCKET_SLOTS];
}

/* Does an entry of the same key stand before `s`? */
static bool is_double(const struct fdb *fdb, const struct fdb_table *t, const struct fdb_slot *s)
{
	uint64_t key = atomic_load(&s->key);
	struct fdb_probe p = fdb_probe(t, fdb_hash(fdb, key));
	unsigned end = probe_index(&p, s);

	for (unsigned i = 0; i < end; i++) {
		const struct fdb_slot *o = probe_slot(&p, i);

		if (atomic_load(&o->key) == key && atomic_load(&o->value) >= FDB_LIVE)
			return true;
	}
	return false;
}

/* Takes an entry away, and before it what stands behind it under the same key. */
static bool remove_entry(struct fdb *fdb, struct fdb_table *t, struct fdb_slot *s, uint64_t v)
{
	uint64_t key = atomic_load(&s->key);
	struct fdb_probe p = fdb_probe(t, fdb_hash(fdb, key));

	for (unsigned i = 2 * FDB_BUCKET_SLOTS - 1; i > probe_index(&p, s); i--) {
		struct fdb_slot *o = probe_slot(&p, i);

		if (atomic_load(&o->key) == key)
			clear_slot(fdb, o, atomic_load(&o->value));
	}
	return clear_slot(fdb, s, v);
}

/*
 * Doubled keys are cleared a grace period after they were found: a reader may have passed the first
 * slot before that had its value, and still has to find the second.
 */
static void clear_doubles(struct fdb *fdb, struct fdb_table *t)
{
	unsigned keep = 0;

	for (unsigned i = 0; i < fdb->n_doubles; i++) {
		struct fdb_slot *s = fdb_slot_at(t, fdb->doubles[i].slot);
		uint64_t v = atomic_load(&s->value);

		if (fdb->doubles[i].epoch > fdb->safe_epoch)
			fdb->doubles[keep++] = fdb->doubles[i];
		else if ((atomic_load(&s->key) & FDB_KEY_VALID) && v >= FDB_LIVE &&
			is_double(fdb, t, s))
			clear_slot(fdb, s, v);
	}
	fdb->n_doubles = keep;
}

static void note_double(struct fdb *fdb, uint32_t slot, uint64_t key)
{
	for (unsigned i = 0; i < fdb->n_doubles; i++) {
		if (fdb->doubles[i].slot == slot && fdb->doubles[i].key == key)
			return;
	}
	if (fdb->n_doubles == FDB_DOUBLES)
		return; /* the next pass finds it again */
	fdb->doubles[fdb->n_doubles].slot = slot;
	fdb->doubles[fdb->n_doubles].key = key;
	fdb->doubles[fdb->n_doubles++].epoch = use_epoch(fdb);
}

static bool expired(const struct fdb *fdb, uint64_t v, uint32_t now_s)
{
	/* Its last frame may have come so much later than it says. */
	uint32_t life_s = fdb->age_s + fdb_quantum_s(fdb) - 1;

	/* A worker's clock may be ahead of ours by a turn. */
	return now_s > fdb_value_updated_s(v) && now_s - fdb_value_updated_s(v) > life_s;
}

static void visit(struct fdb *fdb, struct fdb_table *t, uint32_t index, uint32_t now_s)
{
	struct fdb_slot *s = fdb_slot_at(t, index);
	uint64_t k = atomic_load_explicit(&s->key, memory_order_acquire);
	uint64_t v;

	if (k == 0)
		return;
	if (!(k & FDB_KEY_VALID)) {
		if (k > fdb->safe_epoch)
			return;
		atomic_store_explicit(&s->value, FDB_UNSET, memory_order_relaxed);
		/* Pairs with the CAS that claims the key: the claimant finds the value unset. */
		atomic_store_explicit(&s->key, 0, memory_order_release);
		return;
	}
	v = atomic_load(&s->value);
	if (v == FDB_UNSET) {
		/* Deleted, given up, or a worker is about to write it, which then counts a race. */
		clear_slot(fdb, s, v);
		return;
	}
	/* A refresh or move in between saves the entry, or shows another reason to go. */
	while (v >= FDB_LIVE) {
		_Atomic uint64_t *counter = !fdb_alive(fdb, v) ? &fdb->flushed
			: expired(fdb, v, now_s)	       ? &fdb->aged
							       : NULL;

		if (counter == NULL) {
			if (is_double(fdb, t, s))
				note_double(fdb, index, k);
			return;
		}
		if (remove_entry(fdb, t, s, v)) {
			count_one(counter);
			return;
		}
		v = atomic_load(&s->value);
	}
}

/* ---- growth ---- */

static uint64_t crowded_sum(const struct fdb *fdb)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < FDB_STRIPES; i++)
		n += atomic_load_explicit(&fdb->stripe[i].crowded, memory_order_relaxed);
	return n;
}

/*
 * Slots the table should have, or 0 if it has enough. Grows at half load; and at an eighth if it had to refuse keys,
 * at the end once more than the bound demands. Both buckets of a key are full so early where its like are many: of
 * 256 addresses in a row 7 in a million, and who has drawn that lot would not be learned before a neighbour is gone.
 * Below an eighth nobody is helped: that keeps a table under sixteen slots for each entry, however often somebody is
 * refused. A storm that has outrun us shows in the number refused: then by more than two. It has left at least the
 * three eighths taken that the last growth let in (fdb_grant()); below that the refused are frames of a few keys.
 */
static uint64_t wanted_slots(struct fdb *fdb, const struct fdb_table *t)
{
	uint64_t crowded = crowded_sum(fdb), refused = crowded - fdb->crowded_seen;
	uint64_t live = fdb_count(fdb), have = fdb_slots(t), want = have;
	bool bounded = atomic_load_explicit(&fdb->bounded, memory_order_relaxed);
	uint64_t most = fdb_slots_for(fdb->max_entries);

	fdb->crowded_seen = crowded;
	if (refused != 0 && live * 8 > have) {
		want = have * 2;
		most *= 2;
	} else if (live * 2 > have && !bounded) {
		want = have * 2;
	}
	if (bounded) {
		/* Room in the buckets may be missing, but there will not be more entries. */
		return want > have && want <= most ? want : 0;
	}
	while (live * 3 > have && want > have && want < have * 8 && want < 3 * (live + refused))
		want *= 2;
	if (want > most)
		want = most;
	return want > have ? want : 0;
}

static void grow_begin(struct fdb *fdb, struct fdb_table *t)
{
	uint64_t slots = wanted_slots(fdb, t);

	if (slots == 0 || fdb->passes < fdb->grow_again)
		return;
	fdb->next = fdb_table_new(slots, t->id + 1, fdb->socket);
	if (fdb->next == NULL) {
		fdb->grow_again = fdb->passes + 1;
		return;
	}
	fdb->touched_bytes = fdb->next->mapped ? 0 : fdb->next->bytes;
	fdb->growth = FDB_PREPARE;
}

static void grow_prepare(struct fdb *fdb, struct fdb_table *t)
{
	struct fdb_table *next = fdb->next;
	size_t end = fdb->touched_bytes + TOUCH_BYTES;

	for (; fdb->touched_bytes < end && fdb->touched_bytes < next->bytes;
		fdb->touched_bytes += 4096)
		*((volatile char *)next->bucket + fdb->touched_bytes) = 0;
	if (fdb->touched_bytes < next->bytes)
		return;
	/* In this order: who sees the new table (acquire) also sees the old one beside it. */
	atomic_store(&fdb->old, t);
	atomic_store(&fdb->cur, next);
	fdb_grant(fdb, fdb_slots(next), true);
	atomic_store_explicit(&fdb->quantum_s, fdb_quantum_for(fdb_slots(next), fdb->age_s),
		memory_order_relaxed);
	fdb->next = NULL;
	/* Slots of the old table, and of a pass over it, mean nothing any more. */
	fdb->n_doubles = 0;
	fdb->cursor = 0;
	fdb->growth_token = grace_start();
	fdb->growth = FDB_ANNOUNCED;
}

/*
 * The first slot with this key and no value that is not `mine`; `mine` if there is no other; NULL if another
 * has got its value meanwhile.
 */
static struct fdb_slot *half_of_others(
	const struct fdb *fdb, const struct fdb_table *t, uint64_t key, struct fdb_slot *mine)
{
	struct fdb_probe p = fdb_probe(t, fdb_hash(fdb, key));

	for (unsigned i = 0; i < 2 * FDB_BUCKET_SLOTS; i++) {
		struct fdb_slot *s = probe_slot(&p, i);

		uint64_t v;

		if (s == mine || atomic_load(&s->key) != key)
			continue;
		v = atomic_load(&s->value);
		if (v == FDB_UNSET || v >= FDB_LIVE)
			return v == FDB_UNSET ? s : NULL;
	}
	return mine;
}

/*
 * Makes sure that the new table has the entry (K, v) of the old one, unless it knows K better already.
 * A claim by a worker that has no value yet gets this one, and is then moved by that worker; a claim of
 * ours that turns out not to be the only one is left without value. The worker for its part fills the
 * first claim it sees. Of the two at least one sees the other's: so an older value is never in front of
 * a newer one, not even for a moment. False: no room. *wrote: the slot that has our value now.
 */
static bool carry(struct fdb *fdb, struct fdb_table *to, uint64_t key, uint64_t v,
	uint32_t created_s, struct fdb_slot **wrote)
{
	uint64_t h = fdb_hash(fdb, key);
	struct fdb_found f = fdb_find(to, h, key);
	struct fdb_slot *mine = NULL;
	uint64_t unset = FDB_UNSET;

	*wrote = NULL;
	while (f.live == NULL && f.half == NULL) {
		uint64_t k = 0;

		if (f.room == NULL)
			return false;
		/* Whether we or somebody else got the slot: look again, it may not be alone. */
		if (atomic_compare_exchange_strong(&f.room->key, &k, key))
			mine = f.room;
		f = fdb_find(to, h, key);
	}
	if (f.live != NULL)
		return true;
	if (mine != NULL)
		f.half = half_of_others(fdb, to, key, mine);
	if (f.half == NULL)
		return true;
	(void)fdb_credit_take(fdb, fdb_own_stripe(fdb), true);
	atomic_store_explicit(
		&to->created[fdb_slot_index(to, f.half)], created_s, memory_order_relaxed);
	if (atomic_compare_exchange_strong(&f.half->value, &unset, v)) {
		fdb_hold(fdb, v, 1);
		*wrote = f.half;
	} else {
		fdb_credit_give(fdb, fdb_own_stripe(fdb));
	}
	return true;
}

/* What an entry is worth: less if it was seen in one quantum only, then by age. */
struct worth {
	bool once;
	uint32_t updated_s;
};

static struct worth worth_of(const struct fdb_table *t, const struct fdb_slot *s, uint64_t v)
{
	uint32_t created_s =
		atomic_load_explicit(&t->created[fdb_slot_index(t, s)], memory_order_relaxed);

	return (struct worth){
		.once = fdb_value_updated_s(v) <= created_s,
		.updated_s = fdb_value_updated_s(v),
	};
}

static bool is_less(struct worth a, struct worth b)
{
	return a.once != b.once ? a.once : a.updated_s < b.updated_s;
}

/*
 * Both buckets of the entry (s, v) of the old table are full in the new one, as happened in 8 of 30 storms of 300 000
 * addresses: without anybody giving way growth would wait for as long as entries live, and nothing new be learned.
 * What is worth least goes: one of the eight, whose slot is free a grace period later, or the entry itself (true).
 */
static bool make_room(struct fdb *fdb, struct fdb_table *from, const struct fdb_slot *s, uint64_t v,
	struct fdb_table *to, uint32_t now_s)
{
	uint64_t key = atomic_load(&s->key), victim_v = 0;
	struct fdb_probe p = fdb_probe(to, fdb_hash(fdb, key));
	struct worth least = worth_of(from, s, v);
	struct fdb_slot *victim = NULL;

	for (unsigned i = 0; i < 2 * FDB_BUCKET_SLOTS; i++) {
		struct fdb_slot *o = probe_slot(&p, i);
		uint64_t w = atomic_load(&o->value);

		/* Sets free what has rested, and takes away what is over. */
		if (w >= FDB_LIVE && (!fdb_alive(fdb, w) || expired(fdb, w, now_s)))
			fdb_unset_older(fdb, to, atomic_load(&o->key));
		visit(fdb, to, fdb_slot_index(to, o), now_s);
		w = atomic_load(&o->value);
		if (!(atomic_load(&o->key) & FDB_KEY_VALID))
			return false;
		if (w >= FDB_LIVE && is_less(worth_of(to, o, w), least)) {
			least = worth_of(to, o, w);
			victim = o;
			victim_v = w;
		}
	}
	if (victim == NULL) {
		fdb_unset_all(fdb, from, key);
	} else {
		fdb_unset_older(fdb, to, atomic_load(&victim->key));
		if (!remove_entry(fdb, to, victim, victim_v))
			return false;
	}
	count_one(&fdb_own_stripe(fdb)->evicted);
	return victim == NULL;
}

/* False: this slot has to wait until there is room for it in the new table. */
static bool copy_slot(struct fdb *fdb, struct fdb_table *from, struct fdb_table *to, uint32_t index,
	uint32_t now_s)
{
	struct fdb_stripe *own = fdb_own_stripe(fdb);
	struct fdb_slot *s = fdb_slot_at(from, index), *wrote;
	uint64_t k = atomic_load(&s->key), v = atomic_load(&s->value), seen;

	if (!(k & FDB_KEY_VALID) || v < FDB_LIVE)
		return true;
	if (!fdb_alive(fdb, v) || expired(fdb, v, now_s)) {
		count_one(fdb_alive(fdb, v) ? &fdb->aged : &fdb->flushed);
		fdb_unset_all(fdb, from, k);
		return true;
	}
	/* Of a doubled key only the first counts, and it may have been carried already. */
	if (is_double(fdb, from, s)) {
		fdb_retire(fdb, own, s, v, FDB_AWAY);
		return true;
	}
	if (!carry(fdb, to, k, v, atomic_load_explicit(&from->created[index], memory_order_relaxed),
		    &wrote))
		return make_room(fdb, from, s, v, to, now_s);
	seen = v;
	if (atomic_compare_exchange_strong(&s->value, &seen, FDB_AWAY)) {
		fdb_hold(fdb, v, -1);
		fdb_credit_give(fdb, own);
	} else if (seen == FDB_UNSET && wrote != NULL) {
		/* A worker has it forgotten meanwhile (fdb.c, crowded()): so do we. */
		fdb_retire(fdb, own, wrote, v, FDB_UNSET);
	}
	return true;
}

static unsigned grow_copy(struct fdb *fdb, unsigned slots, uint32_t now_s)
{
	struct fdb_table *from = atomic_load(&fdb->old), *to = atomic_load(&fdb->cur);
	unsigned n = 0;

	for (; n < slots && fdb->cursor < fdb_slots(from); n++, fdb->cursor++) {
		if (!copy_slot(fdb, from, to, fdb->cursor, now_s))
			return n;
	}
	if (fdb->cursor < fdb_slots(from))
		return n;
	/* Nothing live is left in it: readers that still look there miss, and have looked in `cur`. */
	atomic_store(&fdb->old, NULL);
	fdb_grant(fdb, fdb_slots(to), false);
	fdb->next = from;
	fdb->cursor = 0;
	fdb->growth_token = grace_start();
	fdb->growth = FDB_DRAIN;
	return n;
}

/*
 * Advances growth through as many stages as can be had without waiting; returns true if the slice is
 * used up, *n slots of it copied.
 */
static bool grow(struct fdb *fdb, unsigned slots, uint32_t now_s, unsigned *n)
{
	struct fdb_table *t = atomic_load(&fdb->cur);

	if (fdb->growth == FDB_DRAIN && grace_passed(fdb->growth_token)) {
		fdb_table_free(fdb->next);
		fdb->next = NULL;
		fdb->growth = FDB_STABLE;
	}
	if (fdb->growth == FDB_STABLE)
		grow_begin(fdb, t);
	if (fdb->growth == FDB_PREPARE)
		grow_prepare(fdb, t);
	if (fdb->growth == FDB_ANNOUNCED && grace_passed(fdb->growth_token))
		fdb->growth = FDB_COPY;
	if (fdb->growth == FDB_COPY)
		*n = grow_copy(fdb, slots, now_s);
	else if (fdb->growth != FDB_ANNOUNCED)
		return false;
	return true;
}

/*
 * The call stands while keys are being refused for want of room. Taken back first and looked at then: a
 * worker that is refused in between calls again.
 */
static void note_pressure(struct fdb *fdb)
{
	uint64_t crowded;

	atomic_store(&fdb->called, false);
	crowded = crowded_sum(fdb);
	if (crowded != fdb->crowded_last)
		atomic_store_explicit(&fdb->called, true, memory_order_relaxed);
	fdb->crowded_last = crowded;
}

/* What large ports may replace in this second; the usual sweep gives as many slots back in that time. */
static void churn_refill(struct fdb *fdb, uint32_t now_s)
{
	const struct fdb_table *t = atomic_load(&fdb->cur);

	if (fdb->churn_s == now_s)
		return;
	fdb->churn_s = now_s;
	atomic_store_explicit(
		&fdb->churn, (int64_t)(fdb_slots(t) / FDB_CHURN_SHARE), memory_order_relaxed);
}

/* ---- the public part ---- */

unsigned fdb_sweep(struct fdb *fdb, unsigned slots, uint32_t now_s)
{
	struct fdb_table *t;
	unsigned n = 0;

	advance_epoch(fdb);
	atomic_store_explicit(&fdb->exhausted, false, memory_order_relaxed);
	note_pressure(fdb);
	churn_refill(fdb, now_s);
	if (grow(fdb, slots, now_s, &n))
		return n;
	t = atomic_load(&fdb->cur);
	clear_doubles(fdb, t);
	while (n < slots) {
		visit(fdb, t, fdb->cursor, now_s);
		n++;
		if (++fdb->cursor == fdb_slots(t)) {
			fdb->cursor = 0;
			atomic_fetch_add_explicit(&fdb->passes, 1, memory_order_release);
			/* The total may have got room meanwhile. */
			fdb_grant(fdb, fdb_slots(t), false);
			break;
		}
	}
	/* What was retired now may be free when the next slice comes. */
	advance_epoch(fdb);
	return n;
}

bool fdb_growing(const struct fdb *fdb)
{
	return fdb->growth != FDB_STABLE ||
		atomic_load_explicit(&fdb->called, memory_order_relaxed);
}

bool fdb_call(struct fdb *fdb)
{
	struct fdb_stripe *own = fdb_own_stripe(fdb);
	uint64_t crowded = atomic_load_explicit(&own->crowded, memory_order_relaxed);

	/* Refused at the bound: nobody can do anything about that. */
	if (crowded == atomic_load_explicit(&own->told, memory_order_relaxed) &&
		!atomic_load_explicit(&own->low, memory_order_relaxed))
		return false;
	atomic_store_explicit(&own->told, crowded, memory_order_relaxed);
	atomic_store_explicit(&own->low, false, memory_order_relaxed);
	if (atomic_load_explicit(&fdb->called, memory_order_relaxed))
		return false;
	return !atomic_exchange_explicit(&fdb->called, true, memory_order_relaxed);
}

uint64_t fdb_sweep_passes(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->passes, memory_order_acquire);
}

int fdb_delete(struct fdb *fdb, uint64_t key)
{
	struct fdb_table *old = atomic_load(&fdb->old);
	bool found = false;

	/* The old one first: a worker that carries it over meanwhile is caught in the new one. */
	if (old != NULL)
		found = fdb_unset_all(fdb, old, key);
	found |= fdb_unset_all(fdb, atomic_load(&fdb->cur), key);
	return found ? 0 : -ENOENT;
}
