/* SPDX-License-Identifier: BSD-3-Clause */
/* See account.h. */

#include "controlplane/admin/account.h"

#include "controlplane/admin/call.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/registry.h"

uint32_t admin_account_sessions_left(
	struct admin_call *call, const struct directory_hub *hub, enum admin_account kind)
{
	const char *name = admin_get_str(call, "Name");
	bool end = admin_get_bool(call, "PatchbayEndSessions");
	uint32_t n = registry_sessions_of(hub, kind == ADMIN_ACCOUNT_USER ? name : NULL,
		kind == ADMIN_ACCOUNT_GROUP ? name : NULL, end, SESSION_END_ADMIN);

	return end ? 0 : n;
}

int admin_account_gone(struct admin_call *call, enum admin_account kind)
{
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	admin_put_str(call, "HubName", hub->name);
	admin_put_str(call, "Name", admin_get_str(call, "Name"));
	admin_put_int(call, "PatchbaySessions", admin_account_sessions_left(call, hub, kind));
	return ADMIN_DONE;
}
