/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_POLICY_H
#define PATCHBAY_CONTROLPLANE_CTL_POLICY_H

/* The policy of a user or a group, which is part of its record (account.h). */

#include "controlplane/ctl/account.h"
#include "controlplane/ctl/command.h"

/* What policy_run() expects, in this order. */
#define POLICY_OPTIONS                                                                       \
	{.name = "--remove", .kind = CTL_FLAG, .text = "take the policy away"},              \
	{                                                                                    \
		.name = "--end-sessions", .kind = CTL_FLAG, .text = RECORD_END_SESSIONS_TEXT \
	}

/*
 * The verb "policy": shows, sets the keys typed (the others stay, or have their defaults), or takes the policy
 * away. Its options are POLICY_OPTIONS. Exit status.
 */
int policy_run(struct ctl_run *run);

/* The verb "show": the record in the general way, then its policy if it has one. Exit status. */
int policy_run_show(struct ctl_run *run);

#endif
