/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_WORKER_H
#define PATCHBAY_TEST_UNIT_WORKER_H

/*
 * EAL and workers for unit tests: no huge pages, no PCI, no files that another test could meet, lcores
 * that float over whatever CPUs this process may use. Workers never assert (cmocka jumps out of the main
 * thread only): they record, the test thread judges.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "dataplane/lcore.h"

/* worker_eal() for conf->workers, lcore_init(), lcore_start(). 0 or -1. */
int worker_start(const struct lcore_conf *conf);
/* Two of them with rings of 256 and 4095 frame buffers each, else as a daemon has them: a group's setup. */
int worker_start_two(void **state);
/* The end of them: a group's teardown. */
int worker_stop(void **state);

/* rte_eal_init() for `workers` worker lcores. 0, or -1 after a message. Once per process. */
int worker_eal(unsigned workers);

/* Runs fn(lc, arg) on worker `index` inside a turn and waits until it has returned. */
void worker_call(unsigned index, void (*fn)(struct lcore *lc, void *arg), void *arg);

/* The same without waiting; *done counts up when it has run. */
struct worker_job {
	void (*fn)(struct lcore *lc, void *arg);
	void *arg;
	atomic_uint done;
};
void worker_post(unsigned index, struct worker_job *job);
void worker_wait(struct worker_job *job);

/* Keeps a worker busy in its step 1 until the gate opens, which worker_let_go() does; that returns when it is free. */
extern atomic_bool worker_gate;
void worker_hold(unsigned index, struct worker_job *job);
void worker_let_go(struct worker_job *job);

/* Sleeps in the test's thread. */
void worker_nap_ms(unsigned ms);

/* Waits until `what(arg)` holds, at most 10 s (a failure, never a measurement). Runs events meanwhile. */
bool worker_until(bool (*what)(void *arg), void *arg);
/* lcore_quiet(), events run, all grace periods over. */
bool worker_settle(void);

#endif
