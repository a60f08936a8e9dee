/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_TELEMETRY_H
#define PATCHBAY_CONTROLPLANE_TELEMETRY_H

/*
 * For developers: commands beside DPDK's own on its telemetry socket (<state_dir>/dpdk/patchbay/dpdk_telemetry.v2,
 * dpdk-telemetry.py speaks to it; the state directory is root's and the daemon's). They look at what is running and
 * change nothing.
 *
 *   /patchbay/lcores        indices of the workers
 *   /patchbay/lcore,INDEX   cycles, turns, sleeps and the books of one, each drop by its reason
 *
 * DPDK answers on a thread of its own: from there nothing is looked at but counters that any thread may read. Operators
 * have metrics.h and patchbayctl.
 */

/* Registers the commands. 0 or -errno: then there are none, and nothing else suffers. After lcore_init(), once. */
int telemetry_start(void);
/* From its return on the commands look at nothing and answer with an error. Before lcore_fini(). Idempotent. */
void telemetry_stop(void);

#endif
