/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables for people, in one pass. */

#include "controlplane/ctl/table.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/text.h"

struct table *table_new(FILE *out)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->out = out;
	return t;
}

void table_column(struct table *t, const char *title, bool right)
{
	assert(t->column_cnt < TABLE_COLUMNS_MAX);
	t->titles[t->column_cnt] = title;
	t->right[t->column_cnt] = right;
	t->widths[t->column_cnt++] = strlen(title);
}

void table_cell(struct table *t, const char *text)
{
	struct table_cell *cell = &t->row[t->cell_cnt];

	assert(t->cell_cnt < t->column_cnt);
	cell->text = text_printable(text[0] == '\0' ? "-" : text, &cell->columns);
	t->cell_cnt++;
}

static void pad(FILE *out, size_t n)
{
	while (n-- > 0)
		fputc(' ', out);
}

static void print_row(const struct table *t, const struct table_cell *cells)
{
	for (unsigned i = 0; i < t->column_cnt; i++) {
		const char *text = cells[i].text == NULL ? "" : cells[i].text;
		size_t gap = cells[i].columns < t->widths[i] ? t->widths[i] - cells[i].columns : 0;

		if (i > 0)
			fputs("  ", t->out);
		if (t->right[i])
			pad(t->out, gap);
		fputs(text, t->out);
		if (!t->right[i] && i + 1 < t->column_cnt)
			pad(t->out, gap);
	}
	fputc('\n', t->out);
}

static void cells_free(struct table_cell *cells, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i++)
		free(cells[i].text);
	memset(cells, 0, cnt * sizeof(*cells));
}

static void start_flowing(struct table *t)
{
	struct table_cell header[TABLE_COLUMNS_MAX];

	if (t->flowing)
		return;
	t->flowing = true;
	for (unsigned i = 0; i < t->column_cnt; i++) {
		/* print_row() only reads it. */
		header[i].text = (char *)(uintptr_t)t->titles[i];
		header[i].columns = strlen(t->titles[i]);
	}
	print_row(t, header);
	for (unsigned i = 0; i < t->held_cnt; i++) {
		print_row(t, t->held[i]);
		cells_free(t->held[i], t->column_cnt);
	}
}

void table_row_end(struct table *t)
{
	assert(t->cell_cnt == t->column_cnt);
	t->cell_cnt = 0;
	t->rows++;
	if (!t->flowing && t->held_cnt == TABLE_HELD_ROWS)
		start_flowing(t);
	if (t->flowing) {
		print_row(t, t->row);
		cells_free(t->row, t->column_cnt);
		return;
	}
	for (unsigned i = 0; i < t->column_cnt; i++)
		if (t->row[i].columns > t->widths[i])
			t->widths[i] = t->row[i].columns;
	memcpy(t->held[t->held_cnt++], t->row, sizeof(t->row));
	memset(t->row, 0, sizeof(t->row));
}

void table_end(struct table *t)
{
	start_flowing(t);
	t->held_cnt = 0;
	table_drop(t);
}

void table_drop(struct table *t)
{
	for (unsigned i = 0; i < t->held_cnt && !t->flowing; i++)
		cells_free(t->held[i], t->column_cnt);
	cells_free(t->row, t->cell_cnt);
	free(t);
}
