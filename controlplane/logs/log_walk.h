/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_LOG_WALK_H
#define PATCHBAY_CONTROLPLANE_LOGS_LOG_WALK_H

/*
 * The files below the log folder, by the paths people and tools know them by: "security_log/HUB/sec_20261126.log".
 * Nothing but what a log of ours may be called is seen, no link is followed, and a path cannot lead out of the
 * folder. May wait for the disk: not on the control thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_WALK_PATH 384u

struct log_walk_file {
	char path[LOG_WALK_PATH];
	char hub[256]; /* "": the server's */
	bool aside;    /* no longer written to */
	uint64_t bytes;
	uint64_t id; /* stays the same when the file is put aside */
	int64_t changed_ms;
};

void log_walk(const char *folder, void (*fn)(void *ctx, const struct log_walk_file *f), void *ctx);
/* Takes a path apart; false: it is none of a log. Fills path, hub and aside. Pure. */
bool log_walk_parse(const char *path, struct log_walk_file *out);
/*
 * Up to `max` bytes from `offset` on; how many, 0 at the end, -errno. The file's size and id in *f.
 */
ssize_t log_walk_read(const char *folder, const char *path, uint64_t offset, void *bytes,
	size_t max, struct log_walk_file *f);

#endif
