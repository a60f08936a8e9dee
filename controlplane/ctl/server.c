/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl server`: the daemon as a whole. */

#include "controlplane/ctl/command.h"

static const struct ctl_column server_columns[] = {
	{"Product", "ServerProductName_str", CTL_TEXT, "as peers are told"},
	{"Version", "ServerVersionString_str", CTL_TEXT, "of Patchbay"},
	{"Build", "ServerBuildInfoString_str", CTL_TEXT, "what it was built with"},
	{"Protocol version", "ServerVerInt_u32", CTL_NUMBER, "as peers are told"},
	{"Protocol build", "ServerBuildInt_u32", CTL_NUMBER, "as peers are told"},
	{"Host", "ServerHostName_str", CTL_TEXT, "host name"},
	{"Kernel", "KernelVersion_str", CTL_TEXT, "release and build"},
	{"Process", "PatchbayPid_u32", CTL_NUMBER, "process id"},
	{.title = NULL},
};

const struct ctl_command ctl_server_commands[] = {
	{
		.noun = "server",
		.verb = "show",
		.text = "Product, version and host",
		.method = "GetServerInfo",
		.columns = server_columns,
	},
	{.noun = NULL},
};
