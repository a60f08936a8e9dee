/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_BRIDGES_H
#define PATCHBAY_CONTROLPLANE_BRIDGES_H

/*
 * Supervision of local bridges: each one of the directory is kept open. A hub or device that is missing is
 * tried again every second; one that goes is closed and waited for. What can block (probing, starting, closing)
 * runs on a slow helper, one device at a time, so that a device that takes minutes holds up other devices and
 * nothing else.
 *
 * While its device is open a bridge is in its hub as the session SID-LOCALBRIDGE-<n>.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "controlplane/directory.h"
#include "controlplane/slow.h"
#include "drivers/bridge/bridge.h"

enum bridges_state {
	BRIDGES_WAITING,   /* for hub or device; `error` says for what */
	BRIDGES_OPENING,   /* on a slow helper, or in line for it */
	BRIDGES_UP,	   /* plugged into its hub */
	BRIDGES_UNPLUGGED, /* the workers are letting go */
	BRIDGES_CLOSING,   /* on a slow helper, or in line for it */
};
const char *bridges_state_name(enum bridges_state state);

struct local_bridge {
	struct directory_bridge conf; /* a copy */
	uint64_t id;		      /* grows; for walking */
	enum bridges_state state;
	bool doomed;   /* deleted: goes when it is closed */
	bool detached; /* its hub is deleted: forgets it when it is closed */
	char session_name[40];
	char error[BRIDGE_ERROR_BYTES]; /* why it waits; "" = does not */
	unsigned failures;		/* in a row */
	int64_t up_ms;			/* since 1970, of the last time it came up */
	struct directory_hub *hub;	/* NULL until it was there once */
	struct bridge *bridge;		/* NULL likewise */

	/* supervision's own */
	struct slow_job job;
	int result;
	uint32_t port_idx;
	TAILQ_ENTRY(local_bridge) entry;
	TAILQ_ENTRY(local_bridge) line;
};

/* Starts all bridges of the directory. After control_start(). -ENOMEM. */
int bridges_start(void);
/* Begins to take all down; bridges_quiet() tells the end. Nothing is started any more. */
void bridges_shutdown(void);
bool bridges_quiet(void);
/* Workers and slow helpers have stopped: closes what is left. */
void bridges_fini(void);

/* The first whose id is larger than `id`, or NULL. */
struct local_bridge *bridges_next(uint64_t id);
struct local_bridge *bridges_by_port(uint32_t port_idx);
/* That are up in this hub. */
unsigned bridges_up(const struct directory_hub *hub);
/*
 * The hub goes offline: its bridges are closed and wait. `gone`: it is deleted, and its bridges know it no more when
 * bridges_hub_quiet(). Back online: they are tried at once.
 */
void bridges_hub_down(struct directory_hub *hub, bool gone);
void bridges_hub_up(struct directory_hub *hub);
/* None is up, opening or closing. */
bool bridges_hub_quiet(const struct directory_hub *hub);
/* By the session's name, while it is up. */
struct local_bridge *bridges_session_find(const struct directory_hub *hub, const char *name);
/* Zeros while there is nothing to see. */
void bridges_view(const struct local_bridge *lb, struct bridge_view *out);

/* ---- changes: made durable before they take effect ------------------------------------------- */

struct bridges_change;

/*
 * Adds a bridge like `wanted` (its name may be empty) to the directory and asks for a save; it is started when
 * that is done. -EINVAL, -EEXIST, -ENOSPC, -ENOMEM: nothing was begun; -EBUSY: one of that device or name is on its way
 * out, ask again in a moment.
 */
int bridges_add(const struct directory_bridge *wanted, struct bridges_change **out);
/* Deletes by device or name. -ENOENT. Done when it is saved and the device is closed. */
int bridges_delete(const char *hub, const char *which, struct bridges_change **out);
/* True when it is over; *error: 0 or why it was taken back. */
bool bridges_change_done(const struct bridges_change *change, int *error);
/* The caller has no more interest; the change itself goes on. NULL is fine. */
void bridges_change_forget(struct bridges_change *change);

/* ---- for bridges_change.c -------------------------------------------------------------------- */

/* Starts one that is in the directory. -ENOMEM. */
int bridges_begin(const struct directory_bridge *conf);
/* Ends the one of this hub and device. */
void bridges_end(const struct directory_bridge *conf);
/* Whether it still exists in any state. */
bool bridges_alive(const struct directory_bridge *conf);

#endif
