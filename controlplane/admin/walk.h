/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_WALK_H
#define PATCHBAY_CONTROLPLANE_ADMIN_WALK_H

/*
 * Lists that outlive a slice. Between two steps of a call sessions, hubs and connections come and go, so a
 * walk keeps what names an element, never a pointer to it. Each element that is there throughout is met
 * exactly once; one that comes or goes meanwhile perhaps. Control thread only.
 */

#include <stddef.h>
#include <stdint.h>

#include "controlplane/directory.h"
#include "controlplane/registry.h"

/* Sessions: their keys are noted at the start (20 bytes each), each is looked up when its turn comes. */
struct session_walk {
	uint8_t (*keys)[REGISTRY_KEY_BYTES];
	size_t cnt;
	size_t next;
};
/* Sessions of `hub`, or all (NULL). -ENOMEM. */
int session_walk_start(struct session_walk *w, const struct directory_hub *hub);
/* NULL at the end. */
struct vpn_session *session_walk_next(struct session_walk *w);
/* Keys are secrets: wiped. Idempotent, also on a zeroed walk. */
void session_walk_end(struct session_walk *w);

/* Hubs, from a zeroed walk. If the last one met is deleted between two slices, one other may be missed. */
struct hub_walk {
	char last[DIRECTORY_NAME_BYTES];
	unsigned met;
};
struct directory_hub *hub_walk_next(struct hub_walk *w);

/* Connections, from a zeroed walk; they stand in order of their ids. */
struct connection_walk {
	uint64_t last_id;
	struct connection *at; /* within one step only: connection_walk_pause() */
};
struct connection *connection_walk_next(struct connection_walk *w);
/* Before a step ends. */
void connection_walk_pause(struct connection_walk *w);

#endif
