/* SPDX-License-Identifier: BSD-3-Clause */
/* A new password: from the terminal, unseen and twice, or from standard input. */

#include "controlplane/ctl/password.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 256u

/* False after saying why not; what is too long is read to its end, so that nobody takes the rest for something else. */
static bool read_line(char line[PASSWORD_MAX])
{
	size_t len = 0;
	bool any = false;
	int c;

	while ((c = getchar()) != EOF && c != '\n') {
		any = true;
		if (len < PASSWORD_MAX)
			line[len] = (char)c;
		len++;
	}
	if (!any && c == EOF) {
		fputs("patchbayctl: no password on standard input\n", stderr);
		return false;
	}
	if (len >= PASSWORD_MAX) {
		fprintf(stderr,
			"patchbayctl: a password has at most %u bytes; nothing was changed\n",
			PASSWORD_MAX - 1);
		return false;
	}
	line[len] = '\0';
	return true;
}

static bool ask(const char *prompt, char line[PASSWORD_MAX])
{
	struct termios shown, hidden;
	bool ok;

	fputs(prompt, stderr);
	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	ok = read_line(line);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return ok;
}

char *ctl_password(const char *whose)
{
	char prompt[400], line[PASSWORD_MAX], again[PASSWORD_MAX];
	char *password = NULL;

	if (!isatty(STDIN_FILENO)) {
		if (read_line(line))
			password = strdup(line);
		explicit_bzero(line, sizeof(line));
		return password;
	}
	snprintf(prompt, sizeof(prompt), "New password of %s: ", whose);
	if (ask(prompt, line) && ask("Once more: ", again)) {
		if (strcmp(line, again) == 0)
			password = strdup(line);
		else
			fputs("patchbayctl: the two are not the same; nothing was changed\n",
				stderr);
	}
	explicit_bzero(line, sizeof(line));
	explicit_bzero(again, sizeof(again));
	return password;
}

bool ctl_secret_option(json_t *params, const char *field, const char *whose)
{
	const char *given = json_string_value(json_object_get(params, field));
	char *secret;

	if (given == NULL || strcmp(given, "-") != 0)
		return true;
	secret = ctl_password(whose);
	if (secret == NULL)
		return false;
	json_object_set_new(params, field, json_string(secret));
	explicit_bzero(secret, strlen(secret));
	free(secret);
	return true;
}
