/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CONFIG_READER_H
#define PATCHBAY_CONTROLPLANE_CONFIG_READER_H

/*
 * Strict reading of libconfig files, for patchbay.cfg and the directory alike: every unknown key, wrong type
 * and value out of range is reported as "file:line: key: what is wrong and what would be right", and
 * reading goes on so that one run tells them all. libconfig itself only knows syntax errors.
 *
 * Pure but for reading the file; any thread. A reader is used by one thread.
 */

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_READER_MEMBERS 256u

struct config_reader {
	const char *path;
	void (*report)(void *ctx, const char *line);
	void *ctx;
	unsigned errors;
	unsigned members; /* of a group in a text, at most; 0: CONFIG_READER_MEMBERS */
	bool keeps; /* the word for a secret that stays as it is means something: directory_kept() */
};

/*
 * Parses `path` into *cfg, which the caller destroys with config_destroy() whatever is returned. False after
 * reporting that the file cannot be read or where its syntax is wrong.
 */
bool config_reader_parse(struct config_reader *r, config_t *cfg);
/*
 * The same with a text in memory; r->path stands for it. It came from elsewhere: @include is refused, and so are groups
 * of more than r->members members and nesting that no text of ours has, since libconfig compares each member with all
 * before it.
 */
bool config_reader_parse_text(struct config_reader *r, config_t *cfg, const char *text);

/* Reports one error at `where` (NULL: the file as a whole) and counts it. */
void config_reader_error(struct config_reader *r, const config_setting_t *where, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));

/* Reports every member of `group` that is not among the NULL-terminated names. */
void config_reader_known(
	struct config_reader *r, const config_setting_t *group, const char *const *names);

/* Member `name` of `group`, or NULL if it is not there. */
config_setting_t *config_reader_member(const config_setting_t *group, const char *name);
/* The same, and must be a list ( ... ) or, if it is empty, an array; NULL after reporting otherwise. */
config_setting_t *config_reader_list(
	struct config_reader *r, const config_setting_t *group, const char *name);

/*
 * Value of an optional member. Absent: true, *out unchanged. Right: true. Wrong type or range: reported,
 * false, *out unchanged. The string points into the parsed file.
 */
bool config_reader_int(struct config_reader *r, const config_setting_t *group, const char *name,
	int64_t min, int64_t max, int64_t *out);
bool config_reader_bool(
	struct config_reader *r, const config_setting_t *group, const char *name, bool *out);
bool config_reader_string(
	struct config_reader *r, const config_setting_t *group, const char *name, const char **out);

/* An integer setting itself (element of an array): as above. */
bool config_reader_value_int(struct config_reader *r, const config_setting_t *value, int64_t min,
	int64_t max, int64_t *out);

#endif
