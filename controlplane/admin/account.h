/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_ACCOUNT_H
#define PATCHBAY_CONTROLPLANE_ADMIN_ACCOUNT_H

/* What the methods about users and those about groups share. `Name` of the call is the user's or the group's. */

#include <stdbool.h>
#include <stdint.h>

struct admin_call;
struct directory_hub;

enum admin_account {
	ADMIN_ACCOUNT_USER,
	ADMIN_ACCOUNT_GROUP,
};

/*
 * What runs under the record of before: ended if the call says PatchbayEndSessions, and how many go on. Control
 * thread.
 */
uint32_t admin_account_sessions_left(
	struct admin_call *call, const struct directory_hub *hub, enum admin_account kind);
/* The answer to a deletion. */
int admin_account_gone(struct admin_call *call, enum admin_account kind);

#endif
