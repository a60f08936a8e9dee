/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl udp`: the workers' sockets for UDP acceleration. */

#include "controlplane/ctl/command.h"

static const struct ctl_column udp_columns[] = {
	{"LCORE", "Lcore_u32", CTL_NUMBER, "worker that owns the socket"},
	{"IP", "IpVersion_u32", CTL_NUMBER, "address family, 4 or 6"},
	{"PORT", "Port_u32", CTL_NUMBER, "UDP port"},
	{"SESSIONS", "Sessions_u32", CTL_NUMBER, "sessions that use it"},
	{"IN", "DatagramsIn_u64", CTL_NUMBER, "datagrams received"},
	{"OUT", "DatagramsOut_u64", CTL_NUMBER, "datagrams sent"},
	{"CALLS-IN", "CallsIn_u64", CTL_NUMBER, "system calls"},
	{"CALLS-OUT", "CallsOut_u64", CTL_NUMBER, "system calls"},
	{"GROUPS-IN", "GroupsIn_u64", CTL_NUMBER,
		"several datagrams that the kernel left together"},
	{"FOREIGN", "Foreign_u64", CTL_NUMBER, "datagrams of no session"},
	{"OVER-BUDGET", "OverBudget_u64", CTL_NUMBER, "more strangers than may be looked at"},
	{"TRUNCATED", "Truncated_u64", CTL_NUMBER, "longer than the protocol allows"},
	{"BLOCKED", "Blocked_u64", CTL_NUMBER, "times the kernel took no more"},
	{"ERRORS", "SendErrors_u64", CTL_NUMBER, "messages that the kernel refused"},
	{.title = NULL},
};

const struct ctl_command ctl_udp_commands[] = {
	{
		.noun = "udp",
		.verb = "list",
		.text = "The workers' UDP sockets for UDP acceleration",
		.method = "PatchbayEnumUdp",
		.list = "UdpList",
		.columns = udp_columns,
	},
	{.noun = NULL},
};
