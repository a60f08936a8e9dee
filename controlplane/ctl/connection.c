/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl connection`: TCP connections in all states. */

#include "controlplane/ctl/command.h"

static const struct ctl_column connection_columns[] = {
	{"CONNECTION", "Name_str", CTL_TEXT, "name, CID-<n>"},
	{"STATE", "PatchbayState_str", CTL_TEXT,
		"handshake, negotiating, established, admin or closing"},
	{"FROM", "Ip_ip", CTL_TEXT, "address of the peer"},
	{"PORT", "Port_u32", CTL_NUMBER, "TCP port of the peer"},
	{"LISTENER", "PatchbayListenerPort_u32", CTL_NUMBER, "port it came in through"},
	{"CONNECTED (UTC)", "ConnectedTime_dt", CTL_TIME, "when it was accepted"},
	{"ESTABLISHED (UTC)", "PatchbayEstablishedTime_dt", CTL_TIME, "when it joined its session"},
	{"HUB", "PatchbayHubName_str", CTL_TEXT, "hub of its session"},
	{"SESSION", "PatchbaySessionName_str", CTL_TEXT, "session it belongs to"},
	{.title = NULL},
};

const struct ctl_command ctl_connection_commands[] = {
	{
		.noun = "connection",
		.verb = "list",
		.text = "TCP connections in all states",
		.method = "EnumConnection",
		.list = "ConnectionList",
		.columns = connection_columns,
	},
	{
		.noun = "connection",
		.verb = "close",
		.text = "Close a TCP connection; its session may be rejoined by its client",
		.method = "DisconnectConnection",
		.arguments = {CTL_ARGUMENT("NAME", "Name_str", "name of the connection, CID-<n>")},
		.done = "connection closed",
		.hint = "`patchbayctl connection list` shows the connections.",
	},
	{.noun = NULL},
};
