/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_IMPORT_TREE_H
#define PATCHBAY_CONTROLPLANE_IMPORT_TREE_H

/*
 * The original's configuration as a tree. Its text, as its programs write it:
 *
 *	declare root
 *	{
 *		uint ConfigRevision 37
 *		string Region $				empty
 *		string Name a$20b			$ and two hex digits: a byte
 *		byte Key QQsk9euBSyiqL3lcinsBLSW/ZmM=	Base64
 *		declare ListenerList
 *		{
 *		}
 *	}
 *
 * one item a line, `#` begins a comment line. The parser is pure and bounded: it allocates one table, and reads each
 * byte once. Any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT_TEXT_MAX	 25165824u /* bytes */
#define IMPORT_DEPTH_MAX 16u
#define IMPORT_NONE	 UINT32_MAX

enum import_type {
	IMPORT_GROUP, /* declare */
	IMPORT_BOOL,
	IMPORT_NUMBER, /* int, uint, int64, uint64 */
	IMPORT_STRING, /* string, and what else has a name of its own */
	IMPORT_BYTES,
};

struct import_node {
	enum import_type type;
	uint32_t line, parent, child, next; /* indices; IMPORT_NONE */
	const char *name;	     /* decoded, NUL-terminated: in the tree's copy of the text */
	const char *value;	     /* string decoded; bytes and numbers as text; group: "" */
	uint64_t number;	     /* bool: 0 or 1 */
	uint32_t last_line;	     /* of a group: where it closes */
	uint32_t text_from, text_to; /* of a group: its lines as bytes of the text */
};

struct import_tree {
	char *copy; /* what names and values point into: cut into pieces, secrets among them */
	size_t copy_size;
	struct import_node *nodes;
	uint32_t cnt, cap;
	uint32_t wrong_line;
	const char *wrong; /* what is wrong there, for people; NULL */
};

/* Is it such a text at all? */
bool import_is_original(const char *text);
/* False: out of memory, or see `wrong`; either way to be freed. */
bool import_tree_read(struct import_tree *tree, const char *text);
void import_tree_free(struct import_tree *tree);

/* The child of that name, without regard to case; IMPORT_NONE. `of` may be that as well. */
uint32_t import_child(const struct import_tree *tree, uint32_t of, const char *name);
/* Its number, or `none` if there is no such child or it is of another type. */
uint64_t import_number(
	const struct import_tree *tree, uint32_t of, const char *name, uint64_t none);
/*
 * The time in ms since 1970, UTC; 0: never. The file has it nine hours early: what Debian's server was told as
 * 2030-01-02 03:04:05 UTC it wrote as 2030-01-01 18:04:05.
 */
uint64_t import_time(const struct import_tree *tree, uint32_t of, const char *name);
/* "" likewise. */
const char *import_text(const struct import_tree *tree, uint32_t of, const char *name);
/* Bytes of a value; false if there are not exactly `size`. */
bool import_bytes(
	const struct import_tree *tree, uint32_t of, const char *name, uint8_t *out, size_t size);

#endif
