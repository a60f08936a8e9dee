/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_UNIT_STORE_BED_H
#define TEST_UNIT_STORE_BED_H

/*
 * A state directory for the tests of the store, in which everything may go wrong: the process is killed before or
 * after a system call of the store, or the call fails. Which one is counted.
 */

#include <event2/event.h>
#include <stdbool.h>

enum luck {
	GOOD,
	KILLED_BEFORE,
	KILLED_AFTER,
	FAILS, /* with ENOSPC */
};

extern enum luck luck;
extern _Atomic unsigned luck_step, luck_at; /* calls so far; the one that is bad */

extern char bed_dir[];
extern struct event_base *bed_base; /* what control_base() is */

int bed_setup(void **state);
int bed_teardown(void **state);
/* Good luck, an empty folder, an empty directory, a store that has found neither. */
void bed_begin(void);
void bed_clean(void);

/* The path of a file in the folder; valid until the next call. */
char *bed_path(const char *name);
bool bed_there(const char *name);
void bed_put(const char *name, const char *text);

/* A user of hub A, whose name is a version: what was saved when is visible in the file. */
void bed_add_user(const char *name);
/* How many hub A has; or has in that file, 0 if it is not there. */
unsigned bed_users(void);
unsigned bed_users_in(const char *name);

/* For reports: into bed_told, or nowhere. */
extern char bed_told[4096];
void bed_hear(void *ctx, const char *line);
void bed_deaf(void *ctx, const char *line);

#endif
