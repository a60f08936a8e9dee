/* SPDX-License-Identifier: BSD-3-Clause */
/* One file onto the disk, whole or not at all, with its earlier versions (store.h). */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/store_priv.h"

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

/* False: somebody else has been at it. */
static bool is_expected(int dirfd, const char *name, const struct store_identity *expected)
{
	struct store_identity now;

	return expected == NULL ||
		(store_identify(dirfd, name, &now) == 0 && store_same(&now, expected));
}

int store_identify(int dirfd, const char *name, struct store_identity *out)
{
	struct stat st;

	*out = (struct store_identity){0};
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*out = (struct store_identity){.dev = st.st_dev,
		.ino = st.st_ino,
		.size = st.st_size,
		.mtime_s = st.st_mtim.tv_sec,
		.mtime_ns = st.st_mtim.tv_nsec};
	return 0;
}

bool store_same(const struct store_identity *a, const struct store_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
		a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns;
}

int store_put(const char *dir, const char *name, unsigned mode, const void *bytes,
	unsigned long size, unsigned versions)
{
	return store_put_over(dir, name, mode, bytes, size, versions, NULL);
}

int store_put_over(const char *dir, const char *name, unsigned mode, const void *bytes,
	unsigned long size, unsigned versions, const struct store_identity *expected)
{
	char fresh[128];
	int dirfd, rc;

	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	rc = write_synced(dirfd, fresh, mode, bytes, size);
	if (rc == 0 && !is_expected(dirfd, name, expected))
		rc = -ESTALE;
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
