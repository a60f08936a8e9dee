/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory read again while the daemon runs (store.h): changes are held, the new one is read and judged on the
 * thread that folds, and only when it is right as a whole does the control thread put it into force.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/directory_apply.h"
#include "controlplane/directory_priv.h"
#include "controlplane/slow.h"
#include "controlplane/store_priv.h"

#define REPORT_BYTES 16384u /* of what is wrong; more is cut */

static struct {
	struct slow_job job; /* first */
	struct store_request request;
	struct store_reload *reload; /* NULL: none is under way */
	struct store_base base;
	struct store_identity file;
	struct directory fresh;
	char *text; /* of the record that makes it durable */
	size_t text_size;
	int error;
} now;

static void keep_line(void *ctx, const char *line)
{
	struct store_reload *reload = ctx;
	size_t have = reload->report == NULL ? 0 : strlen(reload->report);
	size_t len = strlen(line);
	char *longer;

	if (have + len + 2 > REPORT_BYTES)
		return;
	longer = realloc(reload->report, have + len + 2);
	if (longer == NULL)
		return;
	reload->report = longer;
	memcpy(longer + have, line, len);
	strcpy(longer + have + len, "\n");
}

static int identify(struct store_identity *out)
{
	int dirfd = open(now.base.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (dirfd < 0)
		return -errno;
	rc = store_identify(dirfd, STORE_FILE, out);
	close(dirfd);
	return rc;
}

/* directory.cfg and the journal, which nobody writes now. */
static int read_base(struct store_reload *reload)
{
	struct store_identity after;
	uint64_t torn;
	char path[512];
	int rc;

	snprintf(path, sizeof(path), "%s/" STORE_FILE, now.base.dir);
	rc = identify(&now.file);
	if (rc < 0 || (reload->record != NULL && !store_same(&now.file, &now.base.file))) {
		keep_line(reload,
			rc < 0 ? "directory.cfg is not there"
			       : "directory.cfg was edited: read it first (patchbayctl "
				 "store reload)");
		return -ESTALE;
	}
	rc = directory_read_file(path, keep_line, reload, &now.fresh);
	if (rc == 0)
		rc = store_segments_replay(
			now.base.dir, UINT64_MAX, &now.fresh, &torn, keep_line, reload);
	if (rc == 0 && (identify(&after) < 0 || !store_same(&now.file, &after))) {
		keep_line(reload, "directory.cfg was written while it was read: try again");
		rc = -ESTALE;
	}
	return rc;
}

/* The outcome as a whole, since the words in between may have meant `as it is`. */
static char *outcome(size_t *size)
{
	char *text, *record = NULL;
	size_t text_size;
	int n;

	text = directory_text_of(&now.fresh, &text_size);
	if (text == NULL)
		return NULL;
	n = asprintf(&record, "objects = (\n{ kind = \"%s\"; value = {\n%s}; } );",
		DIRECTORY_OBJECT_ALL.kind, text);
	explicit_bzero(text, text_size);
	free(text);
	if (n < 0) {
		errno = ENOMEM;
		return NULL;
	}
	*size = (size_t)n;
	return record;
}

static void read_work(struct slow_job *)
{
	struct store_reload *reload = now.reload;
	struct config_reader r = {
		.path = "given text", .report = keep_line, .ctx = reload, .keeps = true};

	directory_init(&now.fresh);
	now.error = read_base(reload);
	if (now.error == 0 && reload->record != NULL)
		now.error = directory_objects_read(&r, reload->record, &now.fresh);
	if (now.error == 0 && reload->record != NULL) {
		now.text = outcome(&now.text_size);
		if (now.text == NULL)
			now.error = -errno;
	}
	if (now.error < 0)
		directory_free(&now.fresh);
}

static void end(int error)
{
	struct store_reload *reload = now.reload;
	bool of_file = reload->record == NULL;

	if (error == 0)
		directory_apply(&now.fresh);
	directory_free(&now.fresh);
	if (reload->record != NULL)
		explicit_bzero(reload->record, strlen(reload->record));
	free(reload->record);
	reload->record = NULL;
	if (now.text != NULL)
		explicit_bzero(now.text, now.text_size);
	free(now.text);
	now.text = NULL;
	now.reload = NULL;
	store_thaw(of_file && error == 0 ? &now.file : NULL);
	reload->done(reload, error);
}

static void recorded(struct store_request *, int error)
{
	end(error);
}

static void read_done(struct slow_job *)
{
	if (now.error < 0 || now.reload->record == NULL) {
		end(now.error);
		return;
	}
	now.request.done = recorded;
	store_record(&now.request, now.text, now.text_size);
}

static void calm(void)
{
	store_base(&now.base);
	now.job.work = read_work;
	now.job.done = read_done;
	store_beside(&now.job);
}

int store_reload_begin(struct store_reload *reload)
{
	if (now.reload != NULL)
		return -EBUSY;
	reload->report = NULL;
	now.reload = reload;
	directory_init(&now.fresh);
	store_freeze(calm);
	return 0;
}
