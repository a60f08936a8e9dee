/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_JOURNAL_H
#define PATCHBAY_CONTROLPLANE_JOURNAL_H

/*
 * The journal's format: changes one behind the other in a file that only grows.
 *
 *	patchbay journal 1\n
 *	@ <bytes> <CRC-32 of the text, 8 hex digits>\n<text>\n		one record (directory_object.h)
 *	@ ...
 *
 * What was being written when the power went is told from what was answered by its place and its checksum: a record
 * that is not whole ends the journal. Pure functions; any thread.
 */

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_HEAD	   "patchbay journal 1\n"
#define JOURNAL_HEAD_BYTES (sizeof(JOURNAL_HEAD) - 1)
#define JOURNAL_FRAME_MAX  32u /* bytes around a text */
#define JOURNAL_RECORD_MAX 67108864u

enum journal_step {
	JOURNAL_RECORD,	 /* *text, *len */
	JOURNAL_END,	 /* nothing is behind the last record */
	JOURNAL_DAMAGED, /* what follows is no whole record; *at stays before it */
};

/* Writes the line before a text into `out` (JOURNAL_FRAME_MAX); its length. Behind the text goes one '\n'. */
size_t journal_frame(const char *text, size_t len, char *out);

/*
 * The record at *at, which begins at 0 (then the head is looked for first) and moves behind it. `text` points into
 * `bytes`, not NUL-terminated, without a NUL inside.
 */
enum journal_step journal_next(
	const char *bytes, size_t size, size_t *at, const char **text, size_t *len);

#endif
