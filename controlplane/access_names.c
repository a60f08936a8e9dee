/* SPDX-License-Identifier: BSD-3-Clause */
/* User lists in files (access_names.h). */

#include "controlplane/access_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static char *folder;

int access_names_init(const char *state_dir)
{
	access_names_fini();
	return asprintf(&folder, "%s/lists", state_dir) < 0 ? -ENOMEM : 0;
}

void access_names_fini(void)
{
	free(folder);
	folder = NULL;
}

const char *access_names_file(const char *user, bool *exclude)
{
	bool not = user != NULL && strncasecmp(user, "exclude:", 8) == 0;

	if (user == NULL || (!not &&strncasecmp(user, "include:", 8) != 0))
		return NULL;
	if (exclude != NULL)
		*exclude = not ;
	return user + 8;
}

static char *path_of(const char *file)
{
	char *path = NULL;

	return folder == NULL || asprintf(&path, "%s/%s", folder, file) < 0 ? NULL : path;
}

uint64_t access_names_stamp(const char *file)
{
	char *path = path_of(file);
	struct stat st;
	uint64_t stamp = 0;

	if (path != NULL && stat(path, &st) == 0)
		stamp = ((uint64_t)st.st_mtim.tv_sec * 1000000007u + (uint64_t)st.st_mtim.tv_nsec) ^
			(uint64_t)st.st_size << 20 ^ (uint64_t)st.st_ino << 40 ^ 1;
	free(path);
	return stamp;
}

/* The name in a line, without blanks and comment; it is cut where it ends. */
static const char *name_in(char *line)
{
	char *end = line + strcspn(line, "#;\r\n"), *slashes = strstr(line, "//");

	if (slashes != NULL && slashes < end)
		end = slashes;
	line += strspn(line, " \t");
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return line;
}

int access_names_parse(char *text, struct access_names *out)
{
	size_t room = 0;
	uint64_t *key = NULL;

	*out = (struct access_names){0};
	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		uint64_t k = access_name_key(name_in(line));

		if (k == 0)
			continue;
		if (out->cnt == room) {
			uint64_t *more;

			room = room == 0 ? 64 : 2 * room;
			more = realloc(key, room * sizeof(*key));
			if (more == NULL) {
				free(key);
				*out = (struct access_names){0};
				return -ENOMEM;
			}
			key = more;
		}
		key[out->cnt++] = k;
	}
	access_names_sort(key, out->cnt);
	out->key = key;
	return 0;
}

/* No more than the bound is read, whatever the file is; a line that the bound cuts is none. */
static int file_read(FILE *f, struct access_names *out)
{
	char *text = malloc(ACCESS_NAMES_BYTES + 1);
	size_t got;
	int rc;

	if (text == NULL)
		return -ENOMEM;
	got = fread(text, 1, ACCESS_NAMES_BYTES, f);
	while (got == ACCESS_NAMES_BYTES && got > 0 && text[got - 1] != '\n')
		got--;
	text[got] = '\0';
	rc = access_names_parse(text, out);
	free(text);
	return rc;
}

int access_names_read(const char *file, struct access_names *out)
{
	char *path = path_of(file);
	FILE *f = path == NULL ? NULL : fopen(path, "re");
	int rc = path == NULL ? -ENOMEM : f == NULL ? -errno : 0;

	*out = (struct access_names){0};
	if (f != NULL) {
		rc = file_read(f, out);
		fclose(f);
	}
	free(path);
	return rc;
}
