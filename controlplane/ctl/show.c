/* SPDX-License-Identifier: BSD-3-Clause */
/* How fields look. */

#include "controlplane/ctl/show.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/ctl/text.h"

#define RECORD_TITLE_WIDTH 22

static void show_time(const char *dt, char text[SHOW_MAX])
{
	/* 2026-11-23T05:09:18.203Z; the protocol's "never" is the year 1970. */
	text[0] = '\0';
	if (strlen(dt) < 19 || strncmp(dt, "1970-01-01T", 11) == 0)
		return;
	snprintf(text, SHOW_MAX, "%.10s %.8s", dt, dt + 11);
}

static void show_mac(const char *base64, char text[SHOW_MAX])
{
	uint8_t bytes[9];

	text[0] = '\0';
	if (strlen(base64) == 8 && base64_decode(base64, 8, bytes) == 6)
		snprintf(text, SHOW_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
			bytes[2], bytes[3], bytes[4], bytes[5]);
}

static void show_bytes(const char *base64, char text[SHOW_MAX])
{
	uint8_t bytes[SHOW_MAX / 2];
	size_t len = strlen(base64);
	long size = len < sizeof(bytes) ? base64_decode(base64, len, bytes) : -1;

	text[0] = '\0';
	for (long i = 0; i < size; i++)
		snprintf(text + 2 * i, SHOW_MAX - 2 * (size_t)i, "%02x", bytes[i]);
}

static void show_auth(json_int_t type, char text[SHOW_MAX])
{
	static const char *const names[] = {
		"anonymous", "password", "certificate", "signed", "RADIUS"};

	if (type >= 0 && (size_t)type < sizeof(names) / sizeof(names[0]))
		snprintf(text, SHOW_MAX, "%s", names[type]);
	else
		snprintf(text, SHOW_MAX, "type %lld", (long long)type);
}

void show_field(
	const json_t *record, const char *field, enum ctl_format format, char text[SHOW_MAX])
{
	const json_t *v = json_object_get(record, field);
	const char *s = json_is_string(v) ? json_string_value(v) : "";

	text[0] = '\0';
	switch (format) {
	case CTL_TEXT:
		snprintf(text, SHOW_MAX, "%s", s);
		break;
	case CTL_NUMBER:
		if (json_is_integer(v))
			snprintf(text, SHOW_MAX, "%lld", (long long)json_integer_value(v));
		break;
	case CTL_YES_NO:
		if (json_is_boolean(v))
			snprintf(text, SHOW_MAX, "%s", json_is_true(v) ? "yes" : "no");
		break;
	case CTL_TIME:
		show_time(s, text);
		break;
	case CTL_MAC:
		show_mac(s, text);
		break;
	case CTL_BYTES:
		show_bytes(s, text);
		break;
	case CTL_AUTH:
		if (json_is_integer(v))
			show_auth(json_integer_value(v), text);
		break;
	}
}

uint64_t show_number(const json_t *record, const char *field)
{
	return (uint64_t)json_integer_value(json_object_get(record, field));
}

struct table *show_table(FILE *out, const struct ctl_column *columns)
{
	struct table *t = table_new(out);

	if (t == NULL) {
		fputs("patchbayctl: out of memory\n", stderr);
		exit(1);
	}
	for (; columns->title != NULL; columns++)
		table_column(t, columns->title, columns->format == CTL_NUMBER);
	return t;
}

void show_row(struct table *t, const struct ctl_column *columns, const json_t *record)
{
	char text[SHOW_MAX];

	for (; columns->title != NULL; columns++) {
		show_field(record, columns->field, columns->format, text);
		table_cell(t, text);
	}
	table_row_end(t);
}

void show_line(FILE *out, const char *title, const char *value)
{
	size_t columns;
	char *safe = text_printable(value[0] == '\0' ? "-" : value, &columns);

	fprintf(out, "%-*s  %s\n", RECORD_TITLE_WIDTH, title, safe == NULL ? "" : safe);
	free(safe);
}

void show_record(FILE *out, const struct ctl_column *columns, const json_t *record)
{
	char text[SHOW_MAX];

	for (; columns->title != NULL; columns++) {
		show_field(record, columns->field, columns->format, text);
		show_line(out, columns->title, text);
	}
}
