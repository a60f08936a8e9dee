/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_COUNTERS_H
#define PATCHBAY_CONTROLPLANE_COUNTERS_H

/*
 * Traffic totals, numbers of logins and last logins of users, groups, hubs and the server, kept over restarts.
 *
 * They change with every frame, so they are no part of the directory: a change there is durable before it is
 * answered, these are written every `counters.save_s` seconds (300), when an administrator asks (Flush), and at the
 * end. Killed, the daemon loses what was counted since, and nothing else. One file, <state>/counters, written whole
 * and put in place by a rename, with one fsync: it is as long as there are objects that have counted something, and
 * a round in which nothing did writes nothing. The one before stays as counters.1.
 *
 * A round notes some thousand objects a turn of the loop; the text is made and written by a slow helper.
 *
 * Control thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/traffic_totals.h"

/*
 * Puts what was saved into the directory, which has been loaded and does not run yet. A file that is damaged, or not
 * there, is no reason not to start: it is reported, the one before it is taken, or all begins at zero.
 */
void counters_load(const char *state_dir, void (*report)(void *ctx, const char *line), void *ctx);
/* The loop is there. -ENOMEM. */
int counters_start(const char *state_dir, unsigned save_s);
/* Sessions have ended, hubs are still there: saves a last time, waiting for the disk. */
void counters_stop(void);

/* Saves what is counted by now. The save's number, for counters_saved(). */
uint64_t counters_save(void);
/* True when it is over; *error: 0 or -errno. */
bool counters_saved(uint64_t number, int *error);

/* All that the server's workers have counted, and those before this start. */
void counters_server(struct traffic_totals *out);

struct counters_status {
	int64_t saved_ms; /* when the file was written last; 0: not yet */
	int error;	  /* of the last save: 0 or -errno */
	uint64_t bytes;	  /* of the file */
	uint64_t saves;	  /* since the start */
};
void counters_status(struct counters_status *out);

#endif
