/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_EAL_H
#define PATCHBAY_CONTROLPLANE_EAL_H

/*
 * Where threads run, and how DPDK's EAL is told.
 *
 * The main lcore (id 0) is the control thread; worker i is EAL lcore i + 1. Workers get CPUs from the top of
 * what the process may use; everything else - control thread, helpers, EAL's own threads - keeps to the
 * CPUs that have no worker, as long as there is one. More workers than CPUs share them, evenly.
 */

#include <sched.h>
#include <stdbool.h>

#include "controlplane/config.h"

struct eal_plan {
	unsigned workers;
	int worker_cpus[LCORE_MAX];
	cpu_set_t control; /* for every thread that is no worker; never empty */
};

/*
 * Decides from the configuration and the CPUs the process may use. Pure. 0, or -EINVAL with the reason in
 * `error` (a CPU asked for that the process may not use).
 */
int eal_plan(const struct config *config, const cpu_set_t *allowed, struct eal_plan *out,
	char *error, unsigned error_size);

/* Restricts the calling thread, and with it all threads made later, to plan->control. -errno. */
int eal_bind(const struct eal_plan *plan);

/*
 * Starts the EAL with the calling thread as main lcore. No NIC and no hugepages unless eal.options say so or
 * (hugepages) enough are free. DPDK's messages go to our log, its chatter at debug level. 0, or -errno after
 * logging.
 */
int eal_start(const struct config *config, const struct eal_plan *plan);
/*
 * Whether eal_start() failed with hugepages that were free a moment before, so that the program should begin
 * again (exec): it then does without. The EAL cannot be started twice in one process.
 */
bool eal_again(void);
/*
 * While true, what DPDK has to complain about from the calling thread is logged at debug level only: for
 * attempts that are repeated and have failed before. Any thread, for itself.
 */
void eal_hush(bool hush);
/* Ends the EAL and removes what it left in <state_dir>/dpdk. */
void eal_stop(void);

#endif
