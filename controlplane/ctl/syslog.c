/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl syslog`: the server that log lines are sent to. The daemon takes the whole record at once. */

#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

/* In the order of SaveType. */
static const char *const lines[] = {"off", "server", "security", "packet"};
#define LINES (sizeof(lines) / sizeof(lines[0]))

static int run_show(struct ctl_run *run)
{
	struct reply reply = {0};
	uint64_t type;
	int rc;

	if (run->json)
		return ctl_run_general(run);
	rc = client_call(run->socket_path, "GetSysLog", json_object(), &reply, NULL);
	if (rc == CTL_OK) {
		type = show_number(client_result(&reply), "SaveType_u32");
		show_line(run->out, "Lines", type < LINES ? lines[type] : "?");
		show_record(run->out, run->command->columns, client_result(&reply));
	}
	reply_fini(&reply);
	return rc;
}

static int run_set(struct ctl_run *run)
{
	json_t *params = ctl_params(run);
	size_t type = 1;

	if (params == NULL)
		return CTL_USAGE;
	while (type < LINES && strcmp(run->arguments[1], lines[type]) != 0)
		type++;
	if (type == LINES) {
		fprintf(stderr,
			"patchbayctl: which lines? \"%s\": should be server, security or packet\n",
			run->arguments[1]);
		json_decref(params);
		return CTL_USAGE;
	}
	json_object_set_new(params, "SaveType_u32", json_integer((json_int_t)type));
	return ctl_call_and_tell(run, "SetSysLog", params);
}

static int run_off(struct ctl_run *run)
{
	return ctl_call_and_tell(run, "SetSysLog",
		json_pack("{s:i, s:s, s:i}", "SaveType_u32", 0, "Hostname_str", "", "Port_u32", 0));
}

static const struct ctl_column syslog_lines[] = {
	{"Host", "Hostname_str", CTL_TEXT, "name, address, or path of a UNIX socket"},
	{"Port", "Port_u32", CTL_NUMBER, "UDP port"},
	{.title = NULL},
};

const struct ctl_command ctl_syslog_commands[] = {
	{
		.noun = "syslog",
		.verb = "show",
		.text = "Which lines of the logs go to which syslog server",
		.method = "GetSysLog",
		.columns = syslog_lines,
		.run = run_show,
	},
	{
		.noun = "syslog",
		.verb = "set",
		.text = "Send lines to a syslog server instead of writing them to disk; in force at once",
		.method = "SetSysLog",
		.arguments = {CTL_ARGUMENT("HOST", "Hostname_str",
				      "name, address, path of a UNIX socket, or journald"),
			CTL_ARGUMENT("LINES", NULL,
				"server: the server log's; security: security logs' too; packet: all")},
		.options = {{.name = "--port",
			.value = "PORT",
			.field = "Port_u32",
			.kind = CTL_INTEGER,
			.text = "UDP port (514)"}},
		.done = "syslog server set",
		.hint = "`patchbayctl log status` counts what is sent and what is lost.",
		.run = run_set,
	},
	{
		.noun = "syslog",
		.verb = "off",
		.text = "Write all lines to disk, whatever patchbay.cfg says",
		.method = "SetSysLog",
		.done = "no lines are sent any more",
		.run = run_off,
	},
	{.noun = NULL},
};
