/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_LCORE_TIMER_H
#define PATCHBAY_DATAPLANE_LCORE_TIMER_H

/*
 * A worker's timer wheel: hashed by tick, one turn of the wheel is WHEEL_SLOTS * LCORE_TICK_MS = 16 s;
 * what is due later stays in its slot for more turns. Private to one thread. No EAL.
 *
 * `next_ms` is a lower bound of what is due: arming lowers it, cancelling leaves it, running computes it
 * anew. So an idle worker sleeps until a timer is due, or wakes once in vain after a cancel.
 */

#include "dataplane/lcore.h"

#define WHEEL_SLOTS 1024u

LIST_HEAD(lcore_timer_list, lcore_timer);

struct wheel {
	uint64_t tick;	  /* last tick that has been run */
	uint64_t next_ms; /* nothing is due before; UINT64_MAX: nothing armed */
	uint32_t armed;
	struct lcore_timer_list expiring;
	struct lcore_timer_list slot[WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_ms);
/* Due in the past means the next tick; never in the tick that is being run. */
void wheel_arm(struct wheel *w, struct lcore_timer *t, uint64_t due_ms);
void wheel_cancel(struct wheel *w, struct lcore_timer *t);
/* Calls expire(lc, t) for all that is due; they may arm and cancel any timer. Returns how many. */
unsigned wheel_run(struct wheel *w, struct lcore *lc, uint64_t now_ms);

#endif
