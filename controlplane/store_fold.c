/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Folding the journal into directory.cfg (store.h): from the files alone, on a thread that nobody waits for. What
 * it reads is what a start would read, so that each fold is a rehearsal of one.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/directory_priv.h"
#include "controlplane/store_priv.h"

/* The first line that is wrong will do: it is ours, not a person's. */
static void keep_line(void *ctx, const char *line)
{
	struct store_fold *fold = ctx;

	if (fold->why[0] == '\0')
		snprintf(fold->why, sizeof(fold->why), "%s", line);
}

static int identify(const char *dir, struct store_identity *out)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (dirfd < 0)
		return -errno;
	rc = store_identify(dirfd, STORE_FILE, out);
	close(dirfd);
	return rc;
}

static int fold_text(struct store_fold *fold, struct directory *d)
{
	uint64_t torn;
	size_t size;
	char *text;
	int rc = store_segments_replay(fold->dir, fold->before, d, &torn, keep_line, fold);

	if (rc == 0 && torn > 0) {
		snprintf(
			fold->why, sizeof(fold->why), "a closed segment of the journal is damaged");
		rc = -EIO;
	}
	if (rc < 0)
		return rc;
	d->journal = fold->before;
	text = directory_text_of(d, &size);
	if (text == NULL)
		return -ENOMEM;
	rc = store_put_over(
		fold->dir, STORE_FILE, 0600, text, size, STORE_VERSIONS, &fold->expected);
	explicit_bzero(text, size);
	free(text);
	return rc;
}

void store_fold(struct store_fold *fold)
{
	struct store_identity now;
	struct directory d;
	char path[512];
	int rc;

	fold->why[0] = '\0';
	fold->error = identify(fold->dir, &now);
	if (fold->error < 0 || !store_same(&now, &fold->expected)) {
		fold->error = -ESTALE;
		return;
	}
	snprintf(path, sizeof(path), "%s/" STORE_FILE, fold->dir);
	directory_init(&d);
	rc = directory_read_file(path, keep_line, fold, &d);
	/* Written meanwhile: what was read is not what was meant. */
	if (identify(fold->dir, &now) < 0 || !store_same(&now, &fold->expected))
		rc = -ESTALE;
	if (rc == 0)
		rc = fold_text(fold, &d);
	directory_free(&d);
	if (rc == 0)
		rc = identify(fold->dir, &fold->written);
	if (rc == 0)
		store_segments_remove(fold->dir, fold->before);
	fold->error = rc;
}
