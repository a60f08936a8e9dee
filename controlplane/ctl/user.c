/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl user`: users of a hub. What a change means for sessions that run is said each time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/account.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/password.h"
#include "controlplane/ctl/policy.h"

/* How a user proves who it is: one option each. */
static const struct {
	const char *option;
	int type;
} auths[] = {
	{"--anonymous", 0},
	{"--password", 1},
	{"--certificate", 2},
	{"--signed", 3},
	{"--radius", 4},
};
#define AUTH_CNT  (sizeof(auths) / sizeof(auths[0]))
#define AUTH_NONE (-1)
#define AUTH_LIST "--password, --anonymous, --certificate, --signed or --radius"

/* Sets AuthType if an option says so. False after saying what is wrong. */
static bool take_auth(const struct ctl_run *run, json_t *params)
{
	int type = AUTH_NONE;

	for (unsigned i = 0; i < AUTH_CNT; i++) {
		if (ctl_option(run, auths[i].option) == NULL)
			continue;
		if (type != AUTH_NONE) {
			fputs("patchbayctl: give only one of " AUTH_LIST "\n", stderr);
			return false;
		}
		type = auths[i].type;
	}
	if (type != AUTH_NONE)
		json_object_set_new(params, "AuthType_u32", json_integer(type));
	return ctl_secret_option(params, "Auth_Password_str", run->arguments[1]);
}

/* Options that mean nothing with the record's type of authentication would be lost without a word. */
static bool auth_fits(const struct ctl_run *run, const json_t *record)
{
	static const struct {
		const char *option;
		int type;
		const char *with;
	} parts[] = {
		{"--common-name", 3, "--signed"},
		{"--serial", 3, "--signed"},
		{"--radius-name", 4, "--radius"},
	};
	json_int_t type = json_integer_value(json_object_get(record, "AuthType_u32"));

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (ctl_option(run, parts[i].option) != NULL && parts[i].type != type) {
			fprintf(stderr, "patchbayctl: %s goes with %s\n", parts[i].option,
				parts[i].with);
			return false;
		}
	return true;
}

static int run_create(struct ctl_run *run)
{
	json_t *params = ctl_params(run);

	if (params == NULL)
		return CTL_USAGE;
	if (!take_auth(run, params) || !auth_fits(run, params)) {
		json_decref(params);
		return CTL_USAGE;
	}
	if (json_object_get(params, "AuthType_u32") == NULL) {
		fputs("patchbayctl: give one of " AUTH_LIST "\n", stderr);
		json_decref(params);
		return CTL_USAGE;
	}
	return record_put(run, params);
}

static int run_set(struct ctl_run *run)
{
	json_t *params = ctl_params(run), *record;

	if (params == NULL)
		return CTL_USAGE;
	if (!take_auth(run, params)) {
		json_decref(params);
		return CTL_USAGE;
	}
	record = record_get(run);
	if (record == NULL) {
		json_decref(params);
		return CTL_FAILED;
	}
	record = record_merge(record, params);
	if (!auth_fits(run, record)) {
		json_decref(record);
		return CTL_USAGE;
	}
	return record_put(run, record);
}

static int run_password(struct ctl_run *run)
{
	json_t *record = record_get(run);
	char *password;

	if (record == NULL)
		return CTL_FAILED;
	password = ctl_password(run->arguments[1]);
	if (password == NULL) {
		json_decref(record);
		return CTL_FAILED;
	}
	json_object_set_new(record, "AuthType_u32", json_integer(1));
	json_object_set_new(record, "Auth_Password_str", json_string(password));
	explicit_bzero(password, strlen(password));
	free(password);
	return record_put(run, record);
}

#define USER_OPTIONS                                                                               \
	{.name = "--password",                                                                     \
		.value = "PW",                                                                     \
		.field = "Auth_Password_str",                                                      \
		.kind = CTL_STRING,                                                                \
		.text = "password; -: asks, or reads standard input"},                             \
		{.name = "--anonymous", .kind = CTL_FLAG, .text = "log in without a password"},    \
		{.name = "--certificate",                                                          \
			.value = "FILE",                                                           \
			.field = "UserX_bin",                                                      \
			.kind = CTL_CERT_FILE,                                                     \
			.text = "log in with this certificate's key; PEM or DER"},                 \
		{.name = "--signed",                                                               \
			.kind = CTL_FLAG,                                                          \
			.text = "log in with a certificate of an authority, see ca list"},         \
		{.name = "--common-name",                                                          \
			.value = "TEXT",                                                           \
			.field = "CommonName_utf",                                                 \
			.kind = CTL_STRING,                                                        \
			.text = "with --signed: its common name; \"\": any"},                      \
		{.name = "--serial",                                                               \
			.value = "HEX",                                                            \
			.field = "Serial_bin",                                                     \
			.kind = CTL_HEX,                                                           \
			.text = "with --signed: its serial number"},                               \
		{.name = "--radius",                                                               \
			.kind = CTL_FLAG,                                                          \
			.text = "a RADIUS server knows the password, see radius show"},            \
		{.name = "--radius-name",                                                          \
			.value = "TEXT",                                                           \
			.field = "RadiusUsername_utf",                                             \
			.kind = CTL_STRING,                                                        \
			.text = "with --radius: the user's name there; \"\": the same"},           \
		{.name = "--group",                                                                \
			.value = "GROUP",                                                          \
			.field = "GroupName_str",                                                  \
			.kind = CTL_STRING,                                                        \
			.text = "group; \"\": none"},                                              \
		{.name = "--real-name",                                                            \
			.value = "TEXT",                                                           \
			.field = "Realname_utf",                                                   \
			.kind = CTL_STRING,                                                        \
			.text = "name of the person"},                                             \
		{.name = "--note",                                                                 \
			.value = "TEXT",                                                           \
			.field = "Note_utf",                                                       \
			.kind = CTL_STRING,                                                        \
			.text = "anything"},                                                       \
	{                                                                                          \
		.name = "--expires", .value = "TIME", .field = "ExpireTime_dt",                    \
		.kind = CTL_TIME_OF_DAY, .text = "2030-01-31, 2030-01-31T12:00:00Z (UTC) or never" \
	}

static const struct ctl_column user_columns[] = {
	{"USER", "Name_str", CTL_TEXT, "name"},
	{"GROUP", "GroupName_str", CTL_TEXT, "group"},
	{"REAL NAME", "Realname_utf", CTL_TEXT, "name of the person"},
	{"AUTH", "AuthType_u32", CTL_AUTH, "how it proves who it is"},
	{"POLICY", "PatchbayPolicy_str", CTL_TEXT, "whose applies: user, group or default"},
	{"DENIED", "DenyAccess_bool", CTL_YES_NO, "the policy has Access off"},
	{"EXPIRES (UTC)", "Expires_dt", CTL_TIME, "when the account expires"},
	{"LOGINS", "NumLogin_u32", CTL_NUMBER, "so far"},
	{"LAST LOGIN (UTC)", "LastLoginTime_dt", CTL_TIME, "last login"},
	{"NOTE", "Note_utf", CTL_TEXT, "anything"},
	{.title = NULL},
};

static const struct ctl_column user_lines[] = {
	{"User", "Name_str", CTL_TEXT, "name"},
	{"Hub", "HubName_str", CTL_TEXT, "hub"},
	{"Group", "GroupName_str", CTL_TEXT, "group"},
	{"Real name", "Realname_utf", CTL_TEXT, "name of the person"},
	{"Note", "Note_utf", CTL_TEXT, "anything"},
	{"Authentication", "AuthType_u32", CTL_AUTH, "how it proves who it is"},
	{"  common name", "CommonName_utf", CTL_TEXT, "signed: of its certificate; -: any"},
	{"  serial", "Serial_bin", CTL_BYTES, "signed: of its certificate; -: any"},
	{"  name at RADIUS", "RadiusUsername_utf", CTL_TEXT, "RADIUS: -: the same"},
	{"Created (UTC)", "CreatedTime_dt", CTL_TIME, "when the user was created"},
	{"Changed (UTC)", "UpdatedTime_dt", CTL_TIME, "last change"},
	{"Expires (UTC)", "ExpireTime_dt", CTL_TIME, "when the account expires"},
	{"Logins", "NumLogin_u32", CTL_NUMBER, "so far"},
	{"  last (UTC)", "PatchbayLastLoginTime_dt", CTL_TIME, "last login"},
	{"Sessions", "PatchbaySessions_u32", CTL_NUMBER, "now"},
	CTL_TRAFFIC_LINES("From the user", "Send"),
	CTL_TRAFFIC_LINES("To the user", "Recv"),
	{"Own policy", "UsePolicy_bool", CTL_YES_NO, "else the group's, else the default one"},
	{.title = NULL},
};

const struct ctl_command ctl_user_commands[] = {
	{
		.noun = "user",
		.verb = "list",
		.text = "Users of a hub",
		.method = "EnumUser",
		.arguments = {CTL_HUB},
		.list = "UserList",
		.columns = user_columns,
	},
	{
		.noun = "user",
		.verb = "show",
		.text = "Everything about a user but the password",
		.method = "GetUser",
		.arguments = {CTL_HUB, CTL_ARGUMENT("USER", "Name_str", "name of the user")},
		.columns = user_lines,
		.hint = "`patchbayctl user list HUB` shows the users.",
		.run = policy_run_show,
	},
	{
		.noun = "user",
		.verb = "create",
		.text = "Create a user",
		.method = "CreateUser",
		.arguments = {CTL_HUB, CTL_ARGUMENT("USER", "Name_str", "name of the user")},
		.options = {USER_OPTIONS},
		.done = "user created",
		.run = run_create,
	},
	{
		.noun = "user",
		.verb = "set",
		.text = "Change a user, from the next login on",
		.method = "SetUser",
		.arguments = {CTL_HUB, CTL_ARGUMENT("USER", "Name_str", "name of the user")},
		.options = {USER_OPTIONS, RECORD_END_SESSIONS},
		.done = "user changed",
		.hint = "`patchbayctl user list HUB` shows the users.",
		.run = run_set,
	},
	{
		.noun = "user",
		.verb = "password",
		.text = "Set the password of a user: asks, or reads standard input",
		.method = "SetUser",
		.arguments = {CTL_HUB, CTL_ARGUMENT("USER", "Name_str", "name of the user")},
		.done = "password set",
		.hint = "`patchbayctl user list HUB` shows the users.",
		.run = run_password,
	},
	{
		.noun = "user",
		.verb = "policy",
		.text = "Show the own policy of a user, set keys of it, or take it away; from the next login on",
		.method = "SetUser",
		.arguments = {CTL_HUB, CTL_ARGUMENT("USER", "Name_str", "name of the user")},
		.options = {POLICY_OPTIONS},
		.rest = "[KEY=VALUE]...",
		.rest_text = "keys to set, see policy list; the others stay",
		.done = "policy changed",
		.hint = "`patchbayctl user list HUB` shows the users.",
		.run = policy_run,
	},
	{
		.noun = "user",
		.verb = "delete",
		.text = "Delete a user",
		.method = "DeleteUser",
		.arguments = {CTL_HUB, CTL_ARGUMENT("USER", "Name_str", "name of the user")},
		.options = {RECORD_END_SESSIONS},
		.done = "user deleted",
		.hint = "`patchbayctl user list HUB` shows the users.",
		.run = record_send,
	},
	{.noun = NULL},
};
