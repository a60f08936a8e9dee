/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_POLICY_H
#define PATCHBAY_CONTROLPLANE_CTL_POLICY_H

/* The policy of a user or a group, which is part of its record (account.h). */

#include "controlplane/ctl/command.h"

/*
 * The verb "policy": shows, sets the keys typed (the others stay, or have their defaults), or takes the policy
 * away. Expects the options --remove, --end-sessions in this order. Exit status.
 */
int policy_run(struct ctl_run *run);

/* The verb "show": the record in the general way, then its policy if it has one. Exit status. */
int policy_run_show(struct ctl_run *run);

#endif
