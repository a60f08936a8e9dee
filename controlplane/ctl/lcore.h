/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_LCORE_H
#define PATCHBAY_CONTROLPLANE_CTL_LCORE_H

/* Cycles of the workers, for `lcore list` and the end of `stats`. */

#include <stdint.h>

#include "controlplane/ctl/command.h"

#define LCORES_MAX 64u

struct lcore_cycles {
	uint64_t busy;
	uint64_t idle;
};

/* One line per lcore: busy and idle cycles and the busy share since start. Exit status. */
int lcore_cycles_show(struct ctl_run *run);

/* Share of busy in the cycles that went by, as text like "12.3%". */
const char *lcore_share(struct lcore_cycles since, struct lcore_cycles now, char text[16]);

#endif
