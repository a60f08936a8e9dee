/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl mac`: the MAC table of a hub. */

#include "controlplane/ctl/command.h"

static const struct ctl_column mac_columns[] = {
	{"MAC", "MacAddress_bin", CTL_MAC, "address"},
	{"VLAN", "VlanId_u32", CTL_NUMBER, "0 = untagged"},
	{"SESSION", "SessionName_str", CTL_TEXT, "session behind which it is"},
	{"LEARNED (UTC)", "CreatedTime_dt", CTL_TIME, "when it was learned"},
	{"LAST FRAME (UTC)", "UpdatedTime_dt", CTL_TIME, "last frame from it"},
	{.title = NULL},
};

const struct ctl_command ctl_mac_commands[] = {
	{
		.noun = "mac",
		.verb = "list",
		.text = "The MAC table of a hub",
		.method = "EnumMacTable",
		.arguments = {CTL_HUB},
		.list = "MacTable",
		.columns = mac_columns,
	},
	{
		.noun = "mac",
		.verb = "delete",
		.text = "Delete one entry; the next frame from the address brings it back",
		.method = "DeleteMacTable",
		.arguments = {CTL_HUB,
			{.name = "MAC",
				.field = "PatchbayMacAddress_bin",
				.kind = CTL_MAC_ADDRESS,
				.text = "address, 02:00:00:00:00:01 or 02-00-00-00-00-01"}},
		.options = {{.name = "--vlan",
			.value = "N",
			.field = "PatchbayVlanId_u32",
			.kind = CTL_INTEGER,
			.text = "VLAN of the entry (default: 0, untagged)"}},
		.done = "MAC address deleted",
		.hint = "`patchbayctl mac list HUB` shows the table.",
	},
	{.noun = NULL},
};
