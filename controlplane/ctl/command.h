/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_COMMAND_H
#define PATCHBAY_CONTROLPLANE_CTL_COMMAND_H

/*
 * The commands of patchbayctl, each described once: what is typed, which method it calls with which
 * parameters, and which columns it shows. Parsing, help, tables and the man page follow this table.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define CTL_ARGUMENTS_MAX 3u
#define CTL_OPTIONS_MAX	  5u
#define CTL_COLUMNS_MAX	  40u /* of a record; a table has TABLE_COLUMNS_MAX */

/* How a field of the answer is shown. */
enum ctl_format {
	CTL_TEXT,
	CTL_NUMBER, /* to the right */
	CTL_YES_NO,
	CTL_TIME, /* 2026-11-23 05:09:18, UTC */
	CTL_MAC,
};

struct ctl_column {
	const char *title; /* NULL ends a list */
	const char *field; /* JSON name in the record */
	enum ctl_format format;
	const char *text; /* for help */
};

/* What is typed, and where it goes in the request. */
enum ctl_kind {
	CTL_STRING,
	CTL_INTEGER,
	CTL_FLAG, /* option without a value */
	CTL_MAC_ADDRESS,
	CTL_JSON,
};

struct ctl_argument {
	const char *name;  /* HUB, or --hub; NULL ends a list */
	const char *value; /* option: what follows it, for help; NULL for a flag */
	const char *field; /* JSON name in the request; NULL: the command itself uses it */
	enum ctl_kind kind;
	bool optional;
	const char *text;
};

struct ctl_run;

struct ctl_command {
	const char *noun;
	const char *verb; /* NULL: the noun stands alone */
	const char *text;
	const char *method;
	struct ctl_argument arguments[CTL_ARGUMENTS_MAX + 1];
	struct ctl_argument options[CTL_OPTIONS_MAX + 1];
	const char
		*list; /* list of the answer that is the table; NULL: columns describe a record */
	const struct ctl_column *columns; /* NULL: nothing to show but `done` */
	const char *done;		  /* what is said when it worked */
	const char *hint;		  /* what to do after an error */
	/* Instead of the general way. Exit status. */
	int (*run)(struct ctl_run *run);
};

/* One invocation. */
struct ctl_run {
	const struct ctl_command *command;
	const char *socket_path;
	bool json;
	const char *arguments[CTL_ARGUMENTS_MAX]; /* NULL: not given */
	const char *options[CTL_OPTIONS_MAX];	  /* a flag's is "" */
	FILE *out;
};

/* All commands, in the order of the help. */
extern const struct ctl_command ctl_commands[];
extern const unsigned ctl_command_cnt;

/* NULL: none. A noun that stands alone is found with any `verb`, and *used says how many words it took. */
const struct ctl_command *ctl_command_find(const char *noun, const char *verb, unsigned *used);
bool ctl_noun_exists(const char *noun);

/* Help at each level, to `out`. */
void ctl_help_all(FILE *out);
void ctl_help_noun(FILE *out, const char *noun);
void ctl_help_command(FILE *out, const struct ctl_command *command);

/*
 * The request's params from what was typed; NULL after saying on stderr what is wrong with it (CTL_USAGE).
 */
json_t *ctl_params(const struct ctl_run *run);

/* Commands with a way of their own (see struct ctl_command). */
int ctl_run_general(struct ctl_run *run);
int ctl_run_status(struct ctl_run *run);
int ctl_run_stats(struct ctl_run *run);
int ctl_run_lcore_list(struct ctl_run *run);
int ctl_run_session_list(struct ctl_run *run);
int ctl_run_bridge_create(struct ctl_run *run);
int ctl_run_rpc(struct ctl_run *run);
int ctl_run_methods(struct ctl_run *run);

#endif
