/* SPDX-License-Identifier: BSD-3-Clause */
/* Help at every level, out of the command tables. */

#include <string.h>

#include "controlplane/ctl/command.h"

#define TYPED_MAX 64u

static const char global_options[] =
	"Options everywhere:\n"
	"  --json          the daemon's result as JSON, for programs\n"
	"  --socket PATH   socket of the daemon (default: PATCHBAY_SOCKET in the environment, or\n"
	"                  /var/lib/patchbay/admin.sock)\n"
	"  --help          help for what is typed before it\n";

/* What is typed for a command, without options. */
static const char *typed(const struct ctl_command *c, char text[TYPED_MAX])
{
	size_t n = (size_t)snprintf(text, TYPED_MAX, "%s%s%s", c->noun, c->verb == NULL ? "" : " ",
		c->verb == NULL ? "" : c->verb);

	for (const struct ctl_argument *a = c->arguments; a->name != NULL && n < TYPED_MAX; a++)
		n += (size_t)snprintf(
			text + n, TYPED_MAX - n, a->optional ? " [%s]" : " %s", a->name);
	if (c->rest != NULL && n < TYPED_MAX)
		snprintf(text + n, TYPED_MAX - n, " %s", c->rest);
	return text;
}

static void list_commands(FILE *out, const char *noun)
{
	const struct ctl_command *c;
	char text[TYPED_MAX];

	for (unsigned i = 0; (c = ctl_command_at(i)) != NULL; i++)
		if (noun == NULL || strcmp(noun, c->noun) == 0)
			fprintf(out, "  %-34s  %s\n", typed(c, text), c->text);
}

void ctl_help_all(FILE *out)
{
	fputs("Usage: patchbayctl [OPTION]... COMMAND [ARGUMENT]...\n\n"
	      "Administers the Patchbay daemon on this machine.\n\nCommands:\n",
		out);
	list_commands(out, NULL);
	fprintf(out, "\n%s  --version       version of patchbayctl\n", global_options);
	fputs("\n`patchbayctl COMMAND --help` tells more about one.\n"
	      "Exit status: 0 done, 1 the daemon said no or is not there, 2 wrong usage.\n",
		out);
}

void ctl_help_noun(FILE *out, const char *noun)
{
	fprintf(out, "Usage: patchbayctl %s VERB [ARGUMENT]...\n\n", noun);
	list_commands(out, noun);
	fprintf(out, "\n%s", global_options);
}

void ctl_help_command(FILE *out, const struct ctl_command *c)
{
	char text[TYPED_MAX];

	fprintf(out, "Usage: patchbayctl %s", typed(c, text));
	for (const struct ctl_argument *o = c->options; o->name != NULL; o++)
		fprintf(out, " [%s%s%s]", o->name, o->value == NULL ? "" : " ",
			o->value == NULL ? "" : o->value);
	fprintf(out, "\n\n%s.\n", c->text);
	if (c->method != NULL)
		fprintf(out, "Calls %s (`patchbayctl methods %s` describes its fields).\n",
			c->method, c->method);
	if (c->arguments[0].name != NULL)
		fputs("\nArguments:\n", out);
	for (const struct ctl_argument *a = c->arguments; a->name != NULL; a++)
		fprintf(out, "  %-16s%s\n", a->name, a->text);
	if (c->rest != NULL)
		fprintf(out, "  %-16s%s\n", c->rest, c->rest_text);
	if (c->options[0].name != NULL)
		fputs("\nOptions:\n", out);
	for (const struct ctl_argument *o = c->options; o->name != NULL; o++) {
		snprintf(text, sizeof(text), "%s %s", o->name, o->value == NULL ? "" : o->value);
		fprintf(out, "  %-18s%s\n", text, o->text);
	}
	if (c->columns != NULL)
		fprintf(out, "\n%s:\n", c->list != NULL ? "Columns" : "Lines");
	for (const struct ctl_column *k = c->columns; k != NULL && k->title != NULL; k++)
		fprintf(out, "  %-22s%s (%s)\n", k->title, k->text, k->field);
	fprintf(out, "\n%s", global_options);
}
