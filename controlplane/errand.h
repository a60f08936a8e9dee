/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ERRAND_H
#define PATCHBAY_CONTROLPLANE_ERRAND_H

/*
 * Work that goes on without who asked for it: a save, a job of a slow helper. Two hold it, the work until it is over, and
 * who asked until he has seen what came of it, or goes. Who lets go second frees it. A member of what is held. Control
 * thread.
 */

#include <stdbool.h>

struct errand {
	bool over; /* what came of it can be read */
	bool forgotten;
};

/* The work is over. True: nobody waits for it, and it is to be freed. */
static inline bool errand_over(struct errand *e)
{
	e->over = true;
	return e->forgotten;
}

/* Who asked goes. True: it is over, and to be freed; else that is left to the work. */
static inline bool errand_forget(struct errand *e)
{
	e->forgotten = true;
	return e->over;
}

#endif
