/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ACCESS_CHANGE_H
#define PATCHBAY_CONTROLPLANE_ACCESS_CHANGE_H

/*
 * Edits of an access list: into the directory, onto the disk, into force, and only then reported; or taken back when
 * the disk refuses. One at a time for each hub. Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/directory_rule.h"

struct access_change;
struct directory_hub;

/*
 * 0: it has begun, ask access_change_done(). -EBUSY: the hub is being changed, later; -ENOSPC: as many rules as there may
 * be; -E2BIG: more than ACCESS_LISTS_MAX user lists; -ENOMEM. What is given is taken over unless -EBUSY.
 */
int access_change_add(
	struct directory_hub *hub, struct directory_rule *rule, struct access_change **out);
int access_change_delete(struct directory_hub *hub, uint32_t at, struct access_change **out);
int access_change_active(
	struct directory_hub *hub, uint32_t at, bool active, struct access_change **out);
/* Rules that are as they were keep their counters. */
int access_change_replace(
	struct directory_hub *hub, struct directory_rules *rules, struct access_change **out);

/* The list of a directory that was read anew, and need not be written: in force as soon as it can be. Takes it over. */
void access_change_adopt(struct directory_hub *hub, struct directory_rules *rules);

/* True when it is over; *error: 0 or why it was taken back. */
bool access_change_done(struct access_change *c, int *error);
/* The id of the rule that was added or changed. */
uint32_t access_change_id(const struct access_change *c);
/* The caller has no more interest; the change goes on. NULL is fine. */
void access_change_forget(struct access_change *c);

#endif
