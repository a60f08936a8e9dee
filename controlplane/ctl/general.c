/* SPDX-License-Identifier: BSD-3-Clause */
/* The general way of a command, and the few commands that put several calls together. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

struct listing {
	const char *list;
	const struct ctl_column *columns;
	struct table *table;
	const char *hub; /* first column, when not NULL */
};

static void on_row(void *ctx, const char *list, json_t *row)
{
	const struct listing *l = ctx;

	if (strcmp(list, l->list) != 0)
		return;
	if (l->hub != NULL)
		table_cell(l->table, l->hub);
	show_row(l->table, l->columns, row);
}

int ctl_run_general(struct ctl_run *run)
{
	const struct ctl_command *c = run->command;
	struct listing listing = {.list = c->list, .columns = c->columns};
	struct reply reply = {.ctx = &listing};
	json_t *params = ctl_params(run);
	int rc;

	if (params == NULL)
		return CTL_USAGE;
	if (run->json) {
		reply.echo = run->out;
	} else if (c->list != NULL) {
		listing.table = show_table(run->out, c->columns);
		reply.row = on_row;
	}
	rc = client_call(run->socket_path, c->method, params, &reply, c->hint);
	if (listing.table != NULL) {
		if (rc == CTL_OK || listing.table->flowing)
			table_end(listing.table);
		else
			table_drop(listing.table);
	} else if (rc == CTL_OK && !run->json) {
		if (c->columns != NULL)
			show_record(run->out, c->columns, client_result(&reply));
		else
			fprintf(run->out, "%s\n", c->done);
	}
	reply_fini(&reply);
	return rc;
}

/* ---- session list ---------------------------------------------------------------------------- */

static const struct ctl_column session_columns[] = {
	{"SESSION", "Name_str", CTL_TEXT, "name"},
	{"USER", "Username_str", CTL_TEXT, "user who logged in"},
	{"MODE", "PatchbayMode_str", CTL_TEXT, "client, bridge (or router), monitor, local bridge"},
	{"FROM", "ClientIP_ip", CTL_TEXT, "address of the client"},
	{"HOST", "Hostname_str", CTL_TEXT, "host name it told"},
	{"TCP", "CurrentNumTcp_u32", CTL_NUMBER, "connections now"},
	{"MAX", "MaxNumTcp_u32", CTL_NUMBER, "connections granted"},
	{"LCORE", "PatchbayLcore_u32", CTL_NUMBER, "worker that owns it"},
	{"FRAMES", "PacketNum_u64", CTL_NUMBER, "both directions"},
	{"BYTES", "PacketSize_u64", CTL_NUMBER, "both directions"},
	{"WAITING", "PatchbayQueuedBytes_u64", CTL_NUMBER, "bytes not sent yet"},
	{"UDP", "PatchbayUdp_str", CTL_TEXT, "UDP acceleration: no, ready (but on TCP), v1 or v2"},
	{"LOGIN (UTC)", "CreatedTime_dt", CTL_TIME, "start of the session"},
	{"LAST HEARD (UTC)", "LastCommTime_dt", CTL_TIME, "last sign of life"},
	{.title = NULL},
};

static void on_hub(void *ctx, const char *list, json_t *row)
{
	json_t *names = ctx;

	if (strcmp(list, "HubList") == 0)
		json_array_append(names, json_object_get(row, "HubName_str"));
}

/* The hub that was named, or all. NULL after an error that was told. */
static json_t *hub_names(const struct ctl_run *run)
{
	json_t *names = json_array();
	struct reply reply = {.row = on_hub, .ctx = names};
	int rc = CTL_OK;

	if (run->arguments[0] != NULL)
		json_array_append_new(names, json_string(run->arguments[0]));
	else
		rc = client_call(run->socket_path, "EnumHub", NULL, &reply, NULL);
	reply_fini(&reply);
	if (rc == CTL_OK)
		return names;
	json_decref(names);
	return NULL;
}

static int list_sessions(struct ctl_run *run, struct listing *l, json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		struct reply reply = {.row = on_row, .ctx = l};
		int rc;

		if (run->json)
			reply.echo = run->out;
		l->hub = json_string_value(name);
		rc = client_call(run->socket_path, run->command->method,
			json_pack("{s:O}", "HubName_str", name), &reply, NULL);
		reply_fini(&reply);
		if (rc != CTL_OK)
			return rc;
	}
	return CTL_OK;
}

int ctl_run_session_list(struct ctl_run *run)
{
	struct listing l = {.list = run->command->list, .columns = session_columns};
	json_t *params = ctl_params(run);
	json_t *names;
	int rc;

	if (params == NULL)
		return CTL_USAGE;
	json_decref(params);
	names = hub_names(run);
	if (names == NULL)
		return CTL_FAILED;
	if (!run->json) {
		l.table = table_new(run->out);
		table_column(l.table, "HUB", false);
		for (const struct ctl_column *c = session_columns; c->title != NULL; c++)
			table_column(l.table, c->title, c->format == CTL_NUMBER);
	}
	rc = list_sessions(run, &l, names);
	if (l.table != NULL && (rc == CTL_OK || l.table->rows > 0))
		table_end(l.table);
	else if (l.table != NULL)
		table_drop(l.table);
	json_decref(names);
	return rc;
}

/* ---- bridge create --------------------------------------------------------------------------- */

int ctl_run_bridge_create(struct ctl_run *run)
{
	/* In the order of the table: --dev, --tap. */
	const char *dev = run->options[0], *tap = run->options[1];
	struct reply reply = {0};
	json_t *params;
	int rc;

	if ((dev == NULL) == (tap == NULL)) {
		fprintf(stderr, "patchbayctl: give either --dev or --tap\n");
		return CTL_USAGE;
	}
	params = ctl_params(run);
	if (params == NULL)
		return CTL_USAGE;
	json_object_set_new(params, "TapMode_bool", json_boolean(tap != NULL));
	if (run->json)
		reply.echo = run->out;
	rc = client_call(run->socket_path, run->command->method, params, &reply, NULL);
	if (rc == CTL_OK && !run->json)
		fprintf(run->out, "%s\n", run->command->done);
	reply_fini(&reply);
	return rc;
}

/* ---- rpc ------------------------------------------------------------------------------------- */

int ctl_run_rpc(struct ctl_run *run)
{
	struct reply reply = {.echo = run->out};
	json_t *params = ctl_params(run);
	int rc;

	if (params == NULL)
		return CTL_USAGE;
	rc = client_call(run->socket_path, run->arguments[0], params, &reply, NULL);
	reply_fini(&reply);
	return rc;
}

/* ---- methods --------------------------------------------------------------------------------- */

static const struct ctl_column method_columns[] = {
	{"METHOD", "Name_str", CTL_TEXT, "name"},
	{"ROLE", "Role_str", CTL_TEXT, "who may call it"},
	{"EFFECT", "Effect_str", CTL_TEXT, "what it changes"},
	{"WHAT IT DOES", "Text_str", CTL_TEXT, "what it does, and its errors"},
	{.title = NULL},
};

static const struct ctl_column field_columns[] = {
	{"WHERE", "Where_str", CTL_TEXT, "request, response, or the list it is in"},
	{"FIELD", "JsonName_str", CTL_TEXT, "name in JSON"},
	{"TYPE", "Type_str", CTL_TEXT, "type"},
	{"REQUIRED", "Required_bool", CTL_YES_NO, "must be given"},
	{"MIN", "Min_u64", CTL_NUMBER, "least value, or bytes"},
	{"MAX", "Max_u64", CTL_NUMBER, "greatest value, or bytes"},
	{"MEANING", "Text_str", CTL_TEXT, "meaning"},
	{.title = NULL},
};

struct methods_view {
	FILE *out;
	struct table *methods; /* NULL: one method is shown as a record */
	struct table *fields;
};

static void on_method_row(void *ctx, const char *list, json_t *row)
{
	struct methods_view *v = ctx;

	if (strcmp(list, "MethodList") == 0 && v->methods != NULL)
		show_row(v->methods, method_columns, row);
	else if (strcmp(list, "MethodList") == 0)
		show_record(v->out, method_columns, row);
	else if (strcmp(list, "FieldList") == 0 && v->fields != NULL)
		show_row(v->fields, field_columns, row);
}

int ctl_run_methods(struct ctl_run *run)
{
	bool one = run->arguments[0] != NULL;
	struct methods_view view = {.out = run->out};
	struct reply reply = {.row = on_method_row, .ctx = &view};
	struct table *table = NULL;
	json_t *params = ctl_params(run);
	int rc;

	if (params == NULL)
		return CTL_USAGE;
	if (run->json)
		reply.echo = run->out;
	else
		table = show_table(run->out, one ? field_columns : method_columns);
	if (one)
		view.fields = table;
	else
		view.methods = table;
	rc = client_call(run->socket_path, run->command->method, params, &reply,
		"`patchbayctl methods` lists the methods.");
	if (table != NULL && rc == CTL_OK) {
		if (one)
			fputc('\n', run->out);
		table_end(table);
	} else if (table != NULL) {
		table_drop(table);
	}
	reply_fini(&reply);
	return rc;
}
