/* SPDX-License-Identifier: BSD-3-Clause */
/* Strict reading of libconfig files (config_reader.h). */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/config_reader.h"

#define KEY_BYTES  512u
#define LINE_BYTES 1536u
#define DEPTH_MAX  33u

static const char *type_name(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "an integer";
	case CONFIG_TYPE_FLOAT:
		return "a decimal number";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "a boolean";
	case CONFIG_TYPE_GROUP:
		return "a group { }";
	case CONFIG_TYPE_LIST:
		return "a list ( )";
	case CONFIG_TYPE_ARRAY:
		return "an array [ ]";
	default:
		return "nothing";
	}
}

/* "hubs[0].users[3].name", from the root down; a path that is too long loses its beginning's end. */
static size_t key_path(const config_setting_t *s, char *out, size_t size)
{
	const config_setting_t *parent = config_setting_parent(s);
	size_t len;
	int n;

	if (parent == NULL)
		return 0;
	len = key_path(parent, out, size);
	if (config_setting_name(s) != NULL)
		n = snprintf(
			out + len, size - len, "%s%s", len > 0 ? "." : "", config_setting_name(s));
	else
		n = snprintf(out + len, size - len, "[%d]", config_setting_index(s));
	len += n > 0 ? (size_t)n : 0;
	return len < size ? len : size - 1;
}

void config_reader_error(
	struct config_reader *r, const config_setting_t *where, const char *fmt, ...)
{
	char key[KEY_BYTES] = "";
	char text[LINE_BYTES];
	char line[LINE_BYTES + KEY_BYTES + 512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->errors++;
	if (where == NULL) {
		snprintf(line, sizeof(line), "%s: %s", r->path, text);
	} else {
		const char *file = config_setting_source_file(where);

		key_path(where, key, sizeof(key));
		snprintf(line, sizeof(line), "%s:%u: %s%s%s", file != NULL ? file : r->path,
			config_setting_source_line(where), key, key[0] != '\0' ? ": " : "", text);
	}
	/* Values quoted from the file go to a terminal. */
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (r->report != NULL)
		r->report(r->ctx, line);
}

/* What libconfig said of the syntax, as ours. */
static bool parsed(struct config_reader *r, const config_t *cfg, int rc)
{
	char line[LINE_BYTES];

	if (rc == CONFIG_TRUE)
		return true;
	if (config_error_type(cfg) != CONFIG_ERR_PARSE) {
		config_reader_error(r, NULL, "cannot be read: %s", strerror(errno));
		return false;
	}
	snprintf(line, sizeof(line), "%s:%d: %s",
		config_error_file(cfg) != NULL ? config_error_file(cfg) : r->path,
		config_error_line(cfg), config_error_text(cfg));
	r->errors++;
	if (r->report != NULL)
		r->report(r->ctx, line);
	return false;
}

bool config_reader_parse(struct config_reader *r, config_t *cfg)
{
	struct stat st;

	config_init(cfg);
	if (stat(r->path, &st) < 0 || access(r->path, R_OK) < 0) {
		config_reader_error(r, NULL, "cannot be read: %s", strerror(errno));
		return false;
	}
	/* libconfig's scanner ends the process when read() fails, as it does on a directory. */
	if (S_ISDIR(st.st_mode)) {
		config_reader_error(r, NULL, "is a directory, should be a file");
		return false;
	}
	return parsed(r, cfg, config_read_file(cfg, r->path));
}

/* Where the scanner would take the directive: first on a line. */
static bool includes(const char *text)
{
	for (const char *p = strstr(text, "@include"); p != NULL; p = strstr(p + 1, "@include")) {
		const char *q = p;

		while (q > text && (q[-1] == ' ' || q[-1] == '\t'))
			q--;
		if (q == text || q[-1] == '\n')
			return true;
	}
	return false;
}

/* Behind a string or a comment that begins at `p`; `p` itself if none does. */
static const char *skip_quoted(const char *p)
{
	const char *end;

	if (*p == '"') {
		for (p++; *p != '\0' && *p != '"'; p++)
			p += *p == '\\' && p[1] != '\0';
		return *p == '"' ? p + 1 : p;
	}
	if (*p == '#' || (p[0] == '/' && p[1] == '/'))
		return strchrnul(p, '\n');
	if (p[0] != '/' || p[1] != '*')
		return p;
	end = strstr(p + 2, "*/");
	return end != NULL ? end + 2 : strchr(p, '\0');
}

/* Every member of every group stands in front of a `=` or a `:`. */
static bool too_many(const char *text, unsigned max)
{
	unsigned members[DEPTH_MAX] = {0}, depth = 0;

	while (*text != '\0') {
		const char *behind = skip_quoted(text);

		if (behind != text) {
			text = behind;
			continue;
		}
		if (*text == '{') {
			if (++depth == DEPTH_MAX)
				return true;
			members[depth] = 0;
		} else if (*text == '}' && depth > 0) {
			depth--;
		} else if ((*text == '=' || *text == ':') && ++members[depth] > max) {
			return true;
		}
		text++;
	}
	return false;
}

bool config_reader_parse_text(struct config_reader *r, config_t *cfg, const char *text)
{
	unsigned max = r->members != 0 ? r->members : CONFIG_READER_MEMBERS;

	config_init(cfg);
	if (includes(text)) {
		config_reader_error(r, NULL, "has @include, which only a file may");
		return false;
	}
	if (too_many(text, max)) {
		config_reader_error(r, NULL,
			"has a group of more than %u members, or is nested deeper than %u groups",
			max, DEPTH_MAX - 1);
		return false;
	}
	return parsed(r, cfg, config_read_string(cfg, text));
}

static void list_names(const char *const *names, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (; *names != NULL && len < size; names++) {
		int n = snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", *names);

		len += n > 0 ? (size_t)n : 0;
	}
}

void config_reader_known(
	struct config_reader *r, const config_setting_t *group, const char *const *names)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const char *const *n = names;
		char list[LINE_BYTES / 2];

		while (*n != NULL && strcmp(*n, config_setting_name(s)) != 0)
			n++;
		if (*n != NULL)
			continue;
		list_names(names, list, sizeof(list));
		config_reader_error(r, s, "unknown key; known here are: %s", list);
	}
}

config_setting_t *config_reader_member(const config_setting_t *group, const char *name)
{
	return config_setting_get_member(group, name);
}

config_setting_t *config_reader_list(
	struct config_reader *r, const config_setting_t *group, const char *name)
{
	config_setting_t *s = config_reader_member(group, name);

	if (s == NULL || config_setting_is_list(s))
		return s;
	if (config_setting_is_array(s) && config_setting_length(s) == 0)
		return s;
	config_reader_error(r, s, "is %s, should be a list ( )", type_name(s));
	return NULL;
}

bool config_reader_value_int(struct config_reader *r, const config_setting_t *value, int64_t min,
	int64_t max, int64_t *out)
{
	int type = config_setting_type(value);
	int64_t v;

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
		config_reader_error(r, value, "is %s, should be an integer from %lld to %lld",
			type_name(value), (long long)min, (long long)max);
		return false;
	}
	v = config_setting_get_int64(value);
	if (v < min || v > max) {
		config_reader_error(r, value, "is %lld, should be from %lld to %lld", (long long)v,
			(long long)min, (long long)max);
		return false;
	}
	*out = v;
	return true;
}

bool config_reader_int(struct config_reader *r, const config_setting_t *group, const char *name,
	int64_t min, int64_t max, int64_t *out)
{
	const config_setting_t *s = config_reader_member(group, name);

	return s == NULL || config_reader_value_int(r, s, min, max, out);
}

bool config_reader_bool(
	struct config_reader *r, const config_setting_t *group, const char *name, bool *out)
{
	const config_setting_t *s = config_reader_member(group, name);

	if (s == NULL)
		return true;
	if (config_setting_type(s) != CONFIG_TYPE_BOOL) {
		config_reader_error(r, s, "is %s, should be true or false", type_name(s));
		return false;
	}
	*out = config_setting_get_bool(s) != 0;
	return true;
}

bool config_reader_string(
	struct config_reader *r, const config_setting_t *group, const char *name, const char **out)
{
	const config_setting_t *s = config_reader_member(group, name);

	if (s == NULL)
		return true;
	if (config_setting_type(s) != CONFIG_TYPE_STRING) {
		config_reader_error(r, s, "is %s, should be a string", type_name(s));
		return false;
	}
	*out = config_setting_get_string(s);
	return true;
}
