/* SPDX-License-Identifier: BSD-3-Clause */
/* The state directory (state.h). */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/state.h"

static int lock_fd = -1;

struct reporter {
	void (*report)(void *ctx, const char *line);
	void *ctx;
};

static void __attribute__((format(printf, 2, 3)))
tell(const struct reporter *r, const char *fmt, ...)
{
	char *line;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	r->report(r->ctx, line);
	free(line);
}

/* Like mkdir -p; folders above get the usual mode. */
static int make_folders(const char *path)
{
	char *copy = strdup(path);
	int rc = 0;

	if (copy == NULL)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash != NULL && rc == 0;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			rc = -errno;
		*slash = '/';
	}
	if (rc == 0 && mkdir(copy, 0700) < 0 && errno != EEXIST)
		rc = -errno;
	free(copy);
	return rc;
}

static int take_lock(const char *path, const struct reporter *r)
{
	char text[32] = "";
	char *name;
	ssize_t n;
	int fd, rc = 0;

	if (asprintf(&name, "%s/lock", path) < 0)
		return -ENOMEM;
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = -errno;
		tell(r, "%s: cannot be opened: %s", name, strerror(errno));
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		if (rc == -EBUSY)
			tell(r, "%s: another patchbayd (pid %s) works with this state directory",
				path, text[0] != '\0' ? text : "unknown");
		else
			tell(r, "%s: cannot be locked: %s", name, strerror(errno));
	} else {
		/* The pid is for people; the lock is what counts, so that a full disk is no reason. */
		n = snprintf(text, sizeof(text), "%d\n", getpid());
		if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
			log_warning("state", "%s: pid not written: %s", name, strerror(errno));
	}
	free(name);
	if (rc < 0 && fd >= 0)
		close(fd);
	else if (rc == 0)
		lock_fd = fd;
	return rc;
}

int state_open(const char *path, void (*report)(void *ctx, const char *line), void *ctx)
{
	const struct reporter r = {report, ctx};
	struct stat st;
	int rc;

	rc = make_folders(path);
	if (rc == 0 && stat(path, &st) < 0)
		rc = -errno;
	if (rc == 0 && !S_ISDIR(st.st_mode))
		rc = -ENOTDIR;
	if (rc < 0) {
		tell(&r, "%s: state directory cannot be made: %s", path, strerror(-rc));
		return rc;
	}
	if (st.st_mode & 077)
		log_warning("state",
			"%s: others can look into the state directory, should be mode 0700", path);
	return take_lock(path, &r);
}

void state_close(void)
{
	if (lock_fd >= 0)
		close(lock_fd);
	lock_fd = -1;
}
