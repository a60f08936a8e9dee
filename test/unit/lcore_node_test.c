/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers on a NUMA node that has no memory. This machine has one node and the test no huge pages: between lcore*.c and
 * DPDK stand the functions below, which make it two nodes, note where memory was asked for and refuse what is to be refused.
 */

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring_elem.h>

#include "dataplane/lcore_priv.h"
#include "test/unit/worker.h"

#define WORKERS 3u
#define BARE	1 /* the node of workers 1 and 2; worker 0 is on 0 */
#define MBUFS	4095u

static struct {
	bool on;		   /* two nodes */
	bool memory, pools, rings; /* node BARE has some for these */
	bool nowhere;		   /* nor has any other node an mbuf */
	bool taken; /* every ring's name is, so that there is none wherever it is to be */
	unsigned near, far, refused; /* asked for on a node, anywhere, in vain */
} machine;

#define REAL(f) ((__typeof__(&(f)))dlsym(RTLD_NEXT, #f))

/* Notes it; false: there is none. */
static bool ask(int socket, bool some)
{
	if (!machine.on)
		return true;
	machine.near += socket != SOCKET_ID_ANY;
	machine.far += socket == SOCKET_ID_ANY;
	if (socket != BARE || some)
		return true;
	machine.refused++;
	return false;
}

int rte_eal_has_hugepages(void)
{
	return machine.on ? 1 : REAL(rte_eal_has_hugepages)();
}

unsigned rte_lcore_to_socket_id(unsigned lcore)
{
	return machine.on ? (lcore > 1 ? BARE : 0) : REAL(rte_lcore_to_socket_id)(lcore);
}

void *rte_zmalloc_socket(const char *type, size_t size, unsigned align, int socket)
{
	bool ours = type != NULL && (strcmp(type, "lcore") == 0 || strncmp(type, "relay_", 6) == 0);

	if (ours && !ask(socket, machine.memory))
		return NULL;
	return REAL(rte_zmalloc_socket)(type, size, align, SOCKET_ID_ANY);
}

struct rte_mempool *rte_pktmbuf_pool_create(
	const char *name, unsigned n, unsigned cache, uint16_t priv, uint16_t room, int socket)
{
	bool on = machine.on;
	struct rte_mempool *pool;

	if (!ask(socket, machine.pools) || (on && machine.nowhere))
		return NULL;
	machine.on = false; /* DPDK asks itself, too */
	pool = REAL(rte_pktmbuf_pool_create)(name, n, cache, priv, room, SOCKET_ID_ANY);
	machine.on = on;
	return pool;
}

struct rte_ring *rte_ring_create_elem(
	const char *name, unsigned size, unsigned count, int socket, unsigned flags)
{
	bool on = machine.on;
	struct rte_ring *r;

	if (strncmp(name, "relay_", 6) == 0 && (!ask(socket, machine.rings) || machine.taken))
		return NULL;
	machine.on = false;
	r = REAL(rte_ring_create_elem)(name, size, count, SOCKET_ID_ANY, flags);
	machine.on = on;
	return r;
}

/* ---- the workers ------------------------------------------------------------------------------- */

static char *said;

/* Makes the workers; `said` is what was logged meanwhile. */
static int workers_make(void)
{
	const struct lcore_conf conf = {.workers = WORKERS, .ring_size = 128, .mbufs = MBUFS};
	size_t size;
	FILE *log;
	int rc;

	free(said);
	said = NULL;
	log = open_memstream(&said, &size);
	assert_non_null(log);
	rte_openlog_stream(log);
	machine.near = machine.far = machine.refused = 0;
	machine.on = true;
	rc = lcore_init(&conf);
	machine.on = false;
	rte_openlog_stream(NULL);
	fclose(log);
	return rc;
}

static unsigned warnings(void)
{
	unsigned n = 0;

	for (const char *at = said; (at = strstr(at, "NUMA node")) != NULL; at++)
		n++;
	return n;
}

static void job(struct lcore *lc, void *arg)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lcore_pool(lc));

	*(bool *)arg = m != NULL;
	rte_pktmbuf_free(m);
}

/* They run, and each has buffers and its rings. */
static void workers_work(void)
{
	assert_int_equal(lcore_start(), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		bool ok = false;

		worker_call(i, job, &ok);
		assert_true(ok);
		for (unsigned k = 0; k < WORKERS; k++)
			assert_true(i == k ||
				(lcore_get(i)->out[k].ring != NULL &&
					lcore_get(i)->out[k].ring == lcore_get(k)->in[i]));
	}
	lcore_fini();
	assert_null(rte_mempool_lookup("patchbay_mbuf_1"));
}

static void memory_is_near_where_there_is_some(void **)
{
	machine.memory = machine.pools = machine.rings = true;
	assert_int_equal(workers_make(), 0);
	assert_int_equal(machine.far, 0);
	assert_int_equal(machine.near, 3 * WORKERS + 2 + WORKERS * (WORKERS - 1));
	assert_int_equal(warnings(), 0);
	assert_ptr_not_equal(lcore_pool(lcore_get(0)), lcore_pool(lcore_get(1)));
	assert_ptr_equal(lcore_pool(lcore_get(1)), lcore_pool(lcore_get(2)));
	workers_work();
}

/* All of it, or only what is large: each time one warning, and each worker knows still where it is. */
static void a_node_without_memory_is_told_once(void **)
{
	for (unsigned bits = 0; bits < 7; bits++) {
		machine.memory = (bits & 1) != 0;
		machine.pools = (bits & 2) != 0;
		machine.rings = (bits & 4) != 0;
		assert_int_equal(workers_make(), 0);
		assert_true(machine.refused > 0);
		/* What was refused near was asked for once more, elsewhere, and nothing else was. */
		assert_int_equal(machine.far,
			(machine.memory ? 0 : 6u) + (machine.pools ? 0 : 1u) +
				(machine.rings ? 0 : 4u));
		assert_int_equal(warnings(), 1);
		assert_non_null(strstr(said, "NUMA node 1 has too little memory"));
		assert_int_equal(lcore_get(0)->socket, 0);
		assert_int_equal(lcore_get(2)->socket, BARE);
		/* One pool for those without. */
		assert_ptr_equal(lcore_pool(lcore_get(1)), lcore_pool(lcore_get(2)));
		assert_ptr_not_equal(lcore_pool(lcore_get(0)), lcore_pool(lcore_get(1)));
		workers_work();
	}
}

/* And no node's fault: who reads that one has too little memory looks in the wrong place. */
static void none_anywhere_is_an_error(void **)
{
	machine.memory = machine.pools = machine.rings = true;
	machine.taken = true;
	assert_int_equal(workers_make(), -ENOMEM);
	assert_true(machine.far > 0);
	assert_int_equal(warnings(), 0);
	machine.taken = machine.pools = false;
	machine.nowhere = true;
	assert_int_equal(workers_make(), -ENOMEM);
	assert_int_equal(warnings(), 0);
	assert_int_equal(lcore_count(), 0);
	/* What is left of the attempt is gone. */
	machine.nowhere = false;
	assert_int_equal(workers_make(), 0);
	assert_int_equal(warnings(), 1);
	workers_work();
}

static int setup(void **)
{
	int rc = worker_eal(WORKERS);

	rte_log_set_level_pattern("patchbay.lcore", RTE_LOG_WARNING);
	return rc;
}

static int teardown(void **)
{
	free(said);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_near_where_there_is_some),
		cmocka_unit_test(a_node_without_memory_is_told_once),
		cmocka_unit_test(none_anywhere_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
