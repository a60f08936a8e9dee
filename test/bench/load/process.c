/* SPDX-License-Identifier: BSD-3-Clause */
/* See process.h. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/bench/load/process.h"

#define DEPTH_MAX 8u /* of the tree: ends any loop that /proc could show while it changes */

/* utime, stime, cutime, cstime and rss of /proc/PID/stat; false when it is gone. */
static bool stat_read(pid_t pid, struct process_use *use)
{
	unsigned long ticks[4];
	long pages;
	char path[64], line[1024], *at;
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	ok = fgets(line, sizeof(line), f) != NULL;
	fclose(f);
	at = ok ? strrchr(line, ')') : NULL; /* the name may hold anything */
	if (at == NULL ||
		sscanf(at + 1,
			" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu %*d %*d %*d %*d "
			"%*u %*u %ld",
			&ticks[0], &ticks[1], &ticks[2], &ticks[3], &pages) != 5)
		return false;
	use->cpu_s +=
		(double)(ticks[0] + ticks[1] + ticks[2] + ticks[3]) / (double)sysconf(_SC_CLK_TCK);
	use->resident_bytes += (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static bool tree_read(pid_t pid, unsigned depth, struct process_use *use);

/* Children are listed with the thread that made them. */
static void children_read(pid_t pid, const char *tid, unsigned depth, struct process_use *use)
{
	char path[128];
	int child;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", (int)pid, tid);
	f = fopen(path, "r");
	if (f == NULL)
		return;
	while (fscanf(f, "%d", &child) == 1)
		(void)tree_read(child, depth + 1, use);
	fclose(f);
}

static bool tree_read(pid_t pid, unsigned depth, struct process_use *use)
{
	struct dirent *entry;
	char path[64];
	DIR *tasks;

	if (depth > DEPTH_MAX || !stat_read(pid, use))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return true;
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			children_read(pid, entry->d_name, depth, use);
	closedir(tasks);
	return true;
}

bool process_use(pid_t pid, struct process_use *use)
{
	*use = (struct process_use){0};
	return pid > 0 && tree_read(pid, 0, use);
}
