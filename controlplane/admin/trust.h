/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_TRUST_H
#define PATCHBAY_CONTROLPLANE_ADMIN_TRUST_H

/* What the methods of authorities and of revocations share. */

#include "controlplane/admin/call.h"
#include "controlplane/directory_trust.h"

/*
 * The whole step() of a method that changes the lists of HubName; call->state is a struct admin_change. `change` works
 * on a copy: 0, -errno (-EEXIST becomes 112, -ENOSPC 110), or a code with its sentence set. `fence`: the admin
 * option that keeps hub administrators from it.
 */
int trust_change_step(struct admin_call *call, unsigned fence,
	int (*change)(struct admin_call *call, struct directory_trust *t));

#endif
