/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl radius`: the RADIUS servers of a hub. The daemon takes the whole record, so it is read and changed. */

#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/password.h"

static int run_set(struct ctl_run *run)
{
	struct reply reply = {0};
	json_t *record, *params = ctl_params(run);

	if (params == NULL)
		return CTL_USAGE;
	if (!ctl_secret_option(params, "RadiusSecret_str", "the RADIUS servers")) {
		json_decref(params);
		return CTL_FAILED;
	}
	if (client_call(run->socket_path, "GetHubRadius",
		    json_pack("{s:s}", "HubName_str", run->arguments[0]), &reply, NULL) != CTL_OK) {
		reply_fini(&reply);
		json_decref(params);
		return CTL_FAILED;
	}
	/* The secret in it is empty, which leaves it as it is. */
	record = json_deep_copy(client_result(&reply));
	reply_fini(&reply);
	json_object_update(record, params);
	json_decref(params);
	return ctl_call_and_tell(run, "SetHubRadius", record);
}

static int run_delete(struct ctl_run *run)
{
	return ctl_call_and_tell(run, "SetHubRadius",
		json_pack("{s:s, s:s}", "HubName_str", run->arguments[0], "RadiusServerName_str",
			""));
}

static const struct ctl_column radius_lines[] = {
	{"Hub", "HubName_str", CTL_TEXT, "name"},
	{"Servers", "RadiusServerName_str", CTL_TEXT, "asked one after another"},
	{"Port", "RadiusPort_u32", CTL_NUMBER, "UDP port of all of them"},
	{"Secret", "PatchbayHasSecret_bool", CTL_YES_NO, "there is one; it is never told"},
	{"Interval (ms)", "RadiusRetryInterval_u32", CTL_NUMBER, "until the next is asked"},
	{"Timeout (ms)", "RadiusRetryTimeout_u32", CTL_NUMBER,
		"until a login fails that nobody answered"},
	{"Realm", "PatchbayRealm_str", CTL_TEXT, "names are sent with @realm behind"},
	{"Signed replies only", "PatchbayRequireMessageAuthenticator_bool", CTL_YES_NO,
		"replies without a Message-Authenticator are not believed"},
	{.title = NULL},
};

const struct ctl_command ctl_radius_commands[] = {
	{
		.noun = "radius",
		.verb = "show",
		.text = "Which RADIUS servers a hub asks",
		.method = "GetHubRadius",
		.arguments = {CTL_HUB},
		.columns = radius_lines,
	},
	{
		.noun = "radius",
		.verb = "set",
		.text = "Set what is given, from the next login on",
		.method = "SetHubRadius",
		.arguments = {CTL_HUB},
		.options = {{.name = "--servers",
				    .value = "LIST",
				    .field = "RadiusServerName_str",
				    .kind = CTL_STRING,
				    .text = "names or addresses, with a comma between"},
			{.name = "--port",
				.value = "PORT",
				.field = "RadiusPort_u32",
				.kind = CTL_INTEGER,
				.text = "UDP port of all of them (1812)"},
			{.name = "--secret",
				.value = "TEXT",
				.field = "RadiusSecret_str",
				.kind = CTL_STRING,
				.text = "shared with all of them; - asks, or reads standard input"},
			{.name = "--interval",
				.value = "MS",
				.field = "RadiusRetryInterval_u32",
				.kind = CTL_INTEGER,
				.text = "until the next is asked, or the same again"},
			{.name = "--timeout",
				.value = "MS",
				.field = "RadiusRetryTimeout_u32",
				.kind = CTL_INTEGER,
				.text = "until a login fails that nobody answered"},
			{.name = "--realm",
				.value = "REALM",
				.field = "PatchbayRealm_str",
				.kind = CTL_STRING,
				.text = "names are sent with @REALM behind; \"\": not"},
			{.name = "--signed-replies",
				.value = "yes|no",
				.field = "PatchbayRequireMessageAuthenticator_bool",
				.kind = CTL_SWITCH,
				.text = "believe only replies with a Message-Authenticator"}},
		.done = "RADIUS servers set",
		.hint = "`patchbayctl radius set --help` explains the options.",
		.run = run_set,
	},
	{
		.noun = "radius",
		.verb = "delete",
		.text = "Ask no RADIUS servers any more; the secret is forgotten, too",
		.method = "SetHubRadius",
		.arguments = {CTL_HUB},
		.done = "RADIUS servers deleted",
		.run = run_delete,
	},
	{.noun = NULL},
};
