/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl listener`: TCP listeners, and what became of their connections. */

#include "controlplane/ctl/command.h"

static const struct ctl_column listener_columns[] = {
	{"PORT", "Ports_u32", CTL_NUMBER, "TCP port"},
	{"ENABLED", "Enables_bool", CTL_YES_NO, "is meant to listen"},
	{"FAILED", "Errors_bool", CTL_YES_NO, "enabled, but could not be opened"},
	{"ACCEPTED", "PatchbayAccepted_u64", CTL_NUMBER, "connections accepted"},
	{"ERROR", "PatchbayError_str", CTL_TEXT, "why it could not be opened"},
	{.title = NULL},
};

static const struct ctl_column counter_columns[] = {
	{"COUNT", "Value_u64", CTL_NUMBER, "since start"},
	{"NAME", "Name_str", CTL_TEXT, "name for programs"},
	{"MEANING", "Text_str", CTL_TEXT, "what is counted"},
	{.title = NULL},
};

const struct ctl_command ctl_listener_commands[] = {
	{
		.noun = "listener",
		.verb = "list",
		.text = "The TCP listeners",
		.method = "EnumListener",
		.list = "ListenerList",
		.columns = listener_columns,
	},
	{
		.noun = "listener",
		.verb = "counters",
		.text = "What became of connections before and at login",
		.method = "PatchbayGetListenerCounters",
		.list = "CounterList",
		.columns = counter_columns,
	},
	{.noun = NULL},
};
