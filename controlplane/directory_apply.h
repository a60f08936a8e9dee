/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_APPLY_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_APPLY_H

/*
 * Another directory in the place of the one in force, while sessions run: hubs that are in both keep their sessions and
 * tables and get settings, users and groups of the new one; hubs that are no more are ended as if they had been deleted;
 * listeners and bridges come and go. Nothing of it is written down (store.h has done that). What of a hub has lists of
 * its own moves in directory_hub_adopt().
 *
 * Control thread; no change may be under way.
 */

struct directory;

/* Takes what `fresh` has; it is to be freed afterwards all the same. What cannot be done is logged. */
void directory_apply(struct directory *fresh);

#endif
