/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_STORE_PRIV_H
#define PATCHBAY_CONTROLPLANE_STORE_PRIV_H

/* What the files of the store share: store.c decides, on the control thread; the rest works, on threads of the store. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "controlplane/store.h"

struct directory;

#define STORE_FILE "directory.cfg"

/* Which file, and in which state, a name means: another one if somebody wrote it. */
struct store_identity {
	uint64_t dev, ino;
	int64_t size, mtime_s;
	long mtime_ns;
};

/* -errno, and *out all zero. */
int store_identify(int dirfd, const char *name, struct store_identity *out);
bool store_same(const struct store_identity *a, const struct store_identity *b);
/* store_put(), but -ESTALE where the file in force is not the `expected` one (NULL: any). */
int store_put_over(const char *dir, const char *name, unsigned mode, const void *bytes,
	unsigned long size, unsigned versions, const struct store_identity *expected);

/* ---- store.c, for store_reload.c and store_text.c ------------------------------------------------------------- */

struct slow_job;

struct store_base {
	const char *dir;
	struct store_identity file; /* as read or written last */
	/* What has been answered of the journal: segments below `before`, and `bytes` of that one. */
	uint64_t before, bytes;
};

/* No fold, and no change through the ways that look at store_frozen(); calm() when the last is answered. */
void store_freeze(void (*calm)(void));
/* `file`: what was read (NULL: as before). */
void store_thaw(const struct store_identity *file);
void store_base(struct store_base *out);
/* On the thread that folds. */
void store_beside(struct slow_job *job);
/* As store_change(), a record's text that is there already; NULL: refused with errno. */
void store_record(struct store_request *request, const char *text, size_t size);

/* ---- store_segments.c: the segments of the journal ------------------------------------------- */

/* The open segment. One thread at a time. */
struct store_segment {
	uint64_t number; /* 0: none is open */
	int fd;
	off_t good;  /* bytes that are whole and synced */
	bool broken; /* ends in what could not be taken back: nothing more goes behind it */
};

/*
 * Appends to segment `number`, which it makes unless it is the open one, and syncs. 0, or -errno: then the
 * segment is as it was before, or broken.
 */
int store_segment_append(
	struct store_segment *s, const char *dir, uint64_t number, const char *bytes, size_t size);
void store_segment_close(struct store_segment *s);

/* Lowest and highest number there is (0, 0: none) and the bytes of all. -errno. */
int store_segments_find(const char *dir, uint64_t *first, uint64_t *last, uint64_t *bytes);
void store_segments_remove(const char *dir, uint64_t before);
/*
 * Does what the segments d->journal .. before-1 say to `d`. What is not whole at the end of the last one was never
 * answered: its bytes are counted in *torn. -EINVAL after reporting, -errno.
 */
int store_segments_replay(const char *dir, uint64_t before, struct directory *d, uint64_t *torn,
	void (*report)(void *ctx, const char *line), void *ctx);
/* The same up to what has been answered, beside the thread that goes on writing. -errno. */
int store_segments_replay_answered(const struct store_base *base, struct directory *d);
/* Cuts that end off. A copy stays as <segment>.torn. -errno. */
int store_segment_trim(const char *dir, uint64_t number, uint64_t torn);

/* ---- store_fold.c ---------------------------------------------------------------------------- */

struct store_fold {
	const char *dir;
	uint64_t before;		/* segments below this one go into the file */
	struct store_identity expected; /* the file as it was read or written last */
	struct store_identity written;	/* as it is now */
	int error;			/* 0, -ESTALE: edited, -errno */
	char why[512];			/* what did not read back */
};

/* May take its time; any thread. */
void store_fold(struct store_fold *fold);

#endif
