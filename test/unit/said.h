/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_UNIT_SAID_H
#define TEST_UNIT_SAID_H

/* A file of the test's own for what reads files, and what the reader says of it, line by line. */

struct said {
	char text[16384];
	unsigned lines;
};

/* The file; empty from said_setup() to said_teardown(), which are of a group of tests. */
extern char said_path[];
int said_setup(void **state);
int said_teardown(void **state);

/* Puts the text into the file, and forgets what was said. */
void said_write(struct said *said, const char *text);
/* What readers report to; ctx is a struct said. */
void said_hear(void *ctx, const char *line);

#endif
