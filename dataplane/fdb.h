/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_FDB_H
#define PATCHBAY_DATAPLANE_FDB_H

/*
 * MAC table of one hub.
 *
 * Shape: buckets of one cache line, four slots of {key, value}, each key has two candidate buckets
 * (keyed hash, secret per table, so that a peer who chooses MACs cannot choose buckets). No chains, no
 * moving of entries within a table, no locks. A new key goes to its first bucket while that is at most
 * half full, then to the emptier one: a lookup touches one line in four cases of five, two at most, and
 * at half load 3 keys in 100 000 find no room, and of addresses in a row, which the hash spreads less evenly, 7 in a
 * million at a quarter: who finds none makes the table grow from an eighth on.
 *
 * key    bits 0..47 MAC, 48..59 VLAN id (0 = untagged), bit 63 set. 0 = free; with bit 63 clear the slot
 *        has been retired and waits for a grace period.
 * value  bits 63..32 second of last refresh (fdb clock, starts at 1), 31..12 port index, 11..0 the
 *        port's generation. Below 2^32 it is a state: 0 = not set, 1 = being cleared, 2 = carried to the
 *        new table.
 *
 * Who writes: any worker, in the turn in which it saw the frame, by compare-and-swap and without ever
 * waiting; the control thread alone takes keys away (sweep, delete, growth), a worker at most a value (full,
 * below). A lost race or two full buckets mean "not learned this time", which floods and is counted.
 *   insert   CAS key 0 -> K, look again for claims of K in front of it, then CAS value 0 -> V (release) in
 *            the first. A key without value is a miss, and whoever learns K next may complete it.
 *   refresh  CAS value V -> V' by the owner, at most once in a quantum and never to an earlier second (two
 *            workers' clocks differ by a turn): no shared line is written per frame.
 *   move     the same CAS with another port.
 *   delete   CAS value V -> 0. The key stays, for its next frame or for the sweeper.
 *   clear    (sweeper) CAS value -> 1, key -> retired; value 0 and then key 0 only when every reader
 *            has been quiescent since. So a slot changes hands only across a grace period: a reader or
 *            a writer that saw K in it may rely, for the rest of its turn, on any value in it being K's.
 *            There is no ABA, and lookup needs no second look at the key. Hence the rule: whoever looks up
 *            or learns is an online reader (grace.h) from before the call until after it.
 *   lookup   key (acquire), value (acquire); the first slot in probe order with a live value decides.
 *
 * One key inserted twice at once: the first slot in probe order wins every lookup. Who has set a new
 * key's value walks the slots before its own again and puts the value there too, so that the winner is
 * never the older one; of two who store and then walk at least one sees the other (seq_cst). The
 * sweeper clears the other slot, a grace period after it noticed, since a reader may have passed the
 * first slot before it had its value.
 *
 * The quantum is a second, 2 s from 524 288 slots and 4 s from 1 048 576 on (never more than a sixty-fourth of
 * age_s): where a million stations talk, each frame is its station's first in that second, and to write it down would
 * dirty a line of memory for every frame. So an entry's second is up to fdb_quantum_s() - 1 behind its last frame.
 * Who asks whether something is over adds that: ageing and the rule of 13 seconds last the time they promise, and
 * at most so much longer. Listings show the second as it stands; eviction compares it, and for it "seen in one
 * second" is seen in one quantum.
 *
 * A value whose generation differs from port_gens[index] is dead: lookups report a miss, the sweeper
 * removes it. That is the O(1) flush when a port leaves.
 *
 * Growth: the table starts small and the control thread doubles it (or more, when a storm has outrun it)
 * up to the bound: at half load, and from an eighth on when a key found both its buckets full. So it has never more
 * than sixteen slots (after a storm 24) for each entry it had, nor more than twice what the bound asks for. A hub with ten MACs
 * costs kilobytes. It is never made smaller. Stages, each a slice of
 * fdb_sweep(), none waits:
 *   prepare    pages of the new table are touched, so that no worker pays for the faults;
 *   announced  both tables published. Workers that know write the new one; those in the middle of a
 *              turn may still write the old one. One grace period;
 *   copy       nothing new appears in the old table. Entry by entry: value into the new one unless it
 *              knows the key already, then 2 into the old one. A worker that refreshes or moves an entry of
 *              the old table does the same. Lookups try new, old, and the new one again if the old one says
 *              "carried": an entry is never invisible;
 *   drain      the old table, which has nothing live any more, is unpublished and freed a grace period
 *              later.
 * An older value cannot displace a newer one: growth sets a value only in a slot that has none, and if
 * the worker who claimed that slot comes later, its CAS finds growth's value and moves it. An entry whose
 * two buckets are full in the new table stays in the old one for the moment it takes to make room: of the eight and
 * itself what was seen in one quantum only, then what is oldest, gives way, counted as evicted. A storm of new keys cannot take that
 * room: the number of entries there may be follows the size of the table (three quarters of the slots,
 * while growth is under way three eighths of the new ones), so what is known stays known.
 *
 * Bound: at most `max_entries` live entries (reference/hub.md 2: 65 536 by default), and all tables of the
 * process together at most fdb_set_total(). The books are credits: one per live slot, fetched from a common
 * budget in batches of up to 64 by each thread and kept in a line of its own, where its counters are too. So
 * a learning storm from several workers writes one shared word per 64 new entries, and the bound is still
 * exact: near it a thread takes what others have left over. (While it grows, an entry may for a moment be
 * in both tables and in the books twice.) Beside them a count per port of the entries that name it, moved
 * with each change of a value: for the limit of a port (fdb_learn_on_terms) and for what follows.
 *
 * Full: the original refuses a new address and drops its frame; here the frame always goes on, and an old
 * entry gives way to the address (fdb_evict.c). In favour of a port that has little, one of the port that
 * has most, out of a sample of up to 32 slots around the new key's own: of that port first what was seen in
 * one second only (a storm's inventions; who talks for longer stays), then the oldest; before all others
 * what a departed port has left. The worker does that itself and at once. But the slot of what gave way
 * comes back only with the sweeper, and slots are what a storm would eat next: so only a port with less
 * than half of what the other holds takes freely - that ends by itself -, while large ones replace
 * entries, each other's and their own, at most a sixteenth of the slots a second. What is
 * refused is a new address of a large port, counted, and its replies are flooded until it has its turn.
 * To be refused costs a search, too, and a port that invents addresses at full rate would have the worker search for
 * each. So large ports have a ration of tries (struct fdb_terms; hub_input.c gives each worker 32 a millisecond
 * for each hub, and of these each port that wants some its part: ration.h): when it is used up the worker asks fdb_is_large() once a burst, and lets the port's unknown addresses
 * go by unlearned at the cost of the lookup that did not find them, counted apart (fdb_count_rationed). Small ports
 * do not pay for that, nor does any port before the table is full: then every address is learned, at any rate.
 * Before the table has grown to its bound nothing gives way: growth is called for (fdb_call) at half load and is there
 * in milliseconds, mostly before anybody is refused.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fdb;

#define FDB_VLAN_SHIFT 48u
#define FDB_MAC_MASK   ((UINT64_C(1) << FDB_VLAN_SHIFT) - 1)
#define FDB_KEY_VALID  (UINT64_C(1) << 63)
#define FDB_PORTS      65536u /* port indices are below (PORT_MAX) */

#define FDB_ENTRIES_MIN	  16u
#define FDB_ENTRIES_MAX	  16777216u
#define FDB_TOTAL_DEFAULT 16777216

struct fdb_conf {
	uint32_t max_entries;	      /* bound on entries, FDB_ENTRIES_MIN .. FDB_ENTRIES_MAX */
	uint32_t age_s;		      /* life after the last frame, seconds (default 600) */
	int socket;		      /* NUMA socket or -1 */
	uint64_t secret[2];	      /* hash key, from a good random source, per table */
	const _Atomic uint16_t *gens; /* current generation per port index (port_gens) */
};

enum fdb_learn_result {
	FDB_KNOWN = 0, /* already there, same port (refreshed if its quantum was over) */
	FDB_LEARNED,   /* new entry */
	FDB_MOVED,     /* was on another port */
	FDB_FULL,      /* no entry was given up for it, or both buckets full: not learned */
	FDB_RACED,     /* lost against another writer: not learned this time */
	FDB_OVER_LIMIT, /* the port holds as many as it may: not learned, the frame is to be dropped */
};

/* What an operator sees of an entry. */
struct fdb_entry {
	uint64_t mac; /* low 48 bits, as frame_mac() */
	uint16_t vlan;
	uint32_t port_idx;
	uint16_t port_gen;
	uint32_t created_s; /* fdb clock */
	uint32_t updated_s; /* of a frame from it, the last or one up to a quantum earlier */
};

/* Totals since creation; exact for the sweeper's own, sums over threads for the workers'. */
struct fdb_counters {
	uint64_t learned;
	uint64_t moved;
	uint64_t not_learned_full;
	uint64_t
		not_learned_crowded; /* of these: not for the bound's sake, see struct fdb_stripe */
	uint64_t not_learned_raced;
	uint64_t not_learned_limit;
	uint64_t not_learned_rationed; /* not even tried: fdb_count_rationed() */
	uint64_t evicted; /* given up in favour of another address because the table was full */
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
 * not completely made). Expired entries that were not swept yet are still found (hub.md 4). Worker,
 * online reader. Prefetches; touches no line for writing.
 */
void fdb_lookup_bulk(const struct fdb *fdb, const uint64_t *keys, unsigned n, uint64_t *values);

/*
 * Makes sure `key` is on (port_idx, gen) with a second within a quantum of `now_s`. `seen` is the value
 * fdb_lookup_bulk() returned for it in this burst, 0 if none: the usual case (same port, same quantum) must be
 * settled by the caller with fdb_is_fresh() without a call. Worker, online reader; never waits. port_idx is
 * below FDB_PORTS, the length of conf.gens; now_s >= 1.
 */
enum fdb_learn_result fdb_learn(struct fdb *fdb, uint64_t key, uint64_t seen, uint32_t port_idx,
	uint16_t gen, uint32_t now_s);

/*
 * On what terms a port learns.
 *
 * limit  entries it may hold, 0 = any number: at the limit a key that is not the port's own, be it new or
 *        another port's, is FDB_OVER_LIMIT and stays as it was; its own are refreshed all the same. Exact for
 *        a port whose frames one worker receives; each further worker may add one, and while the table grows an
 *        entry may for a moment count twice. An entry counts from its learning until it is swept (age_s and
 *        at most a pass more), deleted, or moved away.
 * tries  how often a large port may still try to get a place in a full table: counted down, and at 0 refused
 *        (FDB_FULL). The caller's own, refilled as it sees fit.
 */
struct fdb_terms {
	uint32_t limit;
	uint32_t tries;
};

/* fdb_learn() on these terms. */
enum fdb_learn_result fdb_learn_on_terms(struct fdb *fdb, uint64_t key, uint64_t seen,
	uint32_t port_idx, uint16_t gen, uint32_t now_s, struct fdb_terms *terms);

/*
 * The table has grown to its bound, and the port holds more than half of what the largest one does: if the table is
 * full its new addresses are learned as long as there are tries. Any thread, O(1).
 */
bool fdb_is_large(const struct fdb *fdb, uint32_t port_idx);

/* So many frames' unknown sources were not tried, there being no tries left for a large port. Worker. */
void fdb_count_rationed(struct fdb *fdb, unsigned n);

/* Entries that name this port index, the dead ones of a departed port included. Any thread, O(1). */
uint32_t fdb_port_count(const struct fdb *fdb, uint32_t port_idx);

/* Seconds that may pass between two refreshes of an entry: 1, 2 or 4. Any thread. */
uint32_t fdb_quantum_s(const struct fdb *fdb);

/* Bits in which the value that a source should have now may differ (as a number, minus) from the one it has. */
static inline uint64_t fdb_late_bits(uint32_t quantum_s)
{
	return (uint64_t)(quantum_s - 1) << 32;
}

/*
 * Same port, and of this quantum. One subtraction: an earlier second leaves the difference in seconds, which is
 * below a power of two; another port leaves bits below, a later second (of a worker whose clock is ahead) all above.
 */
static inline bool fdb_is_fresh(
	uint64_t seen, uint32_t port_idx, uint16_t gen, uint32_t now_s, uint32_t quantum_s)
{
	uint64_t want = (uint64_t)now_s << 32 | (uint64_t)port_idx << 12 | gen;

	return ((want - seen) & ~fdb_late_bits(quantum_s)) == 0;
}

/*
 * Removes one entry: 0, or -ENOENT (also when only a departed port's was there). Takes effect at once;
 * the key's next frame learns it again. Control thread.
 */
int fdb_delete(struct fdb *fdb, uint64_t key);

/*
 * One slice of housekeeping: visits up to `slots` slots, removes what is older than age_s or whose port
 * has left, clears half-made and doubled keys, and advances growth. Returns slots visited: fewer at the
 * end of a pass, and 0 while growth waits for a grace period. Control thread (not an online reader that
 * would wait for itself); call it often with small slices, also in an idle hub: a storm is answered
 * with growth only from here.
 */
unsigned fdb_sweep(struct fdb *fdb, unsigned slots, uint32_t now_s);

/*
 * Growth is under way, or new keys are being refused for want of room: call fdb_sweep() again within a
 * millisecond instead of at the usual time. Each growth takes two calls and a grace period between
 * them, more if the slices are smaller than the table. Control thread.
 */
bool fdb_growing(const struct fdb *fdb);

/*
 * After FDB_FULL or FDB_LEARNED: true if this caller is the one to tell the control thread that fdb_sweep() should not
 * wait for its time, because keys are refused or half of the slots are taken. Once until the pressure is gone. Worker.
 */
bool fdb_call(struct fdb *fdb);

/*
 * Entries that all tables of the process may have together, FDB_TOTAL_DEFAULT at first; each may have
 * FDB_ENTRIES_MIN whatever the others have taken. Before the first fdb_create(). Control thread.
 */
void fdb_set_total(uint64_t entries);

/*
 * Full passes completed since creation (port.h: an index is reusable after the pass after next). A pass
 * that growth interrupts begins again. Any thread.
 */
uint64_t fdb_sweep_passes(const struct fdb *fdb);

/*
 * Copies live entries from *cursor (start with 0) into out[0..max-1]; returns the number and moves the
 * cursor; *cursor == UINT64_MAX at the end, and only then: a call that met free slots alone returns 0
 * before the end. An entry that exists throughout is reported at least once (more than once if the table
 * grows meanwhile), none is invented. Control thread, slice by slice: a million rows stall nobody.
 */
size_t fdb_list(const struct fdb *fdb, uint64_t *cursor, struct fdb_entry *out, size_t max);

/* Live entries (from the books, exact when nothing moves). Any thread; reads a few dozen lines. */
uint32_t fdb_count(const struct fdb *fdb);
uint32_t fdb_capacity_bound(const struct fdb *fdb);
void fdb_counters(const struct fdb *fdb, struct fdb_counters *out);

#endif
