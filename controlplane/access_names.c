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

static int keys_read(FILE *f, struct access_names *out)
{
	size_t room = 0, size = 0, left = ACCESS_NAMES_BYTES;
	uint64_t *key = NULL;
	char *line = NULL;
	ssize_t got;
	int rc = 0;

	while (rc == 0 && (got = getline(&line, &size, f)) > 0 && (size_t)got <= left) {
		uint64_t k = access_name_key(name_in(line));

		left -= (size_t)got;
		if (k == 0)
			continue;
		if (out->cnt == room) {
			uint64_t *more;

			room = room == 0 ? 64 : 2 * room;
			more = realloc(key, room * sizeof(*key));
			if (more == NULL) {
				rc = -ENOMEM;
				break;
			}
			key = more;
		}
		key[out->cnt++] = k;
	}
	free(line);
	access_names_sort(key, out->cnt);
	out->key = key;
	return rc;
}

int access_names_read(const char *file, struct access_names *out)
{
	char *path = path_of(file);
	FILE *f = path == NULL ? NULL : fopen(path, "re");
	int rc = path == NULL ? -ENOMEM : f == NULL ? -errno : 0;

	*out = (struct access_names){0};
	if (f != NULL) {
		rc = keys_read(f, out);
		fclose(f);
	}
	free(path);
	return rc;
}
