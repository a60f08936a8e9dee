/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_HUB_LOGS_H
#define PATCHBAY_CONTROLPLANE_HUB_LOGS_H

/* What the directory says about a hub's logs, in force: in the data path and for the thread that writes. */

#include "controlplane/logs/log_events.h"

struct directory_hub;
struct hub_options;

/* Fills in what the packet log takes. Control thread, and so all of this. */
void hub_logs_options(const struct directory_hub *hub, struct hub_options *out);
/* Names and settings for the thread that writes. The hub is started. */
void hub_logs_set(const struct directory_hub *hub);
void hub_logs_gone(const struct directory_hub *hub);
/* Something that happened to the hub, in its security log. */
void hub_logs_event(const struct directory_hub *hub, enum log_event event);
/* A local bridge came into it or left it; `why` may be NULL. */
void hub_logs_bridge(const struct directory_hub *hub, enum log_event event, const char *session,
	const char *bridge, const char *device, const char *why);
/* Frames that found no room in a worker's ring: told when it is over. About once a second. */
void hub_logs_look(void);

#endif
