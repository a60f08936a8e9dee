/* SPDX-License-Identifier: BSD-3-Clause */
/* A directory that was read anew, into force (directory_apply.h). */

#include "controlplane/directory_apply.h"

#include "controlplane/access_change.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/bridges.h"
#include "controlplane/directory_change.h"
#include "controlplane/directory_priv.h"
#include "controlplane/hubs.h"
#include "controlplane/log.h"
#include "controlplane/server_change.h"
#include "controlplane/server_tls.h"
#include "controlplane/syslog_target.h"

/* ---- hubs ------------------------------------------------------------------------------------- */

static void hub_renew(struct directory_hub *hub, struct directory_hub *fresh)
{
	struct directory_settings s;

	if (directory_settings_get(fresh, &s) != 0) {
		log_error("directory", "hub %s: no memory, its settings stay as they were",
			hub->name);
		return;
	}
	if (hub->max_macs != fresh->max_macs)
		log_notice("directory", "hub %s: max_macs %u holds from the next start on",
			hub->name, fresh->max_macs);
	hub->max_macs = fresh->max_macs;
	hub->created_ms = fresh->created_ms;
	directory_settings_put(hub, &s);
	access_change_adopt(hub, &fresh->access);
	directory_hub_adopt(hub, fresh);
	if (hubs_apply(hub) != 0)
		log_error("directory", "hub %s: no memory for its options", hub->name);
}

static void hub_begin(struct directory *d, struct directory_hub *hub)
{
	if (name_index_reserve(&directory_now.hub_index) < 0) {
		log_error("directory", "hub %s: no memory", hub->name);
		return;
	}
	directory_take_hub(d, hub);
	directory_hub_put(hub);
	if (directory_hub_start(hub) != 0) {
		/* It said why; the next start will try again. */
		directory_hub_take(hub);
		directory_hub_free(hub);
		return;
	}
	log_notice("hub", "hub %s created", hub->name);
	bridges_hub_up(hub);
}

static void hubs_renew(struct directory *fresh)
{
	struct directory_hub *hub, *next, *by;

	for (hub = TAILQ_FIRST(&directory_now.hubs); hub != NULL; hub = next) {
		next = TAILQ_NEXT(hub, entry);
		by = directory_find_hub(fresh, hub->name);
		if (by != NULL) {
			hub_renew(hub, by);
			continue;
		}
		log_notice("hub", "hub %s deleted", hub->name);
		directory_hub_take(hub);
		(void)hubs_doom(hub);
	}
	for (hub = TAILQ_FIRST(&fresh->hubs); hub != NULL; hub = next) {
		next = TAILQ_NEXT(hub, entry);
		if (directory_hub_find(hub->name) == NULL)
			hub_begin(fresh, hub);
	}
}

/* ---- bridges ---------------------------------------------------------------------------------- */

static struct directory_bridge *same_bridge(
	const struct directory_bridges *list, const struct directory_bridge *b)
{
	struct directory_bridge *o;

	TAILQ_FOREACH (o, list, entry)
		if (strcasecmp(o->hub, b->hub) == 0 && strcasecmp(o->name, b->name) == 0 &&
			strcmp(o->device, b->device) == 0 && o->tap == b->tap &&
			o->limit_broadcast == b->limit_broadcast && o->monitor == b->monitor &&
			o->keep_offloads == b->keep_offloads && o->max_frame == b->max_frame)
			return o;
	return NULL;
}

static void bridges_renew(struct directory *fresh)
{
	struct directory_bridge *b, *next;

	for (b = TAILQ_FIRST(&directory_now.bridges); b != NULL; b = next) {
		next = TAILQ_NEXT(b, entry);
		if (same_bridge(&fresh->bridges, b) != NULL)
			continue;
		log_notice("bridge", "hub %s: bridge %s deleted", b->hub, b->name);
		directory_bridge_take(b);
		bridges_end(b);
		free(b);
	}
	for (b = TAILQ_FIRST(&fresh->bridges); b != NULL; b = next) {
		next = TAILQ_NEXT(b, entry);
		if (same_bridge(&directory_now.bridges, b) != NULL)
			continue;
		TAILQ_REMOVE(&fresh->bridges, b, entry);
		fresh->bridge_cnt--;
		directory_bridge_put(b);
		if (bridges_begin(b) != 0)
			log_error("bridge", "hub %s: no memory for bridge %s", b->hub, b->name);
		else
			log_notice("bridge", "hub %s: bridge %s added", b->hub, b->name);
	}
}

/* ---- all of it -------------------------------------------------------------------------------- */

void directory_apply(struct directory *fresh)
{
	directory_now.journal = fresh->journal;
	directory_now.admin = fresh->admin;
	memcpy(directory_now.listeners, fresh->listeners, sizeof(fresh->listeners));
	directory_now.listener_cnt = fresh->listener_cnt;
	memcpy(directory_now.ciphers, fresh->ciphers, sizeof(fresh->ciphers));
	directory_now.syslog = fresh->syslog;
	free(directory_now.kept);
	directory_now.kept = fresh->kept;
	fresh->kept = NULL;
	hubs_renew(fresh);
	bridges_renew(fresh);
	server_listeners_renew();
	server_tls_renew();
	syslog_target_renew();
	log_notice("directory", "read again, in force");
}
