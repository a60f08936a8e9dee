/* SPDX-License-Identifier: BSD-3-Clause */
/* The IP table (iptable.h says how and why). */

#include "dataplane/iptable.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/port.h"

#define BUCKET_ENTRIES 8u
#define EXCLUSIVE_S    13u /* reference/hub.md 2 */
#define F_LEASED       (UINT64_C(1) << 60)
#define F_MAC_VLAN     ((UINT64_C(1) << 60) - 1)

struct entry {
	_Atomic uint32_t version; /* odd: being written */
	_Atomic uint32_t created_s;
	_Atomic uint64_t owner; /* second of last sight, port index, generation; 0 = free */
	_Atomic uint64_t addr[2];
	_Atomic uint64_t host; /* MAC, VLAN above it, F_LEASED */
} __attribute__((aligned(64)));

struct iptable {
	struct iptable_conf conf;
	uint32_t buckets; /* power of two */
	struct entry *entries;
	_Atomic uint64_t *used; /* bit per bucket */
	uint32_t sweep_at;	/* bucket; control thread */
	_Atomic uint64_t aged;	/* control thread writes */
	/* Written when something is learned. */
	_Atomic uint32_t count __attribute__((aligned(64)));
	_Atomic uint64_t learned, moved, evicted, raced;
};

struct key {
	uint64_t addr[2];
	uint64_t vlan; /* in its place in `host` */
};

/* A consistent copy of an entry. */
struct copy {
	struct entry *e;
	uint32_t version;
	uint64_t owner, addr[2], host;
	uint32_t created_s;
};

/* ---- life ------------------------------------------------------------------------------------- */

struct iptable *iptable_create(const struct iptable_conf *conf)
{
	struct iptable *t;
	uint32_t buckets = 64;
	size_t bytes;

	if (conf->max_entries < 16 || conf->max_entries > 1u << 24 || conf->age_s == 0) {
		errno = EINVAL;
		return NULL;
	}
	/* Half full at the bound: pairs of buckets hardly ever overflow before it. */
	while (buckets * BUCKET_ENTRIES < 2 * conf->max_entries)
		buckets *= 2;
	t = aligned_alloc(64, sizeof(*t));
	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->conf = *conf;
	t->buckets = buckets;
	t->used = calloc(buckets / 64, sizeof(*t->used));
	bytes = (size_t)buckets * BUCKET_ENTRIES * sizeof(*t->entries);
	t->entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->used == NULL || t->entries == MAP_FAILED) {
		if (t->entries == MAP_FAILED)
			t->entries = NULL;
		iptable_destroy(t);
		errno = ENOMEM;
		return NULL;
	}
	/* A few hosts are a few pages, not as many huge ones. */
	madvise(t->entries, bytes, MADV_NOHUGEPAGE);
	return t;
}

void iptable_destroy(struct iptable *t)
{
	if (t == NULL)
		return;
	if (t->entries != NULL)
		munmap(t->entries, (size_t)t->buckets * BUCKET_ENTRIES * sizeof(*t->entries));
	free((void *)t->used);
	free(t);
}

/* ---- words ------------------------------------------------------------------------------------ */

static uint64_t owner_word(uint32_t port_idx, uint16_t gen, uint32_t now_s)
{
	return (uint64_t)now_s << 32 | (uint64_t)port_idx << PORT_GEN_BITS | gen;
}

static uint32_t owner_idx(uint64_t owner)
{
	return (uint32_t)owner >> PORT_GEN_BITS;
}

static uint16_t owner_gen(uint64_t owner)
{
	return owner & ((1u << PORT_GEN_BITS) - 1);
}

/* The last second of an entry that is not seen again. */
static uint64_t end_s(const struct iptable *t, uint64_t owner, uint64_t host)
{
	return (owner >> 32) + ((host & F_LEASED) != 0 ? t->conf.lease_age_s : t->conf.age_s);
}

static bool is_alive(const struct iptable *t, uint64_t owner, uint64_t host, uint32_t now_s)
{
	return owner != 0 && end_s(t, owner, host) >= now_s &&
		atomic_load_explicit(&port_gens[owner_idx(owner)], memory_order_acquire) ==
		owner_gen(owner);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Both factors are secret, as in fdb_hash(): with a multiplier that everybody knows addresses that differ in their upper
 * bits collide under every secret.
 */
static uint64_t hash(const struct iptable *t, const struct key *k)
{
	uint64_t h = fold(k->addr[0] ^ t->conf.secret[0], k->addr[1] ^ t->conf.secret[1]);

	return fold(h ^ k->vlan ^ t->conf.secret[0], t->conf.secret[1]);
}

static void key_make(struct key *k, const uint8_t *addr, uint16_t vlan)
{
	memcpy(k->addr, addr, 16);
	k->vlan = (uint64_t)vlan << 48;
}

/* False: somebody writes it. */
static bool entry_read(struct entry *e, struct copy *c)
{
	c->e = e;
	c->version = atomic_load_explicit(&e->version, memory_order_acquire);
	if ((c->version & 1) != 0)
		return false;
	c->owner = atomic_load_explicit(&e->owner, memory_order_relaxed);
	c->addr[0] = atomic_load_explicit(&e->addr[0], memory_order_relaxed);
	c->addr[1] = atomic_load_explicit(&e->addr[1], memory_order_relaxed);
	c->host = atomic_load_explicit(&e->host, memory_order_relaxed);
	c->created_s = atomic_load_explicit(&e->created_s, memory_order_relaxed);
	/* Pairs with the release in entry_unlock(). */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&e->version, memory_order_relaxed) == c->version;
}

/* The entry is the caller's if it is still as in `c`. */
static bool entry_lock(struct copy *c)
{
	uint32_t version = c->version;

	if (!atomic_compare_exchange_strong_explicit(&c->e->version, &version, version + 1,
		    memory_order_acquire, memory_order_relaxed))
		return false;
	/* A reader that sees a word written from here on sees the odd version too. */
	atomic_thread_fence(memory_order_release);
	/* A refresh does not change the version. */
	c->owner = atomic_load_explicit(&c->e->owner, memory_order_relaxed);
	return true;
}

static void entry_unlock(struct copy *c)
{
	atomic_store_explicit(&c->e->version, c->version + 2, memory_order_release);
}

/* ---- books ------------------------------------------------------------------------------------ */

/* Counts of the port that an owner word names, if it is still there. Online reader or control thread. */
static void port_count(uint64_t owner, bool ip4, int by)
{
	struct port *port = port_get(owner_idx(owner), owner_gen(owner));

	if (port != NULL)
		atomic_fetch_add_explicit(
			&port->ip_cnt[ip4 ? 0 : 1], (uint32_t)by, memory_order_relaxed);
}

static void add(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool copy_is_ip4(const struct copy *c)
{
	uint8_t addr[16];

	memcpy(addr, c->addr, 16);
	return iptable_is_ip4(addr);
}

/* ---- lookup ----------------------------------------------------------------------------------- */

struct pair {
	uint32_t bucket[2];
};

static struct pair pair_of(const struct iptable *t, const struct key *k)
{
	uint64_t h = hash(t, k);

	return (struct pair){
		{(uint32_t)h & (t->buckets - 1), (uint32_t)(h >> 32) & (t->buckets - 1)}};
}

static struct entry *pair_entry(const struct iptable *t, const struct pair *p, unsigned i)
{
	return &t->entries[p->bucket[i / BUCKET_ENTRIES] * BUCKET_ENTRIES + i % BUCKET_ENTRIES];
}

static bool find(
	const struct iptable *t, const struct pair *p, const struct key *k, struct copy *found)
{
	for (unsigned i = 0; i < 2 * BUCKET_ENTRIES; i++) {
		struct entry *e = pair_entry(t, p, i);

		if (atomic_load_explicit(&e->owner, memory_order_relaxed) == 0)
			continue;
		if (entry_read(e, found) && found->owner != 0 && found->addr[0] == k->addr[0] &&
			found->addr[1] == k->addr[1] &&
			(found->host & F_MAC_VLAN) >> 48 == k->vlan >> 48)
			return true;
	}
	return false;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void used_set(struct iptable *t, const struct entry *e)
{
	uint32_t bucket = (uint32_t)(e - t->entries) / BUCKET_ENTRIES;

	/* seq_cst: after the entry, see bucket_retire(). */
	atomic_fetch_or(&t->used[bucket / 64], UINT64_C(1) << bucket % 64);
}

static void words_set(struct copy *c, const struct key *k, uint64_t owner, uint64_t host)
{
	atomic_store_explicit(&c->e->addr[0], k->addr[0], memory_order_relaxed);
	atomic_store_explicit(&c->e->addr[1], k->addr[1], memory_order_relaxed);
	atomic_store_explicit(&c->e->host, host, memory_order_relaxed);
	atomic_store_explicit(&c->e->owner, owner, memory_order_relaxed);
}

/*
 * Place for a new entry: a free one, else a dead one, else - evict - the one that would be over first. So what a DHCP
 * server assigned stays when somebody invents addresses: who needs his lease here (DHCPForce) would not get another.
 */
static bool place_find(
	const struct iptable *t, const struct pair *p, uint32_t now_s, bool full, struct copy *best)
{
	uint64_t rank = UINT64_MAX;

	for (unsigned i = 0; i < 2 * BUCKET_ENTRIES && rank != 0; i++) {
		struct copy c;
		uint64_t r;

		if (!entry_read(pair_entry(t, p, i), &c))
			continue;
		if (c.owner == 0)
			r = full ? UINT64_MAX : 0;
		else if (!is_alive(t, c.owner, c.host, now_s))
			r = 1;
		else
			r = 2 + end_s(t, c.owner, c.host);
		if (r < rank) {
			rank = r;
			*best = c;
		}
	}
	return rank != UINT64_MAX;
}

static enum iptable_result insert(struct iptable *t, const struct pair *p, const struct key *k,
	const struct port *port, uint64_t host, bool ip4, uint32_t now_s)
{
	bool full = atomic_load_explicit(&t->count, memory_order_relaxed) >= t->conf.max_entries;
	uint64_t owner = owner_word(port->idx, port->gen, now_s);
	struct copy c = {0};
	uint64_t before;

	if (!place_find(t, p, now_s, full, &c) || !entry_lock(&c)) {
		add(&t->raced);
		return IPTABLE_RACED;
	}
	before = c.owner;
	if (before != 0) {
		port_count(before, copy_is_ip4(&c), -1);
		if (is_alive(t, before, c.host, now_s))
			add(&t->evicted);
	} else {
		atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
	}
	words_set(&c, k, owner, host);
	atomic_store_explicit(&c.e->created_s, now_s, memory_order_relaxed);
	entry_unlock(&c);
	used_set(t, c.e);
	port_count(owner, ip4, 1);
	add(&t->learned);
	return IPTABLE_LEARNED;
}

/* The found entry becomes the port's; leases stay leases unless a host only takes it over. A dead one begins anew. */
static enum iptable_result take(struct iptable *t, struct copy *c, const struct key *k,
	const struct port *port, uint64_t host, bool ip4, uint32_t now_s)
{
	uint64_t owner = owner_word(port->idx, port->gen, now_s);

	if (!entry_lock(c)) {
		add(&t->raced);
		return IPTABLE_RACED;
	}
	if (c->owner == 0) { /* swept meanwhile */
		entry_unlock(c);
		add(&t->raced);
		return IPTABLE_RACED;
	}
	if ((uint32_t)c->owner != (uint32_t)owner || !is_alive(t, c->owner, c->host, now_s))
		atomic_store_explicit(&c->e->created_s, now_s, memory_order_relaxed);
	if ((uint32_t)c->owner != (uint32_t)owner) {
		port_count(c->owner, ip4, -1);
		port_count(owner, ip4, 1);
	}
	words_set(c, k, owner, host);
	entry_unlock(c);
	return IPTABLE_MOVED;
}

/* The entry of a key that nobody has any more. */
static enum iptable_result revive(struct iptable *t, struct copy *c, const struct key *k,
	const struct port *port, uint64_t host, bool ip4, uint32_t now_s)
{
	enum iptable_result r = take(t, c, k, port, host, ip4, now_s);

	if (r != IPTABLE_MOVED)
		return r;
	add(&t->learned);
	return IPTABLE_LEARNED;
}

/* Seen again on its port: the second, by one CAS; the MAC if it is another one. */
static void refresh(struct iptable *t, struct copy *c, const struct key *k, const struct port *port,
	uint64_t host, bool ip4, uint32_t now_s)
{
	uint64_t seen = c->owner;

	if ((c->host ^ host) << 4 != 0) {
		take(t, c, k, port, host | (c->host & F_LEASED), ip4, now_s);
		return;
	}
	/* Never to an earlier second: workers' clocks differ by a turn. */
	if (seen >> 32 < now_s)
		atomic_compare_exchange_strong_explicit(&c->e->owner, &seen,
			owner_word(port->idx, port->gen, now_s), memory_order_relaxed,
			memory_order_relaxed);
}

static bool over_limit(const struct port *port, const struct iptable_seen *seen, bool ip4)
{
	return seen->limit != 0 &&
		atomic_load_explicit(&port->ip_cnt[ip4 ? 0 : 1], memory_order_relaxed) >=
		seen->limit;
}

enum iptable_result iptable_learn(
	struct iptable *t, const struct iptable_seen *seen, struct port *port, uint32_t now_s)
{
	uint32_t self = port->idx << PORT_GEN_BITS | port->gen;
	bool ip4 = iptable_is_ip4(seen->addr);
	uint64_t host;
	struct key k;
	struct pair p;
	struct copy c;

	key_make(&k, seen->addr, seen->vlan);
	host = seen->mac | k.vlan;
	p = pair_of(t, &k);
	bool found = find(t, &p, &k, &c);

	if (found && is_alive(t, c.owner, c.host, now_s)) {
		bool leased = (c.host & F_LEASED) != 0;

		if ((uint32_t)c.owner == self) {
			if (seen->leased && !leased)
				return IPTABLE_NO_LEASE;
			refresh(t, &c, &k, port, host, ip4, now_s);
			return IPTABLE_KNOWN;
		}
		/* A sum, not a difference: the other worker's clock may be ahead of ours by a turn. */
		if ((seen->exclusive || seen->leased) && (c.owner >> 32) + EXCLUSIVE_S > now_s)
			return IPTABLE_CONFLICT;
		if (seen->leased && !leased)
			return IPTABLE_NO_LEASE;
		if (over_limit(port, seen, ip4))
			return IPTABLE_OVER_LIMIT;
		add(&t->moved);
		return take(t, &c, &k, port, host | (c.host & F_LEASED), ip4, now_s);
	}
	if (seen->leased)
		return IPTABLE_NO_LEASE;
	/* Its own dead one is still counted among the port's. */
	if (!(found && (uint32_t)c.owner == self) && over_limit(port, seen, ip4))
		return IPTABLE_OVER_LIMIT;
	if (!seen->managed)
		return IPTABLE_IGNORED;
	/* A dead entry of this key is used again: a second one behind it would never be found. */
	if (found)
		return revive(t, &c, &k, port, host, ip4, now_s);
	return insert(t, &p, &k, port, host, ip4, now_s);
}

enum iptable_result iptable_lease(
	struct iptable *t, const struct iptable_seen *seen, struct port *port, uint32_t now_s)
{
	bool ip4 = iptable_is_ip4(seen->addr);
	uint64_t host;
	struct key k;
	struct pair p;
	struct copy c;

	key_make(&k, seen->addr, seen->vlan);
	host = seen->mac | k.vlan | F_LEASED;
	p = pair_of(t, &k);
	if (find(t, &p, &k, &c))
		return take(t, &c, &k, port, host, ip4, now_s);
	return insert(t, &p, &k, port, host, ip4, now_s);
}

/* ---- control thread --------------------------------------------------------------------------- */

static void entry_remove(struct iptable *t, struct copy *c)
{
	uint64_t seen = c->owner;

	if (!entry_lock(c))
		return;
	/* Refreshed, or removed, since it was read: it stays. */
	if (c->owner == seen && seen != 0) {
		atomic_store_explicit(&c->e->owner, 0, memory_order_relaxed);
		port_count(seen, copy_is_ip4(c), -1);
		atomic_fetch_sub_explicit(&t->count, 1, memory_order_relaxed);
	}
	entry_unlock(c);
}

static bool bucket_is_empty(const struct iptable *t, uint32_t bucket)
{
	for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
		/* seq_cst, as in bucket_retire(). */
		if (atomic_load(&t->entries[bucket * BUCKET_ENTRIES + i].owner) != 0)
			return false;
	}
	return true;
}

/* Takes the mark away, looks once more: an entry made meanwhile is seen here, or marks the bucket itself. */
static void bucket_retire(struct iptable *t, uint32_t bucket)
{
	uint64_t bit = UINT64_C(1) << bucket % 64;

	if (!bucket_is_empty(t, bucket))
		return;
	atomic_fetch_and(&t->used[bucket / 64], ~bit);
	if (!bucket_is_empty(t, bucket))
		atomic_fetch_or(&t->used[bucket / 64], bit);
}

/* The next used bucket at or behind `from`; t->buckets: there is none. */
static uint32_t bucket_next(const struct iptable *t, uint32_t from)
{
	uint64_t word;

	if (from >= t->buckets)
		return t->buckets;
	word = atomic_load_explicit(&t->used[from / 64], memory_order_acquire) >> from % 64;
	if (word != 0)
		return from + (uint32_t)__builtin_ctzll(word);
	for (uint32_t w = from / 64 + 1; w < t->buckets / 64; w++) {
		word = atomic_load_explicit(&t->used[w], memory_order_acquire);
		if (word != 0)
			return w * 64 + (uint32_t)__builtin_ctzll(word);
	}
	return t->buckets;
}

void iptable_sweep(struct iptable *t, unsigned buckets, uint32_t now_s)
{
	for (unsigned n = 0; n < buckets; n++) {
		uint32_t bucket = bucket_next(t, t->sweep_at);

		if (bucket == t->buckets) {
			t->sweep_at = 0;
			return;
		}
		for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
			struct copy c;

			if (!entry_read(&t->entries[bucket * BUCKET_ENTRIES + i], &c) ||
				c.owner == 0 || is_alive(t, c.owner, c.host, now_s))
				continue;
			entry_remove(t, &c);
			atomic_store_explicit(&t->aged,
				atomic_load_explicit(&t->aged, memory_order_relaxed) + 1,
				memory_order_relaxed);
		}
		bucket_retire(t, bucket);
		t->sweep_at = bucket + 1;
	}
}

size_t iptable_list(const struct iptable *t, uint64_t *cursor, struct iptable_entry *out,
	size_t max, uint32_t now_s)
{
	uint64_t at = *cursor;
	size_t n = 0;

	while (n < max) {
		uint32_t bucket = bucket_next(t, (uint32_t)(at / BUCKET_ENTRIES));
		struct copy c;

		if (bucket == t->buckets) {
			at = UINT64_MAX;
			break;
		}
		if (bucket != at / BUCKET_ENTRIES)
			at = (uint64_t)bucket * BUCKET_ENTRIES;
		if (entry_read(&t->entries[at], &c) && is_alive(t, c.owner, c.host, now_s)) {
			out[n] = (struct iptable_entry){
				.vlan = (uint16_t)((c.host & F_MAC_VLAN) >> 48),
				.mac = c.host & ((UINT64_C(1) << 48) - 1),
				.port_idx = owner_idx(c.owner),
				.port_gen = owner_gen(c.owner),
				.leased = (c.host & F_LEASED) != 0,
				.created_s = c.created_s,
				.updated_s = (uint32_t)(c.owner >> 32),
			};
			memcpy(out[n++].addr, c.addr, 16);
		}
		at++;
	}
	*cursor = at;
	return n;
}

int iptable_delete(struct iptable *t, const uint8_t addr[16], uint16_t vlan)
{
	struct key k;
	struct pair p;
	struct copy c;

	key_make(&k, addr, vlan);
	p = pair_of(t, &k);
	if (!find(t, &p, &k, &c))
		return -ENOENT;
	entry_remove(t, &c);
	return 0;
}

uint32_t iptable_count(const struct iptable *t)
{
	return atomic_load_explicit(&t->count, memory_order_relaxed);
}

void iptable_counters(const struct iptable *t, struct iptable_counters *out)
{
	*out = (struct iptable_counters){
		.learned = atomic_load_explicit(&t->learned, memory_order_relaxed),
		.moved = atomic_load_explicit(&t->moved, memory_order_relaxed),
		.evicted = atomic_load_explicit(&t->evicted, memory_order_relaxed),
		.raced = atomic_load_explicit(&t->raced, memory_order_relaxed),
		.aged = atomic_load_explicit(&t->aged, memory_order_relaxed),
	};
}
