/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table's memory, its walk over two buckets and its books (credit): what the workers' side and
 * the sweeper both need.
 */

#include "dataplane/fdb_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_BYTES (UINT64_C(2) << 20)

/* Prefers a NUMA node; best effort, as an appliance without that node still has to run. */
static void prefer_node(void *addr, size_t bytes, int node)
{
	enum {
		MPOL_PREFERRED_ = 1
	};
	unsigned long mask;

	if (node < 0 || node >= (int)(8 * sizeof(mask)))
		return;
	mask = 1ul << node;
	(void)syscall(SYS_mbind, addr, bytes, MPOL_PREFERRED_, &mask, 8 * sizeof(mask), 0);
}

static void *memory_get(size_t *bytes, int socket, bool *mapped)
{
	char *p, *aligned;
	size_t head;

	*mapped = *bytes >= HUGE_BYTES;
	if (!*mapped) {
		*bytes = (*bytes + FDB_LINE - 1) / FDB_LINE * FDB_LINE;
		p = aligned_alloc(FDB_LINE, *bytes);
		if (p != NULL)
			memset(p, 0, *bytes);
		return p;
	}
	/* Aligned to a huge page, or the kernel would give the ends in small ones. */
	*bytes = (*bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	p = mmap(NULL, *bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0);
	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p % HUGE_BYTES;
	aligned = p + head;
	if (head != 0)
		munmap(p, head);
	munmap(aligned + *bytes, HUGE_BYTES - head);
	prefer_node(aligned, *bytes, socket);
	(void)madvise(aligned, *bytes, MADV_HUGEPAGE);
	return aligned;
}

struct fdb_table *fdb_table_new(uint64_t slots, uint32_t id, int socket)
{
	struct fdb_table *t = calloc(1, sizeof(*t));
	char *p;

	if (t == NULL)
		return NULL;
	t->bytes = slots * (sizeof(struct fdb_slot) + sizeof(*t->created));
	p = memory_get(&t->bytes, socket, &t->mapped);
	if (p == NULL) {
		free(t);
		return NULL;
	}
	t->bucket = (struct fdb_bucket *)p;
	t->created = (_Atomic uint32_t *)(p + slots * sizeof(struct fdb_slot));
	t->mask = slots / FDB_BUCKET_SLOTS - 1;
	t->id = id;
	return t;
}

void fdb_table_free(struct fdb_table *t)
{
	if (t == NULL)
		return;
	if (t->mapped)
		munmap(t->bucket, t->bytes);
	else
		free(t->bucket);
	free(t);
}

_Atomic int32_t *fdb_held_new(void)
{
	void *p = mmap(NULL, FDB_PORTS * sizeof(int32_t), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void fdb_held_free(_Atomic int32_t *held)
{
	if (held != NULL)
		munmap((void *)held, FDB_PORTS * sizeof(*held));
}

uint64_t fdb_slots_for(uint32_t max_entries)
{
	uint64_t slots = 64;

	while (slots < 2 * (uint64_t)max_entries)
		slots *= 2;
	return slots;
}

/*
 * Sequentially consistent: of two threads that each store (a key, a value) and then walk, at least one
 * sees the other's store. Settling doubled keys rests on that.
 */
struct fdb_found fdb_find(const struct fdb_table *t, uint64_t h, uint64_t key)
{
	struct fdb_probe p = fdb_probe(t, h);
	struct fdb_found f = {0};
	struct fdb_slot *room[2] = {NULL, NULL};
	unsigned used[2] = {0, 0};

	for (unsigned b = 0; b < 2; b++) {
		for (unsigned i = 0; i < FDB_BUCKET_SLOTS; i++) {
			struct fdb_slot *s = &p.bucket[b]->slot[i];
			uint64_t k = atomic_load(&s->key);

			if (k == key) {
				uint64_t v = atomic_load(&s->value);

				if (v >= FDB_LIVE) {
					f.live = s;
					f.value = v;
					return f;
				}
				f.away |= v == FDB_AWAY;
				if (v == FDB_UNSET && f.half == NULL)
					f.half = s;
			}
			if (k != 0)
				used[b]++;
			else if (room[b] == NULL)
				room[b] = s;
		}
	}
	/*
	 * The first bucket while it is at most half full, so that most lookups touch one line; then the
	 * emptier one, which is what keeps both from filling up (at half load 3 keys of 100 000 find no
	 * room, at a quarter none; first-fit would lose 3 of 100).
	 */
	f.room = used[0] < FDB_BUCKET_SLOTS / 2 || used[0] <= used[1] ? room[0] : room[1];
	return f;
}

bool fdb_unset_all(struct fdb *fdb, struct fdb_table *t, uint64_t key)
{
	struct fdb_probe p = fdb_probe(t, fdb_hash(fdb, key));
	bool found = false;

	for (unsigned i = 2 * FDB_BUCKET_SLOTS; i-- > 0;) {
		struct fdb_slot *s = &p.bucket[i / FDB_BUCKET_SLOTS]->slot[i % FDB_BUCKET_SLOTS];
		uint64_t v;

		if (atomic_load(&s->key) != key)
			continue;
		v = atomic_load(&s->value);
		found |= v >= FDB_LIVE && fdb_alive(fdb, v);
		fdb_retire(fdb, fdb_own_stripe(fdb), s, v, FDB_UNSET);
	}
	return found;
}

void fdb_unset_older(struct fdb *fdb, const struct fdb_table *t, uint64_t key)
{
	struct fdb_table *old = atomic_load(&fdb->old);

	if (old != NULL && old != t)
		fdb_unset_all(fdb, old, key);
}

struct fdb_stripe *fdb_own_stripe(struct fdb *fdb)
{
	static _Atomic unsigned threads;
	static _Thread_local unsigned own = UINT32_MAX;

	if (own == UINT32_MAX)
		own = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % FDB_STRIPES;
	return &fdb->stripe[own];
}

/* Takes `n`, or what there is; 0 if nothing. The books are numbers alone: relaxed order is enough. */
static int64_t take_up_to(_Atomic int64_t *from, int64_t n)
{
	int64_t have = atomic_load_explicit(from, memory_order_relaxed);

	while (have > 0) {
		int64_t take = have < n ? have : n;

		if (atomic_compare_exchange_weak_explicit(
			    from, &have, have - take, memory_order_relaxed, memory_order_relaxed))
			return take;
	}
	return 0;
}

/* Half of the slots are taken (fdb_grant() lets in three quarters) and there may be more of them. */
static bool runs_low(const struct fdb *fdb)
{
	return !atomic_load_explicit(&fdb->bounded, memory_order_relaxed) &&
		3 * atomic_load_explicit(&fdb->budget, memory_order_relaxed) <
		atomic_load_explicit(&fdb->granted, memory_order_relaxed);
}

bool fdb_credit_take(struct fdb *fdb, struct fdb_stripe *own, bool force)
{
	int64_t got;

	if (take_up_to(&own->credit, 1) == 1)
		return true;
	if (force) {
		atomic_fetch_sub_explicit(&own->credit, 1, memory_order_relaxed);
		return true;
	}
	if (atomic_load_explicit(&fdb->exhausted, memory_order_relaxed))
		return false;
	got = take_up_to(&fdb->budget, fdb->batch);
	if (got > 0) {
		atomic_fetch_add_explicit(&own->credit, got - 1, memory_order_relaxed);
		if (runs_low(fdb))
			atomic_store_explicit(&own->low, true, memory_order_relaxed);
		return true;
	}
	/* Near the bound: what other threads have fetched and not used. */
	for (unsigned i = 0; i < FDB_STRIPES; i++) {
		if (take_up_to(&fdb->stripe[i].credit, 1) == 1)
			return true;
	}
	atomic_store_explicit(&fdb->exhausted, true, memory_order_relaxed);
	return false;
}

void fdb_credit_give(struct fdb *fdb, struct fdb_stripe *own)
{
	int64_t had = atomic_fetch_add_explicit(&own->credit, 1, memory_order_relaxed);

	if (had >= 2 * (int64_t)fdb->batch) {
		int64_t back = take_up_to(&own->credit, fdb->batch);

		atomic_fetch_add_explicit(&fdb->budget, back, memory_order_relaxed);
	}
	if (atomic_load_explicit(&fdb->exhausted, memory_order_relaxed))
		atomic_store_explicit(&fdb->exhausted, false, memory_order_relaxed);
}

/* All tables of the process. Control thread. */
static struct {
	int64_t limit;
	int64_t granted;
} total = {.limit = FDB_TOTAL_DEFAULT};

void fdb_set_total(uint64_t entries)
{
	total.limit = (int64_t)entries;
}

void fdb_ungrant(struct fdb *fdb)
{
	total.granted -= atomic_load_explicit(&fdb->granted, memory_order_relaxed);
}

void fdb_grant(struct fdb *fdb, uint64_t slots, bool growing)
{
	int64_t granted = atomic_load_explicit(&fdb->granted, memory_order_relaxed);
	int64_t limit = (int64_t)(growing ? slots / 8 * 3 : slots / 4 * 3);
	int64_t most = total.limit - total.granted + granted;

	if (limit > fdb->max_entries)
		limit = fdb->max_entries;
	/* The few that any hub may have are not refused for what other hubs have taken. */
	if (most < FDB_ENTRIES_MIN)
		most = FDB_ENTRIES_MIN;
	atomic_store_explicit(
		&fdb->bounded, limit >= most || limit == fdb->max_entries, memory_order_relaxed);
	if (limit > most)
		limit = most;
	if (limit <= granted)
		return;
	total.granted += limit - granted;
	atomic_store_explicit(&fdb->granted, limit, memory_order_relaxed);
	atomic_fetch_add_explicit(&fdb->budget, limit - granted, memory_order_relaxed);
	atomic_store_explicit(&fdb->exhausted, false, memory_order_relaxed);
}

void fdb_retire(
	struct fdb *fdb, struct fdb_stripe *own, struct fdb_slot *s, uint64_t value, uint64_t state)
{
	/* Four tries: a worker that still writes here (FDB_ANNOUNCED) may come in between. */
	for (int i = 0; i < 4 && value >= FDB_LIVE; i++) {
		if (atomic_compare_exchange_strong(&s->value, &value, state)) {
			fdb_hold(fdb, value, -1);
			fdb_credit_give(fdb, own);
			return;
		}
	}
}
