/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_LOG_FILE_H
#define PATCHBAY_CONTROLPLANE_LOGS_LOG_FILE_H

/*
 * A log on disk under one stable name, `<folder>/<stem>.log`. When its time or its size is up the file is renamed to
 * `<stem>_<what it holds>.log` - the period by its switch cycle, then ~01, ~02 ... for more of the same period - and
 * a new one is begun. Lines are collected and written whole; a disk that takes none costs those that are
 * collected, which are counted and told in the first line that is written again.
 *
 * One thread. It may wait for the disk, nobody else does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Numbers of the protocol: logging-admin.md 1. */
enum log_switch {
	LOG_SWITCH_NONE,
	LOG_SWITCH_SECOND,
	LOG_SWITCH_MINUTE,
	LOG_SWITCH_HOUR,
	LOG_SWITCH_DAY,
	LOG_SWITCH_MONTH,
	LOG_SWITCH_CNT
};

/* "none", "second", ... "month". */
const char *log_switch_name(enum log_switch cycle);
/* Seconds that nobody sets back: for waiting. */
int64_t log_file_now_s(void);

#define LOG_FILE_BUFFER	    65536u
#define LOG_FILE_PATH	    1024u
#define LOG_FILE_SIZE_MAX   1073741823u /* LoggerMaxLogSize */
#define LOG_FILE_SUFFIX_MAX 32u

struct log_file {
	char folder[LOG_FILE_PATH];
	char stem[16];
	const char *line_end; /* "\r\n" or "\n" */
	enum log_switch cycle;
	uint64_t max_bytes;
	int fd;				  /* -1 */
	uint64_t size;			  /* with what is in the buffer */
	char period[LOG_FILE_SUFFIX_MAX]; /* of the file that is open */
	char *buffer;
	size_t filled;
	uint32_t lines;		/* in the buffer */
	uint64_t written, lost; /* lines, ever */
	uint64_t untold;	/* of the lost ones, */
	int error;		/* and why */
	int64_t retry_s;	/* not before that */
};

/* Opens nothing yet. `stem` as "sec". */
void log_file_init(struct log_file *f, const char *folder, const char *stem, const char *line_end);
/* From the next line on. */
void log_file_set(struct log_file *f, enum log_switch cycle, uint64_t max_bytes);
/* One line without its end, of the local time `now`. */
void log_file_line(struct log_file *f, const struct tm *now, const char *line, size_t len);
/* Out with what is collected. */
void log_file_flush(struct log_file *f);
/* The same, and forgets the buffer; log_file_line() opens it again. */
void log_file_close(struct log_file *f);

/* "_20261126" and so on; "" for LOG_SWITCH_NONE. */
void log_file_period(enum log_switch cycle, const struct tm *now, char out[LOG_FILE_SUFFIX_MAX]);
/* Makes a folder and what is missing above it. -errno. */
int log_folder_make(const char *path);

#endif
