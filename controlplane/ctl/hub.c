/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl hub`: hubs, their options and the password of their administrators. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/file.h"
#include "controlplane/ctl/password.h"

static int run_online(struct ctl_run *run)
{
	return ctl_call_and_tell(run, "SetHubOnline",
		json_pack("{s:s, s:b}", "HubName_str", run->arguments[0], "Online_bool", 1));
}

static int run_offline(struct ctl_run *run)
{
	return ctl_call_and_tell(run, "SetHubOnline",
		json_pack("{s:s, s:b}", "HubName_str", run->arguments[0], "Online_bool", 0));
}

static int run_password(struct ctl_run *run)
{
	char *password = ctl_password("the hub's administrator");
	json_t *params;

	if (password == NULL)
		return CTL_FAILED;
	if (password[0] == '\0') {
		fputs("patchbayctl: an empty password opens nothing; nothing was changed\n",
			stderr);
		free(password);
		return CTL_FAILED;
	}
	params = json_pack("{s:s, s:s}", "HubName_str", run->arguments[0],
		"AdminPasswordPlainText_str", password);
	explicit_bzero(password, strlen(password));
	free(password);
	return ctl_call_and_tell(run, "SetHub", params);
}

/* ---- message --------------------------------------------------------------------------------- */

#define MESSAGE_BYTES 60000u

/* As it is, with the end of a line behind it. */
static int message_show(struct ctl_run *run)
{
	struct reply reply = {.echo = run->json ? run->out : NULL};
	int rc = client_call(run->socket_path, "GetHubMsg",
		json_pack("{s:s}", "HubName_str", run->arguments[0]), &reply, run->command->hint);
	const char *text;
	uint8_t *bytes;
	long size;

	if (rc == CTL_OK && !run->json) {
		text = json_string_value(json_object_get(client_result(&reply), "Msg_bin"));
		bytes = text == NULL ? NULL : malloc(strlen(text) + 1);
		size = bytes == NULL ? -1 : base64_decode(text, strlen(text), bytes);
		if (size > 0) {
			fwrite(bytes, 1, (size_t)size, run->out);
			if (bytes[size - 1] != '\n')
				fputc('\n', run->out);
		}
		free(bytes);
	}
	reply_fini(&reply);
	return rc;
}

static int message_set(struct ctl_run *run, const char *text, size_t size)
{
	char *base64 = malloc(BASE64_LEN(size) + 1);
	json_t *params;

	if (base64 == NULL)
		return CTL_FAILED;
	base64_encode((const uint8_t *)text, size, base64);
	params = json_pack("{s:s, s:s}", "HubName_str", run->arguments[0], "Msg_bin", base64);
	free(base64);
	return ctl_call_and_tell(run, "SetHubMsg", params);
}

static int run_message(struct ctl_run *run)
{
	const char *text = ctl_option(run, "--text"), *file = ctl_option(run, "--file");
	size_t size;
	char *bytes;
	int rc;

	if (text != NULL && file != NULL) {
		fputs("patchbayctl: --text or --file, not both\n", stderr);
		return CTL_USAGE;
	}
	if (text != NULL)
		return message_set(run, text, strlen(text));
	if (file == NULL)
		return message_show(run);
	bytes = ctl_file_read(file, MESSAGE_BYTES, &size);
	if (bytes == NULL)
		return CTL_FAILED;
	rc = message_set(run, bytes, size);
	free(bytes);
	return rc;
}

/* ---- options --------------------------------------------------------------------------------- */

static const struct ctl_column option_columns[] = {
	{"OPTION", "Name_str", CTL_TEXT, "name"},
	{"VALUE", "Value_u32", CTL_NUMBER, "flags are 0 or 1"},
	{"DEFAULT", "PatchbayDefault_u32", CTL_NUMBER, "value of a new hub"},
	{"MIN", "PatchbayMin_u32", CTL_NUMBER, "least value"},
	{"MAX", "PatchbayMax_u32", CTL_NUMBER, "greatest value"},
	{"IN FORCE", "PatchbayEffect_str", CTL_TEXT, "at once, at login, ..., or not yet"},
	{"EFFECT", "Descrption_utf", CTL_TEXT, "what it does"},
	{.title = NULL},
};

/* The list of NAME=VALUE; NULL after saying what is wrong. */
static json_t *option_rows(const struct ctl_run *run)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < run->rest_cnt; i++) {
		const char *text;
		char name[64];
		json_t *v;

		if (!ctl_key_value(run->rest[i], name, &text)) {
			json_decref(rows);
			return NULL;
		}
		if (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0)
			v = json_integer(text[0] == 'y');
		else
			v = ctl_value(CTL_INTEGER, name, text);
		if (v == NULL) {
			json_decref(rows);
			return NULL;
		}
		json_array_append_new(
			rows, json_pack("{s:s, s:o}", "Name_str", name, "Value_u32", v));
	}
	return rows;
}

static int options(struct ctl_run *run, const char *get, const char *set)
{
	struct ctl_command listing = *run->command;
	json_t *rows;

	if (run->rest_cnt == 0) {
		listing.method = get;
		listing.list = "AdminOptionList";
		listing.columns = option_columns;
		run->command = &listing;
		return ctl_run_general(run);
	}
	rows = option_rows(run);
	if (rows == NULL)
		return CTL_USAGE;
	return ctl_call_and_tell(run, set,
		json_pack("{s:s, s:o}", "HubName_str", run->arguments[0], "AdminOptionList", rows));
}

static int run_option(struct ctl_run *run)
{
	return options(run, "GetHubExtOptions", "SetHubExtOptions");
}

static int run_admin_option(struct ctl_run *run)
{
	return options(run, "GetHubAdminOptions", "SetHubAdminOptions");
}

/* ---- table ----------------------------------------------------------------------------------- */

#define HUB_OPTIONS                                                                \
	{.name = "--max-sessions",                                                 \
		.value = "N",                                                      \
		.field = "MaxSession_u32",                                         \
		.kind = CTL_INTEGER,                                               \
		.text = "sessions at most; 0: no limit"},                          \
		{.name = "--no-enum",                                              \
			.value = "yes|no",                                         \
			.field = "NoEnum_bool",                                    \
			.kind = CTL_SWITCH,                                        \
			.text = "hide it from the list that clients may ask for"}, \
		{.name = "--managed",                                              \
			.value = "LIST",                                           \
			.field = "PatchbayManaged_str",                            \
			.kind = CTL_STRING,                                        \
			.text = "networks that the IP table holds besides the "    \
				"usual ones, with a comma between; \"\": none"},   \
	{                                                                          \
		.name = "--require-encryption", .value = "yes|no",                 \
		.field = "PatchbayRequireEncryption_bool", .kind = CTL_SWITCH,     \
		.text = "no session below TLS"                                     \
	}

static const struct ctl_column hub_columns[] = {
	{"HUB", "HubName_str", CTL_TEXT, "name"},
	{"ONLINE", "Online_bool", CTL_YES_NO, "switches frames and takes logins"},
	{"SESSIONS", "NumSessions_u32", CTL_NUMBER, "sessions now"},
	{"USERS", "NumUsers_u32", CTL_NUMBER, "users defined"},
	{"GROUPS", "NumGroups_u32", CTL_NUMBER, "groups defined"},
	{"MACS", "NumMacTables_u32", CTL_NUMBER, "entries in the MAC table"},
	{"IN-UNICAST", "Ex.Recv.UnicastCount_u64", CTL_NUMBER, "unicast frames into the hub"},
	{"IN-BROADCAST", "Ex.Recv.BroadcastCount_u64", CTL_NUMBER,
		"broadcast and multicast frames into the hub"},
	{"OUT-UNICAST", "Ex.Send.UnicastCount_u64", CTL_NUMBER, "unicast frames out of it"},
	{"OUT-BROADCAST", "Ex.Send.BroadcastCount_u64", CTL_NUMBER, "broadcast frames out of it"},
	{"LOGINS", "NumLogin_u32", CTL_NUMBER, "so far"},
	{"LAST LOGIN (UTC)", "LastLoginTime_dt", CTL_TIME, "last login"},
	{"CREATED (UTC)", "CreatedTime_dt", CTL_TIME, "when it was created"},
	{.title = NULL},
};

static const struct ctl_column hub_status_columns[] = {
	{"Hub", "HubName_str", CTL_TEXT, "name"},
	{"Online", "Online_bool", CTL_YES_NO, "switches frames and takes logins"},
	{"Sessions", "NumSessions_u32", CTL_NUMBER, "sessions now"},
	{"  client or monitor", "NumSessionsClient_u32", CTL_NUMBER, "of them in these modes"},
	{"  bridge or router", "NumSessionsBridge_u32", CTL_NUMBER, "of them in this mode"},
	{"Users", "NumUsers_u32", CTL_NUMBER, "users defined"},
	{"Groups", "NumGroups_u32", CTL_NUMBER, "groups defined"},
	{"IP addresses", "NumIpTables_u32", CTL_NUMBER, "entries in the IP table"},
	{"MAC addresses", "NumMacTables_u32", CTL_NUMBER, "entries in the MAC table"},
	{"  at most", "PatchbayMaxMacTables_u32", CTL_NUMBER, "its bound"},
	{"  learned", "PatchbayMacLearned_u64", CTL_NUMBER, "since start"},
	{"  moved", "PatchbayMacMoved_u64", CTL_NUMBER, "to another session"},
	{"  not learned: full", "PatchbayMacNotLearnedFull_u64", CTL_NUMBER,
		"table or bucket full"},
	{"  of these: crowded", "PatchbayMacNotLearnedCrowded_u64", CTL_NUMBER,
		"its buckets were full, or the table was still to grow"},
	{"  not learned: ration", "PatchbayMacNotLearnedRationed_u64", CTL_NUMBER,
		"table full, and its port has had its tries in this millisecond"},
	{"  not learned: raced", "PatchbayMacNotLearnedRaced_u64", CTL_NUMBER,
		"lost a race, retried with the next frame"},
	{"  over a port's limit", "PatchbayMacNotLearnedLimit_u64", CTL_NUMBER,
		"not learned, frame dropped: port at its limit"},
	{"  evicted", "PatchbayMacEvicted_u64", CTL_NUMBER,
		"gave way to others, the table being full"},
	{"  aged", "PatchbayMacAged_u64", CTL_NUMBER, "removed because of age"},
	{"  flushed", "PatchbayMacFlushed_u64", CTL_NUMBER, "removed because their session left"},
	CTL_TRAFFIC_LINES("Into the hub", "Recv"),
	CTL_TRAFFIC_LINES("Out of the hub", "Send"),
	{"Logins", "NumLogin_u32", CTL_NUMBER, "so far"},
	{"  last (UTC)", "LastLoginTime_dt", CTL_TIME, "last login"},
	{"Last heard (UTC)", "LastCommTime_dt", CTL_TIME, "last block from a client"},
	{"Created (UTC)", "CreatedTime_dt", CTL_TIME, "when it was created"},
	{.title = NULL},
};

const struct ctl_command ctl_hub_commands[] = {
	{
		.noun = "hub",
		.verb = "list",
		.text = "The virtual hubs",
		.method = "EnumHub",
		.list = "HubList",
		.columns = hub_columns,
	},
	{
		.noun = "hub",
		.verb = "show",
		.text = "One hub and the counters of its MAC table",
		.method = "GetHubStatus",
		.arguments = {CTL_HUB},
		.columns = hub_status_columns,
	},
	{
		.noun = "hub",
		.verb = "create",
		.text = "Create a hub",
		.method = "CreateHub",
		.arguments = {CTL_HUB},
		.options = {HUB_OPTIONS,
			{.name = "--max-macs",
				.value = "N",
				.field = "PatchbayMaxMacTables_u32",
				.kind = CTL_INTEGER,
				.text = "bound of its MAC table (default 65536)"},
			{.name = "--online",
				.value = "yes|no",
				.field = "Online_bool",
				.kind = CTL_SWITCH,
				.text = "default yes"}},
		.done = "hub created",
	},
	{
		.noun = "hub",
		.verb = "set",
		.text = "Change settings of a hub; in force at once",
		.method = "SetHub",
		.arguments = {CTL_HUB},
		.options = {HUB_OPTIONS},
		.done = "hub changed",
	},
	{
		.noun = "hub",
		.verb = "online",
		.text = "Take a hub online",
		.method = "SetHubOnline",
		.arguments = {CTL_HUB},
		.done = "hub is online",
		.run = run_online,
	},
	{
		.noun = "hub",
		.verb = "offline",
		.text = "Take a hub offline; all its sessions end",
		.method = "SetHubOnline",
		.arguments = {CTL_HUB},
		.done = "hub is offline",
		.run = run_offline,
	},
	{
		.noun = "hub",
		.verb = "password",
		.text = "Set the password of a hub's administrator: asks, or reads standard input",
		.method = "SetHub",
		.arguments = {CTL_HUB},
		.done = "password set",
		.run = run_password,
	},
	{
		.noun = "hub",
		.verb = "message",
		.text = "Show what the hub tells people when they log in, or set it",
		.method = "SetHubMsg",
		.arguments = {CTL_HUB},
		.options = {{.name = "--text",
				    .value = "TEXT",
				    .kind = CTL_STRING,
				    .text = "the message; \"\": none any more"},
			{.name = "--file",
				.value = "FILE",
				.kind = CTL_STRING,
				.text = "file with it; -: standard input"}},
		.done = "message set",
		.run = run_message,
	},
	{
		.noun = "hub",
		.verb = "option",
		.text = "Show the extended options of a hub, or set some; in force at once",
		.arguments = {CTL_HUB},
		.rest = "[NAME=VALUE]...",
		.rest_text = "options to set; flags are yes or no",
		.done = "options set",
		.hint = "`patchbayctl hub option HUB` explains the options.",
		.run = run_option,
	},
	{
		.noun = "hub",
		.verb = "admin-option",
		.text = "Show the admin options of a hub, or set some",
		.arguments = {CTL_HUB},
		.rest = "[NAME=VALUE]...",
		.rest_text = "options to set; flags are yes or no",
		.done = "options set",
		.hint = "`patchbayctl hub admin-option HUB` explains the options.",
		.run = run_admin_option,
	},
	{
		.noun = "hub",
		.verb = "delete",
		.text = "Delete a hub with its users and groups; its sessions end",
		.method = "DeleteHub",
		.arguments = {CTL_HUB},
		.done = "hub deleted",
	},
	{.noun = NULL},
};
