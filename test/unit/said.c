/* SPDX-License-Identifier: BSD-3-Clause */
/* See said.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/said.h"

char said_path[] = "/tmp/patchbay-said.XXXXXX";

int said_setup(void **)
{
	int fd = mkstemp(said_path);

	return fd >= 0 ? close(fd) : -1;
}

int said_teardown(void **)
{
	return unlink(said_path);
}

void said_write(struct said *said, const char *text)
{
	FILE *f = fopen(said_path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	memset(said, 0, sizeof(*said));
}

void said_hear(void *ctx, const char *line)
{
	struct said *said = ctx;
	size_t len = strlen(said->text);

	snprintf(said->text + len, sizeof(said->text) - len, "%s\n", line);
	said->lines++;
}
