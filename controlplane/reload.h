/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_RELOAD_H
#define PATCHBAY_CONTROLPLANE_RELOAD_H

/*
 * SIGHUP: patchbay.cfg, the certificate and the directory are read again, each by itself. What is wrong is told in the log, and that file
 * stays as it was in force; otherwise sessions go on under what is new. Of patchbay.cfg listeners and the level of
 * the log are taken; the rest belongs to threads and memory that are there already, and a change of it is told.
 */

struct config;

/* What SIGHUP reads again; `path` may be NULL: no file, nothing to read. Both stay the caller's. Control thread. */
void reload_init(struct config *config, const char *path);
void reload_all(void);

#endif
