/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory on disk (store.h). */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/directory.h"
#include "controlplane/log.h"
#include "controlplane/slow.h"
#include "controlplane/store.h"

#define FILE_NAME "directory.cfg"

struct save {
	struct slow_job job;
	char *text;
	size_t size;
	int error;
	struct store_request *requests; /* that this save answers */
};

static struct {
	char *dir;
	bool loaded;  /* what is in memory may go to the disk */
	bool running; /* `save` is on a helper */
	struct save save;
	struct store_request *waiting; /* for the next save */
	struct store_request **waiting_tail;
} store = {.waiting_tail = &store.waiting};

/* ---- one file, atomically ---------------------------------------------------------------------- */

static int write_synced(int dirfd, const char *name, mode_t mode, const char *bytes, size_t size)
{
	int fd, rc = 0;

	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	while (size > 0 && rc == 0) {
		ssize_t n = write(fd, bytes, size);

		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (n == 0) {
			rc = -EIO;
		} else if (errno != EINTR) {
			rc = -errno;
		}
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(dirfd, name, 0);
	return rc;
}

static void version_name(char *out, size_t size, const char *name, unsigned version)
{
	snprintf(out, size, "%s.%u", name, version);
}

/*
 * name.1 becomes a second name of the version in force, older ones move up into the first free place. Oldest
 * first, so that at each moment every version but the oldest has a name; `name` itself is not touched.
 */
static int keep_version(int dirfd, const char *name, unsigned versions)
{
	struct stat now, st;
	char from[128], to[128];
	unsigned last;

	if (fstatat(dirfd, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	for (last = 1; last < versions; last++) {
		version_name(to, sizeof(to), name, last);
		if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
		/* An earlier save was cut off between here and its rename: kept already. */
		if (last == 1 && st.st_ino == now.st_ino && st.st_dev == now.st_dev)
			return 0;
	}
	for (unsigned v = last; v > 1; v--) {
		version_name(from, sizeof(from), name, v - 1);
		version_name(to, sizeof(to), name, v);
		if (renameat(dirfd, from, dirfd, to) < 0)
			return -errno;
	}
	version_name(to, sizeof(to), name, 1);
	if (versions == 1 && unlinkat(dirfd, to, 0) < 0 && errno != ENOENT)
		return -errno;
	return linkat(dirfd, name, dirfd, to, 0) < 0 ? -errno : 0;
}

int store_put(const char *dir, const char *name, unsigned mode, const void *bytes,
	unsigned long size, unsigned versions)
{
	char fresh[128];
	int dirfd, rc;

	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	rc = write_synced(dirfd, fresh, mode, bytes, size);
	if (rc == 0 && versions > 0)
		rc = keep_version(dirfd, name, versions);
	if (rc == 0 && renameat(dirfd, fresh, dirfd, name) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(dirfd, fresh, 0);
	else if (fsync(dirfd) < 0) /* in force, and the file itself is on the disk: no refusal */
		log_warning(
			"store", "%s: the folder could not be synced: %s", dir, strerror(errno));
	close(dirfd);
	return rc;
}

/* ---- loading ----------------------------------------------------------------------------------- */

int store_init(const char *state_dir)
{
	store.dir = strdup(state_dir);
	return store.dir != NULL ? 0 : -ENOMEM;
}

void store_fini(void)
{
	free(store.dir);
	store.dir = NULL;
	store.loaded = false;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || errno != ENOENT;
}

/* The youngest earlier version that loads, or 0; *any: there is one at all. Leaves the directory empty. */
static unsigned loadable_version(const char *path, bool *any)
{
	unsigned found = 0;

	*any = false;
	for (unsigned v = 1; v <= STORE_VERSIONS && found == 0; v++) {
		char *version;

		if (asprintf(&version, "%s.%u", path, v) < 0)
			break;
		if (exists(version)) {
			*any = true;
			if (directory_load(version, NULL, NULL) == 0)
				found = v;
		}
		free(version);
	}
	directory_clear();
	return found;
}

static void report_versions(const char *path, const char *what, unsigned version,
	void (*report)(void *ctx, const char *line), void *ctx)
{
	char *line;
	int n;

	if (version == 0)
		n = asprintf(&line, "%s: %s; no earlier version would load", path, what);
	else
		n = asprintf(&line,
			"%s: %s; the youngest earlier version that would load is %s.%u "
			"(to go back to it: cp -p %s.%u %s)",
			path, what, path, version, path, version, path);
	if (n < 0)
		return;
	report(ctx, line);
	free(line);
}

int store_load(void (*report)(void *ctx, const char *line), void *ctx)
{
	bool there, any;
	unsigned version;
	char *path;
	int rc;

	store.loaded = false;
	if (asprintf(&path, "%s/" FILE_NAME, store.dir) < 0)
		return -ENOMEM;
	there = exists(path);
	rc = there ? directory_load(path, report, ctx) : -ENOENT;
	if (rc < 0) {
		version = loadable_version(path, &any);
		if (there) {
			report_versions(
				path, "does not load and is left as it is", version, report, ctx);
		} else if (any) {
			report_versions(path, "is missing, but earlier versions are here", version,
				report, ctx);
			rc = -EINVAL;
		}
	}
	store.loaded = rc == 0 || rc == -ENOENT;
	free(path);
	return rc;
}

/* ---- saving ------------------------------------------------------------------------------------ */

int store_save_now(void)
{
	size_t size;
	char *text;
	int rc;

	if (!store.loaded)
		return -EPERM;
	text = directory_serialise(&size);
	if (text == NULL)
		return -errno;
	rc = store_put(store.dir, FILE_NAME, 0600, text, size, STORE_VERSIONS);
	explicit_bzero(text, size);
	free(text);
	return rc;
}

static void start_save(void);

static void save_work(struct slow_job *job)
{
	struct save *save = (struct save *)job; /* first member */

	if (save->error == 0)
		save->error = store_put(
			store.dir, FILE_NAME, 0600, save->text, save->size, STORE_VERSIONS);
}

static void save_done(struct slow_job *job)
{
	struct save *save = (struct save *)job;
	struct store_request *request = save->requests;
	int error = save->error;

	if (save->text != NULL) {
		explicit_bzero(save->text, save->size);
		free(save->text);
		save->text = NULL;
	}
	if (error < 0)
		log_error("store", "%s/" FILE_NAME " not written, the change is refused: %s",
			store.dir, strerror(-error));
	store.running = false;
	while (request != NULL) {
		struct store_request *next = request->next;

		request->done(request, error);
		request = next;
	}
	start_save();
}

/* Takes all that wait into one save, unless one is under way. */
static void start_save(void)
{
	struct save *save = &store.save;

	if (store.running || store.waiting == NULL)
		return;
	store.running = true;
	save->requests = store.waiting;
	store.waiting = NULL;
	store.waiting_tail = &store.waiting;
	save->error = store.loaded ? 0 : -EPERM;
	save->text = save->error == 0 ? directory_serialise(&save->size) : NULL;
	if (save->text == NULL && save->error == 0)
		save->error = -ENOMEM;
	save->job.work = save_work;
	save->job.done = save_done;
	slow_submit(&save->job);
}

void store_save(struct store_request *request)
{
	request->next = NULL;
	*store.waiting_tail = request;
	store.waiting_tail = &request->next;
	start_save();
}
