/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_TEXT_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_TEXT_H

/* The parts of the directory file that have a source file of their own, as directory_file.c sees them. */

#include <stdio.h>

#include "controlplane/config_reader.h"
#include "controlplane/directory.h"

struct directory;

/* Member `bridges` of the file. Reports what is wrong; -ENOMEM. */
int directory_bridges_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d);
/* The same as text; nothing if there are none. */
void directory_bridges_write(FILE *f);

/* Members `admin_password`, `admin_password_hash` and, of a hub, `admin_vpn_hash` of a group. */
void directory_admin_read(struct config_reader *r, const config_setting_t *group, bool hub,
	struct directory_admin *admin);
void directory_admin_write(
	FILE *f, const char *indent, bool hub, const struct directory_admin *admin);
/* Member `listeners`. */
void directory_listeners_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d);
void directory_listeners_write(FILE *f);

/* 40 hexadecimal digits. */
bool directory_hash_parse(const char *text, uint8_t out[DIRECTORY_HASH_BYTES]);

/* A string as libconfig reads it back. */
void directory_put_string(FILE *f, const char *text);

#endif
