/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Users and groups. The daemon takes whole records: what is set is read, changed and written back. What a change
 * means for sessions that run is said each time.
 */

#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

#define PASSWORD_MAX 256u

bool ctl_key_value(const char *word, char key[64], const char **value)
{
	const char *at = strchr(word, '=');
	size_t len = at == NULL ? 0 : (size_t)(at - word);

	if (len == 0 || len >= 64) {
		fprintf(stderr, "patchbayctl: \"%s\": should be KEY=VALUE\n", word);
		return false;
	}
	memcpy(key, word, len);
	key[len] = '\0';
	*value = at + 1;
	return true;
}

/* ---- passwords ------------------------------------------------------------------------------- */

static bool read_line(char line[PASSWORD_MAX])
{
	if (fgets(line, PASSWORD_MAX, stdin) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static bool ask(const char *prompt, char line[PASSWORD_MAX])
{
	struct termios shown, hidden;
	bool ok;

	fputs(prompt, stderr);
	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	ok = read_line(line);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return ok;
}

char *ctl_password(const char *whose)
{
	char prompt[400], line[PASSWORD_MAX], again[PASSWORD_MAX];
	char *password = NULL;

	if (!isatty(STDIN_FILENO)) {
		if (read_line(line))
			password = strdup(line);
		else
			fputs("patchbayctl: no password on standard input\n", stderr);
		explicit_bzero(line, sizeof(line));
		return password;
	}
	snprintf(prompt, sizeof(prompt), "New password of %s: ", whose);
	if (ask(prompt, line) && ask("Once more: ", again)) {
		if (strcmp(line, again) == 0)
			password = strdup(line);
		else
			fputs("patchbayctl: the two are not the same; nothing was changed\n",
				stderr);
	}
	explicit_bzero(line, sizeof(line));
	explicit_bzero(again, sizeof(again));
	return password;
}

/* ---- records --------------------------------------------------------------------------------- */

static json_t *named(const struct ctl_run *run)
{
	return json_pack(
		"{s:s, s:s}", "HubName_str", run->arguments[0], "Name_str", run->arguments[1]);
}

/* The record as the daemon has it; NULL after an error that was told. */
static json_t *record_get(const struct ctl_run *run, const char *method)
{
	struct reply reply = {0};
	json_t *record = NULL;

	if (client_call(run->socket_path, method, named(run), &reply, run->command->hint) == CTL_OK)
		record = json_deep_copy(client_result(&reply));
	reply_fini(&reply);
	return record;
}

static void tell_sessions(const struct ctl_run *run, json_t *result)
{
	json_int_t n = json_integer_value(json_object_get(result, "PatchbaySessions_u32"));

	fprintf(run->out, "%s\n", run->command->done);
	if (n > 0)
		fprintf(run->out,
			"%lld running session%s as before, until the next login; --end-sessions ends %s.\n",
			(long long)n, n == 1 ? " goes on" : "s go on", n == 1 ? "it" : "them");
}

/* Sends a record (consumed) and tells what became of it. */
static int record_put(struct ctl_run *run, const char *method, json_t *record)
{
	struct reply reply = {0};
	int rc;

	if (run->json)
		reply.echo = run->out;
	rc = client_call(run->socket_path, method, record, &reply, run->command->hint);
	if (rc == CTL_OK && !run->json)
		tell_sessions(run, client_result(&reply));
	reply_fini(&reply);
	return rc;
}

/* --password - : from the terminal or standard input, so that it stands in no list of processes. */
static bool take_password(json_t *params, const char *whose)
{
	json_t *v = json_object_get(params, "Auth_Password_str");
	char *password;

	if (v == NULL || strcmp(json_string_value(v), "-") != 0)
		return true;
	password = ctl_password(whose);
	if (password == NULL)
		return false;
	json_object_set_new(params, "Auth_Password_str", json_string(password));
	explicit_bzero(password, strlen(password));
	free(password);
	return true;
}

/* What was typed over what there is; consumes both. NULL: out of memory. */
static json_t *merge(json_t *record, json_t *params)
{
	json_object_update(record, params);
	json_decref(params);
	return record;
}

/* ---- users ----------------------------------------------------------------------------------- */

static void auth_from_options(json_t *params)
{
	if (json_object_get(params, "Auth_Password_str") != NULL)
		json_object_set_new(params, "AuthType_u32", json_integer(1));
}

static bool anonymous_too(const struct ctl_run *run, json_t *params)
{
	/* In the order of the tables: --password, --anonymous. */
	if (run->options[0] != NULL && run->options[1] != NULL) {
		fputs("patchbayctl: give either --password or --anonymous\n", stderr);
		return false;
	}
	if (run->options[1] != NULL)
		json_object_set_new(params, "AuthType_u32", json_integer(0));
	return true;
}

int ctl_run_user_create(struct ctl_run *run)
{
	json_t *params = ctl_params(run);

	if (params == NULL)
		return CTL_USAGE;
	if (run->options[0] == NULL && run->options[1] == NULL) {
		fputs("patchbayctl: give either --password or --anonymous\n", stderr);
		json_decref(params);
		return CTL_USAGE;
	}
	if (!anonymous_too(run, params) || !take_password(params, run->arguments[1])) {
		json_decref(params);
		return CTL_USAGE;
	}
	auth_from_options(params);
	return record_put(run, "CreateUser", params);
}

int ctl_run_user_set(struct ctl_run *run)
{
	json_t *params = ctl_params(run), *record;

	if (params == NULL)
		return CTL_USAGE;
	if (!anonymous_too(run, params) || !take_password(params, run->arguments[1])) {
		json_decref(params);
		return CTL_USAGE;
	}
	auth_from_options(params);
	record = record_get(run, "GetUser");
	if (record == NULL) {
		json_decref(params);
		return CTL_FAILED;
	}
	return record_put(run, "SetUser", merge(record, params));
}

int ctl_run_user_password(struct ctl_run *run)
{
	json_t *record = record_get(run, "GetUser");
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
	return record_put(run, "SetUser", record);
}

int ctl_run_user_delete(struct ctl_run *run)
{
	json_t *params = ctl_params(run);

	return params == NULL ? CTL_USAGE : record_put(run, "DeleteUser", params);
}

/* ---- groups ---------------------------------------------------------------------------------- */

int ctl_run_group_create(struct ctl_run *run)
{
	json_t *params = ctl_params(run);

	return params == NULL ? CTL_USAGE : record_put(run, "CreateGroup", params);
}

int ctl_run_group_set(struct ctl_run *run)
{
	json_t *params = ctl_params(run), *record;

	if (params == NULL)
		return CTL_USAGE;
	record = record_get(run, "GetGroup");
	if (record == NULL) {
		json_decref(params);
		return CTL_FAILED;
	}
	return record_put(run, "SetGroup", merge(record, params));
}

int ctl_run_group_delete(struct ctl_run *run)
{
	json_t *params = ctl_params(run);

	return params == NULL ? CTL_USAGE : record_put(run, "DeleteGroup", params);
}

/* ---- policies -------------------------------------------------------------------------------- */

static const struct ctl_column policy_columns[] = {
	{"ID", "Id_u32", CTL_NUMBER, "number of the key"},
	{"KEY", "Key_str", CTL_TEXT, "name"},
	{"MIN", "Min_u32", CTL_NUMBER, "least value"},
	{"MAX", "Max_u32", CTL_NUMBER, "greatest value"},
	{"DEFAULT", "Default_u32", CTL_NUMBER, "in the default policy; 0 below MIN: no limit"},
	{"UNIT", "Unit_str", CTL_TEXT, "unit"},
	{"ASKED", "Side_str", CTL_TEXT,
		"at login, by the client, or of frames in (from the session) or out (to it)"},
	{"EFFECT", "Effect_str", CTL_TEXT, "what it does; flags are yes or no"},
	{.title = NULL},
};

int ctl_run_policy_list(struct ctl_run *run)
{
	struct ctl_command with_columns = *run->command;

	with_columns.columns = policy_columns;
	run->command = &with_columns;
	return ctl_run_general(run);
}

/* "yes", "no", or a number; flags take both. */
static json_t *policy_value(const char *key, const char *text, const json_t *kind)
{
	bool flag = strcmp(json_string_value(json_object_get(kind, "Type_str")), "flag") == 0;

	if (!flag)
		return ctl_value(CTL_INTEGER, key, text);
	if (strcmp(text, "1") == 0 || strcmp(text, "0") == 0)
		return json_boolean(text[0] == '1');
	return ctl_value(CTL_SWITCH, key, text);
}

static const json_t *policy_kind(const json_t *kinds, const char *key)
{
	json_t *row;
	size_t i;

	json_array_foreach (kinds, i, row) {
		const char *name = json_string_value(json_object_get(row, "Key_str"));

		if (name != NULL && strcasecmp(name, key) == 0)
			return row;
	}
	fprintf(stderr, "patchbayctl: %s: no such key (`patchbayctl policy list` explains all)\n",
		key);
	return NULL;
}

static bool policy_change(const struct ctl_run *run, const json_t *kinds, json_t *record)
{
	for (unsigned i = 0; i < run->rest_cnt; i++) {
		const char *value, *name;
		const json_t *kind;
		char key[64], field[96];
		json_t *v;

		if (!ctl_key_value(run->rest[i], key, &value))
			return false;
		kind = policy_kind(kinds, key);
		if (kind == NULL)
			return false;
		name = json_string_value(json_object_get(kind, "Key_str"));
		v = policy_value(name, value, kind);
		if (v == NULL)
			return false;
		snprintf(field, sizeof(field), "policy:%s_%s", name,
			json_is_boolean(v) ? "bool" : "u32");
		json_object_set_new(record, field, v);
	}
	json_object_set_new(record, "UsePolicy_bool", json_true());
	return true;
}

static void policy_show(FILE *out, const json_t *record, const json_t *kinds)
{
	json_t *row;
	size_t i;

	if (!json_is_true(json_object_get(record, "UsePolicy_bool"))) {
		fputs("No policy of its own.\n", out);
		return;
	}
	json_array_foreach (kinds, i, row) {
		const char *key = json_string_value(json_object_get(row, "Key_str"));
		char field[96], text[SHOW_MAX];

		snprintf(field, sizeof(field), "policy:%s_bool", key);
		show_field(record, field, CTL_YES_NO, text);
		if (text[0] == '\0') {
			snprintf(field, sizeof(field), "policy:%s_u32", key);
			show_field(record, field, CTL_NUMBER, text);
		}
		show_line(out, key, text);
	}
}

static void on_kind(void *ctx, const char *list, json_t *row)
{
	if (strcmp(list, "PolicyList") == 0)
		json_array_append(ctx, row);
}

static json_t *policy_kinds(const struct ctl_run *run)
{
	json_t *kinds = json_array();
	struct reply reply = {.row = on_kind, .ctx = kinds};
	int rc = client_call(run->socket_path, "PatchbayEnumPolicy", NULL, &reply, NULL);

	reply_fini(&reply);
	if (rc == CTL_OK)
		return kinds;
	json_decref(kinds);
	return NULL;
}

static void policy_remove(json_t *record)
{
	json_t *v;
	const char *key;
	void *next;

	json_object_foreach_safe(record, next, key, v) if (strncmp(key, "policy:", 7) == 0)
		json_object_del(record, key);
	json_object_set_new(record, "UsePolicy_bool", json_false());
}

/* Shows, sets some keys (the others stay, or have their defaults), or takes the policy away. */
static int run_policy(struct ctl_run *run, const char *get, const char *set)
{
	/* In the order of the tables: --remove, --end-sessions. */
	bool remove = run->options[0] != NULL, end = run->options[1] != NULL;
	json_t *kinds, *record;
	int rc = CTL_OK;

	if (remove && run->rest_cnt > 0) {
		fputs("patchbayctl: give either keys or --remove\n", stderr);
		return CTL_USAGE;
	}
	kinds = policy_kinds(run);
	record = kinds == NULL ? NULL : record_get(run, get);
	if (record == NULL) {
		json_decref(kinds);
		return CTL_FAILED;
	}
	if (!remove && run->rest_cnt == 0) {
		if (run->json)
			json_dumpf(record, run->out, JSON_INDENT(2));
		else
			policy_show(run->out, record, kinds);
		if (run->json)
			fputc('\n', run->out);
	} else {
		if (remove)
			policy_remove(record);
		else if (!policy_change(run, kinds, record))
			rc = CTL_USAGE;
		if (end)
			json_object_set_new(record, "PatchbayEndSessions_bool", json_true());
		if (rc == CTL_OK)
			rc = record_put(run, set, json_incref(record));
	}
	json_decref(record);
	json_decref(kinds);
	return rc;
}

int ctl_run_user_policy(struct ctl_run *run)
{
	return run_policy(run, "GetUser", "SetUser");
}

int ctl_run_group_policy(struct ctl_run *run)
{
	return run_policy(run, "GetGroup", "SetGroup");
}

/* A record and its policy, if it has one. */
static int run_show(struct ctl_run *run, const char *get)
{
	int rc = ctl_run_general(run);
	json_t *kinds, *record;

	if (rc != CTL_OK || run->json)
		return rc;
	kinds = policy_kinds(run);
	record = kinds == NULL ? NULL : record_get(run, get);
	if (record != NULL && json_is_true(json_object_get(record, "UsePolicy_bool"))) {
		fputs("\nPolicy:\n", run->out);
		policy_show(run->out, record, kinds);
	}
	rc = record == NULL ? CTL_FAILED : CTL_OK;
	json_decref(record);
	json_decref(kinds);
	return rc;
}

int ctl_run_user_show(struct ctl_run *run)
{
	return run_show(run, "GetUser");
}

int ctl_run_group_show(struct ctl_run *run)
{
	return run_show(run, "GetGroup");
}
