/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ACCESS_LIST_H
#define PATCHBAY_CONTROLPLANE_ACCESS_LIST_H

/*
 * From the access list of a hub in the directory to the set its workers go by (dataplane/access.h).
 *
 * An edit is put in force at once: what was compiled stays, new rules are scanned beside it, and rules that went are
 * marked. A slow helper then compiles the whole list as it was at that moment; edits that arrive meanwhile are in
 * force in the same way, and go together into the next run. Only where there are too many of them (ACCESS_FRESH_MAX: a
 * whole list is replaced) does an edit wait for the helper.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/access.h"

struct directory_hub;
struct directory_rule;

/* The timer that looks after user lists. -ENOMEM. */
int access_list_init(void);
void access_list_fini(void);

/*
 * A hub that is being started. 0: its list is in force. -EAGAIN: a slow helper compiles it; no frame may pass before its
 * rule is there, so the hub stays dark until hubs_rules_ready() is called. -ENOMEM. Before slow_init() all of it is done
 * in here, which is the time before any port is open: what compiling may take is bounded (access.h).
 */
int access_list_start(struct directory_hub *hub);
/*
 * False between -EAGAIN and hubs_rules_ready(), and while rules that were set in a hub that is offline are compiled: such
 * a hub goes online when they are in force.
 */
bool access_list_ready(const struct directory_hub *hub);
/* The hub goes, and its workers know it no more or never did. */
void access_list_stop(struct directory_hub *hub);

/*
 * The list was changed. A number to ask with: 0 when it is in force already; else access_list_reached() says when. -ENOMEM
 * goes to the log and is tried again.
 */
uint64_t access_list_changed(struct directory_hub *hub);
bool access_list_reached(const struct directory_hub *hub, uint64_t number);

/* A rule that leaves the directory; before it is freed. */
void access_list_forget(struct directory_hub *hub, struct directory_rule *rule);
/* `by` is the same rule in other memory. */
void access_list_inherit(struct directory_rule *by, struct directory_rule *from);
uint64_t access_list_hits(const struct directory_hub *hub, const struct directory_rule *rule);

/* How it is in force. */
struct access_list_view {
	struct access_base_view base;
	uint32_t fresh; /* scanned beside it until the next run */
	bool compiling;
	uint64_t parked;  /* frames that wait for a delay, all hubs */
	uint64_t refused; /* and those that found no room */
};
void access_list_view(const struct directory_hub *hub, struct access_list_view *out);

/* The rule that would decide, or NULL; *drop, *inbound as in access_verdict. */
const struct directory_rule *access_list_test(const struct directory_hub *hub, const uint8_t *data,
	uint32_t len, const struct access_party *from, const struct access_party *to,
	struct access_verdict *verdict);

#endif
