/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of the directory file: times, texts, hashes, tables of keys; reading and writing. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

/* ---- reading ----------------------------------------------------------------------------------- */

/* "2026-11-23T05:01:45.123Z", milliseconds optional. False if it is not exactly that. */
static bool time_parse(const char *text, int64_t *out)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int ms = 0;
	time_t t;

	if (rest == NULL)
		return false;
	if (*rest == '.') {
		for (int i = 1; i <= 3; i++) {
			if (!isdigit((unsigned char)rest[i]))
				return false;
			ms = ms * 10 + rest[i] - '0';
		}
		rest += 4;
	}
	if (strcmp(rest, "Z") != 0)
		return false;
	t = timegm(&tm);
	if (t < 0)
		return false;
	*out = (int64_t)t * 1000 + ms;
	return true;
}

void directory_read_time(
	struct config_reader *r, const config_setting_t *group, const char *name, int64_t *out)
{
	const char *text = NULL;

	if (config_reader_string(r, group, name, &text) && text != NULL && !time_parse(text, out))
		config_reader_error(r, config_reader_member(group, name),
			"is \"%s\", should be a time such as \"2026-11-23T05:01:45Z\" (UTC)", text);
}

int directory_read_text(
	struct config_reader *r, const config_setting_t *group, const char *name, char **out)
{
	const config_setting_t *where = config_reader_member(group, name);
	const char *text = NULL;
	char *copy;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return 0;
	if (strlen(text) >= DIRECTORY_TEXT_BYTES) {
		config_reader_error(r, where, "has %zu bytes, should have less than %u",
			strlen(text), DIRECTORY_TEXT_BYTES);
		return 0;
	}
	if (!directory_text_ok(text, true)) {
		config_reader_error(r, where, "should be UTF-8 without control characters");
		return 0;
	}
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	free(*out);
	*out = copy;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool directory_hash_parse(const char *text, uint8_t out[DIRECTORY_HASH_BYTES])
{
	if (strlen(text) != 2 * DIRECTORY_HASH_BYTES)
		return false;
	for (unsigned i = 0; i < DIRECTORY_HASH_BYTES; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

/* The name of a list element; NULL after reporting. */
const char *directory_read_name(struct config_reader *r, const config_setting_t *group,
	const char *(*wrong)(const char *name))
{
	const char *name = NULL, *what;

	if (config_reader_member(group, "name") == NULL) {
		config_reader_error(r, group, "name is missing");
		return NULL;
	}
	if (!config_reader_string(r, group, "name", &name))
		return NULL;
	what = wrong(name);
	if (what == NULL)
		return name;
	config_reader_error(r, config_reader_member(group, "name"), "is \"%s\", %s", name, what);
	return NULL;
}

/* A flag is a boolean, all else a number; 0 is allowed where it is the default below the range. */
void directory_read_value(struct config_reader *r, const config_setting_t *group, const char *name,
	uint32_t min, uint32_t max, uint32_t def, uint32_t *out)
{
	const config_setting_t *where = config_reader_member(group, name);
	int64_t number = *out;
	bool flag = *out != 0;

	if (where == NULL)
		return;
	if (min == 0 && max == 1) {
		if (config_reader_bool(r, group, name, &flag))
			*out = flag;
		return;
	}
	if (def < min && config_setting_get_int64(where) == def &&
		config_setting_type(where) != CONFIG_TYPE_STRING)
		*out = def;
	else if (config_reader_value_int(r, where, min, max, &number))
		*out = (uint32_t)number;
}

const config_setting_t *directory_read_group(
	struct config_reader *r, const config_setting_t *parent, const char *name)
{
	const config_setting_t *group = config_reader_member(parent, name);

	if (group == NULL || config_setting_is_group(group))
		return group;
	config_reader_error(r, group, "should be a group { }");
	return NULL;
}

/* ---- writing ----------------------------------------------------------------------------------- */

void directory_put_part(FILE *f, const char *text, size_t size)
{
	fputc('"', f);
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", f);
		else if (c == '\t')
			fputs("\\t", f);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

void directory_put_string(FILE *f, const char *text)
{
	directory_put_part(f, text, strlen(text));
}

void directory_put_time(FILE *f, const char *indent, const char *name, int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	char text[40];
	struct tm tm;

	if (ms == 0)
		return;
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(f, "%s%s = \"%s.%03dZ\";\n", indent, name, text, (int)(ms % 1000));
}

void directory_put_hash(FILE *f, const char *indent, const char *name, const uint8_t *hash)
{
	fprintf(f, "%s%s = \"", indent, name);
	for (unsigned i = 0; i < DIRECTORY_HASH_BYTES; i++)
		fprintf(f, "%02x", hash[i]);
	fputs("\";\n", f);
}

void directory_put_text(FILE *f, const char *indent, const char *name, const char *text)
{
	if (text[0] == '\0')
		return;
	fprintf(f, "%s%s = ", indent, name);
	directory_put_string(f, text);
	fputs(";\n", f);
}

void directory_put_value(
	FILE *f, const char *name, uint32_t min, uint32_t max, uint32_t def, uint32_t value)
{
	if (value == def)
		return;
	if (min == 0 && max == 1)
		fprintf(f, " %s = %s;", name, value != 0 ? "true" : "false");
	else
		/* Without the L a number that large is a negative one to libconfig. */
		fprintf(f, " %s = %" PRIu32 "%s;", name, value, value > INT32_MAX ? "L" : "");
}
