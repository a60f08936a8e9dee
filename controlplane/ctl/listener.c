/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl listener`: TCP listeners, and what became of their connections. */

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"

#define LISTENER_PORT                                                                        \
	{                                                                                    \
		.name = "PORT", .field = "Port_u32", .kind = CTL_INTEGER, .text = "TCP port" \
	}

/* The parameters, and whether it is to listen. */
static int tell(struct ctl_run *run, const char *method, bool enable)
{
	json_t *params = ctl_params(run);

	if (params == NULL)
		return CTL_USAGE;
	json_object_set_new(params, "Enable_bool", json_boolean(enable));
	return ctl_call_and_tell(run, method, params);
}

static int run_create(struct ctl_run *run)
{
	return tell(run, "CreateListener", ctl_option(run, "--disabled") == NULL);
}

static int run_enable(struct ctl_run *run)
{
	return tell(run, "EnableListener", true);
}

static int run_disable(struct ctl_run *run)
{
	return tell(run, "EnableListener", false);
}

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
		.verb = "create",
		.text = "Listen on another TCP port, now and at each start",
		.method = "CreateListener",
		.arguments = {LISTENER_PORT},
		.options = {{.name = "--disabled",
			.kind = CTL_FLAG,
			.text = "only note it; enable opens it"}},
		.done = "listener created",
		.run = run_create,
	},
	{
		.noun = "listener",
		.verb = "enable",
		.text = "Open a TCP listener",
		.method = "EnableListener",
		.arguments = {LISTENER_PORT},
		.done = "listener enabled",
		.hint = "`patchbayctl listener list` shows the listeners.",
		.run = run_enable,
	},
	{
		.noun = "listener",
		.verb = "disable",
		.text = "Close a TCP listener; sessions that came in through it live on",
		.method = "EnableListener",
		.arguments = {LISTENER_PORT},
		.done = "listener disabled",
		.hint = "`patchbayctl listener list` shows the listeners.",
		.run = run_disable,
	},
	{
		.noun = "listener",
		.verb = "delete",
		.text = "Close and forget a TCP listener; sessions that came in through it live on",
		.method = "DeleteListener",
		.arguments = {LISTENER_PORT},
		.done = "listener deleted",
		.hint = "`patchbayctl listener list` shows the listeners.",
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
