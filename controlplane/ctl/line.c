/* SPDX-License-Identifier: BSD-3-Clause */
/* One command line, read against the command table (line.h). */

#include "controlplane/ctl/line.h"

#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"

struct line {
	struct ctl_run run;
	const char *noun;
	unsigned argument_cnt;
	bool help;
	bool version;
	bool options_end; /* after "--" */
};

static int wrong(const struct line *l, const char *what, const char *word)
{
	fprintf(stderr, "patchbayctl: %s%s%s\n", what, word == NULL ? "" : ": ",
		word == NULL ? "" : word);
	if (l->run.command != NULL)
		fprintf(stderr, "`patchbayctl %s%s%s --help` shows how.\n", l->run.command->noun,
			l->run.command->verb == NULL ? "" : " ",
			l->run.command->verb == NULL ? "" : l->run.command->verb);
	else if (l->noun != NULL)
		fprintf(stderr, "`patchbayctl %s --help` lists its verbs.\n", l->noun);
	else
		fprintf(stderr, "`patchbayctl --help` lists the commands.\n");
	return CTL_USAGE;
}

static int word(struct line *l, const char *text)
{
	unsigned used;

	if (l->noun == NULL) {
		if (!ctl_noun_exists(text))
			return wrong(l, "no such command", text);
		l->noun = text;
		l->run.command = ctl_command_find(text, NULL, &used);
		return CTL_OK;
	}
	if (l->run.command == NULL) {
		l->run.command = ctl_command_find(l->noun, text, &used);
		return l->run.command != NULL ? CTL_OK : wrong(l, "no such verb", text);
	}
	if (l->argument_cnt == CTL_ARGUMENTS_MAX ||
		l->run.command->arguments[l->argument_cnt].name == NULL) {
		if (l->run.command->rest == NULL || l->run.rest_cnt == CTL_REST_MAX)
			return wrong(l, "one argument too many", text);
		l->run.rest[l->run.rest_cnt++] = text;
		return CTL_OK;
	}
	l->run.arguments[l->argument_cnt++] = text;
	return CTL_OK;
}

/* Does `arg` spell this option? *value points behind "=", or is NULL. */
static bool spells(const char *arg, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) != 0 || (arg[n] != '\0' && arg[n] != '='))
		return false;
	*value = arg[n] == '=' ? arg + n + 1 : NULL;
	return true;
}

/* The option's value, from behind "=" or the next word; NULL if there is none. */
static const char *option_value(const char *value, char *const argv[], int *i)
{
	if (value == NULL && argv[*i + 1] != NULL)
		value = argv[++*i];
	return value;
}

static int option(struct line *l, char *const argv[], int *i)
{
	const struct ctl_argument *options =
		l->run.command == NULL ? NULL : l->run.command->options;
	const char *arg = argv[*i];
	const char *value;

	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
		l->help = true;
		return CTL_OK;
	}
	if (strcmp(arg, "--version") == 0) {
		l->version = true;
		return CTL_OK;
	}
	if (strcmp(arg, "--json") == 0) {
		l->run.json = true;
		return CTL_OK;
	}
	if (spells(arg, "--socket", &value)) {
		l->run.socket_path = option_value(value, argv, i);
		return l->run.socket_path != NULL ? CTL_OK
						  : wrong(l, "--socket needs a path", NULL);
	}
	for (unsigned k = 0; options != NULL && options[k].name != NULL; k++) {
		if (!spells(arg, options[k].name, &value))
			continue;
		if (options[k].kind == CTL_FLAG && value != NULL)
			return wrong(l, "this option takes no value", arg);
		value = options[k].kind == CTL_FLAG ? "" : option_value(value, argv, i);
		if (value == NULL)
			return wrong(l, "this option needs a value", arg);
		l->run.options[k] = value;
		return CTL_OK;
	}
	return wrong(l, "no such option here", arg);
}

static int show_help(const struct line *l)
{
	if (l->run.command != NULL)
		ctl_help_command(stdout, l->run.command);
	else if (l->noun != NULL)
		ctl_help_noun(stdout, l->noun);
	else
		ctl_help_all(stdout);
	return CTL_OK;
}

static int run_line(struct line *l)
{
	const struct ctl_command *c = l->run.command;
	const struct ctl_argument *next;

	if (l->version) {
		puts("patchbayctl " PATCHBAY_VERSION);
		return CTL_OK;
	}
	if (l->help)
		return show_help(l);
	if (c == NULL)
		return wrong(l, l->noun == NULL ? "no command given" : "no verb given", NULL);
	next = &c->arguments[l->argument_cnt];
	if (next->name != NULL && !next->optional)
		return wrong(l, "missing argument", next->name);
	return c->run != NULL ? c->run(&l->run) : ctl_run_general(&l->run);
}

int ctl_line(int argc, char *const argv[], const char *socket_path, bool json)
{
	struct line l = {.run = {.out = stdout, .socket_path = socket_path, .json = json}};
	int rc = CTL_OK;

	for (int i = 0; i < argc && rc == CTL_OK; i++) {
		if (!l.options_end && strcmp(argv[i], "--") == 0)
			l.options_end = true;
		else if (!l.options_end && argv[i][0] == '-' && argv[i][1] != '\0')
			rc = option(&l, argv, &i);
		else
			rc = word(&l, argv[i]);
	}
	if (rc == CTL_OK)
		rc = run_line(&l);
	if (fflush(stdout) != 0 && rc == CTL_OK) {
		perror("patchbayctl: cannot write");
		rc = CTL_FAILED;
	}
	return rc;
}
