/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The diagnostic log (log.h): producers format into a ring of bytes under a mutex, one thread writes it out.
 * The mutex is held for a memcpy only, never across write().
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/log.h"

#define LOG_LINE_BYTES 2048u
#define LOG_RING_BYTES (256u * 1024u)
/* At the end, for one chunk of what waits: half the rest of 3 s, of which 2.6 are the sessions'. */
#define LOG_END_MS 200

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	bool running;
	bool stop;
	int fd;
	uint64_t head; /* bytes ever put in; under lock */
	uint64_t tail; /* bytes ever written out; under lock */
	uint64_t lost_untold;
	char ring[LOG_RING_BYTES];
} log_state = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .fd = STDERR_FILENO};

/* Single words, nothing is published through them: relaxed. */
static _Atomic int log_level_now = LOG_LEVEL_INFO;
static _Atomic uint64_t log_lost_cnt;

typedef void (*log_tap_fn)(const char *level, const char *area, const char *text, size_t len);
static _Atomic(log_tap_fn) log_tap;

static const char *const log_level_names[LOG_LEVEL_CNT] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

const char *log_level_name(enum log_level level)
{
	return (unsigned)level < LOG_LEVEL_CNT ? log_level_names[level] : "?";
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

uint64_t log_lost(void)
{
	return atomic_load_explicit(&log_lost_cnt, memory_order_relaxed);
}

static void write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* a log that cannot be written has nobody to tell */
		bytes += n;
		size -= (size_t)n;
	}
}

/* A terminal obeys the control characters of U+0080 to U+009F too. */
size_t log_shown_bytes(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (n == 1)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (n == 0 || n > left || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	switch (p[0]) {
	case 0xc2:
		return p[1] >= 0xa0 ? n : 0;
	case 0xe0:
		return p[1] >= 0xa0 ? n : 0;
	case 0xe2: /* U+200B-200F, 2028-202E, 2060-206F */
		return (p[1] == 0x80 &&
			       ((p[2] >= 0x8b && p[2] <= 0x8f) ||
				       (p[2] >= 0xa8 && p[2] <= 0xae))) ||
				(p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf)
			? 0
			: n;
	case 0xed:
		return p[1] <= 0x9f ? n : 0;
	case 0xf0:
		return p[1] >= 0x90 ? n : 0;
	case 0xf4:
		return p[1] <= 0x8f ? n : 0;
	default:
		return n;
	}
}

/* Text of peers must neither forge a line nor steer the terminal that shows it. */
static void make_harmless(char *text, size_t len)
{
	while (len > 0) {
		size_t n = log_shown_bytes((const unsigned char *)text, len);

		if (n == 0) {
			*text = '?';
			n = 1;
		}
		text += n;
		len -= n;
	}
}

/* *text: where the caller's part begins. */
static size_t format_line(char line[LOG_LINE_BYTES], enum log_level level, const char *area,
	size_t *text_at, const char *fmt, va_list ap)
{
	struct timespec now;
	struct tm tm;
	size_t len;
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(line, LOG_LINE_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	len += (size_t)snprintf(line + len, LOG_LINE_BYTES - len,
		".%03ldZ %s %s: ", now.tv_nsec / 1000000, log_level_name(level), area);
	*text_at = len;
	n = vsnprintf(line + len, LOG_LINE_BYTES - len - 1, fmt, ap);
	if (n > 0) {
		size_t room = LOG_LINE_BYTES - len - 2;
		size_t text = (size_t)n < room ? (size_t)n : room;

		make_harmless(line + len, text);
		len += text;
	}
	line[len++] = '\n';
	return len;
}

/* Under lock. False if there is no room. */
static bool ring_put(const char *line, size_t len)
{
	size_t at = log_state.head % LOG_RING_BYTES;
	size_t first = LOG_RING_BYTES - at < len ? LOG_RING_BYTES - at : len;

	if (log_state.head - log_state.tail + len > LOG_RING_BYTES)
		return false;
	memcpy(log_state.ring + at, line, first);
	memcpy(log_state.ring, line + first, len - first);
	log_state.head += len;
	return true;
}

static void tell_lost(void)
{
	char line[160];
	int n;

	if (log_state.lost_untold == 0)
		return;
	n = snprintf(line, sizeof(line), "log: %llu lines lost, the log could not keep up\n",
		(unsigned long long)log_state.lost_untold);
	if (ring_put(line, (size_t)n))
		log_state.lost_untold = 0;
}

static void emit(const char *line, size_t len)
{
	pthread_mutex_lock(&log_state.lock);
	if (!log_state.running) {
		write_all(log_state.fd, line, len);
	} else {
		tell_lost();
		if (!ring_put(line, len)) {
			log_state.lost_untold++;
			atomic_fetch_add_explicit(&log_lost_cnt, 1, memory_order_relaxed);
		}
		pthread_cond_signal(&log_state.more);
	}
	pthread_mutex_unlock(&log_state.lock);
}

void log_set_tap(void (*tap)(const char *level, const char *area, const char *text, size_t len))
{
	atomic_store_explicit(&log_tap, tap, memory_order_release);
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
	log_tap_fn tap = atomic_load_explicit(&log_tap, memory_order_acquire);
	char line[LOG_LINE_BYTES];
	int saved_errno = errno;
	size_t len, text_at;
	va_list ap;

	if (!log_enabled(level) && (tap == NULL || level > LOG_LEVEL_INFO))
		return;
	va_start(ap, fmt);
	len = format_line(line, level, area, &text_at, fmt, ap);
	va_end(ap);
	if (tap != NULL && level <= LOG_LEVEL_INFO)
		tap(log_level_name(level), area, line + text_at, len - text_at - 1);
	if (log_enabled(level))
		emit(line, len);
	errno = saved_errno;
}

void log_say(enum log_level level, const char *area, const char *fmt, ...)
{
	char line[LOG_LINE_BYTES];
	int saved_errno = errno;
	size_t len, text_at;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	len = format_line(line, level, area, &text_at, fmt, ap);
	va_end(ap);
	emit(line, len);
	errno = saved_errno;
}

static void *log_thread(void *)
{
	char chunk[16384];

	pthread_mutex_lock(&log_state.lock);
	for (;;) {
		size_t waiting = (size_t)(log_state.head - log_state.tail);
		size_t at = log_state.tail % LOG_RING_BYTES;
		size_t n = waiting < sizeof(chunk) ? waiting : sizeof(chunk);

		if (waiting == 0) {
			if (log_state.stop)
				break;
			pthread_cond_wait(&log_state.more, &log_state.lock);
			continue;
		}
		if (n > LOG_RING_BYTES - at)
			n = LOG_RING_BYTES - at;
		memcpy(chunk, log_state.ring + at, n);
		pthread_mutex_unlock(&log_state.lock);
		write_all(log_state.fd, chunk, n);
		pthread_mutex_lock(&log_state.lock);
		log_state.tail += n;
	}
	pthread_mutex_unlock(&log_state.lock);
	return NULL;
}

int log_init(const char *path, enum log_level level)
{
	sigset_t all, old;
	int rc;

	log_set_level(level);
	if (log_state.running)
		return -EALREADY;
	if (path != NULL && path[0] != '\0') {
		int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

		if (fd < 0)
			return -errno;
		log_state.fd = fd;
	}
	/* Signals belong to the control thread's loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	log_state.stop = false;
	rc = pthread_create(&log_state.thread, NULL, log_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return -rc;
	pthread_setname_np(log_state.thread, "pb-log");
	pthread_mutex_lock(&log_state.lock);
	log_state.running = true;
	pthread_mutex_unlock(&log_state.lock);
	return 0;
}

/*
 * Joins the thread as long as it gets on. A terminal that was stopped, or a reader that does not read, does
 * not keep us here.
 */
static bool log_drained(void)
{
	uint64_t before, tail = UINT64_MAX;
	struct timespec until;

	do {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOG_END_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		if (pthread_timedjoin_np(log_state.thread, NULL, &until) == 0)
			return true;
		before = tail;
		pthread_mutex_lock(&log_state.lock);
		tail = log_state.tail;
		pthread_mutex_unlock(&log_state.lock);
	} while (tail != before);
	return false;
}

void log_fini(void)
{
	if (!log_state.running)
		return;
	pthread_mutex_lock(&log_state.lock);
	log_state.stop = true;
	log_state.running = false;
	pthread_cond_signal(&log_state.more);
	pthread_mutex_unlock(&log_state.lock);
	if (!log_drained()) {
		pthread_detach(log_state.thread);
		return;
	}
	if (log_state.fd != STDERR_FILENO) {
		close(log_state.fd);
		log_state.fd = STDERR_FILENO;
	}
}

bool log_limit_pass(struct log_limit *limit, uint64_t *suppressed)
{
	struct timespec now;
	int64_t now_ms;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
	if (limit->last_ms == 0) {
		limit->tokens = limit->burst;
	} else {
		limit->tokens += (double)(now_ms - limit->last_ms) * limit->per_minute / 60000.0;
		if (limit->tokens > limit->burst)
			limit->tokens = limit->burst;
	}
	limit->last_ms = now_ms;
	if (limit->tokens < 1.0) {
		limit->suppressed++;
		return false;
	}
	limit->tokens -= 1.0;
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
