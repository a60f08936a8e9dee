/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl status`: what one wants to see first, from three methods. */

#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

static const struct ctl_column info_lines[] = {
	{"Server", "ServerVersionString_str", CTL_TEXT, "version"},
	{"Host", "ServerHostName_str", CTL_TEXT, "host name"},
	{"Process", "PatchbayPid_u32", CTL_NUMBER, "process id"},
	{.title = NULL},
};

static const struct ctl_column status_lines[] = {
	{"Hubs", "NumHubTotal_u32", CTL_NUMBER, "hubs"},
	{"Users", "NumUsers_u32", CTL_NUMBER, "users of all hubs"},
	{"Sessions", "NumSessionsTotal_u32", CTL_NUMBER, "sessions now"},
	{"TCP connections", "NumTcpConnections_u32", CTL_NUMBER, "in all states"},
	{"MAC addresses", "NumMacTables_u32", CTL_NUMBER, "in all hubs"},
	{"Worker lcores", "PatchbayLcores_u32", CTL_NUMBER, "workers"},
	{"Resident (bytes)", "PatchbayResident_u64", CTL_NUMBER, "memory of the daemon"},
	{"In, unicast", "Recv.UnicastCount_u64", CTL_NUMBER, "frames"},
	{"  broadcast", "Recv.BroadcastCount_u64", CTL_NUMBER, "frames"},
	{"Out, unicast", "Send.UnicastCount_u64", CTL_NUMBER, "frames"},
	{"  broadcast", "Send.BroadcastCount_u64", CTL_NUMBER, "frames"},
	{"Log lines lost", "PatchbayLogLost_u64", CTL_NUMBER, "the log could not keep up"},
	{.title = NULL},
};

static const struct ctl_column listener_columns[] = {
	{"LISTENER", "Ports_u32", CTL_NUMBER, "TCP port"},
	{"ENABLED", "Enables_bool", CTL_YES_NO, "is meant to listen"},
	{"FAILED", "Errors_bool", CTL_YES_NO, "could not be opened"},
	{"ACCEPTED", "PatchbayAccepted_u64", CTL_NUMBER, "connections accepted"},
	{"ERROR", "PatchbayError_str", CTL_TEXT, "why it could not be opened"},
	{.title = NULL},
};

static void on_listener(void *ctx, const char *, json_t *row)
{
	show_row(ctx, listener_columns, row);
}

static void show_uptime(FILE *out, json_t *status)
{
	uint64_t s = show_number(status, "CurrentTick_u64") / 1000;
	char since[SHOW_MAX];
	char text[SHOW_MAX + 64];

	show_field(status, "StartTime_dt", CTL_TIME, since);
	snprintf(text, sizeof(text), "%s UTC (%llu d %02u:%02u:%02u ago)", since,
		(unsigned long long)(s / 86400), (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
		(unsigned)(s % 60));
	show_line(out, "Started", text);
}

static int show_status(struct ctl_run *run)
{
	struct reply info = {0};
	struct reply status = {0};
	int rc = client_call(run->socket_path, "GetServerInfo", NULL, &info, NULL);

	if (rc == CTL_OK)
		rc = client_call(run->socket_path, run->command->method, NULL, &status, NULL);
	if (rc == CTL_OK) {
		show_record(run->out, info_lines, client_result(&info));
		show_uptime(run->out, client_result(&status));
		show_record(run->out, status_lines, client_result(&status));
	}
	reply_fini(&info);
	reply_fini(&status);
	return rc;
}

static int run_status(struct ctl_run *run)
{
	struct reply listeners = {.row = on_listener};
	int rc;

	if (run->json)
		return ctl_run_general(run);
	rc = show_status(run);
	if (rc != CTL_OK)
		return rc;
	fputc('\n', run->out);
	listeners.ctx = show_table(run->out, listener_columns);
	rc = client_call(run->socket_path, "EnumListener", NULL, &listeners, NULL);
	table_end(listeners.ctx);
	reply_fini(&listeners);
	return rc;
}

const struct ctl_command ctl_status_commands[] = {
	{
		.noun = "status",
		.text = "What the daemon is, has and does",
		.method = "GetServerStatus",
		.run = run_status,
	},
	{.noun = NULL},
};
