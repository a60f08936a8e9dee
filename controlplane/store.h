/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_STORE_H
#define PATCHBAY_CONTROLPLANE_STORE_H

/*
 * The directory on disk: <state>/directory.cfg, and <state>/directory.cfg.1 .. .N, earlier versions, the
 * youngest first.
 *
 * A save never touches the file in force: the new text goes to directory.cfg.new, is synced, the version in
 * force is given the name directory.cfg.1 besides its own (older ones move up first), and one rename puts
 * the new one in its place. Killed between any two of these steps, directory.cfg is there and whole: the old
 * text or the new one. When a step fails (disk full, read-only) the old file stays and the caller hears
 * why; the caller then takes its change back.
 *
 * A directory file that does not load is never overwritten: store_load() fails, and store_save*() refuse
 * until a load has succeeded or there was nothing to load.
 *
 * Writing waits for the disk and therefore runs on a slow helper; the text is made on the control thread, so
 * that it is one moment's truth. Changes that arrive while a save is under way share the next one.
 */

#include <stdbool.h>

#define STORE_VERSIONS 5u /* earlier versions kept */

/* Remembers the paths. -ENOMEM. Control thread, like all here. */
int store_init(const char *state_dir);
/* Waits for nothing: after slow_fini(). */
void store_fini(void);

/*
 * Loads <state>/directory.cfg into the directory. 0; -ENOENT if there is neither it nor an earlier version
 * (a first start); otherwise negative after reporting every error, and which earlier version would load.
 */
int store_load(void (*report)(void *ctx, const char *line), void *ctx);

struct store_request {
	/* Control thread. error: 0, or -errno: nothing was saved, the file in force is the old one. */
	void (*done)(struct store_request *request, int error);
	struct store_request *next; /* store's own */
};

/*
 * Saves the directory as it is now and calls request->done() (from inside only while no slow helper runs). The
 * request lives in the caller's object until then.
 */
void store_save(struct store_request *request);
/* The same at once, waiting for the disk: for start and end, when no loop runs. -errno. */
int store_save_now(void);

/*
 * Puts a file into `dir` whole or not at all: temporary file, fsync, rename, fsync of the directory. Where
 * `versions` > 0 the file that was there is kept as name.1 and older ones move up, at most that many.
 * -errno. May block; any thread, one at a time per name.
 */
int store_put(const char *dir, const char *name, unsigned mode, const void *bytes,
	unsigned long size, unsigned versions);

#endif
