/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `patchbayctl stats`: the books, line by line with their balance, then the drops by reason, then cycles.
 * Reasons and their sentences come from the daemon: a newer one may have more.
 */

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/lcore.h"
#include "controlplane/ctl/show.h"

static const struct ctl_column book_columns[] = {
	{"LEVEL", "Level_str", CTL_TEXT, "total, lcore, hub or session"},
	{"NAME", "Name_str", CTL_TEXT, "which"},
	{"IN", "In_u64", CTL_NUMBER, "frames in"},
	{"SWITCHED", "Switched_u64", CTL_NUMBER, "to one port"},
	{"FLOODED", "Flooded_u64", CTL_NUMBER, "to every other port"},
	{"DROP-IN", NULL, CTL_NUMBER, "frames in that went nowhere"},
	{"COPIES", "Copies_u64", CTL_NUMBER, "copies for ports"},
	{"SENT", "Sent_u64", CTL_NUMBER, "copies that left"},
	{"WAITING", "QueuedFrames_u64", CTL_NUMBER, "copies that wait"},
	{"DROP-OUT", NULL, CTL_NUMBER, "copies that did not leave"},
	{"BOOKS", NULL, CTL_TEXT, "do both sides of each line agree"},
	{.title = NULL},
};

struct stats_view {
	struct table *table;
	json_t *reasons; /* name -> sentence, in the daemon's order */
	json_t *summed;	 /* the record whose drops are told: the total, or the one hub */
};

static uint64_t drop_sum(const json_t *row, const char *prefix)
{
	uint64_t sum = 0;
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)(uintptr_t)row, key, v)
		if (strncmp(key, prefix, strlen(prefix)) == 0)
			sum += (uint64_t)json_integer_value(v);
	return sum;
}

static const char *balance(
	const json_t *row, uint64_t drop_in, uint64_t drop_out, char text[SHOW_MAX])
{
	long long in = (long long)(show_number(row, "In_u64") - show_number(row, "Switched_u64") -
		show_number(row, "Flooded_u64") - drop_in);
	long long out = (long long)(show_number(row, "Copies_u64") - show_number(row, "Sent_u64") -
		show_number(row, "QueuedFrames_u64") - drop_out);

	if (in == 0 && out == 0)
		snprintf(text, SHOW_MAX, "balanced");
	else
		snprintf(text, SHOW_MAX, "in %+lld, copies %+lld", in, out);
	return text;
}

static void book_row(struct stats_view *v, const json_t *row)
{
	uint64_t drop_in = drop_sum(row, "DropIn.");
	uint64_t drop_out = drop_sum(row, "DropOut.");
	char text[SHOW_MAX];

	for (const struct ctl_column *c = book_columns; c->title != NULL; c++) {
		if (c->field != NULL)
			show_field(row, c->field, c->format, text);
		else if (strcmp(c->title, "BOOKS") == 0)
			balance(row, drop_in, drop_out, text);
		else
			snprintf(text, sizeof(text), "%llu",
				(unsigned long long)(strcmp(c->title, "DROP-IN") == 0 ? drop_in
										      : drop_out));
		table_cell(v->table, text);
	}
	table_row_end(v->table);
}

static void on_stats_row(void *ctx, const char *list, json_t *row)
{
	struct stats_view *v = ctx;

	if (strcmp(list, "ReasonList") == 0) {
		const char *name = json_string_value(json_object_get(row, "Name_str"));

		if (name != NULL)
			json_object_set(v->reasons, name, json_object_get(row, "Text_str"));
	} else if (strcmp(list, "StatsList") == 0) {
		/* The first is the widest: the total, or the hub that was asked for. */
		if (v->summed == NULL)
			v->summed = json_incref(row);
		book_row(v, row);
	}
}

static void show_reasons(FILE *out, const struct stats_view *v)
{
	static const struct ctl_column columns[] = {
		{"DROPPED", "", CTL_NUMBER, ""},
		{"REASON", "", CTL_TEXT, ""},
		{"MEANING", "", CTL_TEXT, ""},
		{.title = NULL},
	};
	struct table *t = show_table(out, columns);
	const char *name;
	json_t *text;

	json_object_foreach (v->reasons, name, text) {
		char field[SHOW_MAX];
		char count[SHOW_MAX];

		snprintf(field, sizeof(field), "%s_u64", name);
		if (show_number(v->summed, field) == 0)
			continue;
		show_field(v->summed, field, CTL_NUMBER, count);
		table_cell(t, count);
		table_cell(t, name);
		table_cell(t, json_is_string(text) ? json_string_value(text) : "");
		table_row_end(t);
	}
	if (t->rows > 0) {
		table_end(t);
	} else {
		table_drop(t);
		fputs("No drops.\n", out);
	}
}

static int run_stats(struct ctl_run *run)
{
	struct stats_view view = {0};
	struct reply reply = {.row = on_stats_row, .ctx = &view};
	json_t *params;
	int rc;

	if (run->json)
		return ctl_run_general(run);
	params = ctl_params(run);
	if (params == NULL)
		return CTL_USAGE;
	view.reasons = json_object();
	view.table = show_table(run->out, book_columns);
	rc = client_call(run->socket_path, run->command->method, params, &reply, NULL);
	if (rc == CTL_OK) {
		table_end(view.table);
		fputc('\n', run->out);
		show_reasons(run->out, &view);
	} else {
		table_drop(view.table);
	}
	if (rc == CTL_OK && run->options[0] == NULL) {
		fputc('\n', run->out);
		rc = lcore_cycles_show(run);
	}
	json_decref(view.reasons);
	json_decref(view.summed);
	reply_fini(&reply);
	return rc;
}

const struct ctl_command ctl_stats_commands[] = {
	{
		.noun = "stats",
		.text = "The books: frames in and copies out, drops by reason, cycles per lcore",
		.method = "PatchbayGetStats",
		.options = {{.name = "--hub",
				    .value = "HUB",
				    .field = "HubName_str",
				    .kind = CTL_STRING,
				    .text = "only this hub"},
			{.name = "--sessions",
				.field = "Sessions_bool",
				.kind = CTL_FLAG,
				.text = "a line per session, too"}},
		.run = run_stats,
	},
	{.noun = NULL},
};
