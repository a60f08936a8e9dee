/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl lcore list`: the map of workers, and how busy they are. */

#include "controlplane/ctl/lcore.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/show.h"

static const struct ctl_column map_columns[] = {
	{"LCORE", "Index_u32", CTL_NUMBER, "number of the worker"},
	{"DPDK", "LcoreId_u32", CTL_NUMBER, "lcore id of DPDK"},
	{"CPU", "Cpu_u32", CTL_NUMBER, "CPU it is pinned to"},
	{"SOCKET", "Socket_u32", CTL_NUMBER, "NUMA socket"},
	{"SESSIONS", "Sessions_u32", CTL_NUMBER, "sessions it owns"},
	{"POLLS", "Polls_u32", CTL_NUMBER, "device queues it polls"},
	{"FDS", "Fds_u32", CTL_NUMBER, "sockets it waits on"},
	{"SLEEPS", "Sleeps_u64", CTL_NUMBER, "times it blocked"},
	{"WOKEN", "Doorbells_u64", CTL_NUMBER, "times another thread woke it"},
	{"LATE", "LateReports_u64", CTL_NUMBER, "seconds of silence while online"},
	{.title = NULL},
};

struct lcore_view {
	struct table *table; /* NULL: only cycles are read */
	struct lcore_cycles since[LCORES_MAX];
	struct lcore_cycles now[LCORES_MAX];
	bool cycles_only;
};

const char *lcore_share(struct lcore_cycles since, struct lcore_cycles now, char text[16])
{
	/* A worker that wakes between two of its counters may seem to go back by a few cycles. */
	double busy = now.busy > since.busy ? (double)(now.busy - since.busy) : 0;
	double all = busy + (now.idle > since.idle ? (double)(now.idle - since.idle) : 0);

	/* A worker that slept all the time has told nothing since: no cycles are no work. */
	snprintf(text, 16, "%.1f%%", all > 0 ? 100 * busy / all : 0.0);
	return text;
}

static void map_row(struct lcore_view *v, unsigned index, json_t *row)
{
	char text[SHOW_MAX];

	for (const struct ctl_column *c = map_columns; c->title != NULL; c++) {
		show_field(row, c->field, c->format, text);
		if (strcmp(c->title, "CPU") == 0 &&
			!json_is_true(json_object_get(row, "Pinned_bool")))
			strcpy(text, "any");
		table_cell(v->table, text);
	}
	table_cell(v->table, lcore_share(v->since[index], v->now[index], text));
	show_field(row, "Queues_str", CTL_TEXT, text);
	table_cell(v->table, text);
	table_row_end(v->table);
}

static void cycles_row(struct lcore_view *v, unsigned index)
{
	char text[SHOW_MAX];

	snprintf(text, sizeof(text), "%u", index);
	table_cell(v->table, text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)v->now[index].busy);
	table_cell(v->table, text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)v->now[index].idle);
	table_cell(v->table, text);
	table_cell(v->table, lcore_share(v->since[index], v->now[index], text));
	table_row_end(v->table);
}

static void on_lcore(void *ctx, const char *list, json_t *row)
{
	struct lcore_view *v = ctx;
	unsigned index = (unsigned)show_number(row, "Index_u32");

	if (strcmp(list, "LcoreList") != 0 || index >= LCORES_MAX)
		return;
	v->now[index].busy = show_number(row, "BusyCycles_u64");
	v->now[index].idle = show_number(row, "IdleCycles_u64");
	if (v->table == NULL)
		return;
	if (v->cycles_only)
		cycles_row(v, index);
	else
		map_row(v, index, row);
}

static int read_lcores(struct ctl_run *run, struct lcore_view *v)
{
	struct reply reply = {.row = on_lcore, .ctx = v};
	int rc;

	if (run->json)
		reply.echo = run->out;
	rc = client_call(run->socket_path, "PatchbayEnumLcore", NULL, &reply, NULL);
	reply_fini(&reply);
	return rc;
}

int lcore_cycles_show(struct ctl_run *run)
{
	static const struct ctl_column columns[] = {
		{"LCORE", "", CTL_NUMBER, ""},
		{"BUSY (CYCLES)", "", CTL_NUMBER, ""},
		{"IDLE (CYCLES)", "", CTL_NUMBER, ""},
		{"BUSY", "", CTL_NUMBER, ""},
		{.title = NULL},
	};
	struct lcore_view *v = calloc(1, sizeof(*v));
	int rc;

	if (v == NULL)
		return CTL_FAILED;
	v->cycles_only = true;
	v->table = show_table(run->out, columns);
	rc = read_lcores(run, v);
	table_end(v->table);
	free(v);
	return rc;
}

static void map_begin(struct lcore_view *v, FILE *out, unsigned interval_s)
{
	static char title[48];

	if (interval_s == 0)
		strcpy(title, "BUSY (SINCE START)");
	else
		snprintf(title, sizeof(title), "BUSY (LAST %u S)", interval_s);
	v->table = show_table(out, map_columns);
	table_column(v->table, title, true);
	table_column(v->table, "QUEUES", false);
}

static int run_list(struct ctl_run *run)
{
	struct lcore_view *v = calloc(1, sizeof(*v));
	json_t *params = ctl_params(run);
	unsigned interval_s =
		run->options[0] == NULL ? 0 : (unsigned)strtoul(run->options[0], NULL, 10);
	int rc = CTL_OK;

	if (v == NULL || params == NULL) {
		free(v);
		return CTL_USAGE;
	}
	json_decref(params);
	if (interval_s > 0) {
		rc = read_lcores(run, v);
		memcpy(v->since, v->now, sizeof(v->since));
		fflush(run->out);
		if (rc == CTL_OK)
			sleep(interval_s);
	}
	if (rc == CTL_OK) {
		if (!run->json)
			map_begin(v, run->out, interval_s);
		rc = read_lcores(run, v);
		if (v->table != NULL && rc == CTL_OK)
			table_end(v->table);
		else if (v->table != NULL)
			table_drop(v->table);
	}
	free(v);
	return rc;
}

const struct ctl_command ctl_lcore_commands[] = {
	{
		.noun = "lcore",
		.verb = "list",
		.text = "The workers: where they run, what they own, how busy they are",
		.method = "PatchbayEnumLcore",
		.options = {{.name = "--interval",
			.value = "S",
			.kind = CTL_INTEGER,
			.text = "busy share over S seconds from now, instead of since start"}},
		.list = "LcoreList",
		.run = run_list,
	},
	{.noun = NULL},
};
