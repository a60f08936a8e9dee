/* SPDX-License-Identifier: BSD-3-Clause */
/* See audit.h. */

#include "controlplane/admin/audit.h"

#include "controlplane/admin/call.h"
#include "controlplane/log.h"

void audit_change(const struct admin_call *call)
{
	const struct admin_field *request = call->method->request;
	const char *hub = "";
	const char *name = "";

	if (call->method->effect == ADMIN_EFFECT_NONE)
		return;
	if (admin_field_find(request, "HubName") != NULL)
		hub = admin_get_str(call, "HubName");
	if (admin_field_find(request, "Name") != NULL)
		name = admin_get_str(call, "Name");
	log_info("admin", "%s: %s hub \"%s\" name \"%s\": %s", call->caller->via,
		call->method->name, hub, name, call->error == 0 ? "done" : call->error_text);
}
