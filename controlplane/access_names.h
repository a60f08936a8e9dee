/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ACCESS_NAMES_H
#define PATCHBAY_CONTROLPLANE_ACCESS_NAMES_H

/*
 * The user lists of access rules, include:FILE and exclude:FILE: text files in <state>/lists, one name a line; what
 * follows a hash, a semicolon or two slashes is comment. Read when a list of rules is compiled, never by a worker.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/access.h"

#define ACCESS_NAMES_BYTES 1048576u /* of a file; what is behind is not read */

/* Where the lists are: <state_dir>/lists. -ENOMEM. */
int access_names_init(const char *state_dir);
void access_names_fini(void);

/* The file of include:FILE or exclude:FILE, or NULL: it is a name. *exclude may be NULL. */
const char *access_names_file(const char *user, bool *exclude);
/*
 * Reads one into *out, whose keys are malloc'ed. A file that is not there lists nobody (-errno). May block; any thread.
 */
int access_names_read(const char *file, struct access_names *out);
/* The same from a text, which is cut into lines on the way. -ENOMEM. */
int access_names_parse(char *text, struct access_names *out);
/* Changes when the file does; 0: it is not there. */
uint64_t access_names_stamp(const char *file);

#endif
