/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `patchbayctl shell`: command after command, with history and completion on a terminal; from a file or a pipe
 * without. The line editor is libedit's.
 */

#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/complete.h"
#include "controlplane/ctl/line.h"

#define HISTORY_LINES 500
#define HISTORY_NAME  ".patchbayctl_history"

struct shell {
	struct ctl_run *run;
	EditLine *editor; /* NULL: not a terminal */
	History *history;
	char *history_path; /* NULL: kept in memory alone */
};

/* ---- completion ------------------------------------------------------------------------------ */

/* A word that would not be one word as it is. */
static bool wants_quotes(const char *text)
{
	return strpbrk(text, " \t'\"\\#") != NULL;
}

/* How many characters all of them begin with. */
static size_t common(const json_t *found)
{
	const char *first = json_string_value(json_array_get(found, 0));
	size_t len = first == NULL ? 0 : strlen(first);
	json_t *other;
	size_t i;

	json_array_foreach (found, i, other) {
		size_t n = 0;

		while (n < len && json_string_value(other)[n] == first[n])
			n++;
		len = n;
	}
	return len;
}

static void insert(EditLine *e, const json_t *found, const char *last)
{
	const char *first = json_string_value(json_array_get(found, 0));
	bool only = json_array_size(found) == 1;
	size_t len = only ? strlen(first) : common(found);
	char *text = calloc(1, len + 4);

	if (text == NULL)
		return;
	if (only && wants_quotes(first)) {
		/* What stands there already goes, so that quotes come around all of it. */
		el_deletestr(e, (int)strlen(last));
		if (strchr(first, '\'') == NULL)
			sprintf(text, "'%s' ", first);
		el_insertstr(e, text);
	} else if (len > strlen(last)) {
		memcpy(text, first + strlen(last), len - strlen(last));
		if (only)
			strcat(text, " ");
		el_insertstr(e, text);
	} else if (only) {
		el_insertstr(e, " ");
	}
	free(text);
}

static void show_choices(const json_t *found)
{
	json_t *word;
	size_t i;

	fputc('\n', stdout);
	json_array_foreach (found, i, word)
		printf("%s%s", i == 0 ? "" : "  ", json_string_value(word));
	fputc('\n', stdout);
	fflush(stdout);
}

static unsigned char on_tab(EditLine *e, int)
{
	const LineInfo *line = el_line(e);
	size_t size = (size_t)(line->cursor - line->buffer);
	char *words[CTL_LINE_WORDS_MAX + 1];
	char *text = strndup(line->buffer, size);
	const char *last = "";
	unsigned char result = CC_ERROR;
	struct shell *shell;
	json_t *found;
	int cnt;

	el_get(e, EL_CLIENTDATA, &shell);
	cnt = text == NULL ? -1 : ctl_words(text, words);
	/* The word under way ends at the cursor; behind a blank a new one begins. */
	if (cnt > 0 && size > 0 && strchr(" \t", line->cursor[-1]) == NULL)
		last = words[--cnt];
	found = cnt < 0 ? NULL : ctl_complete(words, (unsigned)cnt, last, shell->run->socket_path);
	if (json_array_size(found) > 0) {
		if (json_array_size(found) == 1 || common(found) > strlen(last)) {
			insert(e, found, last);
			result = CC_REFRESH;
		} else {
			show_choices(found);
			result = CC_REDISPLAY;
		}
	}
	json_decref(found);
	free(text);
	return result;
}

/* ---- life ------------------------------------------------------------------------------------ */

static char *prompt(EditLine *)
{
	static char text[] = "patchbay> ";

	return text;
}

static void history_open(struct shell *s)
{
	const char *home = getenv("HOME");
	HistEvent event;

	s->history = history_init();
	if (s->history == NULL)
		return;
	history(s->history, &event, H_SETSIZE, HISTORY_LINES);
	history(s->history, &event, H_SETUNIQUE, 1);
	if (home == NULL || asprintf(&s->history_path, "%s/" HISTORY_NAME, home) < 0)
		s->history_path = NULL;
	else
		history(s->history, &event, H_LOAD, s->history_path);
	el_set(s->editor, EL_HIST, history, s->history);
}

static void editor_open(struct shell *s)
{
	s->editor = el_init("patchbayctl", stdin, stdout, stderr);
	if (s->editor == NULL)
		return;
	el_set(s->editor, EL_CLIENTDATA, s);
	el_set(s->editor, EL_PROMPT, prompt);
	el_set(s->editor, EL_SIGNAL, 1);
	el_set(s->editor, EL_EDITOR, "emacs");
	el_set(s->editor, EL_ADDFN, "complete", "Completes the word", on_tab);
	el_set(s->editor, EL_BIND, "^I", "complete", NULL);
	history_open(s);
	el_source(s->editor, NULL);
}

static void editor_close(struct shell *s)
{
	HistEvent event;

	if (s->history != NULL) {
		if (s->history_path != NULL)
			history(s->history, &event, H_SAVE, s->history_path);
		history_end(s->history);
	}
	if (s->editor != NULL)
		el_end(s->editor);
	free(s->history_path);
}

/* Lines that may hold a secret are not kept. */
static void remember(struct shell *s, const char *line)
{
	HistEvent event;

	if (s->history != NULL && strspn(line, " \t\r\n") < strlen(line) &&
		strcasestr(line, "password") == NULL && strcasestr(line, "secret") == NULL)
		history(s->history, &event, H_ENTER, line);
}

static void help(void)
{
	ctl_help_all(stdout);
	fputc('\n', stdout);
	fputs("In the shell commands stand without `patchbayctl`; quotes keep words together, # begins a\n"
	      "comment, Tab completes. help: this; exit or Ctrl-D: leave.\n",
		stdout);
}

/* Runs a line. True: it asks to leave. */
static bool one(struct shell *s, const char *line, int *rc)
{
	char *words[CTL_LINE_WORDS_MAX + 1];
	char *text = strdup(line);
	int cnt = text == NULL ? -1 : ctl_words(text, words);
	bool leave = false;

	if (cnt < 0) {
		fprintf(stderr, "patchbayctl: a quote does not end, or there are too many words\n");
		*rc = CTL_USAGE;
	} else if (cnt == 1 && (strcmp(words[0], "exit") == 0 || strcmp(words[0], "quit") == 0)) {
		leave = true;
	} else if (cnt == 1 && (strcmp(words[0], "help") == 0 || strcmp(words[0], "?") == 0)) {
		help();
	} else if (cnt > 0 && strcmp(words[0], "shell") == 0) {
		fprintf(stderr, "patchbayctl: this is the shell already\n");
		*rc = CTL_USAGE;
	} else if (cnt > 0) {
		int status = ctl_line(cnt, words, s->run->socket_path, s->run->json);

		/* For scripts: one that failed makes the whole a failure. */
		if (status != CTL_OK)
			*rc = status;
	}
	free(text);
	return leave;
}

static int run_shell(struct ctl_run *run)
{
	struct shell s = {.run = run};
	bool leave = false;
	int rc = CTL_OK;

	if (isatty(STDIN_FILENO))
		editor_open(&s);
	if (s.editor != NULL) {
		const char *line;
		int cnt;

		printf("patchbayctl " PATCHBAY_VERSION
		       ": `help` lists the commands, Tab completes, `exit` leaves\n");
		while (!leave && (line = el_gets(s.editor, &cnt)) != NULL && cnt > 0) {
			remember(&s, line);
			/* On a terminal the status of a line has been seen. */
			leave = one(&s, line, &(int){0});
		}
		if (!leave)
			fputc('\n', stdout);
	} else {
		char *line = NULL;
		size_t size = 0;

		while (!leave && getline(&line, &size, stdin) > 0)
			leave = one(&s, line, &rc);
		free(line);
	}
	editor_close(&s);
	return rc;
}

const struct ctl_command ctl_shell_commands[] = {
	{
		.noun = "shell",
		.text = "Command after command, with history and completion; or from standard input",
		.run = run_shell,
	},
	{.noun = NULL},
};
