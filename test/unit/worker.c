/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL and workers for unit tests (worker.h). */

#include "test/unit/worker.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "dataplane/grace.h"
#include "dataplane/lcore_priv.h"

/* "(0-2)@(0,1)": lcores 0..workers, all of them on all CPUs of this process. */
static void lcores_arg(char *buf, size_t size, unsigned workers)
{
	cpu_set_t set;
	int n, sep = '(';

	n = snprintf(buf, size, "--lcores=(0-%u)@", workers);
	sched_getaffinity(0, sizeof(set), &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < (int)size - 8; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		n += snprintf(buf + n, size - (size_t)n, "%c%d", sep, cpu);
		sep = ',';
	}
	snprintf(buf + n, size - (size_t)n, ")");
}

int worker_eal(unsigned workers)
{
	char lcores[512];
	char *argv[] = {"unit", lcores, "--no-huge", "--no-shconf", "--no-pci", "-m", "128",
		"--no-telemetry", "--log-level=*:error", NULL};

	lcores_arg(lcores, sizeof(lcores), workers);
	if (rte_eal_init(9, argv) < 0) {
		fprintf(stderr, "EAL: %s\n", rte_strerror(rte_errno));
		return -1;
	}
	return 0;
}

int worker_start(const struct lcore_conf *conf)
{
	return worker_eal(conf->workers) == 0 && lcore_init(conf) == 0 && lcore_start() == 0 ? 0
											     : -1;
}

int worker_start_two(void **)
{
	struct lcore_conf conf = {
		.workers = 2,
		.ring_size = 256,
		.mbufs = 4095,
		.spin_us = LCORE_SPIN_US_DEFAULT,
	};

	return worker_start(&conf);
}

int worker_stop(void **)
{
	lcore_stop();
	lcore_fini();
	return 0;
}

static void job_run(struct lcore *lc, struct lcore_msg *msg)
{
	struct worker_job *job = msg->arg;

	job->fn(lc, job->arg);
	atomic_fetch_add_explicit(&job->done, 1, memory_order_release);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

void worker_nap_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l}, NULL);
}

void worker_post(unsigned index, struct worker_job *job)
{
	struct lcore_msg msg = {.fn = job_run, .arg = job};
	struct lcore *lc = lcore_get(index);

	atomic_store(&job->done, 0);
	while (lcore_msg_reserve(lc, 1) != 0)
		nap();
	lcore_msg_post(lc, &msg);
}

void worker_wait(struct worker_job *job)
{
	while (atomic_load_explicit(&job->done, memory_order_acquire) == 0)
		nap();
}

atomic_bool worker_gate;

static void gate_wait(struct lcore *, void *)
{
	while (!atomic_load(&worker_gate))
		sched_yield();
}

void worker_hold(unsigned index, struct worker_job *job)
{
	atomic_store(&worker_gate, false);
	*job = (struct worker_job){.fn = gate_wait};
	worker_post(index, job);
	while (!rte_ring_empty(lcore_get(index)->msg_ring))
		sched_yield();
}

void worker_let_go(struct worker_job *job)
{
	atomic_store(&worker_gate, true);
	worker_wait(job);
}

void worker_call(unsigned index, void (*fn)(struct lcore *lc, void *arg), void *arg)
{
	struct worker_job job = {.fn = fn, .arg = arg};

	worker_post(index, &job);
	worker_wait(&job);
}

bool worker_until(bool (*what)(void *arg), void *arg)
{
	for (unsigned i = 0; i < 100000; i++) {
		lcore_events_run(1000);
		if (what(arg))
			return true;
		nap();
	}
	return false;
}

static bool settled(void *)
{
	return grace_poll() == 0 && lcore_quiet();
}

bool worker_settle(void)
{
	return worker_until(settled, NULL);
}
