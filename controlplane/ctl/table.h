/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_TABLE_H
#define PATCHBAY_CONTROLPLANE_CTL_TABLE_H

/*
 * A table for people: header, aligned columns, numbers to the right. The first rows are held back to find the
 * widths; the rest goes out as it comes, so that a long list starts to show at once and needs no memory.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 20u
#define TABLE_HELD_ROWS	  200u

struct table_cell {
	char *text; /* printable, malloc'ed; NULL = empty */
	size_t columns;
};

struct table {
	FILE *out;
	unsigned column_cnt;
	const char *titles[TABLE_COLUMNS_MAX];
	bool right[TABLE_COLUMNS_MAX];
	size_t widths[TABLE_COLUMNS_MAX];
	struct table_cell held[TABLE_HELD_ROWS][TABLE_COLUMNS_MAX];
	unsigned held_cnt;
	bool flowing; /* header is out, widths stand */
	struct table_cell row[TABLE_COLUMNS_MAX];
	unsigned cell_cnt;
	size_t rows;
};

/* NULL with ENOMEM. */
struct table *table_new(FILE *out);
void table_column(struct table *t, const char *title, bool right);
/* Adds a cell to the row under way; any text, made printable here. */
void table_cell(struct table *t, const char *text);
void table_row_end(struct table *t);
/* Writes what is held (the header even if there are no rows) and frees the table. */
void table_end(struct table *t);
/* Frees it; what is held is not written. For an answer that turned out to be an error. */
void table_drop(struct table *t);

#endif
