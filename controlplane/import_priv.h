/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_IMPORT_PRIV_H
#define PATCHBAY_CONTROLPLANE_IMPORT_PRIV_H

/* What the files of the import share. */

#include <stdio.h>

#include "controlplane/import.h"

struct import {
	const char *text; /* while it is read */
	struct import_tree tree;
	struct import_line *lines;
	uint32_t line_cnt, line_cap;
	bool memory; /* was short */
	char wrong[256];
	char *record;
};

enum import_result {
	IMPORT_TAKEN,
	IMPORT_KEPT,
	IMPORT_LEFT
};

/* A line of the report about a node. */
void import_say(struct import *im, uint32_t node, enum import_result result, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for each item below it that is none of the NULL-terminated names, groups as one. */
void import_say_rest(struct import *im, uint32_t group, const char *const *known, const char *why);
/* `name = "hex";` of 20 bytes; false and nothing where they are not there or are `unless`. */
bool import_put_hash(struct import *im, FILE *f, uint32_t of, const char *name, const char *key,
	const uint8_t *unless);

#define IMPORT_WRONG_BYTES 256u

/* ` serial = "hex";` from digits or bytes; false and nothing where there is none that could be one. */
bool import_put_serial(struct import *im, FILE *f, uint32_t of, const char *name);
/* `before` and a certificate as Base64 in quotes; false and nothing where it is none. */
bool import_put_certificate(
	struct import *im, FILE *f, uint32_t of, const char *name, const char *before);

/* Members trusted, revoked and radius, access, log of a hub. IMPORT_NONE: nothing. */
void import_trust(struct import *im, FILE *f, uint32_t database);
void import_radius(struct import *im, FILE *f, uint32_t hub);
void import_access(struct import *im, FILE *f, uint32_t list);
void import_log(struct import *im, FILE *f, uint32_t log);

/* Members groups and users of a hub, from its SecurityAccountDatabase. */
void import_accounts(struct import *im, FILE *f, uint32_t database);
/* One hub, as an object of the record. */
void import_hub(struct import *im, FILE *f, uint32_t hub);

#endif
