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

/* The hub, if the caller may edit its list and nothing else is under way: 0, an error, or ADMIN_WAIT. */
int admin_access_hub(struct admin_call *call, struct directory_hub **hub);
/* Checks and completes a rule that was given: names, admin options. 0 or the error. */
int admin_access_fit(
	struct admin_call *call, const struct directory_hub *hub, struct directory_rule *rule);
/* Behind access_change_*(). */
int admin_access_begun(struct admin_call *call, int rc);
/* In later steps; puts the answer (HubName, Id, UniqueId). */
int admin_access_wait(struct admin_call *call);
void admin_access_fini(struct admin_call *call);
/* As directory_rule_write(); malloc'ed. */
char *admin_access_text(const struct directory_rule *rule);

#endif
