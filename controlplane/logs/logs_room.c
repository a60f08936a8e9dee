/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room on the disk: while there is too little of it, the oldest of the files that were put aside go (reference/
 * logging-admin.md 1). Files that are being written never do.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/logs/log_walk.h"
#include "controlplane/logs/logs_priv.h"

#define REMOVED_MAX 1000u

struct oldest {
	char path[LOG_WALK_PATH];
	int64_t changed_ms;
	bool found;
};

static void look(void *ctx, const struct log_walk_file *f)
{
	struct oldest *o = ctx;

	if (!f->aside || (o->found && f->changed_ms >= o->changed_ms))
		return;
	o->found = true;
	o->changed_ms = f->changed_ms;
	snprintf(o->path, sizeof(o->path), "%s", f->path);
}

unsigned logs_make_room(const char *folder, uint64_t min_free_bytes)
{
	char path[LOG_FILE_PATH + LOG_WALK_PATH];
	struct statvfs st;
	unsigned removed = 0;

	while (min_free_bytes > 0 && removed < REMOVED_MAX && statvfs(folder, &st) == 0 &&
		(uint64_t)st.f_bavail * st.f_frsize < min_free_bytes) {
		struct oldest o = {0};

		log_walk(folder, look, &o);
		snprintf(path, sizeof(path), "%s/%s", folder, o.path);
		if (!o.found || unlink(path) != 0)
			break;
		log_notice("logs", "%s removed: the disk has less than %llu MB left", o.path,
			(unsigned long long)(min_free_bytes / 1000000));
		removed++;
	}
	return removed;
}
