/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_FDB_H
#define PATCHBAY_DATAPLANE_FDB_H

/*
 * MAC table of one hub.
 *
 * Shape: buckets of one cache line, four slots of {key, value}, each key has two candidate buckets
 * (keyed hash, secret per table, so that a peer who chooses MACs cannot choose buckets). No chains, no
 * moving of entries, no locks. A lookup touches at most two lines.
 *
 * key    bits 0..47 MAC, 48..59 VLAN id (0 = untagged), bit 63 set: so a key is never 0 (free).
 * value  bits 63..32 second of last refresh (fdb clock, starts at 1), 31..12 port index, 11..0 the
 *        port's generation. 0 = not set, 1 = being deleted.
 *
 * Who writes: any worker, in the turn in which it saw the frame, by compare-and-swap and without ever
 * waiting; the control thread's sweeper deletes. A lost race or two full buckets mean "not learned this
 * time", which floods and is counted.
 *   insert   CAS key 0 -> K, then CAS value 0 -> V (release).
 *   refresh  CAS value V -> V' by the owner, at most once a second: no shared line is written per frame.
 *   move     the same CAS with another port.
 *   delete   CAS value V -> 1, store key 0, store value 0, in this order: a reader that saw K reads a
 *            value that is K's or not set; an inserter that takes the slot in between fails its value
 *            CAS and leaves K without a value, which reads as a miss and is completed or swept later.
 *   lookup   key, value (acquire), key again: a slot that changed hands under the reader is a miss.
 * One key inserted twice at once is harmless: the first slot in probe order wins every lookup, the
 * sweeper clears the other.
 *
 * A value whose generation differs from port_gens[index] is dead: lookups report a miss, the sweeper
 * removes it. That is the O(1) flush when a port leaves.
 *
 * Growth: the table starts small and the control thread doubles it up to the bound. While it grows,
 * writers write the new one, readers look into the new one and on a miss into the old one, the control
 * thread copies, then drops the old one after a grace period. A hub with ten MACs costs kilobytes.
 *
 * Bound: at most `max_entries` live entries (reference/hub.md 2: 65 536 by default). When the bound is
 * reached a new MAC is not learned; the frame goes on (the original drops it).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fdb;

#define FDB_VLAN_SHIFT 48u
#define FDB_KEY_VALID  (UINT64_C(1) << 63)

struct fdb_conf {
	uint32_t max_entries;	      /* bound on entries, 16 .. 16 777 216 */
	uint32_t age_s;		      /* life after the last frame, seconds (default 600) */
	int socket;		      /* NUMA socket or -1 */
	uint64_t secret[2];	      /* hash key, random per table */
	const _Atomic uint16_t *gens; /* current generation per port index (port_gens) */
};

enum fdb_learn_result {
	FDB_KNOWN = 0, /* already there, same port (refreshed if its second had changed) */
	FDB_LEARNED,   /* new entry */
	FDB_MOVED,     /* was on another port */
	FDB_FULL,      /* bound reached or both buckets full: not learned */
	FDB_RACED,     /* lost against another writer: not learned this time */
};

/* What an operator sees of an entry. */
struct fdb_entry {
	uint64_t mac; /* low 48 bits, as frame_mac() */
	uint16_t vlan;
	uint32_t port_idx;
	uint16_t port_gen;
	uint32_t created_s; /* fdb clock */
	uint32_t updated_s;
};

/* Totals since creation; exact for the sweeper's own, relaxed sums for the workers'. */
struct fdb_counters {
	uint64_t learned;
	uint64_t moved;
	uint64_t not_learned_full;
	uint64_t not_learned_raced;
	uint64_t aged;	  /* removed by the sweeper because of age */
	uint64_t flushed; /* removed by the sweeper because the port had left */
};

/* NULL with errno ENOMEM or EINVAL (conf out of range). Control thread. */
struct fdb *fdb_create(const struct fdb_conf *conf);
/* After a grace period without readers. NULL is fine. Control thread. */
void fdb_destroy(struct fdb *fdb);

static inline uint64_t fdb_key(uint64_t mac, uint16_t vlan)
{
	return FDB_KEY_VALID | (uint64_t)vlan << FDB_VLAN_SHIFT | mac;
}

static inline uint32_t fdb_value_port(uint64_t value)
{
	return (uint32_t)(value >> 12) & 0xfffff;
}

static inline uint16_t fdb_value_gen(uint64_t value)
{
	return value & 0xfff;
}

static inline uint32_t fdb_value_updated_s(uint64_t value)
{
	return (uint32_t)(value >> 32);
}

/*
 * Looks n keys up (n <= 2 * FRAME_BURST) and writes n values; 0 = miss (unknown, dead generation, or
 * changing under us). Expired entries that were not swept yet are still found (hub.md 4). Worker,
 * online reader. Prefetches; touches no line for writing.
 */
void fdb_lookup_bulk(const struct fdb *fdb, const uint64_t *keys, unsigned n, uint64_t *values);

/*
 * Makes sure `key` is on (port_idx, gen) with second `now_s`. `seen` is the value fdb_lookup_bulk()
 * returned for it in this burst, 0 if none: the usual case (same port, same second) must be settled by
 * the caller with fdb_is_fresh() without a call. Worker; never waits.
 */
enum fdb_learn_result fdb_learn(struct fdb *fdb, uint64_t key, uint64_t seen, uint32_t port_idx,
	uint16_t gen, uint32_t now_s);

static inline bool fdb_is_fresh(uint64_t seen, uint32_t port_idx, uint16_t gen, uint32_t now_s)
{
	return seen == ((uint64_t)now_s << 32 | (uint64_t)port_idx << 12 | gen);
}

/* Removes one entry: 0, or -ENOENT. Any registered thread. */
int fdb_delete(struct fdb *fdb, uint64_t key);

/*
 * One slice of housekeeping: visits up to `slots` slots, removes what is older than age_s or whose port
 * has left, clears half-made and doubled keys, and advances growth. Returns slots visited. Control
 * thread, registered; call it often with small slices.
 */
unsigned fdb_sweep(struct fdb *fdb, unsigned slots, uint32_t now_s);

/* Full passes completed since creation (port.h: an index is reusable after the pass after next). */
uint64_t fdb_sweep_passes(const struct fdb *fdb);

/*
 * Copies live entries from *cursor (start with 0) into out[0..max-1]; returns the number and moves the
 * cursor; *cursor == UINT64_MAX at the end. An entry that exists throughout is reported at least once,
 * none is invented. Control thread, slice by slice: a million rows stall nobody.
 */
size_t fdb_list(const struct fdb *fdb, uint64_t *cursor, struct fdb_entry *out, size_t max);

/* Live entries (a relaxed counter, exact when nothing moves). Any thread. */
uint32_t fdb_count(const struct fdb *fdb);
uint32_t fdb_capacity_bound(const struct fdb *fdb);
void fdb_counters(const struct fdb *fdb, struct fdb_counters *out);

#endif
