/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl rpc` and `methods`: any method by its name, and what there is. */

#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

static int run_rpc(struct ctl_run *run)
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

static int run_methods(struct ctl_run *run)
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

const struct ctl_command ctl_rpc_commands[] = {
	{
		.noun = "rpc",
		.text = "Call any method; prints its result as JSON",
		.arguments = {CTL_ARGUMENT("METHOD", NULL, "name of the method"),
			{.name = "JSON",
				.kind = CTL_JSON,
				.optional = true,
				.text = "its parameters, an object (default: none)"}},
		.run = run_rpc,
	},
	{
		.noun = "methods",
		.text = "The methods of the daemon; with a name, the fields of one",
		.method = "PatchbayEnumMethod",
		.arguments = {{.name = "METHOD",
			.field = "Name_str",
			.kind = CTL_STRING,
			.optional = true,
			.text = "only this one, with its fields"}},
		.run = run_methods,
	},
	{.noun = NULL},
};
