/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_TEXT_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_TEXT_H

/* The parts of the directory file that have a source file of their own, as directory_file.c sees them. */

#include <stdio.h>

#include "controlplane/config_reader.h"

struct directory;

/* Member `bridges` of the file. Reports what is wrong; -ENOMEM. */
int directory_bridges_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d);
/* The same as text; nothing if there are none. */
void directory_bridges_write(FILE *f);

/* A string as libconfig reads it back. */
void directory_put_string(FILE *f, const char *text);

#endif
