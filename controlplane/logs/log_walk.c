/* SPDX-License-Identifier: BSD-3-Clause */
/* Log files on disk (log_walk.h). */

#include "controlplane/logs/log_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *folder, *stem;
	bool of_hub;
} kinds[] = {
	{"server_log", "vpn", false},
	{"security_log", "sec", true},
	{"packet_log", "pkt", true},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* "sec.log", "sec_20261126.log", "sec_20261126~01.log". */
static bool is_log_name(const char *name, const char *stem, bool *aside)
{
	size_t n = strlen(name), s = strlen(stem);

	if (n < s + 4 || n > s + 48 || memcmp(name, stem, s) != 0 ||
		strcmp(name + n - 4, ".log") != 0)
		return false;
	for (size_t i = s; i < n - 4; i++) {
		if ((name[i] < '0' || name[i] > '9') && name[i] != '_' && name[i] != '~')
			return false;
	}
	*aside = n > s + 4;
	return true;
}

bool log_walk_parse(const char *path, struct log_walk_file *out)
{
	const char *slash = strchr(path, '/'), *name;
	size_t n;

	memset(out, 0, sizeof(*out));
	if (slash == NULL || strlen(path) >= sizeof(out->path))
		return false;
	for (unsigned k = 0; k < KINDS; k++) {
		if (strlen(kinds[k].folder) != (size_t)(slash - path) ||
			memcmp(kinds[k].folder, path, (size_t)(slash - path)) != 0)
			continue;
		name = slash + 1;
		if (kinds[k].of_hub) {
			const char *end = strchr(name, '/');

			n = end != NULL ? (size_t)(end - name) : 0;
			/* Names of hubs do not begin with a dot. */
			if (n == 0 || n >= sizeof(out->hub) || name[0] == '.')
				return false;
			memcpy(out->hub, name, n);
			name = end + 1;
		}
		if (strchr(name, '/') != NULL || !is_log_name(name, kinds[k].stem, &out->aside))
			return false;
		snprintf(out->path, sizeof(out->path), "%s", path);
		return true;
	}
	return false;
}

static void stat_take(struct log_walk_file *f, const struct stat *st)
{
	f->bytes = (uint64_t)st->st_size;
	f->id = (uint64_t)st->st_ino;
	f->changed_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

/* The log files in one folder; `below` is its path from the log folder on. */
static void walk_folder(
	int at, const char *below, void (*fn)(void *ctx, const struct log_walk_file *f), void *ctx)
{
	int fd = openat(at, below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char path[2 * LOG_WALK_PATH];
	struct log_walk_file f;
	struct dirent *e;
	struct stat st;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", below, e->d_name);
		if (!log_walk_parse(path, &f) ||
			fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode))
			continue;
		stat_take(&f, &st);
		fn(ctx, &f);
	}
	closedir(dir);
}

static void walk_hubs(
	int at, const char *kind, void (*fn)(void *ctx, const struct log_walk_file *f), void *ctx)
{
	int fd = openat(at, kind, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char below[LOG_WALK_PATH];
	struct dirent *e;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", kind, e->d_name);
		walk_folder(at, below, fn, ctx);
	}
	closedir(dir);
}

void log_walk(const char *folder, void (*fn)(void *ctx, const struct log_walk_file *f), void *ctx)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	for (unsigned k = 0; k < KINDS; k++) {
		if (kinds[k].of_hub)
			walk_hubs(fd, kinds[k].folder, fn, ctx);
		else
			walk_folder(fd, kinds[k].folder, fn, ctx);
	}
	close(fd);
}

ssize_t log_walk_read(const char *folder, const char *path, uint64_t offset, void *bytes,
	size_t max, struct log_walk_file *f)
{
	int at, fd = -1, error = ENOENT;
	ssize_t n = -1;
	struct stat st;

	if (!log_walk_parse(path, f))
		return -ENOENT;
	at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at >= 0)
		fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		stat_take(f, &st);
		n = pread(fd, bytes, max, (off_t)offset);
		error = errno;
	}
	if (fd >= 0)
		close(fd);
	if (at >= 0)
		close(at);
	return n < 0 ? -error : n;
}
