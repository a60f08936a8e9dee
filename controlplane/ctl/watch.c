/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `patchbayctl watch`: live rates of lcores, hubs and sessions, from two readings of the books. On a terminal each table
 * takes the place of the one before; elsewhere, and as JSON (a line each), they follow each other.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/lcore.h"
#include "controlplane/ctl/show.h"

#define HOUR_S 3600u

/* Bits and frames are per second. */
static const struct ctl_column rate_columns[] = {
	{"HUB", "HubName_str", CTL_TEXT, "hub"},
	{"NAME", "Name_str", CTL_TEXT, "index of the lcore, name of the hub or session"},
	{"IN/S", "InFrames_u64", CTL_NUMBER, "frames in per second"},
	{"IN MBIT/S", "InMbit_real", CTL_NUMBER, "their bits"},
	{"OUT/S", "OutFrames_u64", CTL_NUMBER, "copies out per second"},
	{"OUT MBIT/S", "OutMbit_real", CTL_NUMBER, "their bits"},
	{"DROPS/S", "Drops_u64", CTL_NUMBER, "frames and copies dropped per second"},
	{"WAITING", "Waiting_u64", CTL_NUMBER, "bytes not sent yet"},
	{.title = NULL},
};

struct watch {
	struct ctl_run *run;
	const char *level;
	json_t *before; /* name -> record of the last reading */
	json_t *now;
	double seconds;
	struct lcore_cycles since[LCORES_MAX];
	struct lcore_cycles cycles[LCORES_MAX];
};

static volatile sig_atomic_t ended;

static void on_signal(int)
{
	ended = 1;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void on_stats(void *ctx, const char *list, json_t *row)
{
	struct watch *w = ctx;
	const char *hub = json_string_value(json_object_get(row, "HubName_str"));
	const char *name = json_string_value(json_object_get(row, "Name_str"));
	const char *level = json_string_value(json_object_get(row, "Level_str"));
	const char *wanted = w->run->arguments[0];
	char key[1024];

	if (strcmp(list, "StatsList") != 0 || level == NULL || strcmp(level, w->level) != 0 ||
		name == NULL || hub == NULL)
		return;
	if (wanted != NULL && strcasecmp(hub, wanted) != 0)
		return;
	snprintf(key, sizeof(key), "%s/%s", hub, name);
	json_object_set(w->now, key, row);
}

static void on_lcore(void *ctx, const char *list, json_t *row)
{
	struct watch *w = ctx;
	uint64_t index = show_number(row, "Index_u32");

	if (strcmp(list, "LcoreList") != 0 || index >= LCORES_MAX)
		return;
	w->cycles[index].busy = show_number(row, "BusyCycles_u64");
	w->cycles[index].idle = show_number(row, "IdleCycles_u64");
}

static int call(struct watch *w, const char *method, json_t *params,
	void (*row)(void *ctx, const char *list, json_t *row))
{
	struct reply reply = {.row = row, .ctx = w};
	int rc = client_call(w->run->socket_path, method, params, &reply, NULL);

	reply_fini(&reply);
	return rc;
}

static int take(struct watch *w)
{
	bool sessions = strcmp(w->level, "session") == 0;
	int rc;

	json_decref(w->before);
	w->before = w->now;
	w->now = json_object();
	memcpy(w->since, w->cycles, sizeof(w->since));
	rc = call(w, "PatchbayGetStats", json_pack("{s:b}", "Sessions_bool", sessions), on_stats);
	if (rc == CTL_OK && strcmp(w->level, "lcore") == 0)
		rc = call(w, "PatchbayEnumLcore", NULL, on_lcore);
	return rc;
}

/* ---- rates ----------------------------------------------------------------------------------- */

static double grown(
	const struct watch *w, const json_t *before, const json_t *now, const char *field)
{
	uint64_t a = show_number(before, field);
	uint64_t b = show_number(now, field);

	/* Another session of the same name counts from 0 again. */
	return b > a ? (double)(b - a) / w->seconds : 0;
}

static double drops(const struct watch *w, const json_t *before, json_t *now)
{
	double sum = 0;
	const char *key;
	json_t *v;

	json_object_foreach (now, key, v)
		if (strncmp(key, "DropIn.", 7) == 0 || strncmp(key, "DropOut.", 8) == 0)
			sum += grown(w, before, now, key);
	return sum;
}

static double mbit(const struct watch *w, const json_t *before, const json_t *now,
	const char *unicast, const char *broadcast)
{
	return 8e-6 * (grown(w, before, now, unicast) + grown(w, before, now, broadcast));
}

/* What one row says. A session that was not there before has no rate yet. */
static json_t *rates(const struct watch *w, const char *key, json_t *now)
{
	const json_t *before = json_object_get(w->before, key);
	const json_t *from = before == NULL ? now : before;

	return json_pack("{s:O, s:O, s:I, s:f, s:I, s:f, s:I, s:I}", "HubName_str",
		json_object_get(now, "HubName_str"), "Name_str", json_object_get(now, "Name_str"),
		"InFrames_u64", (json_int_t)grown(w, from, now, "In_u64"), "InMbit_real",
		mbit(w, from, now, "Recv.UnicastBytes_u64", "Recv.BroadcastBytes_u64"),
		"OutFrames_u64", (json_int_t)grown(w, from, now, "Sent_u64"), "OutMbit_real",
		mbit(w, from, now, "Send.UnicastBytes_u64", "Send.BroadcastBytes_u64"), "Drops_u64",
		(json_int_t)drops(w, from, now), "Waiting_u64",
		(json_int_t)show_number(now, "QueuedBytes_u64"));
}

static const char *busy_share(const struct watch *w, const json_t *now, char text[16])
{
	unsigned long index =
		strtoul(json_string_value(json_object_get(now, "Name_str")), NULL, 10);

	if (index >= LCORES_MAX)
		return "";
	return lcore_share(w->since[index], w->cycles[index], text);
}

static void show_cells(struct table *t, const json_t *row)
{
	char text[SHOW_MAX];

	for (const struct ctl_column *c = rate_columns; c->title != NULL; c++) {
		json_t *v = json_object_get(row, c->field);

		if (json_is_real(v))
			snprintf(text, sizeof(text), "%.2f", json_real_value(v));
		else
			show_field(row, c->field, c->format, text);
		table_cell(t, text);
	}
}

static void show_table_of(struct watch *w)
{
	bool lcores = strcmp(w->level, "lcore") == 0;
	struct table *t = show_table(w->run->out, rate_columns);
	char share[16];
	const char *key;
	json_t *now;

	if (lcores)
		table_column(t, "BUSY", true);
	json_object_foreach (w->now, key, now) {
		json_t *row = rates(w, key, now);

		show_cells(t, row);
		if (lcores)
			table_cell(t, busy_share(w, now, share));
		table_row_end(t);
		json_decref(row);
	}
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", w->run->out);
	table_end(t);
	if (!isatty(STDOUT_FILENO))
		fputc('\n', w->run->out);
}

static void show_json(struct watch *w)
{
	json_t *list = json_array();
	json_t *line;
	char share[16];
	const char *key;
	json_t *now;

	json_object_foreach (w->now, key, now) {
		json_t *row = rates(w, key, now);

		if (strcmp(w->level, "lcore") == 0)
			json_object_set_new(row, "BusyPercent_real",
				json_real(atof(busy_share(w, now, share))));
		json_array_append_new(list, row);
	}
	line = json_pack("{s:f, s:o}", "Seconds_real", w->seconds, "RateList", list);
	json_dumpf(line, w->run->out, JSON_COMPACT);
	fputc('\n', w->run->out);
	json_decref(line);
}

/* ---- life ------------------------------------------------------------------------------------ */

static double monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int watch_loop(struct watch *w, unsigned interval_s, unsigned count)
{
	double last = monotonic();
	int rc = take(w);

	for (unsigned i = 0; rc == CTL_OK && (count == 0 || i < count); i++) {
		double now;

		sleep(interval_s);
		if (ended)
			break;
		rc = take(w);
		now = monotonic();
		w->seconds = now - last;
		last = now;
		if (rc != CTL_OK)
			break;
		if (w->run->json)
			show_json(w);
		else
			show_table_of(w);
		/* Whoever reads a pipe has gone. */
		if (fflush(w->run->out) != 0)
			break;
	}
	return rc;
}

/* The number of an option of the command; `standard` without it. */
static unsigned number(const struct ctl_run *run, unsigned option, unsigned standard)
{
	return run->options[option] == NULL ? standard
					    : (unsigned)strtoul(run->options[option], NULL, 10);
}

static int run_watch(struct ctl_run *run)
{
	struct watch w = {.run = run, .level = run->command->verb, .now = json_object()};
	struct sigaction action = {.sa_handler = on_signal};
	struct sigaction former;
	json_t *params = ctl_params(run);
	unsigned interval_s = number(run, 0, 1);
	int rc;

	if (params == NULL || interval_s == 0 || interval_s > HOUR_S) {
		if (params != NULL)
			fprintf(stderr, "patchbayctl: --interval: 1 to %u seconds\n", HOUR_S);
		json_decref(params);
		json_decref(w.now);
		return CTL_USAGE;
	}
	json_decref(params);
	/* Ctrl-C is the usual end: not a failure, and in the shell not the shell's. */
	ended = 0;
	sigaction(SIGINT, &action, &former);
	rc = watch_loop(&w, interval_s, number(run, 1, 0));
	sigaction(SIGINT, &former, NULL);
	json_decref(w.before);
	json_decref(w.now);
	return rc;
}

#define OPTIONS                                                                                \
	{                                                                                      \
		{.name = "--interval",                                                         \
			.value = "S",                                                          \
			.kind = CTL_INTEGER,                                                   \
			.text = "seconds between two tables (default: 1)"},                    \
			{.name = "--count",                                                    \
				.value = "N",                                                  \
				.kind = CTL_INTEGER,                                           \
				.text = "end behind so many tables (default, and 0: Ctrl-C)"}, \
	}
#define HUB_IF_ANY                                                           \
	{                                                                    \
		{                                                            \
			.name = "HUB", .kind = CTL_STRING, .optional = true, \
			.text = "only this hub (default: every hub)"         \
		}                                                            \
	}

const struct ctl_command ctl_watch_commands[] = {
	{
		.noun = "watch",
		.verb = "lcore",
		.text = "Live rates of the workers, and how busy they are",
		.method = "PatchbayGetStats",
		.options = OPTIONS,
		.columns = rate_columns,
		.list = "RateList",
		.run = run_watch,
	},
	{
		.noun = "watch",
		.verb = "hub",
		.text = "Live rates of the hubs",
		.method = "PatchbayGetStats",
		.arguments = HUB_IF_ANY,
		.options = OPTIONS,
		.columns = rate_columns,
		.list = "RateList",
		.run = run_watch,
	},
	{
		.noun = "watch",
		.verb = "session",
		.text = "Live rates of the sessions, bridges included",
		.method = "PatchbayGetStats",
		.arguments = HUB_IF_ANY,
		.options = OPTIONS,
		.columns = rate_columns,
		.list = "RateList",
		.run = run_watch,
	},
	{.noun = NULL},
};
