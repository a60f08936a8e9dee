/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl group`: groups of users of a hub. */

#include "controlplane/ctl/account.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/policy.h"

#define GROUP_OPTIONS                                                                       \
	{.name = "--real-name",                                                             \
		.value = "TEXT",                                                            \
		.field = "Realname_utf",                                                    \
		.kind = CTL_STRING,                                                         \
		.text = "what it is"},                                                      \
	{                                                                                   \
		.name = "--note", .value = "TEXT", .field = "Note_utf", .kind = CTL_STRING, \
		.text = "anything"                                                          \
	}

static const struct ctl_column group_columns[] = {
	{"GROUP", "Name_str", CTL_TEXT, "name"},
	{"REAL NAME", "Realname_utf", CTL_TEXT, "what it is"},
	{"USERS", "NumUsers_u32", CTL_NUMBER, "members"},
	{"POLICY", "PatchbayUsePolicy_bool", CTL_YES_NO, "it has one"},
	{"DENIED", "DenyAccess_bool", CTL_YES_NO, "its policy has Access off"},
	{"NOTE", "Note_utf", CTL_TEXT, "anything"},
	{.title = NULL},
};

static const struct ctl_column group_lines[] = {
	{"Group", "Name_str", CTL_TEXT, "name"},
	{"Hub", "HubName_str", CTL_TEXT, "hub"},
	{"Real name", "Realname_utf", CTL_TEXT, "what it is"},
	{"Note", "Note_utf", CTL_TEXT, "anything"},
	{"Users", "PatchbayUsers_u32", CTL_NUMBER, "members"},
	{"Sessions", "PatchbaySessions_u32", CTL_NUMBER, "that logged in as members"},
	CTL_TRAFFIC_LINES("From members", "Send"),
	CTL_TRAFFIC_LINES("To members", "Recv"),
	{"Own policy", "UsePolicy_bool", CTL_YES_NO, "else the default one"},
	{.title = NULL},
};

const struct ctl_command ctl_group_commands[] = {
	{
		.noun = "group",
		.verb = "list",
		.text = "Groups of users of a hub",
		.method = "EnumGroup",
		.arguments = {CTL_HUB},
		.list = "GroupList",
		.columns = group_columns,
	},
	{
		.noun = "group",
		.verb = "show",
		.text = "Everything about a group",
		.method = "GetGroup",
		.arguments = {CTL_HUB, CTL_ARGUMENT("GROUP", "Name_str", "name of the group")},
		.columns = group_lines,
		.hint = "`patchbayctl group list HUB` shows the groups.",
		.run = policy_run_show,
	},
	{
		.noun = "group",
		.verb = "create",
		.text = "Create a group; `user set --group` puts users into it",
		.method = "CreateGroup",
		.arguments = {CTL_HUB, CTL_ARGUMENT("GROUP", "Name_str", "name of the group")},
		.options = {GROUP_OPTIONS},
		.done = "group created",
		.run = record_send,
	},
	{
		.noun = "group",
		.verb = "set",
		.text = "Change a group",
		.method = "SetGroup",
		.arguments = {CTL_HUB, CTL_ARGUMENT("GROUP", "Name_str", "name of the group")},
		.options = {GROUP_OPTIONS},
		.done = "group changed",
		.hint = "`patchbayctl group list HUB` shows the groups.",
		.run = record_set,
	},
	{
		.noun = "group",
		.verb = "policy",
		.text = "Show the policy of a group, set keys of it, or take it away; from the next logins on",
		.method = "SetGroup",
		.arguments = {CTL_HUB, CTL_ARGUMENT("GROUP", "Name_str", "name of the group")},
		.options = {POLICY_OPTIONS},
		.rest = "[KEY=VALUE]...",
		.rest_text = "keys to set, see policy list; the others stay",
		.done = "policy changed",
		.hint = "`patchbayctl group list HUB` shows the groups.",
		.run = policy_run,
	},
	{
		.noun = "group",
		.verb = "delete",
		.text = "Delete a group; its users are in none then",
		.method = "DeleteGroup",
		.arguments = {CTL_HUB, CTL_ARGUMENT("GROUP", "Name_str", "name of the group")},
		.options = {RECORD_END_SESSIONS},
		.done = "group deleted",
		.hint = "`patchbayctl group list HUB` shows the groups.",
		.run = record_send,
	},
	{.noun = NULL},
};
