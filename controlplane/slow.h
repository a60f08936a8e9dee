/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_SLOW_H
#define PATCHBAY_CONTROLPLANE_SLOW_H

/*
 * Slow helpers: a small pool of threads for what may wait for somebody else - fsync, devices, name
 * resolution. They keep no login waiting. (Handshakes have helpers of their own: those only compute.)
 */

struct slow_job {
	void (*work)(
		struct slow_job *job); /* on a helper: may block, touches only the job's own data */
	void (*done)(
		struct slow_job *job); /* on the control thread afterwards; owns the job again */
	struct slow_job *next;	       /* slow's own */
};

/* -errno. Control thread, before the loop runs. */
int slow_init(unsigned threads);
/*
 * Queues the job (embedded in the caller's object; no bound needed since each object queues once). While no
 * helper runs - before slow_init() and from slow_fini() on - work() and done() run at once in the caller.
 * Control thread.
 */
void slow_submit(struct slow_job *job);
/* Finishes what is queued, joins, runs the done() that are due. Before control_fini(). */
void slow_fini(void);
/*
 * The same, but -ETIMEDOUT when a helper has not come back by then: a device's probe may never. Its thread and
 * its job are still there, so that the process has to end without further ado.
 */
int slow_fini_within(unsigned patience_ms);

#endif
