/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_GRACE_H
#define PATCHBAY_DATAPLANE_GRACE_H

/*
 * Grace periods: one QSBR variable for the whole data plane (rte_rcu_qsbr, which needs no EAL).
 *
 * Workers are the readers: online while they run a turn, quiescent once a turn, offline before they
 * block. The control thread publishes, unpublishes, and gets memory back when every worker has passed a
 * quiescent state. Nobody ever waits for that (architecture.md 6.5): a list of {token, callback} is
 * polled from the control thread's timer. The list is in order of tokens, so a poll costs one check.
 */

#include <stdbool.h>
#include <stdint.h>

/* Creates the QSBR variable for up to `readers` worker indices. -ENOMEM. Once, before workers start. */
int grace_init(unsigned readers);
void grace_fini(void);

/* Worker side, `reader` = worker index. Each thread only for itself. */
int grace_register(unsigned reader);
void grace_unregister(unsigned reader);
void grace_online(unsigned reader);
void grace_quiescent(unsigned reader);
void grace_offline(unsigned reader);

/* Control thread: a token for "now", and whether all readers have passed it since. Never waits. */
uint64_t grace_start(void);
bool grace_passed(uint64_t token);

/*
 * Calls fn(arg) on the control thread once every reader has been quiescent after this moment. The node
 * lives in the caller's object (which is what is usually freed): never fails, allocates nothing.
 */
struct grace_node {
	struct grace_node *next;
	uint64_t token;
	void (*fn)(void *arg);
	void *arg;
};
void grace_defer(struct grace_node *node, void (*fn)(void *arg), void *arg);

/* Runs what is due; returns how many still wait. Control thread. */
unsigned grace_poll(void);

#endif
