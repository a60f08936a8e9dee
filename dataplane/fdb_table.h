/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_FDB_TABLE_H
#define PATCHBAY_DATAPLANE_FDB_TABLE_H

/*
 * Inside of the MAC table, shared by fdb.c (workers' side) and fdb_sweep.c (control thread's side) and
 * by nobody else. fdb.h tells the protocol; here are the words it is made of.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/fdb.h"

#define FDB_BUCKET_SLOTS 4u
#define FDB_STRIPES	 32u
#define FDB_LINE	 64
#define FDB_CHURN_SHARE	 16u /* of the slots, see fdb.churn */

/* Refreshed every second up to here, then every two seconds, from twice as many on every four. */
#define FDB_QUANTUM_SLOTS (UINT64_C(1) << 19)
#define FDB_QUANTUM_MAX	  4u
#define FDB_QUANTA	  64u /* at least, in the life of an entry */

/* Values below FDB_LIVE are states, not entries: the second of a live one is never 0. */
#define FDB_UNSET    UINT64_C(0) /* claimed and not written yet, or deleted: any writer may set it */
#define FDB_CLEARING UINT64_C(1) /* the sweeper is taking the key away: nobody else may touch it */
#define FDB_AWAY     UINT64_C(2) /* growth has carried it to the new table: look there */
#define FDB_LIVE     (UINT64_C(1) << 32)

struct fdb_slot {
	_Atomic uint64_t key; /* 0 free; bit 63 clear: retired in that epoch; else a key */
	_Atomic uint64_t value;
};

struct fdb_bucket {
	struct fdb_slot slot[FDB_BUCKET_SLOTS];
} __attribute__((aligned(FDB_LINE)));

struct fdb_table {
	struct fdb_bucket *bucket;
	uint64_t mask;		   /* buckets - 1 */
	_Atomic uint32_t *created; /* second of creation, one per slot */
	uint32_t id;		   /* 1, 2, 3, ... in order of growth: for the cursor of fdb_list */
	bool mapped;
	size_t bytes;
};

/*
 * What a worker writes when it learns. Threads take stripes in turn, so that up to FDB_STRIPES of them
 * never write the same line; atomic all the same, for the thread after that.
 */
struct fdb_stripe {
	_Atomic int64_t credit; /* entries it may still make without asking fdb.budget */
	_Atomic uint64_t learned;
	_Atomic uint64_t moved;
	_Atomic uint64_t full;
	_Atomic uint64_t raced;
	_Atomic uint64_t limited;
	/* Of `full`: no slot, both buckets being full, or growth is still to come. Not: nobody gave way. */
	_Atomic uint64_t crowded;
	_Atomic uint64_t told; /* crowded, when the thread last called for growth */
	_Atomic uint64_t evicted;
	_Atomic uint64_t rationed;
	_Atomic bool
		low; /* of the last credit fetched: growth should be called for before anybody is refused */
} __attribute__((aligned(FDB_LINE)));

enum fdb_growth {
	FDB_STABLE,    /* old == NULL */
	FDB_PREPARE,   /* `next` is having its pages touched, a slice at a time */
	FDB_ANNOUNCED, /* cur, old published; some workers may still write the old one */
	FDB_COPY,      /* all workers know: nothing new appears in the old one */
	FDB_DRAIN,     /* unpublished, its last readers are leaving */
};

#define FDB_DOUBLES 32u

struct fdb {
	/* Read by every worker, written when the table grows. */
	_Atomic(struct fdb_table *) cur;
	_Atomic(struct fdb_table *) old; /* being copied from; NULL, or equal to a stale `cur` */
	uint64_t secret[2];
	const _Atomic uint16_t *gens;
	_Atomic int32_t *held; /* [FDB_PORTS], see fdb_held() */
	uint32_t max_entries;
	uint32_t age_s;
	uint32_t batch;		    /* credit a stripe fetches at once */
	_Atomic uint32_t quantum_s; /* see fdb_quantum_s(); follows the size of the table */

	/*
	 * One credit = one live slot that may exist. Live slots = granted - budget - all stripes' credits.
	 * `granted` follows the table's size up to max_entries (control thread writes); `budget` is
	 * touched once per `batch` new entries.
	 */
	_Atomic int64_t budget __attribute__((aligned(FDB_LINE)));
	_Atomic int64_t granted;
	_Atomic bool exhausted; /* no credit anywhere; spares the search until the next sweep */
	_Atomic bool bounded; /* granted is all there will be: max_entries, or the total's share */
	_Atomic bool called;  /* somebody was told that the sweeper should not wait (fdb_call) */
	_Atomic uint32_t
		fattest;       /* port that holds most, as far as anybody noticed (fdb_evict.c) */
	_Atomic int64_t churn; /* entries that large ports may still replace in this second */

	/* Control thread only. */
	uint32_t cursor __attribute__((aligned(FDB_LINE))); /* next slot to sweep (or to copy) */
	enum fdb_growth growth;
	int socket;
	struct fdb_table *next; /* FDB_PREPARE: new one; FDB_DRAIN: the one to free */
	size_t touched_bytes;
	uint64_t growth_token;
	uint64_t crowded_seen; /* sum of stripe.crowded when growth was last decided */
	uint32_t churn_s;      /* second for which churn was set */
	uint64_t crowded_last; /* the same at the last call of fdb_sweep() */
	uint64_t grow_again;   /* pass before which a failed allocation is not tried again */

	/* Retired keys: stamped with `epoch`; those up to `safe_epoch` may be reused. */
	uint64_t epoch;
	uint64_t safe_epoch;
	uint64_t token_epoch;
	uint64_t token; /* grace period of token_epoch, while token_waits */
	bool token_waits;
	bool epoch_used;
	unsigned n_doubles;
	struct {
		uint64_t key;
		uint64_t epoch;
		uint32_t slot;
	} doubles[FDB_DOUBLES]; /* slots that repeat a key, cleared one grace period later */

	_Atomic uint64_t passes;
	_Atomic uint64_t aged;
	_Atomic uint64_t flushed;

	struct fdb_stripe stripe[FDB_STRIPES];
};

/* The two buckets of a key, in probe order. They always differ. */
struct fdb_probe {
	struct fdb_bucket *bucket[2];
};

/*
 * Multiply and fold. With two secret words the low and the high half of the fold each contain the middle
 * or the top of a 128-bit product, which nobody predicts without the secret; CRC would be linear, and
 * its collisions the same under every seed.
 */
static inline uint64_t fdb_hash(const struct fdb *fdb, uint64_t key)
{
#ifdef __x86_64__
	/* Of the 128-bit product gcc makes a detour over the stack. */
	uint64_t low = key ^ fdb->secret[0], high;

	__asm__("mulq %2" : "+a"(low), "=d"(high) : "rm"(fdb->secret[1]) : "cc");
	return low ^ high;
#else
	unsigned __int128 m = (unsigned __int128)(key ^ fdb->secret[0]) * fdb->secret[1];

	return (uint64_t)m ^ (uint64_t)(m >> 64);
#endif
}

static inline uint64_t fdb_other_bucket(const struct fdb_table *t, uint64_t h)
{
	return (h & t->mask) ^ (((h >> 32) & t->mask) | 1);
}

static inline struct fdb_probe fdb_probe(const struct fdb_table *t, uint64_t h)
{
	return (struct fdb_probe){
		{&t->bucket[h & t->mask], &t->bucket[fdb_other_bucket(t, h)]},
	};
}

static inline bool fdb_alive(const struct fdb *fdb, uint64_t value)
{
	return atomic_load_explicit(&fdb->gens[fdb_value_port(value)], memory_order_relaxed) ==
		fdb_value_gen(value);
}

/*
 * Values in either table that name the port, live or dead: whoever changes a value by CAS changes this with
 * fdb_hold(). Touched when something is learned, moved or removed, not per frame. Neighbouring ports, which
 * may be other workers', stand in different lines.
 */
static inline _Atomic int32_t *fdb_held(const struct fdb *fdb, uint32_t port_idx)
{
	return &fdb->held[(port_idx << 4 | port_idx >> 12) & (FDB_PORTS - 1)];
}

static inline void fdb_hold(struct fdb *fdb, uint64_t value, int32_t by)
{
	atomic_fetch_add_explicit(fdb_held(fdb, fdb_value_port(value)), by, memory_order_relaxed);
}

static inline uint32_t fdb_slot_index(const struct fdb_table *t, const struct fdb_slot *s)
{
	return (uint32_t)(s - t->bucket[0].slot);
}

static inline struct fdb_slot *fdb_slot_at(const struct fdb_table *t, uint32_t i)
{
	return &t->bucket[i / FDB_BUCKET_SLOTS].slot[i % FDB_BUCKET_SLOTS];
}

static inline uint64_t fdb_slots(const struct fdb_table *t)
{
	return (t->mask + 1) * FDB_BUCKET_SLOTS;
}

/* Entries of so large a table that live age_s need not be refreshed more often than that. */
static inline uint32_t fdb_quantum_for(uint64_t slots, uint32_t age_s)
{
	uint32_t quantum_s = 1;

	while (quantum_s < FDB_QUANTUM_MAX && slots >= FDB_QUANTUM_SLOTS * quantum_s &&
		2 * quantum_s * FDB_QUANTA <= age_s)
		quantum_s *= 2;
	return quantum_s;
}

/* What a walk over both buckets of a key has seen. */
struct fdb_found {
	struct fdb_slot
		*live;	/* first in probe order with an entry; the rest is not looked at then */
	uint64_t value; /* its value */
	struct fdb_slot *half; /* first with the key and no value */
	struct fdb_slot *room; /* where a new key goes, NULL if both buckets are full */
	bool away;	       /* one was carried to the new table */
};

/* fdb_slots.c */
struct fdb_table *fdb_table_new(uint64_t slots, uint32_t id, int socket);
void fdb_table_free(struct fdb_table *t);
/* All 0; a page of it costs memory when a port of that page has learned. */
_Atomic int32_t *fdb_held_new(void);
void fdb_held_free(_Atomic int32_t *held);
struct fdb_found fdb_find(const struct fdb_table *t, uint64_t h, uint64_t key);
/* Takes the right to one entry; `force` goes into debt, for one that is about to be given back. */
bool fdb_credit_take(struct fdb *fdb, struct fdb_stripe *own, bool force);
void fdb_credit_give(struct fdb *fdb, struct fdb_stripe *own);
/*
 * Raises the number of entries there may be to what a table of so many slots carries. Control thread.
 * Stable: three quarters, where one new key of a hundred begins to find both buckets full. While growth
 * fills the new table: three eighths, so that a storm of new keys cannot take the room which the
 * entries of the old one (at most 3/4 of at most half the slots) are going to need.
 */
void fdb_grant(struct fdb *fdb, uint64_t slots, bool growing);
/* Takes back what a table was granted of the total; it is going. Control thread. */
void fdb_ungrant(struct fdb *fdb);
/*
 * Unsets every slot of the key, the last in probe order first, so that no double comes to light. True if
 * there was an entry of a port that still exists. Any thread that may write the table.
 */
bool fdb_unset_all(struct fdb *fdb, struct fdb_table *t, uint64_t key);
/*
 * Before an entry of the current table `t` is given up: what the table that is being left still says of the key goes
 * first. Between the moment in which an entry has its value here and the one in which it is taken away there it is in
 * both, and who has seen the newer value here must not find the older one again. Any thread that may write the table.
 */
void fdb_unset_older(struct fdb *fdb, const struct fdb_table *t, uint64_t key);
/*
 * fdb_evict.c: no credit is left. True: an entry of `t` has gone in favour of port_idx; try again. A large port's try
 * counts *tries down.
 */
bool fdb_evict(struct fdb *fdb, struct fdb_stripe *own, struct fdb_table *t, uint64_t h,
	uint32_t port_idx, uint32_t *tries);
/* An entry of the old table now lives in the new one, or must be forgotten (FDB_UNSET). */
void fdb_retire(struct fdb *fdb, struct fdb_stripe *own, struct fdb_slot *s, uint64_t value,
	uint64_t state);
struct fdb_stripe *fdb_own_stripe(struct fdb *fdb);
/* Slots of the largest table for a bound: by load, and by crowding (one doubling more). */
uint64_t fdb_slots_for(uint32_t max_entries);

#endif
