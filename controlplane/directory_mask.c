/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory as a text for eyes that secrets are not for (directory.h: directory_masked()). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory.h"

/* The string whose opening quote is at `quote` is the value of a secret. */
static bool is_secret(const char *text, const char *quote)
{
	static const char *const keys[] = {"hash = ", "secret = ", "private_key = ", "kept = "};

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i]);

		if ((size_t)(quote - text) >= len && memcmp(quote - len, keys[i], len) == 0)
			return true;
	}
	return false;
}

/* Every string of such a key becomes "kept". What stands in a string is no key. */
char *directory_masked(const char *text, size_t *size)
{
	char *out = NULL;
	FILE *f = open_memstream(&out, size);

	if (f == NULL)
		return NULL;
	while (*text != '\0') {
		const char *quote = strchrnul(text, '"'), *end = quote;

		if (*quote == '"') {
			for (end++; *end != '\0' && *end != '"'; end++)
				end += *end == '\\' && end[1] != '\0'; /* what follows is no end */
			end += *end == '"';
		}
		fwrite(text, 1, (size_t)(quote - text), f);
		if (*quote == '"' && is_secret(text, quote))
			fputs("\"" DIRECTORY_KEPT "\"", f);
		else
			fwrite(quote, 1, (size_t)(end - quote), f);
		text = end;
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}
