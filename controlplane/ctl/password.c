/* SPDX-License-Identifier: BSD-3-Clause */
/* A new password: from the terminal, unseen and twice, or from standard input. */

#include "controlplane/ctl/password.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 256u

static bool read_line(char line[PASSWORD_MAX])
{
	if (fgets(line, PASSWORD_MAX, stdin) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
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
		else
			fputs("patchbayctl: no password on standard input\n", stderr);
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
