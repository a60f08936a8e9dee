/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOG_H
#define PATCHBAY_CONTROLPLANE_LOG_H

/*
 * The diagnostic log: one line per message, "<UTC time> <level> <area>: <text>", to stderr or a file.
 *
 * A caller never waits for the terminal or the disk: it formats the line into a bounded buffer and a thread
 * of the log's own writes it. When the buffer is full the line is lost and counted, and the next line that
 * finds room says how many were. Before log_init() and after log_fini() lines go straight to stderr.
 *
 * Any thread but a worker: workers count, they do not log. Passwords, hashes and keys never come here.
 * Text from a peer is printed through %s: control characters and what is not UTF-8 are replaced when the
 * line is made, so that nobody forges a line or steers the terminal that shows it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,   /* somebody has to act */
	LOG_LEVEL_WARNING, /* works, but less well */
	LOG_LEVEL_NOTICE,  /* life of the process: start, listeners, end */
	LOG_LEVEL_INFO,	   /* logins and sessions */
	LOG_LEVEL_DEBUG,   /* for developers */
	LOG_LEVEL_CNT
};

/*
 * Opens `path` for appending (NULL or "": stderr) and starts the writing thread. -errno of open(). Threads
 * started later inherit nothing from it.
 */
int log_init(const char *path, enum log_level level);
/*
 * Writes out what waits, and joins the thread; when nobody takes any of it for 200 ms it is lost, and nothing
 * may be logged after that. Idempotent.
 */
void log_fini(void);
void log_set_level(enum log_level level);
/* True if a line of this level would be written: for callers whose arguments cost something. */
bool log_enabled(enum log_level level);
/*
 * Whoever keeps another copy of the lines (logs/logs.h) gets each of them, as text without time, level and area; not
 * those of log_say(). On the thread that logs; NULL: nobody.
 */
void log_set_tap(void (*tap)(const char *level, const char *area, const char *text, size_t len));
/* Lines lost because the buffer was full. */
uint64_t log_lost(void);

/*
 * Bytes of the character at p if it may be shown: UTF-8, no control character, nothing invisible or that turns the
 * direction of writing. Else 0. Pure; left > 0.
 */
size_t log_shown_bytes(const unsigned char *p, size_t left);

/* "error", "warning", "notice", "info", "debug"; the words of patchbay.cfg's log.level. */
const char *log_level_name(enum log_level level);

/* `area` is the folder or noun that speaks: "login", "store". No trailing newline in fmt. */
void log_write(enum log_level level, const char *area, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, for lines that the keeper of the copy was told of in his own words. */
void log_say(enum log_level level, const char *area, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(area, ...)   log_write(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_warning(area, ...) log_write(LOG_LEVEL_WARNING, area, __VA_ARGS__)
#define log_notice(area, ...)  log_write(LOG_LEVEL_NOTICE, area, __VA_ARGS__)
#define log_info(area, ...)    log_write(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...)   log_write(LOG_LEVEL_DEBUG, area, __VA_ARGS__)

/*
 * Token bucket for lines that a peer can cause: `burst` lines at once, then `per_minute`. One static object
 * per place in the code, used by one thread.
 */
struct log_limit {
	uint32_t burst;
	uint32_t per_minute;
	uint64_t suppressed; /* since the last line that passed */
	double tokens;
	int64_t last_ms; /* 0 = never used */
};
#define LOG_LIMIT(burst_, per_minute_)                         \
	{                                                      \
		.burst = (burst_), .per_minute = (per_minute_) \
	}

/* True if a line may be written; then *suppressed says how many were held back before it. */
bool log_limit_pass(struct log_limit *limit, uint64_t *suppressed);

/* log_write() through a limit; tells how many lines were held back since the last one. */
#define log_limited(limit, level, area, fmt, ...)                                         \
	do {                                                                              \
		uint64_t log_held_;                                                       \
		if (log_enabled(level) && log_limit_pass(limit, &log_held_)) {            \
			if (log_held_ > 0)                                                \
				log_write(level, area, fmt " (%llu like this not shown)", \
					##__VA_ARGS__, (unsigned long long)log_held_);    \
			else                                                              \
				log_write(level, area, fmt, ##__VA_ARGS__);               \
		}                                                                         \
	} while (0)

#endif
