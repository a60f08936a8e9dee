/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC table, when it is full: which entry goes in favour of a new one (fdb.h, "Full"). The worker that has
 * the new address decides by itself and at once, from a sample of neighbouring slots, since no list of
 * entries by port or by age could be kept without writing shared lines per frame.
 */

#include "dataplane/fdb_table.h"

/* Buckets looked at, at most: the key's two and their neighbours. */
#define SAMPLE_BUCKETS 8u

struct victim {
	uint64_t key; /* 0: none */
	uint32_t port_idx;
	uint32_t held;
	bool once; /* seen in one second only: a passer-by, or an invention */
	uint32_t updated_s;
};

static bool better(const struct victim *a, const struct victim *b)
{
	if (b->key == 0)
		return true;
	if (a->port_idx != b->port_idx)
		return a->held > b->held;
	if (a->once != b->once)
		return a->once;
	return a->updated_s < b->updated_s;
}

static void sample_bucket(
	const struct fdb *fdb, const struct fdb_table *t, struct fdb_bucket *b, struct victim *best)
{
	for (unsigned i = 0; i < FDB_BUCKET_SLOTS; i++) {
		struct fdb_slot *s = &b->slot[i];
		uint64_t k = atomic_load_explicit(&s->key, memory_order_acquire);
		uint64_t v = atomic_load_explicit(&s->value, memory_order_acquire);
		uint32_t created_s;
		struct victim one;

		if (!(k & FDB_KEY_VALID) || v < FDB_LIVE)
			continue;
		created_s = atomic_load_explicit(
			&t->created[fdb_slot_index(t, s)], memory_order_relaxed);
		one = (struct victim){
			.key = k,
			.port_idx = fdb_value_port(v),
			/* What a departed port has left goes before anything else. */
			.held = fdb_alive(fdb, v) ? fdb_port_count(fdb, fdb_value_port(v))
						  : UINT32_MAX,
			.once = fdb_value_updated_s(v) <= created_s,
			.updated_s = fdb_value_updated_s(v),
		};
		if (better(&one, best))
			*best = one;
	}
}

/* Remembers who holds most; seldom written, as two that are nearly equal do not take turns. */
static uint32_t fattest_held(struct fdb *fdb, uint32_t port_idx, uint32_t held)
{
	uint32_t most =
		fdb_port_count(fdb, atomic_load_explicit(&fdb->fattest, memory_order_relaxed));

	if (held <= most + most / 8)
		return most;
	atomic_store_explicit(&fdb->fattest, port_idx, memory_order_relaxed);
	return held;
}

static bool churn_take(struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->churn, memory_order_relaxed) > 0 &&
		atomic_fetch_sub_explicit(&fdb->churn, 1, memory_order_relaxed) > 0;
}

bool fdb_is_large(const struct fdb *fdb, uint32_t port_idx)
{
	uint32_t fattest = atomic_load_explicit(&fdb->fattest, memory_order_relaxed);

	return atomic_load_explicit(&fdb->bounded, memory_order_relaxed) &&
		fdb_port_count(fdb, port_idx) > fdb_port_count(fdb, fattest) / 2;
}

bool fdb_evict(struct fdb *fdb, struct fdb_stripe *own, struct fdb_table *t, uint64_t h,
	uint32_t port_idx, uint32_t *tries)
{
	struct fdb_probe p = fdb_probe(t, h);
	uint32_t held = fdb_port_count(fdb, port_idx);
	uint32_t most = fattest_held(fdb, port_idx, held);
	uint64_t first = (uint64_t)(p.bucket[0] - t->bucket);
	struct victim best = {0};

	/* A port that has much already is not worth the search when it would not be served anyway. */
	if (held > most / 2) {
		if (*tries == 0)
			return false;
		--*tries;
		if (atomic_load_explicit(&fdb->churn, memory_order_relaxed) <= 0)
			return false;
	}
	for (unsigned i = 0; i < SAMPLE_BUCKETS; i++) {
		sample_bucket(
			fdb, t, i < 2 ? p.bucket[i] : &t->bucket[(first ^ i) & t->mask], &best);
		if (best.key != 0 && best.held >= most - most / 8 && best.once)
			break;
	}
	if (best.key == 0 || (best.held <= held && best.port_idx != port_idx))
		return false;
	if (best.held != UINT32_MAX)
		fattest_held(fdb, best.port_idx, best.held);
	/*
	 * A slot that is given up cannot be used again before the sweeper has come by. What a port of less
	 * than half the size takes soon makes it larger; between larger ones there is only so much a second.
	 */
	if (held > best.held / 2 && !churn_take(fdb))
		return false;
	fdb_unset_older(fdb, t, best.key);
	fdb_unset_all(fdb, t, best.key);
	atomic_fetch_add_explicit(&own->evicted, 1, memory_order_relaxed);
	return true;
}
