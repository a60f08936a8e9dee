/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_REPLY_H
#define PATCHBAY_CONTROLPLANE_CTL_REPLY_H

/*
 * Reads the daemon's answer while it arrives. A list may have a million records, so each record is cut out,
 * parsed alone and given away at once; what is kept is the document without them. For programs the result is
 * copied through as it is. Fed with any bytes in any pieces; bounded memory.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define REPLY_SHELL_MAX (1u << 20) /* bytes of the document without its records */
#define REPLY_ROW_MAX	(1u << 20) /* bytes of one record */
#define REPLY_KEY_MAX	80u

enum reply_state {
	REPLY_MORE, /* the line has not ended */
	REPLY_END,  /* reply_document() holds it */
	REPLY_BAD,  /* not an answer of the daemon */
};

struct reply_buffer {
	char *bytes;
	size_t size;
	size_t room;
};

struct reply {
	/* Called per record with the name of its list; the record is borrowed. NULL: not wanted. */
	void (*row)(void *ctx, const char *list, json_t *row);
	void *ctx;
	FILE *echo; /* not NULL: the result goes here as text instead, records included */

	struct reply_buffer shell;
	struct reply_buffer record;
	unsigned depth;
	bool in_string;
	bool escaped;
	bool in_record;
	bool echoing;
	bool echoed;
	char text[REPLY_KEY_MAX]; /* string under way or last read at depth 1 and 2 */
	size_t text_len;
	char member[REPLY_KEY_MAX]; /* last string at depth 1: "result" or "error" */
	char list[REPLY_KEY_MAX];
	json_t *document;
	bool bad;
};

/* A zeroed struct with row, ctx, echo set is ready. */
enum reply_state reply_feed(struct reply *r, const char *bytes, size_t size);
/* The answer, lists emptied; NULL before the end. Borrowed. */
json_t *reply_document(const struct reply *r);
void reply_fini(struct reply *r);

#endif
