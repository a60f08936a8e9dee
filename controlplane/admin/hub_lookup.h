/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_HUB_LOOKUP_H
#define PATCHBAY_CONTROLPLANE_ADMIN_HUB_LOOKUP_H

/* The hub that a method of role HUB is about. */

struct admin_call;
struct admin_field;
struct directory_hub;

/*
 * The hub named by the argument HubName, started (its `hub` is not NULL). 0, or 8 with the sentence set:
 * return it from step(). Valid until the step ends. Control thread.
 */
int admin_hub_lookup(struct admin_call *call, struct directory_hub **hub);
/* The request of a method that takes nothing but HubName. */
extern const struct admin_field admin_hub_request[];

#endif
