/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_ACCESS_EDIT_H
#define PATCHBAY_CONTROLPLANE_ADMIN_ACCESS_EDIT_H

/* What the methods about access lists share. Control thread. */

#include "controlplane/access_change.h"
#include "controlplane/admin/call.h"

/* State of a method that edits. */
struct admin_access {
	struct access_change *change; /* NULL: not begun */
	uint64_t asked_ms;
	struct directory_rules rules; /* of a request that has many */
	bool parsed;
};

/*
 * The whole step() of a method that edits: `begin` is called when the caller may, and nothing else of the hub is under
 * way, until it says other than ADMIN_WAIT or has begun (admin_access_begun()); then the answer is waited for and put
 * (HubName, Id, UniqueId).
 */
int admin_access_step(struct admin_call *call,
	int (*begin)(struct admin_call *call, struct admin_access *st, struct directory_hub *hub));
/* The rule that argument Id means; false: an error is set in *rc. */
bool admin_access_find(
	struct admin_call *call, const struct directory_hub *hub, uint32_t *at, int *rc);
/* Checks and completes a rule that was given: names, admin options. 0 or the error. */
int admin_access_fit(
	struct admin_call *call, const struct directory_hub *hub, struct directory_rule *rule);
/* Behind access_change_*(). */
int admin_access_begun(struct admin_call *call, int rc);
void admin_access_fini(struct admin_call *call);
/* As directory_rule_write(); malloc'ed. */
char *admin_access_text(const struct directory_rule *rule);

#endif
