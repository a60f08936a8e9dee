/* SPDX-License-Identifier: BSD-3-Clause */
/* From a line to its words (line.h). */

#include <stddef.h>
#include <string.h>

#include "controlplane/ctl/line.h"

/* One word from *in, written to *out, which is never ahead. False: a quote does not end. */
static bool take_word(char **in, char **out)
{
	char *p = *in;
	char *q = *out;
	char quote = '\0';

	for (; *p != '\0' && (quote != '\0' || strchr(" \t\r\n", *p) == NULL); p++) {
		if (*p == '\\' && quote != '\'' && p[1] != '\0')
			*q++ = *++p;
		else if (quote == '\0' && (*p == '\'' || *p == '"'))
			quote = *p;
		else if (*p == quote)
			quote = '\0';
		else
			*q++ = *p;
	}
	*in = *p == '\0' ? p : p + 1;
	*q = '\0';
	*out = q + 1;
	return quote == '\0';
}

int ctl_words(char *text, char *words[CTL_LINE_WORDS_MAX + 1])
{
	char *out = text;
	int cnt = 0;

	for (;;) {
		char *word;

		text += strspn(text, " \t\r\n");
		if (*text == '\0' || *text == '#') {
			words[cnt] = NULL;
			return cnt;
		}
		word = out;
		if (cnt == (int)CTL_LINE_WORDS_MAX || !take_word(&text, &out))
			return -1;
		words[cnt++] = word;
	}
}
