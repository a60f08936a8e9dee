/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the MAC table costs: TSC cycles per key of a bulk lookup (random keys out of 1 k .. 1 M that are
 * there, and keys that are not), of learning new keys and of refreshing known ones. On one thread, outside
 * EAL; the table is grown as in life, by sweeping while it is filled. Lookups are measured in pieces of 4096
 * keys: median, and best tenth, which on a machine that others use as well is nearer the truth.
 *
 *   fdb_bench [burst]      keys per lookup, default 64
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "dataplane/fdb.h"
#include "dataplane/grace.h"

#define RUNS	9u
#define LOOKUPS (1u << 20)
#define PIECE	4096u

static _Atomic uint16_t gens[65536];

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static uint64_t key_at(uint32_t n)
{
	/* Addresses as a network has them: a few makers, running numbers. */
	return fdb_key(UINT64_C(0x020000000000) | (uint64_t)(n & 7) << 32 | n >> 3, 0);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static void lookup_cycles(const struct fdb *fdb, const uint64_t *keys, unsigned burst,
	unsigned *missed, double *mid, double *best)
{
	uint64_t values[128], start;
	static double pieces[RUNS * (LOOKUPS / PIECE)];
	unsigned n = 0;

	for (unsigned r = 0; r < RUNS; r++) {
		*missed = 0;
		for (unsigned p = 0; p < LOOKUPS; p += PIECE) {
			start = __rdtsc();
			for (unsigned i = p; i < p + PIECE; i += burst) {
				fdb_lookup_bulk(fdb, keys + i, burst, values);
				for (unsigned k = 0; k < burst; k++)
					*missed += values[k] == 0;
			}
			pieces[n++] = (double)(__rdtsc() - start) / PIECE;
		}
	}
	qsort(pieces, n, sizeof(*pieces), by_value);
	*mid = pieces[n / 2];
	*best = pieces[n / 10];
}

static void measure(uint32_t n, unsigned burst)
{
	struct fdb_conf conf = {
		.max_entries = n < 16 ? 16 : n,
		.age_s = 600,
		.socket = -1,
		.secret = {0x8ff34781d63f9cb1, 0x7cb92ba72f6f1b23},
		.gens = gens,
	};
	struct fdb *fdb = fdb_create(&conf);
	uint64_t *keys = malloc(LOOKUPS * sizeof(*keys)), seed = 88172645463325252, start,
		 spent = 0;
	unsigned missed, unknown, learned = 0;
	double hit, hit_best, miss, miss_best, learn, refresh, move, runs[RUNS];

	if (fdb == NULL || keys == NULL)
		exit(1);
	/* Refused while the table is small: tried again, as the next frame would. */
	for (uint32_t i = 0; i < n;) {
		enum fdb_learn_result result;

		start = __rdtsc();
		result = fdb_learn(fdb, key_at(i), 0, 1 + i % 1000, 7, 1);
		spent += __rdtsc() - start;
		if (result == FDB_LEARNED)
			learned++;
		if (result != FDB_FULL || fdb_count(fdb) == n)
			i++;
		if (result == FDB_FULL || i % 256 == 0)
			fdb_sweep(fdb, 4096, 1);
	}
	learn = (double)spent / n;
	for (unsigned i = 0; i < 3000; i++)
		fdb_sweep(fdb, 4096, 1);

	for (unsigned i = 0; i < LOOKUPS; i++)
		keys[i] = key_at((uint32_t)(next_random(&seed) >> 20) % n);
	lookup_cycles(fdb, keys, burst, &missed, &hit, &hit_best);
	for (unsigned r = 0; r < RUNS; r++) {
		start = __rdtsc();
		for (unsigned i = 0; i < 65536; i++)
			fdb_learn(fdb, keys[i], 0, 1, 7, 2 + r);
		runs[r] = (double)(__rdtsc() - start) / 65536;
	}
	/* The first run moves most of them to port 1; the others refresh. */
	move = runs[0];
	refresh = median(runs + 1, RUNS - 1);
	for (unsigned i = 0; i < LOOKUPS; i++)
		keys[i] = key_at((uint32_t)(next_random(&seed) >> 20) % n + 0x40000000);
	lookup_cycles(fdb, keys, burst, &unknown, &miss, &miss_best);
	printf("%8u %7.1f %7.1f %7.1f %7.1f %9.1f %9.1f %9.1f   %u not learned, %u of %u hits missed\n",
		n, hit, hit_best, miss, miss_best, learn, move, refresh, n - learned, missed,
		LOOKUPS);
	if (unknown != LOOKUPS)
		exit(1);
	free(keys);
	fdb_destroy(fdb);
}

int main(int argc, char **argv)
{
	unsigned burst = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 64;

	if (burst < 1 || burst > 128 || PIECE % burst != 0 || grace_init(1) != 0) {
		fputs("usage: fdb_bench [burst: 1, 2, 4 .. 128]\n", stderr);
		return 2;
	}
	for (unsigned i = 0; i < 65536; i++)
		atomic_store(&gens[i], 7);
	printf("TSC cycles per key, bursts of %u\n", burst);
	printf("%8s %7s %7s %7s %7s %9s %9s %9s\n", "keys", "hit", "best", "miss", "best", "learn",
		"move", "refresh");
	measure(1000, burst);
	measure(65536, burst);
	measure(262144, burst);
	measure(1048576, burst);
	grace_fini();
	return 0;
}
