/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing, and changing the file (log_file.h). */

#include "controlplane/logs/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RETRY_S	    1
#define PARTS_MAX   10000u
#define FILE_MODE   0640
#define FOLDER_MODE 0750

static const char *const switch_names[LOG_SWITCH_CNT] = {
	"none", "second", "minute", "hour", "day", "month"};

int64_t log_file_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec;
}

const char *log_switch_name(enum log_switch cycle)
{
	return (unsigned)cycle < LOG_SWITCH_CNT ? switch_names[cycle] : "?";
}

void log_file_period(enum log_switch cycle, const struct tm *now, char out[LOG_FILE_SUFFIX_MAX])
{
	static const char *const formats[LOG_SWITCH_CNT] = {
		"", "_%Y%m%d_%H%M%S", "_%Y%m%d_%H%M", "_%Y%m%d_%H", "_%Y%m%d", "_%Y%m"};

	if (cycle == LOG_SWITCH_NONE ||
		strftime(out, LOG_FILE_SUFFIX_MAX, formats[cycle], now) == 0)
		out[0] = '\0';
}

int log_folder_make(const char *path)
{
	char part[LOG_FILE_PATH];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, FOLDER_MODE) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

void log_file_init(struct log_file *f, const char *folder, const char *stem, const char *line_end)
{
	*f = (struct log_file){.fd = -1,
		.line_end = line_end,
		.cycle = LOG_SWITCH_DAY,
		.max_bytes = LOG_FILE_SIZE_MAX};
	snprintf(f->folder, sizeof(f->folder), "%s", folder);
	snprintf(f->stem, sizeof(f->stem), "%s", stem);
}

void log_file_set(struct log_file *f, enum log_switch cycle, uint64_t max_bytes)
{
	f->cycle = cycle;
	f->max_bytes = max_bytes;
}

static void path_of(
	const struct log_file *f, const char *suffix, unsigned part, char out[LOG_FILE_PATH + 96])
{
	if (part == 0)
		snprintf(out, LOG_FILE_PATH + 96, "%s/%s%s.log", f->folder, f->stem, suffix);
	else
		snprintf(out, LOG_FILE_PATH + 96, "%s/%s%s~%02u.log", f->folder, f->stem, suffix,
			part);
}

/* ---- changing --------------------------------------------------------------------------------- */

/*
 * What had the stable name has another one by now: an empty file takes its place at once, so that whoever follows the
 * log always finds one there.
 */
static void renew(const char *path)
{
	char fresh[LOG_FILE_PATH + 96 + 4];
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0 || rename(fresh, path) < 0)
		unlink(path);
	if (fd >= 0)
		close(fd);
}

/* The file that has the stable name becomes the next one of its period. link() never writes over another. */
static void put_aside(const struct log_file *f)
{
	char from[LOG_FILE_PATH + 96], to[LOG_FILE_PATH + 96];

	path_of(f, "", 0, from);
	/* Without a period the first part has the stable name itself. */
	for (unsigned part = f->period[0] == '\0' ? 1 : 0; part < PARTS_MAX; part++) {
		path_of(f, f->period, part, to);
		if (link(from, to) == 0) {
			renew(from);
			return;
		}
		if (errno != EEXIST)
			break;
	}
	/* A file system without links: the same with a look before. */
	for (unsigned part = 1; part < PARTS_MAX; part++) {
		path_of(f, f->period, part, to);
		if (access(to, F_OK) != 0) {
			(void)rename(from, to);
			return;
		}
	}
}

/* What a file that was there before us holds: by its last change. */
static void found_period(struct log_file *f, const struct stat *st)
{
	struct tm then;

	localtime_r(&st->st_mtime, &then);
	log_file_period(f->cycle, &then, f->period);
}

static int file_open(struct log_file *f, const char *period)
{
	char path[LOG_FILE_PATH + 96];
	struct stat st;
	int rc = log_folder_make(f->folder);

	if (rc != 0)
		return rc;
	if (f->buffer == NULL) {
		f->buffer = malloc(LOG_FILE_BUFFER);
		if (f->buffer == NULL)
			return -ENOMEM;
	}
	path_of(f, "", 0, path);
	for (unsigned i = 0; i < 2; i++) {
		f->fd = open(
			path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
		if (f->fd < 0 || fstat(f->fd, &st) < 0)
			return -errno;
		f->size = (uint64_t)st.st_size;
		found_period(f, &st);
		if (st.st_size == 0 || (strcmp(f->period, period) == 0 && f->size < f->max_bytes))
			break;
		close(f->fd);
		f->fd = -1;
		put_aside(f);
	}
	snprintf(f->period, sizeof(f->period), "%s", period);
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void lose(struct log_file *f, uint32_t lines, int error)
{
	f->lost += lines;
	f->untold += lines;
	f->error = error;
}

/* How many of the buffer's lines end within its first `n` bytes; *whole: the bytes of those. */
static uint32_t whole_lines(const struct log_file *f, size_t n, size_t *whole)
{
	uint32_t lines = 0;

	*whole = 0;
	for (size_t i = 0; i < n; i++) {
		if (f->buffer[i] == '\n') {
			lines++;
			*whole = i + 1;
		}
	}
	return lines;
}

void log_file_flush(struct log_file *f)
{
	size_t done = 0, whole;
	uint32_t lines;
	int error = 0;

	if (f->filled == 0)
		return;
	while (done < f->filled && error == 0) {
		ssize_t n = write(f->fd, f->buffer + done, f->filled - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? EIO : errno;
	}
	lines = f->lines;
	if (error != 0) {
		lines = whole_lines(f, done, &whole);
		/* No half line stays. */
		f->size -= f->filled - whole;
		if (done > whole && ftruncate(f->fd, (off_t)f->size) < 0)
			f->size += done - whole;
		lose(f, f->lines - lines, error);
	}
	f->written += lines;
	f->filled = 0;
	f->lines = 0;
}

static void append(struct log_file *f, const char *line, size_t len)
{
	size_t end = strlen(f->line_end);

	if (len + end > LOG_FILE_BUFFER - f->filled)
		log_file_flush(f);
	if (len + end > LOG_FILE_BUFFER) {
		lose(f, 1, EMSGSIZE);
		return;
	}
	memcpy(f->buffer + f->filled, line, len);
	memcpy(f->buffer + f->filled + len, f->line_end, end);
	f->filled += len + end;
	f->size += len + end;
	f->lines++;
}

/* Is the disk better? Said in the file itself, once. */
static void tell(struct log_file *f, const struct tm *now)
{
	char line[192];
	bool json = f->line_end[0] == '\n';
	size_t len = strftime(line, sizeof(line),
		json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S%z\"," : "%Y-%m-%d %H:%M:%S.000 ", now);
	uint64_t untold;

	/* Alone in the buffer: if the telling is lost, a line before it would go uncounted with it. */
	log_file_flush(f);
	untold = f->untold;
	snprintf(line + len, sizeof(line) - len,
		json ? "\"event\":\"lines lost\",\"lines\":%llu,\"error\":\"%s\"}"
		     : "lines lost lines=%llu error=\"%s\"",
		(unsigned long long)untold, strerror(f->error));
	append(f, line, strlen(line));
	log_file_flush(f);
	/* A telling that is lost is none of the lines. */
	f->lost -= f->untold - untold;
	f->untold = f->untold == untold ? 0 : untold;
}

/* A file is open, and it is the right one. */
static bool ready(struct log_file *f, const struct tm *now, size_t len)
{
	char period[LOG_FILE_SUFFIX_MAX];
	int rc;

	log_file_period(f->cycle, now, period);
	if (f->fd >= 0 &&
		(strcmp(period, f->period) != 0 || (f->size + len > f->max_bytes && f->size > 0))) {
		log_file_flush(f);
		close(f->fd);
		f->fd = -1;
		put_aside(f);
	}
	if (f->fd >= 0)
		return true;
	if (f->retry_s > log_file_now_s())
		return false;
	rc = file_open(f, period);
	if (rc == 0)
		return true;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->error = -rc;
	f->retry_s = log_file_now_s() + RETRY_S;
	return false;
}

void log_file_line(struct log_file *f, const struct tm *now, const char *line, size_t len)
{
	if (!ready(f, now, len + 2)) {
		lose(f, 1, f->error);
		return;
	}
	if (f->untold > 0) {
		/* A full disk is asked once a second, not for each line. */
		if (f->retry_s > log_file_now_s()) {
			lose(f, 1, f->error);
			return;
		}
		tell(f, now);
		if (f->untold > 0) {
			f->retry_s = log_file_now_s() + RETRY_S;
			lose(f, 1, f->error);
			return;
		}
	}
	append(f, line, len);
}

void log_file_close(struct log_file *f)
{
	if (f->fd >= 0) {
		log_file_flush(f);
		close(f->fd);
	}
	f->fd = -1;
	free(f->buffer);
	f->buffer = NULL;
	f->filled = 0;
}
