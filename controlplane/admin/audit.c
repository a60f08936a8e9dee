/* SPDX-License-Identifier: BSD-3-Clause */
/* See audit.h. */

#include "controlplane/admin/audit.h"

#include "controlplane/admin/call.h"
#include "controlplane/directory.h"
#include "controlplane/log.h"
#include "controlplane/logs/logs.h"
#include "dataplane/packet_log.h"

void audit_change(const struct admin_call *call)
{
	const struct admin_field *request = call->method->request;
	const char *hub = "";
	const char *name = "";
	const struct directory_hub *of;

	if (call->method->effect == ADMIN_EFFECT_NONE)
		return;
	if (admin_field_find(request, "HubName") != NULL)
		hub = admin_get_str(call, "HubName");
	if (admin_field_find(request, "Name") != NULL)
		name = admin_get_str(call, "Name");
	log_say(LOG_LEVEL_INFO, "admin", "%s: %s hub \"%s\" name \"%s\": %s", call->caller->via,
		call->method->name, hub, name, call->error == 0 ? "done" : call->error_text);
	/* A hub's own administration stands in its own log. */
	of = hub[0] != '\0' ? directory_hub_find(hub) : NULL;
	logs_event(of != NULL && of->hub != NULL ? hub_log_id(of->hub) : LOGS_NO_HUB,
		LOG_EVENT_ADMINISTRATION,
		(const struct log_field[]){LOG_TEXT("by", call->caller->via),
			LOG_WORD("role", call->caller->server ? "server" : "hub"),
			LOG_WORD("method", call->method->name), LOG_TEXT("hub", hub),
			LOG_TEXT("name", name),
			LOG_WORD("result", call->error == 0 ? "done" : "refused"),
			LOG_NUMBER("error", (unsigned)call->error),
			LOG_TEXT("reason", call->error == 0 ? NULL : call->error_text), LOG_END});
}
