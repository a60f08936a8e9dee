/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_HUB_INPUT_PRIV_H
#define PATCHBAY_DATAPLANE_HUB_INPUT_PRIV_H

/* A burst that a port received, on its way through hub_input(): shared by the files of its steps. */

#include "dataplane/hub_priv.h"

struct input {
	struct burst b;
	struct port *port;
	uint64_t broadcast;		/* mask: I/G bit of the destination */
	uint64_t keys[2 * FRAME_BURST]; /* source, destination, source, ... of b.frame[] */
	uint64_t values[2 * FRAME_BURST] __attribute__((aligned(16)));
	struct burst_groups groups;
	struct stats_traffic in;
	unsigned dropped;
	uint32_t drop[STATS_DROP_IN_CNT];
};

static inline void input_drop(struct input *in, struct frame *f, enum stats_drop_in reason)
{
	burst_bury(&in->b, f);
	in->drop[reason]++;
	in->dropped++;
}

/* ---- hub_mirror.c ---- */

/* Copies of the frames in `flood` and in the groups for every mirror of the hub. Consumes nothing. */
void input_mirror(struct input *in, uint64_t flood);

#endif
