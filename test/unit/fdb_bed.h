/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_FDB_BED_H
#define PATCHBAY_TEST_UNIT_FDB_BED_H

/*
 * A MAC table on one thread. The grace period is a fake that the test opens and closes, so that every intermediate state
 * of growth and of a cleared slot can be held still and looked at; fdb_stress_test.c has the real one.
 */

#include "dataplane/fdb_table.h"
#include "dataplane/grace.h"

#define PORTS 32u

extern bool grace_blocked;
extern _Atomic uint16_t gens[65536]; /* port i has generation i */

/* Runs something else in the middle of a call: before its n-th atomic operation (fdb_hook.h). */
struct meanwhile {
	int countdown;
	bool writes_only;
	void (*run)(struct fdb *fdb);
	struct fdb *fdb;
};
extern struct meanwhile meanwhile;

struct fdb *make(uint32_t max_entries);
uint64_t look(const struct fdb *fdb, uint64_t key);
enum fdb_learn_result learn(struct fdb *fdb, uint64_t key, uint32_t port, uint32_t now_s);
uint64_t want(uint32_t port, uint32_t now_s);
/* A whole pass, through whatever stage of growth is due. */
void sweep(struct fdb *fdb, uint32_t now_s);
size_t list_all(struct fdb *fdb, size_t step, struct fdb_entry *out, size_t max);
/* Fills a table to its bound with addresses of one port, seen once. */
void fill(struct fdb *fdb, uint32_t port, uint64_t from, uint32_t n, uint32_t now_s);
/* Keys whose two buckets are those of `like`, in either order. */
void same_buckets(struct fdb *fdb, uint64_t like, uint64_t *keys, unsigned n);

#endif
