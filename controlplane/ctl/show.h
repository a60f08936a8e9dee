/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_SHOW_H
#define PATCHBAY_CONTROLPLANE_CTL_SHOW_H

/* From a field of an answer to text for people. */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "controlplane/ctl/command.h"
#include "controlplane/ctl/table.h"

#define SHOW_MAX 512u

/* The field as text; "" if it is absent or says "none". Not yet safe for a terminal (text.h). */
void show_field(
	const json_t *record, const char *field, enum ctl_format format, char text[SHOW_MAX]);
/* A number of the record; 0 if absent. */
uint64_t show_number(const json_t *record, const char *field);

/* A table with these columns (ended by title NULL). */
struct table *show_table(FILE *out, const struct ctl_column *columns);
void show_row(struct table *t, const struct ctl_column *columns, const json_t *record);

/* "title  value" per column. */
void show_record(FILE *out, const struct ctl_column *columns, const json_t *record);

/* Prints a line "title  value" in the same shape. */
void show_line(FILE *out, const char *title, const char *value);

#endif
