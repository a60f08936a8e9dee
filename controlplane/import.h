/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_IMPORT_H
#define PATCHBAY_CONTROLPLANE_IMPORT_H

/*
 * Migration: what the original's configuration (import_tree.h) says, in the words of our directory, and line by line what
 * was taken and what was not. Pure but for memory: a text goes in, a record of objects (directory_object.h) comes
 * out, which store_reload_begin() judges and puts into force. Any thread.
 *
 * Taken are hubs with settings, options, access lists, log settings, source address lists, authorities, revocations,
 * RADIUS servers, groups, users of all kinds and their policies, listeners, the administrators' passwords (as hashes)
 * and bridges to TAPs. A hub of the same name is replaced. What is not supported yet but worth keeping (cascades,
 * SecureNAT, layer 3 switches ...) stays as text in the directory, member `kept`. The server's certificate is no part
 * of the directory: patchbayctl sets it (import --certificate).
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/import_tree.h"

#define IMPORT_LINES_MAX 200000u  /* of a report; then one says so */
#define IMPORT_KEPT_MAX	 1048576u /* bytes of what is kept of a hub, or of the server */

struct import;

struct import_line {
	uint32_t line;	    /* of the file */
	const char *path;   /* OFFICE/UserList/alice */
	const char *result; /* taken, kept, left */
	const char *text;   /* what became of it */
};

/* NULL: out of memory. */
struct import *import_read(const char *text);
void import_free(struct import *import);
/* Why the text is none, or cannot be taken at all; NULL: it can. */
const char *import_wrong(const struct import *import);
/* malloc'ed; the caller's. NULL when asked twice. */
char *import_record(struct import *import);
bool import_line_get(const struct import *import, uint32_t index, struct import_line *out);

#endif
