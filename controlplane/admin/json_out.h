/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_JSON_OUT_H
#define PATCHBAY_CONTROLPLANE_ADMIN_JSON_OUT_H

/*
 * JSON as the back end of a result: writes text as values come, so that a list of a million rows needs the
 * memory of one slice. One answer is one line. Bytes that are not UTF-8 (peers name themselves as they
 * like) come out as U+FFFD: what we write always parses.
 */

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/admin/call.h"

struct evbuffer;

struct json_out {
	struct admin_out out; /* first */
	struct evbuffer *buf; /* borrowed */
	const char *id;	      /* JSON text of the request's id; borrowed */
	bool begun;	      /* the envelope stands */
	bool comma;	      /* the next member needs one before it */
	size_t used;
	char text[4096]; /* collects what would be many small adds */
};

void json_out_init(struct json_out *j, struct evbuffer *buf, const char *id);
/* Ends a result (begins it, if nothing was put). */
void json_out_result_end(struct json_out *j);
/*
 * Writes an error instead or, when something was put already, ends the result there and writes the error as a member
 * behind it. `field` (NULL: none) becomes data.field. The line is complete afterwards.
 */
void json_out_error(struct json_out *j, int code, const char *message, const char *field);
/* Moves what was collected to the evbuffer; after each slice. */
void json_out_flush(struct json_out *j);

/* Name with suffix: at most ADMIN_JSON_NAME_MAX bytes with NUL. */
#define ADMIN_JSON_NAME_MAX (ADMIN_FIELD_NAME_MAX + 8u)
void json_field_name(const struct admin_field *field, char name[ADMIN_JSON_NAME_MAX]);

#endif
