/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl ip`: the IP table of a hub. */

#include "controlplane/ctl/command.h"

static const struct ctl_column ip_columns[] = {
	{"ADDRESS", "IpAddress_ip", CTL_TEXT, "IPv4 or IPv6 address"},
	{"VLAN", "PatchbayVlanId_u32", CTL_NUMBER, "0 = untagged"},
	{"MAC", "PatchbayMacAddress_bin", CTL_MAC, "MAC address it was seen with"},
	{"SESSION", "SessionName_str", CTL_TEXT, "session behind which it is"},
	{"DHCP", "DhcpAllocated_bool", CTL_YES_NO, "a DHCP server was seen to assign it"},
	{"LEARNED (UTC)", "CreatedTime_dt", CTL_TIME, "when it was learned"},
	{"LAST FRAME (UTC)", "UpdatedTime_dt", CTL_TIME, "last frame from it"},
	{.title = NULL},
};

const struct ctl_command ctl_ip_commands[] = {
	{
		.noun = "ip",
		.verb = "list",
		.text = "The IP table of a hub",
		.method = "EnumIpTable",
		.arguments = {CTL_HUB},
		.list = "IpTable",
		.columns = ip_columns,
	},
	{
		.noun = "ip",
		.verb = "delete",
		.text = "Delete one entry; the next frame from the address brings it back",
		.method = "DeleteIpTable",
		.arguments = {CTL_HUB,
			CTL_ARGUMENT("ADDRESS", "PatchbayIp_ip", "IPv4 or IPv6 address")},
		.options = {{.name = "--vlan",
			.value = "N",
			.field = "PatchbayVlanId_u32",
			.kind = CTL_INTEGER,
			.text = "VLAN of the entry (default: 0, untagged)"}},
		.done = "address deleted",
		.hint = "`patchbayctl ip list HUB` shows the table.",
	},
	{.noun = NULL},
};
