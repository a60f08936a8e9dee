/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log files, listed and read (admin-rpc.md 4.14). The disk is asked by a slow helper; the call waits. A path is
 * judged by its shape alone, so that it need not come from a list that was fetched on the same connection, as the
 * original wants it, and leads nowhere but to a log.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/errand.h"
#include "controlplane/logs/log_walk.h"
#include "controlplane/logs/logs.h"
#include "controlplane/slow.h"
#include "drivers/session/wire/wire_error.h"

#define FILES_MAX  20000u
#define READ_BYTES 262144u

/* Work of a slow helper for a call that may have gone when it is done. */
struct asked {
	struct slow_job job; /* first member */
	struct errand errand;
	char folder[LOG_FILE_PATH];
	/* A list, */
	struct log_walk_file *files;
	size_t cnt, room;
	/* or a piece of a file. */
	char path[LOG_WALK_PATH];
	uint64_t offset;
	uint8_t *bytes;
	ssize_t n;
	struct log_walk_file file;
};

struct state {
	struct asked *asked;
	size_t next;
	bool begun;
};

static void asked_free(struct asked *a)
{
	free(a->files);
	free(a->bytes);
	free(a);
}

static void asked_done(struct slow_job *job)
{
	struct asked *a = (struct asked *)job;

	if (errand_over(&a->errand))
		asked_free(a);
}

static struct asked *asked_new(void (*work)(struct slow_job *job))
{
	struct asked *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->job.work = work;
	a->job.done = asked_done;
	snprintf(a->folder, sizeof(a->folder), "%s", logs_folder());
	return a;
}

static void files_fini(struct admin_call *call)
{
	struct state *st = call->state;

	if (st->asked == NULL)
		return;
	if (errand_forget(&st->asked->errand))
		asked_free(st->asked);
	st->asked = NULL;
}

/* Log files of hubs are their administrators', unless an option of the hub says no. */
static int may_read(struct admin_call *call)
{
	struct directory_hub *hub;

	if (call->caller->server)
		return 0;
	hub = directory_hub_find(call->caller->hub_name);
	if (hub == NULL)
		return admin_fail(call, WIRE_ERROR_HUB_NOT_FOUND, "the hub is gone");
	return admin_fenced(call, hub, HUB_ADMIN_no_read_log_file);
}

static bool is_visible(struct admin_call *call, const struct log_walk_file *f)
{
	return call->caller->server || (f->hub[0] != '\0' && admin_sees_hub(call, f->hub));
}

/* ---- EnumLogFile ----------------------------------------------------------------------------- */

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field file_row[] = {
	ADMIN_STR("FilePath", 1, LOG_WALK_PATH, "path below the log folder"),
	ADMIN_STR("ServerName", 0, 255, "this machine"),
	ADMIN_INT("FileSize", 0, UINT32_MAX, "bytes; of a longer one as many as fit"),
	ADMIN_TIME("UpdatedTime", "last line"),
	ADMIN_INT64("PatchbayFileSize", "bytes"),
	ADMIN_INT64(
		"PatchbayFileId", "stays the same when the file is put aside under another name"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_INT("NumItem", 0, FILES_MAX, "files"),
	ADMIN_ROWS("LogFiles", file_row, "by path"),
	ADMIN_END,
};

static void list_one(void *ctx, const struct log_walk_file *f)
{
	struct asked *a = ctx;

	if (a->cnt == a->room) {
		size_t room = a->room == 0 ? 64 : a->room * 2;
		struct log_walk_file *files =
			room > 2 * FILES_MAX ? NULL : realloc(a->files, room * sizeof(*files));

		if (files == NULL)
			return;
		a->files = files;
		a->room = room;
	}
	if (a->cnt < FILES_MAX)
		a->files[a->cnt++] = *f;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(
		((const struct log_walk_file *)a)->path, ((const struct log_walk_file *)b)->path);
}

static void list_work(struct slow_job *job)
{
	struct asked *a = (struct asked *)job;

	log_walk(a->folder, list_one, a);
	if (a->cnt > 0)
		qsort(a->files, a->cnt, sizeof(*a->files), by_path);
}

static void put_file(struct admin_call *call, const struct log_walk_file *f)
{
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	admin_row_begin(call);
	admin_put_str(call, "FilePath", f->path);
	admin_put_str(call, "ServerName", host);
	admin_put_int(call, "FileSize", f->bytes < UINT32_MAX ? (uint32_t)f->bytes : UINT32_MAX);
	admin_put_time(call, "UpdatedTime", f->changed_ms);
	admin_put_int64(call, "PatchbayFileSize", f->bytes);
	admin_put_int64(call, "PatchbayFileId", f->id);
	admin_row_end(call);
}

/* What the caller may not see is not counted either. */
static void keep_visible(struct admin_call *call, struct asked *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->cnt; i++) {
		if (is_visible(call, &a->files[i]))
			a->files[n++] = a->files[i];
	}
	a->cnt = n;
}

static int enum_log_file_step(struct admin_call *call)
{
	struct state *st = call->state;
	int rc;

	if (st->asked == NULL) {
		rc = may_read(call);
		if (rc != 0)
			return rc;
		st->asked = asked_new(list_work);
		if (st->asked == NULL)
			return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
		slow_submit(&st->asked->job);
	}
	if (!st->asked->errand.over)
		return ADMIN_WAIT;
	if (!st->begun) {
		st->begun = true;
		keep_visible(call, st->asked);
		admin_put_int(call, "NumItem", (uint32_t)st->asked->cnt);
		admin_rows_begin(call, "LogFiles");
	}
	for (; st->next < st->asked->cnt; st->next++) {
		if (!admin_room(call))
			return ADMIN_MORE;
		put_file(call, &st->asked->files[st->next]);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_log_file = {
	.name = "EnumLogFile",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the log files; a hub administrator sees those of his hub.",
	.request = no_request,
	.response = enum_response,
	.state_bytes = sizeof(struct state),
	.step = enum_log_file_step,
	.fini = files_fini,
};

/* ---- ReadLogFile ----------------------------------------------------------------------------- */

static const struct admin_field read_request[] = {
	ADMIN_REQUIRED_STR("FilePath", 1, LOG_WALK_PATH - 1, "as EnumLogFile tells it"),
	ADMIN_STR("ServerName", 0, 255, "not looked at"),
	ADMIN_INT("Offset", 0, UINT32_MAX, "first byte"),
	ADMIN_INT64("PatchbayOffset", "first byte of files beyond 4 GiB, instead"),
	ADMIN_END,
};

static const struct admin_field read_response[] = {
	ADMIN_STR("FilePath", 1, LOG_WALK_PATH, "the file"),
	ADMIN_STR("ServerName", 0, 255, "as asked"),
	ADMIN_INT("Offset", 0, UINT32_MAX, "as asked"),
	ADMIN_INT64("PatchbayFileSize", "bytes now"),
	ADMIN_INT64(
		"PatchbayFileId", "stays the same when the file is put aside under another name"),
	{.name = "Buffer",
		.type = ADMIN_TYPE_DATA,
		.flags = ADMIN_F_OPTIONAL,
		.max = READ_BYTES,
		.text = "bytes from there on; absent at the end of the file"},
	ADMIN_END,
};

static void read_work(struct slow_job *job)
{
	struct asked *a = (struct asked *)job;

	a->bytes = malloc(READ_BYTES);
	a->n = a->bytes == NULL
		? -ENOMEM
		: log_walk_read(a->folder, a->path, a->offset, a->bytes, READ_BYTES, &a->file);
}

static int read_begin(struct admin_call *call, struct state *st)
{
	const char *path = admin_get_str(call, "FilePath");
	struct log_walk_file f;
	int rc = may_read(call);

	if (rc != 0)
		return rc;
	if (!log_walk_parse(path, &f) || !is_visible(call, &f))
		return admin_fail(
			call, WIRE_ERROR_OBJECT_NOT_FOUND, "there is no log file \"%s\"", path);
	st->asked = asked_new(read_work);
	if (st->asked == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	snprintf(st->asked->path, sizeof(st->asked->path), "%s", path);
	st->asked->offset = admin_has(call, "PatchbayOffset")
		? admin_get_int64(call, "PatchbayOffset")
		: admin_get_int(call, "Offset");
	slow_submit(&st->asked->job);
	return ADMIN_WAIT;
}

static int read_log_file_step(struct admin_call *call)
{
	struct state *st = call->state;
	struct asked *a;

	if (st->asked == NULL) {
		int rc = read_begin(call, st);

		if (rc != ADMIN_WAIT)
			return rc;
	}
	a = st->asked;
	if (!a->errand.over)
		return ADMIN_WAIT;
	if (a->n < 0)
		return admin_fail(
			call, WIRE_ERROR_OBJECT_NOT_FOUND, "%s: %s", a->path, strerror((int)-a->n));
	admin_put_str(call, "FilePath", a->path);
	admin_put_str(call, "ServerName", admin_get_str(call, "ServerName"));
	admin_put_int(call, "Offset", admin_get_int(call, "Offset"));
	admin_put_int64(call, "PatchbayFileSize", a->file.bytes);
	admin_put_int64(call, "PatchbayFileId", a->file.id);
	if (a->n > 0)
		admin_put_data(call, "Buffer", a->bytes, (size_t)a->n);
	return ADMIN_DONE;
}

const struct admin_method admin_method_read_log_file = {
	.name = "ReadLogFile",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Reads a piece of a log file. 29: there is none of that name that the caller may see.",
	.request = read_request,
	.response = read_response,
	.state_bytes = sizeof(struct state),
	.step = read_log_file_step,
	.fini = files_fini,
};
