/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC table under readers, writers and the sweeper at once, with the real grace periods. A fixed number
 * of operations (argv[1] per writer and round, so that the thread sanitizer's build can do fewer); every
 * thread checks what it sees. Four kinds of keys:
 *
 *   stable  each has one writer, which refreshes and moves it and counts its own seconds up, so that the
 *           second is a version. Never aged or deleted: once learned it must be found by everybody at
 *           any moment, growth included; no reader may see a version older than one it saw before (that
 *           is: a move is never undone); and its writer must read back exactly what it wrote.
 *   shared  all writers learn them on different ports at once, the control thread deletes them.
 *   aged    a storm of many, written with a second so old that the sweeper takes them at once.
 *   flushed learned on ports whose generation the control thread changes all the time.
 *
 * In the last round the table is full all the time: any key may be missing then, but what is found has to be
 * right, no version may go back, and the books must be exact as before.
 *
 * The port of every value is derived from the key, with a choice of four: a value that was another
 * key's is noticed.
 */

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/fdb.h"
#include "dataplane/grace.h"

#define READERS	   2u
#define WRITERS	   3u
#define ROUNDS	   4u
#define STABLE	   6000u
#define SHARED	   64u
#define AGED	   30000u
#define FLUSHED	   200u
#define MAX	   60000u /* never reached, and in the last round always: */
#define MAX_LAST   4000u
#define AGE_S	   600u
#define NOW_S	   1000u    /* the sweeper's second */
#define VERSION_S  1000000u /* stable keys' seconds: always younger */
#define PORT_GROUP 1000u    /* ports 1 .. 4000 in groups of four; 5000 .. 5003 for flushed */

enum kind {
	KIND_STABLE,
	KIND_SHARED,
	KIND_AGED,
	KIND_FLUSHED
};

static _Atomic uint16_t gens[65536];
static struct fdb *fdb;
static unsigned long ops;
static _Atomic unsigned writers_left;
static _Atomic bool known[STABLE];
static bool full; /* the last round: anything may have to give way */
static uint32_t max_entries;
static unsigned long looked_up[READERS], retried[WRITERS];

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("fdb_stress: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	_exit(1);
}

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/*
 * Called before each atomic operation of the table where the build says so (fdb_hook.h): lets others
 * run in the middle of an operation, more often where something is about to be written.
 */
void fdb_at_atomic(bool write);

void fdb_at_atomic(bool write)
{
	static _Thread_local uint64_t s;

	if (s == 0)
		s = (uint64_t)(uintptr_t)&s * 0x9e3779b97f4a7c15 | 1;
	if ((next_random(&s) >> 32) % (write ? 12 : 300) == 0)
		sched_yield();
}

static uint64_t key_of(enum kind kind, uint32_t n)
{
	return fdb_key((uint64_t)kind << 32 | n, 0);
}

static enum kind kind_of(uint64_t key)
{
	return (enum kind)(key >> 32 & 3);
}

static uint32_t first_port(uint64_t key)
{
	uint64_t h = (key ^ 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;

	if (kind_of(key) == KIND_FLUSHED)
		return 5000;
	return 1 + (uint32_t)(h >> 40) % PORT_GROUP * 4;
}

static uint64_t any_key(uint64_t *seed)
{
	uint64_t r = next_random(seed);
	uint32_t n = (uint32_t)(r >> 32);

	switch (r & 7) {
	case 0:
		return key_of(KIND_SHARED, n % SHARED);
	case 1:
		return key_of(KIND_AGED, n % AGED);
	case 2:
		return key_of(KIND_FLUSHED, n % FLUSHED);
	default:
		return key_of(KIND_STABLE, n % STABLE);
	}
}

static void check_value(uint64_t key, uint64_t v)
{
	uint32_t s = fdb_value_updated_s(v), port = fdb_value_port(v);

	if (port < first_port(key) || port >= first_port(key) + 4)
		die("key %#lx has port %u, which was never its own", key, port);
	if (kind_of(key) != KIND_FLUSHED && fdb_value_gen(v) != port % 4096)
		die("key %#lx has generation %u", key, fdb_value_gen(v));
	if (kind_of(key) == KIND_STABLE ? s < VERSION_S : s != 1 && s != NOW_S)
		die("key %#lx has second %u", key, s);
}

static void *reader(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	uint64_t seed = 88172645463325252 + id, keys[128], values[128];
	uint32_t *version = calloc(STABLE, sizeof(*version));
	bool must[128];

	grace_register(id);
	grace_online(id);
	while (atomic_load_explicit(&writers_left, memory_order_relaxed) != 0) {
		unsigned n = 1 + next_random(&seed) % 128;

		for (unsigned i = 0; i < n; i++) {
			keys[i] = any_key(&seed);
			must[i] = !full && kind_of(keys[i]) == KIND_STABLE &&
				atomic_load_explicit(
					&known[keys[i] & 0xffff], memory_order_acquire);
		}
		fdb_lookup_bulk(fdb, keys, n, values);
		for (unsigned i = 0; i < n; i++) {
			if (values[i] != 0)
				check_value(keys[i], values[i]);
			else if (must[i])
				die("key %#lx was learned and is not found", keys[i]);
			if (values[i] != 0 && kind_of(keys[i]) == KIND_STABLE) {
				uint32_t *last = &version[keys[i] & 0xffff];

				if (fdb_value_updated_s(values[i]) < *last)
					die("key %#lx went back from version %u to %u", keys[i],
						*last, fdb_value_updated_s(values[i]));
				*last = fdb_value_updated_s(values[i]);
			}
		}
		looked_up[id] += n;
		if (next_random(&seed) % 64 == 0) {
			grace_offline(id);
			sched_yield();
			grace_online(id);
		} else {
			grace_quiescent(id);
		}
	}
	grace_offline(id);
	grace_unregister(id);
	free(version);
	return NULL;
}

/* One operation on a stable key of this writer; returns false if it has to be tried again. */
static bool write_stable(uint32_t n, uint32_t version, uint64_t r)
{
	uint64_t key = key_of(KIND_STABLE, n), seen, now;
	uint32_t port = first_port(key) + (r >> 20 & 3);
	bool was_known = atomic_load_explicit(&known[n], memory_order_relaxed);
	enum fdb_learn_result result;

	fdb_lookup_bulk(fdb, &key, 1, &seen);
	if (was_known && seen == 0 && !full)
		die("key %#lx is not found by its own writer", key);
	was_known &= !full || seen != 0;
	result = fdb_learn(fdb, key, seen, port, port % 4096, version);
	if (result == FDB_FULL && was_known && !full)
		die("key %#lx is there and was refused as new", key);
	if (result == FDB_FULL || result == FDB_RACED)
		return false;
	if (was_known != (result != FDB_LEARNED) && !full)
		die("key %#lx: result %d", key, result);
	if (was_known && !full && (result == FDB_MOVED) != (fdb_value_port(seen) != port))
		die("key %#lx: result %d, port %u then %u", key, result, fdb_value_port(seen),
			port);
	fdb_lookup_bulk(fdb, &key, 1, &now);
	if (!fdb_is_fresh(now, port, port % 4096, version, 1) && (!full || now != 0))
		die("key %#lx: wrote version %u, read %#lx", key, version, now);
	/* Pairs with the readers: who sees this must find the key. */
	atomic_store_explicit(&known[n], true, memory_order_release);
	return true;
}

static void *writer(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg, w = id - READERS;
	uint64_t seed = 99172645463325252 + id * 7919;
	uint32_t *version = calloc(STABLE, sizeof(*version));

	grace_register(id);
	grace_online(id);
	for (unsigned long i = 0; i < ops; i++) {
		uint64_t r = next_random(&seed), key = any_key(&seed);
		uint32_t n = key & 0xffff, port = first_port(key) + (r >> 20 & 3);

		switch (kind_of(key)) {
		case KIND_STABLE:
			/* More and more of them, so that growth happens all along. */
			n = (uint32_t)(n % (1 + i * STABLE / ops)) / WRITERS * WRITERS + w;
			if (n >= STABLE)
				break;
			if (write_stable(n, VERSION_S + version[n], r))
				version[n]++;
			else
				retried[w]++;
			break;
		case KIND_AGED:
			fdb_learn(fdb, key, 0, port, port % 4096, 1);
			break;
		case KIND_SHARED:
			fdb_learn(fdb, key, 0, port, port % 4096, NOW_S);
			break;
		case KIND_FLUSHED:
			fdb_learn(fdb, key, 0, port, atomic_load(&gens[port]), NOW_S);
			break;
		}
		if (r >> 60 != 0)
			grace_quiescent(id);
	}
	grace_offline(id);
	grace_unregister(id);
	free(version);
	atomic_fetch_sub(&writers_left, 1);
	return NULL;
}

/* A listing that goes on over many slices: what was there when it began must be in it. */
static struct {
	uint64_t cursor;
	bool must[STABLE];
	bool seen[STABLE];
	unsigned long complete;
} listing;

static void list_slice(void)
{
	struct fdb_entry e[256];
	size_t n;

	if (listing.cursor == 0) {
		memset(listing.seen, 0, sizeof(listing.seen));
		for (unsigned i = 0; i < STABLE; i++)
			listing.must[i] = atomic_load_explicit(&known[i], memory_order_acquire);
	}
	n = fdb_list(fdb, &listing.cursor, e, 256);
	for (size_t i = 0; i < n; i++) {
		uint64_t key = fdb_key(e[i].mac, e[i].vlan);

		check_value(key,
			(uint64_t)e[i].updated_s << 32 | (uint64_t)e[i].port_idx << 12 |
				e[i].port_gen);
		if (kind_of(key) == KIND_STABLE)
			listing.seen[key & 0xffff] = true;
	}
	if (listing.cursor != UINT64_MAX)
		return;
	for (unsigned i = 0; i < STABLE; i++) {
		if (listing.must[i] && !listing.seen[i] && !full)
			die("key %u is missing in a listing", i);
	}
	listing.cursor = 0;
	listing.complete++;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Nobody moves any more: the books must be exact and each key be there once. */
static void check_books(void)
{
	uint64_t *keys = calloc(2 * MAX, sizeof(*keys)), cursor = 0;
	struct fdb_entry e[256];
	size_t total = 0, held = 0;

	for (uint64_t passes = fdb_sweep_passes(fdb); fdb_sweep_passes(fdb) < passes + 4;)
		fdb_sweep(fdb, 4096, NOW_S);
	while (cursor != UINT64_MAX) {
		size_t n = fdb_list(fdb, &cursor, e, 256);

		for (size_t i = 0; i < n && total < 2 * MAX; i++)
			keys[total++] = fdb_key(e[i].mac, e[i].vlan);
	}
	qsort(keys, total, sizeof(*keys), by_number);
	for (size_t i = 1; i < total; i++) {
		if (keys[i] == keys[i - 1])
			die("key %#lx is there twice after the sweep", keys[i]);
	}
	if (total != fdb_count(fdb))
		die("%zu entries, %u in the books", total, fdb_count(fdb));
	for (uint32_t p = 0; p < FDB_PORTS; p++)
		held += fdb_port_count(fdb, p);
	if (total != held)
		die("%zu entries, %zu in the ports' books", total, held);
	free(keys);
}

static void round_of(unsigned round)
{
	struct fdb_conf conf = {
		.age_s = AGE_S,
		.socket = -1,
		.secret = {0x8ff34781d63f9cb1 * (round + 1), 0x7cb92ba72f6f1b23 + round},
		.gens = gens,
	};
	pthread_t threads[READERS + WRITERS];
	uint64_t seed = 4711 + round, slices = 0;
	struct fdb_counters c;

	full = round == ROUNDS - 1;
	max_entries = conf.max_entries = full ? MAX_LAST : MAX;
	fdb = fdb_create(&conf);
	if (fdb == NULL)
		die("no memory");
	memset(&listing, 0, sizeof(listing));
	for (unsigned i = 0; i < STABLE; i++)
		atomic_store(&known[i], false);
	atomic_store(&writers_left, WRITERS);
	for (uintptr_t i = 0; i < READERS + WRITERS; i++)
		pthread_create(&threads[i], NULL, i < READERS ? reader : writer, (void *)i);
	while (atomic_load(&writers_left) != 0) {
		uint64_t r = next_random(&seed);

		fdb_sweep(fdb, 64 + r % 2048, NOW_S);
		if (fdb_count(fdb) > max_entries + 2 * WRITERS)
			die("%u entries with a bound of %u", fdb_count(fdb), max_entries);
		fdb_delete(fdb, key_of(KIND_SHARED, r >> 32 & (SHARED - 1)));
		if (r >> 60 == 0)
			atomic_store(&gens[5000 + (r >> 16 & 3)], (uint16_t)(r >> 20 & 0x7ff));
		list_slice();
		if (r >> 61 == 0)
			sched_yield();
		slices++;
	}
	for (unsigned i = 0; i < READERS + WRITERS; i++)
		pthread_join(threads[i], NULL);
	/* On a busy machine the writers may be done before this thread had its first turn. */
	for (unsigned i = 5000; i < 5004; i++)
		atomic_fetch_add(&gens[i], 1);
	check_books();
	fdb_counters(fdb, &c);
	printf("round %u: %lu learned, %lu moved, %lu full, %lu raced, %lu aged, %lu flushed, "
	       "%lu evicted; %lu slices, %lu listings\n",
		round, c.learned, c.moved, c.not_learned_full, c.not_learned_raced, c.aged,
		c.flushed, c.evicted, slices, listing.complete);
	if (c.moved == 0 || c.aged == 0 || c.flushed == 0 || (full && c.evicted == 0))
		die("the round did not exercise everything");
	fdb_destroy(fdb);
}

int main(int argc, char **argv)
{
	unsigned long total = 0;

	ops = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	if (ops == 0 || grace_init(READERS + WRITERS) != 0)
		die("cannot start");
	for (unsigned i = 0; i < 65536; i++)
		atomic_store(&gens[i], (uint16_t)(i % 4096));
	for (unsigned i = 0; i < ROUNDS; i++)
		round_of(i);
	for (unsigned i = 0; i < READERS; i++)
		total += looked_up[i];
	printf("%lu lookups, %u x %lu operations a round\n", total, WRITERS, ops);
	grace_fini();
	return 0;
}
