/* SPDX-License-Identifier: BSD-3-Clause */
/* See store_bed.h. System calls of the store are taken over here: these definitions stand before libc's. */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/log.h"
#include "controlplane/store.h"
#include "test/unit/store_bed.h"

enum luck luck;
_Atomic unsigned luck_step, luck_at;
char bed_dir[] = "/tmp/patchbay-store-test.XXXXXX";
struct event_base *bed_base;

struct event_base *control_base(void)
{
	return bed_base;
}

static bool fails(void)
{
	if (luck == GOOD || ++luck_step != luck_at)
		return false;
	if (luck == KILLED_BEFORE)
		raise(SIGKILL);
	errno = ENOSPC;
	return luck == FAILS;
}

static long after(long rc)
{
	if (luck == KILLED_AFTER && luck_step == luck_at)
		raise(SIGKILL);
	return rc;
}

int fsync(int fd)
{
	return fails() ? -1 : (int)after(syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
	return fails() ? -1 : (int)after(syscall(SYS_fdatasync, fd));
}

int renameat(int fromfd, const char *from, int tofd, const char *to)
{
	return fails() ? -1 : (int)after(syscall(SYS_renameat, fromfd, from, tofd, to));
}

int linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
	return fails() ? -1 : (int)after(syscall(SYS_linkat, fromfd, from, tofd, to, flags));
}

int unlinkat(int fd, const char *path, int flags)
{
	return fails() ? -1 : (int)after(syscall(SYS_unlinkat, fd, path, flags));
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	/* Half of it, so that a save takes two. */
	return fails() ? -1 : after(syscall(SYS_write, fd, bytes, size > 64 ? size / 2 : size));
}

void bed_deaf(void *, const char *)
{
}

char *bed_path(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", bed_dir, name);
	return text;
}

void bed_clean(void)
{
	char pattern[256];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/directory.*", bed_dir);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

bool bed_there(const char *name)
{
	return access(bed_path(name), F_OK) == 0;
}

/* A user whose name is the version: what was saved when is visible in the file. */
void bed_add_user(const char *name)
{
	struct directory_hub *hub = directory_hub_find("A");
	struct directory_user *u;

	if (hub == NULL)
		assert_int_equal(directory_hub_create("A", &hub), 0);
	assert_int_equal(directory_user_create(hub, name, &u), 0);
}

unsigned bed_users(void)
{
	return directory_hub_find("A")->user_cnt;
}

void bed_begin(void)
{
	luck = GOOD;
	bed_clean();
	directory_clear();
	store_fini();
	assert_int_equal(store_init(bed_dir), 0);
	assert_int_equal(store_load(bed_deaf, NULL), -ENOENT);
}

unsigned bed_users_in(const char *name)
{
	struct stat st;

	directory_clear();
	if (stat(bed_path(name), &st) < 0)
		return 0;
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(directory_load(bed_path(name), NULL, NULL), 0);
	return bed_users();
}

char bed_told[4096];

void bed_hear(void *, const char *line)
{
	snprintf(bed_told + strlen(bed_told), sizeof(bed_told) - strlen(bed_told), "%s\n", line);
}

void bed_put(const char *name, const char *text)
{
	FILE *f = fopen(bed_path(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

int bed_setup(void **)
{
	log_set_level(LOG_LEVEL_ERROR);
	return mkdtemp(bed_dir) != NULL ? 0 : -1;
}

int bed_teardown(void **)
{
	bed_clean();
	directory_clear();
	store_fini();
	return rmdir(bed_dir);
}
