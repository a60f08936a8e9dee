/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of the journal on the disk: appending, finding, reading back (store_priv.h). */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/directory_priv.h"
#include "controlplane/journal.h"
#include "controlplane/store_priv.h"

#define PREFIX	   "directory.journal."
#define NAME_BYTES 64u

static void segment_name(char name[NAME_BYTES], uint64_t number)
{
	snprintf(name, NAME_BYTES, PREFIX "%" PRIu64, number);
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (n == 0) {
			return -EIO;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* ---- appending --------------------------------------------------------------------------------- */

void store_segment_close(struct store_segment *s)
{
	if (s->number != 0)
		close(s->fd);
	*s = (struct store_segment){.fd = -1};
}

/* A new file with the head in it; not yet synced, nor its name. */
static int segment_make(struct store_segment *s, int dirfd, uint64_t number)
{
	char name[NAME_BYTES];
	int rc;

	segment_name(name, number);
	s->fd = openat(
		dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0)
		return -errno;
	rc = write_all(s->fd, JOURNAL_HEAD, JOURNAL_HEAD_BYTES);
	if (rc < 0) {
		close(s->fd);
		unlinkat(dirfd, name, 0);
		return rc;
	}
	s->number = number;
	s->good = 0;
	s->broken = false;
	return 0;
}

/* Nothing of a change that is refused may be there at the next start. */
static void take_back(struct store_segment *s, int dirfd)
{
	char name[NAME_BYTES];
	bool gone;

	segment_name(name, s->number);
	if (s->good == 0) /* it was new */
		gone = unlinkat(dirfd, name, 0) == 0 && fsync(dirfd) == 0;
	else
		gone = ftruncate(s->fd, s->good) == 0 && fdatasync(s->fd) == 0;
	if (!gone) {
		s->broken = true;
		return;
	}
	if (s->good == 0)
		store_segment_close(s);
}

int store_segment_append(
	struct store_segment *s, const char *dir, uint64_t number, const char *bytes, size_t size)
{
	bool fresh = s->number != number;
	struct stat st;
	int dirfd, rc = 0;

	if (s->broken)
		return -EIO;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	if (fresh) {
		store_segment_close(s);
		rc = segment_make(s, dirfd, number);
	}
	if (rc == 0) {
		rc = write_all(s->fd, bytes, size);
		if (rc == 0 && fdatasync(s->fd) < 0)
			rc = -errno;
		if (rc == 0 && fresh && fsync(dirfd) < 0)
			rc = -errno;
		if (rc < 0)
			take_back(s, dirfd);
		else if (fstat(s->fd, &st) == 0)
			s->good = st.st_size;
		else
			s->broken = true;
	}
	close(dirfd);
	return rc;
}

/* ---- finding ----------------------------------------------------------------------------------- */

/* 0 if it is no segment's name. */
static uint64_t number_of(const char *name)
{
	uint64_t number = 0;

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0)
		return 0;
	name += sizeof(PREFIX) - 1;
	if (*name == '\0' || *name == '0' || strlen(name) > 18)
		return 0;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		number = number * 10 + (uint64_t)(*name - '0');
	}
	return number;
}

int store_segments_find(const char *dir, uint64_t *first, uint64_t *last, uint64_t *bytes)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	struct stat st;

	*first = *last = *bytes = 0;
	if (d == NULL)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		uint64_t number = number_of(e->d_name);

		if (number == 0)
			continue;
		if (*first == 0 || number < *first)
			*first = number;
		if (number > *last)
			*last = number;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			*bytes += (uint64_t)st.st_size;
	}
	closedir(d);
	return 0;
}

/* From the oldest, so that none is ever missing between two. */
void store_segments_remove(const char *dir, uint64_t before)
{
	uint64_t first, last, bytes;
	char name[NAME_BYTES];
	int fd;

	if (store_segments_find(dir, &first, &last, &bytes) < 0 || first == 0)
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (uint64_t n = first; n < before && n <= last; n++) {
		segment_name(name, n);
		unlinkat(fd, name, 0);
	}
	close(fd);
}

/* ---- reading back ------------------------------------------------------------------------------ */

static int replay_bytes(const char *path, const char *bytes, size_t size, struct directory *d,
	uint64_t *torn, void (*report)(void *ctx, const char *line), void *ctx)
{
	size_t at = 0, len;
	const char *text;
	char name[640];
	int rc = 0;

	while (rc == 0) {
		struct config_reader r = {.path = name, .report = report, .ctx = ctx};
		size_t from = at;
		enum journal_step step = journal_next(bytes, size, &at, &text, &len);
		char *copy;

		if (step != JOURNAL_RECORD) {
			*torn = step == JOURNAL_END ? 0 : size - at;
			break;
		}
		snprintf(name, sizeof(name), "%s, record at byte %zu", path, from);
		copy = strndup(text, len);
		if (copy == NULL)
			return -ENOMEM;
		rc = directory_objects_read(&r, copy, d);
		explicit_bzero(copy, len);
		free(copy);
	}
	return rc;
}

/* At most `max` bytes of it. */
static int replay_file(const char *path, uint64_t max, struct directory *d, uint64_t *torn,
	void (*report)(void *ctx, const char *line), void *ctx)
{
	struct stat st;
	char *bytes;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size == 0) {
		*torn = 0;
		close(fd);
		return 0;
	}
	if ((uint64_t)st.st_size < max)
		max = (uint64_t)st.st_size;
	bytes = mmap(NULL, (size_t)max, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return -errno;
	rc = replay_bytes(path, bytes, (size_t)max, d, torn, report, ctx);
	munmap(bytes, (size_t)max);
	return rc;
}

static void report_f(
	void (*report)(void *ctx, const char *line), void *ctx, const char *path, const char *what)
{
	char line[768];

	if (report == NULL)
		return;
	snprintf(line, sizeof(line), "%s: %s", path, what);
	report(ctx, line);
}

int store_segments_replay(const char *dir, uint64_t before, struct directory *d, uint64_t *torn,
	void (*report)(void *ctx, const char *line), void *ctx)
{
	uint64_t first, last, bytes;
	char path[512];
	int rc = store_segments_find(dir, &first, &last, &bytes);

	*torn = 0;
	if (rc < 0)
		return rc;
	if (first < d->journal)
		first = d->journal;
	for (uint64_t n = first; n != 0 && n <= last && n < before && rc == 0; n++) {
		if (*torn > 0) {
			report_f(report, ctx, path,
				"is damaged in the middle of the journal: changes are lost. To go on "
				"with what is before it, move this and the later segments away");
			return -EINVAL;
		}
		snprintf(path, sizeof(path), "%s/" PREFIX "%" PRIu64, dir, n);
		rc = replay_file(path, UINT64_MAX, d, torn, report, ctx);
		if (rc == -ENOENT)
			rc = 0; /* its making was cut off, or refused */
		else if (rc < 0 && rc != -EINVAL)
			report_f(report, ctx, path, strerror(-rc));
	}
	return rc;
}

int store_segments_replay_answered(const struct store_base *base, struct directory *d)
{
	uint64_t torn;
	char path[512];
	int rc = store_segments_replay(base->dir, base->before, d, &torn, NULL, NULL);

	if (rc == 0 && torn > 0)
		rc = -EIO;
	/* What is behind those bytes may be taken back at any moment. A fold may have been there first. */
	if (rc < 0 || base->bytes == 0 || base->before < d->journal)
		return rc;
	snprintf(path, sizeof(path), "%s/" PREFIX "%" PRIu64, base->dir, base->before);
	rc = replay_file(path, base->bytes, d, &torn, NULL, NULL);
	return rc == 0 && torn > 0 ? -EIO : rc;
}

int store_segment_trim(const char *dir, uint64_t number, uint64_t torn)
{
	char path[512], copy[544];
	struct stat st;
	char *bytes;
	ssize_t got;
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/" PREFIX "%" PRIu64, dir, number);
	snprintf(copy, sizeof(copy), PREFIX "%" PRIu64 ".torn", number);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	bytes = rc == 0 ? malloc(torn) : NULL;
	if (bytes != NULL) {
		got = pread(fd, bytes, torn, st.st_size - (off_t)torn);
		if (got > 0)
			rc = store_put(dir, copy, 0600, bytes, (unsigned long)got, 0);
		explicit_bzero(bytes, torn);
		free(bytes);
	}
	if (rc == 0 && (ftruncate(fd, st.st_size - (off_t)torn) < 0 || fdatasync(fd) < 0))
		rc = -errno;
	close(fd);
	return rc;
}
