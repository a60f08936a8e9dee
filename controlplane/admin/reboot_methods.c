/* SPDX-License-Identifier: BSD-3-Clause */
/* The service from its beginning, without a word of the service manager (admin-rpc.md 4.1). */

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/control.h"
#include "controlplane/log.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field reboot_request[] = {
	ADMIN_INT("IntValue", 0, UINT32_MAX, "0; 1 would forget the configuration: 33"),
	ADMIN_INT64("Int64Value", "not looked at"),
	ADMIN_STR("StrValue", 0, 255, "not looked at"),
	ADMIN_USTR("UniStrValue", 0, 255, "not looked at"),
	ADMIN_END,
};

static const struct admin_field no_response[] = {ADMIN_END};

static int reboot_server_step(struct admin_call *call)
{
	if (admin_get_int(call, "IntValue") != 0)
		return admin_fail(call, WIRE_ERROR_NOT_SUPPORTED,
			"the configuration is not forgotten from afar: stop the service and move "
			"directory.cfg, its versions and directory.journal.* away");
	log_notice("admin", "the service starts anew, as %s asked for", call->caller->via);
	control_restart();
	return ADMIN_DONE;
}

const struct admin_method admin_method_reboot_server = {
	.name = "RebootServer",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Ends the service in good order and starts it anew, with the same process id: sessions end, clients come "
		"back. Answered before. 33: with the wish to forget the configuration.",
	.request = reboot_request,
	.response = no_response,
	.step = reboot_server_step,
};
