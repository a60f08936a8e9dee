/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole directory as a text for somebody who asks (store.h): from the disk, on the thread that folds, since making
 * it of ten thousand users takes longer than anybody else should wait.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/directory_priv.h"
#include "controlplane/slow.h"
#include "controlplane/store_priv.h"

struct text_job {
	struct slow_job job; /* first */
	struct store_text *text;
	struct store_base base;
	struct store_identity seen;
	int error;
};

static int identify(const struct text_job *t, struct store_identity *out)
{
	int dirfd = open(t->base.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (dirfd < 0)
		return -errno;
	rc = store_identify(dirfd, STORE_FILE, out);
	close(dirfd);
	return rc;
}

static int directory_read(struct text_job *t, struct directory *d)
{
	struct store_identity after;
	char path[512];
	int rc = identify(t, &t->seen);

	snprintf(path, sizeof(path), "%s/" STORE_FILE, t->base.dir);
	if (rc == 0)
		rc = directory_read_file(path, NULL, NULL, d);
	if (rc == 0)
		rc = store_segments_replay_answered(&t->base, d);
	/* Written meanwhile: what was read is neither the one nor the other. */
	if (identify(t, &after) < 0 || !store_same(&t->seen, &after))
		rc = -ESTALE;
	return rc;
}

static void text_work(struct slow_job *job)
{
	struct text_job *t = (struct text_job *)job;
	struct directory d;
	size_t size = 0;
	char *whole = NULL;

	directory_init(&d);
	t->error = directory_read(t, &d);
	if (t->error == 0) {
		d.journal = 0; /* says which files are read on top, here */
		whole = directory_text_of(&d, &size);
		t->text->bytes = whole == NULL ? NULL : directory_masked(whole, &t->text->size);
		if (t->text->bytes == NULL)
			t->error = -ENOMEM;
		else if (t->text->size > t->text->max)
			t->error = -EFBIG;
	}
	directory_free(&d);
	if (whole != NULL)
		explicit_bzero(whole, size);
	free(whole);
	if (t->error < 0) {
		free(t->text->bytes);
		t->text->bytes = NULL;
	}
}

static void text_done(struct slow_job *job)
{
	struct text_job *t = (struct text_job *)job;
	struct store_text *text = t->text;
	struct store_base now;
	int error = t->error;

	/* A fold that came before it on that thread has been told of by now. */
	store_base(&now);
	if (!store_same(&t->seen, &now.file)) {
		free(text->bytes);
		text->bytes = NULL;
		error = -ESTALE;
	}
	free(t);
	text->done(text, error);
}

int store_text_begin(struct store_text *text)
{
	struct text_job *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	text->bytes = NULL;
	text->size = 0;
	t->text = text;
	store_base(&t->base);
	t->job.work = text_work;
	t->job.done = text_done;
	store_beside(&t->job);
	return 0;
}
