/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/unit/fdb_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants. */
#include <cmocka.h>

static uint64_t grace_now;
bool grace_blocked;

uint64_t grace_start(void)
{
	return ++grace_now;
}

bool grace_passed(uint64_t token)
{
	assert_true(token <= grace_now);
	return !grace_blocked;
}

struct meanwhile meanwhile;

void fdb_at_atomic(bool write);

void fdb_at_atomic(bool write)
{
	void (*run)(struct fdb * fdb) = meanwhile.run;

	if (run == NULL || (meanwhile.writes_only && !write) || meanwhile.countdown-- > 0)
		return;
	meanwhile.run = NULL;
	run(meanwhile.fdb);
}

_Atomic uint16_t gens[65536];

struct fdb *make(uint32_t max_entries)
{
	struct fdb_conf conf = {
		.max_entries = max_entries,
		.age_s = 600,
		.socket = -1,
		.secret = {0x8ff34781d63f9cb1, 0x7cb92ba72f6f1b23},
		.gens = gens,
	};
	struct fdb *fdb;

	grace_blocked = false;
	for (unsigned i = 0; i < PORTS; i++)
		atomic_store(&gens[i], (uint16_t)(i % 4096));
	fdb = fdb_create(&conf);
	assert_non_null(fdb);
	return fdb;
}

uint64_t look(const struct fdb *fdb, uint64_t key)
{
	uint64_t v;

	fdb_lookup_bulk(fdb, &key, 1, &v);
	return v;
}

enum fdb_learn_result learn(struct fdb *fdb, uint64_t key, uint32_t port, uint32_t now_s)
{
	return fdb_learn(fdb, key, look(fdb, key), port, atomic_load(&gens[port]), now_s);
}

uint64_t want(uint32_t port, uint32_t now_s)
{
	return (uint64_t)now_s << 32 | (uint64_t)port << 12 | atomic_load(&gens[port]);
}

void sweep(struct fdb *fdb, uint32_t now_s)
{
	uint64_t passes = fdb_sweep_passes(fdb);

	while (fdb_sweep_passes(fdb) == passes)
		fdb_sweep(fdb, 1u << 20, now_s);
}

size_t list_all(struct fdb *fdb, size_t step, struct fdb_entry *out, size_t max)
{
	uint64_t cursor = 0;
	size_t n = 0;

	while (cursor != UINT64_MAX) {
		assert_true(n + step <= max);
		n += fdb_list(fdb, &cursor, out + n, step);
	}
	return n;
}

void fill(struct fdb *fdb, uint32_t port, uint64_t from, uint32_t n, uint32_t now_s)
{
	for (uint64_t i = 0; i < n;) {
		if (learn(fdb, fdb_key(from + i, 0), port, now_s) != FDB_FULL)
			i++;
		else
			fdb_sweep(fdb, 4096, now_s);
	}
}

void same_buckets(struct fdb *fdb, uint64_t like, uint64_t *keys, unsigned n)
{
	struct fdb_table *t = atomic_load(&fdb->cur);
	struct fdb_probe p = fdb_probe(t, fdb_hash(fdb, like));

	for (uint64_t mac = 0; n > 0; mac++) {
		struct fdb_probe q = fdb_probe(t, fdb_hash(fdb, fdb_key(mac, 1)));

		if ((q.bucket[0] == p.bucket[0] && q.bucket[1] == p.bucket[1]) ||
			(q.bucket[0] == p.bucket[1] && q.bucket[1] == p.bucket[0]))
			keys[--n] = fdb_key(mac, 1);
	}
}
