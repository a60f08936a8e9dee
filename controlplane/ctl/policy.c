/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl policy`, and the policy of a user or group: shown, changed key by key, taken away. */

#include "controlplane/ctl/policy.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/account.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/show.h"

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

static int run_list(struct ctl_run *run)
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

int policy_run(struct ctl_run *run)
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
	record = kinds == NULL ? NULL : record_get(run);
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
			rc = record_put(run, json_incref(record));
	}
	json_decref(record);
	json_decref(kinds);
	return rc;
}

int policy_run_show(struct ctl_run *run)
{
	int rc = ctl_run_general(run);
	json_t *kinds, *record;

	if (rc != CTL_OK || run->json)
		return rc;
	kinds = policy_kinds(run);
	record = kinds == NULL ? NULL : record_get(run);
	if (record != NULL && json_is_true(json_object_get(record, "UsePolicy_bool"))) {
		fputs("\nPolicy:\n", run->out);
		policy_show(run->out, record, kinds);
	}
	rc = record == NULL ? CTL_FAILED : CTL_OK;
	json_decref(record);
	json_decref(kinds);
	return rc;
}

const struct ctl_command ctl_policy_commands[] = {
	{
		.noun = "policy",
		.verb = "list",
		.text = "The keys of a security policy: unit, range, default, effect",
		.method = "PatchbayEnumPolicy",
		.list = "PolicyList",
		.run = run_list,
	},
	{.noun = NULL},
};
