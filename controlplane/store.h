/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_STORE_H
#define PATCHBAY_CONTROLPLANE_STORE_H

/*
 * The directory on disk:
 *
 *	<state>/directory.cfg			libconfig, readable and writable by people; `journal = n` in it
 *	<state>/directory.cfg.1 .. .N		its earlier versions, the youngest first
 *	<state>/directory.journal.n ...		changes since, in segments (journal.h, directory_object.h)
 *
 * A change costs what it changes: a record with the objects that it touched is appended to the open segment and
 * synced by a thread that does nothing else; changes that come meanwhile are written together by the next sync.
 * When nothing has changed for a second, or much has, a second thread of low priority *folds*: it reads
 * directory.cfg and the segments that are closed, writes the outcome as the next directory.cfg - temporary file,
 * fsync, rename, the old one kept as .1 - and removes the segments. It works from the files alone, so that neither
 * the control thread nor a change waits for it. Killed anywhere, a start finds every change that was answered.
 *
 * A directory.cfg that somebody else wrote is noticed and not folded into, until it has been read
 * (`patchbayctl store reload`, SIGHUP, or the next start): changes go on into the journal, and
 * count on top of what is read. When the disk refuses a change, its caller hears why and takes it back.
 *
 * A directory file that does not load is never overwritten: store_load() fails, and changes are refused until a
 * load has succeeded or there was nothing to load.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/directory_object.h"

#define STORE_VERSIONS 10u /* earlier versions kept */
#define STORE_JOURNAL_BYTES \
	268435456u /* of all segments; more, and changes are refused until a fold succeeds */

/* Remembers the paths. -ENOMEM. Control thread, like all here. */
int store_init(const char *state_dir);
/* After store_stop(). */
void store_fini(void);

/*
 * Loads directory.cfg and the journal into the directory. 0; -ENOENT if there is neither a file nor an earlier
 * version (a first start); otherwise negative after reporting every error, and which earlier version would load.
 * Writes nothing.
 */
int store_load(void (*report)(void *ctx, const char *line), void *ctx);

/* The loop is there: starts the threads, and folds what the last run left. -errno. */
int store_start(void);
/* Answers what waits, folds, ends the threads. A change after that is written at once in the caller. */
void store_stop(void);

struct store_request {
	/* Control thread. error: 0, or -errno: nothing was saved, nothing of it will be there after a restart. */
	void (*done)(struct store_request *request, int error);
	struct store_request *next; /* store's own, and so the next */
	int error;
};

/*
 * Writes these objects down as they are in the directory now and calls request->done() (from inside only while no
 * thread runs). The request lives in the caller's object until then. What is done to the same object before the
 * answer must not be taken back by it: directory_change.h sees to that for hubs, users and groups.
 */
void store_change(
	struct store_request *request, const struct directory_object *objects, unsigned cnt);
/* The whole directory, for a change that touches all of it: costs what the directory is large. */
void store_save(struct store_request *request);
/* Answered when directory.cfg has all that was answered before. -ESTALE: somebody else wrote it, see above. */
void store_flush(struct store_request *request);
/* Writes directory.cfg at once, waiting for the disk: for the first start, before any change. -errno. */
int store_save_now(void);
/*
 * Who waits for a request may want to look: called after each answer, on the control thread; some
 * functions at most, each once, for good. */
void store_on_settled(void (*settled)(void));

/*
 * Reads the directory again, beside what runs: directory.cfg as somebody edited it, with the journal on top, or the
 * directory as it stands with the objects of `record` put into it (directory_object.h). When all of it is right it is in
 * force, made durable before where it is a record: sessions of hubs that stay go on, hubs that are no more end
 * (directory_apply.h). When anything is wrong nothing changes. Other changes wait meanwhile: one at a time.
 */
struct store_reload {
	/* Control thread. 0, -EINVAL: see `report`, -ESTALE: edited, so that a record has nothing to stand on. */
	void (*done)(struct store_reload *reload, int error);
	char *record; /* malloc'ed, the reload's from here on; NULL: the file */
	char *report; /* malloc'ed, done() frees: what is wrong, a line each; or NULL */
	void *state;  /* the caller's */
};
/* -EBUSY: one is under way. */
int store_reload_begin(struct store_reload *reload);
/* Changes of the directory are not to begin now: again in a moment. */
bool store_frozen(void);

/*
 * The whole directory as text, secrets masked (directory_masked()): as it was when asked, with all changes that were
 * answered and no others. The thread that folds reads it from the disk, one after the other.
 */
struct store_text {
	/* Control thread; as of a request. 0; -ESTALE: directory.cfg was edited and is not in force; -EFBIG; -errno. */
	void (*done)(struct store_text *text, int error);
	size_t max;  /* bytes */
	char *bytes; /* malloc'ed, done() frees; NULL after an error */
	size_t size;
	void *state; /* the caller's */
};
/* The request lives in the caller's object until done(). -ENOMEM. */
int store_text_begin(struct store_text *text);

/* How things stand, for an administrator. */
struct store_status {
	bool edited;		/* somebody else wrote directory.cfg; it waits to be read */
	bool folding;		/* under way */
	int fold_error;		/* of the last one: 0 or -errno */
	uint64_t changes;	/* answered as durable, since the start, */
	uint64_t refused;	/* and refused by the disk */
	uint64_t syncs;		/* that made them so */
	uint64_t folds;		/* that succeeded */
	uint64_t segment;	/* the open one, or the next */
	uint64_t file_bytes;	/* of directory.cfg as it was read or written last */
	uint64_t journal_bytes; /* in segments, closed ones too */
	int64_t folded_ms;	/* since 1970; 0 = not yet */
};
void store_status(struct store_status *out);

/*
 * Puts a file into `dir` whole or not at all: temporary file, fsync, rename, fsync of the directory. Where
 * `versions` > 0 the file that was there is kept as name.1 and older ones move up, at most that many.
 * -errno. May block; any thread, one at a time per name.
 */
int store_put(const char *dir, const char *name, unsigned mode, const void *bytes,
	unsigned long size, unsigned versions);

#endif
