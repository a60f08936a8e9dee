/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_COMMAND_H
#define PATCHBAY_CONTROLPLANE_CTL_COMMAND_H

/*
 * The commands of patchbayctl, each described once: what is typed, which method it calls with which
 * parameters, and which columns it shows. Parsing, help and tables follow these descriptions; a test holds the man page to them.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define CTL_ARGUMENTS_MAX 3u
#define CTL_REST_MAX	  64u /* words behind them, where a command takes any number */
#define CTL_OPTIONS_MAX	  16u
#define CTL_COLUMNS_MAX	  80u /* of a record; a table has TABLE_COLUMNS_MAX */

/* How a field of the answer is shown. */
enum ctl_format {
	CTL_TEXT,
	CTL_NUMBER, /* to the right */
	CTL_YES_NO,
	CTL_TIME, /* 2026-11-23 05:09:18, UTC */
	CTL_MAC,
	CTL_BYTES, /* hexadecimal digits */
	CTL_AUTH,  /* how a user proves who it is, in words */
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
	CTL_TIME_OF_DAY, /* 2030-01-01T00:00:00Z, 2030-01-01, or never */
	CTL_SWITCH,	 /* yes or no */
	CTL_HEX,	 /* hexadecimal digits, with : between or not */
	CTL_CERT_FILE,	 /* name of a file with a certificate, PEM or DER (file.h) */
	CTL_KEY_FILE,	 /* the same with a private key */
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
	const char *rest; /* what any number of further words are, for help; NULL: none */
	const char *rest_text;
	const char *done; /* what is said when it worked */
	const char *hint; /* what to do after an error */
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
	const char *rest[CTL_REST_MAX];
	unsigned rest_cnt;
	FILE *out;
};

/* What the tables of the nouns are written with. */
#define CTL_ARGUMENT(name_, field_, text_)                                              \
	{                                                                               \
		.name = (name_), .field = (field_), .kind = CTL_STRING, .text = (text_) \
	}
#define CTL_HUB CTL_ARGUMENT("HUB", "HubName_str", "name of the hub")

/* Lines of a record that tell a direction of its traffic; `field_` is "Send" or "Recv". */
#define CTL_TRAFFIC_LINES(title_, field_)                                                       \
	{(title_), field_ ".UnicastCount_u64", CTL_NUMBER, "unicast frames"},                   \
		{"  unicast bytes", field_ ".UnicastBytes_u64", CTL_NUMBER, "without FCS"},     \
		{"  broadcasts", field_ ".BroadcastCount_u64", CTL_NUMBER, "frames to groups"}, \
	{                                                                                       \
		"  broadcast bytes", field_ ".BroadcastBytes_u64", CTL_NUMBER, "without FCS"    \
	}

/*
 * The nouns, in the order of the help. Each X(noun) here is a file with a table ctl_noun_commands, which a record
 * without a noun ends. Nouns that belong together (rpc and methods) may share a table.
 */
#define CTL_NOUNS(X)   \
	X(status)      \
	X(server)      \
	X(certificate) \
	X(hub)         \
	X(source)      \
	X(access)      \
	X(user)        \
	X(group)       \
	X(radius)      \
	X(ca)          \
	X(crl)         \
	X(policy)      \
	X(connection)  \
	X(session)     \
	X(mac)         \
	X(ip)          \
	X(bridge)      \
	X(log)         \
	X(syslog)      \
	X(stats)       \
	X(lcore)       \
	X(udp)         \
	X(listener)    \
	X(store)       \
	X(import)      \
	X(quiesce)     \
	X(rpc)         \
	X(watch)       \
	X(shell)       \
	X(completion)

#define CTL_DECLARE(noun_) extern const struct ctl_command ctl_##noun_##_commands[];
CTL_NOUNS(CTL_DECLARE)

/* The index-th of all commands in the order of the help; NULL behind the last. */
const struct ctl_command *ctl_command_at(unsigned index);

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

/*
 * One typed value of `kind` as JSON; NULL after saying on stderr what is wrong. `name`: the argument's, for that.
 */
json_t *ctl_value(enum ctl_kind kind, const char *name, const char *text);
/* Splits KEY=VALUE at the first =; false after saying what is wrong. `key` has room for 64 bytes. */
bool ctl_key_value(const char *word, char key[64], const char **value);

/* What was typed for the option of this name; NULL: not given. */
const char *ctl_option(const struct ctl_run *run, const char *name);

/* A command's way unless it has one of its own: calls, and shows the list, the record or `done`. Exit status. */
int ctl_run_general(struct ctl_run *run);
/* Calls `method`, then echoes the answer (--json) or says `done`. Takes over params. Exit status. */
int ctl_call_and_tell(struct ctl_run *run, const char *method, json_t *params);

#endif
