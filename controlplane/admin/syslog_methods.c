/* SPDX-License-Identifier: BSD-3-Clause */
/* The syslog server (admin-rpc.md 4.4, logging-admin.md 5): vpncmd's SyslogGet, SyslogEnable and SyslogDisable. */

#include <errno.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/directory.h"
#include "controlplane/server_change.h"
#include "controlplane/syslog_target.h"
#include "drivers/session/wire/wire_error.h"

#define SYSLOG_FIELDS                                                                              \
	ADMIN_INT("SaveType", 0, DIRECTORY_SYSLOG_CNT - 1,                                         \
		"which lines are sent, and then not written to disk: 0 none, 1 the server log's, " \
		"2 and security logs', 3 and packet logs'"),                                       \
		ADMIN_STR("Hostname", 0, DIRECTORY_NAME_BYTES - 1,                                 \
			"name or address of the server, or path of a UNIX socket"),                \
		ADMIN_INT("Port", 0, 65535, "UDP port; 0: 514")

static const struct admin_field get_request[] = {ADMIN_END};
static const struct admin_field fields[] = {SYSLOG_FIELDS, ADMIN_END};

struct set_syslog {
	struct server_change *change;
};

static int put(struct admin_call *call)
{
	struct directory_syslog now = {0};

	/* Where the server's lines go is no business of one hub. */
	if (call->caller->server)
		syslog_target_get(&now);
	admin_put_int(call, "SaveType", now.lines);
	admin_put_str(call, "Hostname", now.host);
	admin_put_int(call, "Port", now.port);
	return ADMIN_DONE;
}

static int set_begin(struct admin_call *call, struct set_syslog *st)
{
	struct directory_syslog want = {.set = true,
		.lines = (uint8_t)admin_get_int(call, "SaveType"),
		.port = (uint16_t)admin_get_int(call, "Port")};
	const char *host = admin_get_str(call, "Hostname");
	int rc;

	if (want.lines != 0 && host[0] == '\0')
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"Hostname is empty: name the server that the lines are to go to");
	if (!directory_text_ok(host, false))
		return admin_fail_field(call, "Hostname", "must be text");
	if (want.port == 0)
		want.port = DIRECTORY_SYSLOG_PORT;
	strcpy(want.host, host);
	rc = server_change_syslog(&want, &st->change);
	return rc == 0 || rc == -EBUSY ? ADMIN_WAIT
				       : admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
}

static int set_step(struct admin_call *call)
{
	struct set_syslog *st = call->state;
	int error;

	if (st->change == NULL)
		return set_begin(call, st);
	if (!server_change_done(st->change, &error))
		return ADMIN_WAIT;
	if (error != 0)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"not saved, so nothing was changed: %s", strerror(-error));
	return put(call);
}

static void set_fini(struct admin_call *call)
{
	struct set_syslog *st = call->state;

	server_change_forget(st->change);
}

const struct admin_method admin_method_get_sys_log = {
	.name = "GetSysLog",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells which lines go to which syslog server. Administrators of a hub get zeros.",
	.request = get_request,
	.response = fields,
	.step = put,
};

const struct admin_method admin_method_set_sys_log = {
	.name = "SetSysLog",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Sets which lines go to which syslog server, in the place of what patchbay.cfg says. A name that is "
		"not known (yet) costs lines, which are counted. 38: no server.",
	.request = fields,
	.response = fields,
	.state_bytes = sizeof(struct set_syslog),
	.step = set_step,
	.fini = set_fini,
};
